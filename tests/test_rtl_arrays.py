"""Whole small arrays on Amaranth's simulator: values, cycles and stream rules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.formats.integer import codebook
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from hwsim.terms import SCHEMES
from rtl.generator import generate
from rtl.harness import Job
from rtl.stimuli import Matmul, stimuli
from sims.amaranth_engine import replay
from sims.outcome import Outcome


def tensor(rng, n, k, bits, group_size, scale_bits=0, offset_bits=0) -> QTensor:
    """Random lowered weights: every code of ``bits``, scales and offsets over their range."""

    def signed(width, size):
        half = 1 << (width - 1)
        return rng.integers(-half, half, size, dtype=np.int32)

    groups = (n, -(-k // group_size))
    return QTensor(
        format=f"int{bits}", shape=(n, k), group_size=group_size,
        codes=rng.integers(0, 1 << bits, (n, k)).astype(np.uint8 if bits <= 8 else np.uint16),
        codebook=codebook(bits),
        scale=signed(scale_bits, groups) if scale_bits else np.ones(groups, np.int32),
        offset=signed(offset_bits, groups) if offset_bits else None,
        channel_scale=np.ones(n, np.float32),
    )  # fmt: skip


def quantizer(rng, n, threshold=False) -> Quantizer:
    return Quantizer(
        bias=rng.integers(-3000, 3000, n).astype(np.int32),
        multiplier=rng.integers(1, 1 << 31, n).astype(np.int32),
        shift=rng.integers(28, 36, n).astype(np.uint8),
        invert=rng.integers(0, 2, n).astype(bool) & threshold,
        low=-1000, high=700, threshold=threshold,
    )  # fmt: skip


def matmul(seed, datapath, shape, group_size, *, bits=None, m_outer=False, threshold=False) -> Matmul:
    rng = np.random.default_rng(seed)
    m, n, k = shape
    half = 1 << (datapath.activation_bits - 1)
    return Matmul(
        x=rng.integers(-half, half, (m, k)),
        w=tensor(rng, n, k, bits or datapath.weight_bits, group_size, datapath.scale_bits, datapath.offset_bits),
        quantizer=quantizer(rng, n, threshold),
        m_outer=m_outer,
    )


def check(datapath, array, *matmuls: Matmul, stall: int = 0) -> None:
    """Every result as the simulator's; unstalled also every cycle."""
    component = generate(datapath, array)
    jobs = [Job(stimuli=stimuli(datapath, array, each), stall=stall, seed=seed) for seed, each in enumerate(matmuls)]
    for job, outcome in zip(jobs, replay(component, jobs), strict=True):
        cycles = outcome.cycles if stall else job.stimuli.cycles
        assert outcome == Outcome(mismatches=0, violations=0, cycles=cycles)


DATAPATHS = {
    "mac": Mac(lanes=3),
    "one lane, no scales": Mac(lanes=1, scale_bits=0, weight_bits=2, activation_bits=2, accumulator_bits=12),
    "narrow scales and offsets": Mac(lanes=4, scale_bits=4, offset_bits=5, weight_bits=4),
    "offsets only": Mac(lanes=3, scale_bits=0, offset_bits=6, activation_bits=5),
    "saturating": Mac(lanes=2, scale_bits=0, accumulator_bits=16, overflow="saturate"),
    "saturating groups": Mac(
        lanes=2, scale_bits=5, offset_bits=6, accumulator_bits=20, group_accumulator_bits=16, overflow="saturate"
    ),
    "wide activations": Mac(lanes=2, activation_bits=16, scale_bits=2, overflow="saturate"),
    "booth": BitSerial(lanes=3),
    "booth, odd width": BitSerial(lanes=2, weight_bits=7, offset_bits=4),
    "booth, zeros skipped": BitSerial(lanes=3, skip="zero"),
    "two's complement": BitSerial(lanes=3, scheme="twos_complement", scale_bits=0),
    "two's complement, zeros skipped": BitSerial(
        lanes=2, scheme="twos_complement", skip="zero", accumulator_bits=18, overflow="saturate"
    ),
    "signed digits": BitSerial(lanes=3, scheme="naf"),
    "signed digits, zeros skipped": BitSerial(lanes=2, scheme="naf", skip="zero", weight_bits=11, activation_bits=4),
    "two steps wait": BitSerial(lanes=2, scheme="naf", skip="zero", fifo_depth=2, offset_bits=3),
    "three steps wait": BitSerial(lanes=1, skip="zero", fifo_depth=3, scale_bits=0),
    "many steps wait": BitSerial(
        lanes=2, scheme="twos_complement", skip="zero", fifo_depth=9, accumulator_bits=18, overflow="saturate"
    ),
    "serial scales": BitSerial(lanes=4, dequantization="serial"),
    "serial scales, steps wait": BitSerial(
        lanes=2,
        skip="zero",
        fifo_depth=2,
        dequantization="serial",
        scale_bits=5,
        group_accumulator_bits=12,
        accumulator_bits=16,
        overflow="saturate",
    ),
    "one scale bit": BitSerial(lanes=2, skip="zero", dequantization="serial", scale_bits=1),
}
ARRAYS = [Array(rows=1, cols=1), Array(rows=3, cols=2), Array(rows=2, cols=4)]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda each: f"{each.rows}x{each.cols}")
@pytest.mark.parametrize("name", DATAPATHS)
def test_ragged_matmuls_back_to_back(name: str, array: Array) -> None:
    datapath = DATAPATHS[name]
    check(
        datapath,
        array,
        matmul(1, datapath, (1, 1, 1), 1),
        matmul(2, datapath, (5, 5, 17), 7),
        matmul(3, datapath, (7, 3, 9), 9, m_outer=True, threshold=True),
        matmul(4, datapath, (2 * array.rows, 2 * array.cols, 2), 1, bits=2),
    )


@pytest.mark.parametrize("name", DATAPATHS)
@pytest.mark.parametrize("stall", [30, 180])
def test_stalls_change_no_value(name: str, stall: int) -> None:
    datapath = DATAPATHS[name]
    short = matmul(5, datapath, (7, 5, 3), 1, bits=2)
    long = matmul(6, datapath, (4, 3, 20), 6, m_outer=True)
    check(datapath, Array(rows=3, cols=2), short, long, stall=stall)


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("skip", ["none", "zero"])
def test_narrow_weights_take_fewer_terms(bits: int, scheme: str, skip: str) -> None:
    datapath = BitSerial(lanes=2, scheme=scheme, skip=skip)
    check(datapath, Array(rows=2, cols=2), matmul(bits, datapath, (3, 3, 12), 4, bits=bits))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    datapath=st.sampled_from(list(DATAPATHS.values())),
    rows=st.integers(1, 3),
    cols=st.integers(1, 3),
    shape=st.tuples(st.integers(1, 8), st.integers(1, 7), st.integers(1, 14)),
    group_size=st.integers(1, 14),
    stall=st.sampled_from([0, 100]),
    m_outer=st.booleans(),
)
def test_any_shape(datapath, rows, cols, shape, group_size, stall, m_outer) -> None:
    group_size = min(group_size, shape[2])
    check(
        datapath,
        Array(rows=rows, cols=cols),
        matmul(7, datapath, shape, group_size, m_outer=m_outer),
        stall=stall,
    )
