"""Of two attempts at a job one goes on, and the other is told so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, workflow
from support import JOB_TABLE

from batchops.core.errors import JobRunningError
from batchops.core.ledger.claims import PENDING, mark_pending

if TYPE_CHECKING:
    from support import Account

JOB = "orders-000000000001"
CHUNKS = [{"entry": items.chunk_entry(number), "rows": 600} for number in (1, 2)]


@pytest.fixture
def job(account: Account) -> Any:
    outputs = {"JobTableName": JOB_TABLE}
    stack = SimpleNamespace(client=lambda _: account.dynamodb, outputs=outputs)
    return SimpleNamespace(id=JOB, stack=stack)


def test_marked_chunks_have_no_result_any_more(job: Any, account: Account) -> None:
    account.put_entry(JOB, CHUNKS[0]["entry"], status=workflow.SUCCEEDED, attempt=1, valid=600)
    mark_pending(job, 2, CHUNKS)
    for chunk in CHUNKS:
        entry = account.entry(JOB, chunk["entry"])
        assert (entry["status"], entry["attempt"], entry["rows"]) == (PENDING, 2, 600)
        assert "valid" not in entry


def test_chunk_that_a_later_attempt_has_taken_over_is_left_to_it(
    job: Any, account: Account
) -> None:
    account.put_entry(JOB, CHUNKS[1]["entry"], status=workflow.RUNNING, attempt=3)
    before = account.entry(JOB, CHUNKS[1]["entry"])
    with pytest.raises(JobRunningError, match="taken up elsewhere"):
        mark_pending(job, 2, CHUNKS)
    assert account.entry(JOB, CHUNKS[1]["entry"]) == before
