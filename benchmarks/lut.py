"""Bit-exact look-up matmul against float32 BLAS, and against a plain loop of look-ups."""

from collections.abc import Iterator

import numba
import numpy as np

from benchmarks.measurement import Measurement, seconds, side_by_side
from hwsim import Lut, QTensor, lower, quantize
from hwsim.bit_dots import sum_tables, table_keys

M, N, K, GROUP = 256, 4096, 4096, 128
MU = 4
LOOP_M = 32
"""Rows of activations that the loop takes; it needs as long for each."""


def measure() -> Iterator[Measurement]:
    """`Lut.matmul` on 256 x 4096 x 4096 at 2 and 4 bits, groups of 128."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((N, K), dtype=np.float32)
    x = rng.integers(-128, 128, (M, K)).astype(np.int8)
    a, b = x.astype(np.float32), np.ascontiguousarray(real.T)
    datapath = Lut(mu=MU)
    for bits in (2, 4):
        w = lower(quantize(real, f"int{bits}", group_size=GROUP))
        ours, numpy_s = side_by_side(lambda w=w: datapath.matmul(x, w), lambda: a @ b, repeats=5)
        keys = _keys(datapath, w)
        result = _loop(x[:LOOP_M].astype(np.int32), keys, w.scale, GROUP // MU)
        assert (result == datapath.matmul(x[:LOOP_M], w)).all()
        loop_s = seconds(lambda w=w, keys=keys: _loop(x[:LOOP_M].astype(np.int32), keys, w.scale, GROUP // MU), 3)
        for baseline, theirs in (("numpy float32 matmul", numpy_s), ("Numba loop of look-ups", loop_s * M / LOOP_M)):
            yield Measurement(
                name=f"Lut.matmul int{bits}", value=M * N * K / ours / 1e9, unit="GMAC/s", baseline=baseline,
                ratio=theirs / ours,
                note=f"{M} x {N} x {K}, groups of {GROUP}, bit-exact; baseline {M * N * K / theirs / 1e9:.2f} GMAC/s",
            )  # fmt: skip


def _keys(datapath: Lut, w: QTensor) -> np.ndarray:
    """uint8[planes, N, K / mu]: the entries that each plane reads."""
    codes = datapath.sign_planes(w).codes(w)
    return np.array([table_keys(codes >> plane & 1, MU) for plane in range(w.code_bits)], dtype=np.uint8)


def _loop(x: np.ndarray, keys: np.ndarray, scale: np.ndarray, tables_per_group: int) -> np.ndarray:
    """Two's complement ``(sum_i 2**i T_i - sum(x)) / 2``, table after table."""
    tables = np.array([sum_tables(row, MU) for row in x])
    sums = x.reshape(len(x), -1, MU).sum(axis=2)
    return _look_up(tables, sums, keys, scale, tables_per_group)


@numba.njit(parallel=True)
def _look_up(tables, sums, keys, scale, tables_per_group):
    planes, n, _ = keys.shape
    out = np.zeros((len(tables), n), dtype=np.int32)
    for i in numba.prange(len(tables)):
        for j in range(n):
            for group in range(scale.shape[1]):
                total = np.int64(0)
                for t in range(group * tables_per_group, (group + 1) * tables_per_group):
                    total -= sums[i, t]
                    for plane in range(planes):
                        total += tables[i, t, keys[plane, j, t]] << plane
                out[i, j] += scale[j, group] * (total >> 1)
    return out
