"""Count what would be deleted with a stack, and find the jobs that run or wait in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import jobs
from batchcore.texts import printable

from batchops.core import ledger
from batchops.core.errors import StackBusyError, translated
from batchops.deployment.buckets import count_versions

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

BUCKETS = ("SourceBucketName", "LoggingBucketName")
_TABLES = ("FinancialTableName", "ErrorRangesTableName", "ErrorTableName", "JobTableName")
_EXECUTION = re.compile(rf"({jobs.JOB_ID.pattern})(-a\d+)?")
_NAMED_JOBS = 5


@dataclass(frozen=True)
class Holdings:
    """What a stack holds, and would be deleted with it.

    Attributes
    ----------
    versions : dict of str to int
        Versions of objects, by bucket.
    rows : dict of str to int
        Rows of each table as DynamoDB counts them: on AWS about every six hours (Amazon DynamoDB
        API reference, DescribeTable), so what came since is not in it.
    jobs : int
        Jobs in the ledger, counted now.
    running : tuple of str
        Ids of the jobs that run now.
    waiting : tuple of str
        Ids of the jobs that wait for others to end.
    """

    versions: Mapping[str, int]
    rows: Mapping[str, int]
    jobs: int
    running: tuple[str, ...]
    waiting: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in a few lines."""
        objects = ", ".join(f"{count:,} in {name}" for name, count in self.versions.items())
        rows = ", ".join(f"about {count:,} in {name}" for name, count in self.rows.items())
        lines = [f"objects: {objects or 'none'}", f"table rows: {rows or 'none'}"]
        named = f": {_listed(self.running)}" if self.running else ""
        waiting = f", {len(self.waiting):,} waiting" if self.waiting else ""
        lines.append(f"jobs: {self.jobs:,}, {len(self.running):,} of them running{named}{waiting}")
        return "\n".join(map(printable, lines))


def count_holdings(stack: StackRef) -> Holdings:
    """Count what would be deleted with the stack; leave out what it does not have (any more).

    Raises
    ------
    StackNotFoundError, AwsError
    """
    s3 = stack.client("s3")
    versions = {bucket: count_versions(s3, bucket) for bucket in _named(stack, BUCKETS)}
    rows = {table: _item_count(stack, table) for table in _named(stack, _TABLES)}
    has_ledger = rows.get(stack.outputs.get("JobTableName", "")) is not None
    return Holdings(
        versions={bucket: count for bucket, count in versions.items() if count is not None},
        rows={table: count for table, count in rows.items() if count is not None},
        jobs=ledger.count_jobs(stack) if has_ledger else 0,
        running=running_jobs(stack),
        waiting=waiting_jobs(stack) if has_ledger else (),
    )


def running_jobs(stack: StackRef) -> tuple[str, ...]:
    """Return the ids of the jobs whose workflow runs now, as Step Functions knows it."""
    machine = stack.outputs.get("MainOrchestratorArn")
    if machine is None:
        return ()
    client = stack.client("stepfunctions")
    pages = client.get_paginator("list_executions")
    running = pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
    with translated(f"listing the running jobs of {stack.name!r}"):
        try:
            names = [found["name"] for page in running for found in page["executions"]]
        except client.exceptions.StateMachineDoesNotExist:
            return ()  # a deletion that failed has got that far
    matches = map(_EXECUTION.fullmatch, names)
    return tuple(match[1] if match else name for match, name in zip(matches, names, strict=True))


def waiting_jobs(stack: StackRef) -> tuple[str, ...]:
    """Return the ids of the jobs that wait for others to end, in their order."""
    return ledger.queue_standing(stack).waiting


def refuse_running(stack: StackRef) -> None:
    """Raise StackBusyError, naming them, if any jobs run or wait."""
    unfinished = (*running_jobs(stack), *waiting_jobs(stack))
    if unfinished:
        raise StackBusyError(
            f"jobs run in stack {stack.name!r} ({_listed(unfinished)}): wait for them, or pass "
            "force=True, which stops them and deletes the stack",
            stack_name=stack.name,
        )


def _listed(job_ids: Sequence[str]) -> str:
    more = f" and {len(job_ids) - _NAMED_JOBS} more" if len(job_ids) > _NAMED_JOBS else ""
    return ", ".join(job_ids[:_NAMED_JOBS]) + more


def _named(stack: StackRef, names: Sequence[str]) -> list[str]:
    return [stack.outputs[name] for name in names if name in stack.outputs]


def _item_count(stack: StackRef, table: str) -> int | None:
    client = stack.client("dynamodb")
    with translated(f"describing the table {table}"):
        try:
            answer = client.describe_table(TableName=table)
        except client.exceptions.ResourceNotFoundException:
            return None  # a deletion that failed has got that far
    return int(answer["Table"]["ItemCount"])
