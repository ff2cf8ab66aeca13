"""Bit-exact matmul of the floating-point datapaths against float32 BLAS and against NumPy broadcasting."""

from collections.abc import Iterator

import numpy as np

from benchmarks.measurement import Measurement, side_by_side
from hwsim import FpMac, LMul
from hwsim.floating import FloatDatapath

M, N, K = 512, 768, 768
BROADCAST_ROWS = 8
"""Rows of the broadcasting version: all of them would need gigabytes."""
DATAPATHS = (
    LMul(format="bf16"), LMul(format="e4m3"), LMul(format="e4m3", accumulation="fixed"),
    LMul(format="e5m2", accumulation="fixed", accumulator_bits=48), FpMac(format="bf16"),
)  # fmt: skip


def measure() -> Iterator[Measurement]:
    """`sums` of codes, 512 x 768 x 768, operands of any preparation included."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((M, K), dtype=np.float32), rng.standard_normal((N, K), dtype=np.float32)
    a, b = real[0], np.ascontiguousarray(real[1].T)
    for datapath in DATAPATHS:
        x, w = (datapath.kind.encode(each, signed_zero=False) for each in real)
        label = f"{type(datapath).__name__} {datapath.format}, {datapath.accumulation} sums"
        ours, numpy_s = side_by_side(lambda d=datapath, x=x, w=w: d.sums(x, w), lambda: a @ b)
        yield Measurement(
            name=label, value=M * N * K / ours / 1e9, unit="GMAC/s", baseline="numpy float32 matmul",
            ratio=numpy_s / ours, note=f"{M} x {N} x {K}, bit-exact; numpy {M * N * K / numpy_s / 1e9:.1f} GMAC/s",
        )  # fmt: skip
        if isinstance(datapath, LMul) and datapath.accumulation == "float32":
            few, all_rows = side_by_side(
                lambda d=datapath, x=x, w=w: broadcasting(d, x[:BROADCAST_ROWS], w),
                lambda d=datapath, x=x, w=w: d.sums(x, w), repeats=3,
            )  # fmt: skip
            yield Measurement(
                name=label, value=M * N * K / all_rows / 1e9, unit="GMAC/s", baseline="NumPy broadcasting",
                ratio=few * M / BROADCAST_ROWS / all_rows,
                note=f"broadcasting {BROADCAST_ROWS} rows, in any order",
            )  # fmt: skip


def broadcasting(datapath: FloatDatapath, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """L-Mul as one would write it in NumPy: all products at once, then their sum."""
    assert isinstance(datapath, LMul)
    kind = datapath.kind
    magnitude = kind.sign_bit - 1
    a, b = x[:, None, :].astype(np.int32), w[None, :, :].astype(np.int32)
    total = (a & magnitude) + (b & magnitude) - datapath.offset()
    normal = 1 << kind.mantissa_bits
    zero = ((a & magnitude) < normal) | ((b & magnitude) < normal) | (total < normal)
    codes = np.where(zero, 0, np.minimum(total, kind.max_code) | ((a ^ b) & kind.sign_bit))
    return kind.values.astype(np.float32)[codes].sum(axis=-1)
