"""The custom resource: whatever happens, CloudFormation gets one answer, and the right one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import reference
from batchcore.reference import read_reference
from botocore.stub import Stubber
from support import (
    BUCKET,
    FINANCIAL_TABLE,
    SCHEMA,
    SOURCE,
    Server,
    always,
    context,
    first,
    function_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from support import Account, LoadApp

STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/batchops-test/1"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:batchops-test-s3-lambda-notification"
SHIPPED = dict(read_reference(SOURCE / "reference" / "reference.csv", SCHEMA))
# More than one batch.
FEW = {str(271828183 + n): dict(zip(SCHEMA.enrichment, "123456", strict=True)) for n in range(30)}


@pytest.fixture
def app_with_shipped_data(load_app: LoadApp) -> ModuleType:
    return load_app("custom-resource")


@pytest.fixture
def app(app_with_shipped_data: ModuleType, use_reference: Callable[..., None]) -> ModuleType:
    use_reference(*FEW)
    return app_with_shipped_data


@pytest.fixture
def cloudformation() -> Iterator[Server]:
    with Server(always(200)) as server:
        yield server


def request(server: Server, kind: str, **changed: Any) -> dict[str, Any]:
    event = {
        "RequestType": kind,
        "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:custom-resource",
        "ResponseURL": f"{server.url}/answer?signature=a%2Bb",
        "StackId": STACK_ID,
        "RequestId": "request-1",
        "LogicalResourceId": "PostStackProcessing",
        "ResourceType": "AWS::CloudFormation::CustomResource",
        "ResourceProperties": {
            "BucketName": BUCKET,
            "NotificationFunctionArn": FUNCTION,
            "TableName": FINANCIAL_TABLE,
        },
    }
    if kind != "Create":
        event["PhysicalResourceId"] = "physical-1"
    return {**event, **changed}


def send(app: ModuleType, server: Server, event: dict[str, Any], *, ms: int = 300_000) -> Any:
    """Call the function; return the one answer that CloudFormation has got."""
    before = len(server.received)
    app.lambda_handler(event, context(ms))
    (answered,) = server.received[before:]
    assert (answered.method, answered.path) == ("PUT", "/answer?signature=a%2Bb")
    # The address is signed for an empty content type.
    assert answered.headers["Content-Type"] == ""
    answer = json.loads(answered.body)
    assert {name: answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
        "StackId": STACK_ID,
        "RequestId": "request-1",
        "LogicalResourceId": "PostStackProcessing",
    }
    return answer


def notification(account: Account) -> Any:
    found = account.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    return found.get("LambdaFunctionConfigurations")


def stored(account: Account) -> dict[str, dict[str, str]]:
    items = map(reference.api_item, account.scan(FINANCIAL_TABLE))
    return {item["uuid"]: item["values"] for item in items}


@pytest.fixture
def use_reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Give a function that puts another layer with reference data in front of the shipped one."""

    def use(*keys: str) -> None:
        rows = [["uuid", *SCHEMA.enrichment], *([key, *"123456"] for key in keys)]
        text = "".join(",".join(row) + "\n" for row in rows)
        (tmp_path / reference.FILE_NAME).write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)

    return use


# ------------------------------------------------------------------------------- create


def test_create_loads_the_reference_data_and_switches_the_notification_on(
    app_with_shipped_data: ModuleType, account: Account, cloudformation: Server
) -> None:
    answer = send(app_with_shipped_data, cloudformation, request(cloudformation, "Create"))
    assert answer["Status"] == "SUCCESS"
    assert answer["Data"] == {"ReferenceRows": "1000", "KeyColumn": '"uuid"'}
    assert stored(account) == SHIPPED
    (rule,) = notification(account)
    assert rule["LambdaFunctionArn"] == FUNCTION
    assert rule["Events"] == ["s3:ObjectCreated:*"]
    (prefix,) = rule["Filter"]["Key"]["FilterRules"]
    assert (prefix["Name"].lower(), prefix["Value"]) == ("prefix", "input/")


