"""Sums of the products of floating-point datapaths, at speed: exact, or float32 in the stated order."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
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
COLUMNS = 768
"""Output channels at a time, at most: a step's weights stay in the nearest cache."""
VECTOR = 16
"""Output channels at a time are a multiple of it."""
ROWS_EACH = 32
"""Rows of one piece of parallel work, at most: sums of these stay in a cache; even."""
SMALL = 1 << 20
"""Products that one thread computes sooner than several are started."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Operands:
    """Operands of a compiled matmul.

    Attributes:
        matmuls: by the dtype of sums, as `hwsim.kernels.floating.summing` makes them.
        constants: of its product; a last one is added: what makes whole numbers of sums.
        x, w: as `rows` and `columns` make them.
        largest: no product is larger, in units of the datapath's fixed point.
        power: products are ``2**power`` times too large.
        negligible: sums below it are 0.
    """

    matmuls: dict[str, Callable[..., None]]
    constants: tuple
    x: np.ndarray
    w: np.ndarray
    largest: int
    power: int = 0
    negligible: float = 0.0


def float32(datapath: "FloatDatapath", x: np.ndarray, codes: np.ndarray, division: int, group_size: int) -> np.ndarray:
    """float32[M, N]: sums of steps of ``datapath.lanes`` within groups. FormatError if one is beyond float32."""
    lanes = _power_of_two(datapath.lanes)
    out = np.empty((len(x), len(codes)), dtype=np.float32)
    with _threads(x, codes):
        made = datapath.prepared(
            by_lanes(x, datapath.lanes, group_size), by_lanes(codes, datapath.lanes, group_size), division
        )
        sums = _summed(made, np.float32, 1.0, lanes, 0, made.x.shape[1] // lanes)
        finite = kernels.to_float32(sums, 2.0**-made.power, made.negligible, out)
    if not finite:
        raise FormatError(f"{datapath.name()}: a sum is beyond float32; use smaller scales")
    return out


def fixed(datapath: "FloatDatapath", x: np.ndarray, codes: np.ndarray, division: int) -> np.ndarray:
    """int64[M, N], exact: float32 sums of a few products, int32 ones of these; or all in float64."""
    total = np.zeros((len(x), len(codes)), dtype=np.int64)
    with _threads(x, codes):
        k = codes.shape[1]
        made = datapath.prepared(by_lanes(x, EXACT_LANES, k), by_lanes(codes, EXACT_LANES, k), division)
        tree = EXACT_LANES * made.largest
        unit = 2.0 ** -(datapath.product_exponent + made.power)
        real, most = (np.int32, (1 << 31) - 1) if tree <= EXACT_FLOAT32 else (np.float64, EXACT_FLOAT64)
        steps, length = made.x.shape[1] // EXACT_LANES, max(1, most // tree)
        for first in range(0, steps, length):
            sums = _summed(made, real, unit, EXACT_LANES, first, min(first + length, steps))
            kernels.add_integers(sums, 1.0 if real is np.int32 else unit, total)
    return total


def _summed(made: Operands, real: type, unit: float, lanes: int, first: int, last: int) -> np.ndarray:
    """``real``[blocks, M or more, columns]: sums of trees of ``lanes``, those from ``first`` to before ``last``.

    They are still ``2**made.power`` times too large, except integers; negligible ones are not 0; and the next call
    overwrites them.
    """
    sums = workspace.array("sums", (len(made.w), len(made.x), made.w.shape[2]), real)
    constants = (*made.constants, np.float32(unit))
    each = min(ROWS_EACH, 2 * -(-len(made.x) // (2 * numba.get_num_threads())) or 2)
    made.matmuls[real.__name__](made.x, made.w, constants, lanes, first, last, each, sums)
    return sums


@contextlib.contextmanager
def _threads(x: np.ndarray, codes: np.ndarray) -> Iterator[None]:
    """One thread where several would not pay."""
    threads = numba.get_num_threads()
    if x.size * len(codes) < SMALL:
        numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(threads)


def rows(operands: Callable[..., None], codes: np.ndarray, constants: Any, dtype: np.dtype | type) -> np.ndarray:
    """[M, one more if that is odd; K]: operands for codes [M, K]; the next call overwrites them."""
    return _made("rows", operands, _filled(codes, len(codes) + len(codes) % 2), constants, dtype)


def columns(operands: Callable[..., None], codes: np.ndarray, constants: Any, dtype: np.dtype | type) -> np.ndarray:
    """[blocks, K, columns]: operands for codes [N, K]; the next call overwrites them."""
    n, k = codes.shape
    blocks = max(1, -(-n // COLUMNS))
    width = -(-n // (blocks * VECTOR)) * VECTOR
    full = _filled(codes, blocks * width).reshape(blocks, width, k)
    return _made("columns", operands, np.ascontiguousarray(full.transpose(0, 2, 1)), constants, dtype)


def _filled(codes: np.ndarray, length: int) -> np.ndarray:
    """[length, K]: the codes, then code 0."""
    if length == len(codes):
        return codes
    full = np.zeros((length, codes.shape[1]), dtype=codes.dtype)
    full[: len(codes)] = codes
    return full


def _made(name: str, operands: Callable[..., None], codes: np.ndarray, constants: Any, dtype: Any) -> np.ndarray:
    out = workspace.array(name, codes.shape, dtype)
    operands(codes.ravel(), constants, out.ravel())
    return out


def by_lanes(codes: np.ndarray, lanes: int, group_size: int) -> np.ndarray:
    """[rows, K']: the steps of codes [rows, K], each filled up with code 0 to a power of two.

    A step is ``lanes`` codes of one group; sums of steps that hold nothing change no sum.
    """
    rows, k = codes.shape
    if group_size < k:
        groups = -(-k // group_size)
        full = np.zeros((rows, groups * group_size), dtype=codes.dtype)
        full[:, :k] = codes
        return by_lanes(full.reshape(rows * groups, group_size), lanes, group_size).reshape(rows, -1)
    steps, width = -(-k // lanes), _power_of_two(lanes)
    if steps * width == k:
        return np.ascontiguousarray(codes)
    full = np.zeros((rows, steps * lanes), dtype=codes.dtype)
    full[:, :k] = codes
    if width == lanes:
        return full
    spread = np.zeros((rows, steps, width), dtype=codes.dtype)
    spread[:, :, :lanes] = full.reshape(rows, steps, lanes)
    return spread.reshape(rows, -1)


def _power_of_two(lanes: int) -> int:
    return 1 << (lanes - 1).bit_length()
