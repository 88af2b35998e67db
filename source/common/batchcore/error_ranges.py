"""Find a job's errors in ErrorRangesTable, where each range of 10,000 rows has a partition.

A partition takes 1,000 writes a second, so chunks that run side by side write to partitions of
their own. A list in a partition of its own names the ranges that a job has errors in. A range is
listed before its first error is written, and never taken off the list: so whoever reads the list
finds every error, and may find ranges that have none any more.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from batchcore.items import error_partition, range_of_error, range_of_row, row_range

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The list of a job's ranges outlives their errors: DynamoDB deletes what has expired within days
# (Amazon DynamoDB developer guide, Time to Live), and in no order.
_LISTED_LONGER_S = 7 * 24 * 3600

# The arguments of a query but its table.
Query = Mapping[str, Any]
Key = dict[str, dict[str, str]]
# The lowest and the highest sort key that are asked for.
Bounds = tuple[str, str]


def list_partition(job: str) -> str:
    """Return the partition that lists the ranges of a job; its sort keys are the ranges."""
    return f"{job}#ranges"


def list_requests(job: str, rows: Iterable[int], *, ttl: int) -> Iterator[dict[str, Any]]:
    """Yield the WriteRequests that list the ranges of rows with errors.

    Parameters
    ----------
    ttl
        That of the rows' errors.
    """
    place, expires = {"S": list_partition(job)}, {"N": str(ttl + _LISTED_LONGER_S)}
    for each in sorted({range_of_row(row) for row in rows}):
        yield {"PutRequest": {"Item": {"jobRange": place, "errorId": {"S": each}, "ttl": expires}}}


def query_list(job: str, between: Bounds) -> Query:
    """Return the query of a job's ranges that may hold the sort keys asked for."""
    low, high = map(range_of_error, between)
    return _query("jobRange", list_partition(job), (low, high))


def query_range(job: str, listed: str, between: Bounds) -> Query:
    """Return the query of the errors in one range of a job."""
    return _query("jobRange", error_partition(job, listed), between)


def query_earlier(job: str, between: Bounds) -> Query:
    """Return the query of errors in ErrorTable, which earlier stacks wrote."""
    return _query("jobId", job, between)


def _query(attribute: str, partition: str, between: Bounds) -> Query:
    low, high = between
    return {
        "KeyConditionExpression": f"{attribute} = :partition AND errorId BETWEEN :low AND :high",
        "ExpressionAttributeValues": {
            ":partition": {"S": partition},
            ":low": {"S": low},
            ":high": {"S": high},
        },
        "ConsistentRead": True,
    }


def query_items(
    dynamodb: "DynamoDBClient", table: str, query: Query, options: Query | None = None
) -> Iterator[Any]:
    """Yield the items that a query finds, in order, reading a page at a time.

    Parameters
    ----------
    options
        What is asked for besides, such as a filter or a projection.
    """
    given = dict(options or {})
    own = given.pop("ExpressionAttributeValues", {})
    values = {**query["ExpressionAttributeValues"], **own}
    request: Any = {**query, **given, "ExpressionAttributeValues": values}
    for page in dynamodb.get_paginator("query").paginate(TableName=table, **request):
        yield from page["Items"]


def range_items(
    dynamodb: "DynamoDBClient",
    table: str,
    job: str,
    between: Bounds,
    options: Query | None = None,
) -> Iterator[Any]:
    """Yield the errors of a job in ErrorRangesTable, in order."""
    for listed in query_items(dynamodb, table, query_list(job, between)):
        query = query_range(job, listed["errorId"]["S"], between)
        yield from query_items(dynamodb, table, query, options)


def error_keys(
    dynamodb: "DynamoDBClient", table: str, job: str, first_row: int, last_row: int
) -> Iterator[Key]:
    """Yield the keys of a job's errors of some rows in ErrorRangesTable."""
    projected = {"ProjectionExpression": "jobRange, errorId"}
    return range_items(dynamodb, table, job, row_range(first_row, last_row), projected)


def earlier_keys(
    dynamodb: "DynamoDBClient", table: str, job: str, first_row: int, last_row: int
) -> Iterator[Key]:
    """Yield the keys of a job's errors of some rows in ErrorTable."""
    query = query_earlier(job, row_range(first_row, last_row))
    return query_items(dynamodb, table, query, {"ProjectionExpression": "jobId, errorId"})
