"""The command line: what each command prints, and one line for whatever goes wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import hwsim
from hwsim import datapaths, digits, presets
from hwsim.cli import main
from hwsim.cli.program import program
from hwsim.network import Network


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Standard output of a command that succeeds without a word on standard error."""
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return out


def test_simulate_prints_tables(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "simulate", "cnn_int8", "--design", "bit_serial_16x16", "--batch", "2")
    for part in ("cnn_int8, batch 2", "Utilization", "pJ/action", "term_add", "(rtl)", "note: energies"):
        assert part in out


def test_simulate_as_json_is_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "simulate", "mlp_int4", "--design", "mac_16x16", "--json"))
    expected = hwsim.simulate(digits.load("mlp_int4"), presets.load("mac_16x16"))
    assert data == json.loads(json.dumps(expected.to_plain()))


def test_files_are_taken_for_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    digits.load("mlp_int4").save(tmp_path / "own.safetensors")
    design = hwsim.Design(datapath=hwsim.BitSerial(weight_bits=4))
    design.save(tmp_path / "design.yaml")
    out = run(capsys, "simulate", tmp_path / "own.safetensors", "--design", tmp_path / "design.yaml", "--json")
    assert json.loads(out)["design_hash"] == design.hash


def test_sweep_and_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    space, results, html = tmp_path / "space.yaml", tmp_path / "results.parquet", tmp_path / "report.html"
    space.write_text("datapath.name: [mac, bit_serial]\ndatapath.weight_bits: [4, 8]\n")
    out = run(capsys, "sweep", "mlp_int8", "mlp_int4", "--space", space, "--set", "array.rows=4,8", "--out", results)
    assert "Best by energy-delay product" in out
    assert "4 infeasible points" in out
    assert f"wrote {results}" in out
    frame = pd.read_parquet(results)
    assert len(frame) == 16
    assert (frame["error"] != "").sum() == 4
    out = run(capsys, "report", results, "--out", html, "--energy", tmp_path / "energy.json", "--json")
    assert json.loads(out) == {"report": str(html), "energy": str(tmp_path / "energy.json")}
    assert detailed(html) == 12
    energy = json.loads((tmp_path / "energy.json").read_text())
    assert [each["workload"] for each in energy["results"]] == ["mlp_int8", "mlp_int4"]


def test_sweep_as_json_holds_every_point(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "sweep", "mlp_int8", "--set", "datapath.weight_bits=4,8", "--json")
    data = json.loads(out)
    assert data["schema"] == "hwsim.sweep/1"
    assert [point["energy_pj"] is None for point in data["points"]] == [True, False]


