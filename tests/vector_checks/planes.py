"""Vectors of ternary, complex and bit-plane formats: BitNet, FDB, iFairy, BitStack, BCQ, ABQ."""

import dataclasses
import re

import numpy as np
import pytest

from hwsim import bit_dots
from hwsim.decoding import planes
from hwsim.formats import bcq_uniform, bitnet158, encode, ifairy, quantize
from hwsim.formats._signs import TERNARY, ternary_codes
from hwsim.packing import pack_trits, unpack_trits
from hwsim.qtensor import Envelope, QTensor
from tests.vector_checks import close, section


def check_bitnet158(case):
    if "byte" in case:
        codes = ternary_codes(np.array(case["codes"]))
        packed = pack_trits(codes)
        assert packed.tolist() == [case["byte"]]
        assert TERNARY.values[0][unpack_trits(packed, codes.size)].tolist() == case["codes"]
        assert 8 * packed.size / codes.size == case["bpw"]
    elif "x" in case:
        _check_bitnet_dot(case)
    else:
        w = np.array(case["w"])
        close(quantize(w[None], "bitnet158").scale, case["absmean"])
        close(quantize(w[None], "bitnet158", measure="median").scale, case["absmedian_lower"])
        close(bitnet158.lower_median(np.abs(w)), case["absmedian_lower"])
        close(np.median(np.abs(w)), case["absmedian_mid"])
        for measure in ("mean", "median"):
            q = quantize(w[None], "bitnet158", measure=measure)
            assert q.integers[0].tolist() == case[f"codes_abs{measure}"]


def _check_bitnet_dot(case):
    x, w = np.array(case["x"]), np.array(case["w_codes"])
    codes, scale = bitnet158.quantize_activations(x)
    package, _ = bitnet158.quantize_activations(x, 128)
    assert codes.tolist() == case["codes_127"]
    assert package.tolist() == case["codes_128_bitlinear_pkg"]
    close(scale[0] * 127, case["absmax"])
    acc = int(codes.astype(int) @ w)
    assert acc == case["acc"]
    counts = [int((w == sign).sum()) for sign in (1, -1, 0)]
    assert counts == [case["adds"], case["subs"], case["skips"]]
    for other in section("bitnet158"):  # the weights' scale is that of the case they come from
        for measure in ("mean", "median"):
            if other.get(f"codes_abs{measure}") == case["w_codes"]:
                gamma = quantize(np.array(other["w"])[None], "bitnet158", measure=measure).scale[0, 0]
                close(acc * scale[0] * gamma, case["y"])
                return


def check_dbllm_fdb(case):
    w = np.array(case["w"])[None]
    q = quantize(w, "fdb", group_size=None)
    if "x" not in case:
        step = _step(case["name"])
        units = encode(w / step, dataclasses.replace(q, plane_weights=_fdb_weights(1)))  # where a tie is one
        for i, key in enumerate(("b1", "b2")):
            assert (units.codes[0] >> i & 1).tolist() == case[key]
        q = dataclasses.replace(units, plane_weights=_fdb_weights(step))
        close(q.dequantize()[0], case["w_hat"])
        clear = np.abs(w / step - np.rint(w / step - 0.5) - 0.5) > 1e-6
        assert (encode(w, q).codes == q.codes)[clear].all()
        return
    steps = [_step(other["name"]) for other in section("dbllm_fdb") if "w_hat" in other]
    q = encode(w, dataclasses.replace(q, plane_weights=_fdb_weights(steps[0])))
    bits, weights, constant = planes(q)
    assert bits[:, 0].tolist() == [case["plane1"], case["plane2"]]
    x = np.array(case["x"])
    dots = [bit @ x for bit in bits[:, 0]]
    close(weights[:, 0, 0] @ dots + constant * x.sum(), case["y"], np.abs(weights[:, 0, 0] * dots).sum())
    assert bits.sum() == case["nonzeros"]


def _step(name: str) -> float:
    found = re.search(r"\bs ?= ?([0-9.e-]+[0-9])", name)
    assert found
    return float(found[1])


def _fdb_weights(step: float) -> np.ndarray:
    return np.array([2 * step, -step], np.float32).reshape(2, 1, 1)


def check_ifairy(case):
    if "w" in case:
        q = _fairy(case)
        assert q.codes[0].tolist() == case["codes"]
        close([q.scale[0, 0], q.imaginary_scale[0, 0]], [case["scale_real_axis"], case["scale_imag_axis"]])
        for degrees, code in ((45, 1), (-45, 0), (135, 2), (-135, 3)):
            corner = complex(np.sign(np.cos(np.radians(degrees))), np.sign(degrees))
            assert ifairy.phase_codes(np.array([corner]))[0] == code
        return
    x = np.array(case["x_re"]) + 1j * np.array(case["x_im"])
    (q,) = (q for q in map(_fairy, section("ifairy")) if q is not None and q.codes[0].tolist() == case["codes"])
    first, second = ifairy.multiply(x, q)
    assert [first[0].real, first[0].imag] == case["acc_real_axis"]
    assert [second[0].real, second[0].imag] == case["acc_imag_axis"]
    y = q.scale[0, 0] * first[0] + q.imaginary_scale[0, 0] * second[0]
    plain = q.dequantize()[0] @ x
    terms = np.abs(q.dequantize()[0]) @ (np.abs(x.real) + np.abs(x.imag))
    close([y.real, y.imag], case["y"], terms)
    close([plain.real, plain.imag], case["y_plain_product"], terms)


