"""Floating-point units in RTL, number by number, against the simulator."""

import hashlib

import numpy as np
import pytest

from rtl.stimuli import RESULTS
from sims import verilator_engine
from sims.float_units import ANSWERS, CORRECTIONS, LAYOUTS, FloatUnits, all_pairs, random_pairs
from tests.test_vectors import SECTIONS

RANDOM_PAIRS = 1_000_000
TABLES = [case for case in SECTIONS["lmul"] if "sha256" in case]


def test_units_agree_on_all_pairs_of_8_bits_and_a_million_of_16(tmp_path):
    build = verilator_engine.build_harness(FloatUnits(), LAYOUTS)
    jobs = [*map(all_pairs, CORRECTIONS), *random_pairs(RANDOM_PAIRS, seed=1)]
    outcomes = verilator_engine.replay_streams(build, LAYOUTS, "bench_lmul", jobs, tmp_path)
    assert len(outcomes) == len(jobs)
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert (outcome.mismatches, outcome.violations, outcome.cycles) == (0, 0, job.stimuli.cycles), outcome


@pytest.mark.parametrize("case", TABLES, ids=lambda case: f"{case['name'].rpartition(' ')[2]} {case['offset']}")
def test_what_the_rtl_must_answer_is_the_published_table(case):
    """The checksum of every product of 8 bits, of the beats that the RTL's are compared with."""
    beats = all_pairs("paper" if case["offset"] == "l(m)" else "none").stimuli.streams[RESULTS]
    field = ANSWERS[f"lmul_{case['name'].rpartition(' ')[2]}"]
    bits = np.unpackbits(beats, axis=1, bitorder="little")[:, field.offset : field.offset + field.width]
    assert hashlib.sha256(np.packbits(bits, axis=1, bitorder="little").tobytes()).hexdigest() == case["sha256"]
