"""The list of a stack's jobs: one page at a time, searched by status and file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as widgets
from batchcore import workflow
from batchcore.texts import printable

from batchops.show.terminal import shorten
from batchops.widgets.grid import Grid, number_texts, status_text
from batchops.widgets.theme import make_button, make_row

if TYPE_CHECKING:
    import pandas as pd

    from batchops.stack import Stack
    from batchops.widgets.background import Background

PAGE_JOBS = 100
_MAX_NAME = 40


def job_page(
    stack: Stack, *, page: int = 0, status: str | None = None, name: str | None = None
) -> tuple[pd.DataFrame, bool]:
    """Return a page of 100 jobs, the last started first, and whether another page follows.

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


def jobs_grid(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return jobs as the texts that the grid shows, one line each."""
    import pandas as pd

    texts = {
        "Status": [status_text(s) for s in jobs["status"]],
        "Start (UTC)": [f"{start:%Y-%m-%d %H:%M}" for start in jobs["start"]],
        "File": [printable(shorten(name, _MAX_NAME)) for name in jobs["file"]],
        "Rows": number_texts(jobs["rows_in"]),
        "Rejected": number_texts(jobs["rows_rejected"]),
        "Seconds": number_texts(jobs["seconds"], ",.1f"),
        "Rows/s": number_texts(jobs["rows_per_s"], ",.0f"),
        "Chunks": number_texts(jobs["chunks"]),
        "Chunk size": number_texts(jobs["chunk_rows"]),
        "Attempt": number_texts(jobs["attempt"]),
        "Mail": ["" if pd.isna(mail) else printable(mail.lower()) for mail in jobs["mail"]],
        "Job": [str(job_id) for job_id in jobs["job"]],
    }
    return pd.DataFrame(texts, dtype="str")


def choose_job(jobs: pd.DataFrame, *, current: str | None) -> str | None:
    """Return the job to show: the current one, or the last unfinished one, or the last one."""
    if current is not None or jobs.empty:
        return current
    under_way = jobs[jobs["status"].isin(workflow.UNFINISHED)]
    return str((jobs if under_way.empty else under_way)["job"].iloc[0])


class JobList:
    """The grid of jobs, with a search in all of them.

    Parameters
    ----------
    background
        Reads the jobs.
    on_pick
        Called with the id of a job that people pick, or that the list picks at first.
    on_several
        Called when more or fewer jobs are picked beside that one.
    """

    def __init__(
        self,
        background: Background,
        *,
        on_pick: Callable[[str], None],
        on_several: Callable[[], None],
    ) -> None:
        self._background, self._on_pick, self._on_several = background, on_pick, on_several
        self._stack: Stack | None = None
        self._page = 0
        self._current: str | None = None
        self._statuses: dict[str, str] = {}
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
        self.jobs = Grid("jobs", height="230px", on_pick=self._picked)
        self.note = widgets.HTML()
        self.root = widgets.VBox(
            [make_row(self.status, self.name, self.newer, self.older, self.note), self.jobs.root]
        )
        self.status.observe(self._search, "value")
        self.name.observe(self._search, "value")
        self.newer.on_click(lambda _: self._turn(-1))
        self.older.on_click(lambda _: self._turn(1))

    @property
    def picked(self) -> dict[str, str]:
        """The jobs that are picked, with the status of each."""
        return {job_id: self._statuses[job_id] for job_id in self.jobs.picked}

    def show(self, stack: Stack | None) -> None:
        """Switch to another stack, and its first page; without a stack show nothing."""
        self._stack, self._page, self._current = stack, 0, None
        self._statuses = {}
        self.jobs.clear()
        self.newer.disabled = self.older.disabled = True
        self.note.value = ""

    def load(self, *, current: str | None) -> None:
        """Read the jobs again, and pick the current one; without one, pick one."""
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
        self._statuses = dict(zip(map(str, jobs["job"]), map(str, jobs["status"]), strict=True))
        # Several stay picked while the current one is among them.
        several = self.jobs.picked if current in self.jobs.picked else (current or "",)
        self.jobs.fill(jobs_grid(jobs), tuple(self._statuses), several)
        self.newer.disabled, self.older.disabled = self._page == 0, not more
        first = self._page * PAGE_JOBS
        self.note.value = f"jobs {first + 1:,} to {first + len(jobs):,}" if len(jobs) else "no jobs"
        chosen = choose_job(jobs, current=current)
        if chosen is not None and chosen != current:
            self.jobs.pick(chosen)
        else:
            self._on_several()

    def _search(self, _change: object) -> None:
        self._page = 0
        self._reload()

    def _turn(self, pages: int) -> None:
        self._page += pages
        self._reload()

    def _reload(self) -> None:
        # A search picks no job: the current one stays until people pick another.
        self.load(current=self._current or "")

    def _picked(self, job_ids: tuple[str, ...]) -> None:
        # The newest is shown; where none is picked any more, the current one stays.
        if job_ids and self._current != job_ids[-1]:
            self._current = job_ids[-1]
            self._on_pick(job_ids[-1])
        self._on_several()
