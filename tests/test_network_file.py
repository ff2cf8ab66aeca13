"""Network files: what is written is read back, everything else is refused."""

import copy
import dataclasses
import errno
import json
import os
import struct

import numpy as np
import pytest
import safetensors.numpy

import hwsim
from hwsim import digits, network_file
from hwsim.errors import NetworkError
from hwsim.operators import Input, Linear, Relu
from hwsim.requantization import Quantizer


@pytest.fixture
def network():
    """K=6 with int4 codes in groups of 4: rows of codes are padded to a byte, scales differ."""
    w = hwsim.lower(hwsim.quantize(np.random.default_rng(0).normal(size=(3, 5)), "int4", group_size=4, pad=True))
    nodes = (
        hwsim.Node(name="input", operator=Input(
            shape=(5,), scale=0.1, low=-127, high=127, sample=np.arange(10, dtype=np.int32).reshape(2, 5))),
        hwsim.Node(name="fc", inputs=("input",), operator=Linear(
            weight=w, quantizer=Quantizer.dyadic(np.full(3, 0.01), np.arange(3), -127, 127))),
        hwsim.Node(name="relu", operator=Relu(), inputs=("fc",)),
    )  # fmt: skip
    return hwsim.Network(name="test", nodes=nodes, output_scale=0.1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.safetensors"


def write(path, metadata, tensors, **extra):
    """A file whose digest fits whatever it holds."""
    text = json.dumps({**metadata, "sha256": network_file.digest(metadata, tensors), **extra})
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"hwsim": text}))


@pytest.mark.parametrize("name", digits.networks())
def test_shipped_networks_round_trip_bit_exactly(name, path):
    first = digits.load(name)
    first.save(path)
    again = hwsim.Network.load(path)
    assert again.hash == first.hash
    expected, got = network_file.to_tensors(first), network_file.to_tensors(again)
    assert expected[0] == got[0]
    for key, tensor in expected[1].items():
        assert got[1][key].dtype == tensor.dtype
        np.testing.assert_array_equal(got[1][key], tensor)
    bytes_before = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == bytes_before


def same(a, b):
    """Every field equal, nested ones too."""
    for field in dataclasses.fields(a):
        first, second = getattr(a, field.name), getattr(b, field.name)
        assert type(first) is type(second)
        if dataclasses.is_dataclass(first):
            same(first, second)
        else:
            np.testing.assert_array_equal(first, second)


def test_every_field_comes_back(network, path):
    network.save(path)
    loaded = hwsim.Network.load(path)
    for node, other in zip(network.nodes, loaded.nodes, strict=True):
        assert (node.name, node.inputs, type(node.operator)) == (other.name, other.inputs, type(other.operator))
        for field in dataclasses.fields(node.operator):
            a, b = getattr(node.operator, field.name), getattr(other.operator, field.name)
            assert type(a) is type(b)
            if dataclasses.is_dataclass(a):
                same(a, b)
            else:
                assert np.array_equal(a, b)


def test_the_digest_is_fixed(network):
    """A change of the format, or of what the digest covers, must change VERSION too."""
    assert network_file.VERSION == 3
    metadata, tensors = network_file.to_tensors(network)
    assert sorted(tensors) == [
        "0.sample", "1.quantizer.bias", "1.quantizer.invert", "1.quantizer.multiplier", "1.quantizer.shift",
        "1.weight.channel_scale", "1.weight.codebook.exponents", "1.weight.codebook.mantissas", "1.weight.codes",
        "1.weight.scale"]  # fmt: skip
    assert tensors["1.weight.codes"].shape == (3, 3)
    assert list(metadata) == ["version", "name", "output_scale", "nodes"]


def test_files_that_are_no_networks(tmp_path, path):
    with pytest.raises(NetworkError, match="no network file"):
        hwsim.Network.load(tmp_path / "missing.safetensors")
    path.write_bytes(b"")
    with pytest.raises(NetworkError, match="not a readable safetensors file"):
        hwsim.Network.load(path)
    path.write_bytes(safetensors.numpy.save({"x": np.zeros(3)}))
    with pytest.raises(NetworkError, match="no 'hwsim' header"):
        hwsim.Network.load(path)
    path.write_bytes(safetensors.numpy.save({"x": np.zeros(3)}, metadata={"hwsim": "{"}))
    with pytest.raises(NetworkError, match="malformed metadata"):
        hwsim.Network.load(path)
    path.write_bytes(safetensors.numpy.save({"x": np.zeros(3)}, metadata={"hwsim": "[" * 100_000}))
    with pytest.raises(NetworkError, match="malformed metadata"):
        hwsim.Network.load(path)


