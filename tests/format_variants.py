"""Every number format with the parameters that the laws are tested at, and weights of many kinds."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwsim
from hwsim.errors import FormatError
from hwsim.formats import find

SMALL = {"group_size": 3, "pad": True}
VARIANTS: dict[str, list[dict]] = {
    "int2": [{}, SMALL],
    "int3": [{"scale_kind": "fp16"}, {"symmetric": False}],
    "int4": [{"group_size": 5}, {"symmetric": False}, {"per": "tensor"}],
    "int5": [{"group_size": 7, "pad": True}],
    "int6": [{}, {"symmetric": False, "per": "tensor", "scale_kind": "fp16"}],
    "int7": [{}],
    "int8": [{"per": "tensor"}, {"symmetric": False, "group_size": 5}, {"symmetric": False, **SMALL}],
    "binary": [{}, {"scale_kind": "fp16"}, {"scale": "one"}],
    "adabin": [{}, {"scale_kind": "fp16"}],
    "binarymos": [{"experts": 2}, {"experts": 1}],
    "tbn": [{"p": 2}, {"p": 4, "alpha": "single", "scale_kind": "fp16"}, {"p": 4, "min_size": 21}],
    "plum": [{}, {"delta": 0.5}],
    "bitnet158": [{}, {"measure": "median", "transport": "trits", "scale_kind": "fp16"}],
    "fdb": [{"group_size": None}, SMALL | {"scale_kind": "fp16"}],
    "ifairy": [{}, {"scale_kind": "fp16"}],
    "bcq": [
        {"bits": 1, "group_size": 2}, {"bits": 2, "group_size": 4, "rounds": 0}, {"bits": 3, "group_size": None},
        {"bits": 4, **SMALL, "scale_kind": "fp16"},
    ],
    "bcq_uniform": [*({"bits": bits, "group_size": 2} for bits in (1, 2, 3)),
                    {"bits": 4, **SMALL, "scale_kind": "fp16"}],
    "bitstack": [{"iterations": 1}, {"iterations": 9, "rank": 2}],
    "abq": [
        {"bits": 4}, {"bits": 8, **SMALL}, {"bits": 1, "balanced": True, "group_size": 2},
        {"bits": 2, "balanced": True, **SMALL, "scale_kind": "fp16"},
    ],
    "denseshift": [{"bits": 2}, {"bits": 3}, {"bits": 4}, {"per": "channel", "scale_kind": "fp16"}],
    "pot": [{"bits": 2}, {"bits": 3}, {"bits": 4}, {"bits": 5}, {"group_size": 5}],
    "lognet": [{"bits": 1}, {"bits": 3}, {"bits": 4}, {"fsr": 3}],
    "bitmod_fp3": [SMALL | {"scale_kind": kind} for kind in ("fp32", "fp16", "int8")],
    "bitmod_fp4": [SMALL | {"scale_kind": kind} for kind in ("fp32", "fp16", "int8")],
    "ant_flint4": [{}, {"group_size": 5, "scale_kind": "fp16"}, {"alpha": 2.0}],
    "ant_flint5": [{"per": "tensor"}],
    "ant": [{"search": (95, 100)}, {"bits": 3, "types": ("pot", "int"), "search": (100, 100)}, {"bits": 5}],
    "olive": [{}, {"normal": "flint4", "group_size": 10}],
    "squeezellm": [{"bits": 2}, {"entry_kind": "fp32"}, {"outliers": 0.1}],
    "decoupleq": [{"group_size": 5}, {"group_size": None, "bits": 4, "iterations": 0}, SMALL],
    "range_aware": [{"group_size": 5, "outliers": 0.0}, {"group_size": 5, "outliers": 0.1}, SMALL],
    "fp8_e4m3": [{}, {"per": "tensor"}],
    "fp8_e5m2": [{}],
    "fp6_e3m2": [{}],
    "fp6_e2m3": [SMALL],
    "fp4_e2m1": [{}, {"group_size": 5, "scale_kind": "fp16"}],
    "bf16": [{}],
    "fp16": [{}],
    "mxfp4": [{"pad": True}, SMALL],
    "mxfp6_e3m2": [SMALL],
    "mxfp6_e2m3": [SMALL],
    "mxfp8_e4m3": [{"pad": True}],
    "mxfp8_e5m2": [SMALL],
    "mxint8": [{"pad": True}, SMALL],
    "nvfp4": [SMALL],
    "luq": [{"divisor": 16}, {"divisor": 64, "seed": 3}],
    "luq_rdnp": [{"divisor": 16}, {"divisor": 64}],
    "double_rounding": [{}, {"bits": 6}, {"bits": 4, "scale_kind": "fp16"}, {"bits": 2}],
    "one_bit": [{}, {"threshold": 0.5, "scale_kind": "fp16"}],
}  # fmt: skip
EACH = [(name, params) for name, every in VARIANTS.items() for params in every]


def _arrays(dtype: str) -> st.SearchStrategy:
    scale = st.sampled_from([1.0, 2.0**-9, 3.0, 1e-3] if dtype == "f2" else [1.0, 1e-30, 1e-3, 7e20])
    numbers = st.integers(-64, 64).map(lambda i: i / 4) | st.floats(-8, 8, width=16) | st.sampled_from([0.0, 1e-4])
    shapes = st.tuples(st.integers(1, 3), st.sampled_from([20, 40]))
    return st.builds(lambda w, s: (w * s).astype(dtype), hnp.arrays(np.float64, shapes, elements=numbers), scale)


weights = st.sampled_from(["f2", "f4", "f8"]).flatmap(_arrays)
"""Weights with many ties, of any magnitude and dtype."""

shapes = st.tuples(st.integers(1, 5), st.integers(1, 3)).map(lambda s: (s[0], 4 * s[1]))
moderate = hnp.arrays(np.float32, shapes, elements=st.floats(-100, 100, width=32))
edges = hnp.arrays(np.float64, shapes, elements=st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 1e-30, -1e4]))
eighths = hnp.arrays(np.int64, shapes, elements=st.integers(-40, 40)).map(lambda a: a / 8)
few_weights = moderate | edges | eighths
"""Weights of shape [N, K] small enough for slow references."""


def quantized(w: np.ndarray, name: str, params: dict) -> hwsim.QTensor | None:
    """``w`` (for complex formats with an imaginary part) in the format; None where fp16 does not hold its scale."""
    values = w + 1j * w[::-1, ::-1] if find(name).complex else w
    try:
        return hwsim.quantize(values, name, **params)
    except FormatError as error:
        if "fp16" not in str(error) or np.abs(w).max() < 6000:
            raise
        return None
