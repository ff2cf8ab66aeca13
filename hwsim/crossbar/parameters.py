"""What a crossbar is made of: devices, wires, sense amplifiers.

Defaults and their sources: Ron 50 kohm within 10..100 kohm, Roff/Ron 20 within 8..100; 1.5 ohm per cell of bit line
at 22 nm (metal of 40 nm, 2.97e-8 ohm m, DNN+NeuroSim V1.4); read noise 1 % (aihwkit, ReRAM); stuck cells 0.1 % and
0.1 % (MNSIM 2.0); the spreads and the sense amplifier's offset are assumed.
"""

import dataclasses
from typing import Literal

from hwsim import schema
from hwsim.errors import DesignError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Device:
    """A resistive memory cell with two states: LRS (on) and HRS (off).

    Attributes:
        ron_ohm, roff_ohm: nominal resistance of both states.
        sigma_lrs, sigma_hrs: standard deviation of ln(conductance) over cells, once per programming; the mean
            conductance is nominal.
        write_verify: cells whose ln(conductance) is further than this from its centre are written again; None: never.
        lowest_ohm, highest_ohm: resistances that programming cannot leave; None: no bound.
        read_noise: standard deviation of a cell's conductance from read to read, relative to it.
        stuck_off, stuck_on: probability of a cell that stays in one state whatever is written.
    """

    ron_ohm: float = 50e3
    roff_ohm: float = 1e6
    sigma_lrs: float = 0.1
    sigma_hrs: float = 0.3
    write_verify: float | None = None
    lowest_ohm: float | None = None
    highest_ohm: float | None = None
    read_noise: float = 0.01
    stuck_off: float = 0.001
    stuck_on: float = 0.001

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1.0, 1e18, "ron_ohm", "roff_ohm")
        schema.check_range(self, 0.0, 3.0, "sigma_lrs", "sigma_hrs")
        schema.check_range(self, 0.0, 1.0, "read_noise", "stuck_off", "stuck_on")
        if self.ron_ohm >= self.roff_ohm:
            raise DesignError(f"Device.ron_ohm = {self.ron_ohm:g} must be below roff_ohm = {self.roff_ohm:g}")
        if self.stuck_off + self.stuck_on > 1:
            raise DesignError(
                f"Device.stuck_off + stuck_on = {self.stuck_off + self.stuck_on:g}: accepted are probabilities whose "
                "sum is at most 1"
            )
        for name in ("write_verify", "lowest_ohm", "highest_ohm"):
            if getattr(self, name) is not None:
                schema.check_range(self, 1e-3, 1e18, name)
        if (self.lowest_ohm or 0) > self.ron_ohm or (self.highest_ohm or 1e18) < self.roff_ohm:
            raise DesignError("Device: lowest_ohm and highest_ohm must enclose ron_ohm and roff_ohm")

    @property
    def g_on(self) -> float:
        """Nominal conductance of an LRS cell in siemens."""
        return 1 / self.ron_ohm

    @property
    def g_off(self) -> float:
        """Nominal conductance of an HRS cell in siemens."""
        return 1 / self.roff_ohm

    @property
    def window(self) -> float:
        """What one cell in the other state changes: g_on - g_off, the conductance of one LSB."""
        return self.g_on - self.g_off


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wires:
    """Bit line and source line of a column, and their capacitance.

    Attributes:
        bit_line_ohm, source_line_ohm: of the piece between two cells; 0: ideal.
        source_feed: the end at which the source line is held, ``"near"`` the sense amplifier or ``"far"`` from it.
        capacitance_ff: of the piece of any line at one cell (MNSIM 2.0: 1 fF).
    """

    bit_line_ohm: float = 1.5
    source_line_ohm: float = 0.0
    source_feed: Literal["near", "far"] = "near"
    capacitance_ff: float = 1.0

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 0.0, 1e6, "bit_line_ohm", "source_line_ohm")
        schema.check_range(self, 0.0, 1e3, "capacitance_ff")

    @property
    def ideal(self) -> bool:
        """Whether no current is lost."""
        return not (self.bit_line_ohm or self.source_line_ohm)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SenseAmplifier:
    """One-bit read-out: 1 where the current is above the reference.

    Attributes:
        offset_lsb: standard deviation of its offset, fixed per amplifier, in currents of one cell.
        noise_lsb: standard deviation of its noise, drawn per decision.
        energy_fj: of one decision (published: 1.6 to 18 fJ).
    """

    offset_lsb: float = 1.0
    noise_lsb: float = 0.0
    energy_fj: float = 10.0

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 0.0, 1e3, "offset_lsb", "noise_lsb")
        schema.check_range(self, 0.0, 1e6, "energy_fj")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adc:
    """A converter in the sense amplifiers' place: for comparing costs only.

    Attributes:
        bits: resolution, 4 to 8.
        reference: where its energy comes from.
    """

    bits: int = 8
    reference: Literal["neurosim", "murmann", "isaac"] = "isaac"

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 4, 8, "bits")


IDEAL_DEVICE = Device(
    ron_ohm=1e4, roff_ohm=1e18, sigma_lrs=0.0, sigma_hrs=0.0, read_noise=0.0, stuck_off=0.0, stuck_on=0.0
)
"""No spread, no noise, no faults, and practically no current when off."""
IDEAL_WIRES = Wires(bit_line_ohm=0.0)
IDEAL_SENSE = SenseAmplifier(offset_lsb=0.0)
