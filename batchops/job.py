"""One job: how it stands, what came of it, and the proof that it is whole."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchcore import items, jobs
from botocore.exceptions import BotoCoreError, ClientError

from batchops import frames, ledger
from batchops.balance import Balance, strike_balance
from batchops.errors import (
    JobFailedError,
    JobNotFoundError,
    JobRunningError,
    WaitTimeoutError,
    translate,
)

if TYPE_CHECKING:
    import pandas as pd

    from batchops.stack import Stack

# Before its event is delivered an upload is in no ledger; it normally takes a second or two.
WAITING = "WAITING"
ENDED = frozenset({items.SUCCEEDED, items.FAILED, "ABORTED", "TIMED_OUT"})

_LINK_EXPIRES_S = 3600


@dataclass(frozen=True)
class JobStatus:
    """How a job stands.

    Attributes
    ----------
    status : str
        WAITING (not in the ledger yet), SUBMITTED, RUNNING, SUCCEEDED, FAILED, ABORTED, TIMED_OUT.
    rows : int
        Rows of the file; 0 until it is split.
    rows_done, rows_rejected : int
        Rows of the chunks that are through, and those of them that were rejected.
    chunks, chunks_done, chunks_failed : int
        Chunks of the file (0 until it is split), and how many of them succeeded and failed.
    reason : str
        Why it failed; empty otherwise.
    mail : str
        SENT, FAILED, or empty as long as no mail was tried.
    """

    status: str
    rows: int = 0
    rows_done: int = 0
    rows_rejected: int = 0
    chunks: int = 0
    chunks_done: int = 0
    chunks_failed: int = 0
    reason: str = ""
    mail: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


class Job:
    """A handle on one job of a stack; made by :meth:`Stack.submit` or :meth:`Stack.job`.

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
        entry = self._find_entry()
        if entry is None:
            return JobStatus(WAITING)
        status, reason = self._settle(entry)
        chunks = list(self._chunk_entries())
        done = [chunk for chunk in chunks if chunk.get("status") == items.SUCCEEDED]
        return JobStatus(
            status=status,
            rows=entry.get("rowsIn", 0),
            rows_done=sum(chunk["rows"] for chunk in done),
            rows_rejected=sum(chunk["rejected"] for chunk in done),
            chunks=entry.get("chunks", 0),
            chunks_done=len(done),
            chunks_failed=sum(chunk.get("status") == items.FAILED for chunk in chunks),
            reason=reason,
            mail=entry.get("mailStatus", ""),
        )

    def _settle(self, entry: ledger.Entry) -> tuple[str, str]:
        """Return status and reason; an execution that was stopped could not enter its own end."""
        status = entry["status"]
        if status in ENDED:
            return status, _reason(entry)
        execution = self._execution(entry["attempt"])
        if execution is None or execution["status"] in ("RUNNING", "SUCCEEDED"):
            return status, ""
        cause = frames.explain(execution.get("error", ""), execution.get("cause", ""))
        return execution["status"], cause

    def _execution(self, attempt: int) -> Any | None:
        states = self.stack.client("stepfunctions")
        machine = self.stack.outputs["MainOrchestratorArn"]
        arn = machine.replace(":stateMachine:", ":execution:")
        name = jobs.execution_name(self.id, attempt)
        try:
            return states.describe_execution(executionArn=f"{arn}:{name}")
        except states.exceptions.ExecutionDoesNotExist:
            return None
        except (ClientError, BotoCoreError) as error:
            raise translate(error, doing=f"reading the execution of job {self.id!r}") from error

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
        WaitTimeoutError
            If the job has not ended in time.
        JobFailedError
            If it ended otherwise than with success, and `check` is set.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status()
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
            time.sleep(self.stack.target.poll_s)
        if check and status.status != items.SUCCEEDED:
            raise JobFailedError(
                f"job {self.id} ended {status.status}: {status.reason}", job_id=self.id
            )
        return status

    # ------------------------------------------------------------------- what came of it

    def balance(self) -> Balance:
        """Count the job's rows at each place that knows them."""
        errors = ledger.error_items(*self._table("ErrorTableName"), self.id)
        return strike_balance(self.entry(), self._chunk_entries(), errors)

    def errors(self) -> pd.DataFrame:
        """Return every rule that any row breaks.

        Returns
        -------
        DataFrame
            One line a violation, by row: ``source_row`` (int64, the header being row 1),
            ``column`` (str, empty for the row as a whole), ``rule``, ``value``, ``message``,
            ``limit``, ``stage`` (read, validate or enrich), ``uuid`` (the row's key), ``raw`` (the
            row's text, shortened at 32,000 characters), ``chunk`` (int64), ``attempt`` (int64),
            ``time`` (datetime64[ms, UTC], when the chunk's execution started).
        """
        return frames.errors_frame(ledger.error_items(*self._table("ErrorTableName"), self.id))

    def chunks(self) -> pd.DataFrame:
        """Return the chunks that have started.

        Returns
        -------
        DataFrame
            One line a chunk: ``chunk`` (int64), ``status`` (str), ``rows``, ``valid``,
            ``rejected``, ``errors``, ``attempt`` (Int64), ``start``, ``end`` (datetime64[ms, UTC]),
            ``read_ms``, ``validate_ms``, ``enrich_ms``, ``write_ms`` (Int64, milliseconds inside
            the function), ``failed_step``, ``error``, ``cause`` (str). Missing: not known yet, or
            did not fail.
        """
        return frames.chunks_frame(self._chunk_entries())

    def output(self, *, typed: bool = False) -> pd.DataFrame:
        """Return the completed file, every column as text unless `typed` has pandas guess."""
        file, delimiter = self._result("completedKey")
        return frames.csv_frame(file, delimiter=delimiter, typed=typed)

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

    def download(self, path: str | Path, *, rejected: bool = False) -> Path:
        """Store the completed file, or the rejects, and return its path.

        A folder may be given; the file then keeps its name. What is there is replaced only by a
        whole file.
        """
        key = self._result_key("rejectedKey" if rejected else "completedKey")
        target = Path(path)
        if target.is_dir():
            target /= key.rsplit("/", 1)[-1]
        part = target.with_name(target.name + ".part")
        try:
            with part.open("wb") as file:
                self._fetch(key, file)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def link(self, *, expires_s: int = _LINK_EXPIRES_S) -> str:
        """Return an address that opens the completed file without credentials for a while."""
        params = {"Bucket": self.stack.outputs["SourceBucketName"]}
        params["Key"] = self._result_key("completedKey")
        s3 = self.stack.client("s3")
        return str(s3.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s))

    # ----------------------------------------------------------------------------- inside

    def entry(self) -> ledger.Entry:
        """Return the ledger's JOB entry as plain values.

        Raises
        ------
        JobNotFoundError
        """
        entry = self._find_entry()
        if entry is None:
            raise JobNotFoundError(
                f"stack {self.stack.name!r} has no job {self.id!r}: stack.jobs() lists them",
                job_id=self.id,
            )
        return entry

    def _find_entry(self) -> ledger.Entry | None:
        return ledger.job_entry(*self._table("JobTableName"), self.id)

    def _chunk_entries(self) -> Iterator[ledger.Entry]:
        return ledger.chunk_entries(*self._table("JobTableName"), self.id)

    def _table(self, output: str) -> tuple[Any, str]:
        return self.stack.client("dynamodb"), self.stack.outputs[output]

    def _result_key(self, name: str) -> str:
        entry = self.entry()
        if name in entry and entry["status"] == items.SUCCEEDED:
            return str(entry[name])
        status, reason = self._settle(entry)
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

    def _fetch(self, key: str, file: IO[bytes]) -> None:
        bucket = self.stack.outputs["SourceBucketName"]
        try:
            self.stack.client("s3").download_fileobj(bucket, key, file)
        except (ClientError, BotoCoreError) as error:
            raise translate(error, doing=f"fetching {key}") from error


def _reason(entry: ledger.Entry) -> str:
    if entry["status"] != items.FAILED:
        return ""
    return frames.explain(entry.get("error", ""), entry.get("cause", ""))
