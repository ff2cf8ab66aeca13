"""Plain integer multiply-accumulate: the baseline."""

import dataclasses
from collections.abc import Hashable, Mapping

import numpy as np

from hwsim.array_events import ACCUMULATION, SHARED_EVENTS
from hwsim.datapath import Array, Component, Event, Operand, Stats
from hwsim.integer import PE_TERMS, IntegerDatapath
from hwsim.kernels import mac as kernels
from hwsim.kernels import weight_stationary
from hwsim.switching import mac as switching


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mac(IntegerDatapath):
    """``lanes`` multipliers per PE; a step of ``lanes`` products takes one cycle."""

    EVENTS = (
        Event(
            component="mac.pe",
            action="multiply",
            features=(
                "weight_sign_toggles",
                "activation_sign_toggles",
                "product_sign_toggles",
                "product_toggles",
                "row_toggles",
                "magnitude_product_toggles",
                "result_magnitude_toggles",
                "sum_toggles",
            ),
        ),
        Event(component="mac.pe", action="accumulate", features=(*ACCUMULATION, "product_toggles", "result_toggles")),
        Event(component="mac.pe", action="scale"),
        Event(component="mac.pe", action="clock"),
        *SHARED_EVENTS,
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`: cycles do not depend on the weights' values."""
        if array.weight_stationary:
            parts = weight_stationary.slices(w.k, w.group_size, array.rows, self.lanes)
            lasts = np.ones((-(-w.n // array.cols), len(parts)), dtype=np.uint8)
            return Stats(values=weight_stationary.stats(lasts, parts, w.n, array.cols, 0))
        return Stats(values=np.zeros(1, dtype=np.int64))

    def stats_key(self, array: Array) -> Hashable:
        """See `Datapath.stats_key`."""
        return (array.rows, array.cols, self.lanes) if array.weight_stationary else None

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """See `Datapath.toggles`."""
        return switching.count(self, x, w, array)

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`."""
        return array.rows * array.cols * self.lanes

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        return (
            Component("mac.pe", array.rows * array.cols, self.pe_parameters(array), terms=PE_TERMS),
            *super().components(array),
        )
