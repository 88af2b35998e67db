"""A grid of rows that people sort, filter and pick from, by mouse or keyboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import pandas as pd
from batchcore import workflow
from batchcore.texts import printable
from itables import JavascriptFunction
from itables.widget import ITable

from batchops.show.marks import MARKS

# Those of DataTables. No page is cut off, and nothing is read from the network.
_OPTIONS: dict[str, Any] = {
    "showIndex": False,
    "paging": False,
    "scrollX": True,
    "scrollCollapse": True,
    "autoWidth": True,
    "order": [],
    "columnControl": ["order", "searchDropdown"],
    "ordering": {"indicators": False, "handler": True},
    "layout": {
        "topStart": "info",
        "topEnd": "search",
        "bottomStart": None,
        "bottomEnd": None,
    },
    "stateSave": True,
    "stateDuration": -1,  # as long as the browser's tab
    "maxBytes": 0,
    "allow_html": False,
    "warn_on_undocumented_option": False,
    "warn_on_unexpected_option_type": False,
    "warn_on_selected_rows_not_rendered": False,
}


_MARKS = {
    workflow.QUEUED: MARKS["waiting"],
    workflow.SUBMITTED: MARKS["waiting"],
    workflow.RUNNING: MARKS["running"],
    workflow.SUCCEEDED: MARKS["done"],
}


def _state(key: str) -> dict[str, Any]:
    """Return where the browser's tab keeps order and searches: DataTables names all grids alike."""
    return {
        "stateSaveCallback": JavascriptFunction(
            f"function (_, state) {{ sessionStorage.setItem({key!r}, JSON.stringify(state)); }}"
        ),
        "stateLoadCallback": JavascriptFunction(
            f"function () {{ return JSON.parse(sessionStorage.getItem({key!r})); }}"
        ),
    }


def status_text(status: str) -> str:
    """Return the status of a job or a chunk as a cell has it, with its mark."""
    return f"{_MARKS.get(status, MARKS['failed'])} {printable(status.lower())}"


def number_texts(values: pd.Series[Any], form: str = ",") -> list[str]:
    """Return numbers as cells have them; what is missing is empty."""
    return ["" if pd.isna(value) else format(value, form) for value in values]


class Grid:
    """Rows of text, each with a key; one or several can be picked.

    Ctrl or Shift and a click pick further rows. By keyboard, Tab goes to a row, the arrows go from
    row to row; Enter picks a row alone, Space picks or drops one beside the others.

    Parameters
    ----------
    name
        What the rows are, such as ``"jobs"``: for the number of rows, and for the order and the
        search, which the browser keeps under that name while rows change.
    height
        The most that it takes of the page, such as ``"230px"``; it scrolls.
    wrap
        Whether long texts are wrapped, not cut.
    several
        Whether several can be picked at once.
    on_pick
        Called with the keys of all rows that are picked, the newest last.
    """

    def __init__(
        self,
        name: str,
        *,
        height: str,
        wrap: bool = False,
        several: bool = True,
        on_pick: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._on_pick, self._filling = on_pick, False
        self._keys: tuple[str, ...] = ()
        self.picked: tuple[str, ...] = ()
        entries = {"_": name, "1": name.removesuffix("s")}
        self._frame = pd.DataFrame()
        # itables' types are narrower than what DataTables takes.
        options: dict[str, Any] = {
            "select": {"style": "os" if several else "single", "keys": True, "info": True},
            "language": {
                "entries": entries,
                "emptyTable": f"no {name}",
                "zeroRecords": f"no such {name}",
                "info": "_TOTAL_ _ENTRIES-TOTAL_",
                "infoEmpty": f"no {name}",
                "infoFiltered": "of _MAX_",
                "search": "Find",
            },
        }
        options |= _OPTIONS | {
            "classes": "display compact" if wrap else "display compact nowrap",
            "scrollY": height,
            **_state(f"batchops-{name}"),
        }
        self._options = options
        self.table = ITable(self._frame, **options)
        self.root = widgets.Box([self.table])
        self.root.add_class("batchops-grid")
        if wrap:
            self.root.add_class("batchops-wrap")
        self.table.observe(self._take, "selected_rows")

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all rows."""
        return self._keys

    def fill(self, frame: pd.DataFrame, keys: Sequence[str], picked: Sequence[str] = ()) -> None:
        """Show other rows; what is picked of them calls nobody.

        Rows that are as before are not sent to the browser, which would draw them again.

        Parameters
        ----------
        frame
            The rows, each value a text.
        keys
            The key of each row.
        picked
            The keys of those that are picked; others are left out of account.
        """
        self._keys = tuple(keys)
        self.picked = tuple(key for key in picked if key in self._keys)
        rows = sorted(self._keys.index(key) for key in self.picked)
        self._filling = True
        try:
            if not frame.equals(self._frame):
                self._frame = frame
                self._replace(rows)
            elif rows != sorted(self.table.selected_rows):
                self.table.selected_rows = rows
        finally:
            self._filling = False

    def clear(self) -> None:
        """Show no rows."""
        self.fill(self._frame.iloc[:0], ())

    def pick(self, *keys: str) -> None:
        """Pick rows in place of those that are picked, as a click does."""
        self.table.selected_rows = [self._keys.index(key) for key in keys]

    def _replace(self, rows: list[int]) -> None:
        """Put a new table in the place of the old one: one that is updated tells no more picks."""
        old, self.table = self.table, ITable(self._frame, selected_rows=rows, **self._options)
        self.table.observe(self._take, "selected_rows")
        self.root.children = (self.table,)
        old.close()

    def _take(self, change: Any) -> None:
        if self._filling:
            return
        found = [self._keys[n] for n in change["new"] if n < len(self._keys)]
        stayed = [key for key in self.picked if key in found]
        self.picked = (*stayed, *(key for key in found if key not in stayed))
        self._on_pick(self.picked)
