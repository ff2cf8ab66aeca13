"""A design point: datapath, array, memory, technology and clock, from Python or YAML."""

import dataclasses
import fnmatch
import functools
import math
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from hwsim import schema
from hwsim.datapath import Array, Dataflow, Datapath
from hwsim.datapaths.mac import Mac
from hwsim.errors import DesignError
from hwsim.files import read_yaml, write_atomically

SCHEMA_VERSION = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sram:
    """An on-chip buffer: capacity, banks that work in parallel, bits per access of a bank.

    Without a width an access is as wide as what the array takes per step, and a step is one access, however
    little of it is used.
    """

    kib: float
    banks: int = 8
    width_bits: int | None = 128

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1 / 16, 1 << 20, "kib")
        schema.check_range(self, 1, 4096, "banks")
        if self.width_bits is not None:
            schema.check_range(self, 1, 4096, "width_bits")
        elif self.banks != 1:
            raise DesignError(f"Sram: without width_bits all banks work as one; banks = {self.banks}, accepted is 1")

    @property
    def bits(self) -> int:
        """Capacity in bits."""
        return int(self.kib * 8192)

    @property
    def bits_per_cycle(self) -> float:
        """Bits that all banks deliver per cycle: without a width, whatever the array takes."""
        return math.inf if self.width_bits is None else self.banks * self.width_bits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dram:
    """Off-chip memory: a type named in the technology table, and its bandwidth."""

    type: str = "LPDDR4"
    bandwidth_gb_s: float = 25.6

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1e-6, 1e6, "bandwidth_gb_s")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counted:
    """What a cost model may leave out: all of it counts unless a published model is to be met.

    Attributes:
        leakage: energy of all parts, for as long as the workload runs.
        host_operators: cycles, energy and area of what is not a matmul.
        partial_dram_cycles: the last DRAM cycle of a layer, if it moves less than it could.
    """

    leakage: bool = True
    host_operators: bool = True
    partial_dram_cycles: bool = True

    def __post_init__(self) -> None:
        schema.check_types(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Override:
    """Layers whose name matches ``layers`` (shell pattern) run on another datapath or array."""

    layers: str
    datapath: Datapath | None = None
    array: Array | None = None

    def __post_init__(self) -> None:
        schema.check_types(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """One point of the design space.

    Attributes:
        datapath: what multiplies and accumulates.
        array: PEs.
        activation_buffer, weight_buffer, output_buffer: on-chip memory; without output buffer results go
            to DRAM and back into the activation buffer as they leave the array.
        dram: off-chip memory.
        technology: folder of energy and area rows under ``hwsim/data/technology``.
        clock_mhz: clock frequency.
        overlap: memory transfers hide behind compute per ``"tile"`` or over the ``"layer"``.
        refetch: an operand that does not stay on chip is read again per outer ``"tile"`` or, all matmuls of a
            ``"layer"`` together, per buffer full of the other operand.
        counted: what costs include.
        vector_lanes: elements that the unit for host operators takes per cycle.
        overrides: layers that run on another datapath or array; the first match counts.
    """

    datapath: Datapath = Mac()
    array: Array = Array()
    activation_buffer: Sram = Sram(kib=64, banks=16)
    weight_buffer: Sram = Sram(kib=64, banks=16)
    output_buffer: Sram | None = Sram(kib=32)
    dram: Dram = Dram()
    technology: str = "nangate45"
    clock_mhz: float = 500.0
    overlap: Literal["tile", "layer"] = "tile"
    refetch: Literal["tile", "layer"] = "tile"
    counted: Counted = Counted()
    vector_lanes: int = 16
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1e-3, 1e5, "clock_mhz")
        schema.check_range(self, 1, 1 << 16, "vector_lanes")
        if self.refetch == "layer" and self.overlap == "tile":
            raise DesignError("refetch 'layer' needs overlap 'layer': a buffer full is no whole number of tiles")
        if self.output_buffer is not None and self.output_buffer.width_bits is None:
            raise DesignError("output_buffer.width_bits is missing: the array's results have no step")

    @property
    def dataflow(self) -> Dataflow:
        """What stays in the PEs of `array`."""
        return self.array.dataflow

    def layer(self, name: str) -> "Design":
        """The design as layer ``name`` sees it: with the first matching override applied."""
        for override in self.overrides:
            if fnmatch.fnmatchcase(name, override.layers):
                return dataclasses.replace(
                    self, datapath=override.datapath or self.datapath, array=override.array or self.array
                )
        return self

    def to_plain(self) -> dict[str, Any]:
        """Plain data, one key per field."""
        return schema.fields_to_plain(self)

    @classmethod
    def from_plain(cls, data: Any, where: str = "") -> Self:
        """The inverse of `to_plain`; missing keys take their defaults, unknown ones are refused.

        ``dataflow`` beside ``array`` is accepted as one of the array's keys: it stood there in version 1.
        """
        if isinstance(data, dict) and "dataflow" in data:
            dataflow = data["dataflow"]
            data = {key: item for key, item in data.items() if key != "dataflow"}
            array = data.setdefault("array", {})
            if isinstance(array, dict):
                if array.get("dataflow", dataflow) != dataflow:
                    raise DesignError(f"dataflow is {dataflow!r} and array.dataflow {array['dataflow']!r}")
                data["array"] = {"dataflow": dataflow, **array}
        return schema.fields_from_plain(cls, data, where)

    @functools.cached_property
    def buffers(self) -> dict[str, Sram]:
        """The buffers that the design has, by name."""
        named = {name: getattr(self, name) for name in ("activation_buffer", "weight_buffer", "output_buffer")}
        return {name: sram for name, sram in named.items() if sram is not None}

    @property
    def result_buffer(self) -> str:
        """The buffer that results go to."""
        return "activation_buffer" if self.output_buffer is None else "output_buffer"

    @property
    def left_out(self) -> tuple[str, ...]:
        """What costs do not include, in words; empty unless the design says so."""
        missing = [name for name, counts in schema.fields_to_plain(self.counted).items() if not counts]
        return (*(name.replace("_", " ") for name in missing), *self.datapath.left_out)

    @property
    def hash(self) -> str:
        """16 hex digits: equal for equal designs, whatever order or form they were written in."""
        return schema.content_hash({"schema": SCHEMA_VERSION, **self.to_plain()})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A design from a YAML file; DesignError naming the file and the key that is wrong."""
        file = Path(path)
        data = read_yaml(file, "design file")
        try:
            return cls.from_plain({} if data is None else data)
        except DesignError as error:
            raise DesignError(f"{file.name}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Writes the design as YAML, every field named."""
        text = yaml.safe_dump(self.to_plain(), sort_keys=False)
        write_atomically(Path(path), text.encode())
