"""Arrays that break the rules of streams on purpose, to show that the benches notice."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, connect, flipped

from rtl.generator import AnyArray

FAULTS = ("drops_valid", "changes_payload", "sends_more")


class Faulty(Component):
    """An array whose results are right but not well behaved.

    ``drops_valid``: every other cycle there is no result; ``changes_payload``: a result is only right
    while it is taken; ``sends_more``: the last row of a tile is offered twice.
    """

    def __init__(self, array: AnyArray, fault: str) -> None:
        self._inner = array
        self._fault = fault
        super().__init__(array.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self._inner
        for name in self.signature.members:
            if name != "o_results":
                connect(m, flipped(getattr(self, name)), getattr(inner, name))
        source, sink = inner.o_results, self.o_results
        m.d.comb += [
            sink.valid.eq(source.valid), sink.payload.eq(source.payload), source.ready.eq(sink.ready)
        ]  # fmt: skip
        tick = Signal()
        if self._fault == "drops_valid":
            m.d.sync += tick.eq(~tick)
            m.d.comb += [sink.valid.eq(source.valid & tick), source.ready.eq(sink.ready & tick)]
        elif self._fault == "changes_payload":
            value = source.payload.as_value()
            m.d.comb += sink.payload.eq(Mux(sink.ready, value, ~value))
        else:
            again = source.valid & source.p.last & ~tick
            with m.If(sink.valid & sink.ready):
                m.d.sync += tick.eq(again)
            m.d.comb += source.ready.eq(sink.ready & ~again)
        return m
