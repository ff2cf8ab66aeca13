"""Vectors of the binary formats: XNOR, AdaBin, BinaryMoS, tiles, signed binary, one-bit links."""

import dataclasses
import math

import numpy as np
import pytest

from hwsim import bit_dots
from hwsim.formats import binarymos, encode, find, one_bit, plum, quantize, tbn
from hwsim.formats._signs import SIGNS, TERNARY
from hwsim.packing import pack
from hwsim.qtensor import QTensor, TokenScale
from tests.vector_checks import close


def check_plum(case):
    if "n" in case:
        values = {"binary": SIGNS, "signed_binary_per_region": plum.CODEBOOK, "ternary": TERNARY}
        for key, book in values.items():
            assert case[key] == book.values.size ** case["n"]
        return
    w, x = np.array(case["W"]), np.array(case["x"])
    q = quantize(w, "plum")
    close(plum.thresholds(w), case["delta"])
    assert q.codes.tolist() == case["bitmap"]
    assert q.scale[:, 0].tolist() == case["region_sign"]
    assert q.dequantize().tolist() == case["codes"]
    assert encode(w, q).codes.tolist() == case["bitmap"]
    assert q.codes.mean() == pytest.approx(case["density"])
    close(q.scale[:, 0] * (q.codes @ x), case["y"])
    assert q.codes.sum() == case["add_ops"]
    assert (q.scale < 0).sum() == case["negations_at_end"]


def check_tbn(case):
    if "bits" in case:
        side = math.isqrt(case["N"])
        shape = (side, side) if side * side == case["N"] else (1, case["N"])
        q = quantize(np.ones(shape, np.float32), "tbn", p=case["p"])
        single = quantize(np.ones(shape, np.float32), "tbn", p=case["p"], alpha="single")
        assert q.storage_bits == case["bits"]
        assert q.bits_per_weight == pytest.approx(case["bits_per_weight"], abs=1e-12)
        assert single.storage_bits == case["N"] // case["p"] + 32
        return
    scores = np.array(case["scores"])
    if "agg" in case:
        q = quantize(scores[None], "tbn", p=case["p"])
        close(tbn.aggregate(scores, case["p"]), case["agg"])
        assert SIGNS.values[0][q.codes].tolist() == case["tile"]
        return
    p = len(case["alpha_multiple"])
    x = np.array(case["x"])
    close(tbn.aggregate(scores, p), case["aggregate"])
    for alpha in ("multiple", "single"):
        q = quantize(scores, "tbn", p=p, alpha=alpha)
        assert SIGNS.values[0][q.codes].ravel().tolist() == case["tile"]
        assert SIGNS.values[0][q.expanded_codes].tolist() == case["B"]
        close(q.scale.reshape(-1), np.reshape(case[f"alpha_{alpha}"], -1))
        close(q.dequantize() @ x, case[f"y_{alpha}"], np.abs(q.dequantize()) @ np.abs(x))
        assert "0x" + np.packbits(q.codes).tobytes().hex() == case["packed_tile_msb_first"]


def check_binarymos(case):
    if "bpw" in case:
        n, k, experts = (int(case["name"].split(f"{key}=")[-1].split()[0]) for key in ("n=m", "n=m", "e"))
        assert _zero_mos(n, k, experts).bits_per_weight == pytest.approx(case["bpw"], abs=1e-12)
        assert _zero_mos(n, k, 1, routed=False).bits_per_weight == pytest.approx(case["onebit_bpw"], abs=1e-12)
        assert case["extra_ops_per_token"].startswith("n*e (router MACs)")
        return
    b, x, router = (np.array(case[key]) for key in ("B", "x", "router"))
    experts = len(router)
    # the mixed scales are given, not the tables: equal experts mix to themselves
    token = TokenScale(
        router=router.astype(np.float32), s_in=np.tile(np.float32(case["s_in"]), (experts, 1)),
        s_out=np.tile(np.float32(case["s_out"]), (experts, 1)),
    )  # fmt: skip
    q = dataclasses.replace(quantize(b.astype(np.float64), "binarymos", experts=experts), token=token)
    assert q.dequantize().tolist() == case["B"]
    gates = binarymos.gates(token, x)
    close(gates, case["gates"])
    logits = np.array(case["logits"])
    close(np.log(gates / gates[0]), logits - logits[0])
    close(x @ router.T, logits)
    for mixed, key in zip(binarymos.mixed_scales(token, x), ("s_in", "s_out"), strict=True):
        close(mixed, case[key])
    y, s_out = binarymos.multiply(x, q), np.array(case["s_out"])
    given = 5e-7 * (np.abs(x).sum() * s_out + np.abs(y) / s_out)  # the scales are given to six decimals, too
    assert (np.abs(y - case["y"]) <= given + 1e-6).all()


