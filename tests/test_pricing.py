"""Every point of a sweep costs what it costs alone, and what a slow count says."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from hwsim import (
    Array,
    BitSerial,
    Design,
    Dram,
    Mac,
    Override,
    Space,
    Sram,
    Workload,
    datapaths,
    digits,
    exploration,
    presets,
    simulate,
    sweep,
)
from hwsim.design import Counted
from hwsim.errors import HwsimError
from hwsim.labels import label
from hwsim.points import Points
from hwsim.result import CATEGORIES
from tests import naive_costs

ENERGY = "node,voltage_v,component,action,parameters,e0_pj,coefficients,source,status,error_pct,zero_delay_fraction\n"
AREA = (
    "node,voltage_v,component,parameters,area_um2,coefficients,leakage_uw,leakage_uw_per_um2,critical_path_ns,source,"
    "status,error_pct\n"
)


@pytest.fixture(scope="module")
def technology(tmp_path_factory):
    """A folder with a row for every event and part that there is, all of different figures."""
    folder = tmp_path_factory.mktemp("technology")
    energy, area = [], []
    kinds = [kind() for kind in datapaths.available().values()]
    components = {(each, "") for kind in kinds for each in _components(kind)} | {("vector_unit", "")}
    actions = {
        (event.component, event.action, " ".join(f"{name}=-0.01" for name in event.features))
        for kind in kinds for event in kind.EVENTS
    } | {("vector_unit", "element", "")}  # fmt: skip
    for i, (component, action, features) in enumerate(sorted(actions)):
        energy.append(f"45,,{component},{action},,{0.1 + 0.07 * i:.3f},{features},test,assumed,,")
    for i, (component, _) in enumerate(sorted(components)):
        area.append(f"45,,{component},,{10 + 3 * i},,{0.01 + 0.001 * i:.3f},,,test,assumed,")
    energy += [
        f"45,,dram,{action},type={kind},{pj},,test,assumed,,"
        for kind, figures in (("LPDDR4", (8, 9)), ("DDR3", (20, 21)))
        for action, pj in zip(("read", "write"), figures, strict=True)
    ]
    for size in (64, 1 << 20):
        for word in (8, 1024):
            parameters = f"size_bytes={size} word_bits={word}"
            energy += [
                f"45,,sram,{action},{parameters},{word * size**0.5 / 1e4 * more:.6f},,test,assumed,,"
                for action, more in (("read", 1), ("write", 1.2))
            ]
            area.append(f"45,,sram,{parameters},{size * 8.0},,{size / 100},,,test,assumed,")
    (folder / "energy.csv").write_text(ENERGY + "\n".join(energy) + "\n")
    (folder / "area.csv").write_text(AREA + "\n".join(area) + "\n")
    return str(folder) + "/"


def _components(kind):
    found = set()
    for dataflow in ("output_stationary", "weight_stationary"):
        array = Array(dataflow=dataflow)
        try:
            kind.check_array(array)
        except HwsimError:
            continue
        found |= {part.name for part in kind.components(array)}
    return found


ENDS = (
    Override(layers="first", datapath=Mac(), array=Array(rows=4, cols=6)),
    Override(layers="head", datapath=Mac(), array=Array(rows=4, cols=6)),
)
"""Layers that crossbars leave to others."""


def random_designs(name, technology, count=12, seed=0):
    """Designs with datapath ``name`` as it comes, in both dataflows if it has them, everything else by chance."""
    rng = np.random.default_rng([seed, *name.encode()])
    datapath, found = datapaths.find(name)(), []

    def one_of(*values):
        return values[rng.integers(len(values))]

    while len(found) < count:
        overlap = one_of("tile", "layer")
        array = Array(
            rows=int(rng.integers(1, 20)), cols=int(rng.integers(1, 20)), accumulator_rows=int(rng.integers(1, 300)),
            dataflow=one_of("output_stationary", "weight_stationary"),
        )  # fmt: skip
        try:
            datapath.check_array(array)
        except HwsimError:
            other = {"output_stationary": "weight_stationary", "weight_stationary": "output_stationary"}
            array = dataclasses.replace(array, dataflow=other[array.dataflow])
        if datapath.resident:  # a layer's weights stay, so all must have room
            array = dataclasses.replace(array, rows=1024, cols=1024)
        sizes = [Sram(kib=one_of(0.5, 2, 16), banks=one_of(1, 4), width_bits=one_of(16, 128)) for _ in range(3)]
        found.append(
            Design(
                datapath=datapath,
                array=array,
                activation_buffer=sizes[0],
                weight_buffer=sizes[1],
                output_buffer=one_of(sizes[2], None),
                technology=technology,
                clock_mhz=one_of(200.0, 733.0),
                overrides=ENDS if datapath.resident else (),
                dram=Dram(type=one_of("LPDDR4", "DDR3"), bandwidth_gb_s=one_of(0.2, 30.0)),
                overlap=overlap,
                refetch=one_of("tile", overlap),
                vector_lanes=one_of(4, 16),
                counted=one_of(
                    Counted(), Counted(leakage=False), Counted(host_operators=False), Counted(partial_dram_cycles=False)
                ),
            )
        )
    return found


SUBJECTS = [
    Workload.from_shapes("two", [(40, 24, 60), (7, 33, 129)]),
    Workload.from_network(digits.load("cnn_int4"), 2),
]


def narrow():
    """Codes of 4 bits on both sides."""
    plain = Workload.from_shapes("narrow", [(9, 20, 50)], weights="int4")
    layers = (dataclasses.replace(layer, activation_bits=4) for layer in plain.layers)
    return dataclasses.replace(plain, layers=tuple(layers))


SPECIAL = [*(Workload.from_network(digits.load(name), 3) for name in ("cnn_fp8", "mlp_split128")), narrow()]
"""What floating-point arrays, crossbars and tables of products take."""


@pytest.mark.parametrize("name", datapaths.available())
def test_a_sweep_costs_each_point_what_simulate_does(name, technology):
    designs = random_designs(name, technology)
    frame = sweep([*SUBJECTS, *SPECIAL], designs)
    assert (frame["error"] == "").any()
    for row in frame.to_dict("records"):
        design = Design.from_plain(json.loads(row["design"]))
        assert design.hash == row["design_hash"]
        subject = next(each for each in [*SUBJECTS, *SPECIAL] if each.name == row["workload"])
        if row["error"]:
            with pytest.raises(HwsimError) as problem:
                simulate(subject, design)
            assert str(problem.value) == row["error"]
        else:
            totals = simulate(subject, design).totals()
            assert {key: row[key] for key in totals} == totals


@pytest.mark.parametrize("name", datapaths.available())
def test_costs_are_those_of_a_slow_count(name, technology):
    for design in random_designs(name, technology, count=4, seed=1):
        for subject in [*SUBJECTS, narrow()]:
            try:
                result = simulate(subject, design)
            except HwsimError:  # said by the test above
                continue
            cycles, energy, area_um2 = naive_costs.point(subject, design)
            assert result.cycles == cycles
            assert result.area_um2 == pytest.approx(area_um2, rel=1e-12)
            assert result.energy_by_component() == pytest.approx(energy, rel=1e-12)
            assert sum(energy.values()) == pytest.approx(result.energy_pj, rel=1e-12)
            for category in CATEGORIES:
                for layer in result.layers:
                    events = sum(each.energy_pj for each in layer.events if each.category == category)
                    assert layer.energy_pj(category) == pytest.approx(events, rel=1e-12)


def test_overrides_and_their_own_steps_are_priced_alike():
    override = Override(layers="*1", datapath=BitSerial(skip="zero"), array=Array(rows=4, cols=4))
    designs = [
        Design(overrides=overrides, clock_mhz=clock)
        for overrides in ((), (override,), (Override(layers="*0", array=Array(rows=2, cols=9)), override))
        for clock in (100.0, 200.0)
    ]
    frame = sweep(SUBJECTS[0], designs)
    for row, design in zip(frame.to_dict("records"), designs, strict=True):
        totals = simulate(SUBJECTS[0], design).totals()
        assert {key: row[key] for key in totals} == totals


def test_steps_as_wide_as_an_access_are_priced_beside_others():
    names = ("published_bitmod_ly_decode", "published_fp16_prefill", "published_olive_decode")
    designs = [presets.load(name) for name in names] + [Design(technology="bitmod28"), Design()]
    frame = sweep(SUBJECTS[0], designs)
    assert (frame["error"] == "").tolist() == [True, True, True, False, True]
    for row, design in zip(frame.to_dict("records"), designs, strict=True):
        if not row["error"]:
            totals = simulate(SUBJECTS[0], design).totals()
            assert {key: row[key] for key in totals} == totals


GRID = {
    "datapath.name": ["mac", "bit_serial", "stripes"],
    "clock_mhz": [100, 200.0],
    "datapath.skip": ["none", "zero"],
    "array.dataflow": ["output_stationary", "weight_stationary"],
    "array.accumulator_rows": [64, 128],
    "output_buffer": [None, {"kib": 16}],
    "overlap": ["layer"],
    "refetch": ["layer", "tile"],
    "weight_buffer.kib": [8, 16],
}


def test_a_grid_is_all_its_parts_and_no_point_twice():
    grid = Space(GRID).grid()
    designs = list(grid.all())
    assert len(set(designs)) == len(designs) == len(grid) == 4 * 2 * 3 * 2 * 2 * 2
    parts = [design for start in range(0, len(grid), 7) for design in grid.part(start, start + 7)]
    assert parts == designs
    assert {(each.datapath, each.array) for each in grid.arrays()} == {(each.datapath, each.array) for each in designs}


def test_columns_of_points_say_what_the_designs_do():
    designs = [*Space(GRID).designs(), Design()]
    points = Points.of(designs)
    assert points.hashes() == [design.hash for design in designs]
    assert list(Points.of(designs)) == designs
    assert [Design.from_plain(json.loads(text)) for text in points.briefs().to_pylist()] == designs
    frame = sweep(SUBJECTS[0], designs)
    assert frame["label"].tolist() == [label(design) for design in designs]
    assert frame["weight_buffer.kib"].tolist() == [design.weight_buffer.kib for design in designs]


def test_totals_do_not_depend_on_how_many_points_are_priced_at_once(monkeypatch):
    whole = sweep(SUBJECTS[0], GRID)
    monkeypatch.setattr(exploration, "AT_ONCE", 5)
    pd.testing.assert_frame_equal(sweep(SUBJECTS[0], GRID), whole)


def test_values_that_only_fit_together_are_checked_together():
    with pytest.raises(HwsimError, match="needs overlap 'layer'"):
        Space({"refetch": ["layer", "tile"], "overlap": ["tile", "layer"]}).grid()
    assert len(Space({"refetch": ["layer", "tile"], "overlap": ["layer"]}).grid()) == 2
