"""Read what the stack wrote down: JobTable's entries and ErrorTable's items, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchcore import aws, items
from botocore.exceptions import BotoCoreError, ClientError

from batchops.errors import translate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Entry = dict[str, Any]


def job_entry(dynamodb: DynamoDBClient, table: str, job: str) -> Entry | None:
    """Return a job's JOB entry, or None where the ledger has none (yet)."""
    key = {"jobId": {"S": job}, "entry": {"S": items.JOB_ENTRY}}
    try:
        answer = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing=f"reading job {job!r}") from error
    return items.plain(answer["Item"]) if "Item" in answer else None


def chunk_entries(dynamodb: DynamoDBClient, table: str, job: str) -> Iterator[Entry]:
    """Yield the entries of the job's chunks that have started, in order."""
    try:
        yield from aws.query_entries(dynamodb, table, job, items.CHUNK_PREFIX)
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing=f"reading the chunks of job {job!r}") from error


def recent_jobs(
    dynamodb: DynamoDBClient,
    table: str,
    *,
    limit: int,
    since: datetime | None = None,
    status: str | None = None,
    name: str | None = None,
) -> Iterator[Entry]:
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
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName=items.JOBS_BY_START,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        ScanIndexForward=False,
        PaginationConfig=paging,
        **request,
    )
    try:
        for page in pages:
            yield from map(items.plain, page["Items"])
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing="listing the jobs") from error


def error_items(
    dynamodb: DynamoDBClient, table: str, job: str, **wanted: str | None
) -> Iterator[Entry]:
    """Yield a job's errors, by row, column and rule; a page of at most 1 MB is held at a time.

    Parameters
    ----------
    **wanted
        Attributes and the values that they must have; None for any. They spare what is sent, not
        what DynamoDB reads.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    values = {f":{name}": {"S": value} for name, value in given.items()}
    request: dict[str, Any] = {}
    if given:  # "column" and "rule" are reserved words
        request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in given)
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in given}
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="jobId = :job",
        ExpressionAttributeValues={":job": {"S": job}, **values},
        ConsistentRead=True,
        **request,
    )
    try:
        for page in pages:
            yield from map(items.plain, page["Items"])
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing=f"reading the errors of job {job!r}") from error
