"""Group scales and offsets as integers on one float scale per output channel."""

import dataclasses

import numpy as np

from hwsim.errors import FormatError
from hwsim.qtensor import QTensor


def lower(q: QTensor, scale_bits: int = 8) -> QTensor:
    """``q`` with integer group scales and offsets, as every integer datapath needs it.

    A channel with one group and no offset keeps its value exactly: its scale becomes the
    channel scale and the group scale is 1. Otherwise the largest |scale| of the channel
    becomes ``2**(scale_bits-1) - 1`` and the others, and the offsets, are rounded (ties to even) on that grid.
    The largest change, relative to the channel's largest value, is kept in
    ``lowering_error``. The codebook's power of two moves into the channel scale.
    """
    if q.lowered:
        return q
    if q.scale.size and not (np.abs(q.scale).max(axis=1) > 0).all():
        raise FormatError(f"QTensor of format {q.format!r}: a channel has only zero scales")
    scale = q.scale.astype(np.float64) * 2.0**q.exponent
    limit = 1 if q.groups == 1 and q.offset is None else (1 << (scale_bits - 1)) - 1
    unit = np.abs(scale).max(axis=1, keepdims=True) / limit
    channel = (unit[:, 0] * q.channel_scale).astype(np.float32)
    lowered = dataclasses.replace(
        q,
        exponent=0,
        scale=np.rint(scale / unit).astype(np.int32),
        offset=None if q.offset is None else np.rint(q.offset / unit).astype(np.int32),
        channel_scale=channel,
    )
    before = q.dequantize().reshape(q.n, -1).astype(np.float64)
    after = lowered.dequantize().reshape(q.n, -1).astype(np.float64)
    largest = np.maximum(np.abs(before).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return dataclasses.replace(lowered, lowering_error=float((np.abs(after - before) / largest).max()))
