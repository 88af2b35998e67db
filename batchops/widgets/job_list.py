"""The list of a stack's jobs: one page at a time, searched by status and file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from batchcore import workflow
from batchcore.texts import printable

from batchops.show.marks import MARKS
from batchops.show.terminal import shorten
from batchops.widgets.theme import make_button, make_row

if TYPE_CHECKING:
    import pandas as pd

    from batchops.stack import Stack
    from batchops.widgets.background import Background

PAGE_JOBS = 50
_MARKS = {
    workflow.QUEUED: MARKS["waiting"],
    workflow.SUBMITTED: MARKS["waiting"],
    workflow.RUNNING: MARKS["running"],
    workflow.SUCCEEDED: MARKS["done"],
}
_MAX_NAME = 40


def job_page(
    stack: Stack, *, page: int = 0, status: str | None = None, name: str | None = None
) -> tuple[pd.DataFrame, bool]:
    """Return a page of 50 jobs, the last started first, and whether another page follows.

    Parameters
    ----------
    page
        The page's number, from 0.
    status, name
        As `Stack.jobs` takes them.

    Raises
    ------
    StackNotFoundError, AwsError, EngineError
    """
    end = (page + 1) * PAGE_JOBS
    found = stack.jobs(status=status or None, name=name or None, limit=end + 1)
    return found.iloc[end - PAGE_JOBS : end].reset_index(drop=True), len(found) > end


def job_options(jobs: pd.DataFrame) -> list[tuple[str, str]]:
    """Return a line and the id of each job, for the list's options."""
    return [(job_label(row), str(row["job"])) for row in jobs.to_dict("records")]


def job_label(row: dict[Any, Any]) -> str:
    """Return a job as a line: mark, status, start, file, rows and rejected rows."""
    import pandas as pd

    mark = _MARKS.get(row["status"], MARKS["failed"])
    name = shorten(row["file"], _MAX_NAME)
    parts = [f"{mark} {row['status']:<9}", f"{row['start']:%Y-%m-%d %H:%M}", f"{name:<22}"]
    if not pd.isna(row["rows_in"]):
        parts.append(f"{row['rows_in']:>9,} rows")
    if not pd.isna(row["rows_rejected"]):
        parts.append(f"{row['rows_rejected']:,} rejected")
    if not pd.isna(row["attempt"]) and row["attempt"] > 1:
        parts.append(f"attempt {row['attempt']}")
    # A list's option shows several spaces as one.
    return printable("  ".join(parts)).replace(" ", "\N{NO-BREAK SPACE}")


def choose_job(jobs: pd.DataFrame, *, current: str | None) -> str | None:
    """Return the job to show: the current one, or the last unfinished one, or the last one."""
    if current is not None or jobs.empty:
        return current
    under_way = jobs[jobs["status"].isin(workflow.UNFINISHED)]
    return str((jobs if under_way.empty else under_way)["job"].iloc[0])


class JobList:
    """The list, with its search.

    Parameters
    ----------
    background
        Reads the jobs.
    on_pick
        Called with the id of a job that people pick, or that the list picks at first.
    """

    def __init__(self, background: Background, *, on_pick: Callable[[str], None]) -> None:
        self._background, self._on_pick = background, on_pick
        self._stack: Stack | None = None
        self._page, self._filling = 0, False
        self._current: str | None = None
        self.status = widgets.Dropdown(
            options=[("any", ""), *((s.lower(), s) for s in workflow.JOB_STATUSES)],
            description="Status",
            tooltip="Show only jobs of this status",
            layout=widgets.Layout(width="190px"),
        )
        self.name = widgets.Text(
            description="File",
            placeholder="part of its name, then Enter",
            tooltip="Show only jobs whose file's name holds this text",
            continuous_update=False,
            layout=widgets.Layout(width="280px"),
        )
        self.newer = make_button("Newer", "Show the jobs that started later", "arrow-up")
        self.older = make_button("Older", "Show the jobs that started earlier", "arrow-down")
        self.newer.disabled = self.older.disabled = True
        self.jobs = widgets.Select(
            options=[],
            rows=7,
            description="Job",
            tooltip="The job to look at",
            layout=widgets.Layout(width="auto"),
        )
        self.note = widgets.HTML()
        self.jobs.add_class("batchops-jobs")
        self.root = widgets.VBox(
            [make_row(self.status, self.name, self.newer, self.older, self.note), self.jobs]
        )
        self.status.observe(self._search, "value")
        self.name.observe(self._search, "value")
        self.newer.on_click(lambda _: self._turn(-1))
        self.older.on_click(lambda _: self._turn(1))
        self.jobs.observe(self._picked, "value")

    def show(self, stack: Stack | None) -> None:
        """Switch to another stack, and its first page; without a stack show nothing."""
        self._stack, self._page, self._current = stack, 0, None
        self._fill([], None)
        self.newer.disabled = self.older.disabled = True
        self.note.value = ""

    def load(self, *, current: str | None) -> None:
        """Read the jobs again, and select the current one; without one, pick one."""
        stack, self._current = self._stack, current
        if stack is None:
            return
        wanted = {"page": self._page, "status": self.status.value, "name": self.name.value}
        self._background.run(
            lambda: job_page(stack, **wanted),
            lambda found: self._take(*found, current=current),
            doing="reading the jobs",
            key="jobs",
        )

    def _take(self, jobs: pd.DataFrame, more: bool, *, current: str | None) -> None:
        self._fill(job_options(jobs), current)
        self.newer.disabled, self.older.disabled = self._page == 0, not more
        first = self._page * PAGE_JOBS
        self.note.value = f"jobs {first + 1:,} to {first + len(jobs):,}" if len(jobs) else "no jobs"
        chosen = choose_job(jobs, current=current)
        if chosen is not None and chosen != current:
            self.jobs.value = chosen

    def _fill(self, options: list[tuple[str, str]], current: str | None) -> None:
        self._filling = True  # otherwise the list picks its first line by itself
        try:
            self.jobs.options = options
            ids = [job_id for _, job_id in options]
            self.jobs.index = ids.index(current) if current in ids else None
        finally:
            self._filling = False

    def _search(self, _change: object) -> None:
        self._page = 0
        self._reload()

    def _turn(self, pages: int) -> None:
        self._page += pages
        self._reload()

    def _reload(self) -> None:
        # A search picks no job: the current one stays until people pick another.
        self.load(current=self._current or "")

    def _picked(self, change: Any) -> None:
        if not self._filling and change["new"]:
            self._current = change["new"]
            self._on_pick(change["new"])
