"""Where steps wait for the columns that take them, and what columns see of them."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Member, Out

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from rtl import streams
from rtl.library import Library


def feeder_members(
    datapath: ArrayDatapath, array: Array, fields: dict[str, Shape | data.Layout], operand: data.Layout, **more: Member
) -> dict[str, Member]:
    """The members of a datapath's ``Feeder``, which makes columns' operands of weights; ``more`` beside them.

    weights: the step's beat; ``fields`` are its run-time fields beyond those of every datapath.
    advance: per sync domain, the cycle counts; the domain does not stand still.
    restart: per sync domain, with it another step follows.
    operands: one ``operand`` per column.
    last: per sync domain, this is the step's last cycle.
    """
    domains = datapath.sync_domains(array)
    return {
        "weights": In(streams.weights(datapath, array, fields)),
        "advance": In(domains),
        "restart": In(domains),
        "operands": Out(data.ArrayLayout(operand, array.cols)),
        "last": Out(domains),
        **more,
    }


class Broadcast:
    """PEs take the activations of their row straight from the queue."""

    def __init__(
        self, m: Module, platform: Library | None, datapath: ArrayDatapath, array: Array, queue: "OperandQueue",
        position: Value, feeder: Component,
    ) -> None:  # fmt: skip
        self._activations = queue.activations

    def inputs(self, row: int, column: int) -> dict[str, Value]:
        """What the PE at ``row`` and ``column`` works on."""
        return {"activations": self._activations[column % len(self._activations)]["values"][row]}


class OperandQueue(Component):
    """The last ``operand_depth`` steps, and of these the one that each sync domain is at.

    Members:
        activations_in, weights_in: a step's beats.
        accept: they are taken.
        finish: per domain, it leaves its step.
        activations: per domain, of its step.
        weights: of the steps that the columns are at; flags are the first domain's.
        last_in_group, last_in_tile: per domain, of its step.
    """

    def __init__(self, datapath: ArrayDatapath, array: Array, weights: streams.Layout) -> None:
        self._depth = datapath.operand_depth
        self._domains = datapath.sync_domains(array)
        activations = streams.activations(datapath, array)
        super().__init__(
            {
                "activations_in": In(activations),
                "weights_in": In(weights),
                "accept": In(1),
                "finish": In(self._domains),
                "activations": Out(activations).array(self._domains),
                "weights": Out(weights),
                "last_in_group": Out(self._domains),
                "last_in_tile": Out(self._domains),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._depth == 1:
            return self._register(m)
        slots = [self._slot(i) for i in range(self._depth)]
        write = self._pointer(m, "write", self.accept)
        for i, (activations, weights) in enumerate(slots):
            with m.If(self.accept & (write == i)):
                m.d.sync += [activations.eq(self.activations_in), weights.eq(self.weights_in)]

        for domain, taken in enumerate(self.activations):
            read = self._pointer(m, f"read_{domain}", self.finish[domain])
            with m.Switch(read):
                for i, (activations, weights) in enumerate(slots):
                    with m.Case(i):
                        m.d.comb += [
                            taken.eq(activations),
                            self.last_in_group[domain].eq(weights.last_in_group),
                            self.last_in_tile[domain].eq(weights.last_in_tile),
                        ]
                        if domain == 0:
                            m.d.comb += self.weights.eq(weights)
                        else:
                            m.d.comb += self.weights["values"][domain].eq(weights["values"][domain])
        return m

    def _register(self, m: Module) -> Module:
        """One step, and all columns are at it."""
        activations, weights = self._slot(0)
        with m.If(self.accept):
            m.d.sync += [activations.eq(self.activations_in), weights.eq(self.weights_in)]
        m.d.comb += [
            self.activations[0].eq(activations),
            self.weights.eq(weights),
            self.last_in_group.eq(weights.last_in_group),
            self.last_in_tile.eq(weights.last_in_tile),
        ]
        return m

    def _slot(self, i: int) -> tuple[Signal, Signal]:
        """Registers of one step."""
        return (
            Signal.like(self.activations_in, name=f"activations_{i}", reset_less=True),
            Signal.like(self.weights_in, name=f"weights_{i}", reset_less=True),
        )

    def _pointer(self, m: Module, name: str, advance: Signal) -> Signal:
        """A position in the ring, moved on by ``advance``."""
        pointer = Signal(range(self._depth), name=name)
        with m.If(advance):
            m.d.sync += pointer.eq(Mux(pointer == self._depth - 1, 0, pointer + 1))
        return pointer


class BuildStage(Component):
    """Holds the step that comes next, for the ``build_cycles`` in which something is made of it.

    Members:
        activations_in, weights_in, valid_in, ready_in: a step's beats, and their handshake.
        activations, weights, valid, ready: the same, built; it may leave at the last of the cycles.
        position: the cycle, from 0.
        frozen: nothing moves, nothing is accepted.
    """

    def __init__(self, datapath: ArrayDatapath, array: Array, weights: streams.Layout) -> None:
        self._cycles = datapath.build_cycles
        activations = streams.activations(datapath, array)
        super().__init__(
            {
                "activations_in": In(activations),
                "weights_in": In(weights),
                "valid_in": In(1),
                "ready_in": Out(1),
                "activations": Out(activations),
                "weights": Out(weights),
                "valid": Out(1),
                "ready": In(1),
                "position": Out(range(self._cycles)),
                "frozen": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = Signal()
        activations = Signal.like(self.activations_in, name="next_activations", reset_less=True)
        weights = Signal.like(self.weights_in, name="next_weights", reset_less=True)
        position = Signal.like(self.position)
        last = position == self._cycles - 1
        leaves = self.valid & self.ready
        m.d.comb += [
            self.activations.eq(activations),
            self.weights.eq(weights),
            self.position.eq(position),
            self.valid.eq(full & last),
            self.ready_in.eq(~self.frozen & (~full | leaves)),
        ]
        with m.If(self.ready_in):
            m.d.sync += [full.eq(self.valid_in), position.eq(0)]
            with m.If(self.valid_in):
                m.d.sync += [activations.eq(self.activations_in), weights.eq(self.weights_in)]
        with m.Elif(full & ~last & ~self.frozen):
            m.d.sync += position.eq(position + 1)
        return m
