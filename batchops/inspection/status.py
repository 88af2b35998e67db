"""The status of a job, read from the part of the ledger that may have changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import keys, workflow
from batchcore.texts import number_of

from batchops.core import ledger
from batchops.core.errors import (
    AccessDeniedError,
    JobFailedError,
    WaitTimeoutError,
    explain_failure,
)
from batchops.core.executions import NEVER_STARTED, attempt_state, is_unstarted, mail_settled
from batchops.core.following import follow
from batchops.core.manifest import read_chunks
from batchops.inspection.tally import ChunkTally
from batchops.inspection.unseen import START_UNSEEN_S, start_unseen
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

# The ledger has every end but that of an execution that was stopped, which is rare.
EXECUTION_EVERY_S = 10.0

# An upload is not in the ledger before its event arrives, normally after a second or two.
WAITING = "WAITING"


@dataclass(frozen=True)
class JobStatus(Shown):
    """The status of a job.

    Attributes
    ----------
    status : str
        WAITING (not in the ledger yet), QUEUED (other jobs run, and it starts after them),
        SUBMITTED, RUNNING, SUCCEEDED, FAILED, ABORTED, TIMED_OUT.
    rows : int
        Rows of the file; 0 until it is split.
    rows_done, rows_rejected : int
        Rows of the chunks that succeeded, and the rejected ones among them.
    chunks, chunks_done, chunks_failed : int
        Chunks of the file (0 until it is split), and how many of them succeeded and failed.
    reason : str
        Why the job failed; empty if it did not.
    mail : str
        SENT, FAILED, PENDING while it is being tried, or empty if the job has not come so far.
    warnings : tuple of str
        What may be wrong with the file's header, such as a column whose rules were not applied
        because its name is only nearly that of the schema.
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
    warnings: tuple[str, ...] = ()

    def _blocks(self) -> Iterator[Block]:
        chunks = f"{self.chunks_done + self.chunks_failed}/{number_of(self.chunks, 'chunk')}"
        if self.chunks_failed:
            chunks += f" ({self.chunks_failed} {self.failed_word})"
        line = f"{self.status}, {chunks}, {self.rows_done:,}/{number_of(self.rows, 'row')}"
        line += f", {self.rows_rejected:,} rejected"
        line += f", mail {self.mail.lower()}" if self.mail else ""
        yield Block.line(f"{line}: {self.reason}" if self.reason else line)
        yield from (Block.line(warning) for warning in self.warnings)

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.status in workflow.ENDED

    @property
    def has_result(self) -> bool:
        """Whether the job has ended and its results are merged, after which a mail is sent."""
        return self.status == workflow.SUCCEEDED or (self.ended and bool(self.mail))

    @property
    def failed_word(self) -> str:
        """What became of `chunks_failed`; a job that is stopped has chunks that were stopped."""
        return "failed or stopped" if self.status == workflow.ABORTED else "failed"

    @property
    def seen(self) -> bool:
        """Whether the ledger has the job."""
        return self.status != WAITING


