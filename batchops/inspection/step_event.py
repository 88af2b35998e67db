"""The event that a step of a job got, to call its function with again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchcore import items, workflow

from batchops.core import ledger
from batchops.core.errors import InputError, JobError
from batchops.core.executions import execution_arn
from batchops.core.histories import read_events

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef

_JOB = {step.function: step.state for step in workflow.JOB_STEPS}
_CHUNK = {step.function: step.state for step in workflow.CHUNK_STEPS}


def step_event(job: JobRef, function: str, *, chunk: int | None = None) -> dict[str, Any]:
    """Return the event that a function got in a job, from the history of the execution.

    See `Job.event`.
    """
    if function in _CHUNK:
        if chunk is None:
            raise InputError(f"{function} runs for each chunk: name the chunk, such as 1")
        arn, state, place = _chunk_execution(job, chunk), _CHUNK[function], f"chunk {chunk:,} of "
    elif function in _JOB:
        if chunk is not None:
            raise InputError(f"{function} runs once for a job: leave the chunk out")
        arn = execution_arn(job.stack, job.id, job.ledger_entry().attempt)
        state, place = _JOB[function], ""
    else:
        known = ", ".join((*_JOB, *_CHUNK))
        raise InputError(f"no workflow calls {function!r} for a job: choose one of {known}")
    began, found = "", None
    for event in read_events(job.stack, arn, with_data=True):
        if event["type"] == "ExecutionStarted":
            began = items.timestamp(event["timestamp"])
        entered = event.get("stateEnteredEventDetails", {})
        if entered.get("name") == state:  # the last time counts
            found = entered.get("input")
    if found is None:
        raise JobError(
            f"{place}job {job.id} has no call of {function} in its history: it was not reached, "
            "or Step Functions no longer has the history (90 days)",
            job_id=job.id,
        )
    values: dict[str, Any] = json.loads(found)
    # The workflow adds these from its context where a function takes them.
    return {**values, "executionArn": arn, "startTime": began} if function in _CHUNK else values


def _chunk_execution(job: JobRef, chunk: int) -> str:
    job.ledger_entry()  # raises if there is no such job
    entry = ledger.chunk_entry(job.stack, job.id, chunk)
    if entry is None or not entry.execution_arn:
        raise JobError(f"chunk {chunk:,} of job {job.id} has not run", job_id=job.id)
    return entry.execution_arn