def detailed(page: Path) -> int:
    """How many points a page holds with their layers."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    return len(json.loads(text)["details"])


def test_a_study_is_reported_with_the_models_that_it_is_about(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study, html = tmp_path / "s.sqlite", tmp_path / "r.html"
    model = ["minilm-l6", "--weights", "int4"]
    run(capsys, "sweep", *model, "--batch", "2", "--set", "array.rows=4,8", "--study", study)
    run(capsys, "report", study, "--out", html)
    assert detailed(html) == 2
    written = json.loads(run(capsys, "export", study, "--out", tmp_path / "s.parquet", "--json"))
    assert written == {"points": 2, "out": str(tmp_path / "s.parquet")}
    model = ["minilm-l6", "--distribution", "uniform"]
    run(capsys, "sweep", *model, "--set", "array.rows=4,8", "--study", tmp_path / "other.sqlite")
    run(capsys, "report", tmp_path / "other.sqlite", "--out", html)
    assert detailed(html) == 0
    run(capsys, "report", tmp_path / "other.sqlite", "--out", html, "--network", *model)
    assert detailed(html) == 2


def test_results_of_another_network_need_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shipped = digits.load("mlp_int4")
    network = Network(name="own", nodes=shipped.nodes, output_scale=shipped.output_scale)
    network.save(tmp_path / "own.safetensors")
    results, html = tmp_path / "r.parquet", tmp_path / "r.html"
    run(capsys, "sweep", tmp_path / "own.safetensors", "--set", "array.rows=4,8", "--out", results)
    run(capsys, "report", results, "--out", html)
    assert detailed(html) == 0
    run(capsys, "report", results, "--out", html, "--network", tmp_path / "own.safetensors")
    assert detailed(html) == 2


def test_report_of_a_network(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = run(capsys, "report", "mlp_int8", "--design", "mac_16x16", "--out", tmp_path / "r.html")
    assert out == f"wrote {tmp_path / 'r.html'}\n"


@pytest.mark.parametrize("dataflow", ["output_stationary", "weight_stationary"])
def test_rtl_writes_verilog(dataflow: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    design = tmp_path / "design.yaml"
    array = f"{{rows: 2, cols: 2, dataflow: {dataflow}, accumulator_rows: 8}}"
    design.write_text(f"datapath: {{name: mac, lanes: 2}}\narray: {array}\n")
    files = json.loads(run(capsys, "rtl", design, "--out", tmp_path / "rtl", "--json"))["files"]
    assert files == [str(tmp_path / "rtl" / "pe_array.v")]
    assert "module pe_array" in Path(files[0]).read_text()
    out = run(capsys, "rtl", design, "--out", tmp_path / "vectors", "--vectors", "mlp_int8:head")
    written = {Path(line.removeprefix("wrote ")).name for line in out.splitlines()}
    assert {"pe_array.v", "testbench.v"} <= written
    assert all((tmp_path / "vectors" / name).is_file() for name in written)


@pytest.mark.parametrize("command", [[], *([name] for name in program.commands)])
def test_help_shows_an_example(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    text = run(capsys, *command, "--help")
    assert re.search(rf"Examples?:\n\s+hwsim {' '.join(command)}", text)


def test_every_command_is_there() -> None:
    wanted = "simulate sweep search report rtl characterize reproduce formats datapaths workloads compare export power"
    assert set(wanted.split()) <= set(program.commands)


def test_datapaths_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    listed = run(capsys, "datapaths")
    for part in ("bit_serial", "weight_stationary", "model only", "nangate45: measured"):
        assert part in listed
    found = json.loads(run(capsys, "datapaths", "fp_mac", "--json"))
    defaults = {each["name"]: each["default"] for each in found["parameters"]}
    assert defaults == {key: value for key, value in datapaths.find("fp_mac")().to_plain().items() if key != "name"}
    assert found["technologies"]["nangate45"]["measured"] > 0
    assert "fp8_e4m3" in found["formats"]
    shown = run(capsys, "datapaths", "stripes")
    assert re.search(r"formats +-\n", shown)


def test_version_and_bare_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == f"hwsim {hwsim.__version__}\n"
    assert "Commands:" in run(capsys)


BAD = {
    "unknown command": ["fly"],
    "unknown option": ["simulate", "mlp_int8", "--fast"],
    "missing argument": ["simulate"],
    "unknown network": ["simulate", "mlp_int7"],
    "missing network file": ["simulate", "none.safetensors"],
    "folder as network": ["simulate", "."],
    "no network file": ["simulate", "{text}"],
    "unknown design": ["simulate", "mlp_int8", "--design", "mac_17"],
    "missing design file": ["simulate", "mlp_int8", "--design", "none.yaml"],
    "design with unknown key": ["simulate", "mlp_int8", "--design", "{design}"],
    "design is no YAML": ["simulate", "mlp_int8", "--design", "{text}"],
    "binary design": ["simulate", "mlp_int8", "--design", "{binary}"],
    "infeasible design": ["simulate", "mlp_int8", "--design", "bit_serial_4bit_edge"],
    "batch of zero": ["simulate", "mlp_int8", "--batch", "0"],
    "batch is no number": ["simulate", "mlp_int8", "--batch", "many"],
    "unknown datapath": ["datapaths", "macc"],
    "unknown format": ["formats", "int44"],
    "unknown model": ["workloads", "llama-2-70b"],
    "unknown stage": ["simulate", "llama-2-7b", "--stage", "train"],
    "format of a model's weights": ["simulate", "llama-2-7b", "--weights", "int9"],
    "stage of a network": ["simulate", "mlp_int8", "--stage", "decode"],
    "stage of no model": ["workloads", "--stage", "decode"],
    "tokens of a model": ["sweep", "bert-base", "--tokens", "4", "--set", "array.rows=4"],
    "folder without checkpoint": ["simulate", "folder", "--tokens", "4"],
    "stage of results": ["report", "{parquet}", "--stage", "decode"],
    "empty space": ["sweep", "mlp_int8"],
    "setting without value": ["sweep", "mlp_int8", "--set", "array.rows"],
    "setting is no YAML": ["sweep", "mlp_int8", "--set", "array.rows=["],
    "unknown parameter": ["sweep", "mlp_int8", "--set", "array.row=4"],
    "parameter out of range": ["sweep", "mlp_int8", "--set", "array.rows=0"],
    "missing space file": ["sweep", "mlp_int8", "--space", "none.yaml"],
    "space is a list": ["sweep", "mlp_int8", "--space", "{list}"],
    "space without list": ["sweep", "mlp_int8", "--space", "{scalar}"],
    "space without values": ["sweep", "mlp_int8", "--space", "{nothing}"],
    "empty space file": ["sweep", "mlp_int8", "--space", "{empty}"],
    "contradictory space": ["sweep", "mlp_int8", "--set", "overlap=tile", "--set", "refetch=layer"],
    "unknown datapath in a space": ["sweep", "mlp_int8", "--set", "datapath.name=mac,macc"],
    "no jobs": ["sweep", "mlp_int8", "--set", "array.rows=4", "--jobs", "0"],
    "address of no scheduler": ["sweep", "mlp_int8", "--set", "array.rows=4", "--dask", "nonsense"],
    "study that is none": ["sweep", "mlp_int8", "--set", "array.rows=4", "--study", "{text}"],
    "contradictory limits": ["search", "mlp_int8", "--set", "array.rows=4", "--limit", "area_um2=5:1"],
    "missing study to report": ["report", "none.sqlite"],
    "missing study to export": ["export", "none.sqlite", "--out", "points.parquet"],
    "compare with no design": ["compare", "mac_16x16", "mac_17", "--network", "mlp_int8"],
    "rules on no network": ["rules", "mlp_int7"],
    "characterize no design": ["characterize", "mac_17"],
    "reproduce nothing": ["reproduce", "bitmood"],
    "power of nothing": ["power"],
    "nothing feasible": ["sweep", "mlp_int8", "--set", "datapath.weight_bits=4"],
    "missing results": ["report", "none.parquet"],
    "no results": ["report", "{parquet}"],
    "design for results": ["report", "{parquet}", "--design", "mac_16x16"],
    "energy format": ["report", "mlp_int8", "--energy", "energy.txt"],
    "file as folder": ["report", "mlp_int8", "--out", "{text}/report.html"],
    "folder as file": ["report", "mlp_int8", "--out", "{folder}"],
    "rtl without folder": ["rtl", "mac_16x16"],
    "rtl into a file": ["rtl", "mac_16x16", "--out", "{text}"],
    "vectors without layer": ["rtl", "mac_16x16", "--out", "{folder}", "--vectors", "mlp_int8"],
    "vectors of no layer": ["rtl", "mac_16x16", "--out", "{folder}", "--vectors", "mlp_int8:tail"],
    "shell markup": ["simulate", "[/bold]\n<b>"],
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    contents = {
        "text": b"[a\nb: }", "binary": b"\xff\xfe\x00", "design": b"arrray: {rows: 4}", "list": b"[1, 2]",
        "scalar": b"array.rows: 4", "parquet": b"PAR1", "empty": b"", "nothing": b"array.rows: []",
    }  # fmt: skip
    names = {name: f"{name}.parquet" if name == "parquet" else name for name in contents}
    monkeypatch.chdir(tmp_path)
    for name, content in contents.items():
        Path(names[name]).write_bytes(content)
    Path("folder").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    status = main([argument.format(**names, folder="folder") for argument in arguments])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert re.fullmatch(r"hwsim: error: [^\n]+\n", err)
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_results_that_do_not_fit_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(capsys, "sweep", "mlp_int8", "--set", "array.rows=4,8", "--study", "s.sqlite", "--out", "r.parquet")
    pd.read_parquet("r.parquet").drop(columns=["edp_js", "design"]).to_parquet("less.parquet")
    for arguments, message in (
        (["report", "less.parquet"], "column 'design' is missing (2 in all)"),
        (["report", "s.sqlite", "--network", "cnn_int8"], "no results of 'cnn_int8'; did you mean 'mlp_int8'"),
        (["report", "s.sqlite", "--stage", "decode"], "--stage is an option of a model"),
        (["report", "s.sqlite", "--design", "mac_16x16"], "--design goes with a network"),
        (["report", "s.sqlite", "--energy", "tables.txt"], "accepted: "),
    ):
        before = sorted(tmp_path.iterdir())
        assert main(arguments) == 2
        assert re.fullmatch(rf"hwsim: error: [^\n]*{re.escape(message)}[^\n]*\n", capsys.readouterr().err)
        assert sorted(tmp_path.iterdir()) == before


def test_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("rtl", "amaranth")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "amaranth", None)
    assert main(["rtl", "mac_16x16", "--out", "unused"]) == 2
    assert capsys.readouterr().err == "hwsim: error: hwsim rtl needs the extra 'rtl': pip install 'hwsim[rtl]'\n"


def test_interruption_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program.commands["simulate"], "callback", interrupt)
    assert main(["simulate", "mlp_int8"]) == 130
    assert capsys.readouterr().err == "hwsim: error: interrupted\n"


def test_ctrl_c_ends_a_process() -> None:
    code = """if True:
        import os, signal, sys
        from hwsim import execution
        from hwsim.cli import main

        def totals(*arguments, known=execution.totals):
            os.kill(os.getpid(), signal.SIGINT)
            return known(*arguments)

        execution.totals = totals
        signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let background jobs ignore it
        sys.exit(main(["sweep", "cnn_int8", "--set=array.rows=4,8"]))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "hwsim: error: interrupted\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    command = [sys.executable, "-m", "hwsim", "sweep", "mlp_int8", "--set=array.rows=1,2,3,4,5,6,7,8", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


