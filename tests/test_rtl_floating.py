"""Floating-point units in RTL, number by number, against the simulator."""

from sims import verilator_engine
from sims.float_units import LAYOUTS, FloatUnits, all_pairs, random_pairs

RANDOM_PAIRS = 1_000_000


def test_units_agree_on_all_pairs_of_8_bits_and_a_million_of_16(tmp_path):
    build = verilator_engine.build_harness(FloatUnits(), LAYOUTS)
    jobs = [all_pairs(), *random_pairs(RANDOM_PAIRS, seed=1)]
    outcomes = verilator_engine.replay_streams(build, LAYOUTS, "bench_lmul", jobs, tmp_path)
    assert len(outcomes) == len(jobs)
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert (outcome.mismatches, outcome.violations, outcome.cycles) == (0, 0, job.stimuli.cycles), outcome
