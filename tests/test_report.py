"""The HTML page in a real browser, and the energy reports."""

import contextlib
import dataclasses
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

import hwsim
from hwsim import datapaths
from hwsim.errors import HwsimError
from hwsim.exploration import OBJECTIVES
from hwsim.exporting import export
from hwsim.measurement import version
from hwsim.reporting import (
    energy_frame,
    energy_plain,
    energy_schema,
    read_results,
    reference_tables,
    report,
    write_energy,
    write_results,
)
from hwsim.reporting.gathering import gather, near_front, parts_of
from hwsim.store import technology_hash
from tests.browser import Opened, chromium, open_file

EVIL = "<script>alert(1)</script>"
GRID = {
    "datapath.name": ["mac", "bit_serial"], "datapath.skip": ["none", "zero"], "datapath.weight_bits": [4, 8],
    "array.rows": [4, 8], "array.cols": [8, 16],
}  # fmt: skip


def workload(name: str, weights: str) -> hwsim.Workload:
    made = hwsim.Workload.from_shapes(name, [(64, 32, 64), (16, 64, 256), (1, 10, 64)], weights=weights)
    evil = dataclasses.replace(made.layers[1], name="<img src=x onerror=alert(2)>")
    return dataclasses.replace(made, layers=(made.layers[0], evil, made.layers[2]))


@pytest.fixture(scope="module")
def subjects() -> list[hwsim.Workload]:
    return [workload(EVIL, "int8"), workload("four_bits", "int4")]


@pytest.fixture(scope="module")
def frame(subjects: list[hwsim.Workload]) -> pd.DataFrame:
    accuracy = {EVIL: 0.98, "four_bits": 0.95}
    swept = hwsim.sweep(subjects, GRID)
    return swept.assign(accuracy=swept["workload"].map(accuracy))


