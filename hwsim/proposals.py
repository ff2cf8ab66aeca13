"""Points of a space worth looking at, proposed by Optuna, asked for and told in batches."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.errors import DesignError, MissingExtraError, nearest

METHODS = {"nsga2": 25, "tpe": 5, "gp": 1}
"""Methods that sample, and how many points each proposes at a time."""
START = 64
"""Points of a Sobol sequence come first, or a quarter of all if that is less."""

Choice = tuple[int, ...]


class Proposals:
    """Choices of one value per axis, for several objectives of which smaller is better.

    The same seed, answered alike, proposes the same points in the same order, so that a search that was killed
    goes through what it knows again and on from there. Numbers on an axis are in order; other values are not.
    """

    def __init__(self, axes: Mapping[str, Sequence[Any]], method: str, objectives: int, total: int, seed: int) -> None:
        if method not in METHODS:
            raise DesignError(f"unknown method {method!r}; {nearest(method, METHODS)}")
        self._rng = np.random.default_rng(seed)
        self.axes = {key: _ordered(values) for key, values in axes.items()}
        from scipy.stats import qmc

        with _optuna() as optuna:
            start = min(START, max(total // 4, 1))
            self._study = optuna.create_study(
                directions=["minimize"] * objectives, sampler=_sampler(optuna, method, start, seed)
            )
            kinds = optuna.distributions
            self._axes = {
                key: kinds.IntDistribution(0, len(values) - 1)
                if _numeric(values)
                else kinds.CategoricalDistribution(list(range(len(values))))
                for key, values in self.axes.items()
            }
            # A power of two keeps the sequence balanced; what is more than asked for is not used.
            sequence = qmc.Sobol(len(self.axes), rng=self._rng).random_base2((start - 1).bit_length())
            self._enqueue(sequence[:start])
        self._failed = optuna.trial.TrialState.FAIL

    def ask(self, count: int) -> list[tuple[Any, dict[str, Any]]]:
        """``count`` choices, each with what `tell` wants to know it by."""
        found = []
        with _optuna():
            for _ in range(count):
                trial = self._study.ask(self._axes)
                found.append((trial, {key: values[trial.params[key]] for key, values in self.axes.items()}))
        return found

    def scatter(self, count: int) -> None:
        """Has `ask` give ``count`` choices by chance before the method's own."""
        with _optuna():
            self._enqueue(self._rng.random((count, len(self.axes))))

    def _enqueue(self, places: np.ndarray) -> None:
        sizes = [len(values) for values in self.axes.values()]
        for row in (places * sizes).astype(int).tolist():
            self._study.enqueue_trial(dict(zip(self.axes, row, strict=True)))

    def tell(self, trial: Any, values: np.ndarray, excess: np.ndarray) -> None:
        """What a choice came to: NaN if it is infeasible; ``excess`` over each limit."""
        with _optuna():
            if not np.isfinite(values).all():
                self._study.tell(trial, state=self._failed)
                return
            for i, each in enumerate(excess):
                trial.set_constraint(str(i), float(each))
            self._study.tell(trial, list(map(float, values)))


def _sampler(optuna: Any, method: str, start: int, seed: int) -> Any:
    if method == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed)
    if method == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=start)
    try:
        import torch  # noqa: F401 - of which the sampler only says so when it is asked
    except ImportError:
        raise MissingExtraError("search by Gaussian processes", "torch") from None
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=start, deterministic_objective=True)


@contextlib.contextmanager
def _optuna() -> Iterator[Any]:
    """Optuna without its messages: what is experimental in it is not the user's concern."""
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("search by sampling", "search") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _ordered(values: Sequence[Any]) -> list[Any]:
    return sorted(values) if _numeric(values) else list(values)
