"""The functions' logs, for one job or for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from batchcore.texts import number_of
from batchcore.workflow import JOB_FUNCTIONS, NOTIFICATION

from batchops.show import markup
from batchops.widgets.theme import make_row

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job
    from batchops.stack import Stack
    from batchops.widgets.background import Background

SHOWN_LINES = 200
_READ_LINES = 5_000
_COLUMNS = ("time", "level", "chunk", "message")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def last_lines(
    stack: Stack,
    function: str,
    *,
    job: Job | None = None,
    since: str | None = None,
    level: str | None = None,
) -> pd.DataFrame:
    """Return the last 200 lines that a function logged, as `Stack.logs` does.

    Parameters
    ----------
    function, job, since
        As `Stack.logs` takes them.
    level
        Only lines of this level, among the last 5,000.

    Raises
    ------
    InputError, JobNotFoundError, StackNotFoundError, AwsError
    """
    lines = stack.logs(function, since=since, job=job, limit=_READ_LINES)
    if level is not None:
        lines = lines[lines["level"] == level]
    return lines.tail(SHOWN_LINES).reset_index(drop=True)


def logs_html(lines: pd.DataFrame) -> str:
    """Return log lines as an HTML table."""
    if lines.empty:
        return markup.paragraph("No lines.")
    times = lines["time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    chunks = lines["chunk"].astype("object").where(lines["chunk"].notna(), "")
    rows = zip(times, lines["level"], chunks, lines["message"], strict=True)
    return markup.paragraph(f"the last {number_of(len(lines), 'line')}") + markup.table(
        _COLUMNS, rows
    )


class LogsPanel:
    """The lines, with the controls that choose them."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._stack: Stack | None = None
        self._job: Job | None = None
        self.function = widgets.Dropdown(
            options=(*JOB_FUNCTIONS, NOTIFICATION),
            description="Function",
            tooltip="The function whose log to read",
            layout=widgets.Layout(width="260px"),
        )
        self.level = widgets.Dropdown(
            options=[("any", ""), *((level, level) for level in _LEVELS)],
            description="Level",
            tooltip="Show only lines of this level",
            layout=widgets.Layout(width="175px"),
        )
        self.since = widgets.Text(
            description="Since",
            placeholder="the job's start",
            tooltip="How far to go back: 30s, 10m, 2h, 1d",
            continuous_update=False,
            layout=widgets.Layout(width="210px"),
        )
        self.only_job = widgets.Checkbox(
            value=True,
            description="only this job",
            indent=False,
            tooltip="Leave other jobs out",
            layout=widgets.Layout(width="130px"),
        )
        self.read = widgets.Button(
            description="Read log", tooltip="Read the function's log", icon="file-text-o"
        )
        self.lines = widgets.HTML()
        self.lines.add_class("batchops-scroll")
        self.lines.add_class("batchops-log")
        self.root = widgets.VBox(
            [
                make_row(self.function, self.level, self.since, self.only_job),
                self.read,
                self.lines,
            ]
        )
        self.read.on_click(lambda _: self.load())

    def show(self, stack: Stack | None, job: Job | None) -> None:
        """Switch to another stack or job; nothing is read yet."""
        self._background.forget("logs")
        self._stack, self._job, self.lines.value = stack, job, ""

    def load(self) -> None:
        """Read the lines that the controls choose."""
        stack = self._stack
        if stack is None:
            self.lines.value = markup.paragraph("Pick a stack first.")
            return
        wanted: dict[str, Any] = {
            "job": self._job if self.only_job.value else None,
            "since": self.since.value.strip() or None,
            "level": self.level.value or None,
        }
        function = self.function.value
        self._background.run(
            lambda: last_lines(stack, function, **wanted),
            self._take,
            doing=f"reading the log of {function}",
            key="logs",
            busy=[self.read],
        )

    def _take(self, lines: pd.DataFrame) -> None:
        self.lines.value = logs_html(lines)
