"""What `hwsim datapaths` says of each datapath."""

import dataclasses
from pathlib import Path

import pytest

from hwsim import datapaths, formats
from hwsim.datapath import Array
from hwsim.datapath_table import accepted_formats, summarize
from hwsim.errors import DesignError
from hwsim.format_table import summarize as summarize_format

PATHS = datapaths.available()


@pytest.mark.parametrize("name", PATHS)
def test_a_summary_is_what_the_datapath_is(name: str) -> None:
    cls = PATHS[name]
    found = summarize(cls)
    assert [each.name for each in found.parameters] == [field.name for field in dataclasses.fields(cls)]
    assert cls.from_plain({"name": name, **{each.name: each.default for each in found.parameters}}) == cls()
    assert (found.rtl is not None) == (cls().verified == "rtl")
    if found.rtl:
        assert Path(found.rtl).is_file()
    for dataflow in ("output_stationary", "weight_stationary"):
        if dataflow in found.dataflows:
            cls().check_array(Array(dataflow=dataflow))
        else:
            with pytest.raises(DesignError, match="dataflow="):
                cls().check_array(Array(dataflow=dataflow))


@pytest.mark.parametrize("name", ["int4", "fp8_e4m3", "bcq"])
def test_formats_name_the_datapaths_that_name_them(name: str) -> None:
    chosen = formats.find(name)
    taken = {path: accepted_formats(cls, [chosen]) for path, cls in PATHS.items()}
    listed = {found[0].replace(name, path, 1) for path, found in taken.items() if found}
    assert listed == set(summarize_format(chosen).datapaths)
    assert listed
