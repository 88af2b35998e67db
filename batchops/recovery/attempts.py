"""A job's next attempt: whether it is allowed, who makes it, and how it starts.

An attempt is claimed by a conditional update of the JOB entry before anything else changes, so that
only one of two simultaneous reruns goes on. Then the entries of the chunks that it will run become
PENDING, and only after that may their files be replaced. So whatever happens to the process in
between, no chunk counts as done whose result must not be used, and the next rerun finds it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from batchcore import jobs, keys, workflow
from botocore.exceptions import ClientError

from batchops.core import ledger
from batchops.core.errors import JobRunningError, translated
from batchops.core.execution_input import Resume, Settings, execution_input
from batchops.core.executions import (
    CLAIM_UNSTARTED_AFTER_S,
    AttemptState,
    attempt_state,
    find_execution,
    stop_chunks,
)
from batchops.core.manifest import ManifestChunk, put_manifest

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

# The status of an attempt that was entered in the ledger, and whose execution never started.
UNSTARTED = "UNSTARTED"

_STOP_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Ended:
    """How a job's last attempt ended: the JOB entry, the status and the reason."""

    entry: JobEntry
    status: str
    reason: str

    def __str__(self) -> str:
        """Say how it ended: ``ended FAILED (why)``."""
        return f"ended {self.status}" + (f" ({self.reason})" if self.reason else "")

    @property
    def attempt(self) -> int:
        """The attempt that ended."""
        return self.entry.attempt


def last_attempt(job: JobRef, *, expected: int | None = None) -> Ended:
    """Return how a job's last attempt ended.

    Parameters
    ----------
    expected
        The attempt that a plan was made after, and that must still be the last.

    Raises
    ------
    JobNotFoundError
    JobRunningError
        If the job has not ended, or has had another attempt than the expected one since.
    """
    entry = job.ledger_entry()
    state = attempt_state(job.stack, entry)
    entry = state.entry or entry
    if not state.ended:
        state = _unstarted(job, entry, state)
    if expected is not None and entry.attempt != expected:
        raise JobRunningError(
            f"job {job.id} has had attempt {entry.attempt} since this was planned: plan again",
            job_id=job.id,
        )
    return Ended(entry, state.status, state.reason)


def _unstarted(job: JobRef, entry: JobEntry, state: AttemptState) -> AttemptState:
    """Return the state of an attempt that never started; raise an error if it may still run."""
    if state.started:
        raise JobRunningError(
            f"job {job.id} is {state.status} (attempt {entry.attempt}): wait for its end, or stop "
            "it first",
            job_id=job.id,
        )
    age_s = (datetime.now(UTC) - entry.attempt_started).total_seconds()
    if age_s < CLAIM_UNSTARTED_AFTER_S:
        raise JobRunningError(
            f"attempt {entry.attempt} of job {job.id} is being started: wait for its end; "
            f"should it not start, repeat this in {CLAIM_UNSTARTED_AFTER_S:.0f} s",
            job_id=job.id,
        )
    reason = "it was entered in the ledger, and its execution never started"
    return AttemptState(UNSTARTED, reason, ended=True, started=False)


@dataclass
class Attempt:
    """An attempt that this process has claimed and not started yet.

    Attributes
    ----------
    job, entry
        The job, and its JOB entry as it was before the claim.
    number
        The attempt's number.
    """

    job: JobRef
    entry: JobEntry
    number: int
    _token: str
    _settings: Settings | None
    _list_key: str | None = field(default=None, init=False)

    def list_chunks(self, chunks: Sequence[ManifestChunk]) -> None:
        """Store the list of the chunks to run; without one the attempt splits the input again."""
        self._list_key = keys.resume_manifest(self.job.id, self.number)
        put_manifest(self.job, self.entry.bucket, self._list_key, chunks)

    def start(self, *, by: Literal["rerun", "repair"]) -> None:
        """Start the attempt's execution, or have it wait for its turn.

        It comes before all jobs whose uploads came after that of this job.

        Parameters
        ----------
        by
            What the job's lineage calls the attempt, if it does not split the input again.

        Raises
        ------
        AwsError
            If Step Functions refuses. After that, and after an interrupt, the attempt is released.
        JobRunningError
            If the job was stopped meanwhile.
        """
        job = self.job
        with translated(f"starting attempt {self.number} of job {job.id!r}"):
            try:
                if ledger.has_queue(job.stack):
                    ledger.queue_up(job.stack, job.id, self.number, self._token)
                    ledger.start_in_turn(job.stack, self.entry, self.number, self._input(by))
                else:
                    self._start_now(self._input(by))
            except (ClientError, KeyboardInterrupt) as error:
                if find_execution(job.stack, job.id, self.number) is None:
                    ledger.leave_queue(job.stack, self.entry, self.number)
                    self.release(error)
                raise

    def _start_now(self, document: str) -> None:
        states = self.job.stack.client("stepfunctions")
        try:
            states.start_execution(
                stateMachineArn=self.job.stack.outputs["MainOrchestratorArn"],
                name=jobs.execution_name(self.job.id, self.number),
                input=document,
            )
        except states.exceptions.ExecutionAlreadyExists:
            return  # the attempt is ours, so this is a call of ours whose answer was lost

    def _input(self, by: str) -> str:
        resume = Resume(by, self._list_key) if self._list_key else None
        return execution_input(self.entry, self.number, settings=self._settings, resume=resume)

    def release(self, error: BaseException) -> None:
        """Enter that the attempt was not started, so that the next one need not wait."""
        ledger.release(self.job.stack, self.job.id, self.number, self._token, error)


@contextmanager
def claimed_attempt(
    job: JobRef,
    *,
    after: int,
    chunks: Sequence[ManifestChunk] | None,
    settings: Settings | None = None,
    code: Mapping[str, str] | None = None,
) -> Iterator[Attempt]:
    """Claim a job's next attempt and mark its chunks; release it if the block fails.

    Inside the block nobody else changes the chunks. `Attempt.start` comes after the block.

    Parameters
    ----------
    after
        The attempt that ended, as it was planned.
    chunks
        The chunks to run; None to split the input again.
    settings
        The job's parameters that change, see `split_settings`.
    code
        Fingerprints of the functions, for the ledger.

    Raises
    ------
    JobRunningError
        If the job runs, or another attempt was made since it was planned.
    """
    last = last_attempt(job, expected=after)
    if last.status in (workflow.ABORTED, workflow.TIMED_OUT):
        cause = f"attempt {last.attempt} has ended"
        stop_chunks(job, last.attempt, cause=cause, timeout_s=_STOP_TIMEOUT_S)
    attempt = Attempt(job, last.entry, after + 1, uuid.uuid4().hex, settings)
    ledger.claim(
        job.stack,
        last.entry,
        attempt=attempt.number,
        token=attempt._token,
        settings=settings,
        code=code,
    )
    try:
        ledger.mark_pending(
            job.stack, job.id, attempt.number, _to_mark(job, chunks), resplit=chunks is None
        )
        yield attempt
    except BaseException as error:  # after an interrupt, too, the job must not look running
        attempt.release(error)
        raise


def _to_mark(job: JobRef, chunks: Sequence[ManifestChunk] | None) -> Iterator[tuple[str, int]]:
    """Yield the ledger entry and the rows of the chunks to run; of all chunks for None."""
    if chunks is None:  # when the input is split again, every chunk has to run again
        yield from ((chunk.name, chunk.rows or 0) for chunk in job.chunk_entries())
    else:
        yield from ((chunk.entry, chunk.rows) for chunk in chunks)
