"""Workload files of other tools."""

import itertools

import pytest
import yaml

from hwsim import Design, Workload, simulate, workloads
from hwsim.errors import HwsimError, NetworkError
from hwsim.workload import HostLayer, MatmulLayer

CONVOLUTIONS = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 230, 230, 7, 7, 3, 64, 2,
Odd, 10, 7, 3, 2, 4, 5, 2, 3,

FC6, 1, 1, 1, 1, 512, 1000, 1, 1:1,
"""
GEMMS = "Layer, M, N, K,\nQKT, 512, 768, 64,\nout, 1, 10, 20, 1:1,\n"


def shape(layer):
    return layer.name, layer.m, layer.n, layer.k, layer.input_elements


def windows(size, filter, stride):
    """Starts of windows, the last of which may be incomplete."""
    return len(range(0, size - filter + stride, stride))


def test_convolutions_of_scale_sim(tmp_path):
    (tmp_path / "net.csv").write_text(CONVOLUTIONS)
    found = workloads.from_scalesim(tmp_path / "net.csv")
    assert found.name == "net"
    assert [shape(layer) for layer in found.layers] == [
        ("Conv1", windows(230, 7, 2) ** 2, 64, 147, 230 * 230 * 3),
        ("Odd", windows(10, 3, 2) * windows(7, 2, 3), 5, 24, 280),
        ("FC6", 1, 1000, 512, 512),
    ]


def test_gemms_of_scale_sim_cost_what_their_shapes_do(tmp_path):
    (tmp_path / "gemms.csv").write_text(GEMMS)
    found = workloads.from_scalesim(tmp_path / "gemms.csv", weights="int4", seed=3)
    plain = Workload.from_shapes("gemms", [(512, 768, 64), (1, 10, 20)], weights="int4", seed=3)
    assert [shape(layer)[1:] for layer in found.layers] == [shape(layer)[1:] for layer in plain.layers]
    assert simulate(found, Design()).totals() == simulate(plain, Design()).totals()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot read topology"),
        ("Layer, M, N, K,\n", "has no layers"),
        ("Layer, M, N, K,\na, 1, 2,\n", "line 2: expected M, N, K"),
        ("Layer, M, N, K,\n, 1, 2, 3,\n", "line 2: the layer has no name"),
        ("Layer, M, N, K,\n\na, 1, 0, 3,\n", "line 3: N = '0' is no positive whole number"),
        ("Layer, M, N, K,\na, 1, 2, 3, 2:4,\n", "line 2: sparsity 2:4 cannot be imported"),
        ("Layer, a, b, c, d, e, f, g,\na, 3, 3, 5, 5, 1, 1, 1,\n", "a filter of 5 x 5 on an input of 3 x 3"),
        ("Layer, a, b, c, d, e, f, g,\na, 3, 3, 5,\n", "expected input height, input width"),
    ],
)
def test_a_topology_that_is_wrong_is_refused_with_its_line(text, message, tmp_path):
    (tmp_path / "net.csv").write_text(text)
    with pytest.raises(NetworkError, match=message):
        workloads.from_scalesim(tmp_path / "net.csv")


BITS = {"O": 16, "O_final": 8, "W": 4, "I": 8}
CONV = {
    "id": 0, "name": "conv1", "operator_type": "Conv",
    "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
    "dimension_relations": ["ix=2*ox+1*fx", "iy=2*oy+1*fy"],
    "loop_dims": ["B", "K", "G", "OX", "OY", "C", "FX", "FY"], "loop_sizes": [2, 6, 3, 5, 4, 7, 3, 3],
    "operand_precision": BITS, "operand_source": {"I": 0, "W": 0},
    "pr_loop_dims": ["IX", "IY"], "pr_loop_sizes": [10, 8], "padding": [[1, 0], [1, 0]],
}  # fmt: skip
GEMM = {
    "id": 1, "operator_type": "Gemm", "equation": "O[b][k]+=I[b][c]*W[c][k]", "dimension_relations": [],
    "loop_dims": ["B", "K", "C"], "loop_sizes": [512, 768, 64], "operand_precision": BITS, "operand_source": {},
}  # fmt: skip
HEADS = GEMM | {
    "id": 2, "name": "heads", "equation": "O[h][b][k] += I[h][b][c] * W[h][c][k]", "loop_dims": ["H", "B", "K", "C"],
    "loop_sizes": [12, 128, 32, 64],
}  # fmt: skip
ADD = GEMM | {
    "id": 3, "name": "add", "operator_type": "Add", "equation": "O[b][k]=X[b][k]+Y[b][k]", "loop_dims": ["B", "K"],
    "loop_sizes": [6, 7], "operand_precision": {"O": 16, "O_final": 8, "X": 8, "Y": 4},
}  # fmt: skip


def load(tmp_path, *layers, **options):
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(list(layers)))
    return workloads.from_zigzag(tmp_path / "net.yaml", **options)


def test_layers_of_zigzag(tmp_path):
    found = load(tmp_path, CONV, GEMM, HEADS, ADD)
    conv, gemm, heads, add = found.layers
    assert (conv.m, conv.n, conv.k, conv.repeat) == (2 * 5 * 4, 6, 7 * 9, 3)
    assert (gemm.name, gemm.m, gemm.n, gemm.k, gemm.repeat) == ("layer1", 512, 768, 64, 1)
    assert (heads.m, heads.n, heads.k, heads.repeat, heads.input_elements) == (128, 32, 64, 12, 128 * 64)
    assert all(layer.weights[0].format == "int4" for layer in (conv, gemm, heads))
    assert (conv.activation_bits, conv.output_bits) == (8, 8)
    assert add == HostLayer(name="add", operator="add", elements=42, read_bits=42 * 12, write_bits=42 * 8)
    assert load(tmp_path, GEMM, weights="int8").layers[0].weights[0].format == "int8"
    assert simulate(found, Design()).cycles > 0


def test_a_convolution_reads_each_input_once_and_no_padding(tmp_path):
    (conv,) = load(tmp_path, CONV).layers
    touched = {(2 * ox + fx, 2 * oy + fy) for ox, oy, fx, fy in itertools.product(*map(range, (5, 4, 3, 3)))}
    inside = {(x, y) for x, y in touched if x >= 1 and y >= 1}  # one row and column of padding
    assert isinstance(conv, MatmulLayer)
    assert conv.input_elements == 2 * 7 * len(inside)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operator_type": "Convolution"}, "unknown operator_type 'Convolution'; accepted: Add"),
        ({"loop_sizes": [1, 2]}, "not so many positive numbers"),
        ({"loop_sizes": [1, 2, 0]}, "not so many positive numbers"),
        ({"equation": "O[b][q]+=I[b][c]*W[c][q]"}, "does not fit loop_dims"),
        ({"equation": "O[b][k]+=A[b][c]*B[c][k]"}, "expected O, I and W"),
        ({"dimension_relations": ["ix=ox-fx"]}, "dimension relation 'ix=ox-fx'"),
        ({"operand_precision": {"O_final": 8, "I": 8}}, "KeyError 'W'"),
        ({"operand_precision": None}, "not as ZigZag writes it"),
        ({"operand_precision": BITS | {"W": 31}}, "int31"),
    ],
)
def test_a_layer_that_is_wrong_is_named(change, message, tmp_path):
    with pytest.raises(HwsimError, match=message):
        load(tmp_path, GEMM | change)


@pytest.mark.parametrize("text", ["", "a: 1", "- 1", "[unclosed"])
def test_a_file_that_is_no_workload_is_refused(text, tmp_path):
    (tmp_path / "net.yaml").write_text(text)
    with pytest.raises(NetworkError, match=r"net\.yaml"):
        workloads.from_zigzag(tmp_path / "net.yaml")
