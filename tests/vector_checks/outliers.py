"""Formats that keep outliers apart: SqueezeLLM and OliVe."""

import re
from fractions import Fraction

import numpy as np

import hwsim
from hwsim.codebook import Codebook
from hwsim.formats import olive, squeezellm
from hwsim.qtensor import Sparse
from tests.vector_checks import close


def check_squeezellm(case):
    if "centroids" in case:
        _check_row(case)
    else:
        _check_bits(case)


def _check_row(case):
    codes, x = np.array([case["idx"]]), np.array(case["x"])
    csr = case["csr"]
    k = codes.shape[1]
    row = np.repeat(np.arange(len(csr["row_ptr"]) - 1), np.diff(csr["row_ptr"]))
    table = np.array([case["centroids"]])
    bits = int(table.shape[1] - 1).bit_length()
    dense = hwsim.QTensor(
        format="squeezellm", shape=(1, k), codes=codes.astype(np.uint8), group_size=k,
        codebook=Codebook.of(table, bits, entry_bits=16), select=np.zeros((1, 1), np.uint16), scale_kind="none",
        scale=np.ones((1, 1), np.float32), channel_scale=np.ones(1, np.float32),
    )  # fmt: skip
    buckets = squeezellm.bucket_sums(dense, x)
    close(buckets[0], case["bucket_sums"])
    terms = np.abs(dense.dequantize()[0]) @ np.abs(x)
    close(buckets[0] @ dense.codebook.values[0], case["bucket_then_multiply"], terms)
    close(dense.dequantize()[0] @ x, case["dense"], terms)
    sparse = Sparse(index=row * k + np.array(csr["col"]), value=np.array(csr["val"], np.float32), value_bits=32)
    fields = {name: getattr(dense, name) for name in dense.__dataclass_fields__}
    q = hwsim.QTensor(**fields | {"sparse": sparse})
    close(q.dequantize()[0] @ x, case["total"], np.abs(q.dequantize()[0]) @ np.abs(x))
    again = squeezellm.encode(q.dequantize(), q)
    nearest_zero = np.abs(again.codebook.values[0]).argmin()
    assert (again.codes.flat[sparse.index] == nearest_zero).all()
    kept = np.delete(np.arange(k), sparse.index)
    assert (again.codes[0, kept] == codes[0, kept]).all()
    close(again.dequantize(), q.dequantize())


def _check_bits(case):
    n, bits, sparsity = case["n"], case["b"], case["sparsity"]
    rows = (Fraction(str(sparsity)) * n).denominator
    w = np.random.default_rng(0).normal(size=(rows, n))
    dense = hwsim.quantize(w, "squeezellm", bits=bits)
    close(dense.bits_per_weight - bits, case["lut"])
    for kind, key in (("fp16", "csr"), ("fp32", "csr_fp32_int32")):
        q = hwsim.quantize(w, "squeezellm", bits=bits, outliers=sparsity, entry_kind=kind)
        table = hwsim.quantize(w, "squeezellm", bits=bits, entry_kind=kind)
        close(q.bits_per_weight - table.bits_per_weight, case[key])
        if kind == "fp16":
            close(q.bits_per_weight, case["total"])


def check_olive(case):
    name = "flint4" if "flint" in case["name"] else "int4"
    if "outlier_values" in case:
        table = olive.codebook(name).values[1]
        assert table[1:8].tolist() == case["outlier_values"]
        assert (-table[9:]).tolist() == case["outlier_values"]
        assert float(re.search(r"normal max (\d+)", case["name"])[1]) == olive.codebook(name).values[0].max()
        return
    w = np.array([case["x"]])
    grid = hwsim.quantize(w, "olive", normal=name)
    fields = {field: getattr(grid, field) for field in grid.__dataclass_fields__}
    q = olive.encode(w, hwsim.QTensor(**fields | {"scale": np.ones((1, 1), np.float32)}))
    assert q.dequantize()[0].tolist() == case["q"]
    victim = int(re.search(r"0b(\d+)", case["identifier"])[1], 2)
    assert victim == olive.VICTIM
    zero = np.array(case["q"]).reshape(-1, 2)[:, ::-1].ravel()
    outliers = np.abs(zero) > olive.NORMAL[name].max()
    assert (q.codes[0, outliers] == victim).all()
    assert not (q.codes[0, ~outliers] == victim).any()
