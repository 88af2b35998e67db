"""The calls that several functions make: batches, what is left over, ledger entries."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import aws, items, workflow
from batchcore.errors import StaleAttemptError, TransientError
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st
from support import BUCKET, ERROR_TABLE, FINANCIAL_TABLE, JOB_TABLE, SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import Account

TABLE = "table"


@pytest.fixture
def stub() -> Iterator[Stubber]:
    with Stubber(SESSION.client("dynamodb")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def put(number: int) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"uuid": {"S": str(number)}}}}


def key(number: int) -> items.Item:
    return {"uuid": {"S": str(number)}}


@given(st.lists(st.integers()), st.integers(1, 10))
def test_batches_are_full_but_the_last_and_lose_nothing(values: list[int], size: int) -> None:
    found = list(aws.batches(values, size))
    assert [value for batch in found for value in batch] == values
    assert all(len(batch) == size for batch in found[:-1])
    assert all(found)


# ------------------------------------------------------------------------------- write


def test_what_a_table_leaves_over_is_written_again(stub: Stubber, naps: list[float]) -> None:
    requests = [put(n) for n in range(3)]
    for sent, left in ((requests, requests[1:]), (requests[1:], requests[2:]), (requests[2:], [])):
        stub.add_response(
            "batch_write_item",
            {"UnprocessedItems": {TABLE: left} if left else {}},
            {"RequestItems": {TABLE: sent}},
        )
    aws.batch_write(stub.client, TABLE, requests)
    assert len(naps) == 2


def test_writing_gives_up_with_an_error_that_is_retried(stub: Stubber, naps: list[float]) -> None:
    for _ in range(8):
        stub.add_response("batch_write_item", {"UnprocessedItems": {TABLE: [put(1)]}})
    with pytest.raises(TransientError, match=r"BatchWriteItem on table"):
        aws.batch_write(stub.client, TABLE, [put(1)])
    assert naps
    assert all(0 <= nap <= 5 for nap in naps)


def test_writing_goes_on_as_long_as_there_is_progress(stub: Stubber, naps: list[float]) -> None:
    requests = [put(n) for n in range(25)]
    for done in range(1, 26):
        left = {TABLE: requests[done:]} if done < 25 else {}
        stub.add_response("batch_write_item", {"UnprocessedItems": left})
    aws.batch_write(stub.client, TABLE, requests)
    assert len(naps) == 24


def test_requests_are_taken_as_they_are_written(account: Account) -> None:
    written, ahead = [0], [0]

    def count(params: Any, **_: Any) -> None:
        written[0] += len(params["RequestItems"][FINANCIAL_TABLE])

    def requests() -> Iterator[dict[str, Any]]:
        for number in range(1000):
            ahead.append(number - written[0])
            yield put(number)

    client = SESSION.client("dynamodb")
    client.meta.events.register("provide-client-params.dynamodb.BatchWriteItem", count)
    aws.batch_write(client, FINANCIAL_TABLE, requests())
    assert written[0] == len(account.scan(FINANCIAL_TABLE)) == 1000
    assert max(ahead) <= aws.WRITE_BATCH * aws.WORKERS


def test_nothing_to_write_makes_no_call(stub: Stubber) -> None:
    aws.batch_write(stub.client, TABLE, [])


def test_any_number_of_items_is_written(account: Account) -> None:
    aws.batch_write(account.dynamodb, FINANCIAL_TABLE, [put(n) for n in range(211)])
    assert {item["uuid"]["S"] for item in account.scan(FINANCIAL_TABLE)} == set(
        map(str, range(211))
    )
    deletes = [{"DeleteRequest": {"Key": key(n)}} for n in range(1, 211)]
    aws.batch_write(account.dynamodb, FINANCIAL_TABLE, deletes)
    assert account.scan(FINANCIAL_TABLE) == [key(0)]


def test_one_batch_that_fails_fails_the_whole(account: Account) -> None:
    # The last of several batches names one key twice, which DynamoDB refuses.
    requests = [*(put(n) for n in range(60)), put(59)]
    with pytest.raises(account.dynamodb.exceptions.ClientError, match="duplicates"):
        aws.batch_write(account.dynamodb, FINANCIAL_TABLE, requests)


# --------------------------------------------------------------------------------- get


def test_keys_that_a_table_leaves_over_are_read_again(stub: Stubber, naps: list[float]) -> None:
    keys = [key(n) for n in range(3)]
    stub.add_response(
        "batch_get_item",
        {"Responses": {TABLE: [key(2)]}, "UnprocessedKeys": {TABLE: {"Keys": keys[:2]}}},
        {"RequestItems": {TABLE: {"Keys": keys}}},
    )
    stub.add_response(
        "batch_get_item",
        {"Responses": {TABLE: [key(0)]}, "UnprocessedKeys": {}},
        {"RequestItems": {TABLE: {"Keys": keys[:2]}}},
    )
    assert aws.batch_get(stub.client, TABLE, keys) == [key(2), key(0)]
    assert len(naps) == 1


def test_reading_gives_up_with_an_error_that_is_retried(stub: Stubber, naps: list[float]) -> None:
    for _ in range(8):
        stub.add_response(
            "batch_get_item",
            {"Responses": {}, "UnprocessedKeys": {TABLE: {"Keys": [key(1)]}}},
            {"RequestItems": ANY},
        )
    with pytest.raises(TransientError, match=r"BatchGetItem on table"):
        aws.batch_get(stub.client, TABLE, [key(1)])


def test_any_number_of_keys_is_read_and_unknown_ones_are_left_out(account: Account) -> None:
    account.put_reference({str(n): {"a": "b"} for n in range(0, 250, 2)})
    found = aws.batch_get(account.dynamodb, FINANCIAL_TABLE, [key(n) for n in range(250)])
    assert {item["uuid"]["S"] for item in found} == {str(n) for n in range(0, 250, 2)}
    assert aws.batch_get(account.dynamodb, FINANCIAL_TABLE, []) == []


# ------------------------------------------------------------------------------ ledger


def test_setting_attributes_leaves_the_others(account: Account) -> None:
    first: dict[str, Any] = {"status": "RUNNING", "rows": 3}
    aws.update_entry(account.dynamodb, JOB_TABLE, "j", "JOB", first, attempt=1)
    second: dict[str, Any] = {"rows": 4, "ms": {"read": 1}}
    aws.update_entry(account.dynamodb, JOB_TABLE, "j", "JOB", second, attempt=1)
    assert account.entry("j") == {
        "jobId": "j",
        "entry": "JOB",
        "attempt": 1,
        "status": "RUNNING",
        "rows": 4,
        "ms": {"read": 1},
    }


def test_attributes_are_removed_whether_they_are_there_or_not(account: Account) -> None:
    account.put_entry("j", "JOB", error="E", cause="c")
    removed = ("error", "none")
    aws.update_entry(account.dynamodb, JOB_TABLE, "j", "JOB", {"a": "b"}, attempt=1, remove=removed)
    assert account.entry("j") == {
        "jobId": "j",
        "entry": "JOB",
        "attempt": 1,
        "a": "b",
        "cause": "c",
    }


@pytest.mark.parametrize("attempt", [2, 3, 10])
def test_same_or_later_attempt_may_write(account: Account, attempt: int) -> None:
    account.put_entry("j", "JOB", attempt=2)
    aws.update_entry(account.dynamodb, JOB_TABLE, "j", "JOB", {"a": 1}, attempt=attempt)
    assert account.entry("j")["attempt"] == attempt


def test_earlier_attempt_may_not_write(account: Account) -> None:
    account.put_entry("j", "JOB", attempt=10)
    before = account.entry("j")
    with pytest.raises(StaleAttemptError, match="JOB of j belongs to a later attempt than 9"):
        aws.update_entry(account.dynamodb, JOB_TABLE, "j", "JOB", {"a": 1}, attempt=9)
    assert account.entry("j") == before


def _begin(account: Account, attempt: int) -> None:
    running = {"status": workflow.RUNNING}
    aws.update_entry(
        account.dynamodb,
        JOB_TABLE,
        "j",
        "JOB",
        running,
        attempt=attempt,
        remove=("endTime",),
        begins=True,
    )


def test_what_has_ended_begins_again_in_a_later_attempt_only(account: Account) -> None:
    _begin(account, 2)
    _begin(account, 2)  # a step that is repeated
    account.put_entry("j", "JOB", status=workflow.SUCCEEDED, endTime="2026-11-23T06:00:00.000Z")
    ended = account.entry("j")
    for attempt in (1, 2):
        with pytest.raises(StaleAttemptError, match="or has ended already"):
            _begin(account, attempt)
        assert account.entry("j") == ended
    _begin(account, 3)
    assert account.entry("j")["status"] == workflow.RUNNING


def test_chunks_of_a_job_come_in_order_and_no_others(account: Account) -> None:
    # Enough for more than one page of 1 MB.
    numbers = range(1, 31)
    for number in reversed(numbers):
        account.put_entry("j", items.chunk_entry(number), cause="x" * 40_000)
    account.put_entry("j", "JOB", status="RUNNING")
    account.put_entry("k", items.chunk_entry(1), rows=1)
    found = list(aws.query_entries(account.dynamodb, JOB_TABLE, "j", items.CHUNK_PREFIX))
    assert [entry["entry"] for entry in found] == [items.chunk_entry(n) for n in numbers]
    assert {entry["jobId"] for entry in found} == {"j"}


def test_intermediate_objects_are_tagged_for_the_lifecycle_rule(account: Account) -> None:
    aws.put_intermediate(account.s3, BUCKET, "jobs/j/x", b"data")
    assert account.get("jobs/j/x") == b"data"
    assert account.tags("jobs/j/x") == {"kind": "intermediate"}
    assert aws.read_object(account.s3, BUCKET, "jobs/j/x") == b"data"


def test_error_table_holds_what_error_items_makes(account: Account) -> None:
    error = {"column": "", "rule": "r", "value": "", "limit": "", "message": "", "stage": "read"}
    record = {"row": 2, "raw": "", "key": "", "errors": [error]}
    made = list(items.error_items(record, job="j", chunk=1, attempt=1, time="t", ttl=1))
    aws.batch_write(account.dynamodb, ERROR_TABLE, [{"PutRequest": {"Item": i}} for i in made])
    assert account.scan(ERROR_TABLE) == made


# ------------------------------------------------------------------------------ uploads


@pytest.mark.parametrize(
    ("size", "at_once"),
    [(10, aws.UPLOADS_IN_FLIGHT), (6 * 1024 * 1024, 2), (20 * 1024 * 1024, 1)],
)
def test_small_objects_go_many_at_a_time_and_large_ones_few(size: int, at_once: int) -> None:
    lock, running, most = threading.Lock(), 0, 0
    gate = threading.Barrier(at_once)

    class Storage:
        def put_object(self, **wanted: Any) -> dict[str, str]:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            gate.wait(timeout=30)  # until as many are under way as are expected
            with lock:
                running -= 1
            return {"VersionId": f"version of {wanted['Key']}"}

    body = bytes(size)
    storage: Any = Storage()
    names = [f"key-{n}" for n in range(2 * at_once)]
    versions = aws.put_many(storage, "bucket", ((name, body) for name in names))
    assert most == at_once
    assert versions == [f"version of {name}" for name in names]


def test_upload_that_fails_is_not_forgotten() -> None:
    class Storage:
        def put_object(self, **wanted: Any) -> dict[str, str]:
            if wanted["Key"] == "b":
                raise ConnectionError("lost")
            return {"VersionId": "v"}

    storage: Any = Storage()
    with pytest.raises(ConnectionError, match="lost"):
        aws.put_many(storage, "bucket", [("a", b""), ("b", b""), ("c", b"")])


# ----------------------------------------------------------------------------- expiry


def test_entries_are_kept_unless_the_stack_says_how_long(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days, expected in (("0", False), ("400", True)):
        monkeypatch.setenv("LEDGER_EXPIRY_DAYS", days)
        aws.update_entry(account.dynamodb, JOB_TABLE, "job", f"CHUNK#{days}", {}, attempt=1)
        assert ("ttl" in account.entry("job", f"CHUNK#{days}")) == expected


def test_entry_expires_so_many_days_after_its_last_change(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_EXPIRY_DAYS", "10")
    for now in (1_000_000.0, 2_000_000.0):
        monkeypatch.setattr("time.time", lambda now=now: now)
        aws.update_entry(account.dynamodb, JOB_TABLE, "job", "JOB", {"rows": 1}, attempt=1)
        assert account.entry("job", "JOB")["ttl"] == now + 864_000


@pytest.mark.parametrize("versioned", [True, False], ids=["version", "latest"])
@pytest.mark.parametrize("call", ["head_object", "get_object"])
def test_object_that_is_not_there_is_gone(account: Account, call: str, versioned: bool) -> None:
    account.s3.put_object(Bucket=BUCKET, Key="deleted", Body=b"")
    marked = account.s3.delete_object(Bucket=BUCKET, Key="deleted")["VersionId"]
    named = {"VersionId": marked} if versioned else {}
    with pytest.raises(ClientError) as refused:
        getattr(account.s3, call)(Bucket=BUCKET, Key="deleted", **named)
    assert aws.is_gone(refused.value)


def test_object_in_a_bucket_that_is_not_there_is_not_gone(account: Account) -> None:
    # The bucket's name is wrong then, and nothing says that the object was ever there.
    with pytest.raises(ClientError) as refused:
        account.s3.get_object(Bucket="other", Key="any")
    assert not aws.is_gone(refused.value)
