"""Sums of the products of floating-point datapaths, at speed: exact, or float32 in the stated order."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from hwsim import workspace
from hwsim.errors import FormatError
from hwsim.kernels import floating as kernels

if TYPE_CHECKING:
    from hwsim.floating import FloatDatapath

EXACT_LANES = 8
"""Products that are added at a time where order is free."""
EXACT_FLOAT32, EXACT_FLOAT64 = 1 << 24, 1 << 53
"""Whole numbers up to here, and so their sums below it, are exact."""
SMALL = 1 << 20
"""Products that one thread computes sooner than several are started."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Operands:
    """Operands of a compiled matmul.

    Attributes:
        matmul: as `hwsim.kernels.floating.summing` makes them.
        constants: of its product.
        x, w: [M, K] and [N, K].
        nothing: operands of either side whose products are +0.
        power: products are ``2**power`` times too large.
        negligible: sums below it are 0.
    """

    matmul: Callable[..., None]
    constants: tuple
    x: np.ndarray
    w: np.ndarray
    nothing: tuple[Any, Any]
    power: int = 0
    negligible: float = 0.0


def float32(datapath: "FloatDatapath", x: np.ndarray, codes: np.ndarray, division: int, group_size: int) -> np.ndarray:
    """float32[M, N]: sums of steps of ``datapath.lanes`` within groups. FormatError if one is beyond float32."""
    made = datapath.prepared(x, codes, division, False)
    sums = _accumulate(made, datapath.lanes, group_size, 1 << 62)
    out = np.empty((len(x), len(codes)), dtype=np.float32)
    if not kernels.to_float32(sums, 2.0**-made.power, made.negligible, out):
        raise FormatError(f"{datapath.name()}: a sum is beyond float32; use smaller scales")
    return out


def fixed(datapath: "FloatDatapath", x: np.ndarray, codes: np.ndarray, division: int) -> np.ndarray:
    """int64[M, N], exact: float32 sums of as many products as stay exact, float64 ones of these; or all in float64."""
    largest = datapath.largest_product
    trees = max(1, EXACT_FLOAT32 // largest)
    wide = trees < EXACT_LANES
    length = max(EXACT_LANES, EXACT_FLOAT64 // largest)
    flush = 1 << 62 if wide else trees // EXACT_LANES
    total = np.zeros((len(x), len(codes)), dtype=np.int64)
    for low in range(0, codes.shape[1], length):
        part = slice(low, low + length)
        made = datapath.prepared(x[:, part], codes[:, part], division, wide)
        sums = _accumulate(made, EXACT_LANES, length, flush)
        kernels.add_integers(sums, 2.0 ** -(datapath.product_exponent + made.power), total)
    return total


def _accumulate(made: Operands, lanes: int, group_size: int, flush: int) -> np.ndarray:
    """float64[M, N and more]: sums of trees of ``lanes`` within groups, moved to it after every ``flush`` of them.

    They are still ``2**made.power`` times too large, negligible ones are not 0, and the next call overwrites them.
    """
    x_steps, w_steps = (
        by_lanes(each, lanes, group_size, zero) for each, zero in zip((made.x, made.w), made.nothing, strict=True)
    )
    blocks = kernels.columns(w_steps, made.nothing[1])
    sums = workspace.array("sums", (len(x_steps), len(blocks), blocks.shape[2]), np.float64)
    sums[:] = 0
    threads = numba.get_num_threads()
    if x_steps.shape[0] * blocks.size < SMALL:
        numba.set_num_threads(1)
    try:
        made.matmul(x_steps, blocks, made.constants, _power_of_two(lanes), flush, sums)
    finally:
        numba.set_num_threads(threads)
    return sums.reshape(len(x_steps), -1)


def by_lanes(operands: np.ndarray, lanes: int, group_size: int, nothing: Any) -> np.ndarray:
    """[rows, K']: the steps of [rows, K], each filled up with ``nothing`` to a power of two.

    A step is ``lanes`` operands of one group; sums of steps that hold nothing change no sum.
    """
    rows, k = operands.shape
    if group_size < k:
        groups = -(-k // group_size)
        full = np.full((rows, groups * group_size), nothing, dtype=operands.dtype)
        full[:, :k] = operands
        return by_lanes(full.reshape(rows * groups, group_size), lanes, group_size, nothing).reshape(rows, -1)
    steps, width = -(-k // lanes), _power_of_two(lanes)
    if steps * width == k:
        return operands
    full = np.full((rows, steps * lanes), nothing, dtype=operands.dtype)
    full[:, :k] = operands
    if width == lanes:
        return full
    spread = np.full((rows, steps, width), nothing, dtype=operands.dtype)
    spread[:, :, :lanes] = full.reshape(rows, steps, lanes)
    return spread.reshape(rows, -1)


def _power_of_two(lanes: int) -> int:
    return 1 << (lanes - 1).bit_length()
