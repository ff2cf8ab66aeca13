"""Weights that are made when they are needed and dropped afterwards, so that memory holds one layer."""

import dataclasses
import functools
import inspect
from abc import ABC, abstractmethod
from typing import Literal

import numpy as np

from hwsim import formats, schema
from hwsim.codebook import frozen
from hwsim.errors import NetworkError, nearest
from hwsim.formats import quantize
from hwsim.lowering import lower
from hwsim.qtensor import Array, QTensor

Distribution = Literal["gaussian", "uniform"]
DISTRIBUTIONS: dict[str, str] = {
    "gaussian": "normal weights, zero mean, unit variance",
    "uniform": "weights uniform in -1..1",
}
QUANTIZED_WEIGHTS = 1 << 20
"""So many weights of a drawn tensor are quantized; more are made of their rows."""
ROTATION = 64
"""Rows of one group rotate by multiples of this."""


class WeightSource(ABC):
    """A weight matrix [n, k] that is not in memory."""

    n: int
    k: int

    @property
    @abstractmethod
    def hash(self) -> str:
        """16 hex digits: sources of equal hash make equal tensors."""

    @abstractmethod
    def tensor(self) -> QTensor:
        """The weights, lowered; made anew at every call."""

    def sample(self) -> QTensor:
        """Some rows like those of `tensor`, at least as many as there are up to 64."""
        return kept_tensor(self)


KEPT_WEIGHTS = 1 << 24
"""So many weights made last are kept, in whole tensors: a small model is made once for all designs."""
_KEPT: dict[str, QTensor] = {}


def kept_tensor(source: WeightSource) -> QTensor:
    """What ``source`` makes; from memory if it is among the last `KEPT_WEIGHTS`."""
    tensor = _KEPT.pop(source.hash, None) or source.tensor()
    if source.n * source.k <= KEPT_WEIGHTS:
        _KEPT[source.hash] = tensor
    while sum(each.n * each.k for each in _KEPT.values()) > KEPT_WEIGHTS:
        del _KEPT[next(iter(_KEPT))]
    return tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn(WeightSource):
    """Weights drawn from a distribution and quantized, the same at every call.

    Up to 2**20 weights (and at least 64 rows) are drawn and quantized as they are. Of a larger tensor
    so many are; each of its rows is one of these at random, rotated by a random number of whole groups (a row
    of one group: by a multiple of 64). Values, scales and what lies within a group are so exactly those of quantized
    weights, and rows that run side by side are as good as independent.

    Attributes:
        n, k: rows and columns.
        format: number format.
        group_size: consecutive k that share a scale; None for the format's default.
        distribution: of the weights before quantization.
        seed, stream: equal ones, with all else equal, give equal weights.
    """

    n: int
    k: int
    format: str = "int8"
    group_size: int | None = None
    distribution: Distribution = "gaussian"
    seed: int = 0
    stream: int = 0

    def __post_init__(self) -> None:
        if min(self.n, self.k) < 1:
            raise NetworkError(f"weights of shape {(self.n, self.k)} are not positive")
        if min(self.seed, self.stream) < 0:
            raise NetworkError(f"seed {self.seed!r} is negative")
        if self.distribution not in DISTRIBUTIONS:
            raise NetworkError(
                f"unknown distribution {self.distribution!r}; {nearest(str(self.distribution), DISTRIBUTIONS)}"
            )
        known = inspect.signature(formats.find(self.format).quantize).parameters
        if self.group_size is not None and "group_size" not in known:
            raise NetworkError(f"format {self.format!r} has no group_size")

    @functools.cached_property
    def hash(self) -> str:
        """See `WeightSource.hash`."""
        return schema.content_hash({"drawn": 1, **schema.fields_to_plain(self)})

    @property
    def assumption(self) -> str:
        """The distribution in words."""
        return f"{DISTRIBUTIONS[self.distribution]} (seed {self.seed})"

    def sample(self) -> QTensor:
        """See `WeightSource.sample`."""
        return _quantized(dataclasses.replace(self, n=min(self.n, 64)))

    def tensor(self) -> QTensor:
        """See `WeightSource.tensor`."""
        rows = min(self.n, max(64, QUANTIZED_WEIGHTS // self.k))
        quantized = _quantized(dataclasses.replace(self, n=rows))
        return quantized if rows == self.n else _resampled(quantized, self)


@functools.lru_cache(maxsize=4)
def _quantized(source: Drawn) -> QTensor:
    rng = np.random.default_rng([source.seed, source.stream])
    size = (source.n, source.k)
    if source.distribution == "gaussian":
        values = rng.standard_normal(size, dtype=np.float32)
    else:
        values = rng.random(size, dtype=np.float32) * 2 - 1
    if formats.find(source.format).complex:
        values = values.astype(np.complex64)
    known = inspect.signature(formats.find(source.format).quantize).parameters
    params: dict[str, object] = {"pad": True} if "pad" in known else {}
    if source.group_size is not None:
        params["group_size"] = source.group_size
    return lower(quantize(values, source.format, **params))


def _resampled(q: QTensor, source: Drawn) -> QTensor:
    """``source.n`` rows of lowered ``q``, chosen and rotated at random."""
    rng = np.random.default_rng([source.seed, source.stream, source.n])
    row = rng.integers(q.n, size=source.n)
    unit = q.group_size if q.groups > 1 else ROTATION
    turns = rng.integers(q.k // unit if q.k % unit == 0 else 1, size=source.n)
    group = (np.arange(q.groups) + (turns[:, None] if q.groups > 1 else 0)) % q.groups

    def at_groups(array: Array) -> Array:
        if array is None:
            return None
        spread = np.broadcast_to(array, (*array.shape[:-2], q.n, q.groups))
        return np.ascontiguousarray(spread[..., row[:, None], group])

    twice = np.concatenate([q.codes, q.codes], axis=1)
    codes = np.empty((source.n, q.k), q.codes.dtype)
    for out, chosen, start in zip(codes, row.tolist(), (turns * unit).tolist(), strict=True):
        out[:] = twice[chosen, start : start + q.k]
    codes.flags.writeable = False  # saves the copy that freezes it
    return dataclasses.replace(
        q, shape=(source.n, q.k), codes=frozen(codes), channel_scale=q.channel_scale[row], scale=at_groups(q.scale),
        offset=at_groups(q.offset), select=at_groups(q.select), plane_weights=at_groups(q.plane_weights),
    )  # fmt: skip
