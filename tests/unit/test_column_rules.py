"""Rows held against a schema by column: the verdict is that of each row alone."""

from __future__ import annotations

from typing import Any

import pytest
from batchcore.schema import RecordSchema
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SCHEMA, make_schema

TEXTS = [
    "",
    "1",
    "-3",
    "7.50",
    "1e2",
    "true",
    "x",
    "2026-02-30",
    "2026-02-28",
    "1/2/26",
    "\uff11",
    "ab",
]

DATES = {"a": {"format": "YYYY-MM-DD"}, "b": {"format": "M/D/YY"}}
NUMBERS = {"a": {"type": "integer", "minimum": 1}, "b": {"type": "number", "multipleOf": 0.5}}
SCHEMAS: dict[str, RecordSchema] = {
    "texts": make_schema({"a": {"minLength": 1, "maxLength": 2}, "b": {"enum": ["x", "1"]}}),
    "numbers": make_schema(NUMBERS),
    "numbers-compared": make_schema(NUMBERS, **{"x-compare": [{"column": "a", ">": "b"}]}),
    "may-be-empty": make_schema({"a": {"type": "integer", "x-empty": True}, "b": {"const": True}}),
    "dates": make_schema({**DATES, "c": {"format": "date-time"}}),
    "dates-compared": make_schema(DATES, **{"x-compare": [{"column": "b", ">=": "a"}]}),
    "no-rules": make_schema({"a": {}, "b": True, "c": False}),
    "definition": make_schema(
        {"a": {"$ref": "#/$defs/n"}, "b": {"anyOf": [{"const": ""}, {"$ref": "#/$defs/n"}]}},
        **{"$defs": {"n": {"type": "integer", "maximum": 5}}},
    ),
    "choice": make_schema({"a": {"oneOf": [{"const": "x"}, {"minLength": 2}]}, "b": {"not": {}}}),
    "rules-of-the-row": make_schema({"a": {}, "b": {}}, minProperties=3),
    "column-that-needs-another": make_schema({"a": {}}, dependentRequired={"a": ["b"]}),
    "all-of": make_schema({"a": {"allOf": [{"type": "number"}, {"maximum": 3}]}}),
    "dialect-1": RecordSchema(
        {"properties": {"id": {}, "a": {"type": "string", "minLength": 1}, "b": {"enum": ["x"]}}},
        typed=False,
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_broken_rows_are_those_that_are_not_valid(name: str, data: st.DataObject) -> None:
    columns = data.draw(st.sampled_from([["id"], ["id", "a"], ["id", "a", "b"], ["b", "a"], ["c"]]))
    texts = st.fixed_dictionaries({column: st.sampled_from(TEXTS) for column in columns})
    rows: list[dict[str, str]] = data.draw(st.lists(texts, max_size=6))
    schema = SCHEMAS[name]
    by_column: dict[str, Any] = {column: [row[column] for row in rows] for column in columns}
    expected = [place for place, row in enumerate(rows) if not schema.is_valid(row)]
    assert schema.broken_rows(by_column, rows=len(rows)) == expected


def test_row_that_breaks_several_columns_is_named_once() -> None:
    columns: dict[str, list[str]] = {column: ["", ""] for column in SCHEMA.columns}
    assert SCHEMA.broken_rows(columns, rows=2) == [0, 1]


def test_more_numbers_than_are_remembered_are_each_judged() -> None:
    schema = make_schema({"a": {"type": "integer", "maximum": 39_999}})
    numbers = [str(n) for n in range(40_001)]
    columns = {"id": ["1"] * len(numbers), "a": numbers}
    assert schema.broken_rows(columns, rows=len(numbers)) == [40_000]


@pytest.mark.parametrize("name", SCHEMAS)
def test_rows_without_any_column_of_the_schema_are_judged_too(name: str) -> None:
    schema = SCHEMAS[name]
    expected = [] if schema.is_valid({}) else [0, 1, 2]
    assert schema.broken_rows({}, rows=3) == expected
