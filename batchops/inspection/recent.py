"""List a stack's jobs, each as `status` tells of it."""

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
    if status in workflow.ENDED:
        # A job that was stopped from outside may be under way in the ledger, until it is looked at.
        for under_way in (workflow.RUNNING, workflow.SUBMITTED):
            for entry in ledger.recent_jobs(
                stack, since=after, status=under_way, name=name, limit=limit
            ):
                settled(stack, entry)
    found = ledger.recent_jobs(stack, since=after, status=status, name=name, limit=limit)
    entries = [settled(stack, entry) for entry in found]
    for entry in [e for e in entries if e.status == workflow.QUEUED][-1:]:
        ledger.look_after_queue(stack, entry)  # in case that the end of a job went unnoticed
    return [entry for entry in entries if status in (None, entry.status)]
