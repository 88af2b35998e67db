"""Errors by page: each of them once, filtered by the table, and no more read than a page takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import support
from batchcore import error_ranges, items, workflow

from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.inspection import frames
from batchops.inspection.error_pages import MAX_READ, ErrorFilter, ErrorPage, error_page

JOB = "orders-0123456789ab"


def error(number: int, **changed: Any) -> dict[str, Any]:
    """Return the error of a row, in one of three columns."""
    column = ("Country", "Region", "uuid")[number % 3]
    return {
        "jobRange": items.error_partition(JOB, items.range_of_error(items.row_prefix(number))),
        "errorId": f"{items.row_prefix(number)}{column}#maxLength",
        "sourceRow": number,
        "column": column,
        "rule": "maxLength",
        "value": "<b>x</b>",
        "message": f"{column} is too long",
        "limit": "9",
        "stage": "validate",
        "uuid": "271828183",
        "raw": "raw",
        "chunk": 1 + number // 100,
        "attempt": 1,
        "time": support.START_TIME,
    } | changed


def job_of(dynamodb: Any) -> JobRef:
    tables = {**support.ERROR_TABLES, "JobTableName": support.JOB_TABLE}
    return JobRef(support.stack_ref(outputs=tables, dynamodb=dynamodb), JOB)


@pytest.fixture
def job(account: support.Account) -> JobRef:
    """A job with 120 errors, one a row from row 2 on."""
    account.put_entry(JOB, items.JOB_ENTRY, status=workflow.SUCCEEDED, errors=120)
    batch = [{"PutRequest": {"Item": items.attributes(error(n))}} for n in range(2, 122)]
    batch += error_ranges.list_requests(JOB, range(2, 122), ttl=2_000_000_000)
    for start in range(0, len(batch), 25):
        request = {support.ERROR_TABLE: batch[start : start + 25]}
        account.dynamodb.batch_write_item(RequestItems=request)
    return job_of(account.dynamodb)


def walk(job: JobRef, **options: Any) -> list[ErrorPage]:
    pages = [error_page(job, **options)]
    while pages[-1].next:
        pages.append(error_page(job, after=pages[-1].next, **options))
        assert len(pages) < 200
    return pages


def rows(pages: list[ErrorPage]) -> list[int]:
    return [int(row) for page in pages for row in page.errors["source_row"]]


@pytest.mark.parametrize("lines", [7, 50, 120, 500])
def test_pages_hold_every_error_once_in_order(job: JobRef, lines: int) -> None:
    pages = walk(job, lines=lines)
    assert rows(pages) == list(range(2, 122))
    assert max(len(page.errors) for page in pages) <= lines
    assert {page.total for page in pages} == {120}


@pytest.mark.slow
@pytest.mark.parametrize("max_read", [4, 5_000])
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (ErrorFilter(column="uuid"), [n for n in range(2, 122) if n % 3 == 2]),
        (ErrorFilter(first_row=10, last_row=12), [10, 11, 12]),
        (ErrorFilter(last_row=3), [2, 3]),
        (ErrorFilter(first_row=120), [120, 121]),
        (ErrorFilter(chunk=2, column="Region"), [100, 103, 106, 109, 112, 115, 118, 121]),
        (ErrorFilter(rule="enum"), []),
        (ErrorFilter(stage="validate", rule="maxLength", first_row=120), [120, 121]),
    ],
)
def test_pages_of_a_filter_hold_what_fits_it(
    job: JobRef, where: ErrorFilter, expected: list[int], max_read: int
) -> None:
    pages = walk(job, where=where, lines=5, max_read=max_read)
    assert rows(pages) == expected
    assert max(page.read for page in pages) <= max(max_read, 5)


def test_page_has_the_columns_of_all_errors_even_without_lines(job: JobRef) -> None:
    page = error_page(job, where=ErrorFilter(rule="none"))
    assert list(page.errors.dtypes.items()) == list(frames.errors_frame([]).dtypes.items())


def test_page_says_how_far_it_read(job: JobRef) -> None:
    page = error_page(job, where=ErrorFilter(column="uuid"), lines=2)
    assert page.next_row == 5
    assert str(page).startswith(
        "2 errors of 4 looked at, up to row 5; there may be more; the job has 120"
    )


@pytest.mark.parametrize("options", [{"lines": 0}, {"max_read": 0}])
def test_page_of_nothing_is_refused(job: JobRef, options: Any) -> None:
    with pytest.raises(InputError, match="at least 1"):
        error_page(job, **options)


@pytest.mark.parametrize(("first", "last"), [(5, 4), (0, 4), (1, 10**10)])
def test_rows_that_are_no_range_are_refused(job: JobRef, first: int, last: int) -> None:
    with pytest.raises(InputError, match="no range"):
        error_page(job, where=ErrorFilter(first_row=first, last_row=last))


@dataclass
class ManyErrors:
    """A DynamoDB that holds an error for each row, and gives at most 2,000 (1 MB) a query."""

    rows: int
    calls: list[str] = field(default_factory=list)
    read: int = 0

    def get_item(self, **_: Any) -> dict[str, Any]:
        merged = {"jobId": JOB, "status": workflow.SUCCEEDED, "errors": self.rows}
        return {"Item": items.attributes(merged)}

    def get_paginator(self, _: str) -> ManyErrors:
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        """Yield the pages of a query; each is counted when it is asked for."""
        values = request["ExpressionAttributeValues"]
        table, partition = request["TableName"], values[":partition"]["S"]
        found: list[dict[str, Any]] = []
        if partition == error_ranges.list_partition(JOB):
            found = [{"errorId": f"{n:06d}"} for n in range(self.rows // items.RANGE_ROWS + 1)]
        elif table == support.ERROR_TABLE:
            start = int(partition.rpartition("#")[2]) * items.RANGE_ROWS
            found = [error(n) for n in range(max(start, 1), start + items.RANGE_ROWS)]
        size = request.get("Limit", 2_000)
        for begin in range(0, max(len(found), 1), size):
            page = found[begin : begin + size]
            self.calls.append(table)
            self.read += len(page) if partition != error_ranges.list_partition(JOB) else 0
            yield {"Items": list(map(items.attributes, page))}


@pytest.mark.parametrize("column", [None, "Country", "no such column"])
def test_page_of_100000_errors_takes_few_calls_and_little_html(column: str | None) -> None:
    table = ManyErrors(100_000)
    page = error_page(job_of(table), where=ErrorFilter(column=column))
    # The list, the errors, and those that an earlier stack may have left.
    assert len(table.calls) <= (3 if column is None else 2 + 3)
    assert table.read <= (51 if column is None else MAX_READ + 2_000)
    assert len(page.errors) == (0 if column == "no such column" else 50)
    assert len(page._repr_html_()) < 20_000
    assert page.next
    assert page.total == 100_000
