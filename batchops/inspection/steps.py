"""The states that a job's main workflow went through, from its execution history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchops.core.executions import read_history

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef


@dataclass
class Step:
    """One state of the main workflow that was entered."""

    state: str
    kind: str
    start: datetime
    end: datetime | None = None
    tries: int = 0
    status: str = "RUNNING"
    error: str = ""


_FAILED = ("Failed", "TimedOut", "Aborted", "StartFailed", "SubmitFailed", "ScheduleFailed")
_TRIED = ("TaskScheduled", "LambdaFunctionScheduled", "MapRunStarted")
_OVER = {
    "ExecutionFailed": "FAILED",
    "ExecutionAborted": "ABORTED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionSucceeded": "SUCCEEDED",
}


def steps(job: JobRef) -> pd.DataFrame:
    """Return the states that the main workflow went through in the job's last attempt.

    Returns
    -------
    DataFrame
        One line a state, in the order of entering: ``state``, ``type`` (Task, Map, Choice, ...),
        ``status`` (str: RUNNING, SUCCEEDED, FAILED, ABORTED, TIMED_OUT), ``start``, ``end``
        (datetime64[ms, UTC], the end missing while it runs), ``ms`` (Int64), ``tries`` (int64, how
        often its task was begun; 0 where there is none), ``error`` (str, name of the last error;
        a state that succeeded with one was retried). Empty where the workflow has not begun, or
        AWS has forgotten it (after 90 days).

    Raises
    ------
    JobNotFoundError, AwsError
    """
    return steps_frame(read_steps(read_history(job.stack, job.id, job.ledger_entry().attempt)))


def read_steps(events: Iterable[Any]) -> list[Step]:
    """Return the states that a workflow without parallel branches entered, from its history."""
    found: list[Step] = []
    for event in events:
        kind, time = event["type"], event["timestamp"]
        current = found[-1] if found else None
        if kind.endswith("StateEntered"):
            _leave(current, time)
            name = event["stateEnteredEventDetails"]["name"]
            found.append(Step(name, kind.removesuffix("StateEntered"), time))
        elif current is None:
            continue
        elif kind.endswith("StateExited"):
            _leave(current, time)
        elif kind in _OVER:
            # A Fail state, and one that the execution ended in, are never exited.
            if current.end is None:
                current.end, current.status = time, _OVER[kind]
        elif kind in _TRIED:
            current.tries += 1
            current.status = "RUNNING"
        elif kind.endswith("Succeeded"):
            current.status = "RUNNING"
        elif kind.endswith(_FAILED):
            current.status, current.error = "FAILED", _error(event)
    if found and found[-1].end is None:
        found[-1].status = "RUNNING"  # perhaps in the pause before another try
    return found


def _leave(step: Step | None, time: datetime) -> None:
    """End a state; one that is left by its Catch is known by what it met last."""
    if step is not None and step.end is None:
        step.end = time
        step.status = "FAILED" if step.status == "FAILED" else "SUCCEEDED"


def _error(event: Any) -> str:
    details = (value for name, value in event.items() if name.endswith("EventDetails"))
    return next((str(found["error"]) for found in details if "error" in found), event["type"])


def steps_frame(found: Iterable[Step]) -> pd.DataFrame:
    """Return steps as a DataFrame, see `steps`; none give the same columns."""
    import pandas as pd

    rows = list(found)
    columns: dict[str, Any] = {
        "state": pd.Series([row.state for row in rows], dtype="str"),
        "type": pd.Series([row.kind for row in rows], dtype="str"),
        "status": pd.Series([row.status for row in rows], dtype="str"),
    }
    for name in ("start", "end"):
        times = pd.Series([getattr(row, name) for row in rows], dtype="object")
        columns[name] = pd.to_datetime(times, utc=True).astype("datetime64[ms, UTC]")
    spans = [row.end and round((row.end - row.start).total_seconds() * 1000) for row in rows]
    columns["ms"] = pd.Series(spans, dtype="Int64")
    columns["tries"] = pd.Series([row.tries for row in rows], dtype="int64")
    columns["error"] = pd.Series([row.error for row in rows], dtype="str")
    return pd.DataFrame(columns)
