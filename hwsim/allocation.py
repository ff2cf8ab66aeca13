"""Bits per layer: integer programs over sensitivities and costs, BAQ's closed form, and scores of layers.

Sources: HAWQ-V3 (arXiv 2011.10680) and CalibTIP (2006.10518), whose integer programs have the same form; BAQ
(its released code, github.com/CSU-ModelCompression/BAQ); layer-wise scores (2406.17415).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hwsim.errors import HwsimError

SMALLEST_LOSS = 1e-6
"""CalibTIP's least increase of a loss: a layer that seems to improve when it is coarser is noise."""

TOLERANCE = 1e-5
"""Of the solver, in units of the largest cost of a layer."""


def allocate(
    sensitivity: np.ndarray,
    costs: Mapping[str, np.ndarray],
    limits: Mapping[str, float],
    tied: Sequence[Sequence[int]] = (),
) -> np.ndarray:
    """int64[L]: which of C precisions each of L layers gets, so that the sum of sensitivities is least.

    Args:
        sensitivity: float[L, C]: what each precision costs in accuracy, as `perturbation` or a measured loss.
        costs: float[L, C] by name.
        limits: the most that a cost may sum up to.
        tied: layers, by number, that have the same precision, as branches that are added.

    The optimum is exact (`scipy.optimize.milp`). HwsimError if the tables do not fit, or nothing keeps the limits.
    """
    values = _table("sensitivity", sensitivity)
    tables = {name: _table(name, table, values.shape) for name, table in costs.items()}
    unknown = set(limits) - set(tables)
    if unknown:
        raise HwsimError(f"limit of {min(unknown)!r}: there are costs {', '.join(tables) or 'none'}")
    for name, limit in limits.items():
        least = float(tables[name].min(axis=1).sum())
        if least > limit:
            raise HwsimError(f"no precisions keep {name} <= {limit:g}: the least is {least:g}")
    rows = np.arange(len(values))
    for margin in (0.0, TOLERANCE):  # the solver may overstep a limit by its tolerance
        chosen = _solved(values, [(tables[name], limit, margin) for name, limit in limits.items()], tied)
        if chosen is not None and all(tables[name][rows, chosen].sum() <= limit for name, limit in limits.items()):
            return chosen
    raise HwsimError(f"no precisions keep {' and '.join(f'{name} <= {each:g}' for name, each in limits.items())}")


def _solved(
    values: np.ndarray, limits: Sequence[tuple[np.ndarray, float, float]], tied: Sequence[Sequence[int]]
) -> np.ndarray | None:
    """The least sum of float64[L, C] ``values`` under (costs, limit, relative margin), in units of which 1 is large."""
    from scipy import optimize, sparse

    size, choices = values.shape
    constraints = [optimize.LinearConstraint(sparse.kron(sparse.eye(size), np.ones((1, choices))), 1, 1)]
    for first, *others in tied:
        for other in others:
            same = sparse.lil_array((choices, size * choices))
            for choice in range(choices):
                same[choice, first * choices + choice], same[choice, other * choices + choice] = 1, -1
            constraints.append(optimize.LinearConstraint(same.tocsr(), 0, 0))
    for table, limit, margin in limits:
        unit = np.abs(table).max() or 1.0
        constraints.append(optimize.LinearConstraint(table.reshape(1, -1) / unit, -np.inf, limit / unit - margin))
    found = optimize.milp(
        values.ravel() / (np.abs(values).max() or 1.0), integrality=np.ones(values.size),
        bounds=optimize.Bounds(0, 1), constraints=constraints, options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    return None if found.x is None else found.x.reshape(values.shape).argmax(axis=1).astype(np.int64)


def between(cost: np.ndarray, share: float) -> float:
    """A limit ``share`` of the way from the cheapest to the dearest precision of all layers of float[L, C]."""
    least, most = float(cost.min(axis=1).sum()), float(cost.max(axis=1).sum())
    return least + share * (most - least)


def perturbation(w: np.ndarray, quantized: np.ndarray, mean_trace: float = 1.0) -> float:
    """HAWQ's second-order loss of a layer: the Hessian's trace per weight times the squared error of its weights."""
    return float(mean_trace * np.square(np.asarray(w, np.float64) - quantized).sum())


def optimal_bits(c: np.ndarray, mean_bits: float) -> np.ndarray:
    """float64[n] bits R >= 0 of mean ``mean_bits`` that minimise ``sum(c * 4**-R)``: reverse water filling.

    HwsimError unless all ``c`` are positive and ``mean_bits`` is not negative.
    """
    losses = np.asarray(c, np.float64)
    if losses.ndim != 1 or not losses.size or not (np.isfinite(losses) & (losses > 0)).all() or not mean_bits >= 0:
        raise HwsimError(f"losses must be positive and bits not negative, got {losses} and {mean_bits}")
    order = np.argsort(-losses, kind="stable")
    half_logs = np.log2(losses[order]) / 2
    # With the k most sensitive in use all of them end with one loss; k is the most that leaves none of them below 0.
    counts = np.arange(1, losses.size + 1)
    levels = (np.cumsum(half_logs) - mean_bits * losses.size) / counts
    used = int(np.flatnonzero(half_logs - levels >= 0).max()) if mean_bits > 0 else 0
    bits = np.zeros(losses.size)
    bits[order] = np.maximum(half_logs - levels[used], 0.0)
    return bits


def allocated_levels(losses: np.ndarray, reference_bits: float, slope: float = 1.95) -> np.ndarray:
    """int64[n] levels of each component from its loss at ``reference_bits``, as BAQ's released code sets them.

    A loss falls by ``2**-slope`` per bit; components then end with equal losses. Levels are rounded to nearest even,
    and need not be powers of two; 1 is a constant.
    """
    values = np.asarray(losses, np.float64)
    if not values.size or not (np.isfinite(values) & (values > 0)).all() or not slope > 0:
        raise HwsimError(f"losses and slope must be positive, got {values} and {slope}")
    mean = math.exp(np.log(values).mean())
    real = (values / mean * 2.0 ** (slope * reference_bits)) ** (1 / slope)
    return np.rint(np.maximum(real, 1.0)).astype(np.int64)


def input_modification(x_in: np.ndarray, x_out: np.ndarray) -> float:
    """How little a layer changes its input: minus the cosine of the angle; layers of lower score matter less."""
    a, b = (np.asarray(each, np.float64).ravel() for each in (x_in, x_out))
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if a.size != b.size or norms == 0:
        raise HwsimError("a layer's score needs input and output of one size, not all zero")
    return float(-(a @ b) / norms)


def outstanding_share(w: np.ndarray) -> float:
    """Share of weights more than a standard deviation above the mean; layers of lower share matter more."""
    values = np.asarray(w, np.float64)
    spread = values.std()
    return float(((values - values.mean()) > spread).mean()) if spread > 0 else 0.0


def _table(name: str, table: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
    values = np.asarray(table, np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all() or shape not in (None, values.shape):
        wanted = "[layers, precisions]" if shape is None else list(shape)
        raise HwsimError(f"{name} of shape {list(values.shape)}: expected finite numbers {wanted}")
    return values
