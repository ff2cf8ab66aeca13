"""Cost-only rules against brute force, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import Array, QTensor, Rule, Workload, bits, datapaths
from hwsim.formats.integer import codebook
from hwsim.scheduling import ScheduledRule
from tests import naive_rules

RULES = {name: cls for name, cls in datapaths.available().items() if issubclass(cls, Rule)}
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
        assert issubclass(cls, ScheduledRule)
        assert cls.name() == name
        assert cls().verified == "model only"
        assert cls.from_plain(cls().to_plain()) == cls()
