"""Non-negative least squares by the normal equations, from which parts of the data can be taken out again."""

import dataclasses
from typing import Self

import numpy as np
from scipy.optimize import nnls

RIDGE = 1e-10
"""Of the mean square of a column: what makes columns that depend on each other solvable."""


@dataclasses.dataclass(frozen=True, eq=False)
class Normal:
    """``A.T @ A`` and ``A.T @ b`` of equations ``A x = b``."""

    square: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray) -> Self:
        """Of float64[equations, unknowns] and float64[equations]."""
        return cls(a.T @ a, a.T @ b)

    def __add__(self, other: "Normal") -> "Normal":
        return Normal(self.square + other.square, self.right + other.right)

    def __sub__(self, other: "Normal") -> "Normal":
        return Normal(self.square - other.square, self.right - other.right)

    def solve(self) -> np.ndarray:
        """The non-negative float64[unknowns] of least squares; 0 for unknowns that no equation has."""
        norm = np.sqrt(np.maximum(np.diag(self.square), 0.0))
        used = norm > 0
        result = np.zeros(len(norm))
        if used.any():
            scale = norm[used]
            square = self.square[np.ix_(used, used)] / np.outer(scale, scale)
            lower = np.linalg.cholesky(square + RIDGE * len(square) * np.eye(len(square)))
            result[used] = nnls(lower.T, np.linalg.solve(lower, self.right[used] / scale))[0] / scale
        return result
