"""A job's next attempt: whether it may be made, who makes it, and how it starts.

An attempt is claimed by a conditional update of the JOB entry, before anything is changed, so that
of two reruns at the same time one wins. Then the entries of the chunks that it is to run become
PENDING, and only then is anything of theirs replaced. So whatever happens to the process that does
this, no chunk counts as done whose result is not to be used, and the next rerun finds it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from batchcore import jobs, keys
from botocore.exceptions import ClientError

from batchops.core import ledger
from batchops.core.errors import JobRunningError, translated
from batchops.core.executions import CLAIM_UNSTARTED_AFTER_S, attempt_state
from batchops.core.manifest import ManifestChunk, put_manifest
from batchops.recovery.running import stop_chunks

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

Kind = Literal["rerun", "repair"]

Chunks = Sequence[ManifestChunk]

# Does what is to be done between claim and start of the attempt whose number it is given; returns
# the chunks to run, if they are others thereafter.
Prepare = Callable[[int], Chunks | None]

# How a job stands whose attempt was entered in the ledger, and whose execution never came.
UNSTARTED = "UNSTARTED"

_STOP_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Ended:
    """A job that does not run: its ledger entry, how its last attempt ended, and why."""

    entry: JobEntry
    status: str
    reason: str

    @property
    def attempt(self) -> int:
        """The attempt that ended."""
        return self.entry.attempt

    @property
    def started(self) -> datetime:
        """When that attempt was entered, in UTC."""
        return self.entry.attempt_started


def last_attempt(job: JobRef) -> Ended:
    """Return how a job's last attempt ended.

    Raises
    ------
    JobNotFoundError
    JobRunningError
        If it has not ended.
    """
    entry = job.ledger_entry()
    state = attempt_state(job.stack, entry)
    if state.ended:
        return Ended(entry, state.status, state.reason)
    if state.started:
        raise JobRunningError(
            f"job {job.id} is {state.status} (attempt {entry.attempt}): wait() for its end, or "
            "stop() it first",
            job_id=job.id,
        )
    age_s = (datetime.now(UTC) - entry.attempt_started).total_seconds()
    if age_s < CLAIM_UNSTARTED_AFTER_S:
        raise JobRunningError(
            f"attempt {entry.attempt} of job {job.id} is being started: wait() for its end; "
            f"should it not start, repeat this in {CLAIM_UNSTARTED_AFTER_S:.0f} s",
            job_id=job.id,
        )
    return Ended(entry, UNSTARTED, "it was entered in the ledger, and its execution never started")


def begin(
    job: JobRef,
    last: Ended,
    *,
    kind: Kind,
    chunks: Chunks | None,
    settings: Mapping[str, str | int] | None = None,
    code: Mapping[str, str] | None = None,
    prepare: Prepare | None = None,
) -> int:
    """Claim the attempt after `last`, prepare it and start it; return its number.

    Parameters
    ----------
    chunks
        The entries of the manifest that it runs; None to split the input again.
    settings
        ``chunkRows``, ``delimiter`` and ``archiveFolder``, if they are to be others.
    code
        Fingerprints of the functions, for the ledger.
    prepare
        Called when the attempt is claimed and its chunks are marked, before it starts.

    Raises
    ------
    JobRunningError
        If another rerun was quicker.
    """
    if last.status in ("ABORTED", "TIMED_OUT"):
        cause = f"attempt {last.attempt} has ended"
        stop_chunks(job, last.attempt, cause=cause, timeout_s=_STOP_TIMEOUT_S)
    attempt, token = last.attempt + 1, uuid.uuid4().hex
    ledger.claim(job.stack, last.entry, attempt=attempt, token=token, settings=settings, code=code)
    try:
        resume = None
        # Those of a file that is split again are not done either, until they run.
        ledger.mark_pending(job.stack, job.id, attempt, _to_mark(job, chunks))
        prepared = prepare(attempt) if prepare is not None else None
        if chunks is not None:
            key = keys.resume_manifest(job.id, attempt)
            put_manifest(job, last.entry.bucket, key, prepared or chunks)
            resume = {"manifestKey": key, "by": kind}
    except BaseException as error:  # an interrupt too must not leave the job as if it ran
        ledger.release(job.stack, job.id, attempt, token, error)
        raise
    _start(job, last.entry, settings or {}, attempt, token, resume)
    return attempt


def _to_mark(job: JobRef, chunks: Chunks | None) -> Iterator[tuple[str, int]]:
    """Yield the ledger entry and the rows of the chunks to run; None stands for all there are."""
    if chunks is None:
        yield from ((chunk.name, chunk.rows or 0) for chunk in job.chunk_entries())
    else:
        yield from ((chunk.entry, chunk.rows) for chunk in chunks)


def _start(
    job: JobRef,
    entry: JobEntry,
    settings: Mapping[str, str | int],
    attempt: int,
    token: str,
    resume: Mapping[str, str] | None,
) -> None:
    document: dict[str, Any] = {"jobId": job.id, "attempt": attempt, **entry.start_input(settings)}
    if resume is not None:
        document["resume"] = resume
    states = job.stack.client("stepfunctions")
    with translated(f"starting attempt {attempt} of job {job.id!r}"):
        try:
            states.start_execution(
                stateMachineArn=job.stack.outputs["MainOrchestratorArn"],
                name=jobs.execution_name(job.id, attempt),
                input=json.dumps(document, sort_keys=True),
            )
        except states.exceptions.ExecutionAlreadyExists:
            # The attempt is ours, so this is a call of ours whose answer was lost.
            return
        except ClientError as error:
            ledger.release(job.stack, job.id, attempt, token, error)
            raise


def require_ended_unchanged(job: JobRef, *, attempt: int) -> Ended:
    """Return how the attempt ended that a plan was made after.

    Raises
    ------
    JobRunningError
        If the job runs, or a later attempt was made since.
    """
    last = last_attempt(job)
    if last.attempt != attempt:
        raise JobRunningError(
            f"job {job.id} has had attempt {last.attempt} since this was planned: plan again",
            job_id=job.id,
        )
    return last
