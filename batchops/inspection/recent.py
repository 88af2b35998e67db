"""List a stack's jobs, with the same words as `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchcore import workflow

from batchops.core import ledger
from batchops.core.executions import settled
from batchops.inspection.logs import parse_since

if TYPE_CHECKING:
    from datetime import datetime

    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef


def recent_jobs(
    stack: StackRef,
    *,
    status: str | None = None,
    since: datetime | str | None = None,
    name: str | None = None,
    limit: int = 20,
) -> list[JobEntry]:
    """Return JOB entries, the last started first; for the parameters see `Stack.jobs`.

    Raises
    ------
    InputError, AwsError, EngineError
    """
    after = parse_since(since) if since is not None else None
    # A job whose end only Step Functions has is unfinished in the ledger, until somebody looks at
    # it; one that never started stays so.
    unfinished = sorted(workflow.UNFINISHED) if status in workflow.ENDED else []
    found = [
        settled(stack, entry)
        for each in (status, *unfinished)
        for entry in ledger.recent_jobs(stack, since=after, status=each, name=name, limit=limit)
    ]
    for entry in [e for e in found if e.status == workflow.QUEUED][-1:]:
        ledger.look_after_queue(stack, entry)  # in case that the end of a job went unnoticed
    fitting = {entry.job_id: entry for entry in found if status in (None, entry.status)}
    return sorted(fitting.values(), key=lambda entry: entry.arrived, reverse=True)[:limit]
