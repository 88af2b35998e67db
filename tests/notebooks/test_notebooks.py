"""Every notebook runs top to bottom, unchanged, on the local engine."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from batchops.local.engine import LocalEngine
from batchops.project import checkout_root

NOTEBOOKS = sorted((checkout_root() / "notebooks").glob("*.ipynb"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, with the project's engine environment in it."""
    for path in (checkout_root() / ".batchops").glob("engine-env-*"):
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_top_to_bottom(path: Path, home: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(home)}}
    try:
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    finally:
        LocalEngine(home / "engine", home).stop()
    texts = [str(output) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("holds" in text for text in texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs_and_says_what_it_takes(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert cells[0].metadata.tags == ["parameters"]
    assert notebook.metadata.kernelspec.name == "python3"
    assert len(cells) <= 15
