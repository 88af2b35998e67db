"""Stop a job that runs, and have the ledger say so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from batchcore import items, workflow

from batchops.core import ledger
from batchops.core.errors import JobError, WaitTimeoutError
from batchops.core.executions import execution_arn
from batchops.core.job_ref import JobRef
from batchops.deployment.resources import running_jobs
from batchops.inspection.status import StatusReader
from batchops.recovery.running import stop_chunks, stop_execution
from batchops.show import markup
from batchops.show.numbers import number_ranges

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

_TIMEOUT_S = 120.0
_CAUSE = "stopped by batchops"


@dataclass(frozen=True)
class Stopped:
    """What stopping a job did, or, as long as it is not `stopped`, would do.

    Attributes
    ----------
    job_id : str
        The job.
    attempt : int
        The attempt that was under way.
    status : str
        How the ledger says that it ended: ABORTED, or as it ended by itself in the meantime.
    chunks : tuple of int
        The chunks that were stopped at work. Those that were done stay done.
    stopped : bool
        False after a dry run: `status` and `chunks` are then as they are.
    """

    job_id: str
    attempt: int
    status: str
    chunks: tuple[int, ...]
    stopped: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        data = asdict(self)
        return {"job": data.pop("job_id"), **data}

    def __str__(self) -> str:
        """Say it in a line."""
        text = f"attempt {self.attempt} of job {self.job_id} is {self.status}"
        if self.chunks:
            how = "stopped at work" if self.stopped else "at work, that would be stopped"
            text += f"; chunks {how}: {number_ranges(self.chunks)}"
        if not self.stopped:
            text += "; what is done stays done, nothing is stopped yet (dry_run=False stops it)"
        return f"{text}; rerun() takes it up again"

    def _repr_html_(self) -> str:
        return markup.paragraph(self)


def stop(job: JobRef, *, dry_run: bool = False, timeout_s: float = _TIMEOUT_S) -> Stopped:
    """Stop the attempt that runs, with its chunks, or say what that would do.

    A function that is at work is not interrupted: its step ends, and no other follows.

    Raises
    ------
    JobNotFoundError
    JobError
        If the job has ended.
    WaitTimeoutError
        If chunks still run when the time is up.
    """
    entry = job.ledger_entry()
    if entry.status not in (workflow.SUBMITTED, workflow.RUNNING):
        raise JobError(
            f"job {job.id} has ended {entry.status}: there is nothing to stop", job_id=job.id
        )
    attempt = entry.attempt
    if dry_run:
        reader = StatusReader(job)
        status = reader.read()
        at_work = reader.tally.running if reader.tally else ()
        return Stopped(job.id, attempt, status.status, tuple(sorted(at_work)), stopped=False)
    stop_execution(job, execution_arn(job.stack, job.id, attempt), cause=_CAUSE)
    chunks = set(stop_chunks(job, attempt, cause=_CAUSE, timeout_s=timeout_s))
    # Neither could enter its own end.
    ends = [(items.JOB_ENTRY, was) for was in (workflow.SUBMITTED, workflow.RUNNING)]
    for chunk in job.chunk_entries():
        if chunk.status == workflow.RUNNING and chunk.attempt == attempt:
            ends.insert(0, (chunk.name, workflow.RUNNING))
    for entry_name, was in ends:
        ledger.abort(job.stack, job.id, entry_name, attempt=attempt, was=was, cause=_CAUSE)
    return Stopped(job.id, attempt, job.ledger_entry().status, tuple(sorted(chunks)))


def stop_running(stack: StackRef, *, timeout_s: float = _TIMEOUT_S) -> tuple[str, ...]:
    """Stop every job of a stack that runs, and return the ids of those that were stopped.

    Parameters
    ----------
    timeout_s
        Seconds that each of them may take.

    Raises
    ------
    WaitTimeoutError
        If chunks of one still run when its time is up.
    """
    stopped = []
    for job_id in running_jobs(stack):
        try:
            stop(JobRef(stack, job_id), timeout_s=timeout_s)
        except WaitTimeoutError:
            raise
        except JobError:
            continue  # it has ended by itself, or somebody started the workflow by hand
        stopped.append(job_id)
    return tuple(stopped)
