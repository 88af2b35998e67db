"""Read JobTable and ErrorTable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchcore import items

from batchops.core.errors import InputError, translated
from batchops.core.ledger.entries import ChunkEntry, ErrorItem, JobEntry

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

# BatchGetItem takes 100 keys (AWS, Amazon DynamoDB API reference).
BATCH_KEYS = 100
_LAST_ROW = 9_999_999_999  # a sort key has ten digits for the row

# What the tally of a job's chunks needs of their entries. "status" and "rows" are reserved words.
_TALLIED = {
    "ProjectionExpression": "entry, #status, #rows, rejected, attempt",
    "ExpressionAttributeNames": {"#status": "status", "#rows": "rows"},
}


# ------------------------------------------------------------------------------------- JobTable


def job_entry(stack: StackRef, job_id: str) -> JobEntry | None:
    """Return a job's JOB entry, or None where the ledger has none (yet)."""
    dynamodb, table = _job_table(stack)
    key = {"jobId": {"S": job_id}, "entry": {"S": items.JOB_ENTRY}}
    with translated(f"reading job {job_id!r}"):
        answer = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    return JobEntry(items.plain(answer["Item"])) if "Item" in answer else None


def chunk_entries(stack: StackRef, job_id: str) -> Iterator[ChunkEntry]:
    """Yield the entries of the job's chunks that have started, in order."""
    yield from _query_chunks(stack, job_id, first=0)


def chunk_entries_from(stack: StackRef, job_id: str, first: int) -> Iterator[ChunkEntry]:
    """Yield the entries of the chunks from one on, in order, with what a tally needs of them."""
    yield from _query_chunks(stack, job_id, first=first, **_TALLIED)


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
    """Yield the entries of some chunks, at most 100; what is missing may come the next time."""
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
    if not filters:  # else a page would hold as many before, not after, they are filtered
        paging["PageSize"] = limit
    if names:
        request["ExpressionAttributeNames"] = names
    request |= {"ScanIndexForward": False, "PaginationConfig": paging}
    with translated("listing the jobs"):
        for page in _query_jobs(stack, condition, values, request):
            for item in page["Items"]:
                yield JobEntry(items.plain(item))


def count_jobs(stack: StackRef) -> int:
    """Count the jobs; the index has one entry a job, so that this reads little."""
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


# ----------------------------------------------------------------------------------- ErrorTable


@dataclass(frozen=True)
class ErrorFilter:
    """Which errors are wanted; what is None is not looked at.

    Attributes
    ----------
    first_row, last_row : int or None
        Rows of the uploaded file, both inclusive, the header being row 1. By these the table finds
        errors; by all the others it leaves out what it has read.
    column, rule, stage : str or None
        As `Job.errors` has them, exactly.
    chunk : int or None
        The chunk.
    """

    first_row: int | None = None
    last_row: int | None = None
    column: str | None = None
    rule: str | None = None
    stage: str | None = None
    chunk: int | None = None

    def request(self, job_id: str) -> dict[str, Any]:
        """Return the arguments of the query.

        Raises
        ------
        InputError
            If the rows are no range.
        """
        first = 1 if self.first_row is None else self.first_row
        last = _LAST_ROW if self.last_row is None else self.last_row
        if not 1 <= first <= last <= _LAST_ROW:
            raise InputError(f"rows {first} to {last} are no range: give the lower one first, 1 up")
        low, high = items.row_range(first, last)
        wanted: dict[str, Any] = {
            name: {"S": text}
            for name in ("column", "rule", "stage")
            if (text := getattr(self, name)) is not None
        }
        if self.chunk is not None:
            wanted["chunk"] = {"N": str(self.chunk)}
        request: dict[str, Any] = {
            "KeyConditionExpression": "jobId = :job AND errorId BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":job": {"S": job_id},
                ":low": {"S": low},
                ":high": {"S": high},
                **{f":{name}": value for name, value in wanted.items()},
            },
            "ConsistentRead": True,
        }
        if wanted:  # "column" and "rule" are reserved words
            request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in wanted)
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in wanted}
        return request


def error_items(
    stack: StackRef, job_id: str, where: ErrorFilter | None = None
) -> Iterator[ErrorItem]:
    """Yield a job's errors, by row, column and rule; a page of at most 1 MB is held at a time.

    Parameters
    ----------
    where
        Which errors; by default all. All but the rows spares what is sent, not what DynamoDB reads.
    """
    for page in _query_errors(stack, job_id, (where or ErrorFilter()).request(job_id)):
        for item in page["Items"]:
            yield ErrorItem(items.plain(item))


def rejected_rows(stack: StackRef, job_id: str, first_row: int, last_row: int) -> set[int]:
    """Return those rows of a range, both ends inclusive, that have errors."""
    request = ErrorFilter(first_row=first_row, last_row=last_row).request(job_id)
    pages = _query_errors(stack, job_id, {**request, "ProjectionExpression": "sourceRow"})
    return {int(item["sourceRow"]["N"]) for page in pages for item in page["Items"]}


def _query_errors(stack: StackRef, job_id: str, request: Mapping[str, Any]) -> Iterator[Any]:
    dynamodb, table = _error_table(stack)
    with translated(f"reading the errors of job {job_id!r}"):
        yield from dynamodb.get_paginator("query").paginate(TableName=table, **request)


def error_page(
    stack: StackRef, job_id: str, where: ErrorFilter, *, after: str, lines: int, max_read: int
) -> tuple[list[ErrorItem], int, str]:
    """Return a page of errors, how many were read for it, and the id to go on from.

    Parameters
    ----------
    after
        The id to go on from; empty for the first error.
    lines
        Errors on the page at most.
    max_read
        Errors to read at most; what is behind them is the next page's.
    """
    dynamodb, table = _error_table(stack)
    request = {"TableName": table, **where.request(job_id)}
    found: list[ErrorItem] = []
    read = 0
    while read < max_read and len(found) < lines:
        # Without a filter no more is read than is shown.
        request["Limit"] = max_read - read if "FilterExpression" in request else lines - len(found)
        if after:
            request["ExclusiveStartKey"] = {"jobId": {"S": job_id}, "errorId": {"S": after}}
        with translated(f"reading the errors of job {job_id!r}"):
            answer = dynamodb.query(**request)
        read += answer["ScannedCount"]
        found += [ErrorItem(items.plain(item)) for item in answer["Items"]]
        after = answer.get("LastEvaluatedKey", {}).get("errorId", {}).get("S", "")
        if not after:
            break
    if len(found) > lines:
        found = found[:lines]
        after = found[-1].error_id
    return found, read, after


def _job_table(stack: StackRef) -> tuple[Any, str]:
    return stack.client("dynamodb"), stack.outputs["JobTableName"]


def _error_table(stack: StackRef) -> tuple[Any, str]:
    return stack.client("dynamodb"), stack.outputs["ErrorTableName"]
