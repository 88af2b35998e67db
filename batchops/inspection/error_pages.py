"""A job's errors a page at a time, filtered by the table, reading no more than a page takes."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchcore import items
from botocore.exceptions import BotoCoreError, ClientError

from batchops import frames
from batchops.errors import InputError, translate
from batchops.views import markup, texts

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job
    from batchops.ledger import Entry

# Read at most for one page, so that a filter that fits nothing ends too: a query's page has 1 MB
# (Amazon DynamoDB API reference), which is some 2,000 errors, so this is three or four of them.
MAX_READ = 5_000
_SHOWN = ("source_row", "column", "rule", "value", "message", "stage", "chunk")
_LAST_ROW = 9_999_999_999  # a sort key has ten digits for the row


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
        texts_wanted = {"column": self.column, "rule": self.rule, "stage": self.stage}
        wanted = {name: {"S": text} for name, text in texts_wanted.items() if text is not None}
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
        if wanted:
            request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in wanted)
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in wanted}
        return request


@dataclass(frozen=True)
class ErrorPage:
    """One page of a job's errors.

    Attributes
    ----------
    errors : DataFrame
        As `Job.errors` has them, by row.
    read : int
        Errors that were read for it.
    next : str
        What `Job.error_page` takes as `after` to go on; empty at the end.
    total : int or None
        The job's errors in all, whatever the filter; None before it has succeeded.
    """

    errors: pd.DataFrame = field(compare=False)
    read: int
    next: str
    total: int | None = None

    @property
    def next_row(self) -> int | None:
        """The row that the next page goes on from; None at the end."""
        return int(self.next.split("#", 1)[0]) if self.next else None

    def _title(self) -> str:
        text = f"{len(self.errors):,} errors"
        if self.read > len(self.errors):
            text += f" of {self.read:,} looked at"
        if self.next:
            text += f", up to row {self.next_row:,}; there may be more"
        if self.total is not None:
            text += f"; {self.total:,} in the job in all"
        return text

    def _rows(self) -> list[list[str]]:
        return [[str(cell) for cell in row] for row in self.errors[[*_SHOWN]].to_numpy()]

    def __str__(self) -> str:
        """Say it as a table."""
        rows = self._rows()
        return self._title() + ("\n" + texts.text_table(_SHOWN, rows) if rows else "")

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._title())}</p>{markup.table(_SHOWN, self._rows())}"


def error_page(
    job: Job,
    *,
    where: ErrorFilter | None = None,
    after: str = "",
    lines: int = 50,
    max_read: int = MAX_READ,
) -> ErrorPage:
    """Return a page of a job's errors.

    Parameters
    ----------
    where
        Which errors; by default all.
    after
        The `next` of the page before; by default from the first on.
    lines
        Errors on the page at most.
    max_read
        Errors to read at most; what is behind them is the next page's.

    Raises
    ------
    InputError
        If the filter's rows are no range, or `lines` or `max_read` is below 1.
    JobNotFoundError, AwsError
    """
    if min(lines, max_read) < 1:
        raise InputError(f"lines={lines}, max_read={max_read}: give at least 1 of each")
    request = (where or ErrorFilter()).request(job.id)
    request["TableName"] = job.stack.outputs["ErrorTableName"]
    found: list[Entry] = []
    total, read = job.entry().get("errors"), 0
    while read < max_read and len(found) < lines:
        # Without a filter no more is read than is shown.
        request["Limit"] = max_read - read if "FilterExpression" in request else lines - len(found)
        if after:
            request["ExclusiveStartKey"] = {"jobId": {"S": job.id}, "errorId": {"S": after}}
        page, count, after = _query(job, request)
        read += count
        found += page
        if not after:
            break
    if len(found) > lines:
        found, after = found[:lines], found[lines - 1]["errorId"]
    return ErrorPage(frames.errors_frame(found), read=read, next=after, total=total)


def _query(job: Job, request: dict[str, Any]) -> tuple[list[Entry], int, str]:
    """Return the errors of one query, how many it read, and the id of the last one read."""
    try:
        answer = job.stack.client("dynamodb").query(**request)
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing=f"reading the errors of job {job.id!r}") from error
    last = answer.get("LastEvaluatedKey", {}).get("errorId", {}).get("S", "")
    return [items.plain(item) for item in answer["Items"]], answer["ScannedCount"], last
