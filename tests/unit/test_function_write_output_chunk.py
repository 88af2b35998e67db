"""Write output file: pieces, errors and the ledger, the same whenever it is repeated."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, keys, workflow
from batchcore.error_files import COLUMNS, HEADER
from batchcore.errors import BalanceError, StaleAttemptError, TransientError
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import (
    BUCKET,
    EARLIER_ERROR_TABLE,
    ERROR_TABLE,
    START_TIME,
    chunk_event,
    context,
    dump_rows,
)

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

JOB = "orders-000000000001"


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("write-output-chunk")


def good(number: int, raw: str = "a,b\n") -> dict[str, Any]:
    return {"row": number, "raw": raw, "values": ["1.50", "x"]}


def bad(number: int, *rules: str, raw: str = "a,b\n", surplus: int = 0) -> dict[str, Any]:
    errors = [
        {
            "stage": "validate",
            "column": "Country",
            "rule": rule,
            "value": "b",
            "limit": "c",
            "message": f"Country breaks {rule}",
        }
        for rule in rules
    ]
    return {"row": number, "raw": raw, "key": "k", "surplus": surplus, "errors": errors}


def write(
    app: ModuleType, account: Account, records: list[dict[str, Any]], **event: Any
) -> dict[str, Any]:
    made = chunk_event(JOB, **{"rows": len(records), "last_row": 99, **event})
    made["enrich"]["versionId"] = account.put(made["enrich"]["key"], dump_rows(records))
    result: dict[str, Any] = app.lambda_handler(made, context())
    return result


def snapshot(account: Account) -> Any:
    pieces = {key: account.get(key) for key in account.keys("jobs/")}
    entry = account.entry(JOB, items.chunk_entry(1))
    del entry["endTime"], entry["stepMs"], entry["versions"]
    del entry["stepStarts"], entry["coldSteps"]
    entry["errorPiece"].pop("versionId", None)
    return pieces, account.errors(), entry


# ------------------------------------------------------------------------------ content


def test_good_rows_become_output_and_bad_ones_rejects_in_order(
    app: ModuleType, account: Account
) -> None:
    records = [bad(2, "enum"), good(3, "1\r\n"), bad(4, "enum", "maxLength"), good(6, '"2\n"\r\n')]
    result = write(app, account, records)
    assert result.pop("ms") >= 0
    assert result.pop("at") > START_TIME
    assert result.pop("cold") in (True, False)
    assert result == {"valid": 2, "rejected": 2, "errors": 3}
    assert account.get(keys.output(JOB, 1)) == b'1,1.50,x\r\n"2\n",1.50,x\r\n'
    assert account.get(keys.rejected_piece(JOB, 1)) == (
        b"a,b,2,Country: enum,Country breaks enum\n"
        b"a,b,4,Country: enum; Country: maxLength,Country breaks enum; Country breaks maxLength\n"
    )


def test_rejected_rows_have_their_reasons_in_the_same_columns(
    app: ModuleType, account: Account
) -> None:
    records = [
        bad(2, "enum", raw="a,b\n"),
        bad(3, "fieldCount", raw="a\n", surplus=-1),
        bad(4, "fieldCount", raw="a,b,c,d\n", surplus=2),
    ]
    write(app, account, records)
    piece = account.get(keys.rejected_piece(JOB, 1)).decode()
    found = list(csv.reader(io.StringIO(piece)))
    assert [fields[2:4] for fields in found] == [
        ["2", "Country: enum"],
        ["3", "Country: fieldCount"],
        ["4", "Country: fieldCount"],
    ]
    assert found[2][5:] == ["c", "d"]


def test_delimiter_of_the_file_is_used(app: ModuleType, account: Account) -> None:
    write(app, account, [good(2, "a;b\n"), bad(3, "x", raw="a;b\n")], delimiter=";")
    assert account.get(keys.output(JOB, 1)) == b"a;b;1.50;x\n"
    assert account.get(keys.rejected_piece(JOB, 1)) == b"a;b;3;Country: x;Country breaks x\n"


def test_each_violated_rule_is_stored_with_all_that_is_known(
    app: ModuleType, account: Account
) -> None:
    write(app, account, [bad(12, "enum", "maxLength")], first_row=12, number=4, attempt=1)
    found = account.errors()
    assert sorted(found) == [
        f"{JOB}/0000000012#Country#enum",
        f"{JOB}/0000000012#Country#maxLength",
    ]
    item = found[f"{JOB}/0000000012#Country#enum"]
    assert (item["chunk"], item["sourceRow"], item["attempt"]) == (4, 12, 1)
    assert (item["stage"], item["uuid"], item["raw"]) == ("validate", "k", "a,b\n")
    assert item["time"] == START_TIME
    # ErrorExpiryDays after the chunk started.
    assert item["ttl"] == int(datetime.fromisoformat(START_TIME).timestamp()) + 365 * 86_400


def test_rows_with_the_same_key_or_none_keep_their_own_errors(
    app: ModuleType, account: Account
) -> None:
    records = [bad(2, "enum"), bad(3, "enum"), {**bad(4, "enum"), "key": ""}]
    assert write(app, account, records)["errors"] == 3
    assert len(account.errors()) == 3


def test_ledger_says_what_the_chunk_came_to(app: ModuleType, account: Account) -> None:
    account.put_entry(JOB, items.chunk_entry(1), status=workflow.RUNNING, startTime=START_TIME)
    write(app, account, [good(2), good(3), bad(4, "a", "b")])
    entry = account.entry(JOB, items.chunk_entry(1))
    assert entry.pop("stepMs").keys() == {"read", "validate", "enrich", "write"}
    assert entry.pop("endTime") > START_TIME[:10]
    assert entry.pop("stepStarts").keys() == {"write"}
    assert entry.pop("coldSteps") in ("", "write")
    piece = account.s3.head_object(Bucket=BUCKET, Key=keys.error_piece(JOB, 1))
    assert entry.pop("errorPiece") == {
        "versionId": piece["VersionId"],
        "sizeBytes": piece["ContentLength"],
        "rows": 1,
        "causes": '{"causes":[["validate","Country","a",1,4],["validate","Country","b",1,4]],'
        '"others":0}',
    }
    pieces = {"output": keys.output(JOB, 1), "rejects": keys.rejected_piece(JOB, 1)}
    heads = {kind: account.s3.head_object(Bucket=BUCKET, Key=key) for kind, key in pieces.items()}
    assert entry == {
        "jobId": JOB,
        "entry": "CHUNK#000001",
        "startTime": START_TIME,
        "status": workflow.SUCCEEDED,
        "attempt": 1,
        "rows": 3,
        "valid": 2,
        "rejected": 1,
        "errors": 2,
        "sizeBytes": {
            "output": len(account.get(keys.output(JOB, 1))),
            "rejects": len(account.get(keys.rejected_piece(JOB, 1))),
        },
        "versions": {kind: head["VersionId"] for kind, head in heads.items()},
    }


def test_errors_are_in_a_file_as_they_are_in_the_table(app: ModuleType, account: Account) -> None:
    odd = bad(8, "maxLength", "enum", "enum", raw='"a\r\n""b",c\n')
    odd["errors"][0] |= {"column": "", "stage": "read", "value": 'x\0"\r,y'}
    odd["errors"][2] |= {"column": "Area", "stage": "enrich", "value": "\u1e9e"}
    records = [good(6), bad(7, "enum"), odd]
    write(app, account, records, first_row=6, number=2)
    key = keys.error_piece(JOB, 2)
    text = io.StringIO(account.get(key).decode(), newline="")
    found = [dict(zip(COLUMNS.values(), line, strict=True)) for line in csv.reader(text)]
    wanted = [item for _, item in sorted(account.errors().items())]
    assert [line["errorId"] for line in wanted] == [
        "0000000007#Country#enum",
        "0000000008##maxLength",
        "0000000008#Area#enum",
        "0000000008#Country#enum",
    ]
    # A row's text is in its first error only.
    assert [line.pop("raw") for line in found] == [wanted[0]["raw"], wanted[1]["raw"], "", ""]
    assert found == [{name: str(item[name]) for name in found[0]} for item in wanted]
    assert account.tags(key) == {"kind": "errors"}


def test_chunk_without_errors_has_no_file_of_them(app: ModuleType, account: Account) -> None:
    write(app, account, [good(2)], number=2)
    piece = account.entry(JOB, items.chunk_entry(2))["errorPiece"]
    assert piece == {"rows": 0, "sizeBytes": 0, "causes": '{"causes":[],"others":0}'}
    assert account.keys(f"jobs/{JOB}/error-pieces/") == []


def test_errors_of_the_first_chunk_have_the_header(app: ModuleType, account: Account) -> None:
    write(app, account, [good(2)], number=1)
    assert account.get(keys.error_piece(JOB, 1)) == HEADER


def test_time_of_every_step_is_kept(app: ModuleType, account: Account) -> None:
    write(app, account, [good(2)])
    step_ms = account.entry(JOB, items.chunk_entry(1))["stepMs"]
    assert {name: step_ms[name] for name in ("read", "validate", "enrich")} == {
        "read": 11,
        "validate": 12,
        "enrich": 13,
    }


def test_start_of_every_step_is_kept_with_those_that_were_cold(
    app: ModuleType, account: Account
) -> None:
    event = chunk_event(JOB, rows=1)
    event["enrich"]["versionId"] = account.put(event["enrich"]["key"], dump_rows([good(2)]))
    for second, step in enumerate(("read", "validate", "enrich")):
        event[step] |= {"at": f"2026-11-23T06:00:0{second}.000Z", "cold": step == "validate"}
    app.lambda_handler(event, context())
    entry = account.entry(JOB, items.chunk_entry(1))
    starts = entry["stepStarts"]
    assert [starts[step][17:19] for step in ("read", "validate", "enrich")] == ["00", "01", "02"]
    assert starts["write"] > START_TIME
    assert entry["coldSteps"] in ("validate", "validate write")


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=3, unique=True), min_size=1, max_size=9))
def test_rows_in_are_rows_out_plus_rows_rejected(
    app: ModuleType, account: Account, rules: list[list[str]]
) -> None:
    records = [bad(n, *found) if found else good(n) for n, found in enumerate(rules, 2)]
    # The same chunk again and again, each time an attempt later.
    earlier = account.entry(JOB, items.chunk_entry(1)).get("attempt", 0)
    result = write(app, account, records, attempt=earlier + 1)
    assert result["valid"] + result["rejected"] == len(rules)
    assert account.get(keys.output(JOB, 1)).count(b"\n") == result["valid"]
    assert account.get(keys.rejected_piece(JOB, 1)).count(b"\n") == result["rejected"]
    assert result["errors"] == sum(map(len, rules)) == len(account.errors())


# ------------------------------------------------------------------------------ repeats


def test_repeated_step_leaves_the_same(app: ModuleType, account: Account) -> None:
    records = [good(2), bad(3, "enum", "maxLength"), bad(4, "enum")]
    write(app, account, records)
    before = snapshot(account)
    write(app, account, records)
    assert snapshot(account) == before


def test_later_attempt_removes_the_stale_errors_of_its_rows_and_no_others(
    app: ModuleType, account: Account
) -> None:
    own = ["0000000010#Country#enum", "0000000010#~#z", "0000000015##fieldCount"]
    others = ["0000000009#Country#enum", "0000000009#~#z", "0000000021##a", "0000000100#x#y"]
    for error in [*own, *others]:
        account.put_error(JOB, error, attempt=1)
    account.put_error("another-job", own[0], attempt=1)
    records = [bad(10, "enum"), *map(good, range(11, 21))]
    assert write(app, account, records, attempt=2, first_row=10, last_row=20)["errors"] == 1
    left = account.errors()
    assert sorted(left) == sorted(
        [f"{JOB}/{own[0]}", f"another-job/{own[0]}", *(f"{JOB}/{error}" for error in others)]
    )
    assert left[f"{JOB}/{own[0]}"]["attempt"] == 2
    assert left[f"another-job/{own[0]}"]["attempt"] == 1


def test_many_stale_errors_are_all_removed(app: ModuleType, account: Account) -> None:
    rules = [f"rule{n}" for n in range(60)]
    write(app, account, [bad(2, *rules), bad(3, *rules)])
    assert len(account.errors()) == 120
    write(app, account, [good(2), bad(3, "rule0")], attempt=2)
    assert list(account.errors()) == [f"{JOB}/0000000003#Country#rule0"]


def test_first_attempt_deletes_nothing(app: ModuleType, account: Account) -> None:
    # There can be nothing to delete, so it does not even look.
    event = chunk_event(JOB)
    event["enrich"]["versionId"] = account.put(event["enrich"]["key"], dump_rows([good(2)]))
    with Stubber(app.dynamodb) as stub:
        stub.add_response("update_item", {})
        app.lambda_handler(event, context())
        stub.assert_no_pending_responses()


def test_errors_of_a_chunk_over_ranges_of_rows_are_replaced_like_any(
    app: ModuleType, account: Account
) -> None:
    rows = {"first_row": 9_990, "last_row": 20_100, "rows": 4}
    numbers = (9_999, 10_000, 20_000, 20_001)
    write(app, account, [bad(n, "enum", "old") for n in numbers], **rows)
    listed = [item for item in account.scan(ERROR_TABLE) if "stage" not in item]
    assert {item["errorId"]["S"] for item in listed} == {"000000", "000001", "000002"}
    # The list outlives what it names.
    ttls = {int(item["ttl"]["N"]) for item in listed}
    assert min(ttls) > max(item["ttl"] for item in account.errors().values())
    again = [good(9_999), bad(10_000, "enum"), bad(20_000, "new"), good(20_001)]
    write(app, account, again, attempt=2, **rows)
    assert sorted(account.errors()) == [
        f"{JOB}/0000010000#Country#enum",
        f"{JOB}/0000020000#Country#new",
    ]


def test_later_attempt_removes_errors_from_before_the_stack_was_updated(
    app: ModuleType, account: Account
) -> None:
    for number in (9, 10, 20, 21):
        account.put_earlier_error(JOB, items.error_id(number, "Country", "enum"))
    records = [bad(10, "enum"), good(20)]
    write(app, account, records, attempt=2, first_row=10, last_row=20)
    left = {item["errorId"]["S"] for item in account.scan(EARLIER_ERROR_TABLE)}
    assert left == {items.error_id(number, "Country", "enum") for number in (9, 21)}
    assert list(account.errors()) == [f"{JOB}/0000000010#Country#enum"]


def test_ranges_are_listed_before_their_first_error(app: ModuleType, account: Account) -> None:
    event = chunk_event(JOB)
    event["enrich"]["versionId"] = account.put(event["enrich"]["key"], dump_rows([bad(2, "new")]))
    with Stubber(app.dynamodb) as stub:
        stub.add_response("batch_write_item", {})
        stub.add_client_error("get_item", "ThrottlingException")
        with pytest.raises(TransientError):
            app.lambda_handler(event, context())
    app.lambda_handler(event, context())
    assert len(account.errors()) == 1


def test_new_errors_are_in_place_before_old_ones_go(app: ModuleType, account: Account) -> None:
    event = chunk_event(JOB, attempt=2)
    event["enrich"]["versionId"] = account.put(event["enrich"]["key"], dump_rows([bad(2, "new")]))
    with Stubber(app.dynamodb) as stub:
        stub.add_response("batch_write_item", {})  # the list of ranges
        stub.add_response("get_item", {})
        stub.add_response("batch_write_item", {})
        stub.add_client_error("query", "ThrottlingException")
        with pytest.raises(TransientError):
            app.lambda_handler(event, context())
        stub.assert_no_pending_responses()
    # The ledger, which says that all is there, has not been written.
    assert account.entry(JOB, items.chunk_entry(1)) == {}


def test_success_removes_the_reason_of_an_earlier_failure(
    app: ModuleType, account: Account
) -> None:
    account.put_entry(
        JOB,
        items.chunk_entry(1),
        status=workflow.FAILED,
        error="TransientError",
        cause="throttled",
        failedStep="Read File",
    )
    write(app, account, [good(2)], attempt=2)
    entry = account.entry(JOB, items.chunk_entry(1))
    assert entry["status"] == workflow.SUCCEEDED
    assert not {"error", "cause", "failedStep"} & entry.keys()


def test_attempt_that_was_replaced_does_not_touch_the_ledger(
    app: ModuleType, account: Account
) -> None:
    write(app, account, [good(2)], attempt=2)
    before = account.entry(JOB, items.chunk_entry(1))
    with pytest.raises(StaleAttemptError, match="CHUNK#000001 of"):
        write(app, account, [good(2)], attempt=1)
    assert account.entry(JOB, items.chunk_entry(1)) == before


def test_attempt_that_was_replaced_writes_no_errors_and_deletes_none(
    app: ModuleType, account: Account
) -> None:
    write(app, account, [bad(2, "enum"), good(3)], attempt=3)
    before = account.errors()
    # A call of a job that was stopped and rerun; what it finds to write, or to delete, is old.
    for attempt, records in ((1, [good(2), bad(3, "enum")]), (2, [good(2), good(3)])):
        with pytest.raises(StaleAttemptError):
            write(app, account, records, attempt=attempt)
        assert account.errors() == before


def test_attempt_that_is_replaced_while_it_writes_errors_stops(
    app: ModuleType, account: Account
) -> None:
    rules = [f"rule{n:04d}" for n in range(150)]

    def take_over(parsed: Any, **_: Any) -> None:
        if len(account.errors()) == 0:  # the list of ranges
            return
        account.put_entry(JOB, items.chunk_entry(1), attempt=2)

    app.dynamodb.meta.events.register("after-call.dynamodb.BatchWriteItem", take_over)
    with pytest.raises(StaleAttemptError):
        write(app, account, [bad(2, *rules)])
    # The round that was under way; the later attempt deletes what it does not repeat.
    assert len(account.errors()) == 100


def test_records_are_those_of_the_step_before_whatever_is_written_over_them(
    app: ModuleType, account: Account
) -> None:
    event = chunk_event(JOB)
    key = event["enrich"]["key"]
    event["enrich"]["versionId"] = account.put(key, dump_rows([good(2, "mine\n")]))
    account.put(key, dump_rows([good(2, "another attempt's\n")]))
    app.lambda_handler(event, context())
    assert account.get(keys.output(JOB, 1)) == b"mine,1.50,x\n"


# ------------------------------------------------------------------------------ balance


@pytest.mark.parametrize(
    "numbers",
    [[2, 3], [2, 3, 4, 5], [2, 3, 3], [2, 2, 3], [1, 2, 3], [3, 4, 5], []],
    ids=str,
)
def test_chunk_with_a_row_missing_doubled_or_foreign_is_not_written(
    app: ModuleType, account: Account, numbers: list[int]
) -> None:
    records = [good(n) for n in numbers]
    with pytest.raises(BalanceError, match="chunk 1 has 3 rows"):
        write(app, account, records, rows=3, last_row=4)
    assert account.keys("jobs/") == [keys.enriched(JOB, 1)]
    assert account.errors() == {}


def test_blank_lines_between_rows_are_no_gap(app: ModuleType) -> None:
    chunk = {"number": 1, "firstRow": 2, "lastRow": 9, "rows": 2}
    app.check_complete([2, 9], chunk)


def test_throttled_table_asks_for_a_retry(
    app: ModuleType, account: Account, naps: list[float]
) -> None:
    event = chunk_event(JOB)
    event["enrich"]["versionId"] = account.put(event["enrich"]["key"], dump_rows([bad(2, "enum")]))
    with Stubber(app.dynamodb) as stub:
        left = {ERROR_TABLE: [{"PutRequest": {"Item": {"jobId": {"S": JOB}}}}]}
        for _ in range(8):
            stub.add_response("batch_write_item", {"UnprocessedItems": left})
        with pytest.raises(TransientError):
            app.lambda_handler(event, context())
