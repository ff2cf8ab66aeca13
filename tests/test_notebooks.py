"""Every notebook runs from a clean kernel, and is stored without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted(Path("notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"{path}: strip the outputs"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    figures = [
        output for cell in notebook.cells for output in cell.get("outputs", ())
        if any("plotly" in kind for kind in output.get("data", ()))
    ]  # fmt: skip
    assert figures, f"{path} shows no figure"
    assert notebook.cells[-1].cell_type == "markdown", f"{path} ends without saying what its figure shows"
