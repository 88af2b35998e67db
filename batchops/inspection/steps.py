"""The states that a job's main workflow entered, as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from batchops.core.histories import StateVisit, read_history, state_visits

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef


def steps(job: JobRef) -> pd.DataFrame:
    """Return the states that the main workflow entered in the job's last attempt.

    Returns
    -------
    DataFrame
        One line per state, in the order of entering: ``state``, ``type`` (Task, Map, Choice, ...),
        ``status`` (str: RUNNING, SUCCEEDED, FAILED, ABORTED, TIMED_OUT), ``start``, ``end``
        (datetime64[ms, UTC], the end missing while it runs), ``ms`` (Int64), ``tries`` (int64, how
        often its task was started; 0 if it has none), ``error`` (str, the name of the last error;
        a state that succeeded with an error was retried). Empty if the workflow has not started, or
        AWS has forgotten it (after 90 days).

    Raises
    ------
    JobNotFoundError, AwsError
    """
    events = read_history(job.stack, job.id, job.ledger_entry().attempt)
    return steps_frame(state_visits(events))


def steps_frame(visits: Iterable[StateVisit]) -> pd.DataFrame:
    """Return visits of states as a DataFrame, see `steps`; without visits the columns alone."""
    import pandas as pd

    rows = list(visits)
    columns: dict[str, Any] = {
        "state": pd.Series([row.state for row in rows], dtype="str"),
        "type": pd.Series([row.kind for row in rows], dtype="str"),
        "status": pd.Series([row.status for row in rows], dtype="str"),
    }
    for name in ("start", "end"):
        times = pd.Series([getattr(row, name) for row in rows], dtype="object")
        columns[name] = pd.to_datetime(times, utc=True).astype("datetime64[ms, UTC]")
    spans = [None if row.ms is None else round(row.ms) for row in rows]
    columns["ms"] = pd.Series(spans, dtype="Int64")
    columns["tries"] = pd.Series([row.tries for row in rows], dtype="int64")
    columns["error"] = pd.Series([row.error for row in rows], dtype="str")
    return pd.DataFrame(columns)
