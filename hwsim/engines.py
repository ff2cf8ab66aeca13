"""An array as costs see it: its parameters, what an event costs on it, and its area, looked up once for all points."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from hwsim.datapath import Array, Datapath
from hwsim.errors import HwsimError, TechnologyError
from hwsim.kernels import array_cost
from hwsim.result import Part
from hwsim.technology import Technology
from hwsim.technology.rows import EnergyRow

Figure = TypeVar("Figure")


@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """A datapath in an array, with the figures of one technology.

    Attributes:
        datapath, array: what it is.
        parts: of the array; none if ``area_error`` says why.
        area_error, energy_error: what the technology or the array lacks, else None.
        present: bool[E], whether the array has the part that an event of `Datapath.EVENTS` happens in.
        e0_pj, coefficients: float64[E], float64[E, F] picojoules of an event: fixed, and per feature.
        rows: the technology's row of each event; None where it is not present.
    """

    datapath: Datapath
    array: Array
    parts: tuple[Part, ...]
    area_error: HwsimError | None
    energy_error: HwsimError | None
    present: np.ndarray
    e0_pj: np.ndarray
    coefficients: np.ndarray
    rows: tuple[EnergyRow | None, ...]

    @classmethod
    def of(cls, datapath: Datapath, array: Array, tech: Technology) -> "Engine":
        """Looks up every figure; what is missing is an error to be raised if a layer needs it."""
        count = len(datapath.EVENTS)
        width = max([1, *(len(event.features) for event in datapath.EVENTS)])
        present, e0, coefficients = np.zeros(count, bool), np.zeros(count), np.zeros((count, width))
        rows: list[EnergyRow | None] = [None] * count
        parts: tuple[Part, ...] = ()
        area_error = energy_error = None
        try:
            datapath.check_array(array)
            parts = tuple(_parts(datapath, array, tech))
        except HwsimError as error:
            area_error = error
        parameters = {} if area_error else {part.name: part.parameters for part in datapath.components(array)}
        try:
            for i, event in enumerate(datapath.EVENTS):
                if event.component in parameters:
                    energy = figure(
                        datapath, tech.energy, event.component, event.action, parameters[event.component],
                        event.features,
                    )  # fmt: skip
                    present[i], e0[i], rows[i] = True, energy.e0_pj, energy.row
                    for name, value in energy.coefficients.items():
                        coefficients[i, event.features.index(name)] = value
        except TechnologyError as error:
            energy_error = error
        return cls(datapath, array, parts, area_error, energy_error, present, e0, coefficients, tuple(rows))

    def costs(self, layers: np.ndarray, weights: np.ndarray, switching: np.ndarray, stats: np.ndarray) -> "ArrayCosts":
        """Cycles, events and energy of ``layers``; tables as in `hwsim.kernels.array_cost`."""
        shape = (len(layers), 2, len(self.e0_pj))
        found = ArrayCosts(
            cycles=np.empty(shape[:2], np.int64), counts=np.empty(shape, np.int64),
            features=np.empty((*shape, self.coefficients.shape[1])), each_pj=np.empty(shape), pj=np.empty(shape[:2]),
        )  # fmt: skip
        kernel = array_cost.compiled(self.datapath.cycles, self.datapath.events)
        kernel(
            layers, weights, switching, stats, self.datapath.params(self.array), self.e0_pj, self.coefficients,
            found.cycles, found.counts, found.features, found.each_pj, found.pj,
        )  # fmt: skip
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class ArrayCosts:
    """Costs of L layers in both loop orders (n outer, m outer), without memory.

    Attributes:
        cycles: int64[L, 2].
        counts: int64[L, 2, E] of each event.
        features: float64[L, 2, E, F].
        each_pj: float64[L, 2, E] picojoules of one event.
        pj: float64[L, 2] of all events.
    """

    cycles: np.ndarray
    counts: np.ndarray
    features: np.ndarray
    each_pj: np.ndarray
    pj: np.ndarray


def _parts(datapath: Datapath, array: Array, tech: Technology) -> list[Part]:
    found = []
    for part in datapath.components(array):
        area = figure(datapath, tech.area, part.name, part.parameters)
        found.append(
            Part(part.name, part.count, area.area_um2, area.leakage_uw * part.count, area.critical_path_ns, area.row)
        )
    return found


def figure(datapath: Datapath, look_up: Callable[..., Figure], *arguments: object) -> Figure:
    """``look_up(*arguments)``; nothing can measure what a cost-only rule lacks, so its error names no command."""
    try:
        return look_up(*arguments)
    except TechnologyError as error:
        if datapath.verified == "rtl":
            raise
        missing = str(error).partition(";")[0]
        raise TechnologyError(
            f"{missing}; {datapath.name()} is a cost-only rule without RTL to measure: only published figures, given "
            "as rows of the table, tell its energy and area (hwsim rules counts its cycles without them)"
        ) from None
