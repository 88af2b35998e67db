"""The panel of the job's errors: one page at a time, filtered by rows, column, rule and stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from batchcore import workflow

from batchops.core.errors import InputError
from batchops.core.ledger import ErrorFilter
from batchops.inspection.error_pages import ErrorPage
from batchops.show import markup
from batchops.widgets.theme import make_button, make_row

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.widgets.background import Background

PAGE_ERRORS = 50
_ROWS = re.compile(r"(\d{1,10})?\s*(-)?\s*(\d{1,10})?")


def parse_rows(text: str) -> tuple[int | None, int | None]:
    """Return the first and last row of ``"7"``, ``"2-600"``, ``"600-"`` or ``"-600"``.

    Raises
    ------
    InputError
    """
    found = _ROWS.fullmatch(text.strip())
    if found is None:
        raise InputError(f"rows are {text!r}: give one as 7, or a range as 2-600, 600- or -600")
    first, dash, last = found.groups()
    if first and not dash:
        last = first
    return (int(first) if first else None, int(last) if last else None)


class ErrorsPanel:
    """A page of errors with its filters; no more is read than the page takes."""

    def __init__(self, background: Background) -> None:
        self._background = background
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
        self.root = widgets.VBox(
            [
                make_row(self.rows, self.column, self.rule, self.stage),
                make_row(self.first, self.previous, self.next, self.causes),
                self.table,
            ]
        )
        for each in (self.rows, self.column, self.rule, self.stage):
            each.observe(lambda _: self.load(), "value")
        self.first.on_click(lambda _: self.load())
        self.previous.on_click(lambda _: self._read(self._starts[:-1]))
        self.next.on_click(lambda _: self._read([*self._starts, self._next]))
        self.causes.on_click(lambda _: self._explain())

    def show(self, job: Job | None) -> None:
        """Switch to another job; nothing is read yet."""
        self._background.forget("errors")
        self._job, self.table.value = job, ""
        self.column.options = self.rule.options = ()
        self.previous.disabled = self.next.disabled = True

    def load(self) -> None:
        """Read the first page with the current filters."""
        self._read([""])

    def _where(self) -> ErrorFilter:
        first, last = parse_rows(self.rows.value)
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
            on_error=lambda: self._set(markup.paragraph("No errors are shown: see the message.")),
        )

    def _take(self, page: ErrorPage, starts: list[str]) -> None:
        self._starts, self._next = starts, page.next
        self.previous.disabled, self.next.disabled = len(starts) == 1, not page.next
        # The options are the values seen so far; others can be typed.
        for box, column in ((self.column, "column"), (self.rule, "rule")):
            seen = {*box.options, *map(str, page.errors[column])} - {""}
            box.options = tuple(sorted(seen))
        self.table.value = page._repr_html_()

    def _explain(self) -> None:
        job = self._job
        if job is None:
            self.table.value = markup.paragraph("Pick a job first.")
            return
        self._background.run(
            job.why,
            lambda why: self._set(why._repr_html_()),
            doing="counting the errors by cause",
            key="errors",
            busy=[self.causes],
        )

    def _set(self, content: str) -> None:
        self.previous.disabled = self.next.disabled = True
        self.table.value = content


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
