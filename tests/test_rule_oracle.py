"""Every rule reproduces its row of the synthetic oracle (tests/rule_oracle/README.md), exactly."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hwsim import Array, BitSerial, QTensor
from hwsim.datapaths.bitlet import Bitlet
from hwsim.datapaths.bitvert import BitVert
from hwsim.datapaths.bitwave import BitWave
from hwsim.datapaths.laconic import Laconic
from hwsim.datapaths.loom import Loom
from hwsim.datapaths.pragmatic import Pragmatic
from hwsim.datapaths.stripes import Stripes
from hwsim.formats.integer import codebook

RNG = np.random.Generator(np.random.PCG64(2024))
W = np.clip(np.rint(RNG.standard_normal((64, 1024)) * 32), -127, 127).astype(np.int64)
A = np.clip(np.rint(np.abs(RNG.standard_normal((16, 1024))) * 40), 0, 255).astype(np.int64)
N, K = W.shape
TENSOR = QTensor(
    format="int8", shape=W.shape, codes=(W & 0xFF).astype(np.uint8), codebook=codebook(8), group_size=K,
    scale=np.ones((N, 1), np.int32), channel_scale=np.ones(N, np.float32),
)  # fmt: skip
WEIGHTS_ONLY = Array(rows=1, cols=32)
RULES = {
    "stripes": (Stripes(), WEIGHTS_ONLY),
    "pragmatic_sm": (Pragmatic(), WEIGHTS_ONLY),
    "pragmatic_naf": (Pragmatic(recode=True), WEIGHTS_ONLY),
    "bitlet": (Bitlet(), WEIGHTS_ONLY),
    "bitwave": (BitWave(), WEIGHTS_ONLY),
    "bbs_msb_only": (BitVert(pruning="redundant"), WEIGHTS_ONLY),
    "laconic_pair": (Laconic(), Array(rows=8, cols=8)),
    "loom_dynA": (Loom(), Array(rows=16, cols=64)),
}
with (Path(__file__).parent / "rule_oracle" / "cycles.csv").open(encoding="utf-8") as file:
    ORACLE = {row["rule"]: row for row in csv.DictReader(file)}


def test_the_recipe_gives_the_numbers_that_the_oracle_counted():
    assert (W.sum(), A.sum()) == (3135, 519122)
    assert W[0, :8].tolist() == [33, 53, 37, -31, -45, 2, 28, 16]
    assert A[0, :8].tolist() == [17, 35, 98, 8, 44, 7, 27, 9]
    assert (TENSOR.integers == W).all()


def test_the_oracle_has_no_other_rows():
    assert set(ORACLE) == {*RULES, "bitmod_booth_fixed"}


@pytest.mark.parametrize("name", RULES)
def test_cycles_with_and_without_skipping(name):
    rule, array = RULES[name]
    stats = rule.count(TENSOR, A if rule.reads_activations else None, array)
    m = len(A) if rule.reads_activations else 1
    shape = np.array([m, N, K, K, 0], dtype=np.int64)
    cycles = rule.cycles(shape, stats.values, rule.params(array))
    row = ORACLE[name]
    assert cycles == int(row["cycles"])
    dense = -(-m // array.rows) * rule.dense_cycles(TENSOR, array)
    assert dense == int(row["dense_cycles_same_rule_geometry"])
    assert round(dense / cycles, 4) == float(row["ratio"])


def test_the_bit_serial_datapath_takes_the_oracle_s_fixed_booth_terms():
    datapath = BitSerial(lanes=4, scheme="booth", skip="none")
    shape = np.array([1, N, K, K, 0], dtype=np.int64)
    tall = np.array([1001, N, K, K, 0], dtype=np.int64)
    stats = datapath.stats(TENSOR, WEIGHTS_ONLY).values
    params = datapath.params(WEIGHTS_ONLY)
    each = datapath.cycles(tall, stats, params) - datapath.cycles(shape, stats, params)  # 1000 row tiles more
    assert each == 1000 * int(ORACLE["bitmod_booth_fixed"]["cycles"])
