"""Minifloats, microscaling, powers of two, LUQ, BitMoD and ANT."""

import re
from typing import Any

import numpy as np

import hwsim
from hwsim.formats import _thresholds, ant, bitmod, luq, shift
from hwsim.minifloat import E2M1, E2M3, E3M2, E4M3, E5M2, FP16, Minifloat
from tests.vector_checks import close

Case = dict[str, Any]
KINDS: dict[str, Minifloat] = {"E4M3FN": E4M3, "E5M2": E5M2, "E3M2": E3M2, "E2M3": E2M3, "E2M1": E2M1}
MX = {
    "E4M3FN": "mxfp8_e4m3", "E5M2": "mxfp8_e5m2", "E3M2": "mxfp6_e3m2", "E2M3": "mxfp6_e2m3", "E2M1": "mxfp4",
    "INT8": "mxint8",
}  # fmt: skip
FAMILIES = {
    "MXFP4": "mxfp4", "MXFP6": "mxfp6_e3m2", "MXFP8": "mxfp8_e4m3", "MXINT8": "mxint8", "NVFP4": "nvfp4",
}  # fmt: skip
WEIGHTS = np.random.default_rng(0).normal(size=(64, 4096)).astype(np.float32)


def _hex(codes: list[str]) -> list[int]:
    return [int(code, 16) for code in codes]


def check_minifloat(case: Case) -> None:
    kind = KINDS[case["name"]]
    positive = kind.values[: 1 << (kind.bits - 1)]
    if "positive_table" in case:
        assert positive.tolist() == case["positive_table"]
    if "first9" in case:
        assert positive[: len(case["first9"])].tolist() == case["first9"]
    if "max" in case:
        assert kind.max == case["max"]
    if "max_code" in case:
        assert kind.max_code == int(case["max_code"], 16)
    if "nan_codes" in case:
        assert np.flatnonzero(np.isnan(kind.values)).tolist() == _hex(case["nan_codes"])
    if "inf_codes" in case:
        assert np.flatnonzero(np.isinf(kind.values)).tolist() == _hex(case["inf_codes"])


def check_minifloat_encode(case: Case) -> None:
    kind, x = KINDS[case["name"]], np.array(case["x"])
    saturated = kind.encode(x)
    assert saturated.tolist() == _hex(case["rne_sat"])
    assert kind.decode(saturated).tolist() == case["rne_sat_val"]
    assert kind.encode(x, saturate=False).tolist() == _hex(case["rne_nosat"])
    assert kind.decode(kind.encode(x, ties="away")).tolist() == case["half_away_sat_val"]


def check_mx(case: Case) -> None:
    if "x" not in case:
        for family, bits in case.items():
            if family in FAMILIES:
                q = hwsim.quantize(WEIGHTS, FAMILIES[family])
                tensor_scale = 32 / WEIGHTS.size if family == "NVFP4" else 0
                assert q.bits_per_weight == bits + tensor_scale
        return
    w = np.array([case["x"]])
    q = hwsim.quantize(w, MX[case["name"].removeprefix("MX-")], pad=True)
    assert np.log2(q.scale).tolist() == [[case["scale_code"] - 127]]
    assert q.scale.tolist() == [[case["scale"]]]
    values = q.codebook.values[0]
    expected = np.array(_hex(case["codes"]))
    assert np.where(values[expected] == 0, 0, expected).tolist() == q.codes[0].tolist()  # we keep no -0
    assert q.dequantize()[0].tolist() == case["deq"]


def check_denseshift(case: Case) -> None:
    bits = int(found[1]) if (found := re.match(r"(\d)-bit", case["name"])) else 0
    if "table" in case:
        assert shift.dense_shift(bits).values[0].tolist() == case["table"]
    elif "codes" in case:
        table = shift.dense_shift(bits)
        assert table.values[0][case["codes"]].tolist() == case["weights"]
        terms = [table.terms()[0][code] for code in case["codes"]]
        assert all(len(each) == 1 for each in terms)
        assert sum(sign * (a << e) for a, [(sign, e)] in zip(case["a"], terms, strict=True)) == case["y"]
    else:
        exponent = int(case["name"].split("2^")[1].split()[0])
        code = int(FP16.encode(np.array(case["a"])))
        assert code == int(case["bits"], 16)
        product = code + (exponent << FP16.mantissa_bits)
        assert product == int(case["result"], 16)
        assert FP16.values[product] == case["val"] == case["a"] * 2.0**exponent


def check_lognet(case: Case) -> None:
    bits, fsr = (int(found) for found in re.findall(r"(?:b|FSR)=(-?\d+)", case["name"]))
    q = hwsim.quantize(np.array([case["x"]]), "lognet", bits=bits, fsr=fsr)
    decoded = q.dequantize()[0]
    assert decoded.tolist() == case["deq"]
    assert [int(np.log2(abs(v))) if v else None for v in decoded] == case["exp"]


