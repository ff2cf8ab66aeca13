"""Bit-exact matmul of each datapath against float32 BLAS."""

from collections.abc import Iterator

import numpy as np

from benchmarks.measurement import Measurement, side_by_side
from hwsim import BitSerial, Mac, lower, quantize

M, N, K = 512, 768, 768


def measure() -> Iterator[Measurement]:
    """`matmul` on 512 x 768 x 768: int8 per channel, and int4 with groups of 128."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((N, K), dtype=np.float32)
    x = rng.integers(-128, 128, (M, K)).astype(np.int8)
    a, b = x.astype(np.float32), np.ascontiguousarray(real.T)
    for datapath in (Mac(), BitSerial()):
        for name, parameters in (("int8", {}), ("int4", {"group_size": 128})):
            w = lower(quantize(real, name, **parameters))
            ours, numpy_s = side_by_side(lambda w=w, d=datapath: d.matmul(x, w), lambda: a @ b)
            groups = f", groups of {w.group_size}" if w.groups > 1 else ""
            yield Measurement(
                name=f"{type(datapath).__name__}.matmul {name}{groups}", value=M * N * K / ours / 1e9, unit="GMAC/s",
                baseline="numpy float32 matmul", ratio=numpy_s / ours,
                note=f"{M} x {N} x {K}, bit-exact; numpy {M * N * K / numpy_s / 1e9:.1f} GMAC/s",
            )  # fmt: skip
