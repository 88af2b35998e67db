"""The operations console: pick a stack and a job, see its state, and act on it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from batchops.core.target import TargetName
from batchops.job import Job
from batchops.stack import Stack
from batchops.widgets import possible, theme
from batchops.widgets.actions import ActionResult, Actions
from batchops.widgets.background import Background
from batchops.widgets.chunk_list import ChunkList
from batchops.widgets.chunk_panels import ChunkGridPanel, TimingsPanel
from batchops.widgets.errors_panel import ErrorsPanel
from batchops.widgets.follower import MIN_REFRESH_S, Follower
from batchops.widgets.job_list import JobList
from batchops.widgets.keyboard import KeyboardGuard
from batchops.widgets.logs_panel import LogsPanel
from batchops.widgets.messages import Messages
from batchops.widgets.progress_panel import ProgressPanel
from batchops.widgets.root_folder import RootFolder
from batchops.widgets.stack_picker import StackPicker
from batchops.widgets.summary_panel import SummaryPanel
from batchops.widgets.theme import make_button, make_row
from batchops.widgets.upload import UploadPanel

if TYPE_CHECKING:
    from pathlib import Path

    from batchops.inspection.chunk_grid import ChunkGrid
    from batchops.inspection.progress import Progress
    from batchops.local.engine import LocalEngine

_OPENING_S = 10.0
_LIST_EVERY_S = 15.0
_ERRORS, _CHUNKS, _SUMMARY, _TIMINGS = "Errors", "Chunks", "Summary", "Timings"
_LOGS, _UPLOAD = "Logs", "Upload"
# What is read for a view, and what is read of a job or done with it: the keys of those calls.
_OF_A_VIEW = ("errors", "chunks", "chunk", "summary", "timings", "logs", "upload")
_OF_A_JOB = ("action", *_OF_A_VIEW[:-1])
_CLOSED = "<p>The console is closed. Run its cell again to open it.</p>"

# One console per stack: running a cell again must not leave the previous console reading.
_open: dict[tuple[str, str, str | None], Console] = {}


def console(
    stack_name: str = "batchops",
    *,
    target: TargetName = "local",
    region: str | None = None,
    profile: str | None = None,
    job: str | None = None,
    refresh_s: float | None = None,
    timeout_s: float = 8 * 3600,
    engine: LocalEngine | None = None,
    root: str | Path | None = None,
) -> Console:
    """Open the operations console, for a notebook cell or as an app with Voila.

    All that it shows is in the stack, so running the cell again shows the same, even in a new
    kernel. A console that is open for the stack is closed.

    Parameters
    ----------
    stack_name, target, region, profile, engine
        As `Stack` takes them. The stack need not exist, and another can be picked in the console.
    job
        The job to show; by default the last unfinished one, or else the last one.
    refresh_s
        Seconds between two readings of a running job; by default, and at least, 2 on AWS and 1 on
        the local engine.
    timeout_s
        The longest time to follow a job, in seconds.
    root
        The folder that the console reads files from and stores files in; by default the current
        working directory. It uses nothing outside it, nothing hidden in it, and only files that
        end in ``.csv``, ``.tsv`` or ``.txt``.

    Raises
    ------
    InputError
        There is no such folder.
    """
    folder = RootFolder(root)
    key = (target, stack_name, region)
    if key in _open:
        _open[key].close()
    made = _open[key] = Console(
        Stack(stack_name, target=target, region=region, profile=profile, engine=engine),
        job_id=job,
        refresh_s=refresh_s,
        timeout_s=timeout_s,
        root=folder,
    )
    made.open()
    return made


class Console:
    """The console, which `console` makes: its panels, and how they work together.

    The panels are attributes: ``stacks``, ``jobs``, ``progress``, ``grid``, ``actions``,
    ``errors``, ``chunks``, ``summary``, ``timings``, ``logs``, ``upload``. Functions return all
    that they show: `batchops.list_stacks`, `Stack.jobs`, `Job.status`, `Job.chunk_grid`,
    `Job.error_page`, `Job.chunks`, `Job.chunk`, `Job.why`, `Stack.logs`,
    `Stack.plan`, and the dry runs of `Job`.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        job_id: str | None,
        refresh_s: float | None,
        timeout_s: float,
        root: RootFolder,
    ) -> None:
        self.stack: Stack | None = stack
        self.job: Job | None = None
        self.closed = False
        self._wanted_job = job_id
        self._refresh_s, self._timeout_s = refresh_s, timeout_s
        self._lock = threading.RLock()
        self._follower: Follower | None = None
        self._listed_at = 0.0
        self.messages = Messages()
        self.background = Background(on_begin=self.messages.begin, on_end=self.messages.end)
        self.stacks = StackPicker(stack, self.background, on_pick=self._take_stack)
        self.jobs = JobList(self.background, on_pick=self.pick_job, on_several=self._take_several)
        self.progress, self.grid = ProgressPanel(), ChunkGridPanel()
        self.actions = Actions(self.background, root=root, on_done=self._acted)
        self.errors = ErrorsPanel(self.background, on_repair=self.actions.repair_edited)
        self.chunks = ChunkList(self.background)
        self.summary = SummaryPanel(self.background)
        self.timings = TimingsPanel(self.background)
        self.logs = LogsPanel(self.background)
        self.upload = UploadPanel(self.background, root=root, on_submitted=self._submitted)
        self._build()

    # ---------------------------------------------------------------------------- looks

    def _build(self) -> None:
        self.refresh_button = make_button(
            "Refresh", "Read the stacks, the jobs and the job again", "refresh", width_px=90
        )
        self.close_button = make_button(
            "Close", "Close the console; jobs go on", "times", width_px=80
        )
        self.view = widgets.ToggleButtons(
            options=[_ERRORS, _CHUNKS, _SUMMARY, _TIMINGS, _LOGS, _UPLOAD],
            tooltips=[
                "Errors by page, and new values for rejected rows",
                "Each chunk's rows, errors, log, input and output",
                "Workflow, balance, mail and cost",
                "Times as plots",
                "Logs of the functions",
                "A new file",
            ],
            description="",
            tooltip="What to show below",
            style={"button_width": "105px"},  # all on one line of a narrow page
        )
        self.body = widgets.VBox()
        self.root = widgets.VBox(
            [
                widgets.HTML(theme.STYLE + '<div class="batchops-head">Operations console</div>'),
                make_row(self.stacks.root, self.refresh_button, self.close_button),
                self.messages.root,
                KeyboardGuard(),
                _section(self.jobs.root),
                _section(self.progress.root, self.grid.root),
                _section(self.actions.root),
                _section(self.view, self.body),
            ]
        )
        self.root.add_class(theme.CLASS)
        self.view.observe(lambda _: self._show_view(), "value")
        self.refresh_button.on_click(lambda _: self.refresh())
        self.close_button.on_click(lambda _: self.close())
        self._show_view()

    def __repr__(self) -> str:
        """Name the stack and the job."""
        return f"<Console of {self.stack!r}, {self.job!r}>"

    def __str__(self) -> str:
        """Return what it shows as text, for front ends without widgets."""
        lines = [repr(self)]
        if self.progress.last is not None:
            lines.append(str(self.progress.last))
        return "\n".join(filter(None, [*lines, self.messages.text]))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = self.root._repr_mimebundle_(**options) or {}
        return {**bundle, "text/plain": str(self)}

    def _show_view(self) -> None:
        panels: dict[str, Any] = {
            _ERRORS: self.errors,
            _CHUNKS: self.chunks,
            _SUMMARY: self.summary,
            _TIMINGS: self.timings,
            _LOGS: self.logs,
            _UPLOAD: self.upload,
        }
        self.body.children = (panels[self.view.value].root,)
        self.messages.settle(*_OF_A_VIEW)  # what is still wrong with this one comes again
        self._load_view()

    def _load_view(self) -> None:
        """Read what the view shows, but logs, which may take long, only on demand."""
        if self.job is not None and self.view.value == _ERRORS:
            self.errors.load()
        elif self.job is not None and self.view.value == _CHUNKS:
            self.chunks.load()
        elif self.job is not None and self.view.value == _SUMMARY:
            self.summary.load()
        elif self.job is not None and self.view.value == _TIMINGS:
            self.timings.load()

    # -------------------------------------------------------------------------- choices

    def open(self) -> None:
        """Start reading, and wait briefly so that there is usually something to see."""
        self._show_stack()
        self.settle(_OPENING_S)

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Wait until all calls have ended; return False if one still runs.

        Following a job does not count.
        """
        return self.background.wait(timeout_s)

    def _take_stack(self, stack: Stack | None) -> None:
        self.stack, self._wanted_job = stack, None
        self._leave_job()
        self._show_stack()

    def _show_stack(self) -> None:
        self.upload.show(self.stack)
        self.logs.show(self.stack, None)
        self.jobs.show(self.stack)
        self.refresh()

    def refresh(self) -> None:
        """Read the stacks, the jobs and the job again."""
        stack, job = self.stack, self.job
        if stack is not None:
            self.stacks.list(stack)
            self._list_jobs()
        if job is not None:
            typed = self.errors.edits
            self.pick_job(job.id)
            self.errors.note(typed)

    def _list_jobs(self) -> None:
        self._listed_at = time.monotonic()
        current = self.job.id if self.job is not None else self._wanted_job
        if self.job is None and current is not None:
            self._wanted_job = None
            self.pick_job(current)
        self.jobs.load(current=current)

    def pick_job(self, job_id: str) -> None:
        """Show a job, and follow it while it runs."""
        self._turn_to(job_id)
        self._load_view()

    def _turn_to(self, job_id: str) -> None:
        if self.stack is None or self.closed:
            return
        with self._lock:
            self._leave_job()
            job = self.job = Job(self.stack, job_id)
            self.actions.show(job)
            self.errors.show(job)
            self.chunks.show(job)
            self.summary.show(job)
            self.timings.show(job)
            self.logs.show(self.stack, job)
            self._follow(job)

    def _take_several(self) -> None:
        """Let the actions take all picked jobs, as far as they make sense."""
        with self._lock:
            stack, job = self.stack, self.job
            if stack is None or job is None:
                return
            picked, last = self.jobs.picked, self.progress.last
            others = [job_id for job_id in picked if job_id != job.id]
            self.actions.show_others([Job(stack, job_id) for job_id in others])
            own = last.status.status if last is not None else picked.get(job.id)
            if own is None:  # it is not read yet
                return
            statuses = [own, *(picked[job_id] for job_id in others)]
            known: dict[str, Any] = {}
            if last is not None:
                status = last.status
                known = {"rejected": status.rows_rejected, "has_result": status.has_result}
            self.actions.allow(possible.reasons_against(statuses, **known))

    def _leave_job(self) -> None:
        with self._lock:
            if self._follower is not None:
                self._follower.stop()
                self._follower = None
            if self.job is not None:
                self.messages.settle(self.job.id, *_OF_A_JOB)
            self.job = None
            self.progress.clear()
            self.grid.clear()
            self.actions.show(None)
            self.errors.show(None)
            self.chunks.show(None)
            self.summary.show(None)
            self.timings.show(None)

    # ------------------------------------------------------------------------ following

    def _follow(self, job: Job) -> None:
        polite_s = max(MIN_REFRESH_S, job.stack.target.poll_s)
        self._follower = Follower(
            job,
            on_read=lambda progress, grid: self._take_reading(job, progress, grid),
            on_end=lambda: self._job_ended(job),
            on_trouble=lambda text: self.messages.complain(job.id, text),
            refresh_s=max(polite_s, self._refresh_s or 0),
            timeout_s=self._timeout_s,
        )
        self._follower.start()

    def _take_reading(self, job: Job, progress: Progress, grid: ChunkGrid) -> None:
        with self._lock:
            if self.job is not job:
                return
            self.messages.settle(job.id)
            before, status = self.progress.last, progress.status
            self.progress.show(progress)
            self.grid.show(grid)
            self._take_several()
        news = before is not None and before.status.status != status.status
        if not status.ended and (news or time.monotonic() - self._listed_at > _LIST_EVERY_S):
            self._list_jobs()

    def _job_ended(self, job: Job) -> None:
        if self.job is job and not self.closed:
            self._list_jobs()
            self._load_view()

    def _acted(self, outcome: ActionResult) -> None:
        self.messages.tell(outcome.text, markup=outcome.markup)
        if outcome.started:
            self.errors.note({})
            self.refresh()

    def _submitted(self, job: Job) -> None:
        self.messages.tell(f"the file is submitted: job {job.id}")
        self._turn_to(job.id)  # the ledger does not have it yet, so there is nothing to load
        self._list_jobs()

    def close(self) -> None:
        """Stop reading, and remove the widgets; jobs continue."""
        if self.closed:
            return
        self.closed = True
        self._leave_job()
        self.background.close()
        self.root.children = (widgets.HTML(_CLOSED),)
        for key in [key for key, made in _open.items() if made is self]:
            del _open[key]


def _section(*parts: Any) -> Any:
    box = widgets.VBox(list(parts))
    box.add_class("batchops-section")
    return box
