"""The proof that nothing was lost or doubled: when it holds, and when it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from batchcore import items, workflow
from support import JOB_TABLE, stack_ref

from batchops.core.errors import JobError
from batchops.core.job_ref import JobRef
from batchops.core.ledger import ChunkEntry, JobEntry
from batchops.inspection.balance import WHOLE, Balance, ErrorCount, job_balance, strike_balance

if TYPE_CHECKING:
    from support import Account

NONE = ErrorCount("tables", 0, 0)


def chunk(number: int, status: str, **counts: int) -> ChunkEntry:
    return ChunkEntry({"entry": items.chunk_entry(number), "status": status, **counts})


def balance(
    chunks: list[tuple[int, int, int]],
    rejected_rows: list[int],
    *,
    status: str = workflow.SUCCEEDED,
) -> Balance:
    """Strike the balance of chunks given as rows in, out and rejected."""
    entries = [
        chunk(number, workflow.SUCCEEDED, rows=rows, valid=valid, rejected=rejected)
        for number, (rows, valid, rejected) in enumerate(chunks, 1)
    ]
    job = JobEntry({"status": status, "rowsIn": sum(c[0] for c in chunks), "chunks": len(chunks)})
    counted = ErrorCount("tables", len(set(rejected_rows)), len(rejected_rows))
    return strike_balance(job, entries, [counted])


def test_rows_that_are_all_somewhere_balance() -> None:
    # A row that breaks two rules has two errors, and is one row.
    found = balance([(3, 2, 1), (2, 1, 1)], [2, 2, 6])
    assert found.holds
    assert "5 rows in = 3 out + 2 rejected, 2 rows with errors, 2 chunks: holds" in str(found)


@pytest.mark.parametrize("status", [workflow.ABORTED, workflow.FAILED, workflow.TIMED_OUT])
def test_balance_of_a_job_that_ended_before_its_merge_says_so(status: str) -> None:
    said = f"; the job ended {status}, and its results are not merged"
    assert said in str(balance([(3, 2, 1)], [2], status=status))
    assert said not in str(replace(balance([(3, 2, 1)], [2], status=status), completed_file=WHOLE))
    assert "not merged" not in str(balance([(3, 2, 1)], [2], status=workflow.RUNNING))


@pytest.mark.parametrize(
    ("chunks", "rejected_rows"),
    [
        ([(3, 1, 1), (2, 2, 0)], [2]),  # lost
        ([(3, 3, 1), (2, 2, 0)], [2]),  # doubled
        ([(3, 1, 1), (2, 3, 0)], [2]),  # lost in one chunk, doubled in another
        ([(3, 2, 1)], []),  # rejected without a reason
        ([(3, 3, 0)], [2]),  # a reason of a row that went out
        ([], []),  # nothing was ever counted
    ],
)
def test_rows_lost_doubled_or_without_reason_do_not(
    chunks: list[tuple[int, int, int]], rejected_rows: list[int]
) -> None:
    found = balance(chunks, rejected_rows)
    assert not found.holds
    assert "DOES NOT HOLD" in str(found)


def test_chunk_without_a_result_is_named() -> None:
    job = JobEntry({"status": workflow.FAILED, "rowsIn": 4, "chunks": 2})
    done = chunk(1, workflow.SUCCEEDED, rows=2, valid=2, rejected=0)
    found = strike_balance(job, [done, chunk(2, workflow.FAILED)], [NONE])
    assert found.unbalanced == (2,)
    assert str(found).endswith(
        "DOES NOT HOLD; the job ended FAILED, and its results are not merged; "
        "unbalanced chunks: 2; counted: 0 errors of 0 rows in tables"
    )


@pytest.mark.parametrize("status", [workflow.SUBMITTED, workflow.RUNNING])
def test_job_that_is_not_through_does_not_hold_yet(status: str) -> None:
    found = strike_balance(JobEntry({"status": status, "rowsIn": 4, "chunks": 1}), [], [NONE])
    assert not found.holds
    assert f"does not hold yet, the job is {status}" in str(found)


@pytest.mark.parametrize("status", [workflow.FAILED, workflow.ABORTED, workflow.TIMED_OUT])
def test_a_file_of_which_no_row_was_taken_is_no_alarm(status: str) -> None:
    found = strike_balance(JobEntry({"status": status}), [], [NONE])
    assert found.holds
    assert f"nothing to balance: the job ended {status}" in str(found)


def test_errors_of_a_file_that_was_never_split_are_an_alarm() -> None:
    counted = ErrorCount("ErrorTable", 1, 1)
    assert not strike_balance(JobEntry({"status": workflow.FAILED}), [], [counted]).holds


def test_chunks_whose_entries_have_expired_are_no_broken_balance(account: Account) -> None:
    """A rerun renews the job's entry, and not those of the chunks that it does not run."""
    counts = {"rowsIn": 9, "rowsOut": 7, "rowsRejected": 2, "chunks": 2}
    account.put_entry("a-1", items.JOB_ENTRY, status=workflow.SUCCEEDED, attempt=2, ttl=1, **counts)
    account.put_entry("a-1", items.chunk_entry(2), status=workflow.SUCCEEDED, attempt=2)
    stack = stack_ref(outputs={"JobTableName": JOB_TABLE}, dynamodb=account.dynamodb)
    with pytest.raises(JobError, match=r"1 of 2 entries .* expired .* 9 rows in = 7 out .* 2"):
        job_balance(JobRef(stack, "a-1"))