def test_create_gives_an_id_that_every_repetition_gives_again(
    app: ModuleType, cloudformation: Server
) -> None:
    event = request(cloudformation, "Create")
    first_answer = send(app, cloudformation, event)
    assert first_answer["PhysicalResourceId"]
    assert send(app, cloudformation, event) == first_answer


@pytest.mark.parametrize("rows_before", [0, 1])
def test_table_is_read_back_only_if_it_had_rows_before(
    app: ModuleType, account: Account, cloudformation: Server, rows_before: int
) -> None:
    limits: list[int | None] = []

    def note(params: Any, **_: Any) -> None:
        limits.append(json.loads(params["body"]).get("Limit"))

    if rows_before:
        account.put_reference({"000000001": {"Total Cost": "1"}})
    app.dynamodb.meta.events.register("before-call.dynamodb.Scan", note)
    answer = send(app, cloudformation, request(cloudformation, "Create"))
    assert answer["Status"] == "SUCCESS"
    assert stored(account) == FEW
    assert limits == [1, *[None] * rows_before]


def test_update_keeps_the_id_or_cloudformation_would_delete_the_old_one(
    app: ModuleType, cloudformation: Server
) -> None:
    answer = send(app, cloudformation, request(cloudformation, "Update"))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "physical-1")


def test_update_makes_the_table_hold_exactly_the_new_reference_data(
    app: ModuleType,
    account: Account,
    cloudformation: Server,
    use_reference: Callable[..., None],
) -> None:
    send(app, cloudformation, request(cloudformation, "Create"))
    kept, new = "271828183", "000000001"
    assert kept in FEW
    assert new not in FEW
    use_reference(new, kept)
    answer = send(app, cloudformation, request(cloudformation, "Update"))
    assert answer["Data"]["ReferenceRows"] == "2"
    values = dict(zip(SCHEMA.enrichment, "123456", strict=True))
    assert stored(account) == {new: values, kept: values}


# ------------------------------------------------------------------------------- delete


def test_delete_switches_the_notification_off_and_leaves_the_rows_to_the_tables_end(
    app: ModuleType, account: Account, cloudformation: Server
) -> None:
    send(app, cloudformation, request(cloudformation, "Create"))
    loaded = stored(account)
    with Stubber(app.dynamodb):  # a row deleted, or even read, would be one of half a million
        answer = send(app, cloudformation, request(cloudformation, "Delete"))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "physical-1")
    assert notification(account) is None
    assert stored(account) == loaded


def test_delete_succeeds_where_bucket_and_table_are_gone(
    app: ModuleType, account: Account, cloudformation: Server
) -> None:
    account.s3.delete_bucket(Bucket=BUCKET)
    account.dynamodb.delete_table(TableName=FINANCIAL_TABLE)
    answer = send(app, cloudformation, request(cloudformation, "Delete"))
    assert (answer["Status"], answer["Reason"]) == ("SUCCESS", "done")


def test_delete_that_is_not_allowed_is_answered_failed(
    app: ModuleType, cloudformation: Server
) -> None:
    with Stubber(app.s3) as stub:
        stub.add_client_error("put_bucket_notification_configuration", "AccessDenied")
        answer = send(app, cloudformation, request(cloudformation, "Delete"))
    assert answer["Status"] == "FAILED"
    assert "AccessDenied" in answer["Reason"]


# ----------------------------------------------------------------------------- failures


def test_failure_is_answered_with_its_reason(
    app: ModuleType, account: Account, cloudformation: Server
) -> None:
    account.dynamodb.delete_table(TableName=FINANCIAL_TABLE)
    answer = send(app, cloudformation, request(cloudformation, "Create"))
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("ResourceNotFoundException: ")
    assert answer["PhysicalResourceId"]
    # Uploads must not start jobs that find no reference data.
    assert notification(account) is None


