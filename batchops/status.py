"""How a job stands, read from no more of the ledger than may have changed."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batchcore import items, keys
from botocore.exceptions import BotoCoreError, ClientError

from batchops import frames, ledger
from batchops.errors import translate
from batchops.executions import find_execution
from batchops.recovery.claims import PENDING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from batchops.stack import Stack

# The ledger tells of every end but that of an execution that was stopped, which is rare.
EXECUTION_EVERY_S = 10.0
# BatchGetItem takes 100 keys (AWS, Amazon DynamoDB API reference).
_BATCH_KEYS = 100
# An event is tried again for some minutes (AWS Lambda, asynchronous invocation); what has no
# execution after that never gets one by itself.
_UNSTARTED_AFTER_S = 600.0
# "status" and "rows" are reserved words of DynamoDB.
_NAMES = {"#status": "status", "#rows": "rows"}
_FIELDS = "entry, #status, #rows, rejected, attempt"

# Before its event is delivered an upload is in no ledger; it normally takes a second or two.
WAITING = "WAITING"
ENDED = frozenset({items.SUCCEEDED, items.FAILED, "ABORTED", "TIMED_OUT"})


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
        if status == items.SUCCEEDED:  # the merge has counted every chunk
            self._tally = None
            return JobStatus(
                **known,
                rows_done=entry["rowsIn"],
                rows_rejected=entry["rowsRejected"],
                chunks_done=entry["chunks"],
            )
        if "chunks" not in entry:  # nor any chunk to be read
            return JobStatus(**known)
        tally = self._read_chunks(entry["attempt"])
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

    def _read_chunks(self, attempt: int) -> ChunkTally:
        if self._tally is None or self._tally.attempt != attempt:
            self._tally = ChunkTally(attempt, self._planned(attempt))
        tally, table = self._tally, self._table()
        try:
            if len(tally.open) <= _BATCH_KEYS:
                tally.take(_some_entries(*table, self._job_id, tally.open))
                first = tally.highest + 1
            else:
                first = min(tally.open)
            tally.take(_entries_from(*table, self._job_id, first))
        except (ClientError, BotoCoreError) as error:
            raise translate(error, doing=f"reading the chunks of job {self._job_id!r}") from error
        return tally

    def _planned(self, attempt: int) -> frozenset[int] | None:
        """Return the chunks that an attempt runs; None for the first, which runs all."""
        if attempt == 1:
            return None
        s3, bucket = self._stack.client("s3"), self._stack.outputs["SourceBucketName"]
        key = keys.resume_manifest(self._job_id, attempt)
        try:
            answer = s3.get_object(Bucket=bucket, Key=key)
            return frozenset(chunk["number"] for chunk in json.load(answer["Body"]))
        except s3.exceptions.NoSuchKey:  # expired: then the job has ended long ago
            return frozenset()
        except (ClientError, BotoCoreError) as error:
            doing = f"reading what attempt {attempt} of job {self._job_id!r} runs"
            raise translate(error, doing=doing) from error

    def _table(self) -> tuple[Any, str]:
        return self._stack.client("dynamodb"), self._stack.outputs["JobTableName"]


@dataclass
class ChunkTally:
    """Counts of a job's chunks, kept up with the ledger's entries as they are read.

    Parameters
    ----------
    attempt
        The job's attempt; what an earlier one left of a chunk that it runs does not count.
    planned
        The chunks that it runs; None for all.

    Attributes
    ----------
    done, failed : int
        Chunks that have ended.
    rows_done, rows_rejected : int
        Rows of the chunks done, and those of them rejected.
    highest : int
        The highest chunk seen.
    open, running : set of int
        Chunks up to the highest whose entry may still change, and those of them in progress.
    failures : set of int
        The chunks that failed.
    """

    attempt: int
    planned: frozenset[int] | None = None
    done: int = 0
    failed: int = 0
    rows_done: int = 0
    rows_rejected: int = 0
    highest: int = 0
    open: set[int] = field(default_factory=set)
    running: set[int] = field(default_factory=set)
    failures: set[int] = field(default_factory=set)

    def take(self, entries: Iterable[ledger.Entry]) -> None:
        """Count entries in; those counted already change nothing."""
        for entry in entries:
            number = int(entry["entry"].removeprefix(items.CHUNK_PREFIX))
            # Chunks start about in order; one that is skipped here has yet to appear.
            self.open.update(range(self.highest + 1, number + 1))
            self.highest = max(self.highest, number)
            if number in self.open and self._counts(number, entry):
                self._count(number, entry)

    def _counts(self, number: int, entry: ledger.Entry) -> bool:
        reused = self.planned is not None and number not in self.planned
        return reused or entry["attempt"] == self.attempt

    def _count(self, number: int, entry: ledger.Entry) -> None:
        status = entry["status"]
        if status == PENDING:  # claimed for this attempt, and not begun
            return
        if status == items.RUNNING:
            self.running.add(number)
            return
        self.open.discard(number)
        self.running.discard(number)
        if status == items.SUCCEEDED:
            self.done += 1
            self.rows_done += entry["rows"]
            self.rows_rejected += entry["rejected"]
        else:
            self.failed += 1
            self.failures.add(number)


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
    if status == items.SUCCEEDED:
        return status, ""
    if status in ENDED:
        return status, frames.explain(entry.get("error", ""), entry.get("cause", ""))
    execution = find_execution(stack, entry["jobId"], entry["attempt"])
    if execution is None:
        if attempt_seconds(entry) < _UNSTARTED_AFTER_S:
            return status, ""
        return items.FAILED, "its execution never started: rerun(dry_run=False) starts it"
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


def _some_entries(
    dynamodb: DynamoDBClient, table: str, job: str, numbers: Collection[int]
) -> Iterator[ledger.Entry]:
    """Yield the entries of some chunks, at most 100; what is missing may come the next time."""
    if not numbers:
        return
    wanted = [{"jobId": {"S": job}, "entry": {"S": items.chunk_entry(n)}} for n in numbers]
    answer = dynamodb.batch_get_item(
        RequestItems={
            table: {
                "Keys": wanted,
                "ConsistentRead": True,
                "ProjectionExpression": _FIELDS,
                "ExpressionAttributeNames": _NAMES,
            }
        }
    )
    yield from map(items.plain, answer["Responses"].get(table, []))


def _entries_from(
    dynamodb: DynamoDBClient, table: str, job: str, first: int
) -> Iterator[ledger.Entry]:
    """Yield the entries of the chunks from one on, in order."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="jobId = :job AND entry BETWEEN :first AND :last",
        ExpressionAttributeValues={
            ":job": {"S": job},
            ":first": {"S": items.chunk_entry(first)},
            ":last": {"S": f"{items.CHUNK_PREFIX}~"},  # "~" follows the digits in ASCII
        },
        ProjectionExpression=_FIELDS,
        ExpressionAttributeNames=_NAMES,
        ConsistentRead=True,
    )
    for page in pages:
        yield from map(items.plain, page["Items"])