def test_truncated_files(network, path):
    network.save(path)
    data = path.read_bytes()
    for length in (4, 8, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(NetworkError, match=r"network\.safetensors"):
            hwsim.Network.load(path)


def test_any_changed_byte_is_noticed(network, path):
    network.save(path)
    data = path.read_bytes()
    (header,) = struct.unpack("<Q", data[:8])
    tensors = range(8 + header, len(data))
    text = data.index(b"output_scale")
    for position in (*tensors, text + 16, data.index(b"group_size") + 12):
        changed = bytearray(data)
        changed[position] ^= 1
        path.write_bytes(bytes(changed))
        with pytest.raises(NetworkError, match=r"digest does not match|not a readable|malformed"):
            hwsim.Network.load(path)


def test_a_full_disk_is_not_taken_for_a_damaged_file(network, path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    network.save(path)
    monkeypatch.setattr(network_file.tensor_file, "unpack", full)
    with pytest.raises(OSError, match="No space left"):
        hwsim.Network.load(path)


def test_saving_leaves_no_half_written_file(network, path, monkeypatch):
    network.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        network.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def change(*keys, to):
    """A function that sets ``metadata[keys...]``."""

    def apply(metadata, tensors):
        data = metadata
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = to

    return apply


def drop(*keys):
    def apply(metadata, tensors):
        data = metadata
        for key in keys[:-1]:
            data = data[key]
        del data[keys[-1]]

    return apply


def tensor(name, edit):
    """A function that replaces tensor ``name`` by ``edit`` of it."""

    def apply(metadata, tensors):
        tensors[name] = np.ascontiguousarray(edit(tensors[name].copy()))

    return apply


def both(edit):
    """A function that replaces mantissas and exponents of the codebook."""

    def apply(metadata, tensors):
        tensor(MANTISSAS, edit)(metadata, tensors)
        tensor(EXPONENTS, edit)(metadata, tensors)

    return apply


def put(index, value):
    def edit(array):
        array.flat[index] = value
        return array

    return edit


WEIGHT = ("nodes", 1, "attributes", "weight")
CODEBOOK = (*WEIGHT, "codebook")
MANTISSAS, EXPONENTS = "1.weight.codebook.mantissas", "1.weight.codebook.exponents"
FC = ("nodes", 1, "attributes")
TAMPERED = {
    "version": (change("version", to=1), "format version 1, this hwsim reads 3"),
    "version true": (change("version", to=True), "format version True"),
    "no version": (drop("version"), "format version None"),
    "unknown key": (change("licence", to="MIT"), "network has unknown attribute 'licence'"),
    "unknown operator": (change("nodes", 2, "operator", to="Relux"), "node 'relu' has unknown operator 'Relux'"),
    "base class": (change("nodes", 2, "operator", to="Operator"), "unknown operator 'Operator'"),
    "operator is a list": (change("nodes", 2, "operator", to=["Relu"]), "malformed metadata"),
    "unknown attribute": (change(*FC, "slope", to=1), "Linear has unknown attribute 'slope'"),
    "unknown node key": (change("nodes", 1, "code", to="x"), "node 1 has unknown attribute 'code'"),
    "unknown tensor field": (change(*WEIGHT, "color", to=1), "QTensor has unknown attribute 'color'"),
    "attributes are a list": (change("nodes", 2, "attributes", to=[]), "expected dict"),
    "nodes are text": (change("nodes", to="abc"), "nodes: expected list, got 'abc'"),
    "no nodes": (lambda m, t: (m.update(nodes=[]), t.clear()), "first node must be the input"),
    "name is a number": (change("nodes", 1, "name", to=3), "name of node 1: expected str, got 3"),
    "inputs are text": (change("nodes", 1, "inputs", to="input"), "inputs of node 'fc': expected list"),
    "input is a number": (change("nodes", 1, "inputs", to=[0]), "inputs of node 'fc': expected str, got 0"),
    "bool for int": (change("nodes", 0, "attributes", "low", to=True), "Input.low: expected int, got True"),
    "text for float": (change("nodes", 0, "attributes", "scale", to="0.1"), "Input.scale: expected float"),
    "float for int": (change(*WEIGHT, "group_size", to=4.0), "QTensor.group_size: expected int, got 4.0"),
    "int for float is fine": (change("nodes", 0, "attributes", "scale", to=1), None),
    "missing attribute": (drop("nodes", 0, "attributes", "scale"), "Input.scale is missing"),
    "missing weight": (drop(*WEIGHT), "QTensor: expected dict, got None"),
    "missing name": (drop("nodes", 1, "name"), "malformed metadata"),
    "sample outside the bounds": (change("nodes", 0, "attributes", "high", to=5), "sample holds values outside"),
    "sample of another shape": (change("nodes", 0, "attributes", "shape", to=[10]), r"input sample is int32\(2, 5\)"),
    "output scale 0": (change("output_scale", to=0), "output scale 0.0 is not finite and positive"),
    "input scale negative": (change("nodes", 0, "attributes", "scale", to=-1.0), "node 'input': input scale"),
    "input shape huge": (change("nodes", 0, "attributes", "shape", to=[1 << 70]), "node 'input': input sample is"),
    "input shape empty": (change("nodes", 0, "attributes", "shape", to=[0]), "no elements"),
    "weight shape huge": (change(*WEIGHT, "shape", to=[3, 1 << 62]), "does not fit shape"),
    "weight shape overflows": (change(*WEIGHT, "shape", to=[3, 5, 1 << 40, 1 << 40]), "does not fit shape"),
    "weight shape negative": (change(*WEIGHT, "shape", to=[-3, -5]), "weights of shape"),
    "weight shape empty": (change(*WEIGHT, "shape", to=[]), "weights of shape"),
    "sparse is a number": (change(*WEIGHT, "sparse", to=1), "Sparse: expected dict, got 1"),
    "code bits 17": (change(*CODEBOOK, "bits", to=17), "does not fit 17 bits"),
    "code bits 0": (change(*CODEBOOK, "bits", to=0), "does not fit 0 bits"),
    "code bits 5": (change(*CODEBOOK, "bits", to=5), "does not fit shape"),
    "code bits 3": (change(*CODEBOOK, "bits", to=3), "a codebook of 16 entries does not fit 3 bits"),
    "tile 0": (change(*WEIGHT, "tile", to=0), "repeated 0 times"),
    "transport": (change(*WEIGHT, "transport", to="pigeon"), "transport 'pigeon' is not one of"),
    "group size 0": (change(*WEIGHT, "group_size", to=0), "group_size 0 is not positive"),
    "group size 2": (change(*WEIGHT, "group_size", to=2), "scale has shape"),
    "bounds swapped": (change(*FC, "quantizer", "low", to=200), "bounds 200..127"),
    "bounds huge": (change(*FC, "quantizer", "high", to=1 << 31), "are not an int32 range"),
    "cycle": (change("nodes", 1, "inputs", to=["relu"]), "'fc' reads 'relu', which is not an earlier node"),
    "self": (change("nodes", 2, "inputs", to=["relu"]), "'relu' reads 'relu'"),
    "disconnected": (change("nodes", 2, "inputs", to=["input"]), "'fc' is read by no other"),
    "two nodes of a name": (change("nodes", 2, "name", to="fc"), "two nodes are called 'fc'"),
    "too many inputs": (change("nodes", 2, "inputs", to=["fc", "fc"]), "'relu' reads 2 nodes"),
    "code outside": (both(lambda a: a[:, :4]), "a code lies outside the codebook"),
    "codebook too long": (both(lambda a: np.resize(a, (1, 17))), "a codebook of 17 entries does not fit 4 bits"),
    "codebook empty": (both(lambda a: a[:, :0]), "expected .tables, entries."),
    "codebook flat": (both(np.ravel), "expected .tables, entries."),
    "exponents too few": (tensor(EXPONENTS, lambda a: a[:, :4]), "codebook exponents"),
    "exponents wide": (tensor(EXPONENTS, lambda a: a.astype(np.int64)), "codebook exponents: int64"),
    "exponent too large": (tensor(EXPONENTS, put(0, 1000)), "not exact in float64"),
    "codebook too wide": (tensor(MANTISSAS, put(0, 1 << 40)), "beyond 32 bits"),
    "codebook wider": (tensor(MANTISSAS, put(0, 1 << 53)), "not exact in float64"),
    "codebook lowest": (tensor(MANTISSAS, put(0, -(1 << 63))), "not exact in float64"),
    "codebook in other units": (tensor(MANTISSAS, lambda a: a * 2), "not in units of 1"),
    "sums too large": (tensor(MANTISSAS, lambda a: (a << 27) | 1), "beyond 32 bits"),
    "sums beyond int64": (lambda m, t: (tensor(MANTISSAS, lambda a: (a << 27) | 1)(m, t), tensor(
        "1.weight.scale", lambda a: a * 0 + (1 << 30))(m, t)), "beyond 32 bits"),
    "codes of another type": (tensor("1.weight.codes", lambda a: a.astype(np.int8)), "codes are int8"),
    "codes too short": (tensor("1.weight.codes", lambda a: a[:, :2]), "does not fit shape"),
    "codes flat": (tensor("1.weight.codes", np.ravel), "does not fit shape"),
    "padding bits": (tensor("1.weight.codes", put(2, 0xF0)), "bits that pad a row of codes are not 0"),
    "channel scale NaN": (tensor("1.weight.channel_scale", put(0, np.nan)), "not finite and positive"),
    "channel scale infinite": (tensor("1.weight.channel_scale", put(0, np.inf)), "not finite and pos"),
    "channel scale 0": (tensor("1.weight.channel_scale", put(0, 0)), "not finite and positive"),
    "channel scale double": (tensor("1.weight.channel_scale", lambda a: a.astype(np.float64)), "is float64"),
    "group scale NaN": (tensor("1.weight.scale", lambda a: a * np.float32(np.nan)), "scale is float64|not finite"),
    "group scale float": (tensor("1.weight.scale", lambda a: a.astype(np.float32)), "must be lowered"),
    "group scales too few": (tensor("1.weight.scale", lambda a: a[:, :1]), "one scale per row and group"),
    "bias too long": (tensor("1.quantizer.bias", lambda a: np.append(a, a)), "quantizer multiplier"),
    "bias wide": (tensor("1.quantizer.bias", lambda a: a.astype(np.int64)), "quantizer bias is int64"),
    "bias at the limit": (tensor("1.quantizer.bias", put(0, -(1 << 31))), "beyond 32 bits"),
    "multiplier 0": (tensor("1.quantizer.multiplier", put(0, 0)), "multiplier is below 1"),
    "shift 0": (tensor("1.quantizer.shift", put(0, 0)), "shift is not in 1..62"),
    "shift 63": (tensor("1.quantizer.shift", put(0, 63)), "shift is not in 1..62"),
    "tensor missing": (lambda m, t: t.pop("1.quantizer.bias"), "Quantizer.bias: the file has no tensor"),
    "tensor too many": (lambda m, t: t.update(x=np.zeros(1)), "tensor 'x' belongs to no node"),
    "tensor for a number": (lambda m, t: t.update({"0.low": np.zeros(1)}), "tensor '0.low' belongs to no node"),
    "offset named, not stored": (change(*WEIGHT, "offset", to=1), "QTensor.offset: the file has no tensor"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
def test_tampered_files_with_a_digest_that_fits(case, network, path):
    edit, message = TAMPERED[case]
    metadata, tensors = network_file.to_tensors(network)
    metadata = copy.deepcopy(metadata)
    edit(metadata, tensors)
    write(path, metadata, tensors)
    if message is None:
        assert hwsim.Network.load(path).input.scale == 1.0
        return
    with pytest.raises(NetworkError, match=rf"network\.safetensors.*({message})"):
        hwsim.Network.load(path)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('"output_scale": 0.1', '"output_scale": NaN', "its metadata holds NaN"),
    ('"output_scale": 0.1', '"output_scale": -Infinity', "its metadata holds -Infinity"),
    ('"output_scale": 0.1', '"output_scale": 1e999', "digest|not finite|malformed"),
    ('"name": "test"', '"name": "test", "name": "test"', "names a key twice"),
])  # fmt: skip
def test_json_that_python_would_accept(network, path, old, new, message):
    metadata, tensors = network_file.to_tensors(network)
    text = json.dumps({**metadata, "sha256": network_file.digest(metadata, tensors)})
    assert old in text
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"hwsim": text.replace(old, new)}))
    with pytest.raises(NetworkError, match=message):
        hwsim.Network.load(path)
