"""A few rows of a layer's activations, on which switching activity is counted."""

import dataclasses
import functools
import hashlib

import numpy as np

from hwsim.codebook import frozen
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer

ROWS = 16
"""Rows of a sample at most, in runs of `RUN` that follow one another in the layer."""
RUN = 8
COLUMNS = 8
PRODUCTS = 1 << 15
"""Products that are looked at, at most about so many."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LayerSample:
    """Activations of a matmul and how its results are requantized.

    Attributes:
        activations: int32[R, K].
        quantizer: of all N output channels.
    """

    activations: np.ndarray
    quantizer: Quantizer

    @functools.cached_property
    def hash(self) -> str:
        """16 hex digits over everything that switching depends on."""
        digest = hashlib.sha256(repr(self.activations.shape).encode() + self.activations.astype("<i4").tobytes())
        for field in (self.quantizer.bias, self.quantizer.multiplier):
            digest.update(field.astype("<i4").tobytes())
        return digest.hexdigest()[:16]

    @classmethod
    def of(cls, x: np.ndarray, quantizer: Quantizer) -> "LayerSample":
        """From all activations int[M, K] that a layer had."""
        return cls(activations=frozen(x[_places(len(x))].astype(np.int32)), quantizer=quantizer)

    def size(self, n: int) -> tuple[int, int]:
        """Rows and output channels, of ``n``, of `part`."""
        k = self.activations.shape[1]
        columns = min(n, COLUMNS, max(2, PRODUCTS // (ROWS * k)))
        return min(len(self.activations), max(2, PRODUCTS // (columns * k))), columns

    def part(self, w: QTensor) -> tuple[np.ndarray, QTensor, Quantizer]:
        """Rows and output channels, from the middle, that make about `PRODUCTS` at most."""
        rows, columns = self.size(w.n)
        low = (w.n - columns) // 2
        return self.activations[:rows], w.rows(low, low + columns), self.quantizer.channels(slice(low, low + columns))


def _places(m: int) -> np.ndarray:
    """Rows of M: two runs, a third and two thirds in."""
    if m <= ROWS:
        return np.arange(m)
    return np.concatenate([np.arange(RUN) + (m - RUN) * part // 3 for part in (1, 2)])


@functools.lru_cache(maxsize=256)
def assumed(n: int, k: int, activation_bits: int, one_bit: bool = False) -> LayerSample:
    """What is taken for layers that nobody calibrated: normal activations whose negative half is 0, as after a ReLU,
    or with ``one_bit`` -1 and 1 alike; multipliers of all magnitudes."""
    rng = np.random.default_rng([n, k, activation_bits])
    limit = 1 << (activation_bits - 1)
    x = np.minimum(np.maximum(np.rint(rng.normal(0, limit / 4, (ROWS, k))), 0), limit - 1)
    if one_bit:
        x = rng.integers(0, 2, (ROWS, k)) * 2 - 1
    quantizer = Quantizer(
        bias=np.zeros(n, np.int32), multiplier=rng.integers(1 << 30, 1 << 31, n).astype(np.int32),
        shift=np.full(n, 40, np.uint8), invert=np.zeros(n, bool), low=-limit, high=limit - 1,
    )  # fmt: skip
    return LayerSample(activations=frozen(x.astype(np.int32)), quantizer=quantizer)
