"""Product tables: the codes of a weight and of an activation are the index of their product."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hwsim import schema
from hwsim.array_events import ACCUMULATION, SHARED_EVENTS
from hwsim.datapath import Array, Component, Event, Operand, Stats
from hwsim.decoding import check_codebook
from hwsim.errors import DesignError, FormatError
from hwsim.integer import IntegerDatapath
from hwsim.kernels import lut_products as kernels
from hwsim.lut_array import check_readers
from hwsim.switching import lut_products as switching

LARGEST_INDEX = 8
"""Bits of a table's index at most: 256 products."""
CHOSEN = tuple(f"{kind}_bits_at_{place}" for kind in ("set", "unset") for place in range(LARGEST_INDEX - 1))
"""Features of choosing products: changes of a bit of the activation times the table's bits of one kind."""

LOADED = ("loaded_set_bits", "loaded_unset_bits", "loaded_toggles")
"""Features of loading tables: their bits that are 1, and 0, and those that change."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LutProducts(IntegerDatapath):
    """Products of narrow codes are read from tables (DeepGEMM, arXiv 2304.09049).

    ``weight_bits`` is the width of a weight's code; with ``activation_bits`` it makes an index of at most 8 bits.
    Tables are loaded with every group, so that groups may have codebooks of their own.

    Attributes:
        value_bits: width of what a code stands for, 2..16; products are ``value_bits + activation_bits`` wide.
        readers: columns that share a table, so have one codebook; 0 for all of them.
    """

    weight_bits: int = 4
    activation_bits: int = 4
    value_bits: int = 8
    readers: int = 0

    MIN_WEIGHT_BITS: ClassVar[int] = 1
    EVENTS = (
        Event(component="lut_products.pe", action="look_up", features=("product_toggles", "code_toggles")),
        Event(component="lut_products.pe", action="accumulate", features=(*ACCUMULATION, "product_toggles")),
        Event(component="lut_products.pe", action="scale"),
        Event(component="lut_products.pe", action="clock"),
        Event(component="lut_products.row", action="select", features=("table_toggles", *CHOSEN)),
        Event(component="lut_products.table", action="write", features=LOADED),
        Event(component="lut_products.table", action="clock"),
        *SHARED_EVENTS[:2],
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 2, 16, "value_bits")
        schema.check_range(self, 0, 1024, "readers")
        if self.weight_bits + self.activation_bits > LARGEST_INDEX:
            raise DesignError(
                f"lut_products: weight_bits={self.weight_bits} and activation_bits={self.activation_bits} make an "
                f"index of {self.weight_bits + self.activation_bits} bits, {LARGEST_INDEX} are possible; narrow them, "
                "or use lut_buckets"
            )

    def check_array(self, array: Array) -> None:
        """See `Datapath.check_array`: tables are loaded with groups, and have equally many readers."""
        if array.weight_stationary:
            raise DesignError(
                "lut_products cannot run weight_stationary: its tables change with the group that streams past; "
                "use array.dataflow='output_stationary'"
            )
        check_readers("lut_products", self.readers, array)

    def sharing(self, array: Array) -> int:
        """See `ArrayDatapath.sharing`: columns that read one table."""
        return self.readers or array.cols

    def channels(self, w: Operand, array: Array) -> list[np.ndarray]:
        """See `IntegerDatapath.channels`. No column is missing: those left over repeat the last channel."""
        return [np.minimum(tile, w.n - 1) for tile in super().channels(w, array)]

    @property
    def loads_tables(self) -> bool:
        """See `IntegerDatapath.loads_tables`."""
        return True

    @property
    def product_bits(self) -> int:
        """Width of an entry."""
        return self.value_bits + self.activation_bits

    @property
    def step_bits(self) -> int:
        """Width of the exact sum of a step's products."""
        return self.product_bits + (self.lanes - 1).bit_length()

    def _check_values(self, w: Operand) -> None:
        try:
            check_codebook(w)
        except FormatError as error:
            raise self._refusal(w, str(error), "use a format with one codebook entry per weight, or lut") from None
        entries = w.codebook.mantissas.shape[1]
        if entries > 1 << self.weight_bits:
            needed = (entries - 1).bit_length()
            remedy = (
                f"use weight_bits={needed}" if needed + self.activation_bits <= LARGEST_INDEX else "use lut_buckets"
            )
            raise self._refusal(w, f"its codebook has {entries} entries, a table {1 << self.weight_bits}", remedy)
        if w.integer_bits > self.value_bits:
            remedy = f"use value_bits={w.integer_bits}" if w.integer_bits <= 16 else "use lut_buckets"
            raise self._refusal(w, f"its values need {w.integer_bits} bits and value_bits={self.value_bits}", remedy)
        if w.select is not None:
            size = self.readers or w.n
            first = w.select[np.arange(len(w.select)) // size * size]
            if len(w.select) > 1 and (w.select != first).any():
                raise self._refusal(
                    w, f"{f'its {size}' if size < w.n else 'all'} channels that share a table differ in codebooks",
                    "use fewer readers (1 takes any), or lut_buckets",
                )  # fmt: skip

    def operands(self, w: Operand, index: np.ndarray) -> np.ndarray:
        """See `IntegerDatapath.operands`: the codes; 0, and activation 0, where there is no k."""
        return np.pad(w.expanded_codes, ((0, 0), (0, 1)))[:, index]

    def products(self, w: Operand) -> np.ndarray:
        """int64[N, G, 2**activation_bits, 2**weight_bits]: the table of each channel and group."""
        table = w.codebook.integers[np.zeros((1, 1), np.uint16) if w.select is None else w.select]
        table = np.broadcast_to(table, (w.n, w.groups, table.shape[-1]))
        table = np.pad(table, ((0, 0), (0, 0), (0, (1 << self.weight_bits) - table.shape[-1])))
        code = np.arange(1 << self.activation_bits)
        activation = np.where(code >> (self.activation_bits - 1), code - len(code), code)
        return table[:, :, None, :] * activation[:, None]

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`: cycles do not depend on the weights' values."""
        self.check_array(array)
        return Stats(values=np.zeros(1, dtype=np.int64))

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`; layout in `hwsim.kernels.lut_products`."""
        entries = 1 << (self.weight_bits + self.activation_bits)
        sharing = self.sharing(array)
        return np.array([array.rows, array.cols, self.lanes, self.scale_stage, sharing, entries], dtype=np.int64)

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """See `Datapath.toggles`."""
        return switching.count(self, x, w, array)

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`."""
        return array.rows * array.cols * self.lanes

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`.

        ``selected_bits``: of choices among entries; ``read_bits``: that a reading passes through, level by level;
        ``adder_bits``: of the adders that sum what is read, ``addition_bits`` of one of them.
        """
        weights, bits, sets = 1 << self.weight_bits, self.product_bits, array.cols // self.sharing(array)
        pe = {
            **self.pe_parameters(array),
            "multiplier_bits": 0,
            "selected_bits": self.lanes * (weights - 1) * bits,
            "read_bits": bits * self.weight_bits,
            "adder_bits": self.lanes * bits,
            "addition_bits": bits,
        }
        choices = (1 << self.activation_bits) - 1
        row = {
            "selected_bits": self.lanes * choices * weights * bits,
            "read_bits": weights * bits * self.activation_bits,
        }
        table = {"entry_bits": bits, "register_bits": bits << (self.weight_bits + self.activation_bits)}
        return (
            Component("lut_products.pe", array.rows * array.cols, pe),
            Component("lut_products.row", array.rows * sets, row),
            Component("lut_products.table", sets, table),
            *super().components(array),
        )
