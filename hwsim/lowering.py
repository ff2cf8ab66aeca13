"""Scales, offsets and plane weights as integers on one float scale per output channel."""

import dataclasses
import math

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.qtensor import Array, QTensor

WEIGHTS_AT_ONCE = 1 << 20
"""Weights compared at a time in double precision."""
NOT_INTEGERS = {
    "imaginary_scale": "its weights are complex; use a real format, such as bitnet158",
    "envelope": "every weight has a magnitude of its own; use a format with one scale per group, such as bcq",
    "token": "its scales depend on the token; use binary, whose scales belong to channels",
    "sparse": "it keeps outliers beside its codes; use it without outliers (outliers=0), or olive",
}
"""Fields of a QTensor that leave no whole number per weight, and what would do."""
WIDEST_CODEBOOK = 53
"""Bits of the widest lowered codebook: float64 holds its values."""


def lower(q: QTensor, scale_bits: int = 8) -> QTensor:
    """``q`` with integer group scales, offsets and plane weights, as every integer datapath needs it.

    A channel with one group and no offset keeps its value exactly: its scale becomes the
    channel scale and the group scale is 1. Otherwise the largest magnitude among the
    channel's scales or plane weights becomes ``2**(scale_bits-1) - 1`` and the others, and the
    offsets, are rounded (ties to even) on that grid. The largest change, relative to the
    channel's largest value, is kept in ``lowering_error``. Tiles are unrolled, groups that cross rows
    cut at them, and the codebook's power of two moves into the channel scale.

    Of codebooks too wide for integers (bf16) only the codes in use keep their values.

    Raises FormatError for formats that are not integers on a channel scale: complex values,
    low-rank envelopes, token scales, sparse outliers.
    """
    if q.lowered:
        return q
    for name, problem in NOT_INTEGERS.items():
        if getattr(q, name) is not None:
            raise FormatError(f"format {q.format!r} cannot be lowered to integers: {problem}")
    plain = _per_row(q)
    lowered = _lower_planes(plain, scale_bits) if plain.plane_weights is not None else _lower_codes(plain, scale_bits)
    return dataclasses.replace(lowered, lowering_error=_largest_change(q, lowered))


def _largest_change(q: QTensor, lowered: QTensor) -> float:
    """Largest |change| of a decoded value relative to its channel's largest, some rows at a time."""
    rows = max(1, WEIGHTS_AT_ONCE // q.k) if q.independent_rows else q.n
    largest = 0.0
    for low in range(0, q.n, rows):
        before, after = (
            (each if rows >= q.n else each.rows(low, low + rows)).dequantize().reshape(-1, q.k).astype(np.float64)
            for each in (q, lowered)
        )
        most = np.maximum(np.abs(before).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        largest = max(largest, float((np.abs(after - before) / most).max()))
    return largest


def _per_row(q: QTensor) -> QTensor:
    """``q`` with unrolled codes and groups that do not cross rows."""
    size = math.gcd(q.group_size, q.k) if q.flat_groups else q.group_size
    first = np.arange(0, q.k, size)

    def at_groups(array: Array) -> Array:
        if array is None:
            return None
        if q.flat_groups:
            return np.ascontiguousarray(q.spread(array)[..., first])
        return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:-2], q.n, q.groups)))

    return dataclasses.replace(
        q, codes=q.expanded_codes, tile=1, flat_groups=False, group_size=size, scale=at_groups(q.scale),
        offset=at_groups(q.offset), zero_point=at_groups(q.zero_point), select=at_groups(q.select),
        plane_weights=at_groups(q.plane_weights),
    )  # fmt: skip


def _unit(q: QTensor, magnitudes: np.ndarray, limit: int) -> np.ndarray:
    """float64[N, 1]: the step of each channel's grid; 1 for a channel of zeros, coarser where an offset needs it."""
    unit = magnitudes.max(axis=1, keepdims=True) / limit
    if q.offset is not None:
        unit = np.maximum(unit, np.abs(q.offset).max(axis=1, keepdims=True) / 2.0**30)
    return np.where(unit > 0, np.maximum(unit, 2.0**-149), 1.0)  # what float32 holds


def _lower_codes(q: QTensor, scale_bits: int) -> QTensor:
    table = _narrowed(q)
    scale = q.scale.astype(np.float64) * 2.0**table.exponent
    exact = q.offset is None and (scale == scale[:, :1]).all()
    unit = _unit(q, np.abs(scale), 1 if exact else (1 << (scale_bits - 1)) - 1)
    integers = Codebook(
        bits=table.bits, mantissas=table.integers, exponents=np.zeros(table.integers.shape, np.int16),
        special=table.special, table_bits=table.table_bits, entry_bits=table.entry_bits,
    )  # fmt: skip
    steps = np.rint(scale / unit)
    offset = np.zeros_like(steps) if q.offset is None else q.offset / unit
    if q.zero_point is not None:
        offset = offset - steps * np.ldexp(q.zero_point.astype(np.float64), -table.exponent)
    return dataclasses.replace(
        q, codebook=integers, scale=steps.astype(np.int32), scale_kind=_kind(steps), zero_point=None,
        offset=None if q.offset is None and q.zero_point is None else _whole(q, offset), offset_kind="int8",
        channel_scale=_channel_scale(q, unit),
    )  # fmt: skip


def _narrowed(q: QTensor) -> Codebook:
    """The codebook of ``q``; where it spans too many bits, only the codes that are used."""
    table = q.codebook
    if table.span_bits <= WIDEST_CODEBOOK:
        return table
    unused = np.ones(table.mantissas.shape[1], dtype=bool)
    unused[np.unique(q.codes)] = False
    table = dataclasses.replace(table, special=unused)
    if table.span_bits > WIDEST_CODEBOOK:
        raise FormatError(
            f"format {q.format!r} cannot be lowered to integers: its weights span {table.span_bits} bits, "
            f"{WIDEST_CODEBOOK} are possible; set the smallest weights to 0, or use fp8_e4m3 or fp8_e5m2"
        )
    return table


def _lower_planes(q: QTensor, scale_bits: int) -> QTensor:
    assert q.plane_weights is not None
    weights = q.plane_weights.astype(np.float64) * q.scale
    unit = _unit(q, np.abs(weights).max(axis=0), (1 << (scale_bits - 1)) - 1)
    return dataclasses.replace(
        q, plane_weights=np.rint(weights / unit).astype(np.int32), scale=np.ones(q.scale.shape, np.int32),
        scale_kind="int8", offset=None if q.offset is None else _whole(q, q.offset / unit), offset_kind="int8",
        channel_scale=_channel_scale(q, unit),
    )  # fmt: skip


def _kind(steps: np.ndarray) -> str:
    """The cheapest kind that stores these scales."""
    if (steps == 1).all():
        return "none"
    return "sign" if (np.abs(steps) == 1).all() else "int8"


def _whole(q: QTensor, offset: np.ndarray) -> np.ndarray:
    if np.abs(offset).max() >= 2.0**31:
        raise FormatError(f"QTensor of format {q.format!r}: an offset is beyond 32 bits of its channel's step")
    return np.rint(offset).astype(np.int32)


def _channel_scale(q: QTensor, unit: np.ndarray) -> np.ndarray:
    return (unit[:, 0] * q.channel_scale).astype(np.float32)
