"""What repeats in actual weights: whole output channels, and patterns within them."""

import dataclasses
import functools

import numpy as np

from hwsim.kernels import lut as kernels
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


def step_of(w: QTensor, lanes: int) -> np.ndarray:
    """int64[K]: the step of each k, ``lanes`` consecutive k of one group."""
    k = np.arange(w.k)
    return k // w.group_size * -(-w.group_size // lanes) + k % w.group_size // lanes


def step_patterns(w: QTensor, codes: np.ndarray, lanes: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    """What ``cols`` channels have in common in each step of ``lanes`` (sum-merge; PLUM, arXiv 2312.01581).

    int32[N, steps]: the number of a channel's pattern of ``codes`` within its column tile, from 1, 0 where all weights
    are 0; int64[tiles, steps]: how many there are.
    """
    select = np.zeros((w.n, int(step_of(w, lanes)[-1]) + 1), np.int32)
    return select, kernels.patterns(codes, w.integers, w.group_size, lanes, cols, select)


@dataclasses.dataclass(frozen=True)
class Repetition:
    """How much of a tensor repeats.

    Attributes:
        density: fraction of the weights that are not 0.
        distinct_rows: fraction of the output channels that differ.
        distinct_patterns: patterns per channel and step, zeros left out: 1 if nothing repeats.
    """

    density: float
    distinct_rows: float
    distinct_patterns: float


def repetition(w: QTensor, codes: np.ndarray, lanes: int, cols: int) -> Repetition:
    """The statistics of lowered ``w`` on an array of ``cols`` columns."""
    select, distinct = step_patterns(w, codes, lanes, cols)
    return Repetition(
        density=float(np.count_nonzero(w.integers) / w.integers.size),
        distinct_rows=len(distinct_rows(w)) / w.n,
        distinct_patterns=float(distinct.sum() / select.size),
    )
