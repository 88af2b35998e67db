"""One job: how it stands, what came of it, and the proof that it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from batchcore import workflow

from batchops.core import ledger
from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.deployment.deployed import deployed_schema
from batchops.inspection import frames, result_files
from batchops.inspection.balance import Balance, job_balance
from batchops.inspection.email import Email, read_email
from batchops.inspection.result_files import LINK_EXPIRES_S, ResultFile
from batchops.inspection.status import JobStatus, job_status, wait

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from rich.console import Console

    from batchops.core.ledger import ErrorFilter
    from batchops.inspection.chunk_grid import ChunkGrid
    from batchops.inspection.error_pages import ErrorPage
    from batchops.inspection.why import Why
    from batchops.planning.cost_values import CostComparison
    from batchops.planning.plan import Plan
    from batchops.planning.what_if import SchemaSource
    from batchops.planning.what_if_values import WhatIf
    from batchops.recovery.repair_plan import RepairPlan
    from batchops.recovery.rerun_plan import RerunPlan
    from batchops.recovery.stopping import Stopped
    from batchops.show.graph import WorkflowGraph


class Job(JobRef):
    """A handle on one job of a stack; made by `Stack.submit` or `Stack.job`.

    It holds nothing but the id, so it may be made anew at any time and anywhere.
    """

    def __repr__(self) -> str:
        """Name the stack and the job."""
        return f"<Job {self.id} of stack {self.stack.name}>"

    # ------------------------------------------------------------------ how it stands

    def status(self) -> JobStatus:
        """Read how the job stands from the ledger and, while it runs, from Step Functions."""
        return job_status(self)

    def wait(
        self,
        *,
        timeout_s: float = 3600,
        on_status: Callable[[JobStatus], None] | None = None,
        check: bool = True,
    ) -> JobStatus:
        """Wait until the job has ended.

        Parameters
        ----------
        timeout_s
            Seconds to wait at most; the job goes on in any case.
        on_status
            Called with each status that is read.
        check
            Raise if the job did not succeed.

        Raises
        ------
        JobNotFoundError
            If the ledger does not come to know the job.
        WaitTimeoutError
            If the job has not ended in time.
        JobFailedError
            If it ended otherwise than with success, and `check` is set.
        """
        return wait(self, timeout_s=timeout_s, on_status=on_status, check=check)

    def watch(
        self,
        *,
        timeout_s: float = 3600,
        refresh_s: float | None = None,
        console: Console | None = None,
    ) -> JobStatus:
        """Show how the job comes along until it has ended; Ctrl-C stops watching, not the job.

        Parameters
        ----------
        timeout_s
            Seconds to watch at most.
        refresh_s
            Seconds between two readings; by default 2 on AWS, 0.2 on the local engine.
        console
            Where to show it; by default the notebook's output, or the standard output.

        Raises
        ------
        JobNotFoundError
            If the ledger does not come to know the job.
        """
        from batchops.inspection.watch import watch

        return watch(self, timeout_s=timeout_s, refresh_s=refresh_s, console=console)

    def stop(self, *, dry_run: bool = False, timeout_s: float = 120) -> Stopped:
        """Stop the attempt that runs, with its chunks; a rerun takes the job up again.

        Parameters
        ----------
        dry_run
            Only say what would be stopped.
        timeout_s
            Seconds to wait at most until nothing runs.

        Raises
        ------
        JobNotFoundError, JobError
        WaitTimeoutError
            If chunks still run when the time is up.
        """
        from batchops.recovery.stopping import stop

        return stop(self, dry_run=dry_run, timeout_s=timeout_s)

    def chunk_grid(self) -> ChunkGrid:
        """Show how each chunk stands, in at most 300 cells."""
        from batchops.inspection.chunk_grid import chunk_grid

        return chunk_grid(self)

    # ----------------------------------------------------------------- what came of it

    def balance(self) -> Balance:
        """Count the job's rows at each place that knows them."""
        return job_balance(self)

    def why(self) -> Why:
        """Say what went wrong, grouped by cause, with counts, an example and the next call."""
        from batchops.inspection.why import why

        return why(self)

    def errors(
        self, *, limit: int | None = None, column: str | None = None, rule: str | None = None
    ) -> pd.DataFrame:
        """Return every rule that any row breaks; for very many, see `iter_errors` and `why`.

        Parameters
        ----------
        limit
            Lines at most, those of the first rows; no more is read than they take.
        column, rule
            Only errors of this column, or of this rule.

        Returns
        -------
        DataFrame
            One line a violation, by row: ``source_row`` (int64, the header being row 1),
            ``column`` (str, empty for the row as a whole), ``rule``, ``value``, ``message``,
            ``limit``, ``stage`` (read, validate or enrich), ``uuid`` (the row's key), ``raw`` (the
            row's text, shortened at 32,000 characters), ``chunk`` (int64), ``attempt`` (int64),
            ``time`` (datetime64[ms, UTC], when the chunk's execution started). Its attribute
            ``attrs["complete"]`` says whether every chunk has ended, so that no more can come, and
            ``attrs["cut"]`` whether there are more than `limit`.
        """
        if limit is not None and limit < 1:
            raise InputError(f"limit={limit}: give 1 or more, or leave it out")
        where = ledger.ErrorFilter(column=column, rule=rule)
        found = ledger.error_items(self.stack, self.id, where)
        frame = frames.errors_frame(islice(found, limit))
        frame.attrs["complete"] = self.status().status == workflow.SUCCEEDED
        frame.attrs["cut"] = next(found, None) is not None
        return frame

    def iter_errors(self, *, lines: int = 10_000) -> Iterator[pd.DataFrame]:
        """Yield the errors in DataFrames of at most `lines` lines, as `errors` has them."""
        found = ledger.error_items(self.stack, self.id)
        yield from frames.error_frames(found, lines=lines)

    def error_page(
        self, *, where: ErrorFilter | None = None, after: str = "", lines: int = 50
    ) -> ErrorPage:
        """Return a page of the errors, filtered by the table; of 100,000 no more is read than that.

        Parameters
        ----------
        where
            Which errors; by default all.
        after
            The `next` of the page before; by default from the first error on.
        lines
            Errors on the page at most.

        Raises
        ------
        InputError, JobNotFoundError, AwsError
        """
        from batchops.inspection.error_pages import error_page

        return error_page(self, where=where, after=after, lines=lines)

    def chunks(self) -> pd.DataFrame:
        """Return the chunks that have started.

        Returns
        -------
        DataFrame
            One line a chunk: ``chunk`` (int64), ``status`` (str), ``rows``, ``valid``,
            ``rejected``, ``errors``, ``attempt`` (Int64), ``start``, ``end`` (datetime64[ms, UTC]),
            ``queue_ms`` (Int64, milliseconds from the job's start to the chunk's), ``read_ms``,
            ``validate_ms``, ``enrich_ms``, ``write_ms`` (Int64, milliseconds inside the function),
            ``failed_step``, ``error``, ``cause`` (str). Missing: not known yet, or did not fail.
        """
        job_start = self.ledger_entry().started
        return frames.chunks_frame(self.chunk_entries(), job_start=job_start)

    def steps(self) -> pd.DataFrame:
        """Return the states that the main workflow went through in the job's last attempt.

        Returns
        -------
        DataFrame
            One line a state: ``state``, ``type``, ``status`` (str), ``start``, ``end``
            (datetime64[ms, UTC]), ``ms`` (Int64), ``tries`` (int64, how often its task was begun),
            ``error`` (str, the name of the last one).
        """
        from batchops.inspection.steps import steps

        return steps(self)

    def lineage(self) -> pd.DataFrame:
        """Return the job's attempts, a line each: how each began, ended, and what it ran."""
        from batchops.recovery.lineage import lineage

        return lineage(self)

    def graph(self) -> WorkflowGraph:
        """Draw the workflow with each state's status and time."""
        from batchops.inspection.workflow import job_graph

        return job_graph(self)

    def timeline(self, *, ax: Axes | None = None) -> Axes:
        """Draw when each chunk ran; of many chunks, how many ran at a time."""
        from batchops.plots.chunk_plots import chunk_timeline

        return chunk_timeline(self.chunks(), ax=ax)

    def plot_concurrency(self, *, ax: Axes | None = None) -> Axes:
        """Draw how many chunks were in progress at each moment."""
        from batchops.plots.chunk_plots import concurrency

        return concurrency(self.chunks(), ax=ax)

    def plot_errors(
        self,
        *,
        by: Literal["rule", "column", "value", "position"] = "rule",
        column: str | None = None,
        ax: Axes | None = None,
        top: int = 15,
    ) -> Axes:
        """Draw how the errors are distributed.

        Parameters
        ----------
        by
            How often each rule is broken, each column is at fault, each value is refused; or where
            in the file the rejected rows are.
        column
            Only errors of this column.
        ax
            Where to draw; by default in a new figure.
        top
            Bars at most; the others are counted together in one more.

        Raises
        ------
        InputError, JobNotFoundError, AwsError
        """
        from batchops.plots import error_plots

        errors = self.errors()
        if column is not None:
            errors = errors[errors["column"] == column]
        if by == "position":
            rows = self.ledger_entry().rows_in
            return error_plots.errors_by_position(errors, rows=rows, ax=ax)
        plots = {
            "rule": error_plots.errors_by_rule,
            "column": error_plots.errors_by_column,
            "value": error_plots.errors_by_value,
        }
        if by not in plots:
            raise InputError(f"by={by!r}: give one of {', '.join(map(repr, [*plots, 'position']))}")
        return plots[by](errors, ax=ax, top=top)

    def plot_durations(self, *, ax: Axes | None = None) -> Axes:
        """Draw how long the chunks took in each step."""
        from batchops.plots.chunk_plots import step_durations

        return step_durations(self.chunks(), ax=ax)

    def step_times(self) -> pd.DataFrame:
        """Return what each step of the chunk workflow took, over the chunks that succeeded.

        Returns
        -------
        DataFrame
            One line a step, and one for what lies ``between steps``, in Step Functions and Lambda:
            ``step`` (str), ``chunks`` (int64), ``total_s``, ``share`` (of the whole, 0 to 1),
            ``median_ms``, ``p95_ms``, ``max_ms``, ``us_per_row`` (float64, microseconds). Missing:
            no chunk has succeeded.
        """
        from batchops.inspection.timings import step_times

        return step_times(self.chunks())

    def stragglers(self, *, factor: float = 1.5) -> pd.DataFrame:
        """Return the chunks that took more than `factor` times as long as the median chunk.

        Returns
        -------
        DataFrame
            One line a chunk, the slowest first: ``chunk`` (int64), ``rows`` (Int64), ``seconds``,
            ``times_usual`` (float64, times the median chunk's time), ``slowest_step`` (str, the
            step that took most above its median), ``step_ms``, ``usual_ms`` (float64, that step's
            time, and its median).
        """
        from batchops.inspection.timings import stragglers

        return stragglers(self.chunks(), factor=factor)

    def what_if(self, schema: SchemaSource) -> WhatIf:
        """Say which of the job's rows another schema would newly reject, or newly accept.

        The rows are held against the deployed schema and the other one here; nothing is deployed.

        Parameters
        ----------
        schema
            The other schema: a document like that of ``Stack.schema()``, or the path of its file.

        Raises
        ------
        InputError, JobNotFoundError, JobError, AwsError
        """
        from batchops.planning.what_if_stack import what_if_job

        return what_if_job(self, schema)

    def cost(self, *, plan: Plan | None = None) -> CostComparison:
        """Hold what the job costs on AWS, by the ledger, against its plan or an estimate."""
        from batchops.planning.cost import compare_cost, estimate_cost, job_cost, job_workload

        entry, chunks = self.ledger_entry(), list(self.chunk_entries())
        planned = plan.cost if plan and plan.cost else estimate_cost(job_workload(entry, chunks))
        return compare_cost(planned, job_cost(entry, chunks))

    # ------------------------------------------------------------------------- results

    def output(self, *, typed: bool = False) -> pd.DataFrame:
        """Return the completed file, every column as text unless `typed`.

        Then the deployed schema's dates are dates, and what its enrichment adds are numbers, where
        every value is one or empty. The other columns stay text, because 007 may be a key.
        """
        schema = deployed_schema(self.stack) if typed else None
        return result_files.completed_frame(self, schema=schema)

    def rejects(self) -> pd.DataFrame:
        r"""Return the rejected rows.

        Returns
        -------
        DataFrame
            One line a rejected row, all text: the input's columns, then ``source_row``, ``rules``,
            ``messages``. Where a row has more fields than the header, the surplus stands in
            ``surplus_1`` and so on; bytes that are not UTF-8 show as ``\xA0``.
        """
        return result_files.rejects_frame(self)

    def result_file(self, *, rejected: bool = False) -> ResultFile:
        """Say what `download` and `link` would give: the file's name, size and place in S3.

        Raises
        ------
        JobNotFoundError, JobRunningError, JobFailedError, AwsError
        """
        return result_files.find_result(self, rejected=rejected)

    def download(
        self,
        path: str | Path,
        *,
        rejected: bool = False,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Path:
        """Store the completed file, or the rejects, and return its path.

        A folder may be given; the file then keeps its name, and rejects get ``-rejected`` added, so
        that both fit into one folder. A name that is hidden or no name for a file here is refused:
        its uploader chose it. What is there is replaced only by a whole file.

        Parameters
        ----------
        path
            Where to store it.
        rejected
            The rejects instead.
        on_bytes
            Called with the number of bytes of each part as it comes; maybe from another thread.
        """
        return result_files.download(self, path, rejected=rejected, on_bytes=on_bytes)

    def link(self, *, expires_s: int = LINK_EXPIRES_S, rejected: bool = False) -> str:
        """Return an address that opens the completed file, or the rejects, without credentials.

        It lasts `expires_s` seconds at most, and no longer than the credentials that it is made
        with.
        """
        return result_files.link(self, expires_s=expires_s, rejected=rejected)

    def email(self) -> Email:
        """Return the mail as it was, or was to be, sent, and whether it was.

        Raises
        ------
        JobRunningError, JobFailedError
            If there is none, because the job has not come so far.
        """
        return read_email(self)

    # ------------------------------------------------------------------- another attempt

    def rerun(
        self,
        *,
        chunks: Sequence[int] | None = None,
        everything: bool = False,
        dry_run: bool = True,
        engine: Literal["resume", "redrive"] = "resume",
    ) -> RerunPlan:
        """Say what a rerun would run and reuse, or start it.

        Parameters
        ----------
        chunks
            Chunks to run, whatever came of them; by default those that failed or never started.
        everything
            Run every chunk.
        dry_run
            Only look.
        engine
            ``"resume"`` starts a new execution of the workflow as it is deployed now;
            ``"redrive"`` has Step Functions go on with the old one, on AWS, where it can.

        Raises
        ------
        JobNotFoundError, JobRunningError, InputError, JobError, AwsError
        """
        from batchops.recovery.rerun import rerun

        return rerun(self, chunks=chunks, everything=everything, dry_run=dry_run, engine=engine)

    def repair(
        self,
        source: pd.DataFrame | str | Path | bytes,
        *,
        schema: str | Path | None = None,
        dry_run: bool = True,
    ) -> RepairPlan:
        """Say what mended rows would do to the job, or put them in and run their chunks again.

        Parameters
        ----------
        source
            The edited rejects: the DataFrame that `rejects` gave, or the rejects file.
        schema
            A schema to check them against instead of the deployed one.
        dry_run
            Only look.

        Raises
        ------
        JobNotFoundError, JobRunningError, InputError, JobError, AwsError
        """
        from batchops.recovery.repair import repair

        return repair(self, source, schema=schema, dry_run=dry_run)

    # ----------------------------------------------------------------------------- inside

    def entry(self) -> dict[str, Any]:
        """Return the ledger's JOB entry as a plain dict, with the names that the table has.

        Raises
        ------
        JobNotFoundError
        """
        return dict(self.ledger_entry())
