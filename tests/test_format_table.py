"""Bits per weight, planes, terms and datapaths of every format, and the command that prints them."""

import json

import pytest
from click.testing import CliRunner

from hwsim import formats
from hwsim.cli.program import main, program
from hwsim.format_table import summarize

K = 4096  # weights per row at the typical shape
N = 256
STORED_BITS = {  # published or defined, metadata included
    "binary": 1 + 16 / K,
    "adabin": 1 + 32 / K,
    "binarymos": 1 + 16 * (4 * 4096 + 4 * 4096 + 4 * 4096) / 4096**2,
    "tbn": 1 / 4 + 32 * 4 / (N * K),
    "plum": 1 + 1 / K,
    "bitnet158": 1.6 + 16 / (N * K),
    "fdb": 2 + 32 / 64,
    "ifairy": 2 + 32 / (N * K),
    "bcq": 4 * (1 + 16 / 128),
    "bcq_uniform": 4 * (1 + 16 / 128) + 16 / 128,
    "bitstack": 1 + 16 * 16 * (4096 + 4096) / 4096**2,
    "denseshift": 3,
    "pot": 4,
    "bitmod_fp3": 3 + 10 / 128 + 16 / K,
    "bitmod_fp4": 4 + 10 / 128 + 16 / K,
    "ant_flint4": 4,
    "squeezellm": 3.26,
    "decoupleq": 2 + 32 / 64,
    "range_aware": 2.85,
    "int8": 8 + 16 / K,
    "int4": 4 + 16 / K,
    "mxfp4": 4.25,
    "mxfp6_e3m2": 6.25,
    "mxfp6_e2m3": 6.25,
    "mxfp8_e4m3": 8.25,
    "mxint8": 8.25,
    "nvfp4": 4.5,
    "luq": 4,
    "one_bit": 1.34,
    "bf16": 16,
}
TERMS = {
    "binary": 1, "plum": 1, "bitnet158": 1, "pot": 1, "denseshift": 1, "lognet": 1, "luq": 1, "bitmod_fp3": 2,
    "bitmod_fp4": 2, "ant_flint4": 2, "fp4_e2m1": 2, "int4": 2, "fp8_e4m3": 3,
}  # fmt: skip
PLANES = {"binary": 1, "bitnet158": 2, "int4": 4, "bcq": 4, "fdb": 2, "plum": 1, "bitmod_fp3": None, "squeezellm": None}
SUMMARIES = {name: summarize(each) for name, each in formats.available().items()}


@pytest.mark.parametrize("name", STORED_BITS)
def test_bits_per_weight_are_the_published_ones(name):
    assert SUMMARIES[name].bits_per_weight == pytest.approx(STORED_BITS[name], abs=0.009)


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
    assert takes.isdisjoint({"ifairy", "binarymos", "bitstack", "squeezellm", "bf16", "fp16", "fp8_e4m3"})


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
