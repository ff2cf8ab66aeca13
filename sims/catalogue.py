"""The fixed list of configurations that simulator and RTL are compared on.

A configuration is one set of compile-time parameters and the engine that its RTL runs on;
its random workloads are drawn from its name.
"""

import dataclasses
import functools
import random
from collections.abc import Callable, Iterator
from typing import Any

from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.fp_mac import FpMac
from hwsim.datapaths.lmul import LMul
from hwsim.datapaths.lut import Lut
from hwsim.datapaths.lut_buckets import LutBuckets
from hwsim.datapaths.lut_products import LutProducts
from hwsim.datapaths.mac import Mac
from hwsim.floating import FloatDatapath
from hwsim.integer import IntegerDatapath
from hwsim.table_build import ORDERS
from hwsim.terms import SCHEMES
from sims import crossbar_configurations
from sims.configuration import QUICK_DRAWN, Configuration

DRAWN = {"mac": 17, "bit_serial": 30, "lut": 28, "lut_buckets": 20, "lut_products": 20}
"""Small configurations per datapath, drawn at random, for Amaranth's simulator."""
FLOATING_DRAWN = 9
"""The same, per floating-point datapath."""
STATIONARY_DRAWN = 8
"""The same, weight-stationary."""


def catalogue() -> list[Configuration]:
    """Every configuration, those of one datapath together."""
    floating = [*_floating("lmul", LMul), *_floating("fp_mac", FpMac)]
    return [
        *_mac(),
        *_bit_serial(),
        *_lut(),
        *_lut_buckets(),
        *_lut_products(),
        *floating,
        *crossbar_configurations.configurations(),
    ]


def chosen(name: str) -> list[Configuration]:
    """The configuration called ``name``, or all of the datapath called so; KeyError with the names there are."""
    return [each for each in catalogue() if each.datapath.name() == name] or [find(name)]


def find(name: str) -> Configuration:
    """The configuration called ``name``; KeyError with the names there are."""
    by_name = {each.name: each for each in catalogue()}
    if name not in by_name:
        raise KeyError(f"no design {name!r}; there are {', '.join(by_name)}")
    return by_name[name]


def _mac() -> Iterator[Configuration]:
    on_verilator = functools.partial(_on_verilator, Mac)
    yield on_verilator("network", 8, 8, quick=True, lanes=8)
    yield on_verilator("saturating", 2, 3, quick=True, lanes=5, **SATURATING)
    yield on_verilator("offsets", 5, 7, quick=True, lanes=3, offset_bits=8)
    yield on_verilator("single", 1, 1, lanes=1)
    yield on_verilator("no-scale", 4, 8, lanes=4, scale_bits=0)
    yield on_verilator("tall", 16, 2, lanes=2, weight_bits=4)
    yield on_verilator("wide", 2, 16, lanes=4, weight_bits=4, activation_bits=4)
    yield on_verilator("deep", 4, 4, lanes=32, weight_bits=2)
    yield on_verilator("wide-operands", 3, 4, **WIDE_OPERANDS)
    yield on_verilator("large", 8, 16, lanes=16)
    yield from _drawn(Mac)
    yield on_verilator("stationary-network", 8, 8, 96, quick=True, lanes=8)
    yield on_verilator("stationary-offsets", 5, 7, 6, quick=True, lanes=3, offset_bits=8)
    yield on_verilator("stationary-single", 1, 1, 1, lanes=1)
    yield on_verilator("stationary-no-scale", 4, 8, 16, lanes=4, scale_bits=0)
    yield on_verilator("stationary-tall", 16, 2, 5, lanes=2, weight_bits=4)
    yield on_verilator("stationary-wide-operands", 3, 4, 9, **WIDE_OPERANDS)
    yield from _drawn(Mac, stationary=True)


