"""The wheel, installed in an empty environment outside the checkout, does the work."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MEGABYTES_20 = 20 * 2**20


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def hwsim(wheel):
    """The installed command. Dependencies stay in an environment that is kept per list of pins."""
    wanted = b"".join((ROOT / name).read_bytes() for name in ("constraints.txt", "pyproject.toml"))
    key = hashlib.sha256(wanted + sys.version.encode()).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwsim" / "wheel-test"
    folder = base / key
    base.mkdir(parents=True, exist_ok=True)
    with (base / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            venv.create(folder, with_pip=True, clear=True)
            _pip(folder, "-c", str(ROOT / "constraints.txt"), str(wheel), "amaranth[builtin-yosys]")
            (folder / "complete").touch()
        _pip(folder, "--force-reinstall", "--no-deps", str(wheel))
        yield folder / "bin" / "hwsim"


def _pip(folder, *arguments):
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def run(hwsim, *arguments, cwd):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run([hwsim, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < MEGABYTES_20


def test_it_simulates_a_shipped_network(hwsim, tmp_path):
    totals = json.loads(run(hwsim, "simulate", "cnn_int4", "--json", cwd=tmp_path))["totals"]
    assert totals["cycles"] > 0
    assert totals["energy_pj"] > 0


def test_it_writes_a_report(hwsim, tmp_path):
    run(hwsim, "report", "mlp_int8", "--out", "report.html", cwd=tmp_path)
    assert "mlp_int8" in (tmp_path / "report.html").read_text()


def test_it_writes_rtl(hwsim, tmp_path):
    (tmp_path / "design.yaml").write_text("datapath: {name: bit_serial, lanes: 2}\narray: {rows: 2, cols: 2}\n")
    run(hwsim, "rtl", "design.yaml", "--out", "rtl_out", "--vectors", "mlp_int8:first", cwd=tmp_path)
    assert any("endmodule" in file.read_text() for file in (tmp_path / "rtl_out").glob("*.v"))


def test_the_simulator_needs_neither_torch_nor_rtl_tools():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'amaranth', 'cocotb'))); import hwsim, hwsim.cli; "
        "from hwsim import digits; hwsim.simulate(digits.load('mlp_int8'), hwsim.Design())"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT)
