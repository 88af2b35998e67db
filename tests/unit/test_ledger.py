"""The ledger and the error table as the client reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, keys, workflow
from support import ERROR_TABLES, HEADER, JOB_TABLE, context, job_event, row, stack_ref

from batchops.core import ledger
from batchops.core.errors import AwsError, InputError, JobNotFoundError, StackError
from batchops.core.job_ref import JobRef

if TYPE_CHECKING:
    from support import Account, LoadApp

    from batchops.core.stack_ref import StackRef

JOB = "orders-000000000001"
OTHER = "orders-000000000002"


@pytest.fixture
def stack(account: Account) -> StackRef:
    tables = {"JobTableName": JOB_TABLE, **ERROR_TABLES}
    return stack_ref(outputs=tables, dynamodb=account.dynamodb)


def put_chunks(account: Account, *numbers: int, job: str = JOB) -> None:
    for number in numbers:
        entry, rows = items.chunk_entry(number), 600 + number
        account.put_entry(job, entry, status=workflow.SUCCEEDED, attempt=1, rows=rows, rejected=1)


def put_job(account: Account, job: str, time: str, **values: Any) -> None:
    given = {"listed": items.LISTED, "startTime": time, "status": workflow.SUCCEEDED, "attempt": 1}
    account.put_entry(job, items.JOB_ENTRY, key=f"input/{job}.csv", **{**given, **values})


# ----------------------------------------------------------------------------- JobTable


def test_job_entry_is_none_until_the_ledger_has_it(stack: StackRef, account: Account) -> None:
    assert ledger.job_entry(stack, JOB) is None
    with pytest.raises(JobNotFoundError, match="look in the list of jobs"):
        JobRef(stack, JOB).ledger_entry()
    account.put_entry(JOB, items.JOB_ENTRY, status=workflow.SUBMITTED, attempt=1)
    entry = JobRef(stack, JOB).ledger_entry()
    assert (entry.status, entry.attempt, entry.was_split) == (workflow.SUBMITTED, 1, False)


def test_chunks_come_in_order_and_nothing_else_does(stack: StackRef, account: Account) -> None:
    put_chunks(account, 10, 2, 1)
    put_chunks(account, 3, job=OTHER)
    account.put_entry(JOB, items.JOB_ENTRY, status=workflow.RUNNING, attempt=1)
    found = list(JobRef(stack, JOB).chunk_entries())
    assert [(chunk.number, chunk.rows) for chunk in found] == [(1, 601), (2, 602), (10, 610)]
    assert list(ledger.chunk_entries(stack, "unknown-000000000003")) == []


def test_a_tally_reads_no_more_of_a_chunk_than_it_needs(stack: StackRef, account: Account) -> None:
    put_chunks(account, 1, 2, 3)
    account.put_entry(JOB, items.chunk_entry(2), stepMs={"read": 7}, executionArn="arn", cause="c")
    tallied = [*ledger.chunk_entries_from(stack, JOB, 2)]
    assert [chunk.number for chunk in tallied] == [2, 3]
    picked = [*ledger.some_chunk_entries(stack, JOB, {1, 3, 9})]
    assert sorted(chunk.number for chunk in picked) == [1, 3]
    for chunk in (*tallied, *picked):
        assert (chunk.status, chunk.attempt, chunk.rejected) == (workflow.SUCCEEDED, 1, 1)
        assert chunk.rows == 600 + chunk.number
        assert chunk.valid is None
        assert chunk.step_ms == ({"read": 7} if chunk.number == 2 else {})
        assert chunk.cause == ""
        assert "executionArn" not in chunk.item


def test_no_chunks_are_asked_for_with_no_request() -> None:
    assert list(ledger.some_chunk_entries(stack_ref(outputs={}), JOB, ())) == []


def test_job_has_its_counts_from_the_split_on(
    load_app: LoadApp, account: Account, stack: StackRef
) -> None:
    data = HEADER + b"".join(row(f"{n:09}") for n in range(5))
    version = account.put("input/orders.csv", data)
    account.put_entry(JOB, items.JOB_ENTRY, status=workflow.SUBMITTED, attempt=1, chunkRows=0)
    before = JobRef(stack, JOB).ledger_entry()
    assert (before.was_split, before.rows_in, before.chunks, before.manifest_key) == (
        False,
        0,
        0,
        None,
    )
    event = job_event(JOB, versionId=version, sizeBytes=len(data))
    load_app("split-ip-file").lambda_handler(event, context())
    entry = JobRef(stack, JOB).ledger_entry()
    assert (entry.was_split, entry.rows_in, entry.chunks) == (True, 5, 1)
    assert (entry.chunk_rows, entry.manifest_key) == (600, keys.manifest(JOB, 1))
    assert set(entry.header_versions) == {"output", "rejects"}
    assert (entry.rows_out, entry.rows_rejected, entry.errors) == (None, None, None)


@pytest.fixture
def listed(account: Account) -> None:
    """Three jobs, an hour apart."""
    put_job(account, JOB, "2026-11-23T06:00:00.000Z")
    put_job(account, OTHER, "2026-11-23T07:00:00.000Z", status=workflow.FAILED)
    put_job(account, "sales-000000000003", "2026-11-23T08:00:00.000Z")
    put_chunks(account, 1)


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        ({}, ["sales-000000000003", OTHER, JOB]),
        ({"limit": 2}, ["sales-000000000003", OTHER]),
        ({"since": datetime(2026, 11, 23, 7, tzinfo=UTC)}, ["sales-000000000003", OTHER]),
        ({"status": workflow.FAILED}, [OTHER]),
        ({"name": "orders"}, [OTHER, JOB]),
        ({"name": "orders", "status": workflow.SUCCEEDED}, [JOB]),
        ({"name": "orders", "limit": 1}, [OTHER]),
    ],
)
@pytest.mark.usefixtures("listed")
def test_jobs_come_newest_first_and_filtered(
    stack: StackRef, options: dict[str, Any], jobs: list[str]
) -> None:
    found = ledger.recent_jobs(stack, **{"limit": 9, **options})
    assert [entry.job_id for entry in found] == jobs


@pytest.mark.usefixtures("listed")
def test_jobs_are_counted_without_their_chunks(stack: StackRef) -> None:
    assert ledger.count_jobs(stack) == 3


# --------------------------------------------------------------------------- ErrorTable


@pytest.fixture
def errors(account: Account) -> None:
    """Of each of the rows 2 to 11 one error, in turn of two columns; row 2 has two."""
    for number in range(2, 12):
        column = ("Country", "Region")[number % 2]
        account.put_error(
            JOB,
            f"{items.row_prefix(number)}{column}#enum",
            sourceRow=number,
            column=column,
            rule="enum",
            stage="validate" if number < 11 else "enrich",
            chunk=1 if number < 7 else 2,
            value="x",
        )
    values = {"sourceRow": 2, "column": "uuid", "rule": "pattern", "stage": "validate", "chunk": 1}
    account.put_error(JOB, f"{items.row_prefix(2)}uuid#pattern", value="y", **values)
    account.put_error(OTHER, f"{items.row_prefix(3)}uuid#pattern", **{**values, "sourceRow": 3})


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (None, [2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (ledger.ErrorFilter(first_row=10), [10, 11]),
        (ledger.ErrorFilter(last_row=2), [2, 2]),
        (ledger.ErrorFilter(column="Region"), [3, 5, 7, 9, 11]),
        (ledger.ErrorFilter(rule="pattern"), [2]),
        (ledger.ErrorFilter(stage="enrich"), [11]),
        (ledger.ErrorFilter(chunk=2), [7, 8, 9, 10, 11]),
        (ledger.ErrorFilter(chunk=2, column="Country", last_row=9), [8]),
        (ledger.ErrorFilter(column="nothing"), []),
    ],
)
@pytest.mark.usefixtures("errors")
def test_errors_come_by_row_and_filtered(
    stack: StackRef, where: ledger.ErrorFilter | None, rows: list[int]
) -> None:
    assert [error.source_row for error in ledger.stored_errors(stack, JOB, where)] == rows


@pytest.mark.usefixtures("errors")
def test_rejected_rows_are_those_with_errors_each_once(stack: StackRef) -> None:
    assert ledger.rejected_rows(stack, JOB, 1, 4) == {2, 3, 4}
    assert ledger.rejected_rows(stack, JOB, 12, 99) == set()


@pytest.mark.parametrize("rows", [(5, 4), (0, 4), (1, 10_000_000_000)])
def test_rows_that_are_no_range_are_refused(rows: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="are no range"):
        ledger.ErrorFilter(first_row=rows[0], last_row=rows[1]).keys()


@pytest.mark.usefixtures("errors")
def test_pages_of_errors_follow_each_other_without_gap_or_overlap(stack: StackRef) -> None:
    def pages(where: ledger.ErrorFilter, **limits: int) -> list[list[int]]:
        found, after = [], ""
        while True:
            page, read, after = ledger.stored_error_page(stack, JOB, where, after=after, **limits)
            assert read <= limits["max_read"]
            found.append([error.source_row for error in page])
            if not after:
                return found

    everything = ledger.ErrorFilter()
    assert pages(everything, lines=4, max_read=100) == [[2, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
    # What the filter leaves out counts as read: a page may have fewer lines than it could.
    regions = pages(ledger.ErrorFilter(column="Region"), lines=4, max_read=6)
    assert [row for page in regions for row in page] == [3, 5, 7, 9, 11]
    assert max(map(len, regions)) <= 4


SPREAD = [2, 9_999, 10_000, 10_001, 25_000, 1_000_000_007]


def put_spread(account: Account, *rows: int, job: str = JOB, earlier: bool = False) -> None:
    """Store an error of each row, in the table that errors are in or in the one of before."""
    put = account.put_earlier_error if earlier else account.put_error
    values = {"column": "uuid", "rule": "pattern", "stage": "validate", "chunk": 1}
    for number in rows:
        value = "earlier" if earlier else "later"
        put(
            job,
            items.error_id(number, "uuid", "pattern"),
            sourceRow=number,
            value=value,
            **values,
        )


@pytest.mark.parametrize(
    ("earlier", "later"),
    [([], SPREAD), (SPREAD, []), (SPREAD[::2], SPREAD[1::2]), (SPREAD[:4], SPREAD[3:])],
    ids=["later", "earlier", "both", "one in both"],
)
def test_errors_of_both_tables_are_read_as_one(
    stack: StackRef, account: Account, earlier: list[int], later: list[int]
) -> None:
    put_spread(account, *earlier, earlier=True)
    put_spread(account, *later)
    put_spread(account, 3, job=OTHER)
    put_spread(account, 4, job=OTHER, earlier=True)
    found = [(each.source_row, each.value) for each in ledger.stored_errors(stack, JOB)]
    wanted = [(row, "later" if row in later else "earlier") for row in SPREAD]
    assert found == wanted
    assert ledger.rejected_rows(stack, JOB, 9_999, 25_000) == {9_999, 10_000, 10_001, 25_000}
    keys_of = [(row, "uuid", "pattern") for row in (*SPREAD, 77)]
    values = ledger.error_values(stack, JOB, keys_of)
    assert {row: value for (row, _, _), value in values.items()} == dict(wanted)
    pages, after = [], ""
    where = ledger.ErrorFilter(first_row=3)
    while not pages or after:
        page, _, after = ledger.stored_error_page(
            stack, JOB, where, after=after, lines=2, max_read=9
        )
        pages.append([error.source_row for error in page])
    assert pages == [SPREAD[1:3], SPREAD[3:5], SPREAD[5:]]


def test_stack_of_an_earlier_format_has_the_earlier_table_only(account: Account) -> None:
    outputs = {"ErrorTableName": ERROR_TABLES["ErrorTableName"]}
    stack = stack_ref(outputs=outputs, dynamodb=account.dynamodb)
    put_spread(account, 2, 3, earlier=True)
    put_spread(account, 4)
    assert ledger.rejected_rows(stack, JOB, 1, 9) == {2, 3}
    assert set(ledger.error_values(stack, JOB, [(2, "uuid", "pattern")]).values()) == {"earlier"}
    assert ledger.delete_errors(stack, JOB) == 2


def test_errors_of_a_job_are_deleted_from_both_tables_and_no_others(
    stack: StackRef, account: Account
) -> None:
    put_spread(account, *SPREAD)
    put_spread(account, 7, 8, earlier=True)
    put_spread(account, 3, job=OTHER)
    put_spread(account, 4, job=OTHER, earlier=True)
    assert ledger.count_errors(stack, JOB) == len(SPREAD) + 2
    assert ledger.delete_errors(stack, JOB) == len(SPREAD) + 2
    for table in ERROR_TABLES.values():
        assert all(OTHER in str(item) for item in account.scan(table))
    assert [error.source_row for error in ledger.stored_errors(stack, OTHER)] == [3, 4]
    assert ledger.count_errors(stack, JOB) == ledger.delete_errors(stack, JOB) == 0


# ------------------------------------------------------------------------------ refusal


def test_table_that_is_gone_is_an_error_of_ours(stack: StackRef, account: Account) -> None:
    for table in (JOB_TABLE, *ERROR_TABLES.values()):
        account.dynamodb.delete_table(TableName=table)
    reads = [
        lambda: ledger.job_entry(stack, JOB),
        lambda: list(ledger.chunk_entries(stack, JOB)),
        lambda: list(ledger.some_chunk_entries(stack, JOB, [1])),
        lambda: list(ledger.recent_jobs(stack, limit=1)),
        lambda: ledger.count_jobs(stack),
        lambda: list(ledger.stored_errors(stack, JOB)),
        lambda: ledger.stored_error_page(
            stack, JOB, ledger.ErrorFilter(), after="", lines=1, max_read=1
        ),
        lambda: ledger.mark_pending(stack, JOB, 2, [(items.chunk_entry(1), 1)]),
    ]
    for read in reads:
        with pytest.raises(AwsError, match="while "):
            read()


def test_output_that_a_stack_lacks_is_an_error_that_says_what_to_do(account: Account) -> None:
    stack = stack_ref(outputs={"JobTableName": JOB_TABLE}, dynamodb=account.dynamodb)
    with pytest.raises(StackError, match=r"no output 'ErrorTableName'.*deploy it again") as caught:
        list(ledger.stored_errors(stack, JOB))
    assert caught.value.stack_name == stack.name
    assert "ErrorTableName" not in stack.outputs
    assert stack.outputs.get("ErrorTableName") is None
    assert stack.outputs.JobTableName == JOB_TABLE
    with pytest.raises(AttributeError, match="it has JobTableName"):
        _ = stack.outputs.ErrorTableName