@pytest.fixture(scope="module")
def page(frame: pd.DataFrame, subjects: list[hwsim.Workload], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(frame, tmp_path_factory.mktemp("report") / "report.html", subjects=subjects, title=f"A & {EVIL}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_opens_offline_and_fits(browser: Browser, page: Path, width: int, dark: bool) -> None:
    opened = open_file(browser, page, width, dark)
    assert opened.overflow() <= 0
    titles = opened.page.locator("#pareto .xtitle, #pareto .ytitle").all_text_contents()
    assert titles == ["Latency (µs)", "Energy (µJ)"]
    opened.page.wait_for_selector("#chosen-detail .main-svg")
    shown = set(opened.page.locator(".xtitle, .ytitle").all_text_contents())
    assert shown >= {"Layer", "Operations per DRAM byte", "Throughput (TOPS)"}
    assert opened.overflow() <= 0
    opened.screenshot(f"report-{width}-{'dark' if dark else 'light'}")
    assert opened.problems == []
    opened.page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_pointing_at_a_design_shows_it_in_full(browser: Browser, page: Path, width: int) -> None:
    opened = open_file(browser, page, width)
    opened.page.locator("#pareto .points path").first.hover(force=True)
    place = "#pareto .hoverlayer .hovertext" if width == 1280 else "#picked"
    opened.page.wait_for_function(
        "place => document.querySelector(place)?.textContent.includes('clock_mhz')", arg=place
    )
    text = opened.page.locator(place).text_content() or ""
    for part in ("lanes=8", "rows=4", "activation_buffer", "bandwidth_gb_s=25.6", "nangate45", "clock_mhz: 500"):
        assert part in text
    opened.page.locator("#pareto .points path").first.click(force=True)
    assert EVIL in (opened.page.locator("#picked").text_content() or "")
    assert opened.problems == []
    opened.page.context.close()


def test_axes_and_network_are_selectable(browser: Browser, page: Path) -> None:
    opened = open_file(browser, page, 1280)
    rows = opened.page.locator("#points tbody tr")
    everything = rows.count()
    opened.page.select_option("#x", "area_um2")
    opened.page.select_option("#y", "accuracy")
    opened.page.select_option("#network", "four_bits")
    titles = opened.page.locator("#pareto .xtitle, #pareto .ytitle").all_text_contents()
    assert titles == ["Area (mm²)", "Accuracy (%)"]
    assert 0 < rows.count() < everything
    values = opened.page.evaluate(
        "[...document.querySelector('#pareto .figure').data].filter(t => t.meta && !t.meta.front && !t.meta.key)"
        ".map(t => [t.name, t.y.filter(v => v !== null)])"
    )
    assert [set(y) for _, y in values] == [set(), {95}, set()]  # the last is the chosen point
    opened.screenshot("report-selected", full_page=False)
    assert opened.problems == []
    opened.page.context.close()


def test_front_in_the_browser_is_the_one_in_python(browser: Browser, page: Path) -> None:
    opened = open_file(browser, page, 1280)
    fronts = (
        "[...document.querySelector('#pareto .figure').data].filter(t => t.meta?.front).map(t => [[...t.x], [...t.y]])"
    )
    drawn = opened.page.evaluate(fronts)
    opened.page.select_option("#x", "tops")
    assert opened.page.evaluate(fronts) != drawn
    opened.page.select_option("#x", "latency_s")
    assert opened.page.evaluate(fronts) == drawn
    opened.page.context.close()


def test_names_do_no_harm(browser: Browser, page: Path) -> None:
    opened = open_file(browser, page, 1280)
    text = opened.page.locator("body").inner_text()
    assert text.count(EVIL) > 3
    assert opened.page.title() == f"A & {EVIL}"
    assert opened.page.locator("img").count() == 0
    assert opened.problems == []
    opened.page.context.close()


def test_page_says_where_figures_come_from(page: Path, subjects: list[hwsim.Workload]) -> None:
    html = page.read_text(encoding="utf-8")
    assert all(subject.hash in html for subject in subjects)
    known = technology_hash("nangate45")
    for part in (version(), known, "hwsim characterize", "CACTI 7", "measured", "published", "nangate45"):
        assert part in html
    assert "weight_bits is 4" in html  # why points are infeasible
    assert "<script src" not in html


def test_results_are_reported_directly(browser: Browser, subjects: list[hwsim.Workload], tmp_path: Path) -> None:
    results = [hwsim.simulate(subject, hwsim.Design()) for subject in subjects]
    for source, rows in ((results[0], 1), (results, 2)):
        opened = open_file(browser, report(source, tmp_path / "r.html"), 390)
        opened.page.wait_for_selector("#chosen-detail .main-svg")
        assert opened.page.locator("#points tbody tr").count() == rows
        assert "assumed normal weights" in opened.page.locator("#chosen").inner_text()
        assert opened.overflow() <= 0
        assert opened.problems == []
        opened.page.context.close()


def test_a_datapath_of_its_own_file_is_reported(
    subjects: list[hwsim.Workload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    monkeypatch.setattr(datapaths, "__path__", [*datapaths.__path__, str(Path(__file__).parent / "toy")])
    frame = hwsim.sweep(subjects, {"datapath.name": ["mac", "toy"], "array.rows": [4, 8]})
    opened = open_file(browser, report(frame, tmp_path / "r.html", subjects=subjects), 1280)
    legend = opened.page.locator("#pareto .legendtext").all_text_contents()
    assert {"mac (rtl)", "toy (model only)"} <= set(legend)
    assert "toy" in opened.page.locator("#points").inner_text()
    assert opened.problems == []
    opened.page.context.close()


def numbers(opened: Opened, column: str) -> list[float]:
    """A column of the table of points as it stands."""
    heads = opened.page.locator("#points th").all_text_contents()
    cells = opened.page.locator(f"#points tbody td:nth-child({heads.index(column) + 1})").all_text_contents()
    return [float(cell) for cell in cells]


def test_table_sorts_and_filters(browser: Browser, page: Path, frame: pd.DataFrame) -> None:
    opened = open_file(browser, page, 1280)
    everything = numbers(opened, "Energy (µJ)")
    assert len(everything) == (frame["error"] == "").sum()
    head = opened.page.locator("#points th", has_text="Energy (µJ)")
    for order, known in (("ascending", sorted(everything)), ("descending", sorted(everything, reverse=True))):
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == order
        assert numbers(opened, "Energy (µJ)") == known
    opened.page.fill("#words", "FOUR_bits 8x8x8 mac")
    label = frame["label"].str.contains("mac") & frame["label"].str.contains("8x8x8")
    wanted = frame[label & (frame["workload"] == "four_bits") & (frame["error"] == "")]
    assert sorted(numbers(opened, "Energy (µJ)")) == pytest.approx(sorted(wanted["energy_pj"] * 1e-6), rel=1e-3)
    opened.page.fill("#words", "")
    opened.page.locator("#limits summary").click()
    opened.page.fill("#limits input[data-column=energy_pj][data-end=high]", "2.5")
    opened.page.fill("#limits input[data-column=energy_pj][data-end=low]", "2.2")
    kept = [value for value in everything if 2.2 <= value <= 2.5]
    assert sorted(numbers(opened, "Energy (µJ)")) == sorted(kept)
    drawn = opened.page.locator("#parallel .points path").count()
    macs = opened.page.locator("#points tbody tr", has_text="mac").count()
    assert drawn == len(kept) * opened.page.locator("#parallel .xtick").count() - macs  # which have no `skip`
    assert macs > 0
    assert opened.page.locator("#count").inner_text() == f"{len(kept)} of {len(everything)} points"
    opened.screenshot("report-filtered")
    assert opened.problems == []
    opened.page.context.close()


def test_any_point_is_chosen_by_click_or_keyboard(
    browser: Browser, page: Path, frame: pd.DataFrame, subjects: list[hwsim.Workload]
) -> None:
    opened = open_file(browser, page, 1280)
    labels = opened.page.locator("#points tbody button")
    labels.nth(5).press("Enter")
    name = f"four_bits: {labels.nth(5).inner_text().removesuffix(' ▤')}"
    assert opened.page.locator("#chosen-name").inner_text() == name
    opened.page.wait_for_selector("#chosen-detail .main-svg")
    assert opened.page.locator("#points tr.chosen").count() == 1
    row = frame[(frame["workload"] == "four_bits") & (frame["label"] == name.partition(": ")[2])].iloc[0]
    result = hwsim.simulate(subjects[1], hwsim.Design.from_plain(json.loads(row["design"])))
    stacks = "[...document.querySelector('#chosen-detail .figure').data].map(t => [...t.x])"
    energy = [sum(layer) for layer in zip(*opened.page.evaluate(stacks), strict=True)]
    assert energy == pytest.approx([layer.energy_pj() * 1e-6 for layer in result.layers])
    shown = opened.page.locator("#chosen").inner_text()
    assert row["design_hash"] in shown
    assert row["hwsim"] in shown
    for place, key in (("#pareto", "ArrowRight"), ("#parallel", "ArrowDown")):
        opened.page.locator(f"{place} .figure").press(key)
        assert opened.page.locator("#chosen-name").inner_text() != name
        name = opened.page.locator("#chosen-name").inner_text()
    for place, index in (("#pareto", 0), ("#parallel", -1)):
        opened.page.locator(f"{place} .points path").nth(index).click(force=True)
        assert opened.page.locator("#chosen-name").inner_text() != name
        name = opened.page.locator("#chosen-name").inner_text()
    assert opened.problems == []
    opened.page.context.close()


def test_a_point_without_layers_says_how_to_see_them(
    browser: Browser, frame: pd.DataFrame, subjects: list[hwsim.Workload], tmp_path: Path
) -> None:
    opened = open_file(browser, report(frame, tmp_path / "r.html", subjects=subjects[:1]), 390)
    opened.page.locator("#points tbody tr", has_text="four_bits").first.locator("button").click()
    text = opened.page.locator("#chosen").inner_text()
    design = json.loads(text.rpartition("# design.yaml\n")[2])
    assert hwsim.Design.from_plain(design).hash in set(frame["design_hash"])
    assert "DRAM (µJ)" in text
    assert opened.problems == []
    opened.page.context.close()


def test_figures_that_changed_since_the_sweep_are_not_mixed(
    browser: Browser, frame: pd.DataFrame, subjects: list[hwsim.Workload], tmp_path: Path
) -> None:
    older = frame.assign(energy_pj=frame["energy_pj"] * 1.5, hwsim="0.0.1+older")
    opened = open_file(browser, report(older, tmp_path / "r.html", subjects=subjects), 1280)
    assert "computes other figures" in opened.page.locator("#chosen").inner_text()
    assert "sweep again" in opened.page.locator("#chosen").inner_text()
    assert opened.page.locator("#chosen-detail .main-svg").count() == 0
    opened.page.context.close()


@pytest.fixture(scope="module")
def study(subjects: list[hwsim.Workload], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("study") / "study.sqlite"
    hwsim.sweep(subjects, GRID, study=place)
    return place


def test_a_study_and_its_export_make_the_page_of_the_sweep(
    study: Path, subjects: list[hwsim.Workload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwsim.reporting.gathering.AT_ONCE", 7)
    export(study, tmp_path / "study.parquet")
    plain = gather([hwsim.sweep(subjects, GRID)])
    for place in (study, str(study), tmp_path / "study.parquet"):
        found = gather(parts_of(place))
        assert (found.count, found.feasible, found.rtl) == (plain.count, plain.feasible, plain.rtl)
        assert found.values == plain.values
        assert {key: count for key, (count, _) in found.reasons.items()} == {
            key: count for key, (count, _) in plain.reasons.items()
        }
        assert set(found.kept()["design_hash"]) == set(plain.kept()["design_hash"])


def test_a_study_is_read_only_if_it_is_there(study: Path, tmp_path: Path) -> None:
    before = study.read_bytes()
    with pytest.raises(HwsimError, match="no study"):
        report(tmp_path / "none.sqlite", tmp_path / "r.html")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE mine (a)")
    other = (tmp_path / "other.sqlite").read_bytes()
    with pytest.raises(HwsimError, match="holds no study of hwsim"):
        report(tmp_path / "other.sqlite", tmp_path / "r.html")
    assert (tmp_path / "other.sqlite").read_bytes() == other
    report(study, tmp_path / "r.html")
    assert study.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.sqlite", "r.html"]


COSTS = st.lists(st.tuples(*[st.integers(1, 6)] * 3), min_size=1, max_size=60)


@given(COSTS, st.integers(1, 20))
def test_what_is_kept_holds_the_front_and_the_best(costs: list[tuple[int, int, int]], count: int) -> None:
    rows = pd.DataFrame(costs, columns=list(OBJECTIVES), dtype=float)
    rows["edp_js"] = rows["latency_s"] * rows["energy_pj"]
    kept = near_front(rows, count)
    assert kept.index.is_unique
    assert list(kept.index) == sorted(kept.index)
    assert min(count, len(rows)) <= len(kept) <= count + 4 or len(kept) == len(rows)
    for name in (*OBJECTIVES, "edp_js"):
        assert kept[name].min() == rows[name].min()
    front = {tuple(row) for row in hwsim.pareto(rows)[list(OBJECTIVES)].to_numpy()}
    if len(front) + 4 <= count:
        assert front <= {tuple(row) for row in kept[list(OBJECTIVES)].to_numpy()}


def test_a_page_of_a_large_sweep_says_what_it_holds(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwsim.reporting.gathering.KEPT", 10)
    html = report(frame, tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.search(r"48 points of 2 networks.*The page holds 1\d:", html, re.DOTALL)


def test_another_network_of_the_same_name_is_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(HwsimError, match="its content differs"):
        report(frame, tmp_path / "r.html", subjects=[workload("four_bits", "int8")])
    assert not (tmp_path / "r.html").exists()


def test_results_survive_a_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = write_results(frame, tmp_path / "deep" / "results.parquet")
    pd.testing.assert_frame_equal(read_results(path), frame, check_dtype=False)
    assert [file.name for file in path.parent.iterdir()] == ["results.parquet"]


def test_wrong_results_are_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    for content, message in (
        (frame.drop(columns=["label"]), "column 'label' is missing"),
        (frame.assign(energy_pj="much"), "column 'energy_pj' has values that are no numbers"),
        (frame[frame["error"] != ""], "no feasible point: layer 'matmul0'"),
        (frame.iloc[:0], "no points"),
    ):
        path = tmp_path / "results.parquet"
        content.to_parquet(path)
        with pytest.raises(HwsimError, match=message):
            read_results(path)
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(HwsimError, match="cannot read results"):
        read_results(path)
    with pytest.raises(HwsimError, match="no results file"):
        read_results(tmp_path / "none.parquet")


def test_energy_adds_up(subjects: list[hwsim.Workload], tmp_path: Path) -> None:
    result = hwsim.simulate(subjects[0], hwsim.Design(datapath=hwsim.BitSerial(skip="zero")))
    frame = energy_frame(result)
    assert frame["total_pj"].sum() == pytest.approx(result.energy_pj)
    assert frame["percent"].sum() == pytest.approx(100)
    assert (frame["count"] * frame["pj_per_action"]).sum() == pytest.approx(result.energy_pj)
    assert (frame["source"] != "").all()
    by_layer = energy_frame(result, by_layer=True)
    assert list(by_layer.groupby("layer", sort=False)["total_pj"].sum().sort_index()) == pytest.approx(
        [layer.energy_pj() for layer in sorted(result.layers, key=lambda layer: layer.name)]
    )
    data = json.loads(write_energy([result], tmp_path / "energy.json").read_text())
    assert data == json.loads(json.dumps(energy_plain([result])))
    assert data["schema"] == "hwsim.energy/1"
    jsonschema.validate(data, energy_schema())
    csv = pd.read_csv(write_energy([result], tmp_path / "energy.csv"))
    parquet = pd.read_parquet(write_energy([result], tmp_path / "energy.parquet"))
    assert csv["total_pj"].sum() == pytest.approx(parquet["total_pj"].sum()) == pytest.approx(result.energy_pj)
    with pytest.raises(HwsimError, match="accepted"):
        write_energy([result], tmp_path / "energy.txt")


@pytest.mark.parametrize("key", ["schema", "design_hash", "count", "category"])
def test_schema_of_energy_refuses_what_is_not_a_report(subjects: list[hwsim.Workload], key: str) -> None:
    data = json.loads(json.dumps(energy_plain([hwsim.simulate(subjects[0], hwsim.Design())])))
    place = {"schema": data, "design_hash": data["results"][0]}.get(key, data["results"][0]["components"][0])
    place[key] = "wrong"
    with pytest.raises(jsonschema.ValidationError, match="wrong"):
        jsonschema.validate(data, energy_schema())
    del place[key]
    with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
        jsonschema.validate(data, energy_schema())


def test_reference_tables_hold_energy_and_area_of_the_result(subjects: list[hwsim.Workload], tmp_path: Path) -> None:
    result = hwsim.simulate(subjects[0], hwsim.Design(datapath=hwsim.BitSerial(skip="zero")))
    data = yaml.safe_load(write_energy([result], tmp_path / "tables.yaml").read_text(encoding="utf-8"))
    assert [data[name]["version"] for name in ("ERT", "ART")] == ["0.4", "0.4"]
    assert data == reference_tables(result)
    instances = re.compile(r"hwsim\.([a-z_.]+)\[1\.\.(\d+)\]")
    areas = {instances.fullmatch(table["name"]).groups(): table["area"] for table in data["ART"]["tables"]}
    assert sum(int(count) * area for (_, count), area in areas.items()) == pytest.approx(result.area_um2)
    energies = {
        (*instances.fullmatch(table["name"]).groups(), action["name"]): action["energy"]
        for table in data["ERT"]["tables"]
        for action in table["actions"]
    }
    counts = {
        (row.component, row.action.replace(" ", "_")): row.count for row in energy_frame(result).itertuples(index=False)
    }
    leaking = sum(int(count) * energy for (_, count, action), energy in energies.items() if action == "leak")
    total = leaking * counts.pop(("leakage", "cycle"))
    total += sum(energy * counts[name, action] for (name, _, action), energy in energies.items() if action != "leak")
    assert total == pytest.approx(result.energy_pj)


def test_reference_tables_are_of_one_design(subjects: list[hwsim.Workload], tmp_path: Path) -> None:
    results = [hwsim.simulate(subject, hwsim.Design()) for subject in subjects]
    with pytest.raises(HwsimError, match="of one network on one design, not of 2"):
        write_energy(results, tmp_path / "tables.yaml")
    override = hwsim.Override(layers="matmul0", datapath=hwsim.Mac(lanes=4))
    mixed = hwsim.simulate(subjects[0], hwsim.Design(overrides=(override,)))
    with pytest.raises(HwsimError, match="the design has several"):
        write_energy([mixed], tmp_path / "tables.yaml")
    assert not list(tmp_path.iterdir())
