"""What the published schedules make of a network: cycles of every shipped rule, counted on real tensors."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from hwsim import presets
from hwsim.datapaths.mac import Mac
from hwsim.design import Design
from hwsim.errors import DesignError
from hwsim.inference import trace
from hwsim.kernels.rules import TILE_ROWS
from hwsim.network import Network
from hwsim.operators import Matmul
from hwsim.qtensor import QTensor
from hwsim.scheduling import ScheduledRule

BASELINE = "stripes"
EQUAL_ADDERS = (BASELINE, "pragmatic", "bitlet", "bitwave", "bitvert_conservative", "bitvert_moderate")
"""Presets whose arrays add as many operands per cycle, 4096; BBS compares them with the first (MICRO 2024)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Count:
    """One rule on one network.

    Attributes:
        preset: name of the shipped design.
        cycles: compute cycles of all matmuls, without fill, drain and memory.
        dense_cycles: the same array if nothing were skipped.
        over_stripes: cycles of the preset `BASELINE` over these; None for arrays of other size.
    """

    preset: str
    cycles: int
    dense_cycles: int
    over_stripes: float | None

    @property
    def over_dense(self) -> float:
        """Speed over the same array without skipping."""
        return self.dense_cycles / self.cycles


def rules() -> dict[str, Design]:
    """The shipped designs whose datapath is a rule, by name."""
    designs = {name: presets.load(name) for name in presets.available()}
    return {name: design for name, design in designs.items() if isinstance(design.datapath, ScheduledRule)}


def operands(network: Network, x: np.ndarray) -> list[tuple[np.ndarray, QTensor]]:
    """Activations int[M, K] and weights [N, K] of every matmul for inputs ``x``."""
    exact = Design(datapath=Mac(activation_bits=16, scale_bits=16, offset_bits=16))
    values: dict[str, np.ndarray] = {}
    found = []
    for node, value in trace(network, exact, x):
        if isinstance(node.operator, Matmul):
            found += node.operator.operands(*(values[name] for name in node.inputs))
        values[node.name] = value
    return found


def count(matmuls: Iterable[tuple[np.ndarray, QTensor]]) -> list[Count]:
    """Every shipped rule on the same matmuls. FormatError if a rule cannot take a weight."""
    chosen = list(matmuls)
    totals = {name: _totals(design, chosen) for name, design in rules().items()}
    base = totals[BASELINE][0]
    return [
        Count(
            preset=name, cycles=cycles, dense_cycles=dense, over_stripes=base / cycles if name in EQUAL_ADDERS else None
        )
        for name, (cycles, dense) in totals.items()
    ]


def _totals(design: Design, matmuls: list[tuple[np.ndarray, QTensor]]) -> tuple[int, int]:
    rule = design.datapath
    if not isinstance(rule, ScheduledRule):
        raise DesignError(f"{rule.name()} is no rule")
    cycles = dense = 0
    for x, w in matmuls:
        rule.supports(w)
        values = rule.count(w, x if rule.reads_activations else None, design.array).values
        shape = np.array([len(x), w.n, w.k, w.group_size, 0], dtype=np.int64)
        cycles += int(rule.cycles(shape, values, rule.params(design.array)))
        dense += -(-len(x) // int(values[TILE_ROWS])) * rule.dense_cycles(w, design.array)
    return cycles, dense
