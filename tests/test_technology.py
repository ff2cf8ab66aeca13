import io

import pytest

from hwsim import technology
from hwsim.datapath import Array
from hwsim.datapaths.mac import Mac
from hwsim.errors import TechnologyError
from hwsim.technology.rows import STATUSES, read_energy

TECH = technology.load("horowitz45")
HEADER = "node,voltage_v,component,action,parameters,e0_pj,coefficients,source,status,error_pct,zero_delay_fraction\n"


@pytest.mark.parametrize("name", technology.available())
def test_every_row_has_a_source_and_a_status(name):
    tech = technology.load(name)
    for row in (*tech.energy_rows, *tech.area_rows):
        assert len(row.source) > 10
        assert row.status in STATUSES


def test_published_figures_are_those_of_the_source():
    multiply = TECH.energy("mac.pe", "multiply", {"multiplier_bits": 64})
    assert multiply.e0_pj == pytest.approx(0.2 + 0.05)  # Horowitz: int8 multiply, int16 add
    assert TECH.energy("dram", "read", {"type": "DDR4"}).e0_pj == 18.75  # BitMoD: 1200 pJ per 64 bit


def test_sram_points_of_the_table_are_met_exactly():
    figures = TECH.sram(8192, 64)
    assert figures.read_pj == pytest.approx(6.137)  # CACTI 7, 45 nm lstp, ED^2
    assert figures.write_pj == pytest.approx(7.8781)


def test_sram_between_points_is_between_their_figures():
    assert TECH.sram(8192, 64).read_pj < TECH.sram(12000, 64).read_pj < TECH.sram(16384, 64).read_pj
    middle = TECH.sram((8192 * 16384) ** 0.5, 64).read_pj
    assert middle == pytest.approx((6.137 * 11.61) ** 0.5)


@pytest.mark.parametrize(("size", "word"), [(512, 64), (2 << 20, 64), (8192, 4), (8192, 512)])
def test_sram_outside_the_table_is_refused(size, word):
    with pytest.raises(TechnologyError, match="its table covers"):
        TECH.sram(size, word)


def test_a_missing_row_names_the_command_that_measures_it():
    with pytest.raises(TechnologyError, match="hwsim characterize DESIGN"):
        TECH.area("lut", {"lanes": 4})


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(TechnologyError, match="did you mean 'horowitz45'"):
        technology.load("horowitz")
    with pytest.raises(TechnologyError, match="did you mean 'LPDDR4'"):
        TECH.energy("dram", "read", {"type": "LPDR4"})


def test_measured_rows_fit_the_format():
    text = HEADER + '45,1.1,mac.pe,multiply,lanes=8,0.4,activation_toggle_rate=0.3,"own run, nangate45",measured,4.5\n'
    (row,) = read_energy(io.StringIO(text), "test")
    tech = technology.Technology("test", [row], [])
    energy = tech.energy("mac.pe", "multiply", {"lanes": 8}, ("activation_toggle_rate",))
    assert energy.per_action_pj({"activation_toggle_rate": 0.5}) == pytest.approx(0.55)
    assert row.error_pct == 4.5
    with pytest.raises(TechnologyError, match="characterize"):
        tech.energy("mac.pe", "multiply", {"lanes": 4}, ("activation_toggle_rate",))
    with pytest.raises(TechnologyError, match="neither a feature nor a parameter"):
        tech.energy("mac.pe", "multiply", {"lanes": 8})


def test_coefficients_may_be_products_and_rows_hold_for_ranges():
    text = HEADER + (
        '45,1.1,a.pe,add,lanes=2..8 scheme=booth,1,lanes*bits=0.5 rate*bits=0.25,"own run",scaled,3,\n'
        '45,1.1,a.pe,add,lanes=4 bits=8 scheme=booth,9,,"own run",measured,3,0.5\n'
    )
    tech = technology.Technology("test", read_energy(io.StringIO(text), "test"), [])
    energy = tech.energy("a.pe", "add", {"lanes": 3, "bits": 8, "scheme": "booth"}, ("rate",))
    assert energy.per_action_pj({"rate": 0.5}) == pytest.approx(1 + 3 * 8 * 0.5 + 0.25 * 8 * 0.5)
    measured = tech.energy("a.pe", "add", {"lanes": 4, "bits": 8, "scheme": "booth"})
    assert (measured.e0_pj, measured.row.zero_delay_fraction) == (9.0, 0.5)
    for outside in ({"lanes": 9, "scheme": "booth"}, {"lanes": 1, "scheme": "booth"}, {"lanes": 4, "scheme": "naf"}):
        with pytest.raises(TechnologyError, match="characterize"):
            tech.energy("a.pe", "add", {"bits": 8, **outside})


def test_a_multiplier_array_grows_with_its_lanes():
    def area(lanes: int) -> float:
        return TECH.area("mac.pe", Mac(lanes=lanes).pe_parameters(Array())).area_um2

    assert area(8) - area(1) == pytest.approx(7 * (67 + 282))  # Horowitz/Dally: int16 adder and int8 multiplier each


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("45,,a,b,,x,,source,measured,", "line 2: e0_pj 'x'"),
        ("45,,a,b,,nan,,source,measured,", "line 2: e0_pj 'nan'"),
        ("45,,a,b,,1,,source,guessed,", "status 'guessed'"),
        ("45,,a,b,,1,,,measured,", "column 'source' is empty"),
        ("45,,a,b,lanes,1,,source,measured,", "'lanes' is not key=value"),
        ("45,,a,b,,1,f=x,source,measured,", "coefficient f='x'"),
    ],
)
def test_a_damaged_table_is_refused_by_line(line, message):
    with pytest.raises(TechnologyError, match=message):
        read_energy(io.StringIO(HEADER + line + "\n"), "table")
    with pytest.raises(TechnologyError, match="columns are"):
        read_energy(io.StringIO("a,b\n1,2\n"), "table")
