"""Memory for intermediate results that is used again: the pages of fresh arrays can cost more than what is computed."""

import math
import threading

import numpy as np

LARGEST = 1 << 26
"""Bytes of an array that is kept, at most."""
CACHE_LINE = 64
"""Bytes that arrays are aligned to: vectors across two lines take twice the time."""


class _Kept(threading.local):
    def __init__(self) -> None:
        self.blocks: dict[str, np.ndarray] = {}


_KEPT = _Kept()


def array(name: str, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """An array of any content, which is this thread's until it asks for another one of that ``name``."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    block = _KEPT.blocks.get(name)
    if size > LARGEST:
        block = _aligned(size)
    elif block is None or block.size < size:
        block = _KEPT.blocks[name] = _aligned(size)
    return block[:size].view(dtype).reshape(shape)


def _aligned(size: int) -> np.ndarray:
    block = np.empty(size + CACHE_LINE, np.uint8)
    start = -block.ctypes.data % CACHE_LINE
    return block[start : start + size]
