"""What repeats in actual weights: whole output channels, and patterns within them."""

import functools

import numpy as np

from hwsim.qtensor import QTensor


@functools.lru_cache(maxsize=16)
def distinct_rows(w: QTensor) -> list[np.ndarray]:
    """The output channels of lowered ``w``, those of equal integers, scales and offsets together.

    Classes by size, the largest first, then by first channel; channels ascend in each.
    """
    classes: dict[bytes, list[int]] = {}
    codes = w.expanded_codes
    for n in range(w.n):
        parts = [codes[n], *(each[..., n if each.shape[-2] > 1 else 0, :] for each in _per_group(w))]
        classes.setdefault(b"".join(np.ascontiguousarray(part).tobytes() for part in parts), []).append(n)
    return [np.array(each) for each in sorted(classes.values(), key=lambda each: -len(each))]


def _per_group(w: QTensor) -> list[np.ndarray]:
    arrays = (w.scale, w.offset, w.select, w.plane_weights)
    return [each for each in arrays if each is not None]
