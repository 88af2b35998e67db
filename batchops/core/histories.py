"""Histories of executions: read them, and find out which states were visited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchcore import workflow

from batchops.core.errors import translated
from batchops.core.executions import execution_arn

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

_OVER = {
    "ExecutionFailed": workflow.FAILED,
    "ExecutionAborted": workflow.ABORTED,
    "ExecutionTimedOut": workflow.TIMED_OUT,
    "ExecutionSucceeded": workflow.SUCCEEDED,
}
_TRIED = ("TaskScheduled", "LambdaFunctionScheduled", "MapRunStarted")
_FAILED = ("Failed", "TimedOut", "Aborted")


def read_history(stack: StackRef, job_id: str, attempt: int) -> Iterator[Any]:
    """Yield the events of an attempt's execution, see `read_events`."""
    return read_events(stack, execution_arn(stack, job_id, attempt))


def read_events(stack: StackRef, arn: str, *, with_data: bool = False) -> Iterator[Any]:
    """Yield an execution's events, at most 25,000 (AWS quota); nothing if there is no execution.

    Parameters
    ----------
    with_data
        Whether they have the inputs and outputs of the states.
    """
    states = stack.client("stepfunctions")
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=arn, includeExecutionData=with_data, PaginationConfig={"PageSize": 1000}
    )
    with translated(f"reading the history of execution {arn.rsplit(':', 1)[-1]!r}"):
        try:
            for page in pages:
                yield from page["events"]
        except states.exceptions.ExecutionDoesNotExist:
            return


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
