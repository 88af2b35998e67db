"""Executions of a job's main workflow: their names, their histories, and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchcore import jobs, workflow

from batchops.core.errors import explain_failure, translated

if TYPE_CHECKING:
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

# The statuses of an execution that has not ended: workflow.UNFINISHED are those of a job.
UNDER_WAY = frozenset({"RUNNING", "PENDING_REDRIVE"})

# When does an attempt that the ledger knows, and Step Functions does not, count as never started?
# There are two policies, on purpose.
# For a status: after Lambda's own retries of the upload's event, which take some minutes (AWS
# Lambda, asynchronous invocation). What has no execution by then never gets one by itself.
REPORT_UNSTARTED_AFTER_S = 600.0
# For a rerun: much sooner, because the entry and the start are only seconds apart. The rerun takes
# the job over; a start that comes late finds a later attempt and does nothing.
CLAIM_UNSTARTED_AFTER_S = 120.0


@dataclass(frozen=True)
class AttemptState:
    """How a job's last attempt stands.

    Attributes
    ----------
    status : str
        The ledger's status; Step Functions' where the execution ended without entering its end.
    reason : str
        Why it ended; empty if it succeeded, has not ended, or there is no reason.
    ended : bool
        Whether nothing more will happen.
    started : bool
        False if the ledger has no end of the attempt, and Step Functions has no execution.
    """

    status: str
    reason: str = ""
    ended: bool = False
    started: bool = True


def attempt_state(stack: StackRef, entry: JobEntry) -> AttemptState:
    """Return how a job's last attempt stands; ask Step Functions if the ledger has no end of it.

    Raises
    ------
    AwsError, EngineError
    """
    if entry.status in workflow.ENDED:
        return AttemptState(entry.status, entry.reason, ended=True)
    execution = find_execution(stack, entry.job_id, entry.attempt)
    if execution is None:
        return AttemptState(entry.status, started=False)
    if execution["status"] in UNDER_WAY | {workflow.SUCCEEDED}:
        return AttemptState(entry.status)
    # An execution that was stopped could not enter its own end.
    error, cause = execution.get("error", ""), execution.get("cause", "")
    reason = explain_failure(error, cause) if error else ""
    return AttemptState(execution["status"], reason, ended=True)


def execution_arn(stack: StackRef, job_id: str, attempt: int) -> str:
    """Return the ARN of the main workflow's execution of an attempt, whether it started or not."""
    machine = stack.outputs["MainOrchestratorArn"].replace(":stateMachine:", ":execution:")
    return f"{machine}:{jobs.execution_name(job_id, attempt)}"


def find_execution(stack: StackRef, job_id: str, attempt: int) -> dict[str, Any] | None:
    """Return Step Functions' description of an attempt's execution, or None if there is none.

    Step Functions forgets an execution 90 days after its end (AWS Step Functions quotas).
    """
    states, arn = stack.client("stepfunctions"), execution_arn(stack, job_id, attempt)
    with translated(f"reading attempt {attempt} of job {job_id!r}"):
        try:
            found: dict[str, Any] = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return None
        return found


def read_history(stack: StackRef, job_id: str, attempt: int) -> Iterator[Any]:
    """Yield the events of an attempt's execution, see `read_events`."""
    return read_events(stack, execution_arn(stack, job_id, attempt))


def read_events(stack: StackRef, arn: str) -> Iterator[Any]:
    """Yield an execution's events, at most 25,000 (AWS quota); nothing if there is no execution."""
    states = stack.client("stepfunctions")
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=arn, includeExecutionData=False, PaginationConfig={"PageSize": 1000}
    )
    with translated(f"reading the history of execution {arn.rsplit(':', 1)[-1]!r}"):
        try:
            for page in pages:
                yield from page["events"]
        except states.exceptions.ExecutionDoesNotExist:
            return


# ------------------------------------------------------------------------------------ histories

_OVER = {
    "ExecutionFailed": workflow.FAILED,
    "ExecutionAborted": workflow.ABORTED,
    "ExecutionTimedOut": workflow.TIMED_OUT,
    "ExecutionSucceeded": workflow.SUCCEEDED,
}
_TRIED = ("TaskScheduled", "LambdaFunctionScheduled", "MapRunStarted")
_FAILED = ("Failed", "TimedOut", "Aborted")


@dataclass(frozen=True, slots=True)
class StateVisit:
    """One state of a workflow that an execution entered.

    Attributes
    ----------
    state, kind : str
        The state's name, and its type: Task, Map, Choice, ...
    start : datetime
        When it was entered.
    end : datetime or None
        When it was left, or the execution ended in it; None while it runs.
    status : str
        RUNNING, SUCCEEDED, FAILED (it was left by its Catch, or the execution failed in it),
        ABORTED or TIMED_OUT.
    tries : int
        How often its task was begun; 0 where there is none.
    error : str
        The name of the last error; a state that succeeded in spite of one was retried.
    """

    state: str
    kind: str
    start: datetime
    end: datetime | None = None
    status: str = workflow.RUNNING
    tries: int = 0
    error: str = ""

    @property
    def ms(self) -> float | None:
        """Milliseconds from its start to its end; None while it runs."""
        return (self.end - self.start).total_seconds() * 1000 if self.end else None


def state_visits(events: Iterable[Any]) -> list[StateVisit]:
    """Return the states that an execution entered, in order, from its events, oldest first.

    The workflow must have no parallel branches: an event belongs to the state entered last.
    """
    visits: list[StateVisit] = []
    for event in events:
        if event["type"].endswith("StateEntered"):
            # A state is left by its StateExited; a repeated leaving changes nothing.
            visits[-1:] = [_left(visit, event["timestamp"]) for visit in visits[-1:]]
            name = event["stateEnteredEventDetails"]["name"]
            kind = event["type"].removesuffix("StateEntered")
            visits.append(StateVisit(name, kind, event["timestamp"]))
        elif visits:
            visits[-1] = _after(visits[-1], event)
    if visits and visits[-1].end is None:
        # Perhaps in the pause before another try.
        visits[-1] = replace(visits[-1], status=workflow.RUNNING)
    return visits


def _after(visit: StateVisit, event: Any) -> StateVisit:
    """Return a visit as it is after an event that came while it was the last."""
    kind, time = event["type"], event["timestamp"]
    if kind.endswith("StateExited"):
        return _left(visit, time)
    if kind in _OVER:
        # A Fail state, and one that the execution ended in, are never exited.
        return visit if visit.end else replace(visit, end=time, status=_OVER[kind])
    if kind in _TRIED:
        return replace(visit, tries=visit.tries + 1, status=workflow.RUNNING)
    if kind.endswith("Succeeded"):
        return replace(visit, status=workflow.RUNNING)
    if kind.endswith(_FAILED):
        return replace(visit, status=workflow.FAILED, error=_error_name(event))
    return visit


def _left(visit: StateVisit, time: datetime) -> StateVisit:
    """Return a visit that has ended; one that its Catch ended is known by what it met last."""
    if visit.end is not None:
        return visit
    failed = visit.status == workflow.FAILED
    return replace(visit, end=time, status=workflow.FAILED if failed else workflow.SUCCEEDED)


def _error_name(event: Any) -> str:
    details = (value for name, value in event.items() if name.endswith("EventDetails"))
    return next((str(found["error"]) for found in details if "error" in found), event["type"])
