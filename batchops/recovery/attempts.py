"""A job's next attempt: whether it may be made, who makes it, and how it starts.

An attempt is claimed by a conditional update of the JOB entry, before anything is changed, so that
of two reruns at the same time one wins. Then the entries of the chunks that it is to run become
PENDING, and only then is anything of theirs replaced. So whatever happens to the process that does
this, no chunk counts as done whose result is not to be used, and the next rerun finds it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from batchcore import aws, jobs, keys, workflow
from botocore.exceptions import ClientError

from batchops import frames, ledger
from batchops.errors import JobRunningError, translated
from batchops.executions import find_execution
from batchops.recovery.claims import claim, mark_pending, release
from batchops.recovery.running import UNDER_WAY, stop_chunks

if TYPE_CHECKING:
    from batchops.job import Job

Kind = Literal["rerun", "repair"]

# Entries of a manifest.
Chunks = Sequence[Mapping[str, Any]]

# Does what is to be done between claim and start of the attempt whose number it is given; returns
# the chunks to run, if they are others thereafter.
Prepare = Callable[[int], Chunks | None]

# How a job stands whose attempt was entered in the ledger, and whose execution never came.
UNSTARTED = "UNSTARTED"

# Between the entry in the ledger and the start of the execution lie seconds. Where Lambda has to
# retry the start it may be minutes; what it then starts finds that a later attempt took over.
UNSTARTED_AFTER_S = 120

_STOP_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Ended:
    """A job that does not run: its ledger entry, how its last attempt ended, and why."""

    entry: ledger.Entry
    status: str
    reason: str

    @property
    def attempt(self) -> int:
        """The attempt that ended."""
        return int(self.entry["attempt"])

    @property
    def started(self) -> datetime:
        """When that attempt was entered, in UTC."""
        return _started(self.entry)


def _started(entry: ledger.Entry) -> datetime:
    return datetime.fromisoformat(str(entry.get("attemptTime") or entry["startTime"]))


def last_attempt(job: Job) -> Ended:
    """Return how a job's last attempt ended.

    Raises
    ------
    JobNotFoundError
    JobRunningError
        If it has not ended.
    """
    entry = job.entry()
    status = entry["status"]
    if status not in (workflow.SUBMITTED, workflow.RUNNING):
        reason = frames.explain(entry["error"], entry.get("cause", "")) if "error" in entry else ""
        return Ended(entry, status, reason)
    execution = find_execution(job.stack, job.id, entry["attempt"])
    if execution is None:
        return _unstarted(job, entry)
    if execution["status"] in UNDER_WAY | {workflow.SUCCEEDED}:
        raise JobRunningError(
            f"job {job.id} is {status} (attempt {entry['attempt']}): wait() for its end, or stop() "
            "it first",
            job_id=job.id,
        )
    # An execution that was stopped could not enter its own end.
    reason = frames.explain(execution.get("error", ""), execution.get("cause", ""))
    return Ended(entry, execution["status"], reason if execution.get("error") else "")


def _unstarted(job: Job, entry: ledger.Entry) -> Ended:
    age_s = (datetime.now(UTC) - _started(entry)).total_seconds()
    if age_s < UNSTARTED_AFTER_S:
        raise JobRunningError(
            f"attempt {entry['attempt']} of job {job.id} is being started: wait() for its end; "
            f"should it not start, repeat this in {UNSTARTED_AFTER_S:.0f} s",
            job_id=job.id,
        )
    return Ended(entry, UNSTARTED, "it was entered in the ledger, and its execution never started")


def begin(
    job: Job,
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
    entry = {**last.entry, **(settings or {})}
    claim(job, last.entry, attempt=attempt, token=token, settings=settings, code=code)
    try:
        resume = None
        # Those of a file that is split again are not done either, until they run.
        mark_pending(job, attempt, job.chunk_entries() if chunks is None else chunks)
        prepared = prepare(attempt) if prepare is not None else None
        if chunks is not None:
            key = keys.resume_manifest(job.id, attempt)
            put_manifest(job, entry, key, prepared or chunks)
            resume = {"manifestKey": key, "by": kind}
    except BaseException as error:  # an interrupt too must not leave the job as if it ran
        release(job, attempt, token, error)
        raise
    _start(job, entry, attempt, token, resume)
    return attempt


def put_manifest(job: Job, entry: ledger.Entry, key: str, chunks: Chunks) -> None:
    """Store a list of chunks, for the workflow and for later attempts."""
    body = json.dumps(list(chunks)).encode()
    with translated(f"writing {key}"):
        aws.put_intermediate(job.stack.client("s3"), entry["bucket"], key, body)


def _start(
    job: Job, entry: ledger.Entry, attempt: int, token: str, resume: Mapping[str, str] | None
) -> None:
    document = {
        "jobId": job.id,
        "attempt": attempt,
        **{name: entry[name] for name in ("bucket", "key", "versionId", "sizeBytes")},
        "parameters": {name: entry[name] for name in ("chunkRows", "delimiter", "archiveFolder")},
    }
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
            release(job, attempt, token, error)
            raise


def require_ended_unchanged(job: Job, *, attempt: int) -> Ended:
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
