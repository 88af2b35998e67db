"""The record schema: what it refuses to be, and what it finds in a row."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from batchcore.errors import SchemaError
from batchcore.schema import FILE_NAME, RecordSchema, find_in_layer
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ORDER, SCHEMA, SOURCE, make_schema

if TYPE_CHECKING:
    from pathlib import Path


def rules(schema: RecordSchema, **fields: str) -> list[tuple[str, str]]:
    return [(v.column, v.rule) for v in schema.violations({"id": "1", **fields})]


# ---------------------------------------------------------------- the one that is shipped


def test_shipped_schema_is_the_sales_order() -> None:
    assert SCHEMA.columns == SCHEMA.required == tuple(ORDER)
    limits = [SCHEMA.properties[column]["maxLength"] for column in SCHEMA.columns]
    assert limits == [9, 50, 30, 10, 5, 10, 100, 10]
    assert SCHEMA.key == "uuid"
    assert len(SCHEMA.enrichment) == 6


def test_good_order_breaks_no_rule() -> None:
    assert SCHEMA.is_valid(ORDER)
    assert SCHEMA.violations(ORDER) == []


@pytest.mark.parametrize(
    ("column", "value", "expected", "message"),
    [
        ("uuid", "27182818", ["pattern"], "does not match ^[0-9]{9}$"),
        (
            "uuid",
            "2718281830",
            ["maxLength", "pattern"],
            "has 10 characters, but at most 9 are allowed",
        ),
        ("uuid", "", ["pattern"], "does not match ^[0-9]{9}$"),
        ("uuid", "\u0662" * 9, ["pattern"], "does not match ^[0-9]{9}$"),
        ("Country", "", ["minLength"], "is empty"),
        ("Country", "x" * 51, ["maxLength"], "has 51 characters, but at most 50 are allowed"),
        ("Item Type", "é" * 31, ["maxLength"], "has 31 characters, but at most 30 are allowed"),
        ("Sales Channel", "online", ["enum"], "is not one of Online, Offline"),
        ("Order Priority", "X", ["enum"], "is not one of C, H, M, L"),
        ("Order Date", "2/30/15", ["format"], "is not a date in the format M/D/YY"),
        ("Ship Date", "2010-05-28", ["format"], "is not a date in the format M/D/YY"),
        ("Region", "x" * 101, ["maxLength"], "has 101 characters, but at most 100 are allowed"),
    ],
)
def test_rule_that_a_value_breaks_is_named(
    column: str, value: str, expected: list[str], message: str
) -> None:
    row = {**ORDER, column: value}
    found = SCHEMA.violations(row)
    assert not SCHEMA.is_valid(row)
    assert [v.rule for v in found] == expected
    assert {(v.column, v.value) for v in found} == {(column, value)}
    assert found[0].message == message


def test_all_rules_that_a_row_breaks_are_found_in_the_order_of_columns() -> None:
    row = {**ORDER, "Ship Date": "?", "uuid": "12345678901", "Order Priority": "urgent!"}
    assert [(v.column, v.rule) for v in SCHEMA.violations(row)] == [
        ("uuid", "maxLength"),
        ("uuid", "pattern"),
        ("Order Priority", "enum"),
        ("Order Priority", "maxLength"),
        ("Ship Date", "format"),
    ]


def test_limit_says_what_is_allowed() -> None:
    (found,) = SCHEMA.violations({**ORDER, "Sales Channel": "Retail"})
    assert json.loads(found.limit) == ["Online", "Offline"]


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({column: st.text(max_size=12) for column in ORDER}))
def test_row_is_valid_exactly_if_it_breaks_no_rule(row: dict[str, str]) -> None:
    for fields in (row, {**ORDER, "Country": row["Country"]}):
        assert SCHEMA.is_valid(fields) == (SCHEMA.violations(fields) == [])


@settings(max_examples=100, deadline=None)
@given(st.text("0123456789x", max_size=11))
def test_key_is_well_formed_exactly_if_its_column_is_valid(key: str) -> None:
    assert SCHEMA.is_key(key) == SCHEMA.is_valid({**ORDER, "uuid": key})


def test_formats_of_the_standard_are_checked_too() -> None:
    schema = make_schema({"mail": {"format": "email"}, "day": {"format": "date"}})
    assert rules(schema, mail="a@example.com", day="2026-11-23") == []
    assert rules(schema, mail="nobody", day="23.11.2026") == [("mail", "format"), ("day", "format")]
    assert schema.violations({"id": "1", "mail": "x"})[0].message == "is not a valid email"


# ------------------------------------------------------------------- schemas of others


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"properties": {}}, "no 'properties'"),
        ({"properties": ["id"]}, "no 'properties'"),
        ({"required": ["id", "name"]}, r"'required' names columns.*'name'"),
        ({"x-key": "name"}, "'x-key' must name a required column"),
        ({"required": []}, "'x-key' must name a required column"),
        ({"x-key": ""}, "'x-key' must name a required column"),
        ({"x-enrichment": []}, "'x-enrichment' must list"),
        ({"x-enrichment": ["id"]}, "none of them in 'properties'"),
        ({"properties": {"id": {"type": "text"}}}, "not valid"),
        ({"properties": {"id": {"pattern": "("}}}, "not valid"),
        ({"properties": {"id": {"format": "no-such-format"}}}, "not valid"),
    ],
)
def test_schema_that_cannot_be_used_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        make_schema(**changed)


@pytest.mark.parametrize("changed", [{"required": 5}, {"x-enrichment": "Price"}])
def test_schema_with_values_of_the_wrong_type_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        make_schema(**changed)


def test_rules_may_stand_in_definitions() -> None:
    schema = make_schema(
        {"code": {"$ref": "#/$defs/code"}}, **{"$defs": {"code": {"maxLength": 2}}}
    )
    assert rules(schema, code="abc") == [("code", "maxLength")]


def test_rules_of_the_key_may_stand_in_definitions() -> None:
    definitions = {"key": {"type": "string", "maxLength": 2}}
    schema = make_schema({"id": {"$ref": "#/$defs/key"}}, **{"$defs": definitions})
    assert schema.is_key("ab")
    assert not schema.is_key("abc")


def test_rule_for_the_whole_row_has_no_column() -> None:
    schema = make_schema({"a": {}, "b": {}}, dependentRequired={"a": ["b"]})
    assert rules(schema, a="1") == [("", "dependentRequired")]
    assert schema.violations({"id": "1", "a": "2"})[0].value == ""


def test_violations_of_the_same_keyword_come_in_one_order() -> None:
    # Many, since a set may be in order by chance.
    parts = [{"pattern": f"^{n}"} for n in range(8)]
    schema = make_schema({"a": {"allOf": parts}})
    limits = [v.limit for v in schema.violations({"id": "1", "a": "x"})]
    assert limits == sorted(limits)


def test_schema_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(make_schema({"é": {}}).document), encoding="utf-8")
    assert RecordSchema.load(path).columns == ("id", "é")


@pytest.mark.parametrize("content", ["", "[]", "{", '"x"'])
def test_file_that_is_no_schema_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SchemaError, match=r"schema\.json"):
        RecordSchema.load(path)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"none\.json"):
        RecordSchema.load(tmp_path / "none.json")


def test_schema_is_found_in_a_layer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(SOURCE / "schema")])
    assert find_in_layer(FILE_NAME) == SOURCE / "schema" / FILE_NAME
    assert RecordSchema.load().columns == SCHEMA.columns
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(FileNotFoundError, match=FILE_NAME):
        find_in_layer(FILE_NAME)
