"""SqueezeLLM: a table of centroids per output channel, outliers in a sparse matrix beside it."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import ones, rows
from hwsim.formats._outliers import as_kind, largest, outlier_count
from hwsim.formats._params import check_choice
from hwsim.kernels import cluster
from hwsim.qtensor import QTensor, Sparse

ENTRY_BITS = {"fp16": 16, "fp32": 32}


def quantize(
    w: np.ndarray, *, bits: int = 3, outliers: float = 0.0, sensitive: float = 0.0,
    sensitivity: np.ndarray | None = None, entry_kind: str = "fp16", iterations: int = 50,
) -> QTensor:  # fmt: skip
    """``w = table[n][code]``, 2^bits centroids per output channel, plus sparse outliers that add.

    The fraction ``outliers`` of the largest |w|, and ``sensitive`` of the largest ``sensitivity``
    (the diagonal of the Fisher information, of the shape of w), leave the matrix first. The rest of each
    row is clustered by k-means with ``sensitivity`` as weights (None for equal), from its
    quantiles, for at most ``iterations`` steps. Every weight gets the nearest centroid, ties to the
    smaller; at an outlier that is the centroid nearest to 0 and the outlier stores what is missing.
    Centroids and outliers are kept as ``entry_kind``, an outlier's column and each row's pointer in 32 bits.
    One multiply-accumulate reads the table and multiplies in fp16; or the activations of each
    centroid are added up (`bucket_sums`) and multiplied once per centroid.
    Source: SqueezeLLM, Kim et al., arXiv 2306.07629.
    """
    check_choice("bits", bits, tuple(range(2, 9)))
    check_choice("entry_kind", entry_kind, tuple(ENTRY_BITS))
    check_choice("iterations", iterations, tuple(range(1, 1001)))
    flat = rows(w)
    if len(flat) > 1 << 16:
        raise FormatError(f"squeezellm: {len(flat)} output channels, at most {1 << 16} tables can be told apart")
    weight = _weights(sensitivity, w.shape)
    index = largest(np.abs(flat), outlier_count("outliers", outliers, flat.size))
    if sensitive and sensitivity is None:
        raise FormatError("squeezellm: sensitive outliers need a sensitivity")
    index = np.union1d(index, largest(weight, outlier_count("sensitive", sensitive, weight.size)))
    kept = np.ones(flat.shape, dtype=bool)
    kept.flat[index] = False
    tables = np.empty((len(flat), 1 << bits))
    cluster.cluster(flat, weight, kept, tables, iterations)
    width = ENTRY_BITS[entry_kind]
    sparse = Sparse(index=index, value=np.zeros(index.size, np.float32), value_bits=width) if index.size else None
    grid = QTensor(
        format="squeezellm", shape=w.shape, codes=np.zeros(flat.shape, np.uint8),
        codebook=Codebook.of(as_kind(tables, entry_kind), bits, entry_bits=width), group_size=flat.shape[1],
        select=np.arange(len(flat), dtype=np.uint16)[:, None], scale=np.ones((1, 1), np.float32), scale_kind="none",
        sparse=sparse, channel_scale=ones(len(flat)),
    )  # fmt: skip
    return encode(w, grid)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The nearest centroid, ties to the smaller; outliers stay where they are in ``like``."""
    flat = rows(w)
    dense, tables = flat, like.codebook.values[like.select[:, 0]] if like.select is not None else like.codebook.values
    grid = tables * like.scale.astype(np.float64) * like.channel_scale[:, None]
    sparse = like.sparse
    if sparse is not None:
        dense = flat.copy()
        dense.flat[sparse.index] = 0
    codes = np.empty(flat.shape, dtype=np.uint8)
    cluster.nearest(dense, grid, codes)
    if sparse is not None:
        row = sparse.index // like.k
        missing = flat.flat[sparse.index] - grid[row, codes.flat[sparse.index]]
        value = as_kind(missing, "fp16" if sparse.value_bits == 16 else "fp32")
        sparse = dataclasses.replace(sparse, value=value)
    return dataclasses.replace(like, codes=codes, sparse=sparse)


def bucket_sums(q: QTensor, x: np.ndarray) -> np.ndarray:
    """float64[N, 2^bits]: activations ``x`` [K] added up by centroid; times the table, the dense product."""
    sums = np.zeros((q.n, q.codebook.mantissas.shape[1]))
    np.add.at(sums, (np.arange(q.n)[:, None], q.codes), np.broadcast_to(x, q.codes.shape))
    return sums


def _weights(sensitivity: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if sensitivity is None:
        return np.ones((1, 1))
    weight = np.asarray(sensitivity, dtype=np.float64)
    if weight.shape != shape or not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise FormatError(f"squeezellm: sensitivity must be of shape {shape}, finite, not negative and not all 0")
    return (weight / weight.max()).reshape(shape[0], -1)


FORMATS = (
    Format(
        name="squeezellm", quantize=quantize, encode=encode,
        alphabet="8 fp16 centroids per channel at 3 bits, outliers",
        mac="a table read and an fp16 multiplication, or one addition into the centroid's bucket",
        typical={"outliers": 0.0045},
    ),
)  # fmt: skip
