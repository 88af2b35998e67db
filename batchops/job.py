"""One job: how it stands, what came of it, and the proof that it is whole."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from batchcore import keys, workflow
from botocore.exceptions import BotoCoreError, ClientError

from batchops import frames, ledger
from batchops.balance import Balance, strike_balance
from batchops.email import Email
from batchops.errors import (
    InputError,
    JobFailedError,
    JobNotFoundError,
    JobRunningError,
    WaitTimeoutError,
    translate,
)
from batchops.results import ResultFile, head_result, local_name
from batchops.status import ENDED, WAITING, JobStatus, StatusReader, settle

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from rich.console import Console

    from batchops.inspection.error_pages import ErrorFilter, ErrorPage
    from batchops.inspection.why import Why
    from batchops.planning.cost_values import CostComparison
    from batchops.planning.plan import Plan
    from batchops.planning.what_if import SchemaSource
    from batchops.planning.what_if_values import WhatIf
    from batchops.recovery.repair_plan import RepairPlan
    from batchops.recovery.rerun_plan import RerunPlan
    from batchops.recovery.stopping import Stopped
    from batchops.stack import Stack
    from batchops.views.chunk_grid import ChunkGrid
    from batchops.views.graph import WorkflowGraph

LINK_EXPIRES_S = 3600
# Where the ledger keeps the key of the completed file, and of the rejects.
_KEYS = {False: "completedKey", True: "rejectedKey"}
# An upload's event mostly comes within seconds, sometimes after minutes (Amazon S3 user guide);
# on the local engine it comes at once.
_UNSEEN_S = {"aws": 300.0, "local": 30.0}


class Job:
    """A handle on one job of a stack; made by `Stack.submit` or `Stack.job`.

    It holds nothing but the id, so it may be made anew at any time and anywhere.
    """

    def __init__(self, stack: Stack, job_id: str) -> None:
        self.stack = stack
        self.id = job_id

    def __repr__(self) -> str:
        """Name the stack and the job."""
        return f"<Job {self.id} of stack {self.stack.name}>"

    # ------------------------------------------------------------------ how it stands

    def status(self) -> JobStatus:
        """Read how the job stands from the ledger and, while it runs, from Step Functions."""
        return StatusReader(self.stack, self.id).read()

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
        deadline = time.monotonic() + timeout_s
        unseen_until = time.monotonic() + _UNSEEN_S[self.stack.target.name]
        reader = StatusReader(self.stack, self.id)
        while True:
            status = reader.read()
            if on_status is not None:
                on_status(status)
            if status.ended:
                break
            if time.monotonic() >= deadline:
                raise WaitTimeoutError(
                    f"job {self.id} is still {status.status} after {timeout_s:g} s; it goes on: "
                    "call wait() again, or status()",
                    job_id=self.id,
                )
            if status.status == WAITING and time.monotonic() >= unseen_until:
                self.entry()
            time.sleep(self.stack.target.poll_s)
        if check and status.status != workflow.SUCCEEDED:
            raise JobFailedError(
                f"job {self.id} ended {status.status}: {status.reason}", job_id=self.id
            )
        return status

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
        from batchops.views.watch import watch

        return watch(
            self,
            timeout_s=timeout_s,
            unseen_s=_UNSEEN_S[self.stack.target.name],
            refresh_s=refresh_s,
            console=console,
        )

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
        from batchops.views.chunk_grid import chunk_grid

        return chunk_grid(self)

    # ----------------------------------------------------------------- what came of it

    def balance(self) -> Balance:
        """Count the job's rows at each place that knows them."""
        errors = ledger.error_items(*self._table("ErrorTableName"), self.id)
        return strike_balance(self.entry(), self.chunk_entries(), errors)

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
        table = self._table("ErrorTableName")
        found = ledger.error_items(*table, self.id, column=column, rule=rule)
        frame = frames.errors_frame(islice(found, limit))
        frame.attrs["complete"] = self.status().status == workflow.SUCCEEDED
        frame.attrs["cut"] = next(found, None) is not None
        return frame

    def iter_errors(self, *, lines: int = 10_000) -> Iterator[pd.DataFrame]:
        """Yield the errors in DataFrames of at most `lines` lines, as `errors` has them."""
        found = ledger.error_items(*self._table("ErrorTableName"), self.id)
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
        return frames.chunks_frame(self.chunk_entries(), job_start=self.entry().get("startTime"))

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

        return job_graph(self, project=self.stack.project.root)

    def timeline(self, *, ax: Axes | None = None) -> Axes:
        """Draw when each chunk ran; of many chunks, how many ran at a time."""
        from batchops.views.plots import chunk_timeline

        return chunk_timeline(self.chunks(), ax=ax)

    def plot_concurrency(self, *, ax: Axes | None = None) -> Axes:
        """Draw how many chunks were in progress at each moment."""
        from batchops.views.plots import concurrency

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
        from batchops.views import error_plots

        errors = self.errors()
        if column is not None:
            errors = errors[errors["column"] == column]
        if by == "position":
            rows = int(self.entry().get("rowsIn", 0))
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
        from batchops.views.plots import step_durations

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

        entry, chunks = self.entry(), list(self.chunk_entries())
        planned = plan.cost if plan and plan.cost else estimate_cost(job_workload(entry, chunks))
        return compare_cost(planned, job_cost(entry, chunks))

    # ------------------------------------------------------------------------- results

    def output(self, *, typed: bool = False) -> pd.DataFrame:
        """Return the completed file, every column as text unless `typed`.

        Then the deployed schema's dates are dates, and what its enrichment adds are numbers, where
        every value is one or empty. The other columns stay text, because 007 may be a key.
        """
        from batchops.deployment.deployed import deployed_schema

        file, delimiter = self._result("completedKey")
        schema = deployed_schema(self.stack) if typed else None
        return frames.csv_frame(file, delimiter=delimiter, schema=schema)

    def rejects(self) -> pd.DataFrame:
        r"""Return the rejected rows.

        Returns
        -------
        DataFrame
            One line a rejected row, all text: the input's columns, then ``source_row``, ``rules``,
            ``messages``. Where a row has more fields than the header, the surplus stands in
            ``surplus_1`` and so on; bytes that are not UTF-8 show as ``\xA0``.
        """
        file, delimiter = self._result("rejectedKey")
        return frames.rejects_frame(file, delimiter=delimiter)

    def result_file(self, *, rejected: bool = False) -> ResultFile:
        """Say what `download` and `link` would give: the file's name, size and place in S3.

        Raises
        ------
        JobNotFoundError, JobRunningError, JobFailedError, AwsError
        """
        key, bucket = self._result_key(_KEYS[rejected]), self.stack.outputs["SourceBucketName"]
        return head_result(self.stack.client("s3"), bucket, key)

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
        key = self._result_key(_KEYS[rejected])
        target = Path(path)
        if target.is_dir():
            target /= local_name(key, rejected=rejected)
        if not target.parent.is_dir():
            raise InputError(f"no folder {target.parent}: make it first, or give another path")
        part = target.with_name(target.name + ".part")
        try:
            # Made anew: a link that lies there under this name is not followed.
            part.unlink(missing_ok=True)
            with part.open("xb") as file:
                self._fetch(key, file, on_bytes)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def link(self, *, expires_s: int = LINK_EXPIRES_S, rejected: bool = False) -> str:
        """Return an address that opens the completed file, or the rejects, without credentials.

        It lasts `expires_s` seconds at most, and no longer than the credentials that it is made
        with.
        """
        params = {"Bucket": self.stack.outputs["SourceBucketName"]}
        params["Key"] = self._result_key(_KEYS[rejected])
        s3 = self.stack.client("s3")
        return str(s3.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s))

    def email(self) -> Email:
        """Return the mail as it was, or was to be, sent, and whether it was.

        Raises
        ------
        JobRunningError, JobFailedError
            If there is none, because the job has not come so far.
        """
        self._result_key("completedKey")
        entry, file = self.entry(), io.BytesIO()
        self._fetch(keys.mail(self.id), file)
        return Email.of(entry, json.loads(file.getvalue()))

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

    def entry(self) -> ledger.Entry:
        """Return the ledger's JOB entry as plain values.

        Raises
        ------
        JobNotFoundError
        """
        entry = ledger.job_entry(*self._table("JobTableName"), self.id)
        if entry is None:
            raise JobNotFoundError(
                f"stack {self.stack.name!r} has no job {self.id!r}: stack.jobs() lists them; if it "
                "was submitted just now, wait() for it",
                job_id=self.id,
            )
        return entry

    def chunk_entries(self) -> Iterator[ledger.Entry]:
        """Yield the ledger's entries of the chunks that have started, in order."""
        return ledger.chunk_entries(*self._table("JobTableName"), self.id)

    def _table(self, output: str) -> tuple[Any, str]:
        return self.stack.client("dynamodb"), self.stack.outputs[output]

    def _result_key(self, name: str) -> str:
        entry = self.entry()
        if name in entry and entry["status"] == workflow.SUCCEEDED:
            return str(entry[name])
        status, reason = settle(self.stack, entry)
        if status in ENDED:
            raise JobFailedError(
                f"job {self.id} ended {status}, so it has no result: {reason}", job_id=self.id
            )
        raise JobRunningError(
            f"job {self.id} is {status}: its result is there when it has ended, see wait()",
            job_id=self.id,
        )

    def _result(self, name: str) -> tuple[IO[bytes], str]:
        """Return a result's content and its delimiter."""
        file = io.BytesIO()
        self._fetch(self._result_key(name), file)
        file.seek(0)
        return file, self.entry()["delimiter"]

    def _fetch(
        self, key: str, file: IO[bytes], on_bytes: Callable[[int], None] | None = None
    ) -> None:
        bucket = self.stack.outputs["SourceBucketName"]
        try:
            self.stack.client("s3").download_fileobj(bucket, key, file, Callback=on_bytes)
        except (ClientError, BotoCoreError) as error:
            raise translate(error, doing=f"fetching {key}") from error