def _bit_serial() -> Iterator[Configuration]:
    on_verilator = functools.partial(_on_verilator, BitSerial)
    twos = {"scheme": "twos_complement"}
    yield on_verilator("network", 8, 8, quick=True, lanes=8, skip="zero")
    yield on_verilator("saturating", 2, 3, quick=True, lanes=5, **twos, **SATURATING)
    yield on_verilator("offsets", 5, 7, quick=True, lanes=3, offset_bits=8, skip="zero", **twos)
    yield on_verilator("single", 1, 1, lanes=1)
    yield on_verilator("no-scale", 4, 8, lanes=4, scale_bits=0, skip="zero")
    yield on_verilator("tall", 16, 2, lanes=2, weight_bits=4, **twos)
    yield on_verilator("wide", 2, 16, lanes=4, weight_bits=5, activation_bits=4, skip="zero")
    yield on_verilator("deep", 4, 4, lanes=32, weight_bits=2, skip="zero")
    yield on_verilator("wide-operands", 3, 4, **WIDE_OPERANDS)
    yield on_verilator("large", 8, 16, lanes=16, skip="zero")
    yield on_verilator("run-ahead", 8, 8, quick=True, lanes=8, scheme="naf", skip="zero", fifo_depth=4, weight_bits=20)
    yield on_verilator("bitmod", 8, 8, lanes=4, scheme="naf", weight_bits=6, dequantization="serial")
    yield on_verilator("minifloat", 4, 4, quick=True, lanes=4, scheme="naf", skip="zero", weight_bits=19)
    yield from _drawn(BitSerial, _draw_bit_serial)
    yield on_verilator("stationary-network", 8, 8, 96, quick=True, lanes=8, skip="zero")
    yield on_verilator("stationary-offsets", 5, 7, 6, quick=True, lanes=3, offset_bits=8, skip="zero", **twos)
    yield on_verilator("stationary-single", 1, 1, 1, lanes=1)
    yield on_verilator("stationary-no-scale", 4, 8, 16, lanes=4, scale_bits=0, skip="zero")
    yield on_verilator("stationary-tall", 16, 2, 5, lanes=2, weight_bits=4, **twos)
    yield on_verilator("stationary-wide-operands", 3, 4, 9, **WIDE_OPERANDS)
    yield on_verilator("stationary-minifloat", 4, 4, 8, lanes=4, scheme="naf", skip="zero", weight_bits=19)
    yield from _drawn(BitSerial, _draw_lock_step, stationary=True)


