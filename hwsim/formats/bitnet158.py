"""BitNet b1.58: ternary weights with one scale, and int8 activations."""

import dataclasses

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import ones, rows
from hwsim.formats._scales import stored
from hwsim.formats._signs import TERNARY, ternary_codes
from hwsim.qtensor import QTensor

EPSILON = 1e-5
TRANSPORTS = ("raw", "trits")


def quantize(
    w: np.ndarray, *, measure: str = "mean", transport: str = "raw", scale_kind: str = "fp32"
) -> QTensor:  # fmt: skip
    """``w = gamma * q``, q = clip(RNE(w / gamma'), -1, 1), one gamma per tensor.

    ``measure="mean"``: gamma = mean|w|, gamma' = gamma + 1e-5 (BitNet b1.58, Ma et al., arXiv
    2402.17764). ``measure="median"``: gamma = gamma' = max(median|w|, 1e-5), the lower of two
    middle values (BitNet b1.58 Reloaded, Nielsen & Schneider-Kamp, arXiv 2407.09527).
    2-bit codes, or with ``transport="trits"`` five weights in a byte. A multiply-accumulate
    adds, subtracts or skips.
    """
    if measure not in ("mean", "median"):
        raise FormatError(f"bitnet158: measure must be 'mean' or 'median', not {measure!r}")
    if transport not in TRANSPORTS:
        raise FormatError(f"bitnet158: transport must be one of {', '.join(TRANSPORTS)}, not {transport!r}")
    flat = rows(w)
    gamma = float(np.abs(flat).mean()) if measure == "mean" else max(lower_median(np.abs(flat)), EPSILON)
    divisor = gamma + EPSILON if measure == "mean" else gamma
    return QTensor(
        format="bitnet158", shape=w.shape, codes=_codes(flat / divisor), codebook=TERNARY, group_size=flat.shape[1],
        scale=stored(np.full((1, 1), gamma), scale_kind, positive=True), scale_kind=scale_kind,
        channel_scale=ones(len(flat)), transport=transport,
    )  # fmt: skip


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """clip(RNE(w / gamma), -1, 1) with the gamma of ``like``: half of gamma rounds to 0."""
    scale = like.spread(like.scale) * like.channel_scale[:, None].astype(np.float64)
    return dataclasses.replace(
        like, codes=_codes(np.divide(rows(w), scale, out=np.zeros(scale.shape), where=scale > 0))
    )


def lower_median(values: np.ndarray) -> float:
    """The middle value, the lower one of two, as torch.median has it."""
    middle = (values.size - 1) // 2
    return float(np.partition(values, middle, axis=None)[middle])


def quantize_activations(x: np.ndarray, multiplier: int = 127) -> tuple[np.ndarray, np.ndarray]:
    """int8 codes of tokens ``x`` [..., K] and the scale float64[..., 1] that they are in units of.

    ``RNE(x * multiplier / max|x|)`` clipped to int8, max|x| of the token and at least 1e-5. 127 is BitNet's;
    128, clipped to 127, that of the package bitlinear.
    """
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), EPSILON) / multiplier
    codes = np.clip(np.rint(x * (1 / scale)), -128, 127)
    return codes.astype(np.int8), scale


def _codes(normal: np.ndarray) -> np.ndarray:
    return ternary_codes(np.clip(np.rint(normal), -1, 1))


FORMATS = (
    Format(
        name="bitnet158", quantize=quantize, encode=encode, alphabet="-1, 0, +1",
        mac="an addition, a subtraction or nothing", typical={"transport": "trits", "scale_kind": "fp16"},
    ),
)  # fmt: skip
