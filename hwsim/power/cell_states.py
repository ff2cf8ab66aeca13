"""Probabilities of the joint states of a cell's pins: bit k of a state is the value of pin k."""

import numpy as np

from hwsim.errors import PowerError
from hwsim.power.cells import Cell
from hwsim.power.expression import Expression


def on_states(cell: Cell, expression: Expression) -> np.ndarray:
    """Value of an expression of pins in every state of the cell: bool[2^pins]."""
    rows = np.arange(1 << len(cell.pins))
    place = {name: k for k, name in enumerate(cell.pins)}
    for name in expression.inputs:
        if name not in place:
            raise PowerError(
                f"cell {cell.name!r} of {cell.library}: a condition names {name!r}, which is no signal pin"
            )
    values = {name: (rows >> place[name]) & 1 for name in expression.inputs}
    return _apply(expression, values, rows.size)


def independent(pins: np.ndarray) -> np.ndarray:
    """Probabilities of all states of pins that are 1 independently with probability ``pins`` float64[I, pins]."""
    states = np.ones((len(pins), 1))
    for k in range(pins.shape[1]):
        states = np.concatenate([states * (1 - pins[:, [k]]), states * pins[:, [k]]], axis=1)
    return states


def completed(cell: Cell, observed: np.ndarray, clocks: list[int], unconnected: list[int]) -> np.ndarray:
    """Probabilities of all states from those where some pins were taken as 0: float64[I, 2^pins].

    Pins ``clocks`` are 1 half of the time, independently; outputs ``unconnected`` follow from the other pins.
    """
    index = np.arange(observed.shape[1])
    for k in clocks:
        moved = observed[:, index ^ (1 << k)] + observed
        observed = moved / 2
    held = np.zeros(index.size, np.int64)
    for k, pin in enumerate(cell.pins.values()):
        function = pin.function
        state = cell.flip_flop.state if cell.flip_flop is not None else None
        if k not in unconnected and function is not None and function.inputs == (state,):
            held = ((index >> k) & 1) ^ (function.table == 0b01)
    target = _with_outputs(cell, index, held, unconnected)
    result = np.zeros_like(observed)
    for row, place in enumerate(target):
        result[:, place] += observed[:, row]
    return result


def _with_outputs(cell: Cell, index: np.ndarray, held: np.ndarray, outputs: list[int]) -> np.ndarray:
    """The states ``index`` with the bits of ``outputs`` replaced by their functions; ``held``: flip-flop state."""
    names = list(cell.pins)
    values = {name: (index >> k) & 1 for k, name in enumerate(names)}
    if cell.flip_flop is not None:
        values[cell.flip_flop.state] = held
    for k in outputs:
        function = cell.pins[names[k]].function
        if function is not None:
            value = _apply(function, values, index.size).astype(np.int64)
            index = (index & ~(1 << k)) | (value << k)
    return index


def _apply(expression: Expression, values: dict[str, np.ndarray], size: int) -> np.ndarray:
    row = np.zeros(size, np.int64)
    for k, name in enumerate(expression.inputs):
        row += values[name].astype(np.int64) << k
    return expression.bits()[row]
