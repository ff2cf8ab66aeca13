"""Product tables: values against brute force, cycles and events against counting by hand."""

import dataclasses

import numpy as np
import pytest

from hwsim import Array, Design, LutProducts, lower, quantize, simulate
from hwsim.errors import DesignError, FormatError
from hwsim.qtensor import QTensor
from hwsim.workload import Workload

PARAMETERS = {"int4": {"group_size": 8}, "bitmod_fp4": {"group_size": 8}, "ant_flint4": {}, "pot": {}, "binary": {}}


def weights(name: str, n: int = 8, k: int = 40) -> QTensor:
    real = np.random.default_rng(0).standard_normal((n, k)).astype(np.float32)
    return lower(quantize(real, name, **PARAMETERS.get(name, {})))


def of_four_bits(w: QTensor) -> Workload:
    """A workload of one matmul, whose activations are of 4 bits."""
    workload = Workload.from_tensors("", {"w": w}, m=4)
    return dataclasses.replace(
        workload, layers=tuple(dataclasses.replace(each, activation_bits=4) for each in workload.layers)
    )


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_product_of_two_codes_is_in_its_table(name):
    w, datapath = weights(name), LutProducts()
    tables = datapath.products(w)
    index = np.arange(16)
    activations = (index ^ 8) - 8
    for n in range(w.n):
        for k in range(w.k):
            entries = tables[n, k // w.group_size, :, w.expanded_codes[n, k]]
            assert (entries == activations * int(w.integers[n, k])).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_looking_products_up_is_multiplying(name):
    w = weights(name)
    datapath = LutProducts(readers=1)
    x = np.random.default_rng(1).integers(-8, 8, (5, w.k))
    x[0], x[1], x[2] = -8, 7, 0
    tables = datapath.products(w)
    sums = np.zeros((5, w.n), np.int64)
    for m, n, k in np.ndindex(5, w.n, w.k):
        group = k // w.group_size
        sums[m, n] += w.scale[n, group] * tables[n, group, x[m, k] & 15, w.expanded_codes[n, k]]
    assert (datapath.matmul(x, w) == sums).all()
    assert (sums == x @ (w.integers * w.scale[:, w.group_index].astype(np.int64)).T).all()


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("bcq", {}, "plane_weights"),
        ("olive", {}, "depends on its neighbour"),
        ("int8", {}, "256 entries, a table 16; use lut_buckets"),
        ("int5", {"activation_bits": 3}, "32 entries, a table 16; use weight_bits=5"),
        ("ant", {"value_bits": 6}, "value_bits=6; use value_bits=8"),
        ("squeezellm", {}, "use lut_buckets"),
        ("bitmod_fp4", {}, "all channels that share a table differ in codebooks; use fewer readers"),
        ("bitmod_fp4", {"readers": 2}, "its 2 channels that share a table differ"),
        ("int4", {"accumulator_bits": 10}, "needs accumulator_bits="),
    ],
)
def test_what_it_cannot_take_is_refused_with_a_remedy(name, fields, message):
    real = np.random.default_rng(4).standard_normal((8, 40)).astype(np.float32)
    w = lower(quantize(real, name, **({"group_size": 8} if name in ("bcq", "bitmod_fp4") else {})))
    with pytest.raises(FormatError, match=message) as error:
        LutProducts(**fields).supports(w)
    assert repr(name) in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight_bits": 4, "activation_bits": 8}, "an index of 12 bits, 8 are possible"),
        ({"value_bits": 17}, "value_bits = 17"),
        ({"readers": -1}, "readers = -1"),
    ],
)
def test_bad_parameters_are_named(fields, message):
    with pytest.raises(DesignError, match=message):
        LutProducts(**fields)


@pytest.mark.parametrize(
    ("readers", "array", "message"),
    [
        (3, Array(rows=2, cols=8), "readers=3 does not divide cols=8; use 1, 2, 4, 8, or 0"),
        (0, Array(rows=2, cols=8, dataflow="weight_stationary"), "use array.dataflow='output_stationary'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(readers, array, message):
    workload = of_four_bits(weights("int4"))
    with pytest.raises(DesignError, match=message):
        simulate(workload, Design(datapath=LutProducts(readers=readers), array=array))


def test_a_step_is_a_cycle_and_events_count_what_is_read_and_loaded():
    w, array, m = weights("int4", n=20), Array(rows=4, cols=8), 6
    datapath = LutProducts(lanes=4, readers=4)
    shape = np.array([m, w.n, w.k, w.group_size, 0])
    stats, params = datapath.stats(w, array).values, datapath.params(array)
    cycles = int(datapath.cycles(shape, stats, params))
    assert cycles == 6 * 10 + 2 + 1 + 3 + 2  # 6 tiles of 10 steps, the last of 2 rows
    counts = np.zeros(len(LutProducts.EVENTS), np.int64)
    datapath.events(shape, stats, params, counts)
    named = {(event.component.split(".")[-1], event.action): int(count)
             for event, count in zip(LutProducts.EVENTS, counts, strict=True)}  # fmt: skip
    assert named["pe", "look_up"] == m * 20 * 40
    assert named["row", "select"] == m * 5 * 40  # 5 sets of 4 readers
    assert named["table", "write"] == 2 * 5 * 5 * 256  # 2 row tiles, 5 sets, 5 groups
    assert named["table", "clock"] == cycles * 2
    assert named["pe", "scale"] == m * 20 * 5


def test_it_has_energy_and_area():
    workload = of_four_bits(weights("int4"))
    design = Design(datapath=LutProducts(lanes=4), array=Array(rows=4, cols=4), technology="horowitz45")
    result = simulate(workload, design)
    assert result.verified == "rtl"
    more = simulate(workload, dataclasses.replace(design, datapath=LutProducts(lanes=4, readers=1)))
    assert more.area_um2 > result.area_um2
    assert more.energy_pj > result.energy_pj
