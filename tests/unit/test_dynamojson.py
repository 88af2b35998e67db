"""What DynamoDB lists comes out as botocore would have read it, and so do its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from batchcore.dynamojson import read_as_sent
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


def test_errors_keep_their_names(both: tuple[Any, Any]) -> None:
    quick = both[1]
    with pytest.raises(quick.exceptions.ResourceNotFoundException):
        quick.scan(TableName="no-such-table")
