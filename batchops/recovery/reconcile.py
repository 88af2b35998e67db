"""Compare what is in the bucket with the ledger, and the ledger with what ran.

Each thing that does not fit is listed with its remedy. Those that can do no harm are carried out on
request: they send the event of an upload once more, and a version of an object starts one job only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from batchcore import jobs, keys, workflow
from batchcore.texts import number_of, visible

from batchops.core import ledger
from batchops.core.errors import translated
from batchops.core.executions import attempt_state, is_unstarted
from batchops.core.stack_ref import describe_deployed
from batchops.core.uploads import UNVERSIONED
from batchops.inspection.result_check import lost_results
from batchops.inspection.unseen import upload_event
from batchops.recovery.redelivery import deliver_event
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

# The event of an upload takes a second or two, and its job as long to be entered.
_PATIENCE_S = 60.0
_WORKERS = 16
_ALL = 1_000_000
_COLUMNS = ("what", "found", "remedy", "outcome")
# The parameters by which the ledger's entries expire, and the results of jobs; 0 for never.
_LEDGER_DAYS = "LedgerExpiryDays"
_RESULT_DAYS = {False: "CompletedExpiryDays", True: "RejectedExpiryDays"}


@dataclass(frozen=True)
class Finding:
    """Something in a stack that does not fit.

    Attributes
    ----------
    kind : str
        ``upload without a job``, ``job without an end`` or ``result is gone``.
    what : str
        The object's key, or the job's id.
    found : str
        What is wrong.
    remedy : str
        What to do about it.
    safe : bool
        Whether reconcile carries the remedy out itself.
    outcome : str
        What came of that; empty if it was not carried out.
    """

    kind: str
    what: str
    found: str
    remedy: str
    safe: bool
    outcome: str = ""
    event: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Reconciliation(Shown):
    """What in a stack does not fit together, and what was done about it.

    Attributes
    ----------
    stack : str
        The stack's name.
    dry_run : bool
        Whether it was looked at only.
    since : datetime
        Jobs that were entered before were left out.
    findings : tuple of Finding
        What does not fit: first uploads, then jobs, then results.
    """

    stack: str
    dry_run: bool
    since: datetime
    findings: tuple[Finding, ...]

    def _blocks(self) -> Iterator[Block]:
        since = f"jobs since {self.since:%Y-%m-%d %H:%M} UTC"
        if not self.findings:
            yield Block.line(f"stack {self.stack}: uploads, jobs and results fit ({since})")
            return
        yield Block.line(f"stack {self.stack}: {len(self.findings):,} do not fit ({since})")
        for kind in dict.fromkeys(each.kind for each in self.findings):
            rows = [(f.what, f.found, f.remedy, f.outcome) for f in self.findings if f.kind == kind]
            yield Block.line(f"{kind}:")
            yield Block.table(_COLUMNS, rows)
        if self.dry_run and any(each.safe for each in self.findings):
            yield Block.line("nothing is done yet (dry_run=False starts the jobs of uploads)")


def reconcile(
    stack: StackRef,
    *,
    since: datetime | None = None,
    dry_run: bool = True,
    patience_s: float = _PATIENCE_S,
) -> Reconciliation:
    """List uploads without a job, jobs without an end and results that are gone.

    Parameters
    ----------
    since
        Leave out jobs that were entered before; by default 30 days ago. Uploads are all looked at.
    dry_run
        Only look. Otherwise the jobs of uploads are started that have none, or never started.
    patience_s
        Leave out uploads that are younger, in seconds: their jobs are on their way.

    Raises
    ------
    StackNotFoundError, AwsError
    """
    begin, expired = since or datetime.now(UTC) - timedelta(days=30), _expired_before(stack)
    entries = list(ledger.recent_jobs(stack, since=begin, limit=_ALL))
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = [
            *_uploads(stack, datetime.now(UTC) - timedelta(seconds=patience_s), expired),
            *filter(None, pool.map(lambda entry: _unended(stack, entry), entries)),
            *filter(None, pool.map(lambda entry: _lost(stack, entry, expired), entries)),
        ]
    if not dry_run:
        found = [replace(f, outcome=deliver_event(stack, f.event)) if f.safe else f for f in found]
    return Reconciliation(stack.name, dry_run, begin, tuple(found))


def _uploads(
    stack: StackRef, young: datetime, expired: Mapping[str, datetime]
) -> Iterator[Finding]:
    """Yield the versions of objects under ``input/`` whose job the ledger does not have."""
    bucket = stack.outputs["SourceBucketName"]
    pages = stack.client("s3").get_paginator("list_object_versions")
    with translated(f"listing the uploads in {bucket}"):
        for page in pages.paginate(Bucket=bucket, Prefix=keys.INPUT_PREFIX):
            there = {
                jobs.job_id(bucket, each["Key"], each["VersionId"]): each
                for each in page.get("Versions", [])
                if each["LastModified"] < young and (each["Size"] or each["Key"][-1] != "/")
            }
            known = ledger.known_jobs(stack, list(there))
            for job_id, each in there.items():
                if job_id not in known:
                    yield _upload(bucket, each, expired.get(_LEDGER_DAYS))


def _expired_before(stack: StackRef) -> dict[str, datetime]:
    """Return, for each parameter by which something expires, before when it has to be from."""
    described = describe_deployed(stack.client("cloudformation"), stack.name)
    found = {p["ParameterKey"]: p["ParameterValue"] for p in described.get("Parameters", [])}
    days = {name: int(found.get(name, 0)) for name in (_LEDGER_DAYS, *_RESULT_DAYS.values())}
    now = datetime.now(UTC)
    return {name: now - timedelta(days=number) for name, number in days.items() if number}


def _upload(bucket: str, version: Any, expired: datetime | None) -> Finding:
    key, number = version["Key"], version["VersionId"]
    found = (
        f"stored {version['LastModified']:%Y-%m-%d %H:%M} UTC, {number_of(version['Size'], 'byte')}"
    )
    kind = "upload without a job"
    if number == UNVERSIONED:
        remedy = f"it has no version: turn versioning on, then submit s3://{bucket}/{key}"
        return Finding(kind, visible(key), found, visible(remedy), safe=False)
    if expired is not None and version["LastModified"] < expired:
        remedy = (
            f"its job's entries may have expired ({_LEDGER_DAYS}): delete it, or submit it again"
        )
        return Finding(kind, visible(key), found, remedy, safe=False)
    event = upload_event(bucket, key, number, version["Size"])
    return Finding(kind, visible(key), found, "its job is started", safe=True, event=event)


def _unended(stack: StackRef, entry: JobEntry) -> Finding | None:
    """Return a job that is unfinished in the ledger and will not continue by itself."""
    if entry.status not in workflow.UNFINISHED:
        return None
    state, kind = attempt_state(stack, entry), "job without an end"
    if state.ended:
        found = f"{entry.status} in the ledger until now, {state.status} in Step Functions"
        return Finding(kind, entry.job_id, found, f"rerun {entry.job_id}", safe=False)
    if not is_unstarted(state, state.entry or entry):
        return None
    found = f"{entry.status} since {entry.attempt_started:%Y-%m-%d %H:%M} UTC, and never started"
    if entry.attempt > 1 or not ledger.has_queue(stack):
        return Finding(kind, entry.job_id, found, f"rerun {entry.job_id}", safe=False)
    event = upload_event(entry.bucket, entry.key, entry.version_id, entry.size_bytes)
    return Finding(kind, entry.job_id, found, "it is started", safe=True, event=event)


def _lost(stack: StackRef, entry: JobEntry, expired: Mapping[str, datetime]) -> Finding | None:
    """Return a merged job whose result files are not as the merge wrote them."""
    if not entry.is_merged:
        return None
    ended = entry.ended
    gone = {
        rejected
        for rejected, name in _RESULT_DAYS.items()
        if name in expired and ended is not None and ended < expired[name]
    }
    lost = lost_results(stack, entry, expired=gone)
    if not lost:
        return None
    remedy = f"rerun {entry.job_id} merges it again, as long as its pieces are there"
    return Finding("result is gone", entry.job_id, lost, remedy, safe=False)
