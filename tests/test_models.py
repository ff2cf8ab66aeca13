"""The shipped networks: one answer from every path, and the accuracies on record. Needs no PyTorch."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import hwsim
from hwsim import digits
from hwsim.errors import NetworkError
from hwsim.models import accuracy
from hwsim.models.__main__ import main
from tests.naive_network import naive_run


@pytest.mark.parametrize("name", digits.networks())
def test_mac_bit_serial_and_naive_integers_agree(name):
    network = digits.load(name)
    images, _ = digits.held_out(network)
    expected = naive_run(network, images[:80])
    datapaths = (hwsim.Mac(), hwsim.BitSerial(scheme="booth"), hwsim.BitSerial(scheme="twos_complement"))
    if name == "cnn_fp8":
        datapaths = (hwsim.BitSerial(weight_bits=19), hwsim.BitSerial(weight_bits=20, scheme="naf", skip="zero"))
    for design in (None, *(hwsim.Design(datapath=datapath) for datapath in datapaths)):
        for node, value in hwsim.inference.trace(network, design, images[:80]):
            np.testing.assert_array_equal(value, expected[node.name], err_msg=f"{design} {node.name}")


@pytest.mark.parametrize("name", digits.networks())
def test_accuracy_is_what_the_record_says(name):
    recorded = digits.recorded()[name]
    measured = accuracy.hwsim_accuracy(digits.load(name))
    assert measured == recorded["hwsim"] == recorded["fake_quant"]
    assert recorded["same_predictions"]
    lost = {
        "int8": 0.005,
        "fp8": 0.005,
        "int4": 0.01,
        "bitmod": 0.01,
        "denseshift": 0.01,
        "ternary": 0.02,
        "tbn": 0.02,
        "plum": 0.03,
        "split128": 0.011,
        "split64": 0.011,
    }
    small = name.endswith(("binary", "wide"))
    assert measured >= (0.93 if small else recorded["float"] - lost[name.split("_")[1]])
    assert recorded["float"] >= 0.975


@pytest.mark.parametrize("name", ["mlp_split128", "mlp_split64"])
def test_retrained_splits_lose_little(name):
    recorded, whole = digits.recorded()[name], digits.recorded()["mlp_wide"]
    assert recorded["hwsim"] > whole["hwsim"] - 0.011
    assert 0.9 < recorded["before_retraining"] < 1
    operator = digits.load(name).node("second").operator
    assert (operator.splits, operator.inputs, operator.outputs) == (1024 // int(name[9:]), 1024, 1024)


def test_the_table_is_recomputed():
    result = CliRunner().invoke(main, ["--table"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    cells = {line.split("|")[1].strip(): [cell.strip(" %") for cell in line.split("|")[2:-1]] for line in lines[2:]}
    assert set(cells) == set(digits.networks())
    taken = {name: row[-1] for name, row in cells.items()}
    assert taken.pop("cnn_fp8") == "bit_serial"
    assert set(taken.values()) == {"mac, bit_serial"}
    for name, row in cells.items():
        assert float(row[6]) / 100 == pytest.approx(digits.recorded()[name]["hwsim"])
    bits = {name: float(row[1]) for name, row in cells.items()}
    assert bits["mlp_tbn"] < 0.5 < bits["cnn_binary"] < 1.3 < bits["cnn_ternary"] < bits["cnn_denseshift"] < 4


def test_held_out_images():
    images, labels = digits.held_out()
    assert images.shape == (400, 1, 8, 8)
    assert images.dtype == np.float32
    assert images.min() == 0
    assert images.max() == 1
    assert sorted(np.unique(labels)) == list(range(10))


def test_networks_exercise_what_they_are_meant_to():
    ragged = [node.operator.weight for node in digits.load("mlp_int4").matmuls()]
    assert any(w.groups > 1 and w.k % w.group_size and len(np.unique(w.scale)) > 10 for w in ragged)
    binary = digits.load("cnn_binary")
    assert all(node.operator.weight.format == "binary" for node in binary.matmuls())
    assert {type(node.operator).__name__ for node in binary.nodes} >= {"Add", "Requantize", "MaxPool"}
    assert [binary.activation_bits(node) for node in binary.matmuls()] == [8, 2, 2, 2, 2]


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(NetworkError, match="did you mean 'cnn_int8'"):
        digits.load("cnn_int88")


def test_nothing_but_the_torch_package_needs_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import hwsim, hwsim.digits, hwsim.models.accuracy\n"
        "hwsim.digits.load('mlp_int8')\n"
        "from hwsim.errors import MissingExtraError\n"
        "try:\n    import hwsim.torch\nexcept MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "hwsim.torch needs the extra 'torch': pip install 'hwsim[torch]'"
