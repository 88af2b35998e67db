"""Read File: a chunk's CSV becomes records, and the ledger says that the chunk runs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from batchcore import items, keys, workflow
from batchcore.errors import StaleAttemptError, TransientError
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from support import BUCKET, HEADER, START_TIME, chunk_event, context, row

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

JOB = "orders-000000000001"


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("read-file")


def test_each_row_becomes_a_record_with_its_number_in_the_file(
    app: ModuleType, account: Account
) -> None:
    account.put(keys.chunk(JOB, 3), HEADER + row("111111111") + b"\n" + row("222222222"))
    result = app.lambda_handler(
        account.stored(chunk_event(JOB, number=3, first_row=40, rows=2)), context()
    )
    assert result["rows"] == 2
    assert result["rejected"] == 0
    assert result["key"] == keys.records(JOB, 3)
    head = account.s3.head_object(Bucket=BUCKET, Key=result["key"])
    assert result["versionId"] == head["VersionId"]
    records = account.rows(result["key"])
    # The blank line between them is counted, and is no record.
    assert [(r["row"], r["fields"]["uuid"]) for r in records] == [
        (40, "111111111"),
        (42, "222222222"),
    ]
    assert records[0]["raw"] == row("111111111").decode()


def test_rows_with_a_wrong_number_of_fields_or_bytes_are_rejected(
    app: ModuleType, account: Account
) -> None:
    latin = row("333333333", Country="COTE").replace(b"COTE", b"C\xf4te")
    short, long = b"111111111,Ghana\n", row("222222222", Country="Congo, Republic of")
    account.put(keys.chunk(JOB, 1), HEADER + short + long + latin + row("444444444"))
    result = app.lambda_handler(account.stored(chunk_event(JOB, rows=4)), context())
    assert (result["rows"], result["rejected"]) == (4, 3)
    records = account.rows(result["key"])
    rules = [[e["rule"] for e in r.get("errors", [])] for r in records]
    assert rules == [["fieldCount"], ["fieldCount"], ["encoding"], []]
    assert [r.get("surplus") for r in records[:2]] == [-6, 1]
    assert [r["key"] for r in records[:3]] == ["111111111", "222222222", "333333333"]
    assert base64.b64decode(records[2]["raw64"]) == latin
    assert all(e["stage"] == "read" for r in records for e in r.get("errors", []))


def test_the_ledger_says_that_the_chunk_runs(app: ModuleType, account: Account) -> None:
    account.put(keys.chunk(JOB, 1), HEADER + row())
    event = account.stored(chunk_event(JOB, attempt=2))
    app.lambda_handler(event, context())
    assert account.entry(JOB, items.chunk_entry(1)) == {
        "jobId": JOB,
        "entry": "CHUNK#000001",
        "status": workflow.RUNNING,
        "startTime": START_TIME,
        "attempt": 2,
        "rows": 1,
        "executionArn": event["executionArn"],
    }


def test_earlier_attempt_leaves_no_trace_in_the_ledger(app: ModuleType, account: Account) -> None:
    account.put(keys.chunk(JOB, 1), HEADER + row())
    old = {"error": "E", "cause": "c", "failedStep": "Read File", "endTime": START_TIME}
    account.put_entry(JOB, items.chunk_entry(1), status=workflow.FAILED, attempt=1, **old)
    app.lambda_handler(account.stored(chunk_event(JOB, attempt=2)), context())
    entry = account.entry(JOB, items.chunk_entry(1))
    assert (entry["status"], entry["attempt"]) == (workflow.RUNNING, 2)
    assert not old.keys() & entry.keys()


def test_attempt_that_was_replaced_does_nothing(app: ModuleType, account: Account) -> None:
    account.put(keys.chunk(JOB, 1), HEADER + row())
    account.put_entry(JOB, items.chunk_entry(1), status=workflow.SUCCEEDED, attempt=3)
    with pytest.raises(StaleAttemptError):
        app.lambda_handler(account.stored(chunk_event(JOB, attempt=2)), context())
    assert account.entry(JOB, items.chunk_entry(1))["status"] == workflow.SUCCEEDED
    assert account.keys() == [keys.chunk(JOB, 1)]


def test_repeated_step_gives_the_same_records(app: ModuleType, account: Account) -> None:
    account.put(keys.chunk(JOB, 1), HEADER + row() + b"a,b\n")
    key = app.lambda_handler(account.stored(chunk_event(JOB, rows=2)), context())["key"]
    before = account.get(key)
    app.lambda_handler(account.stored(chunk_event(JOB, rows=2)), context())
    assert account.get(key) == before
    assert account.tags(key) == {"kind": "intermediate"}


def test_other_delimiters_are_honoured(app: ModuleType, account: Account) -> None:
    account.put(keys.chunk(JOB, 1), (HEADER + row(Country="Korea|Süd")).replace(b",", b"\t"))
    result = app.lambda_handler(account.stored(chunk_event(JOB, delimiter="\t")), context())
    (record,) = account.rows(result["key"])
    assert record["fields"]["Country"] == "Korea|Süd"


def test_chunk_that_is_gone_is_an_error(app: ModuleType, account: Account) -> None:
    account.put(keys.chunk(JOB, 1), HEADER + row())
    event = account.stored(chunk_event(JOB))
    gone = event["chunk"]["versionId"]
    account.s3.delete_object(Bucket=BUCKET, Key=keys.chunk(JOB, 1), VersionId=gone)
    with pytest.raises(ClientError, match="NoSuch"):
        app.lambda_handler(event, context())


def test_chunk_is_read_as_the_manifest_names_it(app: ModuleType, account: Account) -> None:
    """Whatever a split that was given up has put in its place since."""
    account.put(keys.chunk(JOB, 1), HEADER + row("111111111"))
    event = account.stored(chunk_event(JOB))
    account.put(keys.chunk(JOB, 1), HEADER + row("222222222") + row("333333333"))
    result = app.lambda_handler(event, context())
    assert [r["fields"]["uuid"] for r in account.rows(result["key"])] == ["111111111"]


def test_throttled_ledger_asks_for_a_retry(app: ModuleType, account: Account) -> None:
    with Stubber(app.dynamodb) as stub:
        stub.add_client_error("update_item", "ProvisionedThroughputExceededException")
        with pytest.raises(TransientError):
            app.lambda_handler(chunk_event(JOB), context())
