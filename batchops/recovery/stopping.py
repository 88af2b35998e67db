"""Stop a job that runs or waits, and its chunks, and enter that in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import items, workflow

from batchops.core import ledger
from batchops.core.errors import JobError, WaitTimeoutError
from batchops.core.executions import attempt_state, execution_arn, stop_chunks, stop_execution
from batchops.core.job_ref import JobRef
from batchops.deployment.holdings import running_jobs, waiting_jobs
from batchops.inspection.status import StatusReader
from batchops.show.numbers import number_ranges
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Stopped(Shown):
    """What stopping a job did or, if not `stopped`, would do.

    Attributes
    ----------
    job_id : str
        The job.
    attempt : int
        The attempt that ran, or waited.
    status : str
        The attempt's status in the ledger: ABORTED, or another if it ended by itself meanwhile.
    chunks : tuple of int
        The chunks that were stopped while they ran. Finished chunks keep their results.
    stopped : bool
        False after a dry run; `status` and `chunks` then say what runs.
    """

    job_id: str
    attempt: int
    status: str
    chunks: tuple[int, ...]
    stopped: bool = True

    def _blocks(self) -> Iterator[Block]:
        text = f"attempt {self.attempt} of job {self.job_id} is {self.status}"
        if self.chunks:
            how = "stopped at work" if self.stopped else "at work, that would be stopped"
            text += f"; chunks {how}: {number_ranges(self.chunks)}"
        if not self.stopped:
            text += "; what is done stays done, nothing is stopped yet (dry_run=False stops it)"
        yield Block.line(f"{text}; a rerun resumes it")


def stop(
    job: JobRef,
    *,
    dry_run: bool = False,
    timeout_s: float = _TIMEOUT_S,
    sleep: Callable[[float], object] = time.sleep,
) -> Stopped:
    """Stop the running attempt and its chunks, or say what that would do.

    A running function is not interrupted: it ends, and no other step follows. A job that waits does
    not start.

    Raises
    ------
    JobNotFoundError
    JobError
        If the job has ended.
    WaitTimeoutError
        If chunks still run when the time is up, or the job is still being started.
    """
    entry = job.ledger_entry()
    state = attempt_state(job.stack, entry)  # somebody may have stopped it from outside
    entry = state.entry or entry
    attempt = entry.attempt
    if state.ended:
        # The local engine goes on with the chunks of an execution that was stopped from outside.
        cut = state.status in (workflow.ABORTED, workflow.TIMED_OUT) and not dry_run
        chunks = _stop_chunks(job, attempt, timeout_s=timeout_s) if cut else ()
        if chunks:
            return Stopped(job.id, attempt, state.status, chunks)
        raise JobError(
            f"job {job.id} has ended {state.status}: there is nothing to stop", job_id=job.id
        )
    if dry_run:
        reader = StatusReader(job)
        status = reader.read()
        at_work = reader.tally.running if reader.tally else ()
        return Stopped(job.id, attempt, status.status, tuple(sorted(at_work)), stopped=False)
    if _stop_waiting(job, entry):
        return Stopped(job.id, attempt, workflow.ABORTED, ())
    _let_start(job, entry, timeout_s=timeout_s, sleep=sleep)
    stop_execution(job, execution_arn(job.stack, job.id, attempt), cause=_cause(job))
    chunks = _stop_chunks(job, attempt, timeout_s=timeout_s)
    # It could not enter its own end. A job goes from SUBMITTED to RUNNING, so in this order.
    for was in (workflow.SUBMITTED, workflow.RUNNING):
        ledger.abort(
            job.stack, job.id, items.JOB_ENTRY, attempt=attempt, was=was, cause=_cause(job)
        )
    return Stopped(job.id, attempt, job.ledger_entry().status, chunks)


def _cause(job: JobRef) -> str:
    """Say who stops it, for Step Functions and the ledger."""
    return f"stopped by {job.stack.target.caller}"


def _stop_chunks(job: JobRef, attempt: int, *, timeout_s: float) -> tuple[int, ...]:
    """Stop the chunks at work, enter their ends, and return their numbers."""
    stopped = stop_chunks(job, attempt, cause=_cause(job), timeout_s=timeout_s)
    for chunk in job.chunk_entries():
        if chunk.status == workflow.RUNNING and chunk.attempt == attempt:
            was: Any = {"attempt": attempt, "was": workflow.RUNNING}
            ledger.abort(job.stack, job.id, chunk.name, cause=_cause(job), **was)
    return tuple(stopped)


def _stop_waiting(job: JobRef, entry: JobEntry) -> bool:
    """Stop a job that waits for its turn; return False if it does not, or no longer."""
    if entry.status != workflow.QUEUED:
        return False
    stopped = ledger.abort(
        job.stack,
        job.id,
        items.JOB_ENTRY,
        attempt=entry.attempt,
        was=workflow.QUEUED,
        cause=_cause(job),
    )
    if stopped:
        ledger.leave_queue(job.stack, entry, entry.attempt)
    return stopped


def _let_start(
    job: JobRef, entry: JobEntry, *, timeout_s: float, sleep: Callable[[float], object]
) -> None:
    """Wait while a job is being started, because there is nothing that could be stopped yet."""
    waited_s = 0.0
    while ledger.has_ticket(job.stack, entry):
        if waited_s >= timeout_s:
            raise WaitTimeoutError(
                f"job {job.id} is still being started after {timeout_s:g} s: repeat this",
                job_id=job.id,
            )
        ledger.advance_queue(job.stack)  # whoever was starting it may have died
        sleep(job.stack.target.poll_s)
        waited_s += job.stack.target.poll_s


def stop_running(stack: StackRef, *, timeout_s: float = _TIMEOUT_S) -> tuple[str, ...]:
    """Stop every job of a stack that runs or waits, and return the ids of those stopped.

    Those that wait are stopped first, so that they do not start when others end.

    Parameters
    ----------
    timeout_s
        Seconds that each of them may take.

    Raises
    ------
    WaitTimeoutError
        If chunks of one still run when its time is up.
    """
    stopped: dict[str, bool] = {}
    # What was being started is found on another look.
    while left := [j for j in (*waiting_jobs(stack), *running_jobs(stack)) if j not in stopped]:
        for job_id in left:
            try:
                stop(JobRef(stack, job_id), timeout_s=timeout_s)
            except WaitTimeoutError:
                raise
            except JobError:
                # It has ended by itself, or somebody has started the workflow by hand.
                stopped[job_id] = False
            else:
                stopped[job_id] = True
    return tuple(job_id for job_id, was_stopped in stopped.items() if was_stopped)
