"""A processing element: the datapath's arithmetic, its accumulator and its shadow register."""

import importlib
from types import ModuleType

from amaranth.hdl import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import ArrayDatapath
from hwsim.floating import FloatDatapath
from rtl.accumulator import Accumulator
from rtl.bucket_accumulator import BucketAccumulator
from rtl.float32 import Float32Accumulator
from rtl.plane_accumulator import PlanesAtOnce, PlanesInTurn

CHOICES = {"plane": "turn", "bucket": "bucket", "first": "first"}
"""Inputs of an accumulator that are fields of the datapath's operand, and which ones."""


def implementation(datapath: ArrayDatapath) -> ModuleType:
    """The module of this package that has the datapath's ``Feeder`` and ``Dot``."""
    return importlib.import_module(f"rtl.{datapath.name()}")


def _accumulator(datapath: ArrayDatapath, step: Signal) -> Component:
    """What adds the steps up: one sum, one for each of several scales, or one for each code."""
    if isinstance(datapath, FloatDatapath) and datapath.accumulation == "float32":
        return Float32Accumulator()
    if datapath.scales_per_group == 1:
        return Accumulator(datapath, len(step))
    if datapath.scatters:
        return BucketAccumulator(datapath, step.shape())
    if datapath.scales_in_turn:
        return PlanesInTurn(datapath, step.shape())
    return PlanesAtOnce(datapath, step.shape())


class ProcessingElement(Component):
    """One output of a tile.

    Members are those of the datapath's ``Dot`` and of `Accumulator`, without the step's sum that
    goes from one to the other, and:
        move: the tile's sum moves to the shadow register.
        shift: the shadow register takes ``below``, that of the next row's PE.
        shadow: the shadow register.
    """

    def __init__(self, datapath: ArrayDatapath) -> None:
        self._dot = implementation(datapath).Dot(datapath)
        self._name = "selection" if datapath.shares_sums else "dot"
        self._accumulator = _accumulator(datapath, self._dot.step)
        inner = {**self._dot.signature.members, **self._accumulator.signature.members}
        sums = signed(datapath.accumulator_bits)
        super().__init__(
            {name: member for name, member in inner.items() if name not in ("step", "value", *CHOICES)}
            | {"move": In(1), "shift": In(1), "below": In(sums), "shadow": Out(sums)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self._name] = dot = self._dot
        m.submodules.accumulator = accumulator = self._accumulator
        m.d.comb += accumulator.step.eq(dot.step)
        for part in (dot, accumulator):
            m.d.comb += [
                getattr(part, name).eq(getattr(self, name))
                for name in part.signature.members
                if name in self.signature.members
            ]
        shadow = Signal.like(self.shadow, reset_less=True)
        m.d.comb += self.shadow.eq(shadow)
        with m.If(self.move):
            m.d.sync += shadow.eq(accumulator.value)
        with m.Elif(self.shift):
            m.d.sync += shadow.eq(self.below)
        for name, field in CHOICES.items():
            if name in accumulator.signature.members:
                m.d.comb += getattr(accumulator, name).eq(self.operand[field])
        return m
