"""Statistics of weights: taken once, kept on disk, never believed when the code or the file is another."""

import dataclasses

import numpy as np
import pytest

from hwsim import Array, BitSerial, Mac, Workload, measurement
from hwsim.measurement import Measured, measure_on

W = Workload.from_shapes("gemm", [(20, 40, 70)]).layers[0].weights[0]
PLACES = [
    (BitSerial(skip="zero", lanes=lanes), Array(rows=rows, cols=cols, dataflow=dataflow))
    for lanes in (4, 8)
    for rows in (4, 9)
    for cols in (5, 8)
    for dataflow in ("output_stationary", "weight_stationary")
] + [(Mac(weight_bits=4), Array()), (Mac(), Array()), (Mac(), Array(dataflow="weight_stationary"))]


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """Nothing in memory or on disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(measurement, "_MEASURED", {})


def same(first, second):
    names = [field.name for field in dataclasses.fields(Measured)]
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def count_stats(monkeypatch):
    calls = []
    for kind in (BitSerial, Mac):
        real = kind.stats

        def stats(self, w, array, real=real):
            calls.append((self, array))
            return real(self, w, array)

        monkeypatch.setattr(kind, "stats", stats)
    return calls


def test_arrays_that_differ_in_what_does_not_matter_share_statistics(monkeypatch):
    calls = count_stats(monkeypatch)
    found = measure_on(W, PLACES)
    assert len(calls) == 2 * 2 + 2 * 2 * 2 + 1 + 1  # output-stationary: lanes, cols; weight-stationary: rows as well
    for (datapath, array), measured in zip(PLACES, found, strict=True):
        if not measured.refusal:
            assert np.array_equal(measured.values, datapath.stats(W.tensor(), array).values)
    assert [bool(each.refusal) for each in found] == [place[0] == Mac(weight_bits=4) for place in PLACES]


def test_what_is_on_disk_is_not_measured_again(monkeypatch):
    first = measure_on(W, PLACES)
    measurement._MEASURED.clear()
    calls = count_stats(monkeypatch)
    assert all(map(same, measure_on(W, PLACES), first))
    assert not calls


def test_other_code_measures_anew(monkeypatch):
    measure_on(W, PLACES[:1])
    measurement._MEASURED.clear()
    calls = count_stats(monkeypatch)
    monkeypatch.setattr(measurement, "code_hash", lambda: "0")
    measure_on(W, PLACES[:1])
    assert len(calls) == 1


def test_a_damaged_cache_or_none_at_all_is_as_good_as_empty(tmp_path, monkeypatch):
    first = measure_on(W, PLACES[:2])
    for file in tmp_path.rglob("*.sqlite"):
        file.write_bytes(b"damaged" * 1000)
    measurement._MEASURED.clear()
    assert all(map(same, measure_on(W, PLACES[:2]), first))
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    measurement._MEASURED.clear()
    assert all(map(same, measure_on(W, PLACES[:2]), first))
