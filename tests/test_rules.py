"""Cost-only rules against brute force, and what they refuse."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import (
    Array,
    Design,
    QTensor,
    Workload,
    bits,
    datapaths,
    digits,
    presets,
    rule_table,
    simulate,
    technology,
)
from hwsim.cli import main
from hwsim.errors import DesignError, FormatError, TechnologyError
from hwsim.formats.integer import codebook
from hwsim.labels import label
from hwsim.scheduling import Activations, ScheduledRule
from hwsim.technology.rows import AreaRow, EnergyRow
from tests import naive_rules

RULES = {name: cls for name, cls in datapaths.available().items() if issubclass(cls, ScheduledRule)}
VARIANTS = [
    ("stripes", {}),
    ("stripes", {"serial": "activations", "activation_bits": 5}),
    ("shapeshifter", {}),
    ("shapeshifter", {"trim_low": True}),
    ("shapeshifter", {"run_ahead": 2}),
    ("loom", {}),
    ("loom", {"bits_per_cycle": 4, "weight_precision": "dynamic"}),
    ("loom", {"bits_per_cycle": 2}),
    ("pragmatic", {}),
    ("pragmatic", {"recode": True, "shifter_bits": 0}),
    ("pragmatic", {"shifter_bits": 1, "run_ahead": 3}),
    ("pragmatic", {"operand": "activations", "shifter_bits": 2, "run_ahead": 1, "recode": True}),
    ("pragmatic", {"operand": "activations", "shifter_bits": 0}),
    ("laconic", {}),
    ("laconic", {"recode": True}),
    ("bitlet", {}),
    ("bitlet", {"check_window": 2}),
    ("bitlet", {"check_window": 8, "lanes": 64}),
    ("bitwave", {}),
    ("bitwave", {"skip_columns": False}),
    ("bitvert", {"pruning": "none"}),
    ("bitvert", {"pruning": "redundant"}),
    ("bitvert", {"pruning": "conservative"}),
    ("bitvert", {"pruning": "moderate", "sensitive_fraction": 0.4}),
    ("bitfusion", {"activation_bits": 8}),
    ("bitfusion", {"activation_bits": 3}),
    ("ant", {"activation_bits": 4}),
    ("ant", {"stationary": "weight"}),
]
GEMM = Workload.from_shapes("gemm", [(40, 24, 60)])


def tensor(values, width, group_size=None):
    """A lowered intN tensor of these values, scales 1."""
    size = group_size or values.shape[1]
    groups = (len(values), -(-values.shape[1] // size))
    return QTensor(
        format=f"int{width}", shape=values.shape, codes=(values & ((1 << width) - 1)).astype(np.uint8),
        codebook=codebook(width), group_size=size, scale=np.ones(groups, np.int32),
        channel_scale=np.ones(len(values), np.float32),
    )  # fmt: skip


@st.composite
def matmuls(draw):
    """Weights of any width, sparse or small or not, with or without groups; activations signed or not."""
    width, n, k = draw(st.integers(2, 8)), draw(st.integers(1, 7)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    top = 1 << draw(st.integers(1, width)) - 1
    w = rng.integers(-top, top, (n, k)) * (rng.random((n, k)) < draw(st.sampled_from([0.0, 0.3, 1.0])))
    x = rng.integers(-8 if draw(st.booleans()) else 0, 1 << draw(st.integers(1, 8)), (draw(st.integers(1, 9)), k))
    return tensor(w, width, draw(st.sampled_from([None, 5, 16]))), x


@pytest.mark.parametrize(("name", "fields"), VARIANTS)
@given(
    matmul=matmuls(), lanes=st.sampled_from([None, 1, 3, 4]), rows=st.integers(1, 4), cols=st.integers(1, 4)
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_cycles_are_those_of_brute_force(name, fields, matmul, lanes, rows, cols):
    w, x = matmul
    rule = RULES[name](**fields, **({"lanes": lanes} if lanes and "lanes" not in fields else {}))
    array = Array(rows=rows, cols=cols)
    expected = brute_force(name, rule, w, x, array)
    stats = rule.count(w, x if rule.reads_activations else None, array)
    shape = np.array([len(x), w.n, w.k, w.group_size, 0], dtype=np.int64)
    assert rule.cycles(shape, stats.values, rule.params(array)) == expected


def brute_force(name, rule, w, x, array):
    rows, cols, lanes = array.rows, array.cols, rule.lanes
    if name == "bitfusion":
        factor = {8: 1, 4: 2, 2: 4}
        fused = factor[next(b for b in (2, 4, 8) if b >= rule.activation_bits)]
        fused *= factor[next(b for b in (2, 4, 8) if b >= w.integer_bits)]
        rows, lanes = 1, lanes * rows * fused
    if name == "ant":
        rows, cols = rows * (1 + (rule.activation_bits <= 4)), cols * (1 + (w.integer_bits <= 4))
        if rule.stationary == "weight":
            rows, lanes = 1, lanes * rows
    steps = naive_rules.passes(w.k, w.group_size, lanes)
    once = getattr(naive_rules, name)(w.integers.tolist(), x.tolist(), rule, rows, cols, w.integer_bits, steps)
    return once if rule.reads_activations else once * len(naive_rules.tiles(x, rows))


@given(st.integers(-(1 << 15), (1 << 15) - 1))
def test_recoding_never_adds_terms_and_keeps_digits_apart(value):
    mask = int(bits.recoded(np.array([value]))[0])
    assert mask == sum(1 << i for i in naive_rules.fewest_terms(value))


def test_all_ten_are_found_by_being_there():
    assert sorted(RULES) == [
        "ant", "bitfusion", "bitlet", "bitvert", "bitwave", "laconic", "loom", "pragmatic", "shapeshifter", "stripes",
    ]  # fmt: skip
    for name, cls in RULES.items():
        assert cls.name() == name
        assert cls().verified == "model only"
        assert cls.from_plain(cls().to_plain()) == cls()


PRICED = ("bitfusion", "bitlet", "bitvert_conservative", "bitvert_moderate", "bitwave", "pragmatic", "stripes")


def test_every_shipped_rule_design_is_priced_or_says_what_is_missing():
    assert set(rule_table.rules()) > set(PRICED)
    for name, design in rule_table.rules().items():
        if name in PRICED:
            assert simulate(GEMM, design).verified == "model only"
            continue
        with pytest.raises(
            TechnologyError, match=rf"no row for {design.datapath.name()}\.pe .*cost-only rule"
        ) as error:
            simulate(GEMM, design)
        assert "characterize" not in str(error.value)


def test_events_and_energies_are_counted_by_hand():
    result = simulate(GEMM, presets.load("stripes"))
    events = result.events().set_index("component")
    steps, m_tiles, n_tiles = 4, 3, 2  # 60 k in lanes of 16, 40 rows and 24 columns in an array of 16 x 16
    cycles = m_tiles * n_tiles * steps * 8
    assert result.layers[0].compute_cycles == cycles
    counts = events["count"][["stripes.pe", "stripes.scheduler", "stripes.input_register"]].tolist()
    assert counts == [cycles * 256, cycles * 16, m_tiles * n_tiles * steps * 16]
    per_action = events["per_action_pj"][["stripes.pe", "stripes.scheduler", "stripes.input_register"]]
    assert per_action.tolist() == pytest.approx([1.5 * 0.28125, 1.5 * 0.46, 1.5 * 0.602625])  # BBS's simulator
    assert any("28 and 45 nm" in note for note in result.assumptions())
    assert any(note.startswith("areas with status 'assumed'") for note in result.assumptions())


def test_assumed_activations_are_counted_and_named(monkeypatch):
    pe = {"node": "28", "voltage_v": None, "component": "shapeshifter.pe", "parameters": {}, "coefficients": {},
          "source": "test", "status": "assumed", "error_pct": None}  # fmt: skip
    tech = technology.load("horowitz45")
    energy = EnergyRow(**pe, action="cycle", e0_pj=2.0)
    area = AreaRow(**pe, area_um2=1.0, leakage_uw=0.0, leakage_uw_per_um2=0.0, critical_path_ns=None)
    priced = technology.Technology("priced", [*tech.energy_rows, energy], [*tech.area_rows, area])
    monkeypatch.setattr(technology, "load", lambda name: priced)
    design = presets.load("shapeshifter")
    quiet = dataclasses.replace(design, datapath=dataclasses.replace(design.datapath, activations=Activations(std=3)))
    loud, low = simulate(GEMM, design), simulate(GEMM, quiet)
    assert any("half-normal, std 40, 50% zero (seed 0)" in note for note in loud.assumptions())
    assert low.layers[0].compute_cycles < loud.layers[0].compute_cycles < 8 * 24
    assert loud.events().set_index("component").loc["shapeshifter.pe", "energy_pj"] == pytest.approx(
        2.0 * 256 * loud.layers[0].compute_cycles
    )


def test_row_tiles_beyond_the_counted_ones_take_their_average():
    rule, array, w = RULES["shapeshifter"](), Array(rows=2, cols=4), tensor(np.ones((4, 5), int), 4)
    x = np.zeros((4, 5), int)
    x[:2], x[2:] = 1, 255  # two row tiles, of 1 and of 8 cycles
    values = rule.count(w, x, array).values
    shape = [np.array([m, 4, 5, 5, 0]) for m in (4, 6, 7)]
    assert [rule.cycles(s, values, rule.params(array)) for s in shape] == [9, 14, 18]


@pytest.mark.parametrize("signed", [False, True])
def test_drawn_activations_keep_to_their_width_and_seed(signed):
    drawn = Activations(std=500, signed=signed, zero_fraction=0.25).draw(64, 64, 6)
    assert (drawn.min() < 0) == signed
    assert np.abs(drawn).max() == (31 if signed else 63)
    assert 0.2 < (drawn == 0).mean() < 0.3
    assert (drawn == Activations(std=500, signed=signed, zero_fraction=0.25).draw(64, 64, 6)).all()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_computes_nothing(name):
    network = digits.load("mlp_int8")
    with pytest.raises(DesignError, match=f"{name} computes no values"):
        hwsim.run(network, Design(datapath=RULES[name]()), digits.held_out(network)[0][:1])
    with pytest.raises(DesignError, match="cost-only rule"):
        RULES[name]().matmul(np.ones((1, 1), int), tensor(np.ones((1, 1), int), 4))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RULES["loom"](bits_per_cycle=3), DesignError, "bits_per_cycle = 3: accepted are"),
        (lambda: RULES["pragmatic"](shifter_bits=5), DesignError, "shifter_bits = 5: accepted are 0 to 4"),
        (lambda: RULES["stripes"](lanes=0), DesignError, "lanes = 0"),
        (lambda: RULES["bitfusion"](activation_bits=9), DesignError, "activation_bits = 9"),
        (lambda: RULES["bitvert"](pruning="mild"), DesignError, "'mild' is not one of"),
        (lambda: RULES["loom"](activations=Activations(zero_fraction=2.0)), DesignError, "zero_fraction = 2.0"),
        (lambda: RULES["loom"]().count(tensor(np.ones((1, 3), int), 4), None, Array()), DesignError, "none given"),
        (
            lambda: RULES["loom"]().count(tensor(np.ones((1, 3), int), 4), np.ones((2, 4), int), Array()),
            DesignError, r"integers \[M, 3\] needed, int64\(2, 4\) given",
        ),
        (
            lambda: RULES["loom"]().count(tensor(np.ones((1, 3), int), 4), np.full((2, 3), 256), Array()),
            DesignError, "more than activation_bits=8",
        ),
        (lambda: RULES["bitlet"]().supports(hwsim.quantize(np.ones((2, 4)), "int8")), FormatError, "lower it first"),
        (
            lambda: RULES["bitlet"]().supports(hwsim.lower(hwsim.quantize(np.ones((2, 32)), "fp8_e4m3"))),
            FormatError, "its values need 19 bits; use a format of at most 8 bits",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_sweep_over_rules_and_their_options_marks_what_has_no_price():
    space = {"datapath.name": ["mac", "stripes", "loom"], "datapath.activations.std": [10.0, 20.0], "array.rows": [16]}
    frame = hwsim.sweep(GEMM, space, base=Design(datapath=RULES["loom"](), technology="horowitz45"))
    assert frame["datapath.name"].tolist() == ["mac", "stripes", "loom", "loom"]
    assert frame["verified"].tolist()[:2] == ["rtl", "model only"]
    assert frame["error"].str.contains("cost-only rule").tolist() == [False, False, True, True]


def test_labels_tell_variants_apart():
    labels = {label(design) for design in rule_table.rules().values()}
    assert len(labels) == len(rule_table.rules())
    assert any("bitvert pruning moderate" in text for text in labels)


def test_a_network_s_own_activations_are_counted():
    network = digits.load("mlp_int8")
    matmuls = rule_table.operands(network, digits.held_out(network)[0][:20])
    counts = {each.preset: each for each in rule_table.count(matmuls)}
    rule, array = RULES["laconic"](), Array(rows=16, cols=16)
    expected = sum(brute_force("laconic", rule, w, x, array) for x, w in matmuls)
    assert counts["laconic"].cycles == expected
    assert counts["stripes"].over_stripes == counts["stripes"].over_dense == 1
    assert counts["loom"].over_stripes is None


def test_the_command_lists_rules_and_counts_a_network(capsys, tmp_path):
    assert main(["rules", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["rules"]
    assert {each["datapath"] for each in listed} == set(RULES)
    assert main(["rules", "mlp_int4", "--samples", "3", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["verified"], data["samples"]) == ("model only", 3)
    network = digits.load("mlp_int4")
    expected = rule_table.count(rule_table.operands(network, digits.held_out(network)[0][:3]))
    assert [(each["preset"], each["cycles"]) for each in data["rules"]] == [(c.preset, c.cycles) for c in expected]
    dataclasses.replace(network, name="own").save(tmp_path / "own.safetensors")
    assert main(["rules", str(tmp_path / "own.safetensors"), "--samples", "2"]) == 0
    out = capsys.readouterr().out
    assert "model only" in out
    assert "2 uniform inputs" in out


def test_the_command_line_refuses_rtl_of_a_rule(capsys, tmp_path):
    pytest.importorskip("amaranth")
    assert main(["rtl", "bitwave", "--out", str(tmp_path / "rtl")]) == 2
    assert "bitwave is a cost-only rule: it has no RTL" in capsys.readouterr().err
    assert not (tmp_path / "rtl").exists()
