"""List the attempts of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchcore import jobs, workflow

from batchops.core.errors import explain_failure
from batchops.core.execution_input import read_resume
from batchops.core.executions import find_execution, settled
from batchops.core.manifest import read_chunks

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

_DTYPES = {
    "attempt": "int64",
    "kind": "str",
    "execution": "str",
    "status": "str",
    "start": "datetime64[ms, UTC]",
    "end": "datetime64[ms, UTC]",
    "chunks": "Int64",
    "error": "str",
    "started_by": "str",
    "stopped_by": "str",
}


def lineage(job: JobRef) -> pd.DataFrame:
    """Return the attempts of a job.

    Returns
    -------
    DataFrame
        One line per attempt: ``attempt`` (int64), ``kind`` (str: ``start`` if it split the input,
        ``rerun``, ``repair``), ``execution`` (str, its name), ``status`` (str), ``start``,
        ``end`` (datetime64[ms, UTC]), ``chunks`` (Int64, how many it ran), ``error`` (str, empty
        if there was none), ``started_by`` and ``stopped_by`` (str, who did so with batchops: the
        ARN of an identity on AWS, the name of a user of this computer on the local engine; missing
        where an upload started it, and where nobody stopped it). Another missing value is not
        known yet or no longer: Step Functions forgets an execution after 90 days, and the list of
        its chunks expires after IntermediateExpiryDays.

    Raises
    ------
    JobNotFoundError, AwsError
    """
    import pandas as pd

    entry = settled(job.stack, job.ledger_entry())
    rows = [_attempt(job, entry, number + 1) for number in range(entry.attempt)]
    columns: dict[str, Any] = {}
    for name, dtype in _DTYPES.items():
        values = [row.get(name) for row in rows]
        if dtype.startswith("datetime"):
            columns[name] = pd.to_datetime(pd.Series(values, dtype="object"), utc=True)
        else:
            columns[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns).astype({"start": _DTYPES["start"], "end": _DTYPES["end"]})


def _attempt(job: JobRef, entry: JobEntry, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "attempt": number,
        "execution": jobs.execution_name(job.id, number),
        "started_by": entry.started_by(number) or None,
        "stopped_by": entry.stopped_by(number) or None,
    }
    execution = find_execution(job.stack, job.id, number)
    if execution is None:
        return row | (_as_entered(entry) if number == entry.attempt else {})
    resume, error = read_resume(execution["input"]), execution.get("error")
    return {
        **row,
        "kind": resume.by if resume else "start",
        "status": _status(entry, number, execution),
        "start": execution["startDate"],
        "end": execution.get("stopDate"),
        "chunks": _count(job, entry, resume.manifest_key) if resume else entry.chunks or None,
        "error": explain_failure(error, execution.get("cause", "")) if error else "",
    }


def _status(entry: JobEntry, number: int, execution: Mapping[str, Any]) -> str:
    # A job has ended before its mail is sent: what happens to its execution then changes nothing.
    ended = number == entry.attempt and entry.status in workflow.ENDED
    return entry.status if ended else str(execution["status"])


def _as_entered(entry: JobEntry) -> dict[str, Any]:
    """Return what the ledger says of the last attempt, which waits, or never started."""
    return {
        "kind": "start" if entry.attempt == 1 else None,
        "status": entry.status,
        "start": entry.attempt_started,
        "end": entry.ended,
        "error": entry.reason,
    }


def _count(job: JobRef, entry: JobEntry, key: str) -> int | None:
    chunks = read_chunks(job, entry.bucket, key)
    return None if chunks is None else len(chunks)