def _draw_bit_serial(draw: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    """Values of the parameters that only `BitSerial` has, and of those where they exclude others."""
    skip = draw.choice(("none", "zero", "zero"))
    serial = fields["scale_bits"] > 0 and draw.random() < 0.4
    return {
        "scheme": draw.choice(SCHEMES),
        "skip": skip,
        "fifo_depth": draw.choice((1, 2, 3, 5)) if skip == "zero" else 1,
        "dequantization": "serial" if serial else "parallel",
        "offset_bits": 0 if serial else fields["offset_bits"],
        "weight_bits": draw.choice((fields["weight_bits"], draw.randint(9, 20))),
    }


def _draw_lock_step(draw: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    """The same without what needs sums that stay in the PEs."""
    return _draw_bit_serial(draw, fields) | {"fifo_depth": 1, "dequantization": "parallel"}


def _lut() -> Iterator[Configuration]:
    on_verilator = functools.partial(_on_verilator, Lut)
    yield on_verilator("network", 8, 8, quick=True, lanes=8, reuse="rows")
    yield on_verilator("saturating", 2, 3, quick=True, lanes=5, mu=5, **SATURATING)
    yield on_verilator("plane-scales", 4, 6, quick=True, lanes=8, readers=3, plane_scales=True, offset_bits=8)
    yield on_verilator("patterns-network", 8, 8, quick=True, lanes=8, reuse="patterns", sum_units=4)
    yield on_verilator("patterns-parallel", 4, 6, lanes=4, mu=2, reuse="patterns", sum_units=2, planes="parallel")
    yield on_verilator("single", 1, 1, lanes=1, mu=1, weight_bits=1, build="naive")
    yield on_verilator("no-scale", 4, 8, lanes=4, scale_bits=0, planes="parallel", readers=4)
    yield on_verilator("tall", 16, 2, lanes=4, mu=2, weight_bits=2, table="full", reuse="rows")
    yield on_verilator("wide", 2, 16, quick=True, lanes=8, build="incremental", readers=16, entries="int8")
    yield on_verilator("deep", 4, 4, lanes=30, mu=5, weight_bits=2, build="two_level")
    yield on_verilator("wide-operands", 3, 4, **WIDE_OPERANDS | {"lanes": 6, "mu": 3})
    yield on_verilator("large", 8, 16, lanes=16, weight_bits=3, readers=8, planes="parallel", plane_scales=True)
    yield from _drawn(Lut, _draw_lut)


def _draw_lut(draw: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    """Values of the parameters that only `Lut` has; lanes are a multiple of mu."""
    mu = draw.randint(1, 5)
    chosen = {
        "mu": mu,
        "lanes": mu * draw.randint(1, 3),
        "weight_bits": draw.randint(1, 4),
        "table": draw.choice(("half", "half", "full")),
        "build": draw.choice(ORDERS),
        "planes": draw.choice(("serial", "serial", "parallel")),
        "entries": draw.choice(("exact", "exact", "int8")),
        "plane_scales": fields["scale_bits"] > 0 and draw.random() < 0.4,
        "reuse": draw.choice(("none", "rows")),
        "readers": draw.choice((0, 1, 2)),
    }
    if draw.random() < 0.3:
        chosen |= {"reuse": "patterns", "sum_units": draw.randint(1, 3), "build": draw.choice(ORDERS[:3])}
        chosen |= {"readers": 0, "plane_scales": False, "entries": "exact"}
    return chosen


def _lut_buckets() -> Iterator[Configuration]:
    on_verilator = functools.partial(_on_verilator, LutBuckets)
    yield on_verilator("network", 8, 8, quick=True, lanes=8)
    yield on_verilator("saturating", 2, 3, quick=True, lanes=5, weight_bits=3, **SATURATING)
    yield on_verilator("parallel", 4, 6, quick=True, lanes=4, weight_bits=3, adders="parallel", offset_bits=8)
    yield on_verilator("single", 1, 1, lanes=1, weight_bits=1)
    yield on_verilator("one-lane", 8, 8, lanes=1, weight_bits=3)
    yield on_verilator("tall", 16, 2, lanes=2, weight_bits=2, adders="parallel")
    yield on_verilator("wide", 2, 16, lanes=4, activation_bits=4, adders="parallel", weight_bits=1)
    yield on_verilator("deep", 4, 4, lanes=30, weight_bits=2)
    yield on_verilator("wide-operands", 3, 4, **WIDE_OPERANDS | {"scale_bits": 24, "weight_bits": 5})
    yield from _drawn(LutBuckets, _draw_lut_buckets)


def _draw_lut_buckets(draw: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    """Values of the parameters that only `LutBuckets` has, and of those whose range is another."""
    return {
        "weight_bits": draw.randint(1, 4),
        "scale_bits": draw.choice((4, 8, 16, 20)),
        "adders": draw.choice(("serial", "serial", "parallel")),
    }


def _lut_products() -> Iterator[Configuration]:
    on_verilator = functools.partial(_on_verilator, LutProducts)
    yield on_verilator("array", 8, 8, quick=True, lanes=8)
    yield on_verilator("saturating", 2, 3, quick=True, lanes=5, weight_bits=3, **SATURATING)
    yield on_verilator("offsets", 4, 6, quick=True, lanes=4, readers=3, offset_bits=8)
    yield on_verilator("single", 1, 1, lanes=1, weight_bits=1, activation_bits=2)
    yield on_verilator("no-scale", 4, 8, quick=True, lanes=4, weight_bits=2, scale_bits=0, readers=4)
    yield on_verilator("tall", 16, 2, lanes=2, weight_bits=2, activation_bits=6)
    yield on_verilator("wide", 2, 16, lanes=4, weight_bits=6, activation_bits=2, readers=16)
    yield on_verilator("deep", 4, 4, lanes=32, weight_bits=2, activation_bits=2, value_bits=12, readers=1)
    yield from _drawn(LutProducts, _draw_lut_products)


def _draw_lut_products(draw: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    """Values of the parameters that only `LutProducts` has, and of those whose range is another."""
    activation_bits = draw.randint(2, 5)
    return {
        "weight_bits": draw.randint(1, 7 - activation_bits),
        "activation_bits": activation_bits,
        "value_bits": draw.randint(2, 10),
        "readers": draw.choice((0, 1, 2)),
    }


def _on_verilator(
    datapath: type[IntegerDatapath], name: str, rows: int, cols: int, accumulator_rows: int = 0, *,
    quick: bool = False, **fields: object,
) -> Configuration:  # fmt: skip
    """Weight-stationary if there are accumulator rows."""
    array = Array(rows=rows, cols=cols)
    if accumulator_rows:
        array = dataclasses.replace(array, dataflow="weight_stationary", accumulator_rows=accumulator_rows)
    return Configuration(
        name=f"{datapath.name()}-{name}", datapath=datapath(**fields), array=array,
        engine="verilator", quick=quick, network=name.endswith("network") or name == "run-ahead",
    )  # fmt: skip


WIDE_OPERANDS = {"lanes": 4, "activation_bits": 16, "scale_bits": 16, "offset_bits": 16}
SATURATING = {
    "overflow": "saturate", "accumulator_bits": 20, "group_accumulator_bits": 16, "offset_bits": 4,
}  # fmt: skip
"""Accumulators so narrow that ordinary workloads overflow them."""


def _no_more(draw: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    return {}


def _drawn(
    datapath: type[IntegerDatapath],
    more: Callable[[random.Random, dict[str, Any]], dict[str, Any]] = _no_more,
    stationary: bool = False,
) -> Iterator[Configuration]:
    """Small arrays with parameters drawn at random, for Amaranth's simulator; ``more`` draws what others lack."""
    for number in range(STATIONARY_DRAWN if stationary else DRAWN[datapath.name()]):
        draw = random.Random(number)
        saturates = draw.random() < 0.4 and not stationary
        fields = {
            "lanes": draw.randint(1, 6),
            "weight_bits": draw.randint(2, 8),
            "activation_bits": draw.choice((2, 4, 8, 8, 8, 12)),
            "scale_bits": draw.choice((0, 4, 8, 8)),
            "offset_bits": draw.choice((0, 0, 4, 8)),
            "overflow": "saturate" if saturates else "wrap",
            "accumulator_bits": draw.randint(10, 32) if saturates else draw.randint(24, 32),
            "group_accumulator_bits": draw.randint(8, 32) if saturates else draw.randint(20, 32),
        }
        fields |= more(draw, fields)
        array = Array(rows=draw.randint(1, 4), cols=draw.randint(1, 4))
        if fields.get("readers"):
            array = dataclasses.replace(array, cols=fields["readers"] * draw.randint(1, 2))
        kind = "drawn"
        if stationary:
            kind = "stationary-drawn"
            array = dataclasses.replace(array, dataflow="weight_stationary", accumulator_rows=draw.randint(1, 6))
        yield Configuration(
            name=f"{datapath.name()}-{kind}-{number:02}", datapath=datapath(**fields), array=array,
            engine="amaranth", quick=number < QUICK_DRAWN,
        )  # fmt: skip


def _floating(prefix: str, datapath: type[FloatDatapath]) -> Iterator[Configuration]:
    def on_verilator(name: str, rows: int, cols: int, quick: bool = False, **fields: object) -> Configuration:
        return Configuration(
            name=f"{prefix}-{name}", datapath=datapath(**fields), array=Array(rows=rows, cols=cols),
            engine="verilator", quick=quick, network=name.startswith("network"),
        )  # fmt: skip

    fixed = {"accumulation": "fixed", "accumulator_bits": 40}
    yield on_verilator("network", 8, 8, quick=prefix == "lmul", lanes=8)
    yield on_verilator("network-fixed", 8, 8, lanes=8, **fixed)
    yield on_verilator("groups", 3, 4, quick=True, lanes=4, scale_bits=8, **fixed)
    yield on_verilator("e5m2", 4, 4, lanes=4, format="e5m2")
    yield on_verilator("bf16", 2, 3, quick=True, lanes=5, format="bf16", activation_bits=12)
    yield on_verilator("fp16", 2, 2, lanes=2, format="fp16", **(fixed | {"accumulator_bits": 56}))
    yield on_verilator("e2m1", 2, 8, lanes=16, format="e2m1", activation_bits=4, **fixed)
    yield on_verilator("single", 1, 1, lanes=1)
    for number in range(FLOATING_DRAWN):
        draw = random.Random(f"{prefix} {number}")
        chosen = draw.choice(("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "bf16", "fp16", "e4m2", "e5m6"))
        exact = chosen != "bf16" and draw.random() < 0.5
        more = {"accumulation": "fixed", "accumulator_bits": 60, "scale_bits": draw.choice((0, 6))} if exact else {}
        yield Configuration(
            name=f"{prefix}-drawn-{number:02}", engine="amaranth", quick=number < QUICK_DRAWN,
            datapath=datapath(format=chosen, lanes=draw.randint(1, 6), activation_bits=draw.choice((4, 8, 12)), **more),
            array=Array(rows=draw.randint(1, 3), cols=draw.randint(1, 3)),
        )  # fmt: skip
