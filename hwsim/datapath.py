"""The protocol that every datapath fulfils, and the array it stands in.

A datapath is a frozen dataclass of hardware parameters. Simulator and RTL are built from
the same instance. What it promises (docs/hardware.md has the arithmetic):

* ``supports(w)`` - None, or FormatError naming format, datapath and what would do;
* ``check_array(array)`` - None, or DesignError: which dataflows it has;
* ``matmul(x, w)`` - the exact integers the hardware accumulates;
* ``stats(w, array)`` - everything cycles and events need to know about the weights;
* ``cycles`` / ``events`` - compiled functions of ``(shape, stats, params)``.

A `Rule` promises cycles and events only.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from hwsim import schema
from hwsim.errors import DesignError
from hwsim.qtensor import QTensor
from hwsim.repetition import Repetition
from hwsim.requantization import Quantizer, requantize

if TYPE_CHECKING:
    from hwsim.operators import Matmul
    from hwsim.workload import MatmulLayer

Operand = QTensor
"""What a matmul multiplies activations with: a static QTensor (a tensor made at run time has the same type)."""

Dataflow = Literal["output_stationary", "weight_stationary"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Array:
    """``rows`` x ``cols`` processing elements; columns index N.

    Attributes:
        dataflow: what stays in the PEs: the sums of a tile (rows index M), or the weights (rows index K).
        accumulator_rows: weight-stationary only: words per column of the accumulator buffer, so rows
            of a tile, 1..65536.
    """

    rows: int = 16
    cols: int = 16
    dataflow: Dataflow = "output_stationary"
    accumulator_rows: int = 256

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 1, 1024, "rows", "cols")
        schema.check_range(self, 1, 1 << 16, "accumulator_rows")

    @property
    def tile_rows(self) -> int:
        """Rows of M in a tile."""
        return self.accumulator_rows if self.weight_stationary else self.rows

    @property
    def weight_stationary(self) -> bool:
        """Whether weights stay in the PEs."""
        return self.dataflow == "weight_stationary"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stats:
    """What cycles and events need to know about one weight tensor on one array.

    ``values`` is a flat int64 array whose layout belongs to the datapath that made it.
    """

    values: np.ndarray

    def __post_init__(self) -> None:
        self.values.flags.writeable = False


@dataclasses.dataclass(frozen=True)
class Component:
    """``count`` equal parts of the array, with the parameters that their area and energy depend on.

    ``terms`` are products of parameters (``lanes*weight_bits``) whose weighted sum describes area and energies between
    measured points; without, each parameter that is a number is one.
    """

    name: str
    count: int
    parameters: Mapping[str, float | str]
    terms: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """One kind of countable action, with the names of its features: bits that change per action (`Datapath.toggles`).

    Energy is ``count * (e0 + sum(coefficient[f] * f))`` over features and component parameters.
    """

    component: str
    action: str
    features: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Datapath(ABC):
    """Base of all datapaths. Subclasses add their hardware parameters as fields."""

    EVENTS: ClassVar[tuple[Event, ...]]
    """What `events` counts, in order, on any array; those of parts that an array lacks stay 0."""
    cycles: ClassVar[Callable[..., int]]
    """Compiled ``cycles(shape, stats, params) -> int64``: compute cycles of a layer."""
    events: ClassVar[Callable[..., None]]
    """Compiled ``events(shape, stats, params, counts)``: fills the last, int64[E]."""
    verified: ClassVar[Literal["rtl", "model only"]] = "rtl"
    takes_wide_sums: ClassVar[bool] = False
    """Whether it brings sums that need more than 32 bits to units in which they fit."""
    needs_values: ClassVar[bool] = True
    """Whether `stats` reads weights, or takes what `stored` puts in their place."""
    resident: ClassVar[bool] = False
    """Whether weights stay in the array for good, so that every layer has one of its own."""
    merges: ClassVar[bool] = False
    """Whether the array merges the bits of a split layer; otherwise the host does."""

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

    @property
    def left_out(self) -> tuple[str, ...]:
        """What its cycles and events do not include although the hardware has it, in words."""
        return ()

    def stored(self, layer: "MatmulLayer") -> "MatmulLayer":
        """The layer with operands as memory holds them for this datapath: as they come, unless it says so."""
        return layer

    def check_results(self, quantizer: Quantizer) -> None:  # noqa: B027 - most arrays give any results
        """Raises FormatError if the array cannot give results of ``quantizer``."""

    def check_clock(self, clock_mhz: float) -> None:  # noqa: B027 - what limits other arrays is in technology rows
        """Raises DesignError if the array cannot run at ``clock_mhz``."""

    def beat_bits(self, array: Array) -> tuple[int, int]:
        """Width of an access that fetches one step's activations, and of one that fetches its weights."""
        raise DesignError(f"{self.name()} does not say how wide its steps are: buffers need width_bits")

    @abstractmethod
    def supports(self, w: Operand) -> None:
        """Raises FormatError naming format, datapath and alternative if ``w`` cannot be taken."""

    def check_array(self, array: Array) -> None:
        """Raises DesignError naming datapath, dataflow and alternative if it cannot stand in ``array``."""
        if array.weight_stationary:
            raise DesignError(f"{self.name()} cannot run weight_stationary; use array.dataflow='output_stationary'")

    @abstractmethod
    def matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """The accumulated integers, int32[M, N], for activations int[M, K] and weights [N, K]."""

    def pairs(self, operator: "Matmul", inputs: Sequence[np.ndarray]) -> list[tuple[np.ndarray, Operand]]:
        """`Matmul.operands` as the array takes them."""
        return operator.operands(*inputs)

    def layer_sums(self, x: np.ndarray, w: Operand, sum_shift: int) -> np.ndarray:
        """int32[M, N]: what reaches the requantizers for a network's activations int[M, K].

        It is in units of ``2**sum_shift`` of the network's.
        """
        return self.matmul(x, w)

    def requantize(self, sums: np.ndarray, quantizer: Quantizer) -> np.ndarray:
        """int32 results of what `layer_sums` gave."""
        return requantize(sums, quantizer)

    @property
    def arithmetic(self) -> Hashable:
        """What values depend on: datapaths of equal arithmetic that take a network compute the same. All that they are,
        unless they say so."""
        return self

    @abstractmethod
    def stats(self, w: Operand, array: Array) -> Stats:
        """What depends on the weights; cached by content hash by the caller."""

    def stats_key(self, array: Array) -> Hashable:
        """What `stats` depends on beside the weights: less than everything where the datapath says so."""
        return self, array

    def repetition(self, w: Operand, array: Array) -> Repetition | None:
        """What repeats in weights that it takes, if it makes use of that."""
        return None

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """By feature of `EVENTS`: bits that change while all columns of ``w`` meet rows of activations int[M, K].

        Rows follow one another as in a layer. Nothing where no event has features.
        """
        return {}

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
