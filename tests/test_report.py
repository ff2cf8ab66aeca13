"""The HTML page in a real browser, and the energy reports."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

import hwsim
from hwsim import datapaths
from hwsim.errors import HwsimError
from hwsim.reporting import energy_frame, energy_plain, read_results, report, write_energy, write_results
from tests.browser import chromium, open_file

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
    opened.page.locator("details.point summary").nth(1).click()
    opened.page.wait_for_selector("details.point:nth-of-type(2) .main-svg")
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
    rows = opened.page.locator("#ranking tbody tr:visible")
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
    assert [set(y) for _, y in values] == [set(), {95}]
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
    for part in (hwsim.__version__, "hwsim characterize", "CACTI 7", "measured", "published", "nangate45"):
        assert part in html
    assert "assumed normal weights" in html
    assert "weight_bits is 4" in html  # why points are infeasible
    assert "<script src" not in html


def test_results_are_reported_directly(subjects: list[hwsim.Workload], tmp_path: Path) -> None:
    results = [hwsim.simulate(subject, hwsim.Design()) for subject in subjects]
    one, both = (report(source, tmp_path / "r.html").read_text() for source in (results[0], results))
    assert one.count('<details class="point"') == 1
    assert both.count('<details class="point"') == 2


def test_a_datapath_of_its_own_file_is_reported(
    subjects: list[hwsim.Workload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    monkeypatch.setattr(datapaths, "__path__", [*datapaths.__path__, str(Path(__file__).parent / "toy")])
    frame = hwsim.sweep(subjects, {"datapath.name": ["mac", "toy"], "array.rows": [4, 8]})
    opened = open_file(browser, report(frame, tmp_path / "r.html", subjects=subjects), 1280)
    legend = opened.page.locator("#pareto .legendtext").all_text_contents()
    assert {"mac (rtl)", "toy (model only)"} <= set(legend)
    assert "toy" in opened.page.locator("#ranking").inner_text()
    assert opened.problems == []
    opened.page.context.close()


def test_figure_of_a_large_sweep_is_thinned(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwsim.reporting.page.DRAWN", 10)
    html = report(frame, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "The figure shows 1" in html


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
    csv = pd.read_csv(write_energy([result], tmp_path / "energy.csv"))
    parquet = pd.read_parquet(write_energy([result], tmp_path / "energy.parquet"))
    assert csv["total_pj"].sum() == pytest.approx(parquet["total_pj"].sum()) == pytest.approx(result.energy_pj)
    with pytest.raises(HwsimError, match="accepted"):
        write_energy([result], tmp_path / "energy.txt")
