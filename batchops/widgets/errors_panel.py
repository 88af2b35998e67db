"""The panel of the job's errors: a grid, a page at a time, with new values for rejected rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from batchcore import workflow
from batchcore.texts import visible

from batchops.core.errors import InputError
from batchops.core.ledger import ErrorFilter
from batchops.inspection.error_pages import ErrorPage
from batchops.show import markup
from batchops.show.terminal import shorten
from batchops.show.wording import for_console
from batchops.widgets.grid import Grid
from batchops.widgets.next_steps import in_console
from batchops.widgets.row_edits import Edits
from batchops.widgets.theme import make_button, make_row

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job
    from batchops.widgets.background import Background

PAGE_ERRORS = 200
_SHOWN = ("source_row", "column", "rule", "value", "message", "stage", "chunk")
_MAX_TEXT = 200
_HOW = (
    "Pick errors, type the right value and press Set; Repair rows lists every change first. Whole "
    "rows are edited in the workbook: store it with Download, and hand it to Repair from file."
)
_ROWS = re.compile(r"(\d{1,10})?\s*(-)?\s*(\d{1,10})?")


def parse_range(text: str, what: str) -> tuple[int | None, int | None]:
    """Return the first and last number of ``"7"``, ``"2-600"``, ``"600-"`` or ``"-600"``.

    Parameters
    ----------
    what
        What has these numbers, such as ``"rows"``.

    Raises
    ------
    InputError
    """
    found = _ROWS.fullmatch(text.strip())
    if found is None:
        raise InputError(f"{what} are {text!r}: give one as 7, or a range as 2-600, 600- or -600")
    first, dash, last = found.groups()
    if first and not dash:
        last = first
    return (int(first) if first else None, int(last) if last else None)


class ErrorsPanel:
    """A page of errors with its filters; no more is read than the page takes.

    Parameters
    ----------
    background
        Reads the errors.
    on_repair
        Called with the values that were typed, and the button that was pressed.
    """

    def __init__(self, background: Background, *, on_repair: Callable[[Edits, Any], None]) -> None:
        self._background, self._on_repair = background, on_repair
        self._places: dict[str, tuple[int, str]] = {}
        self.edits: dict[tuple[int, str], str] = {}
        self._job: Job | None = None
        self._starts: list[str] = [""]  # the beginnings of the pages up to this one
        self._next = ""
        self.rows = _text("Rows", "2-600", "Rows of the uploaded file, the header being row 1")
        self.column = _combobox("Column", "Show only errors of this column")
        self.rule = _combobox("Rule", "Show only errors of this rule")
        self.stage = widgets.Dropdown(
            options=[("any", ""), *((step.name, step.name) for step in workflow.REJECTING_STEPS)],
            description="Stage",
            tooltip="Show only errors found at this stage",
            layout=widgets.Layout(width="150px"),
        )
        self.first = make_button("First page", "Read the errors from the first on", "refresh")
        self.previous = make_button("Previous", "The page before", "arrow-left")
        self.next = make_button("Next", "The page after", "arrow-right")
        self.causes = make_button(
            "Causes", "Count all errors by cause, with what to do next", "list"
        )
        self.previous.disabled = self.next.disabled = True
        self.table = widgets.HTML()
        self.table.add_class("batchops-scroll")
        self.grid = Grid("errors", height="300px", wrap=True, on_pick=self._note_picked)
        self.value = widgets.Text(
            description="Value",
            tooltip="What the column of the picked errors is to have",
            layout=widgets.Layout(width="300px"),
        )
        self.set = make_button("Set", "Note the value for the errors that are picked", "pencil")
        self.unset = make_button("Drop", "Drop all values that are noted", "eraser")
        self.repair = make_button(
            "Repair rows",
            "Repair with the noted values; lists the changes first",
            "wrench",
            width_px=130,
        )
        self.noted = widgets.HTML()
        self.noted.add_class("batchops-scroll")
        self.root = widgets.VBox(
            [
                make_row(self.rows, self.column, self.rule, self.stage),
                make_row(self.first, self.previous, self.next, self.causes),
                self.table,
                self.grid.root,
                make_row(self.value, self.set, self.repair, self.unset),
                self.noted,
            ]
        )
        self.set.on_click(lambda _: self._set_value())
        self.unset.on_click(lambda _: self._drop())
        self.repair.on_click(lambda button: self._on_repair(dict(self.edits), button))
        for each in (self.rows, self.column, self.rule, self.stage):
            each.observe(lambda _: self.load(), "value")
        self.first.on_click(lambda _: self.load())
        self.previous.on_click(lambda _: self._read(self._starts[:-1]))
        self.next.on_click(lambda _: self._read([*self._starts, self._next]))
        self.causes.on_click(lambda _: self._explain())

    def show(self, job: Job | None) -> None:
        """Switch to another job; nothing is read yet."""
        self._background.forget("errors")
        self._job, self.table.value, self.value.value = job, "", ""
        self._fill(None)
        self._drop()
        self.column.options = self.rule.options = ()
        self.previous.disabled = self.next.disabled = True

    def load(self) -> None:
        """Read the first page with the current filters."""
        self._read([""])

    def _where(self) -> ErrorFilter:
        first, last = parse_range(self.rows.value, "rows")
        return ErrorFilter(
            first_row=first,
            last_row=last,
            column=self.column.value or None,
            rule=self.rule.value or None,
            stage=self.stage.value or None,
        )

    def _read(self, starts: list[str]) -> None:
        job = self._job
        if job is None:
            self.table.value = markup.paragraph("Pick a job first.")
            return
        self._background.run(
            lambda: job.error_page(where=self._where(), after=starts[-1], lines=PAGE_ERRORS),
            lambda page: self._take(page, starts),
            doing="reading the errors",
            key="errors",
            # What another filter found must not stand under one that was refused.
            on_error=lambda: self._say(markup.paragraph("No errors are shown: see the message.")),
        )

    def _take(self, page: ErrorPage, starts: list[str]) -> None:
        self._starts, self._next = starts, page.next
        self.previous.disabled, self.next.disabled = len(starts) == 1, not page.next
        # The options are the values seen so far; others can be typed.
        for box, column in ((self.column, "column"), (self.rule, "rule")):
            seen = {*box.options, *map(str, page.errors[column])} - {""}
            box.options = tuple(sorted(seen))
        self.table.value = markup.paragraph(page.title)
        self._fill(page.errors)

    def _explain(self) -> None:
        job = self._job
        if job is None:
            self.table.value = markup.paragraph("Pick a job first.")
            return
        self._background.run(
            job.why,
            lambda why: self._say(for_console(in_console(why)._repr_html_())),
            doing="counting the errors by cause",
            key="errors",
            busy=[self.causes],
        )

    def _say(self, content: str) -> None:
        self.previous.disabled = self.next.disabled = True
        self.table.value = content
        self._fill(None)

    def _fill(self, errors: pd.DataFrame | None) -> None:
        """Show errors in the grid; None shows no grid."""
        self.grid.root.layout.display = "none" if errors is None else ""
        before = self._places
        if errors is None:
            self._places = {}
        else:
            rows = errors["source_row"]
            self._places = {
                f"{number}": (int(row), str(column))
                for number, (row, column) in enumerate(zip(rows, errors["column"], strict=True))
            }
            texts = errors[[*_SHOWN]].map(_text_of).rename(columns=_heading)
            # A page that is read again, as at the job's end, keeps what is picked.
            picked = self.grid.picked if self._places == before else ()
            self.grid.fill(texts.astype("str"), tuple(self._places), picked)
        self._note_picked(self.grid.picked if errors is not None else ())

    def _note_picked(self, picked: tuple[str, ...]) -> None:
        columns = {self._places[key][1] for key in picked if key in self._places}
        self._background.allow(self.set, bool(columns) and "" not in columns)

    def _set_value(self) -> None:
        """Note the value for the errors that are picked; each column of a row has one."""
        for key in self.grid.picked:
            row, column = self._places[key]
            if column:  # otherwise the error is that of the whole row
                self.edits[row, column] = self.value.value
        self._show_edits()

    def note(self, edits: Edits) -> None:
        """Note values in the place of those that are noted."""
        self.edits = dict(edits)
        self._show_edits()

    def _drop(self) -> None:
        self.note({})

    def _show_edits(self) -> None:
        some = bool(self.edits)
        for button in (self.repair, self.unset):
            self._background.allow(button, some)
        table = markup.table(
            ("row", "column", "new value"), [(*key, value) for key, value in self.edits.items()]
        )
        self.noted.value = table if some else markup.paragraph(_HOW)


def _heading(column: str) -> str:
    return column.removeprefix("source_").capitalize()


def _text_of(value: Any) -> str:
    import pandas as pd

    return "" if pd.isna(value) else shorten(visible(str(value)), _MAX_TEXT)


def _text(label: str, placeholder: str, tooltip: str) -> Any:
    return widgets.Text(
        description=label,
        placeholder=placeholder,
        tooltip=tooltip,
        continuous_update=False,
        layout=widgets.Layout(width="150px"),
    )


def _combobox(label: str, tooltip: str) -> Any:
    return widgets.Combobox(
        description=label,
        tooltip=tooltip,
        placeholder="any",
        continuous_update=False,
        layout=widgets.Layout(width="190px"),
    )
