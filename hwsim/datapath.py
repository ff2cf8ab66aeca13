"""The protocol that every datapath fulfils, and the array it stands in.

A datapath is a frozen dataclass of hardware parameters. Simulator and RTL are built from
the same instance. What it promises (docs/hardware.md has the arithmetic):

* ``supports(w)`` - None, or FormatError naming format, datapath and what would do;
* ``matmul(x, w)`` - the exact integers the hardware accumulates;
* ``stats(w, array)`` - everything cycles and events need to know about the weights;
* ``cycles`` / ``events`` - compiled functions of ``(shape, stats, params)``.

A `Rule` promises cycles and events only.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np

from hwsim import schema
from hwsim.errors import DesignError
from hwsim.qtensor import QTensor

Operand = QTensor
"""What a matmul multiplies activations with: a static QTensor (a tensor made at run time has the same type)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Array:
    """``rows`` (M) x ``cols`` (N) processing elements."""

    rows: int = 16
    cols: int = 16

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1, 1024, "rows", "cols")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stats:
    """What cycles and events need to know about one weight tensor on one array.

    ``values`` is a flat int64 array whose layout belongs to the datapath that made it.
    """

    values: np.ndarray

    def __post_init__(self) -> None:
        self.values.flags.writeable = False


ACTIVATION_FEATURES = ("activation_zero_fraction", "activation_toggle_rate")
"""What calibration knows of a layer's activations; the order of the vector given to `events`."""


@dataclasses.dataclass(frozen=True)
class Component:
    """``count`` equal parts of the array, with the parameters that their area and energy depend on."""

    name: str
    count: int
    parameters: Mapping[str, float | str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """One kind of countable action, with the names of its features.

    Energy is ``count * (e0 + sum(coefficient[f] * f))`` over features and component parameters.
    """

    component: str
    action: str
    features: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Datapath(ABC):
    """Base of all datapaths. Subclasses add their hardware parameters as fields."""

    EVENTS: ClassVar[tuple[Event, ...]]
    """What `events` counts, in order."""
    cycles: ClassVar[Callable[..., int]]
    """Compiled ``cycles(shape, stats, params) -> int64``: compute cycles of a layer."""
    events: ClassVar[Callable[..., None]]
    """Compiled ``events(shape, stats, params, activation, counts, features)``: fills the last two."""
    verified: ClassVar[Literal["rtl", "model only"]] = "rtl"

    def __post_init__(self) -> None:
        schema.check_types(self)

    @property
    def assumed(self) -> str:
        """What cycles assume because no tensor tells it; empty if nothing. Results show it."""
        return ""

    @classmethod
    def name(cls) -> str:
        """The datapath's name: that of its module."""
        return cls.__module__.rpartition(".")[2]

    @abstractmethod
    def supports(self, w: Operand) -> None:
        """Raises FormatError naming format, datapath and alternative if ``w`` cannot be taken."""

    @abstractmethod
    def matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """The accumulated integers, int32[M, N], for activations int[M, K] and weights [N, K]."""

    @abstractmethod
    def stats(self, w: Operand, array: Array) -> Stats:
        """What depends on the weights; cached by content hash by the caller."""

    @abstractmethod
    def params(self, array: Array) -> np.ndarray:
        """int64 vector of array and datapath parameters, as `cycles` and `events` read it."""

    @abstractmethod
    def components(self, array: Array) -> tuple[Component, ...]:
        """The parts that make up the array; their names are those of technology rows."""

    @abstractmethod
    def peak_macs(self, w: Operand, array: Array) -> float:
        """Multiply-accumulates per cycle that the array can reach on weights like ``w``."""

    def to_plain(self) -> dict[str, Any]:
        """The fields as plain data, with the datapath's ``name``."""
        return {"name": self.name(), **schema.fields_to_plain(self)}

    @classmethod
    def from_plain(cls, data: Any, where: str = "datapath") -> Self:
        """A datapath from ``{"name": ..., field: value, ...}``; the name chooses the class."""
        from hwsim import datapaths

        if isinstance(data, str):
            data = {"name": data}
        if not isinstance(data, dict) or "name" not in data:
            raise DesignError(f"{where}: expected a mapping with a 'name', got {data!r}")
        fields = {key: value for key, value in data.items() if key != "name"}
        return schema.fields_from_plain(datapaths.find(data["name"]), fields, where)


class Rule(Datapath):
    """A datapath known by its cycles and events only: a published scheme without RTL of ours."""

    verified = "model only"

    def supports(self, w: Operand) -> None:
        return None

    def matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        raise DesignError(f"{self.name()} is a cost-only rule: it counts cycles, it computes no values")
