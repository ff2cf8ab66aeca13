"""BitMoD: FP3 or FP4 whose spare code means one of four special values, chosen for each group."""

from collections.abc import Callable

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _thresholds
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size
from hwsim.kernels import grid_search
from hwsim.minifloat import BF16
from hwsim.qtensor import QTensor

CANDIDATES = ("ER+", "ER-", "EA+", "EA-")
"""Extra resolution or extra range, positive or negative: in the order in which ties are settled."""

SCALE_RANGE = (1e-5, 1e4)


def codebook(magnitudes: list[float], resolution: float, range_: float, bits: int) -> Codebook:
    """Sign and magnitude; the code of -0 means the special value of each candidate."""
    base = np.concatenate([magnitudes, np.negative(magnitudes)])
    tables = np.tile(base, (len(CANDIDATES), 1))
    tables[:, len(magnitudes)] = resolution, -resolution, range_, -range_
    return Codebook.of(tables, bits)


FP3 = codebook([0, 1, 2, 4], 3, 6, 3)
FP4 = codebook([0, 0.5, 1, 1.5, 2, 3, 4, 6], 5, 8, 4)


def candidates(flat: np.ndarray, group_size: int, table: Codebook) -> tuple[np.ndarray, np.ndarray]:
    """Scales and mean squared errors float64[4, N, G] of each candidate on each group of [N, K]."""
    largest = _group_scales.largest(flat, group_size)
    scales, sums = np.empty((2, table.tables, *largest.shape))
    grid_search.errors(flat, largest, group_size, np.sort(table.values, axis=1), *SCALE_RANGE, scales, sums)
    length = np.diff(np.append(np.arange(0, flat.shape[1], group_size), flat.shape[1]))
    return scales, sums / length


def quantizer(name: str, table: Codebook) -> Callable[..., QTensor]:
    """The function that quantizes to the four candidates of ``table``."""

    def quantize(
        w: np.ndarray, *, group_size: int = 128, pad: bool = False, scale_kind: str = "fp32"
    ) -> QTensor:  # fmt: skip
        """``w = scale * v``, v of the candidate grid with the lowest mean squared error in the group.

        FP3 is {0, +-1, +-2, +-4} and one of +3, -3, +6, -6; FP4 is {0, +-0.5, +-1, +-1.5, +-2, +-3, +-4, +-6} and
        one of +5, -5, +8, -8. Each candidate is tried with scale = max|w| / max|grid| in 1e-5 .. 1e4 and
        the nearest values, ties to the lower one; equal errors keep the earlier candidate. With
        ``scale_kind="int8"`` the scales are 1 .. 127 times one bfloat16 of the channel; codes
        are those on the stored scale. A multiply-accumulate is at most two shifts and
        additions, one per signed power of two, and a scale once per group.
        Source: BitMoD, Chen et al., HPCA 2025, arXiv 2411.11745, section III.
        """
        flat = _group_scales.matrix(w)
        size = check_group_size(flat.shape[1], group_size, pad)
        scales, error = candidates(flat, size, table)
        select = error.argmin(axis=0)
        real = np.take_along_axis(scales, select[None], axis=0)[0]
        channel = np.ones(len(flat), np.float32)
        if scale_kind == "int8":
            channel = BF16.decode(BF16.encode(real.max(axis=1) / 127)).astype(np.float32)
            scale = np.clip(np.rint(real / channel[:, None]), 1, 127).astype(np.float32)
        elif scale_kind in ("fp32", "fp16"):
            scale = _group_scales.stored(real, scale_kind, SCALE_RANGE[0])
        else:
            raise FormatError(f"{name}: scale_kind must be 'fp32', 'fp16' or 'int8', not {scale_kind!r}")
        select = select.astype(np.uint16)
        used = scale.astype(np.float64) * channel[:, None]
        return QTensor(
            format=name, codes=_thresholds.codes(flat, used, size, table.values, _thresholds.lower, select),
            codebook=table, group_size=size, scale=scale, scale_kind=scale_kind, select=select,
            **_group_scales.fields(w, channel_scale=channel),
        )  # fmt: skip

    return quantize


def _format(name: str, table: Codebook, alphabet: str) -> Format:
    return Format(
        name=name, quantize=quantizer(name, table), encode=_thresholds.encoder(_thresholds.lower), alphabet=alphabet,
        mac="at most two shifts and additions; a scale once per group", typical={"scale_kind": "int8"},
    )  # fmt: skip


FORMATS = (
    _format("bitmod_fp3", FP3, "0, +-1, +-2, +-4 and one of +3, -3, +6, -6"),
    _format("bitmod_fp4", FP4, "0, +-0.5, +-1, +-1.5, +-2, +-3, +-4, +-6 and one of +5, -5, +8, -8"),
)
