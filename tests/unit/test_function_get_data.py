"""Behind the API: one key or many, and what a caller hears who asks for nonsense."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore.errors import TransientError
from botocore.stub import Stubber
from support import FINANCIAL_TABLE, context, values_of

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

KNOWN, UNKNOWN = "271828183", "314159265"


@pytest.fixture
def app(load_app: LoadApp, account: Account) -> ModuleType:
    account.put_reference({KNOWN: values_of(KNOWN)})
    return load_app("get-data")


def get(app: ModuleType, key: str) -> tuple[int, Any]:
    event = {"httpMethod": "GET", "pathParameters": {"uuid": key}, "body": None}
    return read(app.lambda_handler(event, context()))


def post(app: ModuleType, body: str | None, **event: Any) -> tuple[int, Any]:
    return read(app.lambda_handler({"httpMethod": "POST", "body": body, **event}, context()))


def read(answer: dict[str, Any]) -> tuple[int, Any]:
    assert answer["headers"] == {"Content-Type": "application/json"}
    return answer["statusCode"], json.loads(answer["body"])


def test_known_key_is_found(app: ModuleType) -> None:
    assert get(app, KNOWN) == (200, {"uuid": KNOWN, "values": values_of(KNOWN)})


def test_unknown_key_is_404(app: ModuleType) -> None:
    assert get(app, UNKNOWN) == (404, {"message": "no such uuid"})


@pytest.mark.parametrize("key", ["", "1", "27182818X", "2718281830", "271828183\n", "../271828"])
def test_malformed_key_is_400(app: ModuleType, key: str) -> None:
    assert get(app, key)[0] == 400


def test_many_keys_give_items_and_missing_in_order(app: ModuleType) -> None:
    body = json.dumps({"uuids": [UNKNOWN, KNOWN, "not a key", UNKNOWN, KNOWN]})
    assert post(app, body) == (
        200,
        {
            "items": [{"uuid": KNOWN, "values": values_of(KNOWN)}],
            "missing": [UNKNOWN, "not a key"],
        },
    )


def test_body_may_come_in_base64(app: ModuleType) -> None:
    body = base64.b64encode(json.dumps({"uuids": [KNOWN]}).encode()).decode()
    status, answer = post(app, body, isBase64Encoded=True)
    assert (status, len(answer["items"])) == (200, 1)


def test_500_keys_are_answered_and_501_refused(app: ModuleType, account: Account) -> None:
    keys = [f"{n:09}" for n in range(501)]
    account.put_reference({key: {"a": key} for key in keys[::2]})
    status, answer = post(app, json.dumps({"uuids": keys[:500]}))
    assert status == 200
    assert {item["uuid"] for item in answer["items"]} == set(keys[:500:2])
    assert answer["missing"] == keys[1:500:2]
    status, answer = post(app, json.dumps({"uuids": keys}))
    assert status == 400
    assert "1 to 500" in answer["message"]


def test_malformed_keys_alone_do_not_reach_the_table(app: ModuleType) -> None:
    with Stubber(app.dynamodb) as stub:
        assert post(app, '{"uuids": ["", "x"]}') == (200, {"items": [], "missing": ["", "x"]})
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "{",
        "[]",
        '"x"',
        "null",
        "{}",
        '{"uuids": []}',
        '{"uuids": "271828183"}',
        '{"uuids": {"a": 1}}',
        '{"uuids": [271828183]}',
        '{"uuids": [null]}',
        '{"keys": ["271828183"]}',
    ],
)
def test_body_that_asks_for_nothing_is_400(app: ModuleType, body: str | None) -> None:
    status, answer = post(app, body)
    assert status == 400
    assert answer["message"]


def test_body_that_is_not_text_is_400(app: ModuleType) -> None:
    body = base64.b64encode(b"\xff\xfe{}").decode()
    assert post(app, body, isBase64Encoded=True)[0] == 400


def test_keys_left_over_by_the_table_are_read_again(app: ModuleType, naps: list[float]) -> None:
    key = {"uuid": {"S": KNOWN}}
    item = {**key, "values": {"M": {"a": {"S": "b"}}}}
    with Stubber(app.dynamodb) as stub:
        left = {FINANCIAL_TABLE: {"Keys": [key]}}
        stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})
        stub.add_response("batch_get_item", {"Responses": {FINANCIAL_TABLE: [item]}})
        assert get(app, KNOWN)[0] == 200
        stub.assert_no_pending_responses()
    assert len(naps) == 1


def test_throttled_table_is_an_error_that_the_caller_repeats(app: ModuleType) -> None:
    with Stubber(app.dynamodb) as stub:
        stub.add_client_error("batch_get_item", "ThrottlingException")
        with pytest.raises(TransientError):
            get(app, KNOWN)
