"""A lane's weight as terms, with zero terms skipped (schemes: docs/hardware.md)."""

from functools import reduce
from operator import or_

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim import terms
from hwsim.datapaths.bit_serial import BitSerial


def term(datapath: BitSerial) -> data.StructLayout:
    """``1 << shift`` where ``one``, its opposite where ``negative``, else 0."""
    return data.StructLayout({"one": 1, "shift": range(datapath.weight_bits), "negative": 1})


def with_borders(weight: Value) -> Value:
    """``weight`` with the bits that its first and last booth digit reach beyond it."""
    return Cat(C(0, 1), weight, weight[-1])


class Recoder(Component):
    """Chooses the next term of ``weight`` that is not zero, the lowest first.

    Members:
        weight: stands until ``restart``.
        used: which bits the tensor's weights have, for two's complement.
        advance: the chosen term is taken.
        restart: with ``advance``, another weight follows.
        term: the chosen one, 0 if none is left.
        more: another term is left.
    """

    def __init__(self, datapath: BitSerial) -> None:
        self._scheme = datapath.scheme
        booth = datapath.scheme == "booth"
        self._positions = terms.per_weight(datapath.weight_bits, "booth") if booth else datapath.weight_bits
        super().__init__(
            {
                "weight": In(signed(datapath.weight_bits)),
                "used": In(datapath.weight_bits),
                "advance": In(1),
                "restart": In(1),
                "term": Out(term(datapath)),
                "more": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nonzero, shifts, negatives = {"booth": self._booth, "twos_complement": self._bits, "naf": self._naf}[
            self._scheme
        ]()
        retired = Signal(self._positions)
        pending = Signal(self._positions)
        chosen = Signal(self._positions)
        m.d.comb += [
            pending.eq(nonzero & ~retired),
            chosen.eq(pending & -pending),
            self.more.eq(pending != chosen),
            self.term.one.eq(pending.any()),
            self.term.shift.eq(reduce(or_, [Mux(chosen[i], shift, 0) for i, shift in enumerate(shifts)])),
            self.term.negative.eq((chosen & negatives).any()),
        ]
        with m.If(self.advance):
            m.d.sync += retired.eq(Mux(self.restart, 0, retired | chosen))
        return m

    def _bits(self) -> tuple[Value, list[Value], Value]:
        """Per bit: whether it is set, its shift, whether it is negative."""
        return self.weight & self.used, [C(i) for i in range(self._positions)], self.used & ~(self.used >> 1)

    def _naf(self) -> tuple[Value, list[Value], Value]:
        """Per digit: whether it is not zero, its shift, whether it is negative.

        Adding w to 2w carries exactly where digits are: 3w - w has the bits of twice the digits.
        """
        bits = Cat(self.weight, self.weight[-1])[1:]
        tripled = (self.weight + (self.weight << 1))[1 : self._positions + 1]
        return bits ^ tripled, [C(i) for i in range(self._positions)], bits

    def _booth(self) -> tuple[Value, list[Value], Value]:
        """Per digit: whether it is not zero, its shift, whether it is negative."""
        bits = with_borders(self.weight)
        digits = [bits[2 * i : 2 * i + 3] for i in range(self._positions)]
        nonzero = Cat(digit.any() & ~digit.all() for digit in digits)
        shifts = [Cat(digit[0] == digit[1], C(i)) for i, digit in enumerate(digits)]
        return nonzero, shifts, Cat(digit[2] for digit in digits)
