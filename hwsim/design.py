"""A design point: datapath, array, memory, technology and clock, from Python or YAML."""

import dataclasses
import fnmatch
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
    """An on-chip buffer: capacity, banks that work in parallel, bits per access of a bank."""

    kib: float
    banks: int = 8
    width_bits: int = 128

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1 / 16, 1 << 20, "kib")
        schema.check_range(self, 1, 4096, "banks")
        schema.check_range(self, 1, 4096, "width_bits")

    @property
    def bits(self) -> int:
        """Capacity in bits."""
        return int(self.kib * 8192)

    @property
    def bits_per_cycle(self) -> int:
        """Bits that all banks deliver per cycle."""
        return self.banks * self.width_bits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dram:
    """Off-chip memory: a type named in the technology table, and its bandwidth."""

    type: str = "LPDDR4"
    bandwidth_gb_s: float = 25.6

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1e-6, 1e6, "bandwidth_gb_s")


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
        activation_buffer, weight_buffer, output_buffer: on-chip memory.
        dram: off-chip memory.
        technology: folder of energy and area rows under ``hwsim/data/technology``.
        clock_mhz: clock frequency.
        overlap: memory transfers hide behind compute per ``"tile"`` or over the ``"layer"``.
        vector_lanes: elements that the unit for host operators takes per cycle.
        overrides: layers that run on another datapath or array; the first match counts.
    """

    datapath: Datapath = Mac()
    array: Array = Array()
    activation_buffer: Sram = Sram(kib=64, banks=16)
    weight_buffer: Sram = Sram(kib=64, banks=16)
    output_buffer: Sram = Sram(kib=32)
    dram: Dram = Dram()
    technology: str = "horowitz45"
    clock_mhz: float = 500.0
    overlap: Literal["tile", "layer"] = "tile"
    vector_lanes: int = 16
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1e-3, 1e5, "clock_mhz")
        schema.check_range(self, 1, 1 << 16, "vector_lanes")

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
