"""The handle on one job: its status, errors, results, plots, reruns and repairs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from batchcore.aws import LINK_EXPIRES_S

from batchops.core import ledger
from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.deployment.deployed import deployed_schema
from batchops.inspection import frames, job_errors, result_files
from batchops.inspection.balance import Balance, job_balance
from batchops.inspection.email import Email, read_email
from batchops.inspection.error_filters import find_error_page, find_errors
from batchops.inspection.links import Link, make_link
from batchops.inspection.result_files import ResultFile
from batchops.inspection.status import JobStatus, job_status, wait
from batchops.show.slow_reads import SlowRead

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from rich.console import Console

    from batchops.core.ledger import ErrorFilter
    from batchops.inspection.chunk_detail import ChunkDetail
    from batchops.inspection.chunk_grid import ChunkGrid
    from batchops.inspection.duplicates import Duplicates
    from batchops.inspection.error_pages import ErrorPage
    from batchops.inspection.rejects_workbook import RejectsWorkbook
    from batchops.inspection.report import JobReport, Parts
    from batchops.inspection.why import Why
    from batchops.planning.actual_cost import CostComparison
    from batchops.planning.plan import Plan
    from batchops.planning.what_if import SchemaSource, WhatIf
    from batchops.recovery.purge import Purge
    from batchops.recovery.repair_plan import RepairPlan
    from batchops.recovery.rerun_plan import RerunPlan
    from batchops.recovery.stopping import Stopped
    from batchops.show.graph import WorkflowGraph


class Job(JobRef):
    """A handle on one job of a stack; `Stack.submit` and `Stack.job` make it.

    It holds only the id, so you can make it again at any time and anywhere.

    Attributes
    ----------
    notes : tuple of str
        What `Stack.submit` made of the source before it was uploaded, a line each; empty if its
        bytes were uploaded as they are, and in any other handle.
    """

    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name the stack and the job, and say what was uploaded if it was made of something."""
        about = "".join(f"\n  {note}" for note in self.notes)
        return f"<Job {self.id} of stack {self.stack.name}>{about}"

    # ------------------------------------------------------------------------- status

    def status(self) -> JobStatus:
        """Read the job's status from the ledger and, while it runs, from Step Functions."""
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
            The longest time to wait, in seconds; the job goes on after it.
        on_status
            Called with each status that is read.
        check
            Raise if the job did not succeed.

        Raises
        ------
        JobNotFoundError
            If the job does not appear in the ledger.
        WaitTimeoutError
            If the job has not ended in time.
        JobFailedError
            If it did not succeed and `check` is set.
        """
        return wait(self, timeout_s=timeout_s, on_status=on_status, check=check)

    def watch(
        self,
        *,
        timeout_s: float = 3600,
        refresh_s: float | None = None,
        console: Console | None = None,
    ) -> JobStatus:
        """Show the job's progress until it has ended; Ctrl-C stops the display, not the job.

        A notebook and a terminal show the workflow as it lights up, and the chunks' timeline as it
        grows; of more than 80 chunks, the state of each.

        Parameters
        ----------
        timeout_s
            The longest time to watch, in seconds.
        refresh_s
            Seconds between two readings; by default 2 on AWS, 0.2 on the local engine.
        console
            Where to show it; by default the notebook's output, or the standard output.

        Raises
        ------
        JobNotFoundError
            If the job does not appear in the ledger.
        """
        from batchops.inspection.watch import watch

        return watch(self, timeout_s=timeout_s, refresh_s=refresh_s, console=console)

    def stop(self, *, dry_run: bool = False, timeout_s: float = 120) -> Stopped:
        """Stop the running attempt and its chunks; a rerun resumes the job.

        Parameters
        ----------
        dry_run
            Only say what would be stopped; change nothing.
        timeout_s
            The longest time to wait until nothing runs, in seconds.

        Raises
        ------
        JobNotFoundError, JobError
        WaitTimeoutError
            If chunks still run after that time.
        """
        from batchops.recovery.stopping import stop

        return stop(self, dry_run=dry_run, timeout_s=timeout_s)

    def chunk_grid(self) -> ChunkGrid:
        """Show the state of each chunk, in at most 300 cells."""
        from batchops.inspection.chunk_grid import chunk_grid

        return chunk_grid(self)

    # ------------------------------------------------------------------------ analysis

    def balance(self, *, deep: bool = False) -> Balance:
        """Compare the counts of the job's rows from the split, the chunks and the errors.

        Parameters
        ----------
        deep
            Also count the errors themselves, in the files and in the tables, which takes minutes if
            there are very many; by default what the ledger says of them counts.

        Raises
        ------
        JobNotFoundError, JobError, AwsError
        """
        with SlowRead("chunks and errors") as on_read:
            return job_balance(self, deep=deep, on_read=on_read)

    def why(self) -> Why:
        """Explain what went wrong, by cause, with counts, an example and the next call."""
        from batchops.inspection.why import why

        return why(self)

    def duplicates(self, *, limit: int = 10_000) -> Duplicates:
        """Find the rows of the uploaded file that have the same key, accepted and rejected ones.

        The job's chunks are read one by one, and the keys lie in a temporary file, so that memory
        is bounded. Rows that were repaired count as they are now. Empty keys, and rows that cannot
        be read (rules ``encoding``, ``quoting``, ``fieldCount``), are left out.

        Parameters
        ----------
        limit
            The most rows to name; all are counted.

        Raises
        ------
        JobNotFoundError, InputError, JobError, AwsError
        """
        from batchops.inspection.duplicates import job_duplicates

        return job_duplicates(self, deployed_schema(self.stack), limit=limit)

    def errors(
        self, *, limit: int | None = None, column: str | None = None, rule: str | None = None
    ) -> pd.DataFrame:
        """Return the errors, one line for each rule that a row breaks.

        They are read from the file that the merge made of them; before that, and if the job failed,
        from the pieces that its chunks have written; of a job that was entered in a stack of
        ledger format 1, from the tables. A million take some seconds and up to 500 MB, with pyarrow
        installed a fifth less, because pandas then keeps text (``str``) in its arrays. See also
        `iter_errors`, which holds a hundred MB at most, and `why`.

        Parameters
        ----------
        limit
            The most lines, from the first row on; no more than these are read.
        column, rule
            Only errors of this column, or of this rule. A name that neither an error of the job nor
            the deployed schema has is refused, with the names that there are.

        Returns
        -------
        DataFrame
            One line per error, ordered by row: ``source_row`` (int64, the header being row 1),
            ``column`` (str, empty for an error of the whole row), ``rule``, ``value``, ``message``,
            ``limit``, ``stage`` (read, validate or enrich), the row's key under the name of its
            column in the deployed schema, such as ``uuid``, ``raw`` (the row's text, cut at 32,000
            characters), ``chunk`` (int64), ``attempt`` (int64), ``time`` (datetime64[ms, UTC], when
            the chunk's execution started). Its attribute ``attrs["complete"]`` says whether the job
            was merged, so that no more can come, and ``attrs["cut"]`` whether there are more than
            `limit`.
        """
        where = ledger.ErrorFilter(column=column, rule=rule)
        with SlowRead("errors") as on_read:
            return find_errors(self, where, limit=limit, on_read=on_read)

    def iter_errors(self, *, lines: int = 10_000) -> Iterator[pd.DataFrame]:
        """Yield the errors in DataFrames of at most `lines` lines, with the columns of `errors`."""
        yield from job_errors.iter_errors(self, lines=lines)

    def error_page(
        self, *, where: ErrorFilter | None = None, after: str = "", lines: int = 50
    ) -> ErrorPage:
        """Return one page of the errors; the table filters, and only the page is read.

        Parameters
        ----------
        where
            The errors to return; by default all. Names that there are none of are refused, with
            those that there are.
        after
            The `next` of the page before; by default the page begins with the first error.
        lines
            The most errors on the page.

        Raises
        ------
        InputError, JobNotFoundError, AwsError
        """
        return find_error_page(self, where=where, after=after, lines=lines)

    def chunks(self) -> pd.DataFrame:
        """Return the chunks that have started.

        Returns
        -------
        DataFrame
            One line per chunk: ``chunk`` (int64), ``status`` (str), ``rows``, ``valid``,
            ``rejected``, ``errors``, ``attempt`` (Int64), ``start``, ``end`` (datetime64[ms, UTC]),
            ``queue_ms`` (Int64, milliseconds from the job's start to the chunk's), ``read_ms``,
            ``validate_ms``, ``enrich_ms``, ``write_ms`` (Int64, milliseconds inside the function),
            ``read_start`` and so on (datetime64[ms, UTC], when the function began), ``cold`` (str,
            the steps whose function was started for this chunk, as in ``read, validate``),
            ``failed_step``, ``error``, ``cause`` (str). A missing value is not
            known yet, or the chunk did not fail.
        """
        job_start = self.ledger_entry().began
        return frames.chunks_frame(self.chunk_entries(), job_start=job_start)

    def chunk(self, number: int) -> ChunkDetail:
        """Show one chunk with all that belongs to it: rows, errors, log, input and output.

        Parameters
        ----------
        number
            The chunk's number, from 1, as in `chunks`, the timeline and the column ``chunk`` of
            `errors`.

        Raises
        ------
        InputError
            If the job has no such chunk.
        JobNotFoundError, AwsError
        """
        from batchops.inspection.chunk_detail import chunk_detail

        return chunk_detail(self, number)

    def steps(self) -> pd.DataFrame:
        """Return the states that the main workflow entered in the job's last attempt.

        Returns
        -------
        DataFrame
            One line per state: ``state``, ``type``, ``status`` (str), ``start``, ``end``
            (datetime64[ms, UTC]), ``ms`` (Int64), ``tries`` (int64, how often its task was
            started), ``error`` (str, the name of the last error).
        """
        from batchops.inspection.steps import steps

        return steps(self)

    def lineage(self) -> pd.DataFrame:
        """Return the job's attempts, one line each: how it began and ended, and what it ran."""
        from batchops.recovery.lineage import lineage

        return lineage(self)

    def graph(self) -> WorkflowGraph:
        """Draw the workflow with the status and time of each state."""
        from batchops.inspection.job_graph import job_graph

        return job_graph(self)

    def timeline(self, *, ax: Axes | None = None) -> Axes:
        """Draw when each chunk ran; for many chunks, how many ran at a time."""
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
            Count the errors by rule, column or value, or draw the position of the rejected rows in
            the file.
        column
            Only errors of this column.
        ax
            The Axes to draw on; by default those of a new figure.
        top
            The most bars; one more bar counts the rest.

        Raises
        ------
        InputError, JobNotFoundError, AwsError
        """
        from batchops.plots import error_plots

        errors = self.errors(column=column)
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
        """Return the time of each step of the chunk workflow, over the chunks that succeeded.

        Returns
        -------
        DataFrame
            One line per step, and one for the time ``between steps``, in Step Functions and Lambda:
            ``step`` (str), ``chunks`` (int64), ``total_s``, ``share`` (of the whole, 0 to 1),
            ``median_ms``, ``p95_ms``, ``max_ms``, ``us_per_row`` (float64, microseconds). Values
            are missing if no chunk has succeeded.
        """
        from batchops.inspection.timings import step_times

        return step_times(self.chunks())

    def stragglers(self, *, factor: float = 1.5) -> pd.DataFrame:
        """Return the chunks that took more than `factor` times as long as the median chunk.

        Returns
        -------
        DataFrame
            One line per chunk, the slowest first: ``chunk`` (int64), ``rows`` (Int64), ``seconds``,
            ``times_usual`` (float64, times the median chunk's time), ``slowest_step`` (str, the
            step that exceeded its median most), ``step_ms``, ``usual_ms`` (float64, the time of
            that step, and its median).
        """
        from batchops.inspection.timings import stragglers

        return stragglers(self.chunks(), factor=factor)

    def what_if(self, schema: SchemaSource) -> WhatIf:
        """Say which of the job's rows another schema would newly reject or accept.

        The rows are checked here against the deployed schema and the other; nothing is deployed.

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
        """Compare the job's cost on AWS, by the ledger, with its plan or an estimate."""
        from batchops.planning.actual_cost import compare_cost

        return compare_cost(self, plan=plan)

    # ------------------------------------------------------------------------- results

    def report(
        self, path: str | Path, *, plan: Plan | None = None, replace: bool = True
    ) -> JobReport:
        """Store a report of the job to hand on: one HTML file, which opens in any browser.

        It has the balance, the plan against the job, the errors by place, rule and column with
        examples, the workflow, the timeline, the cost and the attempts. It loads nothing, prints
        well, and shows values of rejected rows: hand it to people who may see them.

        Parameters
        ----------
        path
            Where to store it; ends in ``.html``.
        plan
            The job's plan, as `Stack.plan` made it, to be set beside what came of it.
        replace
            Replace a file that is there, rather than raise.

        Raises
        ------
        InputError
            If the path does not end in ``.html``, or a file is there that is not to be replaced.
        JobNotFoundError, AwsError
        """
        from batchops.inspection.report import store_report
        from batchops.planning.actual_cost import compare_cost
        from batchops.planning.plan_outcome import plan_outcome
        from batchops.recovery.lineage import lineage

        parts: Parts = {
            "Plan against job": partial(plan_outcome, self, plan=plan),
            "Cost": partial(compare_cost, self, plan=plan),
            "Attempts": partial(lineage, self),
        }
        return store_report(self, path, parts=parts, replace=replace)

    def output(self, *, typed: bool = False, source_row: bool = False) -> pd.DataFrame:
        """Return the completed file, with every column as text unless `typed` is set.

        With `typed`, columns get the types of the deployed schema, and those of its enrichment
        become numbers, if no value loses anything by it: formatted back, each is its text. Integers
        are Int64, other numbers Float64, or `decimal.Decimal` where a float would lose a digit,
        booleans boolean, dates datetime64; an empty value is missing. All other columns stay text,
        and so does a column with 007, +1 or 1e3 in it. docs/data.md has the table.

        The columns that the job has added keep their names: one of the upload with the same name is
        ``NAME (uploaded)``. Other names that occur twice, or are empty, are what `pandas.read_csv`
        makes of them: ``a``, ``a.1``, ``Unnamed: 2``.

        Parameters
        ----------
        typed
            Give columns their types.
        source_row
            Add the column ``source_row`` (int64): the row of the uploaded file, the header being
            row 1, as in `errors` and `rejects`.

        Raises
        ------
        JobNotFoundError, JobRunningError, JobFailedError, AwsError
        JobError
            If `source_row` is wanted, and the list of the job's chunks has expired.
        """
        schema = deployed_schema(self.stack) if typed else None
        return result_files.read_output(self, schema=schema, source_row=source_row)

    def to_parquet(
        self,
        path: str | Path,
        *,
        of: Literal["output", "errors"] = "output",
        typed: bool = False,
        source_row: bool = False,
    ) -> Path:
        """Store the completed file, or the errors, as Parquet, and return its path.

        It takes the extra ``parquet``: ``pip install 'batchops[parquet]'``.

        Parameters
        ----------
        path
            The file; one that is there is replaced by a whole one only.
        of
            ``"output"``, or ``"errors"`` with the columns of `errors`, which are read as a stream.
        typed, source_row
            Of the output, see `output`.

        Raises
        ------
        InputError
            If the extra is not installed, the file cannot be written, or `of` is neither.
        JobNotFoundError, JobRunningError, JobFailedError, JobError, AwsError
        """
        from batchops.inspection.parquet import write_parquet

        if of not in ("output", "errors"):
            raise InputError(f"of={of!r}: give 'output' or 'errors'")
        if of == "errors":
            return write_parquet(self.iter_errors(), path)
        return write_parquet([self.output(typed=typed, source_row=source_row)], path)

    def rejects(self) -> pd.DataFrame:
        r"""Return the rejected rows.

        Returns
        -------
        DataFrame
            One line per rejected row: the input's columns as text, then ``source_row`` (int64),
            ``rules``, ``messages`` (text). If a row has more fields than the header, the surplus is
            in ``surplus_1`` and so on; bytes that are not UTF-8 show as ``\xA0``. A field with text
            after its closing quote shows as it stands, quotes included. Columns of one name, or of
            none, are called as in `output`.
        """
        return result_files.read_rejects(self)

    def rejects_workbook(self, path: str | Path, *, replace: bool = True) -> RejectsWorkbook:
        """Store the rejected rows as a workbook (.xlsx), in which every cell is text.

        This is the form for people: nothing is taken for a number, a date or a formula, the cells
        that break a rule are marked and say why, and columns with an ``enum`` offer choices.
        `repair` takes the edited workbook back. Needs the extra ``excel``.

        Parameters
        ----------
        path
            Where to store it.
        replace
            Replace a file that is there, rather than raise.

        Returns
        -------
        RejectsWorkbook
            Its path, and the rows that no workbook can hold, which are left out.

        Raises
        ------
        InputError
            If the path does not end in ``.xlsx``, a file is there that is not to be replaced, or a
            sheet has too few rows or columns.
        JobNotFoundError, JobRunningError, JobFailedError, AwsError
        """
        from batchops.inspection.rejects_workbook import store_workbook

        schema = deployed_schema(self.stack)
        return store_workbook(path, self.rejects(), self.errors(), schema, replace=replace)

    def result_file(self, *, rejected: bool = False) -> ResultFile:
        """Return the name, size and place in S3 of the file that `download` and `link` give.

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
        spreadsheet: bool = False,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Path:
        """Store the completed file, or the rejects, and return its path.

        The file has the bytes that came: a spreadsheet takes values that begin with ``=``, ``+``,
        ``-`` or ``@`` for formulas. For people set `spreadsheet`, or see `rejects_workbook`.

        In a folder the file keeps its name, and rejects get ``-rejected`` added, so that both fit
        into one folder. The uploader chose the name, so a name that is hidden or leads elsewhere is
        refused. A file that is there is replaced only by a whole file.

        Parameters
        ----------
        path
            The file or folder to store it in.
        rejected
            Store the rejects instead.
        spreadsheet
            Store a CSV that a spreadsheet opens right: an apostrophe stands in front of each value
            that it would run, or write in another way. `repair` takes such rejects back.
        on_bytes
            Called with the number of bytes of each part that arrives, perhaps from another thread.
        """
        return result_files.download(
            self, path, rejected=rejected, spreadsheet=spreadsheet, on_bytes=on_bytes
        )

    def link(self, *, expires_s: int = LINK_EXPIRES_S, rejected: bool = False) -> Link:
        """Return an address that opens the completed file, or the rejects, without credentials.

        It works for `expires_s` seconds, but no longer than the credentials that sign it; of a
        stack on the local engine, on this computer only (`Link.here_only`). Elsewhere take
        `download`.
        """
        return make_link(self, expires_s=expires_s, rejected=rejected)

    def email(self) -> Email:
        """Return the job's mail, and whether it was sent; wait up to a minute if it is being tried.

        Raises
        ------
        JobRunningError, JobFailedError
            If there is no mail, because the job has not got that far.
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
        """Plan a rerun: what it would run and reuse; or start it.

        Parameters
        ----------
        chunks
            The chunks to run, whatever their status; by default those that failed or never
            started.
        everything
            Run every chunk.
        dry_run
            Only plan; change nothing.
        engine
            ``"resume"`` starts a new execution of the workflow as it is deployed now;
            ``"redrive"`` has Step Functions continue the old one, on AWS, if it can.

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
        accept: Collection[str] = (),
        dry_run: bool = True,
    ) -> RepairPlan:
        """Plan a repair with fixed rows; or put them in and run their chunks again.

        The plan lists each field that differs from the job's. A row in which one looks like the
        damage of a spreadsheet, where no rule objected to the value, is held until that kind of
        damage is accepted.

        Parameters
        ----------
        source
            The edited rejects: the DataFrame that `rejects` returned, the workbook that
            `rejects_workbook` stored, or the rejects file, however a spreadsheet saved it.
        schema
            A schema to check them against instead of the deployed one.
        accept
            The kinds of damage to let through, by the names that the plan has, such as
            ``{"leading-zeros"}``.
        dry_run
            Only plan; change nothing.

        Raises
        ------
        JobNotFoundError, JobRunningError, InputError, JobError, AwsError
        """
        from batchops.recovery.repair import repair

        with SlowRead("rows checked") as on_read:
            return repair(
                self, source, schema=schema, accept=accept, dry_run=dry_run, on_read=on_read
            )

    def purge(self, *, dry_run: bool = True) -> Purge:
        """Say what the stack holds of the job, and what a purge leaves; or delete the job for good.

        Parameters
        ----------
        dry_run
            Only look; change nothing.

        Raises
        ------
        JobNotFoundError, AwsError
        JobRunningError
            The job has not ended, or its mail is still being tried.
        """
        from batchops.recovery.purge import purge

        return purge(self, dry_run=dry_run)

    # -------------------------------------------------------------------------- debugging

    def event(self, function: str, *, chunk: int | None = None) -> dict[str, Any]:
        """Return the event that a function got in the job, for `Stack.invoke`.

        Parameters
        ----------
        function
            Its folder in ``source/``, such as ``"validate-data"``: any that a workflow calls.
        chunk
            The chunk's number, for a function that runs for each chunk.

        Raises
        ------
        InputError
            No workflow calls the function, or it takes a chunk, or none.
        JobError
            The job did not reach the function, or Step Functions no longer has its history.
        JobNotFoundError, AwsError
        """
        from batchops.inspection.step_event import step_event

        return step_event(self, function, chunk=chunk)

    # ----------------------------------------------------------------------------- ledger

    def entry(self) -> dict[str, Any]:
        """Return the ledger's JOB entry as a plain dict, with the attribute names of the table.

        Raises
        ------
        JobNotFoundError
        """
        return dict(self.ledger_entry().item)
