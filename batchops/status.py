"""How a job stands, read from no more of the ledger than may have changed."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batchcore import keys, workflow
from botocore.exceptions import BotoCoreError, ClientError

from batchops import frames, ledger
from batchops.errors import translate
from batchops.executions import find_execution
from batchops.tally import BATCH_KEYS, ChunkTally, entries_from, some_entries

if TYPE_CHECKING:
    from batchops.stack import Stack

# The ledger tells of every end but that of an execution that was stopped, which is rare.
EXECUTION_EVERY_S = 10.0
# An event is tried again for some minutes (AWS Lambda, asynchronous invocation); what has no
# execution after that never gets one by itself.
_UNSTARTED_AFTER_S = 600.0

# Before its event is delivered an upload is in no ledger; it normally takes a second or two.
WAITING = "WAITING"
ENDED = frozenset({workflow.SUCCEEDED, workflow.FAILED, "ABORTED", "TIMED_OUT"})


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

    def __str__(self) -> str:
        """Say it in a line."""
        chunks = f"{self.chunks_done + self.chunks_failed}/{self.chunks} chunks"
        if self.chunks_failed:
            chunks += f" ({self.chunks_failed} failed)"
        line = f"{self.status}, {chunks}, {self.rows_done:,}/{self.rows:,} rows"
        line += f", {self.rows_rejected:,} rejected"
        line += f", mail {self.mail.lower()}" if self.mail else ""
        return f"{line}: {self.reason}" if self.reason else line

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


class StatusReader:
    """Reads a job's status again and again, each chunk's end only once.

    Parameters
    ----------
    stack, job_id
        The job; it need not be in the ledger yet.
    clock
        Returns seconds that only grow.
    """

    def __init__(
        self, stack: Stack, job_id: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stack = stack
        self._job_id = job_id
        self._clock = clock
        self._tally: ChunkTally | None = None
        self._asked_at: float | None = None
        self._age_s: float | None = None

    @property
    def age_s(self) -> float | None:
        """Seconds from the attempt's start to its end, or to now; None before it is entered."""
        return self._age_s

    @property
    def running(self) -> int:
        """Chunks that were in progress at the last reading."""
        return len(self._tally.running) if self._tally is not None else 0

    @property
    def tally(self) -> ChunkTally | None:
        """The chunks as of the last reading; None where none was read, as after a success."""
        return self._tally

    def read(self) -> JobStatus:
        """Read how the job stands.

        Raises
        ------
        AwsError, EngineError
        """
        entry = ledger.job_entry(*self._table(), self._job_id)
        if entry is None:
            return JobStatus(WAITING)
        self._age_s = attempt_seconds(entry) if "startTime" in entry else None
        status, reason = self._settle(entry)
        known = {
            "status": status,
            "rows": entry.get("rowsIn", 0),
            "chunks": entry.get("chunks", 0),
            "reason": reason,
            "mail": entry.get("mailStatus", ""),
        }
        if status == workflow.SUCCEEDED:  # the merge has counted every chunk
            self._tally = None
            return JobStatus(
                **known,
                rows_done=entry["rowsIn"],
                rows_rejected=entry["rowsRejected"],
                chunks_done=entry["chunks"],
            )
        if "chunks" not in entry:  # nor any chunk to be read
            return JobStatus(**known)
        tally = self._read_chunks(entry["attempt"], ended=status in ENDED)
        return JobStatus(
            **known,
            rows_done=tally.rows_done,
            rows_rejected=tally.rows_rejected,
            chunks_done=tally.done,
            chunks_failed=tally.failed,
        )

    def _settle(self, entry: ledger.Entry) -> tuple[str, str]:
        """Return status and reason, asking Step Functions only now and then."""
        now = self._clock()
        recently = self._asked_at is not None and now - self._asked_at < EXECUTION_EVERY_S
        if entry["status"] not in ENDED and recently:
            return entry["status"], ""
        self._asked_at = now
        return settle(self._stack, entry)

    def _read_chunks(self, attempt: int, *, ended: bool) -> ChunkTally:
        found = self._tally
        if found is None or found.attempt != attempt or (attempt > 1 and found.planned is None):
            planned = self._planned(attempt, ended=ended)
            if found is None or (found.attempt, found.planned) != (attempt, planned):
                self._tally = found = ChunkTally(attempt, planned)
        tally, table = found, self._table()
        try:
            if len(tally.open) <= BATCH_KEYS:
                tally.take(some_entries(*table, self._job_id, tally.open))
                first = tally.highest + 1
            else:
                first = min(tally.open)
            tally.take(entries_from(*table, self._job_id, first))
        except (ClientError, BotoCoreError) as error:
            raise translate(error, doing=f"reading the chunks of job {self._job_id!r}") from error
        return tally

    def _planned(self, attempt: int, *, ended: bool) -> frozenset[int] | None:
        """Return the chunks that an attempt runs; None if all, as far as is known.

        A later attempt has no list of them while it is being prepared, if it splits the file again,
        and when the list has expired. What earlier ones left counts in the last case alone.
        """
        if attempt == 1:
            return None
        s3, bucket = self._stack.client("s3"), self._stack.outputs["SourceBucketName"]
        key = keys.resume_manifest(self._job_id, attempt)
        try:
            answer = s3.get_object(Bucket=bucket, Key=key)
            return frozenset(chunk["number"] for chunk in json.load(answer["Body"]))
        except s3.exceptions.NoSuchKey:
            return frozenset() if ended else None
        except (ClientError, BotoCoreError) as error:
            doing = f"reading what attempt {attempt} of job {self._job_id!r} runs"
            raise translate(error, doing=doing) from error

    def _table(self) -> tuple[Any, str]:
        return self._stack.client("dynamodb"), self._stack.outputs["JobTableName"]


def settle(stack: Stack, entry: ledger.Entry) -> tuple[str, str]:
    """Return a job's status and reason; an execution that was stopped could not enter its own end.

    Parameters
    ----------
    stack
        The job's stack.
    entry
        Its JOB entry in the ledger.
    """
    status = entry["status"]
    if status == workflow.SUCCEEDED:
        return status, ""
    if status in ENDED:
        return status, frames.explain(entry.get("error", ""), entry.get("cause", ""))
    execution = find_execution(stack, entry["jobId"], entry["attempt"])
    if execution is None:
        if attempt_seconds(entry) < _UNSTARTED_AFTER_S:
            return status, ""
        return workflow.FAILED, "its execution never started: rerun(dry_run=False) starts it"
    if execution["status"] in ("RUNNING", "SUCCEEDED"):
        return status, ""
    cause = frames.explain(execution.get("error", ""), execution.get("cause", ""))
    return execution["status"], cause


def attempt_seconds(entry: ledger.Entry) -> float:
    """Return the seconds from an attempt's start to its end, or to now, of its JOB entry."""
    entered = datetime.fromisoformat(entry.get("attemptTime") or entry["startTime"])
    ended = entry.get("endTime")
    until = datetime.fromisoformat(ended) if ended else datetime.now(UTC)
    return (until - entered).total_seconds()
