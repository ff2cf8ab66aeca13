"""What the codes of a QTensor mean: real values, whole numbers, bit planes."""

import numpy as np

from hwsim.errors import FormatError
from hwsim.kernels import look_up as kernel
from hwsim.qtensor import QTensor


def dequantize(q: QTensor) -> np.ndarray:
    """See `QTensor.dequantize`."""
    value = _values(q)
    if q.zero_point is not None:
        value = value - q.spread(q.zero_point)
    if q.imaginary_scale is None:
        value = q.spread(q.scale).astype(np.float64) * value
    if q.offset is not None:
        value = value + q.spread(q.offset)
    value = value * q.channel_scale[:, None].astype(np.float64)
    if q.sparse is not None:
        dense = value.flat[q.sparse.index] if q.sparse.mode == "add" else 0
        value.flat[q.sparse.index] = dense + q.sparse.value.astype(np.float64)
    try:
        with np.errstate(over="raise"):
            return value.astype(np.float32 if q.imaginary_scale is None else np.complex64).reshape(q.shape)
    except FloatingPointError:
        raise FormatError(f"a QTensor of format {q.format!r} holds a value beyond float32") from None


def _values(q: QTensor) -> np.ndarray:
    """float64 (complex128) [N, K] before scale and offset."""
    if q.plane_weights is not None:
        bits, weights = explicit_planes(q)
        return (bits * q.spread(weights)).sum(axis=0)
    if q.envelope is not None:
        bits = alphabet_bits(q)
        return (bits * (q.envelope.u.astype(np.float64) @ q.envelope.v)).sum(axis=0)
    if q.imaginary_scale is not None:
        axis = q.expanded_codes & 1
        sign = 1.0 - (q.expanded_codes & 2)
        return np.where(axis, 1j * float(q.imaginary_scale[0, 0]), float(q.scale[0, 0])) * sign
    return look_up(q, q.codebook.values)


def look_up(q: QTensor, tables: np.ndarray) -> np.ndarray:
    """[N, K] entries of ``tables`` [C, E] by code, each group's table, outlier pairs resolved."""
    codes = q.expanded_codes
    if q.pairs:
        return _look_up_pairs(codes, tables, q.code_bits)
    out = np.empty(codes.shape, tables.dtype)
    if q.select is None:
        kernel.shared(codes.reshape(-1), 0, tables[0], out.reshape(-1))
    elif q.flat_groups:
        return tables[q.spread(q.select), codes]
    else:
        kernel.by_group(codes, tables, np.broadcast_to(q.select, (q.n, q.groups)), q.group_size, out)
    return out


def _look_up_pairs(codes: np.ndarray, tables: np.ndarray, bits: int) -> np.ndarray:
    pair = codes.reshape(len(codes), -1, 2)
    victim = pair == 1 << (bits - 1)
    value = np.where(victim[:, :, ::-1], tables[1][pair], tables[0][pair])
    return np.where(victim, 0, value).reshape(codes.shape)


def integers(q: QTensor) -> np.ndarray:
    """See `QTensor.integers`."""
    if q.plane_weights is not None and q.lowered:
        return (alphabet_bits(q) * q.spread(q.plane_weights)).sum(axis=0, dtype=np.int32)
    for name in ("plane_weights", "envelope", "token", "sparse", "imaginary_scale"):
        if getattr(q, name) is not None:
            raise FormatError(f"format {q.format!r} is not one whole number per weight: it has {name}")
    table = q.codebook.integers
    low, high = int(table.min()), int(table.max())
    for dtype in (np.int8, np.int16, np.int32, np.int64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return look_up(q, table.astype(dtype))
    raise FormatError(f"format {q.format!r} needs more than 64 bits per weight")


def alphabet_bits(q: QTensor) -> np.ndarray:
    """int8[planes, N, K]: each plane's bits as the alphabet means them."""
    bits = (q.expanded_codes[None] >> np.arange(q.code_bits)[:, None, None]) & 1
    return (bits if q.plane_alphabet == "01" else 2 * bits.astype(np.int8) - 1).astype(np.int8)


def check_codebook(q: QTensor) -> None:
    """FormatError that names what keeps a code of ``q`` from meaning one whole number of its group's table."""
    for name in ("plane_weights", "envelope", "token", "sparse", "imaginary_scale"):
        if getattr(q, name) is not None:
            raise FormatError(f"it has {name}")
    if q.pairs:
        raise FormatError("what a code means depends on its neighbour")


def explicit_planes(q: QTensor) -> tuple[np.ndarray, np.ndarray]:
    """Bits int8[planes, N, K] and weights float64[planes, 1|N, 1|G] of a plane format."""
    if q.plane_weights is None:
        raise FormatError(f"format {q.format!r} has no plane weights")
    return alphabet_bits(q), q.plane_weights.astype(np.float64)


def planes(q: QTensor) -> tuple[np.ndarray, np.ndarray, float]:
    """The plane view: 0/1 or +-1 bits int8[planes, N, K], weights float64[planes, 1|N, 1|G], constant.

    A weight before scale and offset is ``sum_i weight_i * bit_i + constant``. A view where the codebook
    is affine in the code's bits; FormatError where it is not.
    """
    if q.plane_weights is not None:
        return (*explicit_planes(q), 0.0)
    table = q.codebook.values
    if q.zero_point is not None:
        raise FormatError(f"format {q.format!r} has zero points; its planes are those of the lowered tensor")
    if q.codebook.tables != 1 or q.pairs or q.imaginary_scale is not None or q.envelope is not None:
        raise FormatError(f"format {q.format!r} has no bit planes")
    used = np.arange(table.shape[1])
    constant = float(table[0, 0])
    steps = [float(table[0, 1 << i]) - constant if 1 << i < len(used) else 0.0 for i in range(q.code_bits)]
    weights = np.array(steps)
    affine = ((used[:, None] >> np.arange(q.code_bits)) & 1) @ weights + constant
    if (affine != table[0]).any():
        raise FormatError(f"format {q.format!r} has no bit planes: its codebook is not affine in the code's bits")
    bits = ((q.expanded_codes[None] >> np.arange(q.code_bits)[:, None, None]) & 1).astype(np.int8)
    return bits, weights[:, None, None], constant