def _zero_mos(n: int, k: int, experts: int, routed: bool = True) -> QTensor:
    token = TokenScale(
        router=np.zeros((experts if routed else 0, k), np.float32),
        s_in=np.zeros((experts, k), np.float32), s_out=np.zeros((experts, n), np.float32),
    )  # fmt: skip
    return QTensor(
        format="binarymos", shape=(n, k), codes=np.zeros((n, k), np.uint8), codebook=SIGNS, group_size=k,
        scale=np.ones((1, 1), np.float32), scale_kind="none", channel_scale=np.ones(n, np.float32), token=token,
    )  # fmt: skip


def check_xnor(case):
    a, w = (np.array(case[key]) for key in ("a", "w"))
    bits = quantize(w[None].astype(np.float64), "binary").codes[0]
    if "popcount_xnor" in case:
        x = (a > 0).astype(np.uint8)
        for codes, key in ((x, "a_packed_lsb_first"), (bits, "w_packed")):
            assert int.from_bytes(pack(codes[None], 1).tobytes(), "little") == int(case[key], 16)
        assert bit_dots.xnor_count(x, bits) == case["popcount_xnor"]
        got = bit_dots.xnor_dot(x, bits)
    else:
        got = bit_dots.and_dot(a, bits)
    assert got == case["dot"] == case["check"] == a @ w


def check_adabin(case):
    grids = [(case[f"alpha_{side}"], case[f"beta_{side}"]) for side in "aw"]
    arguments = (case["xnor_dot"], case["sum_a"], case["sum_w"], *grids)
    constant = grids[0][1] * grids[1][1]
    n = round((case["y"] - bit_dots.adabin_dot(0, *arguments)) / constant) if constant else 0
    close(bit_dots.adabin_dot(n, *arguments), case["y"])
    close(case["y"], case["check"])
    if constant:  # n is not given: it must fit the dot product and the sums
        for number in (case["xnor_dot"], case["sum_a"], case["sum_w"]):
            assert abs(number) <= n
            assert (number - n) % 2 == 0


def check_lim(case):
    links, nonzero = case["links"], case["nonzero"]
    for key, count in (
        ("raw_signs_only", one_bit.signs_only),
        ("bitmap_plus_signs", one_bit.with_mask),
        ("entropy_floor", one_bit.entropy_floor),
    ):
        assert count(links, nonzero) == pytest.approx(case[key], abs=1e-12)
    (key,) = (key for key in case if key.startswith("coo"))
    widths = {math.ceil(math.log2(links)), int(key.removeprefix("coo"))}
    counted = [one_bit.coordinates(links, nonzero, width) for width in widths]
    assert any(count == pytest.approx(case[key], abs=1e-12) for count in counted)
    w = np.zeros((1, links))
    w[0, :nonzero] = -1
    q = quantize(w, "one_bit")
    assert (q.storage_bits - 32) / links == pytest.approx(case["bitmap_plus_signs"], abs=1e-12)


def check_binarydm_lmb(case):
    w = np.array(case["w"])
    q = quantize(w[None], "bcq", bits=2, group_size=None, rounds=0)
    close(q.plane_weights[:, 0, 0], [case["s1"], case["s2"]])
    for i in range(2):
        assert (2 * (q.codes[0].astype(int) >> i & 1) - 1).tolist() == case[f"b{i + 1}"]
    close(q.dequantize()[0], case["w_hat"], np.abs(q.plane_weights).sum())
    assert find("bcq").greedy