def test_long_reason_is_cut(app: ModuleType, cloudformation: Server) -> None:
    with Stubber(app.dynamodb) as stub:
        for _ in range(50):
            stub.add_client_error("batch_write_item", "ValidationException", "x" * 9_000)
        answer = send(app, cloudformation, request(cloudformation, "Create"))
    assert answer["Status"] == "FAILED"
    assert len(json.dumps(answer)) < 4096  # AWS CloudFormation, custom resource responses


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_loading_that_runs_out_of_time_is_answered_failed(
    app: ModuleType, account: Account, cloudformation: Server, kind: str
) -> None:
    answer = send(app, cloudformation, request(cloudformation, kind), ms=5_000)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("OutOfTimeError: the reference data is too large")


def test_answer_has_time_left_within_the_functions_timeout(app: ModuleType) -> None:
    assert function_of("custom-resource")["Timeout"] * 1000 / 10 > app.ANSWER_RESERVE_MS


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (
            ["000000001", "000000002", "000000001"],
            "reference.csv, row 4: the key '000000001' is in row 2 as well",
        ),
        (["000000001", "x"], "reference.csv, row 3: malformed uuid"),
    ],
)
def test_reference_data_that_is_wrong_is_answered_failed(
    app: ModuleType,
    cloudformation: Server,
    use_reference: Callable[..., None],
    keys: list[str],
    reason: str,
) -> None:
    use_reference(*keys)
    answer = send(app, cloudformation, request(cloudformation, "Create"))
    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]


def test_request_without_its_properties_is_answered_failed(
    app: ModuleType, cloudformation: Server
) -> None:
    event = request(cloudformation, "Create", ResourceProperties={})
    answer = send(app, cloudformation, event)
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "KeyError: 'TableName'")


@pytest.mark.parametrize("status", [500, 503])
def test_answer_that_was_not_taken_is_sent_again(
    app: ModuleType, naps: list[float], status: int
) -> None:
    with Server(first([status, status], always(200))) as server:
        result = app.lambda_handler(request(server, "Delete"), context())
        assert result == {"status": "SUCCESS"}
        assert len(server.received) == 3
        assert len({answer.body for answer in server.received}) == 1


def test_answer_that_is_never_taken_fails_the_function_so_that_lambda_calls_it_again(
    app: ModuleType, naps: list[float]
) -> None:
    with Server(always(503)) as server, pytest.raises(app.urllib3.exceptions.MaxRetryError):
        app.lambda_handler(request(server, "Delete"), context())


# --------------------------------------------------------------------- a bucket that is busy


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_notification_waits_for_other_changes_to_the_bucket(
    app: ModuleType,
    account: Account,
    cloudformation: Server,
    naps: list[float],
    kind: str,
) -> None:
    # S3 refuses one of two changes at once, such as this and the bucket's policy.
    operation = "put_bucket_notification_configuration"
    with Stubber(app.s3) as stub:
        for _ in range(3):
            stub.add_client_error(operation, "OperationAborted", http_status_code=409)
        stub.add_response(operation, {})
        answer = send(app, cloudformation, request(cloudformation, kind))
        stub.assert_no_pending_responses()
    assert answer["Status"] == "SUCCESS"
    assert len(naps) == 3


def test_bucket_that_stays_busy_is_given_up(
    app: ModuleType, account: Account, cloudformation: Server, naps: list[float]
) -> None:
    with Stubber(app.s3) as stub:
        for _ in range(9):
            stub.add_client_error(
                "put_bucket_notification_configuration", "OperationAborted", http_status_code=409
            )
        answer = send(app, cloudformation, request(cloudformation, "Delete"))
        stub.assert_no_pending_responses()
    assert answer["Status"] == "FAILED"
    assert "OperationAborted" in answer["Reason"]
    assert sum(naps) < 40