def check_pot(case: Case) -> None:
    grid = np.exp2(np.arange(-60.0, 60.0))
    index = np.searchsorted(_thresholds.logarithmic(grid), np.abs(case["x"]))
    assert np.log2(grid[index]).tolist() == case["exp"]
    top = max(case["exp"])
    w = np.array([[*case["x"], 2.0**top]])
    if np.abs(w).max() * _thresholds.ROOT_HALF < 2.0**top:
        q = hwsim.quantize(w / w.max(), "pot", bits=5)
        like = hwsim.quantize(np.full(w.shape, 2.0**top), "pot", bits=5)
        assert np.log2(np.abs(hwsim.formats.encode(w, like).dequantize()[0, :-1])).tolist() == case["exp"]
        assert q.codebook.terms()


def check_luq(case: Case) -> None:
    if "levels" in case:
        divisor = int(re.search(r"max/(\d+)", case["name"])[1])  # type: ignore[index]
        most = max(case["levels"])
        for name in ("luq", "luq_rdnp"):
            q = hwsim.quantize(np.array([case["levels"]]), name, divisor=divisor)
            assert q.scale.tolist() == [[case["alpha"]]] == [[most / divisor]]
            levels = np.unique(q.codebook.values) * q.scale[0, 0]
            close(levels[levels > 0], case["levels"])
            close(q.dequantize()[0], case["levels"])
    else:
        x = np.array(case["x"])[:, None]
        tops = np.exp2(np.frexp(x)[1] + 2.0)  # each value amid a grid of its own
        likes = [hwsim.quantize(top[None], "luq_rdnp", divisor=16) for top in tops]
        got = [luq.encode_rdnp(value[None], like).dequantize().item() for value, like in zip(x, likes, strict=True)]
        assert got == case["q"]


def check_bitmod(case: Case) -> None:
    if "candidates" in case:
        _check_bitmod_choice(case)
    elif "terms" in case:
        known = {
            value: terms
            for book in (bitmod.FP3, bitmod.FP4)
            for values, lists in zip(book.values.tolist(), book.terms(), strict=True)
            for value, terms in zip(values, lists, strict=True)
        }
        assert max(map(len, known.values())) <= 2
        for text, terms in case["terms"].items():
            assert float(text) in known
            assert sum((-1) ** sign * 2.0**e for sign, e in terms) == float(text)
            assert len(known[float(text)]) <= max(len(terms), 0)
    else:
        for key, bits in case.items():
            if key != "name":
                q = hwsim.quantize(WEIGHTS, f"bitmod_{key}", scale_kind="int8")
                assert q.bits_per_weight == bits + 16 / q.k  # and the channel's scale


def _check_bitmod_choice(case: Case) -> None:
    name, table = ("bitmod_fp4", bitmod.FP4) if "FP4" in case["name"] else ("bitmod_fp3", bitmod.FP3)
    w = np.array([case["w"]])
    scales, errors = bitmod.candidates(w, w.size, table)
    for i, key in enumerate(bitmod.CANDIDATES):
        expected = case["candidates"][key]
        select = np.full((1, 1), i, np.uint16)
        codes = _thresholds.codes(w, scales[i], w.size, table.values, _thresholds.lower, select)
        got, wanted = (w[0] / scales[i].item() - q for q in (table.values[i][codes][0], np.array(expected["q"])))
        inexact_tie = np.abs(np.abs(got) - np.abs(wanted)) <= 1e-12
        assert ((got == wanted) | inexact_tie).all()
        close(scales[i, 0, 0], expected["scale"])
        close(errors[i, 0, 0], expected["mse"])
    q = hwsim.quantize(w, name, group_size=w.size)
    assert q.select is not None
    assert bitmod.CANDIDATES[q.select[0, 0]] == case["pick"]
    picked = case["candidates"][case["pick"]]
    distance = np.abs(w[0] - np.array(picked["q"]) * q.scale[0])
    close(np.abs(w[0] - q.dequantize()[0]), distance, np.abs(w[0]))  # the stored scale may turn a tie


def check_ant(case: Case) -> None:
    if "grid" in case:
        bits = int(re.search(r"\((\d) value bits\)", case["name"])[1])  # type: ignore[index]
        assert np.sort(ant.flint(bits)).tolist() == case["grid"]
        return
    alpha = float(re.search(r"alpha=(\d+)", case["name"])[1])  # type: ignore[index]
    q = hwsim.quantize(np.array([case["x"]]), "ant_flint4", alpha=alpha)
    assert q.dequantize()[0].tolist() == case["q"]
    for text, expected in case["tie_example"].items():
        assert hwsim.quantize(np.array([[float(text)]]), "ant_flint4", alpha=alpha).dequantize()[0, 0] == expected
