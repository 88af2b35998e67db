"""Read what the cells of an executed notebook show; execute notebooks where there is no browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FIRST = "01-deploy"
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Executed:
    """A notebook after its execution."""

    notebook: Any

    def outputs(self, source: str = "") -> list[Any]:
        """Return the outputs of the cells whose source holds this text."""
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        found = [cell for cell in cells if source in cell.source]
        assert found, f"no cell holds {source!r}"
        return [output for cell in found for output in cell.outputs]

    def shown(self, source: str = "", *, kind: str = "text/plain") -> str:
        """Return the text that those cells show: their streams, and their data of one kind."""
        return "\n".join(
            output.text
            if output.output_type == "stream"
            else str(output.get("data", {}).get(kind, ""))
            for output in self.outputs(source)
            if output.output_type != "error"
        )

    def html(self, source: str) -> str:
        """Return what those cells show as HTML."""
        return self.shown(source, kind="text/html")

    def plots(self) -> int:
        """Return how many pictures there are."""
        return sum("image/png" in output.get("data", {}) for output in self.outputs())

    def complaints(self) -> list[str]:
        """Return what went to the standard error, and errors."""
        return [
            str(output)
            for output in self.outputs()
            if output.output_type == "error" or output.get("name") == "stderr"
        ]


class Bench:
    """Executes the notebooks of a folder in another, without a browser.

    Each runs once, after the first of them.
    """

    def __init__(self, source: Path, home: Path) -> None:
        self._source, self._home = source, home
        self._done: dict[str, Executed] = {}

    def run(self, name: str) -> Executed:
        """Return a notebook executed top to bottom, unchanged."""
        if name != FIRST:
            self.run(FIRST)
        if name not in self._done:
            notebook = nbformat.read(self._source / f"{name}.ipynb", as_version=4)
            resources = {"metadata": {"path": str(self._home)}}
            NotebookClient(notebook, timeout=_TIMEOUT_S, resources=resources).execute()
            self._done[name] = Executed(notebook)
        return self._done[name]
