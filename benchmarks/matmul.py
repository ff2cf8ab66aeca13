"""Bit-exact matmul of each datapath against float32 BLAS."""

from collections.abc import Iterator

import numpy as np

from benchmarks.measurement import Measurement, side_by_side
from hwsim import BitSerial, Mac, lower, quantize
from hwsim.datapath import Datapath

SMALL, LARGE = (512, 768, 768), (512, 4096, 4096)
CASES: tuple[tuple[Datapath, tuple[int, int, int], str, dict[str, int]], ...] = (
    (Mac(), SMALL, "int8", {}),
    (Mac(), SMALL, "int4", {"group_size": 128}),
    (BitSerial(), SMALL, "int8", {}),
    (BitSerial(), SMALL, "int4", {"group_size": 128}),
    (BitSerial(), LARGE, "int8", {}),
    (BitSerial(), LARGE, "int4", {"group_size": 128}),
    (BitSerial(), LARGE, "bitmod_fp3", {"group_size": 128}),
)


def measure() -> Iterator[Measurement]:
    """`matmul` of int8 activations with weights per channel and in groups of 128."""
    rng = np.random.default_rng(0)
    for datapath, (m, n, k), name, parameters in CASES:
        real = rng.standard_normal((n, k), dtype=np.float32)
        x = rng.integers(-128, 128, (m, k)).astype(np.int8)
        a, b = x.astype(np.float32), np.ascontiguousarray(real.T)
        w = lower(quantize(real, name, **parameters))
        ours, numpy_s = side_by_side(
            lambda w=w, d=datapath, x=x: d.matmul(x, w),  # type: ignore[misc]
            lambda a=a, b=b: a @ b,  # type: ignore[misc]
        )
        groups = f", groups of {w.group_size}" if w.groups > 1 else ""
        yield Measurement(
            name=f"{type(datapath).__name__}.matmul {name}{groups}", value=m * n * k / ours / 1e9, unit="GMAC/s",
            baseline="numpy float32 matmul", ratio=numpy_s / ours,
            note=f"{m} x {n} x {k}, bit-exact; numpy {m * n * k / numpy_s / 1e9:.1f} GMAC/s",
        )  # fmt: skip
