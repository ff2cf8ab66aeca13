"""Whole small weight-stationary arrays on Amaranth's simulator: values, cycles and stream rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.errors import DesignError
from rtl.generator import generate
from tests.test_rtl_arrays import check, matmul

DATAPATHS = {
    "mac": Mac(lanes=3),
    "one lane, no scales": Mac(lanes=1, scale_bits=0, weight_bits=2, activation_bits=2, accumulator_bits=12),
    "narrow scales and offsets": Mac(lanes=4, scale_bits=4, offset_bits=5, weight_bits=4),
    "offsets only": Mac(lanes=3, scale_bits=0, offset_bits=6, activation_bits=5),
    "booth": BitSerial(lanes=3),
    "booth, odd width": BitSerial(lanes=2, weight_bits=7, offset_bits=4),
    "booth, zeros skipped": BitSerial(lanes=3, skip="zero"),
    "signed digits": BitSerial(lanes=2, scheme="naf", weight_bits=5),
    "signed digits, zeros skipped": BitSerial(lanes=2, scheme="naf", skip="zero", offset_bits=3),
    "two's complement": BitSerial(lanes=3, scheme="twos_complement", scale_bits=0),
    "two's complement, zeros skipped": BitSerial(lanes=2, scheme="twos_complement", skip="zero"),
}


def stationary(rows: int, cols: int, accumulator_rows: int) -> Array:
    return Array(rows=rows, cols=cols, dataflow="weight_stationary", accumulator_rows=accumulator_rows)


ARRAYS = [stationary(1, 1, 1), stationary(3, 2, 5), stationary(2, 4, 2), stationary(4, 1, 64)]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda each: f"{each.rows}x{each.cols}x{each.accumulator_rows}")
@pytest.mark.parametrize("name", DATAPATHS)
def test_ragged_matmuls_back_to_back(name: str, array: Array) -> None:
    datapath = DATAPATHS[name]
    check(
        datapath,
        array,
        matmul(1, datapath, (1, 1, 1), 1),
        matmul(2, datapath, (5, 5, 17), 7),
        matmul(3, datapath, (7, 3, 9), 9, m_outer=True, threshold=True),
        matmul(4, datapath, (2 * array.tile_rows, 2 * array.cols, 2), 1, bits=2),
    )


@pytest.mark.parametrize("name", DATAPATHS)
@pytest.mark.parametrize("stall", [30, 180])
def test_stalls_change_no_value(name: str, stall: int) -> None:
    datapath = DATAPATHS[name]
    short = matmul(5, datapath, (7, 5, 3), 1, bits=2)
    long = matmul(6, datapath, (4, 3, 20), 6, m_outer=True)
    check(datapath, stationary(3, 2, 4), short, long, stall=stall)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    datapath=st.sampled_from(list(DATAPATHS.values())),
    array=st.builds(stationary, st.integers(1, 3), st.integers(1, 3), st.integers(1, 9)),
    shape=st.tuples(st.integers(1, 8), st.integers(1, 7), st.integers(1, 14)),
    group_size=st.integers(1, 14),
    stall=st.sampled_from([0, 100]),
    m_outer=st.booleans(),
)
def test_any_shape(datapath, array, shape, group_size, stall, m_outer) -> None:
    check(datapath, array, matmul(7, datapath, shape, min(group_size, shape[2]), m_outer=m_outer), stall=stall)


def test_saturating_sums_are_refused() -> None:
    with pytest.raises(DesignError, match="mac with overflow='saturate' cannot run weight_stationary"):
        generate(Mac(overflow="saturate"), ARRAYS[0])
