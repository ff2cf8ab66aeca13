"""Quantizing a 4096 x 4096 float32 matrix in each format; packing its codes."""

from collections.abc import Callable, Iterator

import numpy as np

import hwsim
from benchmarks.measurement import Measurement, seconds, side_by_side
from hwsim.formats import available
from hwsim.formats.bitmod import FP3
from hwsim.packing import pack, unpack

SIDE = 4096
SMALL = 512
SLOW_S = 0.25
"""A format that takes longer than this on 512 x 512 is measured there."""


def measure() -> Iterator[Measurement]:
    """Each format against ``w.copy()``, BitMoD also against NumPy, int4 and FP8 against torch's cast."""
    w = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    for name, chosen in available().items():
        yield _quantize(name, w.astype(np.complex64) if chosen.complex else w)
    yield _bitmod(w)
    yield from _torch(w)
    for bits in (1, 3, 4, 6):
        yield from _packing(bits)


def _quantize(name: str, w: np.ndarray) -> Measurement:
    small = np.ascontiguousarray(w[:SMALL, :SMALL])
    matrix = small if seconds(lambda: hwsim.quantize(small, name), repeats=1) > SLOW_S else w
    ours, copy = side_by_side(lambda: hwsim.quantize(matrix, name), lambda: matrix.copy(), repeats=3)
    return Measurement(
        name=f"quantize {name}", value=matrix.size / ours / 1e6, unit="Mweights/s", baseline="w.copy()",
        ratio=copy / ours, note=f"{len(matrix)} x {len(matrix)}, {ours:.3g} s",
    )  # fmt: skip


def bitmod_numpy(w: np.ndarray, group_size: int = 128) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BitMoD FP3 codes [G, group_size], choices and scales [G], a whole matrix at a time."""
    groups = w.reshape(-1, group_size)
    largest = np.abs(groups).max(axis=1, keepdims=True)
    best_error = np.full((len(groups), 1), np.inf, np.float32)
    best_codes, best_scale = np.empty(groups.shape, np.uint8), np.empty_like(largest)
    choice = np.empty((len(groups), 1), np.uint8)
    for c, table in enumerate(FP3.values.astype(np.float32)):
        order = np.argsort(table, kind="stable").astype(np.uint8)
        grid = table[order]
        scale = np.clip(largest / np.abs(grid).max(), 1e-5, 1e4)
        x = groups / scale
        below = np.zeros(groups.shape, np.uint8)
        for middle in (grid[:-1] + grid[1:]) / 2:
            below += x > middle
        error = np.square(groups - grid[below] * scale).mean(axis=1, keepdims=True)
        better = error < best_error
        best_error = np.where(better, error, best_error)
        best_codes = np.where(better, order[below], best_codes)
        best_scale = np.where(better, scale, best_scale)
        choice = np.where(better, c, choice)
    return best_codes, choice, best_scale


def _bitmod(w: np.ndarray) -> Measurement:
    ours, numpy_s = side_by_side(lambda: hwsim.quantize(w, "bitmod_fp3"), lambda: bitmod_numpy(w), repeats=3)
    q = hwsim.quantize(w, "bitmod_fp3")
    same = (bitmod_numpy(w)[0] == q.codes.reshape(-1, 128)).mean()
    return Measurement(
        name="quantize bitmod_fp3 in float64", value=w.size / ours / 1e6, unit="Mweights/s",
        baseline="vectorized NumPy in float32", ratio=numpy_s / ours,
        note=f"{SIDE} x {SIDE}, groups of 128; NumPy {numpy_s:.3g} s, {same:.4%} of the codes equal",
    )  # fmt: skip


def _torch(w: np.ndarray) -> Iterator[Measurement]:
    try:
        import torch
    except ImportError:
        return
    tensor = torch.from_numpy(w)

    def cast(limit: float, kind: "torch.dtype") -> Callable[[], object]:
        def work() -> object:
            scale = tensor.abs().amax(dim=1, keepdim=True) / limit
            scaled = tensor / scale
            return (scaled.round() if kind == torch.int8 else scaled).to(kind)

        return work

    for name, peer in (("int4", cast(7, torch.int8)), ("fp8_e4m3", cast(448, torch.float8_e4m3fn))):
        ours, theirs = side_by_side(lambda name=name: hwsim.quantize(w, name), peer, repeats=3)
        yield Measurement(
            name=f"quantize {name} per channel", value=w.size / ours / 1e6, unit="Mweights/s",
            baseline="torch: scale, divide and cast", ratio=theirs / ours,
            note=f"{SIDE} x {SIDE}; torch {theirs:.3g} s",
        )  # fmt: skip


def _packing(bits: int) -> Iterator[Measurement]:
    codes = np.random.default_rng(0).integers(0, 1 << bits, (SIDE, SIDE)).astype(np.uint8)
    packed = pack(codes, bits)
    for name, work in (("pack", lambda: pack(codes, bits)), ("unpack", lambda: unpack(packed, bits, SIDE))):
        ours, copy = side_by_side(work, codes.copy, repeats=3)
        yield Measurement(
            name=f"{name} {bits}-bit codes", value=codes.size / ours / 1e9, unit="GB/s of codes",
            baseline="codes.copy()", ratio=copy / ours, note=f"{SIDE} x {SIDE}",
        )  # fmt: skip