GRID = ["--set=array.rows=4,8,16", "--set=array.cols=4,8", "--set=technology=horowitz45"]


def test_search_prints_the_front_and_how_it_was_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = run(capsys, "search", "mlp_int8", *GRID, "--limit", "area_um2=:1e9", "--out", tmp_path / "front.parquet")
    assert "exact, all 6 points enumerated" in out
    front = hwsim.pareto(hwsim.sweep(digits.load("mlp_int8"), {
        "array.rows": [4, 8, 16], "array.cols": [4, 8], "technology": ["horowitz45"]
    }))  # fmt: skip
    assert set(pd.read_parquet(tmp_path / "front.parquet")["design_hash"]) == set(front["design_hash"])
    data = json.loads(run(capsys, "search", "mlp_int8", "mlp_int4", *GRID, "--objective", "error", "--json"))
    assert data["size"] == 12
    best = max(digits.recorded()[name]["hwsim"] for name in ("mlp_int8", "mlp_int4"))
    assert all(row["accuracy"] == pytest.approx(best) for row in data["front"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "area_um2"], "expected name=value or name=low:high"),
        (["--limit", "area_um2=small"], "'small' is not a number"),
        (["--limit", "area=1"], "did you mean 'area_um2'"),
        (["--limit", "area_um2=1"], "keeps area_um2 <= 1"),
        (["--objective", "energy"], "did you mean 'energy_pj'"),
        (["--objective", "error", "--data", "nothing.npz"], "cannot read inputs x and labels y"),
        (["--dask", "tcp://127.0.0.1:1"], "no Dask scheduler answers"),
    ],
)
def test_a_search_that_cannot_be_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwsim.cluster.WAIT_S", 1)
    assert main(["search", "mlp_int8", *GRID, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hwsim: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_workloads_of_other_tools_are_taken_for_networks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "gemms.csv").write_text("Layer, M, N, K,\nfirst, 4, 8, 16,\n")
    data = json.loads(run(capsys, "simulate", tmp_path / "gemms.csv", "--weights", "int4", "--json"))
    assert (data["workload"], data["totals"]["macs"]) == ("gemms", 4 * 8 * 16)
    for options, message in ((["--batch", "2"], "says itself"), (["--tokens", "2"], "--tokens is an option of")):
        assert main(["simulate", str(tmp_path / "gemms.csv"), *options]) == 2
        assert message in capsys.readouterr().err


def test_compare_prints_what_differs_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "compare", "mac_16x16", "bit_serial_16x16", "--network", "mlp_int4", "--equal", "clock")
    for part in ("a: mlp_int4 on mac", "datapath.name", "b / a", "pJ each, a", "times as long"):
        assert part in out
    data = json.loads(run(capsys, "compare", "mac_16x16", "mac_16x16", "--network", "mlp_int8", "--other", "mlp_int4",
                          "--json"))  # fmt: skip
    assert (data["workload_a"], data["workload_b"], data["designs"]) == ("mlp_int8", "mlp_int4", [])
    assert main(["compare", "mac_16x16", "mac_16", "--network", "mlp_int8"]) == 2
    assert "did you mean 'mac_16x16'" in capsys.readouterr().err


def test_more_points_than_fit_memory_go_into_a_study(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwsim.cli.sweeps.SHOWN", 5)
    study, out = tmp_path / "study.sqlite", tmp_path / "points.parquet"
    assert main(["sweep", "mlp_int8", *GRID]) == 2
    assert "6 points are more than are kept in memory (5): name a --study" in capsys.readouterr().err
    printed = run(capsys, "sweep", "mlp_int8", *GRID, "--study", study, "--out", out)
    assert f"{study} knows all 6 points, 6 of them new" in printed
    assert len(pd.read_parquet(out)) == 6
    assert "0 of them new" in run(capsys, "sweep", "mlp_int8", *GRID, "--study", study)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_HWSIM_COMPLETE", f"{shell}_complete")
    for words, expected in (("hwsim sea", "search"), ("hwsim search --eval", "--evaluations")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", words.split()[-1] if shell == "fish" else str(len(words.split()) - 1))
        assert main([]) == 0
        assert expected in capsys.readouterr().out