class StatusReader:
    """Reads a job's status repeatedly, but each chunk's end only once.

    Parameters
    ----------
    job
        The job, which need not be in the ledger yet.
    clock
        Returns seconds that only increase.
    """

    def __init__(self, job: JobRef, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._tally: ChunkTally | None = None
        self._asked_at: float | None = None
        self._unseen_at: float | None = None
        self._unstarted = ""
        self._age_s: float | None = None

    @property
    def age_s(self) -> float | None:
        """Seconds from the attempt's start to its end, or to now; None if there is none yet."""
        return self._age_s

    @property
    def running(self) -> int:
        """The number of chunks in progress at the last reading."""
        return len(self._tally.running) if self._tally is not None else 0

    @property
    def tally(self) -> ChunkTally | None:
        """The chunks at the last reading; None if none was read, as after a success."""
        return self._tally

    def read(self) -> JobStatus:
        """Read the job's status; start the job if it stays unseen.

        Raises
        ------
        AwsError, EngineError
        FunctionFailedError
            If the job was not seen for a while, and cannot be started.
        """
        entry = ledger.job_entry(self._job.stack, self._job.id)
        if entry is None and self._start_unseen():
            entry = ledger.job_entry(self._job.stack, self._job.id)
        if entry is None:
            return JobStatus(WAITING, reason=self._unstarted)
        self._age_s = entry.attempt_s if entry.started else None
        status, reason = self._settle(entry)
        entry = mail_settled(self._job.stack, entry)
        known: dict[str, Any] = {
            "status": status,
            "rows": entry.rows_in,
            "chunks": entry.chunks,
            "reason": reason,
            "mail": entry.mail_status,
            "warnings": entry.warnings,
        }
        if entry.is_merged:  # the merge has counted every chunk
            self._tally = None
            return JobStatus(
                **known,
                rows_done=entry.rows_in,
                rows_rejected=entry.rows_rejected or 0,
                chunks_done=entry.chunks,
            )
        if not entry.was_split:  # nor any chunk to be read
            return JobStatus(**known)
        tally = self._read_chunks(entry.attempt, ended=status in workflow.ENDED)
        if status in workflow.ENDED:  # the ledger may have chunks of before that run no longer
            tally.running.clear()
        return JobStatus(
            **known,
            rows_done=tally.rows_done,
            rows_rejected=tally.rows_rejected,
            chunks_done=tally.done,
            chunks_failed=tally.failed,
        )

    def _start_unseen(self) -> bool:
        """Start a job that was not seen for a while, and start it again after the same time."""
        now = self._clock()
        if self._unseen_at is None:
            self._unseen_at = now
        if now - self._unseen_at < START_UNSEEN_S[self._job.stack.target.name]:
            return False
        self._unseen_at = now
        try:
            return start_unseen(self._job)
        except AccessDeniedError as error:  # its event may still come
            self._unstarted = f"S3 has sent no event, and starting the job is denied: {error}"
            return False

    def _settle(self, entry: JobEntry) -> tuple[str, str]:
        """Return status and reason; Step Functions is asked only every few seconds."""
        now = self._clock()
        recently = self._asked_at is not None and now - self._asked_at < EXECUTION_EVERY_S
        if entry.status not in workflow.ENDED and recently:
            return entry.status, ""
        self._asked_at = now
        return settle(self._job.stack, entry)

    def _read_chunks(self, attempt: int, *, ended: bool) -> ChunkTally:
        found = self._tally
        if found is None or found.attempt != attempt or (attempt > 1 and found.planned is None):
            planned = self._planned(attempt, ended=ended)
            if found is None or (found.attempt, found.planned) != (attempt, planned):
                self._tally = found = ChunkTally(attempt, planned)
        tally, stack, job_id = found, self._job.stack, self._job.id
        if len(tally.open) <= ledger.BATCH_KEYS:
            tally.take(ledger.some_chunk_entries(stack, job_id, tally.open))
            first = tally.highest + 1
        else:
            first = min(tally.open)
        tally.take(ledger.chunk_entries_from(stack, job_id, first))
        return tally

    def _planned(self, attempt: int, *, ended: bool) -> frozenset[int] | None:
        """Return the chunks that an attempt runs; None if it runs all, as far as is known.

        A later attempt has no list of its chunks while it is prepared, if it splits the file again,
        and after the list has expired. Only in the last case entries of earlier attempts count.
        """
        if attempt == 1:
            return None
        key = keys.resume_manifest(self._job.id, attempt)
        found = read_chunks(self._job, self._job.stack.outputs["SourceBucketName"], key)
        if found is None:
            return frozenset() if ended else None
        return frozenset(chunk.number for chunk in found)


def settle(stack: StackRef, entry: JobEntry) -> tuple[str, str]:
    """Return a job's status and reason, from Step Functions too if the ledger has no end.

    An execution that was stopped could not write its own end. If the job has been waiting for some
    seconds, or its start was lost, this starts the jobs whose turn it is.

    Parameters
    ----------
    stack
        The job's stack.
    entry
        Its JOB entry in the ledger.
    """
    state = attempt_state(stack, entry)
    entry = state.entry or entry
    if state.ended:
        none = "" if state.status == workflow.SUCCEEDED else explain_failure("", "")
        return state.status, state.reason or none
    if state.waits:
        ledger.look_after_queue(stack, entry)
    if is_unstarted(state, entry):
        return workflow.FAILED, NEVER_STARTED
    return state.status, ""


def job_status(job: JobRef) -> JobStatus:
    """Read a job's status once.

    Raises
    ------
    AwsError, EngineError
    """
    return StatusReader(job).read()


def wait(
    job: JobRef,
    *,
    timeout_s: float = 3600,
    on_status: Callable[[JobStatus], None] | None = None,
    check: bool = True,
) -> JobStatus:
    """Wait until a job has ended; for the parameters see `Job.wait`.

    Raises
    ------
    JobNotFoundError, WaitTimeoutError, JobFailedError
    """
    status = JobStatus(WAITING)
    for status in follow(job, StatusReader(job).read, timeout_s=timeout_s):
        if on_status is not None:
            on_status(status)
    if not status.ended:
        raise WaitTimeoutError(
            f"job {job.id} is still {status.status} after {timeout_s:g} s; it goes on: "
            "wait again, or look at its status",
            job_id=job.id,
        )
    if check and status.status != workflow.SUCCEEDED:
        raise JobFailedError(f"job {job.id} ended {status.status}: {status.reason}", job_id=job.id)
    return status
