"""The items of the tables: one per violated rule, keys that sort, plain values there and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from batchcore import items
from hypothesis import given
from hypothesis import strategies as st
from support import SCHEMA

ROWS = st.integers(1, 9_999_999_999)


def error(column: str = "Country", rule: str = "enum", **changed: str) -> dict[str, str]:
    values = {"stage": "validate", "value": "x", "limit": "y", "message": "is not y"}
    return {"column": column, "rule": rule, **values, **changed}


def error_items(*errors: dict[str, str], **changed: Any) -> list[items.Item]:
    record = {"row": 12, "raw": "a,b\n", "key": "k", "errors": list(errors), **changed}
    return list(
        items.error_items(record, job="j", chunk=3, attempt=2, time="2026-11-23T06:00:00Z", ttl=99)
    )


def test_each_violated_rule_is_an_item_with_all_that_is_known() -> None:
    first, second = error_items(error(), error("", "fieldCount", stage="read"))
    assert items.plain(first) == {
        "jobRange": "j#000000",
        "errorId": "0000000012#Country#enum",
        "uuid": "k",
        "stage": "validate",
        "column": "Country",
        "value": "x",
        "rule": "enum",
        "limit": "y",
        "message": "is not y",
        "raw": "a,b\n",
        "time": "2026-11-23T06:00:00Z",
        "chunk": 3,
        "sourceRow": 12,
        "attempt": 2,
        "ttl": 99,
    }
    assert items.plain(second)["errorId"] == "0000000012##fieldCount"


def test_long_values_are_cut_to_what_an_item_may_hold() -> None:
    # The worst: every character has four bytes, and a key and a value are as long as the row.
    long = "\U0001f600" * 1_000_000
    (item,) = error_items(error(value=long), raw=long, key=long)
    assert item["value"]["S"].endswith("... (1,000,000 characters in all)")
    size = sum(len(k) + len(v.encode()) for k, a in item.items() for v in a.values())
    assert size < 400_000  # Amazon DynamoDB quotas: 400 KB an item


def test_rules_of_one_kind_for_a_column_are_items_of_their_own() -> None:
    found = [items.plain(i) for i in error_items(error(limit="a"), error("B"), error(limit="b"))]
    assert [(item["errorId"], item["limit"]) for item in found] == [
        ("0000000012#Country#enum", "a"),
        ("0000000012#B#enum", "y"),
        ("0000000012#Country#enum#2", "b"),
    ]


@given(ROWS, ROWS)
def test_sort_keys_are_in_the_order_of_rows(one: int, other: int) -> None:
    assert (items.row_prefix(one) < items.row_prefix(other)) == (one < other)


@given(ROWS, ROWS, ROWS, st.text(max_size=5), st.text(max_size=5))
def test_range_of_rows_holds_exactly_their_errors(
    row: int, one: int, other: int, column: str, rule: str
) -> None:
    low, high = items.row_range(min(one, other), max(one, other))
    key = f"{items.row_prefix(row)}{column}#{rule}"
    held = low.encode() <= key.encode() <= high.encode()
    assert held == (min(one, other) <= row <= max(one, other))


def test_range_ends_before_the_next_row() -> None:
    low, high = items.row_range(2, 5)
    assert low <= items.row_prefix(2) < items.row_prefix(5) + "zzz#zzz" < high
    assert high < items.row_prefix(6)
    assert items.row_prefix(1) + "zzz#zzz" < low


@given(st.integers(1, 999_998))
def test_chunk_entries_sort_by_number(number: int) -> None:
    assert items.JOB_ENTRY > items.chunk_entry(number + 1) > items.chunk_entry(number)


VALUES = st.dictionaries(
    st.text(min_size=1),
    st.one_of(st.text(), st.integers(), st.dictionaries(st.text(), st.integers())),
    min_size=1,
)


@given(VALUES, st.integers(1, 99), st.lists(st.text(min_size=1), unique=True))
def test_values_assigned_come_back_plain(
    values: dict[str, Any], attempt: int, remove: list[str]
) -> None:
    values.pop("attempt", None)
    remove = [name for name in remove if name not in values and name != "attempt"]
    arguments = items.assignments(values, attempt=attempt, remove=remove)
    names = arguments["ExpressionAttributeNames"]
    stored = arguments["ExpressionAttributeValues"]
    sets, _, removes = arguments["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
    assigned = dict(part.split(" = ") for part in sets.split(", "))
    item = {names[name]: stored[value] for name, value in assigned.items()}
    assert items.plain(item) == {"attempt": attempt, **values}
    assert [names[name] for name in removes.split(", ") if name] == remove
    # DynamoDB refuses names and values that are not used.
    assert set(names) == set(assigned) | {name for name in removes.split(", ") if name}
    assert set(stored) == set(assigned.values())


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers())))
def test_values_as_attributes_come_back_plain(values: dict[str, Any]) -> None:
    assert items.plain(items.attributes(values)) == values


def test_time_is_written_as_step_functions_writes_it() -> None:
    text = items.utc_now()
    assert len(text) == len("2026-11-23T06:00:00.000Z")
    assert text.endswith("Z")
    assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(seconds=10)


@pytest.mark.parametrize("column", SCHEMA.columns)
def test_sort_key_of_any_error_fits(column: str) -> None:
    (item,) = error_items(error(column, "dependentRequired"), row=9_999_999_999)
    assert len(item["errorId"]["S"].encode()) <= 1024  # Amazon DynamoDB quotas: a sort key
