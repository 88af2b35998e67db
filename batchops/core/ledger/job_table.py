"""Read the jobs and their chunks from JobTable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchcore import items

from batchops.core.errors import translated
from batchops.core.ledger.chunk_items import ChunkEntry
from batchops.core.ledger.job_items import JobEntry
from batchops.core.ledger.lookups import look_up

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

# BatchGetItem takes 100 keys (AWS, Amazon DynamoDB API reference).
BATCH_KEYS = 100

# The attributes that the tally of a job's chunks needs, and the timeline. "status" and "rows" are
# reserved words.
_TALLIED = {
    "ProjectionExpression": (
        "entry, #status, #rows, rejected, attempt, failedStep, "
        "startTime, endTime, stepMs, stepStarts, coldSteps"
    ),
    "ExpressionAttributeNames": {"#status": "status", "#rows": "rows"},
}
# Those that the balance needs.
_COUNTED = {
    "ConsistentRead": True,
    "ProjectionExpression": ("entry, #status, #rows, #valid, rejected, #errors, errorPiece.#rows"),
    "ExpressionAttributeNames": {
        "#status": "status",
        "#rows": "rows",
        "#valid": "valid",
        "#errors": "errors",
    },
}


def job_entry(stack: StackRef, job_id: str) -> JobEntry | None:
    """Return a job's JOB entry, or None if the ledger has none (yet)."""
    dynamodb, table = _job_table(stack)
    key = {"jobId": {"S": job_id}, "entry": {"S": items.JOB_ENTRY}}
    with translated(f"reading job {job_id!r}"):
        answer = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    return JobEntry(items.plain(answer["Item"])) if "Item" in answer else None


def known_jobs(stack: StackRef, job_ids: Sequence[str]) -> set[str]:
    """Return those of some jobs that the ledger has."""
    wanted = [{"jobId": {"S": job_id}, "entry": {"S": items.JOB_ENTRY}} for job_id in job_ids]
    options = {"ConsistentRead": True, "ProjectionExpression": "jobId"}
    table = stack.outputs["JobTableName"]
    found = look_up(stack, table, wanted, doing="looking for jobs", options=options)
    return {str(item["jobId"]) for item in found}


def chunk_entry(stack: StackRef, job_id: str, number: int) -> ChunkEntry | None:
    """Return a chunk's entry, or None if it has not started."""
    dynamodb, table = _job_table(stack)
    key = {"jobId": {"S": job_id}, "entry": {"S": items.chunk_entry(number)}}
    with translated(f"reading chunk {number} of job {job_id!r}"):
        answer = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    return ChunkEntry(items.plain(answer["Item"])) if "Item" in answer else None


def chunk_entries(stack: StackRef, job_id: str) -> Iterator[ChunkEntry]:
    """Yield the entries of the job's chunks that have started, in order."""
    yield from _query_chunks(stack, job_id, first=0)


def chunk_entries_from(stack: StackRef, job_id: str, first: int) -> Iterator[ChunkEntry]:
    """Yield the entries from chunk `first` on, in order, with what a tally needs."""
    yield from _query_chunks(stack, job_id, first=first, **_TALLIED)


def chunk_counts(
    stack: StackRef,
    job_id: str,
    chunks: int,
    *,
    on_read: Callable[[int], None] = lambda _: None,
) -> list[ChunkEntry]:
    """Return the entries of a job's chunks that have started, with their counts only.

    They are looked up by their keys, side by side: a query reads a megabyte at a time, one after
    the other, which takes long for 50,000 chunks.

    Parameters
    ----------
    chunks
        The job's chunks, in all.
    on_read
        Called now and then with the number of chunks found so far.
    """
    numbers = range(1, chunks + 1)
    wanted = [{"jobId": {"S": job_id}, "entry": {"S": items.chunk_entry(n)}} for n in numbers]
    table, doing = stack.outputs["JobTableName"], f"reading the chunks of job {job_id!r}"
    found: list[ChunkEntry] = []
    for item in look_up(stack, table, wanted, doing=doing, options=_COUNTED):
        found.append(ChunkEntry(item))
        if len(found) % BATCH_KEYS == 0:
            on_read(len(found))
    return sorted(found, key=lambda chunk: chunk.name)


def _query_chunks(
    stack: StackRef, job_id: str, *, first: int, **request: Any
) -> Iterator[ChunkEntry]:
    dynamodb, table = _job_table(stack)
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="jobId = :job AND entry BETWEEN :first AND :last",
        ExpressionAttributeValues={
            ":job": {"S": job_id},
            ":first": {"S": items.chunk_entry(first)},
            ":last": {"S": f"{items.CHUNK_PREFIX}~"},  # "~" follows the digits in ASCII
        },
        ConsistentRead=True,
        **request,
    )
    with translated(f"reading the chunks of job {job_id!r}"):
        for page in pages:
            for item in page["Items"]:
                yield ChunkEntry(items.plain(item))


def some_chunk_entries(
    stack: StackRef, job_id: str, numbers: Collection[int]
) -> Iterator[ChunkEntry]:
    """Yield the entries of at most 100 chunks; DynamoDB may leave some out, so ask again."""
    if not numbers:
        return
    dynamodb, table = _job_table(stack)
    wanted = [{"jobId": {"S": job_id}, "entry": {"S": items.chunk_entry(n)}} for n in numbers]
    with translated(f"reading the chunks of job {job_id!r}"):
        answer = dynamodb.batch_get_item(
            RequestItems={table: {"Keys": wanted, "ConsistentRead": True, **_TALLIED}}
        )
    for item in answer["Responses"].get(table, []):
        yield ChunkEntry(items.plain(item))


def recent_jobs(
    stack: StackRef,
    *,
    limit: int,
    since: datetime | None = None,
    status: str | None = None,
    name: str | None = None,
) -> Iterator[JobEntry]:
    """Yield the JOB entries, newest first, at most `limit` of those that match."""
    condition, filters = "listed = :listed", []
    values = {":listed": {"S": items.LISTED}}
    names = {}
    if since is not None:
        condition += " AND startTime >= :since"
        values[":since"] = {"S": items.timestamp(since)}
    if status is not None:
        filters.append("#status = :status")
        names["#status"], values[":status"] = "status", {"S": status}
    if name is not None:
        filters.append("contains(#key, :name)")
        names["#key"], values[":name"] = "key", {"S": name}
    request: dict[str, Any] = {"FilterExpression": " AND ".join(filters)} if filters else {}
    paging: Any = {"MaxItems": limit}
    if not filters:  # the size of a page counts the entries before they are filtered
        paging["PageSize"] = limit
    if names:
        request["ExpressionAttributeNames"] = names
    request |= {"ScanIndexForward": False, "PaginationConfig": paging}
    with translated("listing the jobs"):
        for page in _query_jobs(stack, condition, values, request):
            for item in page["Items"]:
                yield JobEntry(items.plain(item))


def count_jobs(stack: StackRef) -> int:
    """Count the jobs, by the index, which has one entry per job."""
    values = {":listed": {"S": items.LISTED}}
    with translated(f"counting the jobs of {stack.name!r}"):
        pages = _query_jobs(stack, "listed = :listed", values, {"Select": "COUNT"})
        return sum(page["Count"] for page in pages)


def _query_jobs(
    stack: StackRef, condition: str, values: Mapping[str, Any], request: Mapping[str, Any]
) -> Iterator[Any]:
    dynamodb, table = _job_table(stack)
    yield from dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName=items.JOBS_BY_START,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        **request,
    )


def _job_table(stack: StackRef) -> tuple[Any, str]:
    return stack.client("dynamodb"), stack.outputs["JobTableName"]
