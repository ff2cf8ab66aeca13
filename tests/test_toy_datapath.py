"""A new datapath is a file in the datapaths folder, and nothing else."""

from pathlib import Path

import pytest

import hwsim
from hwsim import datapaths
from hwsim.errors import DesignError


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(datapaths, "__path__", [*datapaths.__path__, str(Path(__file__).parent / "toy")])
    return datapaths.find("toy")


GEMM = hwsim.Workload.from_shapes("gemm", [(3, 4, 5)])


def test_it_simulates_sweeps_and_loads_from_yaml(toy, tmp_path):
    (tmp_path / "toy.yaml").write_text("datapath: {name: toy, slowness: 7}")
    design = hwsim.Design.load(tmp_path / "toy.yaml")
    assert design.datapath == toy(slowness=7)
    result = hwsim.simulate(GEMM, design)
    assert result.layers[0].compute_cycles == 3 * 4 * 7
    assert result.verified == "model only"
    frame = hwsim.sweep(GEMM, {"datapath.name": ["mac", "toy"], "datapath.slowness": [1, 2]})
    assert frame["verified"].tolist() == ["rtl", "model only", "model only"]


def test_it_computes_no_values(toy):
    with pytest.raises(DesignError, match="cost-only"):
        toy().matmul(None, GEMM.layers[0].weights[0].tensor())


def test_without_the_file_it_is_unknown():
    with pytest.raises(DesignError, match="unknown datapath 'toy'"):
        datapaths.find("toy")
