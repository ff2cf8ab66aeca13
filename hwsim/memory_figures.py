"""What buffers, DRAM and the unit for host operators cost in a technology, as rows for `hwsim.kernels.cost`."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from hwsim import technology
from hwsim.design import Counted, Dram, Sram
from hwsim.errors import HwsimError
from hwsim.technology import SramFigures

BUFFERS = ("activation_buffer", "weight_buffer", "output_buffer")


@dataclasses.dataclass(frozen=True)
class Figures:
    """Area and leakage of a part, picojoules per action, what kernels count with; or why there are none."""

    area_um2: float = 0.0
    leakage_uw: float = 0.0
    pj: tuple[float, float] = (0.0, 0.0)
    numbers: tuple[int, int, int, int] = (0, 1, 1, 0)
    error: HwsimError | None = None


def _or_error(look_up: Callable[..., Figures]) -> Callable[..., Figures]:
    @functools.wraps(look_up)
    def found(*arguments: Any) -> Figures:
        try:
            return look_up(*arguments)
        except HwsimError as error:
            return Figures(error=error)

    return found


def width_bits(name: str, sram: Sram, beat: tuple[int, int]) -> int:
    """Bits of one access to a bank of buffer ``name``; a step's operands have the widths ``beat``."""
    return beat[BUFFERS.index(name)] if sram.width_bits is None else sram.width_bits


def bank(sram: Sram, tech: str, width: int) -> SramFigures:
    """Figures of one bank of ``width`` bits; TechnologyError if there are none."""
    return technology.load(tech).sram(sram.kib * 1024 / sram.banks, width)


@_or_error
def buffer(name: str, sram: Sram | None, tech: str, beat: tuple[int, int]) -> Figures:
    """All banks of a buffer, picojoules per read and write; nothing if there is no such buffer."""
    if sram is None:
        return Figures()
    width = width_bits(name, sram, beat)
    found = bank(sram, tech, width)
    stepwise = sram.width_bits is None
    return Figures(
        sram.banks * found.area_um2, found.leakage_uw * sram.banks, (found.read_pj, found.write_pj),
        (sram.bits, width, 0 if stepwise else sram.banks * width, stepwise),
    )  # fmt: skip


@_or_error
def dram(kind: Dram, tech: str) -> Figures:
    """Picojoules per bit read and written."""
    read, write = (technology.load(tech).energy("dram", action, {"type": kind.type}) for action in ("read", "write"))
    return Figures(pj=(read.e0_pj, write.e0_pj))


@_or_error
def vector_unit(lanes: int, counted: Counted, tech: str, used: bool) -> Figures:
    """The unit for host operators, picojoules per element if it is ``used``; nothing if they do not count."""
    if not counted.host_operators:
        return Figures()
    area = technology.load(tech).area("vector_unit", {"lanes": lanes})
    pj = technology.load(tech).energy("vector_unit", "element", {"lanes": lanes}).e0_pj if used else 0.0
    return Figures(area.area_um2, area.leakage_uw, (pj, 0.0))
