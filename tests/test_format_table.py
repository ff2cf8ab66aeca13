"""Bits per weight, planes, terms and datapaths of every format, and the command that prints them."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from hwsim import formats
from hwsim.cli.program import main, program
from hwsim.format_table import summarize

K = 4096  # weights per row at the typical shape
N = 256
TENSOR, CHANNEL = 1 / (N * K), 1 / K  # one bit for each
STORED_BITS = {  # published or defined, metadata included
    **{f"int{bits}": bits + 16 * CHANNEL for bits in range(2, 9)},
    "binary": 1 + 16 * CHANNEL,
    "adabin": 1 + 32 * CHANNEL,
    "binarymos": 1 + 16 * (4 * 4096 + 4 * 4096 + 4 * 4096) / 4096**2,
    "tbn": 1 / 4 + 32 * 4 * TENSOR,
    "plum": 1 + 1 * CHANNEL,
    "bitnet158": (8 * math.ceil(N * K / 5) + 16) * TENSOR,
    "fdb": 2 + 32 / 64,
    "ifairy": 2 + 32 * TENSOR,
    "bcq": 4 * (1 + 16 / 128),
    "bcq_uniform": 4 * (1 + 16 / 128) + 16 / 128,
    "bitstack": 1 + 16 * 16 * (4096 + 4096) / 4096**2,
    "abq": 2 + (16 + 8) * CHANNEL,
    "denseshift": 3 + 32 * TENSOR,
    "pot": 4 + 32 * TENSOR,
    "lognet": 3 + 2 + 8 * TENSOR,
    "bitmod_fp3": 3 + (8 + 2) / 128 + 16 * CHANNEL,
    "bitmod_fp4": 4 + (8 + 2) / 128 + 16 * CHANNEL,
    "ant_flint4": 4 + 32 * CHANNEL,
    "ant_flint5": 5 + 32 * CHANNEL,
    "ant": 4 + (32 + 2) * TENSOR,
    "olive": 4 + 16 * CHANNEL,
    "squeezellm": 3 + 16 * 8 * CHANNEL + round(0.0045 * N * K) * 48 * TENSOR + 32 * CHANNEL,
    "decoupleq": 2 + 32 / 64,
    "range_aware": 2 * 0.75
    + 4 * 0.25
    + (4 + 1) / 16
    + 16 * CHANNEL
    + round(0.0008 * N * K) * 32 * TENSOR
    + 32 * CHANNEL,
    **{name: 8 + 32 * CHANNEL for name in ("fp8_e4m3", "fp8_e5m2")},
    **{name: 6 + 32 * CHANNEL for name in ("fp6_e3m2", "fp6_e2m3")},
    "fp4_e2m1": 4 + 32 * CHANNEL,
    "bf16": 16,
    "fp16": 16,
    "mxfp4": 4 + 8 / 32,
    **{name: 6 + 8 / 32 for name in ("mxfp6_e3m2", "mxfp6_e2m3")},
    **{name: 8 + 8 / 32 for name in ("mxfp8_e4m3", "mxfp8_e5m2", "mxint8")},
    "nvfp4": 4 + 8 / 16 + 32 * TENSOR,
    **{name: 4 + 32 * TENSOR for name in ("luq", "luq_rdnp")},
    "double_rounding": 8 + 16 * CHANNEL,
}
TERMS = {
    "binary": 1, "plum": 1, "bitnet158": 1, "pot": 1, "denseshift": 1, "lognet": 1, "luq": 1, "bitmod_fp3": 2,
    "bitmod_fp4": 2, "ant_flint4": 2, "fp4_e2m1": 2, "int4": 2, "fp8_e4m3": 3,
}  # fmt: skip
PLANES = {"binary": 1, "bitnet158": 2, "int4": 4, "bcq": 4, "fdb": 2, "plum": 1, "bitmod_fp3": None, "squeezellm": None}
SUMMARIES = {name: summarize(each) for name, each in formats.available().items()}


@pytest.mark.parametrize("name", STORED_BITS)
def test_bits_per_weight_are_the_published_ones_and_nothing_more(name):
    assert SUMMARIES[name].bits_per_weight == pytest.approx(STORED_BITS[name], rel=1e-12)


def test_every_format_is_counted():
    assert set(STORED_BITS) | {"one_bit"} == set(SUMMARIES)
    density = 0.34  # of normal weights above the typical threshold
    assert SUMMARIES["one_bit"].bits_per_weight == pytest.approx(1 + density, abs=2e-3)


@pytest.mark.parametrize("name", TERMS)
def test_terms_of_the_costliest_value(name):
    assert SUMMARIES[name].max_terms == TERMS[name]


@pytest.mark.parametrize("name", PLANES)
def test_planes(name):
    assert SUMMARIES[name].planes == PLANES[name]


def test_integer_datapaths_take_narrow_dyadic_formats_and_no_others():
    takes = {name for name, each in SUMMARIES.items() if each.datapaths}
    assert takes >= {
        "int4",
        "int8",
        "binary",
        "bitnet158",
        "plum",
        "tbn",
        "bitmod_fp3",
        "bitmod_fp4",
        "denseshift",
        "mxfp4",
    }
    assert takes.isdisjoint({"ifairy", "binarymos", "bitstack"})
    wide = {"squeezellm", "bf16", "fp16", "fp8_e4m3"}
    assert all({"mac", "bit_serial", "lut"}.isdisjoint(SUMMARIES[name].datapaths) for name in wide)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bcq", "lut (plane_scales)"),
        ("abq", "mac (offset_bits)"),
        ("int8", "lut (weight_bits)"),
        ("bf16", "lmul (format)"),
    ],
)
def test_parameters_that_a_format_needs_are_named(name, expected):
    assert expected in SUMMARIES[name].datapaths


@pytest.mark.parametrize("name", formats.available())
def test_every_format_says_what_it_is(name):
    summary = SUMMARIES[name]
    assert "ource" in summary.definition or "arXiv" in summary.definition
    assert summary.alphabet
    assert summary.mac


def test_the_command_lists_every_format_and_shows_one_in_full():
    listed = CliRunner().invoke(program, ["formats"]).output
    assert all(name in listed for name in formats.available())
    full = CliRunner().invoke(program, ["formats", "bitmod_fp3"]).output
    assert "arXiv" in full
    assert "3.08" in full
    data = json.loads(CliRunner().invoke(program, ["formats", "tbn", "--json"]).output)
    assert data["bits_per_weight"] == pytest.approx(0.25, abs=0.001)


def test_an_unknown_format_is_one_line(capsys):
    assert main(["formats", "bitmod_fp5"]) == 2
    assert "did you mean 'bitmod_fp" in capsys.readouterr().err


def test_a_narrow_terminal_folds_cells_and_keeps_names_whole():
    console = CliRunner().invoke(program, ["formats"], env={"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "64"}).output
    assert all(name in console for name in formats.available())
    assert "\N{HORIZONTAL ELLIPSIS}" not in console


def documented(marker: str) -> list[str]:
    """Rows of the table behind ``marker`` in docs/formats.md."""
    text = (Path(__file__).parent.parent / "docs" / "formats.md").read_text()
    return text.split(f"<!-- {marker} -->\n")[1].split("\n<!-- end -->")[0].splitlines()[2:]


def test_the_documented_tables_are_what_the_code_says():
    rows = [
        f"| {s.name} | {s.alphabet} | {s.bits_per_weight:.3f} | {s.planes or '-'} | {s.max_terms or '-'} | "
        f"{', '.join(s.datapaths) or '-'} | {s.mac} |"
        for s in SUMMARIES.values()
    ]
    assert documented("formats") == rows
    assert documented("greedy") == [f"| {s.name} | {s.greedy} |" for s in SUMMARIES.values() if s.greedy]
