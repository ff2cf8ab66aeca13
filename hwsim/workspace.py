"""Memory for intermediate results that is used again: the pages of fresh arrays can cost more than what is computed."""

import math
import threading

import numpy as np

LARGEST = 1 << 26
"""Bytes of an array that is kept, at most."""


class _Kept(threading.local):
    def __init__(self) -> None:
        self.blocks: dict[str, np.ndarray] = {}


_KEPT = _Kept()


def array(name: str, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """An array of any content, which is this thread's until it asks for another one of that ``name``."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > LARGEST:
        return np.empty(shape, dtype)
    block = _KEPT.blocks.get(name)
    if block is None or block.size < size:
        block = _KEPT.blocks[name] = np.empty(size, np.uint8)
    return block[:size].view(dtype).reshape(shape)