def _fairy(case) -> QTensor | None:
    """The weights of a case that has any, quantized."""
    if "w" not in case:
        return None
    w = np.array(case["w"])
    return quantize((w[:, 0] + 1j * w[:, 1])[None], "ifairy")


def check_bitstack(case):
    if "bpw" in case:
        n, k, rank = case["m"], case["n"], case["k"]
        envelope = Envelope(u=np.zeros((1, n, rank), np.float32), v=np.zeros((1, rank, k), np.float32))
        small = quantize(np.ones((1, 1)), "bitstack", iterations=1)
        q = QTensor(
            format="bitstack", shape=(n, k), codes=np.zeros((n, k), np.uint8), codebook=small.codebook, group_size=k,
            scale=small.scale, scale_kind="none", channel_scale=np.ones(n, np.float32), envelope=envelope,
        )  # fmt: skip
        assert q.bits_per_weight == pytest.approx(case["bpw"], abs=1e-12)
        return
    w = residual = np.array(case["W"])
    for i, step in enumerate(case["steps"]):
        q = quantize(w, "bitstack", iterations=i + 1, rank=1, envelope_kind="fp32")
        rounding = np.abs(w).max() * 2.0**-22 * (i > 0)  # what is left of nothing has no sign
        wrong = (2 * (q.codes.astype(int) >> i & 1) - 1) != step["sign"]
        assert not (wrong & (np.abs(residual) >= rounding)).any()
        residual = w - q.dequantize()
        u, v = q.envelope.u[i, :, 0], q.envelope.v[i, 0]
        terms = (i + 1) * np.linalg.norm(w) / np.linalg.norm(u)  # the former steps' rounding, in both
        close(u, step["u"], terms)
        close(v, step["v"], terms)
        close(np.linalg.norm(residual), step["residual_fro"], np.linalg.norm(w))


def check_lutgemm(case):
    if "bpw" in case:
        g, bits = case["g"], case["q"]
        w = np.random.default_rng(0).normal(size=(1, g))
        for name, key in (("bcq", "bpw"), ("bcq_uniform", "bpw_bias")):
            q = quantize(w, name, bits=bits, group_size=g, scale_kind="fp16")
            assert q.bits_per_weight == pytest.approx(case[key], abs=1e-12)
    elif "codes" in case:
        _check_lut(case)
    else:
        w = np.array(case["w"])
        q = quantize(w[None], "bcq", bits=len(case["B"]), group_size=None, rounds=0)
        assert planes(q)[0][:, 0].tolist() == case["B"]
        close(q.plane_weights[:, 0, 0], case["alpha"])
        close(q.dequantize()[0], case["w_hat"], np.abs(q.plane_weights).sum())


def _check_lut(case):
    alpha, codes, x = (np.array(case[key]) for key in ("alpha", "codes", "x"))
    bits, scale = len(alpha), 2 * alpha[0]
    zero = ((1 << bits) - 1) / 2 - case["offset_z"] / scale
    assert abs(zero - round(zero)) < 1e-4
    q = bcq_uniform.from_affine(
        codes[None], np.full((1, 1), scale), np.full((1, 1), round(zero)), bits, group_size=len(codes)
    )
    close(q.plane_weights[:, 0, 0], alpha)
    close(q.offset[0, 0], case["offset_z"])
    close(q.dequantize()[0], scale * (codes - round(zero)))
    signs = planes(q)[0][:, 0]
    assert signs.tolist() == case["planes"]
    mu = int(re.search(r"mu=(\d+)", case["name"])[1])
    tables = bit_dots.sum_tables(x, mu)
    keys = bit_dots.table_keys(signs > 0, mu)
    assert tables.tolist() == [case[f"lut{i}"] for i in range(len(tables))]
    assert keys.tolist() == case["keys"]
    read = tables[np.arange(len(tables)), keys]
    offset = case["offset_z"] * x.sum()
    given = 5e-7 * (np.abs(read.sum(axis=1)).sum() + abs(x.sum()))  # alpha and offset to six decimals
    assert abs(read.sum(axis=1) @ alpha + offset - case["y"]) <= given + 1e-6
    close(q.dequantize()[0] @ x, case["check"], np.abs(q.dequantize()[0]) @ np.abs(x))
    chunks = keys.shape[1]
    assert keys.size == case["lut_reads"]
    assert bits * (chunks - 1) + (bits - 1) + 1 == case["adds"]


def check_abq(case):
    if "a" in case:
        w, a = np.array(case["w"]), np.array(case["a"])
        grids = {}
        for key, values in (("w", w), ("a", a)):
            weights = case[f"plane_weights_{key}"]
            grids[key] = bit_dots.bit_planes(values, len(weights), signed=weights[-1] < 0)
            assert grids[key][1].tolist() == weights
        got = [bit_dots.plane_dot(*grids["a"], grids["w"][0][:, row], grids["w"][1]) for row in range(len(w))]
        assert got == case["y"] == case["check"] == (w @ a).tolist()
        return
    w = np.array(case["w"])
    bits = int(re.search(r"(\d)-bit", case["name"])[1])
    q = quantize(w[None], "abq", bits=bits, balanced=True)
    close(q.scale, case["scale"])
    close(-q.offset / q.scale, case["zp"])
    assert q.integers[0].tolist() == case["codes"]
    close(q.dequantize()[0], case["deq"], q.scale.item() * (q.codebook.values.max() + abs(case["zp"])))
    assert planes(q)[1][:, 0, 0].tolist() == [1, 1, 2][: bits + 1]
    assert f"{np.log2(np.unique(q.codebook.values).size):.4f}" in case["storage"]
