"""The leading singular vectors of a matrix."""

import numpy as np

DIRECT = 512
"""Matrices with a side up to this are decomposed directly."""
OVERSAMPLING = 8
PASSES = 6


def leading(matrix: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """float64 ``u`` [N, rank] and ``v`` [rank, K] with ``u @ v`` the best approximation of ``matrix``.

    Each singular value is shared, its root on either side; a pair of vectors is signed so that
    ``v`` sums to no less than 0. Large matrices go through a randomized decomposition (Halko et al., arXiv
    0909.4061, algorithm 4.4) of fixed seed: repeatable, close to the best.
    """
    if min(matrix.shape) <= DIRECT:
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
    else:
        basis = _range(matrix, rank + OVERSAMPLING)
        left, values, right = np.linalg.svd(basis.T @ matrix, full_matrices=False)
        left = basis @ left
    root = np.sqrt(values[:rank])
    sign = np.where(right[:rank].sum(axis=1) < 0, -1.0, 1.0)
    return left[:, :rank] * (root * sign), right[:rank] * (root * sign)[:, None]


def _range(matrix: np.ndarray, size: int) -> np.ndarray:
    """Orthonormal [N, size] that spans nearly the leading left singular vectors."""
    basis = matrix @ np.random.default_rng(0).standard_normal((matrix.shape[1], size))
    for _ in range(PASSES):
        basis = matrix @ (matrix.T @ np.linalg.qr(basis)[0])
    return np.linalg.qr(basis)[0]
