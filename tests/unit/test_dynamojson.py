"""What DynamoDB lists comes out as botocore would have read it, and so do its errors."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import aws
from batchcore.dynamojson import read_as_sent
from botocore.awsrequest import AWSResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import FINANCIAL_TABLE, SESSION

if TYPE_CHECKING:
    from support import Account

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
attributes = st.recursive(
    st.builds(lambda text: {"S": text}, texts)
    | st.builds(lambda number: {"N": str(number)}, st.integers(-(10**30), 10**30))
    | st.just({"BOOL": True})
    | st.just({"NULL": True}),
    lambda inner: (
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3))
        | st.builds(lambda values: {"M": values}, st.dictionaries(texts, inner, max_size=3))
    ),
    max_leaves=8,
)


@pytest.fixture
def both(account: Account) -> tuple[Any, Any]:
    """Give a client as botocore makes it, and one that reads answers as they were sent."""
    return account.dynamodb, read_as_sent(SESSION.client("dynamodb"))


@given(values=attributes)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_items_of_any_kind_are_read_alike(both: tuple[Any, Any], values: dict[str, Any]) -> None:
    plain, quick = both
    key = {"uuid": {"S": "271828183"}}
    plain.put_item(TableName=FINANCIAL_TABLE, Item={**key, "values": values})
    wanted = {"RequestItems": {FINANCIAL_TABLE: {"Keys": [key]}}}
    slow, fast = (client.batch_get_item(**wanted) for client in both)
    assert fast["Responses"] == slow["Responses"]
    assert fast["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert quick.scan(TableName=FINANCIAL_TABLE)["Items"] == [{**key, "values": values}]


def test_pages_follow_one_another(both: tuple[Any, Any]) -> None:
    for number in range(5):
        both[0].put_item(TableName=FINANCIAL_TABLE, Item={"uuid": {"S": f"{number:09}"}})
    pages = [
        list(client.get_paginator("scan").paginate(TableName=FINANCIAL_TABLE, Limit=2))
        for client in both
    ]
    assert len(pages[1]) == 3
    assert [page["Items"] for page in pages[1]] == [page["Items"] for page in pages[0]]


def answering(client: Any, *answers: tuple[int, bytes, dict[str, str]]) -> list[Any]:
    """Have a client get these answers, one a call, instead of asking; return what was asked."""
    left, asked = list(answers), []

    def answer(request: Any, **_: Any) -> AWSResponse:
        asked.append(request)
        status, body, headers = left.pop(0)
        content_type = {"Content-Type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, status, content_type | headers, Raw(body))

    client.meta.events.register_first("before-send.dynamodb.*", answer)
    return asked


class Raw(BytesIO):
    """An answer's body, as urllib3 gives it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


GOOD = b'{"Count":1,"Items":[{"uuid":{"S":"1"}}],"LastEvaluatedKey":null}'
CLIENTS = ["as botocore reads", "as sent"]


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Any:
    made = SESSION.client("dynamodb", config=aws.CONFIG)
    return read_as_sent(made) if request.param == "as sent" else made


def scanned(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.scan(TableName="any")
    assert found.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    return found


def test_what_is_null_is_left_out(client: Any) -> None:
    answering(client, (200, GOOD, {}))
    assert scanned(client) == {"Count": 1, "Items": [{"uuid": {"S": "1"}}]}


@pytest.mark.parametrize("damaged", [GOOD[:-9], GOOD.replace(b'"1"', b'"7"')])
def test_damaged_answer_is_asked_for_again(client: Any, damaged: bytes, naps: list[float]) -> None:
    checksum = {"x-amz-crc32": str(crc32(GOOD))}
    asked = answering(client, (200, damaged, checksum), (200, GOOD, checksum))
    assert scanned(client)["Items"] == [{"uuid": {"S": "1"}}]
    assert len(asked) == 2


def test_throttled_call_is_repeated(client: Any, naps: list[float]) -> None:
    body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow"}'
    asked = answering(client, (400, body, {}), (200, GOOD, {}))
    assert scanned(client)["Count"] == 1
    assert len(asked) == 2


def test_binary_attributes_are_decoded(client: Any) -> None:
    body = b'{"Items":[{"uuid":{"B":"AAE="},"all":{"BS":["AAE="]}}]}'
    answering(client, (200, body, {}))
    assert scanned(client)["Items"] == [{"uuid": {"B": b"\0\1"}, "all": {"BS": [b"\0\1"]}}]


def test_botocore_that_tells_of_the_event_in_other_words_reads_in_its_own_way() -> None:
    client = read_as_sent(SESSION.client("dynamodb"))
    response = {"status_code": 200, "body": GOOD}
    client.meta.events.emit("before-parse.dynamodb.Scan", response=response)
    client.meta.events.emit("before-parse.dynamodb.Scan", response_dict=response)
    assert response["body"] == GOOD


@pytest.mark.parametrize("body", [b"", b"\xbf\x00", b"[]", b"1"])
def test_what_is_no_json_object_is_left_to_botocore(body: bytes) -> None:
    client = read_as_sent(SESSION.client("dynamodb"))
    response, answer = {"status_code": 200, "body": body}, {"as": "before"}
    given = {"response_dict": response, "customized_response_dict": answer}
    client.meta.events.emit("before-parse.dynamodb.Scan", **given)
    assert (response["body"], answer) == (body, {"as": "before"})


def test_errors_keep_their_names(both: tuple[Any, Any]) -> None:
    quick = both[1]
    with pytest.raises(quick.exceptions.ResourceNotFoundException):
        quick.scan(TableName="no-such-table")
