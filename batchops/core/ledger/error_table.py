"""Read and delete a job's errors in ErrorRangesTable and, of jobs from before it, in ErrorTable.

A stack of ledger format 3 writes to ErrorRangesTable only, a stack of before to ErrorTable. A job
that both have worked on may have errors in both, of different rows; where a step was repeated while
the stack was being updated, the same error is in both. So both are read, as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import TYPE_CHECKING, Any

from batchcore import aws, error_ranges, items
from batchcore.errors import TransientError
from batchcore.texts import number_of

from batchops.core.errors import AwsError, translated
from batchops.core.ledger.error_items import ErrorFilter, ErrorItem
from batchops.core.ledger.lookups import look_up

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

_VALUES = {
    "ProjectionExpression": "errorId, #value",
    "ExpressionAttributeNames": {"#value": "value"},
}
_LISTED = {"ProjectionExpression": "jobRange, errorId"}
_KEYS_ONLY = {"ProjectionExpression": "errorId"}


def stored_errors(
    stack: StackRef, job_id: str, where: ErrorFilter | None = None
) -> Iterator[ErrorItem]:
    """Yield a job's errors by row, column and rule; at most a page of each table is in memory.

    Parameters
    ----------
    where
        Which errors; by default all.
    """
    where = where or ErrorFilter()
    for item in _query_errors(stack, job_id, where.keys(), where.condition()):
        yield ErrorItem(items.plain(item))


def rejected_rows(stack: StackRef, job_id: str, first_row: int, last_row: int) -> set[int]:
    """Return the rows of a range, both ends inclusive, that have errors."""
    between = ErrorFilter(first_row=first_row, last_row=last_row).keys()
    found = _query_errors(stack, job_id, between, _KEYS_ONLY)
    return {items.row_of_error(item["errorId"]["S"]) for item in found}


def error_values(
    stack: StackRef, job_id: str, wanted: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], str]:
    """Return the values of single errors by row, column and rule; those that are gone are missing.

    If a row breaks a rule of a column several times, it is the first.
    """
    ranges, earlier = _tables(stack)
    by_id = {items.error_id(*each): each for each in wanted}
    found: dict[tuple[int, str, str], str] = {}
    for table, key_of in ((ranges, _range_key), (earlier, _earlier_key)):
        if table is not None:
            keys = [key_of(job_id, sort) for sort, each in by_id.items() if each not in found]
            doing = f"looking up errors of job {job_id!r}"
            for item in look_up(stack, table, keys, doing=doing, options=_VALUES):
                found[by_id[item["errorId"]]] = item["value"]
    return found


def count_errors(stack: StackRef, job_id: str) -> int:
    """Return how many errors of a job the tables have."""
    return sum(1 for _ in _query_errors(stack, job_id, ErrorFilter().keys(), _KEYS_ONLY))


def stored_error_page(
    stack: StackRef, job_id: str, where: ErrorFilter, *, after: str, lines: int, max_read: int
) -> tuple[list[ErrorItem], int, str]:
    """Return a page of errors, how many were read for it, and the id where the next page starts.

    Parameters
    ----------
    after
        The id of the last error of the page before; empty for the first page.
    lines
        The most errors on the page.
    max_read
        The most errors to read; the next page starts behind them.
    """
    low, high = where.keys()
    # What a filter leaves out has been read as well, so it is counted here and not in the table.
    # Without a filter, read no more than is shown, and one to know whether more follow.
    limit = {} if where.condition() else {"Limit": min(lines, max_read) + 1 + bool(after)}
    found: list[ErrorItem] = []
    read, last = 0, ""
    for item in _query_errors(stack, job_id, (max(low, after), high), limit):
        error = ErrorItem(items.plain(item))
        if error.error_id == after:
            continue
        if read == max_read or len(found) == lines:
            return found, read, last
        read, last = read + 1, error.error_id
        if where.selects(error):
            found.append(error)
    return found, read, ""


def delete_errors(stack: StackRef, job_id: str) -> int:
    """Delete all errors of a job from the tables; return how many there were.

    The list of its ranges goes last, so a deletion that fails can be repeated.

    Raises
    ------
    AwsError
    """
    dynamodb, (table, earlier) = stack.client("dynamodb"), _tables(stack)
    rows = 1, items.LAST_ROW
    number = 0
    with translated(f"deleting the errors of job {job_id!r}"):
        if table is not None:
            listed = error_ranges.query_list(job_id, items.row_range(*rows))
            ranges = list(error_ranges.query_items(dynamodb, table, listed, _LISTED))
            found = error_ranges.error_keys(dynamodb, table, job_id, *rows)
            number += _delete(dynamodb, table, found)
            _delete(dynamodb, table, ranges)
        found = error_ranges.earlier_keys(dynamodb, earlier, job_id, *rows)
        return number + _delete(dynamodb, earlier, found)


def _delete(dynamodb: Any, table: str, keys: Iterable[error_ranges.Key]) -> int:
    number = 0

    def requests() -> Iterator[dict[str, Any]]:
        nonlocal number
        for key in keys:
            number += 1
            yield {"DeleteRequest": {"Key": key}}

    try:
        aws.batch_write(dynamodb, table, requests())
    except TransientError as error:
        raise AwsError(
            f"throttled after {number_of(number, 'deletion')}, try again: {error}"
        ) from error
    return number


def _range_key(job_id: str, sort_key: str) -> error_ranges.Key:
    partition = items.error_partition(job_id, items.range_of_error(sort_key))
    return {"jobRange": {"S": partition}, "errorId": {"S": sort_key}}


def _earlier_key(job_id: str, sort_key: str) -> error_ranges.Key:
    return {"jobId": {"S": job_id}, "errorId": {"S": sort_key}}


def _query_errors(
    stack: StackRef, job_id: str, between: error_ranges.Bounds, options: Mapping[str, Any]
) -> Iterator[Any]:
    """Yield the items of both tables, in order, each once."""
    dynamodb, (table, earlier) = stack.client("dynamodb"), _tables(stack)
    query = error_ranges.query_earlier(job_id, between)
    found = [error_ranges.query_items(dynamodb, earlier, query, options)]
    if table is not None:  # of an error that is in both, the later one comes first
        found.insert(0, error_ranges.range_items(dynamodb, table, job_id, between, options))
    last = ""
    with translated(f"reading the errors of job {job_id!r}"):
        for item in merge(*found, key=_sort_key):
            if _sort_key(item) != last:
                last = _sort_key(item)
                yield item


def _sort_key(item: Any) -> str:
    return str(item["errorId"]["S"])


def _tables(stack: StackRef) -> tuple[str | None, str]:
    """Return the tables of errors; a stack from before ledger format 3 has the second only."""
    return stack.outputs.get("ErrorRangesTableName"), stack.outputs["ErrorTableName"]
