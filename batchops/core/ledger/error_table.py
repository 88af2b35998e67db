"""Read the errors of rejected rows from ErrorTable, and delete those of a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import aws, items
from batchcore.error_files import COLUMNS

from batchops.core.errors import InputError, translated
from batchops.core.ledger.lookups import look_up

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

_LAST_ROW = 9_999_999_999  # a sort key has ten digits for the row

_VALUES = {
    "ProjectionExpression": "errorId, #value",
    "ExpressionAttributeNames": {"#value": "value"},
}
_DTYPES = {
    "source_row": "int64",
    "chunk": "int64",
    "attempt": "int64",
    "time": "datetime64[ms, UTC]",
}
# The columns of the errors' DataFrame, each with the item's attribute and the dtype. A new
# attribute is set by `batchcore.records.reject` and listed in `batchcore.error_files`; earlier
# items lack it.
ERROR_COLUMNS = {name: (attribute, _DTYPES.get(name, "str")) for name, attribute in COLUMNS.items()}


@dataclass(frozen=True)
class ErrorItem:
    """One rule that one row breaks.

    Attributes
    ----------
    item : mapping
        The error's attributes by their names in the table, see `ERROR_COLUMNS`.
    """

    item: Mapping[str, Any]

    @classmethod
    def of_line(cls, values: Sequence[str]) -> ErrorItem:
        """Return the error that a line of the errors' file describes."""
        item: dict[str, str | int] = dict(zip(COLUMNS.values(), values, strict=True))
        return cls(item | {name: int(item[name]) for name in ("sourceRow", "chunk", "attempt")})

    @property
    def error_id(self) -> str:
        """The sort key: row, column and rule."""
        return str(self.item["errorId"])

    @property
    def source_row(self) -> int:
        """The row in the uploaded file, the header being row 1."""
        return int(self.item["sourceRow"])

    @property
    def stage(self) -> str:
        """The step that found it."""
        return str(self.item["stage"])

    @property
    def column(self) -> str:
        """The column; empty for the row as a whole."""
        return str(self.item["column"])

    @property
    def rule(self) -> str:
        """The rule."""
        return str(self.item["rule"])

    @property
    def value(self) -> str:
        """The value that breaks it."""
        return str(self.item["value"])

    @property
    def raw(self) -> str:
        """The row's text; in the errors' file only the row's first error has it."""
        return str(self.item.get("raw", ""))


@dataclass(frozen=True)
class ErrorFilter:
    """Which errors to read; a criterion that is None selects all.

    Attributes
    ----------
    first_row, last_row : int or None
        Rows of the uploaded file, both inclusive, the header being row 1. Only this criterion saves
        reads; the others are applied to what was read.
    column, rule, stage : str or None
        Exactly as in `Job.errors`.
    chunk : int or None
        The chunk's number.
    """

    first_row: int | None = None
    last_row: int | None = None
    column: str | None = None
    rule: str | None = None
    stage: str | None = None
    chunk: int | None = None

    def selects(self, error: ErrorItem) -> bool:
        """Tell whether an error fits all criteria but the rows."""
        wanted = ((name, getattr(self, name)) for name in ("column", "rule", "stage", "chunk"))
        return all(value is None or error.item[name] == value for name, value in wanted)

    def request(self, job_id: str) -> dict[str, Any]:
        """Return the arguments of the query.

        Raises
        ------
        InputError
            If the rows are not a range.
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


def stored_errors(
    stack: StackRef, job_id: str, where: ErrorFilter | None = None
) -> Iterator[ErrorItem]:
    """Yield a job's errors by row, column and rule; at most one page of 1 MB is in memory.

    Parameters
    ----------
    where
        Which errors; by default all.
    """
    for page in _query_errors(stack, job_id, (where or ErrorFilter()).request(job_id)):
        for item in page["Items"]:
            yield ErrorItem(items.plain(item))


def rejected_rows(stack: StackRef, job_id: str, first_row: int, last_row: int) -> set[int]:
    """Return the rows of a range, both ends inclusive, that have errors."""
    request = ErrorFilter(first_row=first_row, last_row=last_row).request(job_id)
    pages = _query_errors(stack, job_id, {**request, "ProjectionExpression": "sourceRow"})
    return {int(item["sourceRow"]["N"]) for page in pages for item in page["Items"]}


def error_values(
    stack: StackRef, job_id: str, wanted: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], str]:
    """Return the values of single errors by row, column and rule; those that are gone are missing.

    If a row breaks a rule of a column several times, it is the first.
    """
    table, doing = stack.outputs["ErrorTableName"], f"looking up errors of job {job_id!r}"
    by_id = {items.error_id(*each): each for each in wanted}
    keys = [{"jobId": {"S": job_id}, "errorId": {"S": each}} for each in by_id]
    found = look_up(stack, table, keys, doing=doing, options=_VALUES)
    return {by_id[item["errorId"]]: item["value"] for item in found}


def _query_errors(stack: StackRef, job_id: str, request: Mapping[str, Any]) -> Iterator[Any]:
    dynamodb, table = _error_table(stack)
    with translated(f"reading the errors of job {job_id!r}"):
        yield from dynamodb.get_paginator("query").paginate(TableName=table, **request)


def count_errors(stack: StackRef, job_id: str) -> int:
    """Return how many errors of a job the table has."""
    request = {**ErrorFilter().request(job_id), "Select": "COUNT"}
    return sum(int(page["Count"]) for page in _query_errors(stack, job_id, request))


def delete_errors(stack: StackRef, job_id: str) -> int:
    """Delete all errors of a job, and return how many there were."""
    dynamodb, table = _error_table(stack)
    request = {**ErrorFilter().request(job_id), "ProjectionExpression": "jobId, errorId"}
    deleted = 0
    for page in _query_errors(stack, job_id, request):
        gone = [{"DeleteRequest": {"Key": key}} for key in page["Items"]]
        with translated(f"deleting the errors of job {job_id!r}"):
            aws.batch_write(dynamodb, table, gone)
        deleted += len(gone)
    return deleted


def stored_error_page(
    stack: StackRef, job_id: str, where: ErrorFilter, *, after: str, lines: int, max_read: int
) -> tuple[list[ErrorItem], int, str]:
    """Return a page of errors, how many were read for it, and the id after which to go on.

    Parameters
    ----------
    after
        The id of the last error of the page before; empty for the first page.
    lines
        The most errors on the page.
    max_read
        The most errors to read; the next page starts behind them.
    """
    dynamodb, table = _error_table(stack)
    request = {"TableName": table, **where.request(job_id)}
    found: list[ErrorItem] = []
    read = 0
    while read < max_read and len(found) < lines:
        # Without a filter, read no more than is shown.
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


def _error_table(stack: StackRef) -> tuple[Any, str]:
    return stack.client("dynamodb"), stack.outputs["ErrorTableName"]
