"""Scales of tensors, channels and groups, rounded to what is stored."""

from typing import Any

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats import _scales
from hwsim.formats._nearest import check_group_size
from hwsim.kernels import nearest as kernel
from hwsim.qtensor import QTensor


def matrix(w: np.ndarray) -> np.ndarray:
    """Contiguous [N, K]: float16 and float32 as float32, wider ones as float64."""
    return np.ascontiguousarray(w.reshape(w.shape[0], -1), np.float32 if w.dtype.itemsize <= 4 else np.float64)


def final(array: np.ndarray) -> np.ndarray:
    """``array`` made read-only, so that a QTensor takes it without a copy."""
    array.flags.writeable = False
    return array


def magnitudes(
    name: str, flat: np.ndarray, *, per: str = "channel", group_size: int | None = None, pad: bool = False
) -> tuple[int, np.ndarray]:
    """The group size, and max|w| float64 of the tensor [1, 1], or of each channel or group [N, G]."""
    if per not in ("tensor", "channel"):
        raise FormatError(f"{name}: per must be 'tensor' or 'channel', not {per!r}")
    if per == "tensor" and group_size is not None:
        raise FormatError(f"{name}: a scale per tensor has no group_size")
    size = check_group_size(flat.shape[1], group_size, pad)
    most = largest(flat, size)
    return size, most.max(keepdims=True) if per == "tensor" else most


def largest(flat: np.ndarray, group_size: int) -> np.ndarray:
    """float64[N, G]: max|w| of each group."""
    bits = flat.view(np.int32 if flat.dtype == np.float32 else np.int64)
    out = np.empty((len(flat), -(-flat.shape[1] // group_size)), bits.dtype)
    kernel.largest(bits, int(np.iinfo(str(bits.dtype)).max), group_size, out)
    return out.view(flat.dtype).astype(np.float64)


def stored(scale: np.ndarray, kind: str, smallest: float) -> np.ndarray:
    """float32 scales as ``kind`` fp32 or fp16 holds them: 0 becomes 1, others are at least ``smallest``."""
    return _scales.stored(np.where(scale == 0, 1.0, np.maximum(scale, smallest)), kind, positive=True)


def per_group(scale: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Contiguous ``scale`` [1|N, 1|G] for every row and group, ``shape`` [N, G]."""
    return np.array(np.broadcast_to(scale, shape))


def of(like: QTensor) -> np.ndarray:
    """float64[N, G]: what a codebook value of ``like`` is multiplied by; infinity for a scale of 0."""
    scale = per_group(like.scale.astype(np.float64) * like.channel_scale[:, None], (like.n, like.groups))
    return np.where(scale == 0, np.inf, scale)


def fields(w: np.ndarray, **others: Any) -> dict[str, Any]:
    """What every QTensor of weights ``w`` without channel scales has, and ``others``."""
    return {"shape": w.shape, "channel_scale": np.ones(w.shape[0], np.float32)} | others
