"""Tensor files: every field of every format comes back, everything else is refused."""

import json

import numpy as np
import pytest
import safetensors.numpy

import hwsim
from hwsim import formats, qtensor_file, tensor_file
from hwsim.errors import FormatError, HwsimError, NetworkError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tensor.safetensors"


def same(a, b):
    assert a.hash == b.hash
    first, second = qtensor_file.to_tensors(a), qtensor_file.to_tensors(b)
    assert first[0] == second[0]
    assert {k: (v.dtype, v.tolist()) for k, v in first[1].items()} == {
        k: (v.dtype, v.tolist()) for k, v in second[1].items()
    }


@pytest.mark.parametrize("name", formats.available())
def test_every_format_comes_back(name, path):
    chosen = formats.find(name)
    w = np.random.default_rng(0).standard_t(4, size=(8, 256))
    q = hwsim.quantize(w + 1j * w[::-1] if chosen.complex else w, name, **chosen.typical)
    q.save(path)
    same(hwsim.QTensor.load(path), q)
    before = path.read_bytes()
    hwsim.QTensor.load(path).save(path)
    assert path.read_bytes() == before


def test_lowered_moved_and_zero_point_tensors_come_back(path):
    q = hwsim.quantize(np.random.default_rng(0).normal(size=(3, 2, 9)), "int3", symmetric=False)
    for each in (q, hwsim.lower(q), hwsim.transport(q, "rans")):
        each.save(str(path))
        same(hwsim.QTensor.load(str(path)), each)


def write(path, metadata, tensors):
    text = json.dumps({**metadata, "sha256": tensor_file.digest(metadata, tensors)})
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"hwsim": text}))


LIES = {
    "version": (lambda m, t: m.update(version=1), "format version 1"),
    "key": (lambda m, t: m.update(name="x"), "tensor has unknown attribute 'name'"),
    "no tensor": (lambda m, t: m.pop("qtensor"), "malformed metadata"),
    "field": (lambda m, t: m["qtensor"].update(bits=4), "QTensor has unknown attribute 'bits'"),
    "format": (lambda m, t: m["qtensor"].update(format=4), "expected str, got 4"),
    "shape": (lambda m, t: m["qtensor"].update(shape=[4, 63]), "does not fit|codes are"),
    "bits": (lambda m, t: m["qtensor"]["codebook"].update(bits=2), "does not fit"),
    "flag": (lambda m, t: m["qtensor"].update(pairs=0), "expected bool, got 0"),
    "mode": (lambda m, t: m["qtensor"]["sparse"].update(mode="replace"), "expected one of 'add', 'override'"),
    "index": (lambda m, t: t.update({"sparse.index": t["sparse.index"][::-1].copy()}), "not ascending"),
    "outside": (lambda m, t: t.update({"sparse.index": t["sparse.index"] + 1000}), "not ascending"),
    "value": (lambda m, t: t["sparse.value"].fill(np.nan), "value not finite"),
    "no index": (lambda m, t: t.pop("sparse.index"), "has no tensor 'sparse.index'"),
    "sparse gone": (lambda m, t: m["qtensor"].update(sparse=None), "array 'sparse.index' belongs to no field"),
    "scale": (lambda m, t: t["scale"].fill(np.inf), "scale is not finite"),
    "table": (lambda m, t: t["select"].fill(9), "select names no table"),
    "extra": (lambda m, t: t.update(zero=np.zeros(1)), "array 'zero' belongs to no field"),
}


@pytest.mark.parametrize("case", LIES)
def test_files_that_lie_are_refused(case, path):
    edit, message = LIES[case]
    q = hwsim.quantize(np.random.default_rng(0).normal(size=(4, 64)), "squeezellm", outliers=0.05)
    metadata, tensors = qtensor_file.to_tensors(q)
    metadata, tensors = json.loads(json.dumps(metadata)), {k: v.copy() for k, v in tensors.items()}
    edit(metadata, tensors)
    write(path, metadata, tensors)
    with pytest.raises(FormatError, match=rf"tensor\.safetensors.*({message})"):
        hwsim.QTensor.load(path)


def test_damaged_and_missing_files(path):
    with pytest.raises(FormatError, match="no tensor file"):
        hwsim.QTensor.load(path)
    hwsim.quantize(np.ones((2, 8)), "int4").save(path)
    data = bytearray(path.read_bytes())
    for position in (len(data) - 1, len(data) // 2, 3):
        changed = data.copy()
        changed[position] ^= 1
        path.write_bytes(bytes(changed))
        with pytest.raises(HwsimError, match=r"tensor\.safetensors"):
            hwsim.QTensor.load(path)


def test_a_tensor_is_no_network(path):
    hwsim.quantize(np.ones((2, 8)), "int4").save(path)
    with pytest.raises(NetworkError, match="network has unknown attribute 'qtensor'"):
        hwsim.Network.load(path)


def test_values_beyond_float32_are_refused_when_decoded(path):
    q = hwsim.quantize(np.ones((2, 8)), "int8")
    metadata, tensors = qtensor_file.to_tensors(q)
    write(path, metadata, tensors | {"channel_scale": np.full(2, 3e38, np.float32), "scale": tensors["scale"] * 0 + 9})
    with pytest.raises(FormatError, match="beyond float32"):
        hwsim.QTensor.load(path).dequantize()
