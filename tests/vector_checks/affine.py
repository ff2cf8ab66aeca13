"""Formats of whole numbers: affine, decoupleQ, Double Rounding, 2/4/16 bits."""

import re
from fractions import Fraction

import numpy as np

import hwsim
from hwsim import affine
from hwsim.formats import double_rounding, integer, range_aware
from tests.vector_checks import close


def check_affine(case):
    if "zx" in case:
        _check_folded_dot(case)
        return
    low, high = (float(part) for part in re.search(r"\[(.*?),(.*?)\]", case["name"]).groups())
    bits = int(re.search(r"uint(\d+)", case["name"]).group(1))
    scale, zero = affine.parameters(np.array(low), np.array(high), bits)
    close(scale, case["scale"])
    assert zero == case["zp"]
    values = np.array([float(text) for text in case["codes"]])
    assert affine.codes(values, scale, zero, bits).tolist() == list(case["codes"].values())
    q = hwsim.quantize(np.array([[low, high]]), f"int{bits}", symmetric=False)
    close(q.scale, case["scale"])
    assert q.zero_point.item() == case["zp"]
    inside = np.clip(values, min(low, 0), max(high, 0))[None]
    codes = integer.encode(np.pad(inside, ((0, 0), (0, 1))), _stretched(q, inside.size + 1)).codes[0, :-1]
    assert (np.abs((codes.astype(int) - case["zp"]) * case["scale"] - inside[0]) <= case["scale"] * (0.5 + 1e-5)).all()


def _stretched(q, k):
    """The grid of ``q`` for rows of ``k`` weights."""
    fields = {name: getattr(q, name) for name in q.__dataclass_fields__}
    return hwsim.QTensor(**fields | {"shape": (1, k), "codes": np.zeros((1, k), np.uint8), "group_size": k})


def _check_folded_dot(case):
    x, w = np.array(case["x"]), np.array(case["w"])
    got = affine.folded_dot(x, case["zx"], w, case["zw"])
    assert got == case["acc"] == case["check"]
    assert (x @ w, x.sum(), w.sum()) == (case["raw_sum_qq"], case["sum_x"], case["sum_w"])
    grid = hwsim.quantize(np.array([[-1.0, 1.0]]), "int8", symmetric=False)
    fields = {name: getattr(grid, name) for name in grid.__dataclass_fields__} | {
        "shape": (1, len(w)), "group_size": len(w), "codes": w[None].astype(np.uint8),
        "zero_point": np.array([[case["zw"]]], np.uint16), "scale": np.ones((1, 1), np.float32)}  # fmt: skip
    low = hwsim.lower(hwsim.QTensor(**fields))
    assert (low.lowering_error, low.scale.item(), low.offset.item()) == (0, 1, -case["zw"])
    shifted = x - case["zx"]
    assert low.integers[0].astype(np.int64) @ shifted + low.offset.item() * shifted.sum() == case["acc"]


def check_decoupleq(case):
    codes, dot = np.array(case["codes"]), case["dot"]
    lowest, highest = (int(part) for part in re.search(r"\[(-?\d+)\.\.(-?\d+)\]", case["name"]).groups())
    bits = int(highest - lowest).bit_length()
    assert (lowest, highest) == (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)

    def tensor(q):
        return hwsim.QTensor(
            format="decoupleq", shape=(1, len(q)), codes=(q & ((1 << bits) - 1)).astype(np.uint8)[None],
            codebook=integer.codebook(bits), group_size=len(q), scale=np.full((1, 1), case["s"], np.float32),
            offset=np.full((1, 1), case["z"], np.float32), channel_scale=np.ones(1, np.float32),
        )  # fmt: skip

    q = tensor(codes)
    close(q.dequantize()[0], case["deq"])
    assert (hwsim.formats.encode(np.array([case["deq"]]), q).codes == q.codes).all()
    x, row = np.array(dot["x"]), tensor(np.array(dot["q"]))
    assert (row.integers[0].astype(int) @ x, x.sum()) == (dot["acc"], dot["sum_x"])
    terms = np.abs(row.scale * dot["acc"]) + np.abs(row.offset * dot["sum_x"])
    close(row.scale.astype(float) * dot["acc"] + row.offset.astype(float) * dot["sum_x"], dot["y"], terms)
    close(x @ row.dequantize()[0].astype(float), dot["y"], np.abs(x) @ (np.abs(row.dequantize()[0]) + abs(case["z"])))
    (group,) = (int(key.removeprefix("bpw_g")) for key in case if key.startswith("bpw_g"))
    w = np.random.default_rng(0).normal(size=(4, 4 * group))
    stored = hwsim.quantize(w, "decoupleq", bits=bits, group_size=group, scale_kind="fp16")
    assert stored.bits_per_weight == case[f"bpw_g{group}"]


def check_double_rounding(case):
    if "q8" in case:
        stored = np.array(case["q8"])
        for key, codes in case.items():
            if match := re.fullmatch(r"(round|trunc)(\d)", key):
                got = double_rounding.nested_codes(stored, int(match[2]), truncate=match[1] == "trunc")
                assert got.tolist() == codes
        return
    scale = float(re.search(r"scale ([\d.]*\d)", case["name"])[1])
    for row in case["rows"]:
        stored = double_rounding.stored_codes(np.array([[row["w"]]]), np.array([[scale]]), 1)[0]
        whole = hwsim.QTensor(
            format="double_rounding", shape=(1, 1), codes=stored[None].astype(np.int8).view(np.uint8),
            codebook=integer.codebook(8), group_size=1, scale=np.full((1, 1), scale, np.float32),
            channel_scale=np.ones(1, np.float32),
        )  # fmt: skip
        for bits, code in row["codes"].items():
            assert double_rounding.nested_codes(stored, int(bits)) == code
            view = double_rounding.view(whole, int(bits))
            assert view.integers.item() == code
            close(view.dequantize(), row["deq"][bits])


def check_llm2bit(case):
    example = case["example"]
    average = range_aware.average_bits(
        example["p4"], example["g"], example["scale_bits"], example["zero_bits"], example["outlier"],
        example["sparse_bits_each"],
    )  # fmt: skip
    close(average, case["avg"])
    if (example["scale_bits"], example["zero_bits"], example["sparse_bits_each"]) != (4, 0, 32):
        return  # not the widths that the tensor stores
    k = 64 * example["g"]
    whole = (Fraction(str(example["outlier"])) * k).denominator * (Fraction(str(example["p4"])) * 64).denominator
    q = hwsim.quantize(
        np.random.default_rng(0).normal(size=(whole, k)), "range_aware", group_size=example["g"], wide=example["p4"],
        outliers=example["outlier"],
    )  # fmt: skip
    flags, pointers, units = q.select.size, 32 * q.n * (q.sparse is not None), 16 * q.n
    close((q.storage_bits - flags - pointers - units) / (q.n * q.k), case["avg"])
