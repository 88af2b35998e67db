"""The dialect of the record schema, rule by rule: what each accepts, and what it refuses.

docs/data.md has the same table in words.
"""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from batchcore.readings import is_multiple
from batchcore.schema import RecordSchema
from hypothesis import given, settings
from hypothesis import strategies as st

ODD = ("", "007", "1.0", "1_000", "+1", "1e3", "NaN", "Infinity", "-Infinity", "null")
BOOLEANS = ("true", "True", "TRUE", "false", "False", "FALSE", "tRUE", "yes", "no", "t", "0", "1")
BLANKS = (" 1", "1 ", "1\n", "\t1", " true", "1\u00a0", "\ufeff1")
DIGITS = ("\u0661", "\uff11", "\u00b2", "1\u0661", "\u2460")
NUMBERS = (
    "0",
    "-0",
    "-1",
    "12",
    "--1",
    "-",
    "1-",
    "0x1",
    "1,000",
    ".5",
    "5.",
    "-.5",
    "1.2.3",
    "1e",
)
EXPONENTS = ("1E3", "1e+3", "1e-3", "1.5e3", "1e1000", "1e999", "e3", "1e3.0", "9" * 5000)
ALL = (*ODD, *BOOLEANS, *BLANKS, *DIGITS, *NUMBERS, *EXPONENTS)

# Rules of a column, and those of ALL that they accept; they refuse all others.
ACCEPTED: list[tuple[dict[str, Any], set[str]]] = [
    ({"type": "integer"}, {"0", "1", "-0", "-1", "12", "007", "9" * 5000}),
    (
        {"type": "number"},
        {"0", "1", "-0", "-1", "12", "007", "1.0", "9" * 5000}
        | {"1e3", "1E3", "1e+3", "1e-3", "1.5e3", "1e999"},
    ),
    ({"type": "boolean"}, {"true", "True", "TRUE", "false", "False", "FALSE"}),
    ({"type": "string"}, set(ALL)),
    ({}, set(ALL)),
    ({"type": "integer", "minimum": 1}, {"1", "12", "007", "9" * 5000}),
    ({"type": "integer", "maximum": 1}, {"0", "1", "-0", "-1"}),
    ({"type": "integer", "exclusiveMinimum": 1}, {"12", "007", "9" * 5000}),
    ({"type": "integer", "exclusiveMaximum": 1}, {"0", "-0", "-1"}),
    ({"type": "integer", "multipleOf": 7}, {"0", "-0", "007"}),
    ({"type": "number", "minimum": 1000, "maximum": 1500}, {"1e3", "1E3", "1e+3", "1.5e3"}),
    ({"minimum": 1000, "maximum": 1500}, {"1e3", "1E3", "1e+3", "1.5e3"}),
    ({"type": "integer", "enum": [1, 7]}, {"1", "007"}),
    ({"type": "number", "enum": [1, 0.001]}, {"1", "1.0", "1e-3"}),
    ({"enum": [1, 7]}, {"1", "1.0", "007"}),
    ({"const": 1}, {"1", "1.0"}),
    ({"enum": ["1", "007", ""]}, {"1", "007", ""}),
    ({"const": "1.0"}, {"1.0"}),
    ({"type": "boolean", "const": True}, {"true", "True", "TRUE"}),
    ({"enum": [False]}, {"false", "False", "FALSE"}),
    ({"type": "integer", "maxLength": 1}, {"0", "1"}),
    ({"type": "integer", "pattern": "^[0-9]{3}$"}, {"007"}),
    ({"type": "integer", "x-empty": True, "minimum": 12, "maximum": 12}, {"", "12"}),
    ({"type": "boolean", "x-empty": True}, {"", *BOOLEANS[:6]}),
    ({"x-empty": True, "minLength": 4, "pattern": "^n"}, {"", "null"}),
    ({"x-empty": True, "enum": ["yes"]}, {"", "yes"}),
    ({"x-empty": False, "maxLength": 9_999}, set(ALL) - {""}),
    ({"x-empty": False, "type": "integer", "maximum": 0}, {"0", "-0", "-1"}),
    ({"anyOf": [{"maxLength": 0}, {"type": "integer", "minimum": 12, "maximum": 20}]}, {"", "12"}),
    ({"anyOf": [{"enum": ["no"]}, {"const": ""}]}, {"", "no"}),
]


def make(rules: dict[str, Any], **changed: Any) -> RecordSchema:
    document = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {}, "a": rules},
        "x-key": "id",
        "x-enrichment": ["price"],
    }
    return RecordSchema({**document, **changed})


def broken(schema: RecordSchema, text: str) -> list[str]:
    found = [v.rule for v in schema.violations({"id": "1", "a": text})]
    assert schema.is_valid({"id": "1", "a": text}) == (not found)
    return found


def message(rules: dict[str, Any], text: str) -> str:
    (found,) = make(rules).violations({"id": "1", "a": text})
    return found.message


def _name(value: Any) -> str | None:
    # Not of a set: the order of its members differs from process to process.
    return None if isinstance(value, set) else str(value)


@pytest.mark.parametrize(("rules", "accepted"), ACCEPTED, ids=_name)
def test_rule_accepts_exactly_these_texts(rules: dict[str, Any], accepted: set[str]) -> None:
    schema = make(rules)
    assert {text for text in ALL if not broken(schema, text)} == accepted


@pytest.mark.parametrize(
    ("rules", "text", "expected"),
    [
        ({"type": "integer", "minimum": 3, "enum": [5]}, "x", ["type"]),
        ({"type": "integer", "minimum": 3, "enum": [5]}, "2", ["enum", "minimum"]),
        ({"minimum": 3, "maximum": 5}, "x", ["type"]),
        ({"enum": [1, 2]}, "x", ["type"]),
        ({"enum": [1, 2]}, "3", ["enum"]),
        ({"type": "integer"}, "", ["type"]),
        ({"x-empty": False}, "", ["minLength"]),
        ({"x-empty": True, "format": "YYYY-MM-DD"}, "soon", ["format"]),
        ({"anyOf": [{"maxLength": 0}, {"format": "YYYY-MM-DD"}]}, "soon", ["format"]),
        (
            {"type": "integer", "allOf": [{"minimum": 3}, {"maximum": 1}]},
            "2",
            ["maximum", "minimum"],
        ),
    ],
)
def test_broken_rules_have_their_names(
    rules: dict[str, Any], text: str, expected: list[str]
) -> None:
    assert broken(make(rules), text) == expected


@pytest.mark.parametrize(
    ("rules", "text", "expected"),
    [
        (
            {"type": "integer"},
            "1.0",
            "is not an integer (digits, with - in front if it is negative)",
        ),
        ({"type": "number"}, "1,5", "is not a number (such as 12, -0.5 or 1.5e3)"),
        ({"type": "boolean"}, "yes", "is not true or false"),
        ({"type": "boolean", "x-empty": True}, "yes", "is not true or false, and not empty"),
        ({"minimum": 1}, "-3", "is less than 1"),
        ({"maximum": 500}, "9999", "is more than 500"),
        ({"exclusiveMinimum": 0.5}, "0.5", "is not more than 0.5"),
        ({"exclusiveMaximum": 5}, "5", "is not less than 5"),
        ({"multipleOf": 0.05}, "0.12", "is not a multiple of 0.05"),
        ({"enum": [1, 2]}, "3", "is not one of 1, 2"),
        ({"const": True}, "false", "is not true"),
        (
            {"anyOf": [{"maxLength": 0}, {"format": "YYYY-MM-DD"}]},
            "soon",
            "is not a date in the format YYYY-MM-DD, and not empty",
        ),
        ({"format": "date"}, "2026-02-30", "is not a date in the format YYYY-MM-DD"),
        ({"format": "uuid"}, "x", "is not a valid uuid"),
        ({"x-empty": False}, "", "is empty"),
    ],
)
def test_message_says_what_is_allowed(rules: dict[str, Any], text: str, expected: str) -> None:
    assert message(rules, text) == expected


def test_value_that_differs_in_normalisation_only_is_named() -> None:
    member = "Z\u00fcrich"
    text = unicodedata.normalize("NFD", member)
    found = message({"enum": ["Bern", member]}, text)
    assert f"it looks like {member!r}" in found
    assert "NFD here, NFC in the schema; Unicode normalisation" in found
    assert "it looks like" not in message({"enum": ["Bern", member]}, "Zurich")
    assert "it looks like 'New York'" in message({"const": "New York"}, "New\u00a0York")


@settings(max_examples=300, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.integers(-9999, 9999))
def test_numbers_are_compared_exactly(number: Decimal, limit: int) -> None:
    text = f"{number:f}"
    bound = limit / 100
    exact = Fraction(str(bound))
    expected = ["minimum"] if Fraction(text) < exact else []
    assert broken(make({"type": "number", "minimum": bound}), text) == expected


def test_digits_beyond_those_of_a_float_count() -> None:
    schema = make({"type": "integer", "maximum": 2**53})
    assert broken(schema, str(2**53)) == []
    assert broken(schema, str(2**53 + 1)) == ["maximum"]
    assert broken(make({"type": "number", "minimum": 0.1}), "0.09999999999999999999") == ["minimum"]


@settings(max_examples=300, deadline=None)
@given(
    st.decimals(-(10**30), 10**30, allow_nan=False),
    st.decimals("0.0001", 10**6, allow_nan=False),
)
def test_multiples_are_exact(value: Decimal, factor: Decimal) -> None:
    assert is_multiple(value, factor) == ((Fraction(value) / Fraction(factor)).denominator == 1)


def test_multiples_of_extreme_numbers_take_no_long_time() -> None:
    schema = make({"type": "number", "multipleOf": 0.01})
    assert broken(schema, "1e999") == []
    assert broken(schema, "1e-999") == ["multipleOf"]
    assert broken(schema, "9" * 5000) == []


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([rules for rules, _ in ACCEPTED]),
    st.text("0123456789+-._eE truefalsTRUE\u0661\n", max_size=7),
)
def test_row_is_valid_exactly_if_no_rule_is_broken(rules: dict[str, Any], text: str) -> None:
    broken(make(rules), text)


def test_definition_is_read_as_if_it_stood_in_the_column() -> None:
    schema = make({"$ref": "#/$defs/n"}, **{"$defs": {"n": {"type": "integer", "minimum": 3}}})
    assert broken(schema, "2") == ["minimum"]
    assert broken(schema, "x") == ["type"]
    assert schema.properties["a"] == {"type": "integer", "minimum": 3}


def test_key_is_read_as_its_column_says() -> None:
    schema = make({}, properties={"id": {"type": "integer", "minimum": 5}})
    assert schema.is_key("7")
    assert not schema.is_key("3")
    assert not schema.is_key("x")


def test_stack_of_the_dialect_before_takes_every_value_as_a_string() -> None:
    document = {**make({}).document, "properties": {"id": {}, "a": {"type": "integer"}, "b": {}}}
    document["properties"]["b"] = {"minimum": 3}
    schema = RecordSchema(document, typed=False)
    assert [v.rule for v in schema.violations({"id": "1", "a": "5", "b": "1"})] == ["type"]
    assert schema.is_valid({"id": "1", "b": "1"})


# ------------------------------------------------------------------- two columns of a row

DATES = {"a": {"format": "M/D/YY", "x-empty": True}, "b": {"format": "YYYY-MM-DD"}}
NUMBERED = {"a": {"type": "integer"}, "b": {"type": "number", "x-empty": True}}
INSTANTS = {"a": {"format": "date-time"}, "b": {"format": "date-time"}}


def comparing(sign: str, columns: dict[str, Any]) -> RecordSchema:
    compare = [{"column": "a", sign: "b"}]
    return make({}, properties={"id": {}, **columns}, **{"x-compare": compare})


@pytest.mark.parametrize(
    ("sign", "columns", "a", "b", "message"),
    [
        (">=", DATES, "1/31/26", "2026-01-31", ""),
        (">=", DATES, "1/30/26", "2026-01-31", "is before b (2026-01-31)"),
        (">", DATES, "1/31/26", "2026-01-31", "is not after b (2026-01-31)"),
        ("<=", DATES, "2/1/26", "2026-01-31", "is after b (2026-01-31)"),
        ("<", DATES, "1/31/26", "2026-01-31", "is not before b (2026-01-31)"),
        ("==", DATES, "01/31/26", "2026-01-31", ""),
        ("!=", DATES, "01/31/26", "2026-01-31", "is the same as b (2026-01-31)"),
        (">=", DATES, "1/1/69", "2026-01-31", "is before b (2026-01-31)"),
        (">=", NUMBERED, "10", "9.5", ""),
        (">=", NUMBERED, "9", "10", "is less than b (10)"),
        (">", NUMBERED, "10", "1e1", "is not more than b (1e1)"),
        ("<=", NUMBERED, "9007199254740993", "9007199254740992", "is more than b"),
        ("<", NUMBERED, "007", "7", "is not less than b (7)"),
        ("==", NUMBERED, "7", "7.00", ""),
        ("==", NUMBERED, "7", "8", "is not equal to b (8)"),
        ("!=", NUMBERED, "7", "7.0", "is equal to b (7.0)"),
        (">=", INSTANTS, "2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z", ""),
        (">=", INSTANTS, "2026-01-31T12:00:00+02:00", "2026-01-31T10:00:01Z", "is before b"),
        (">=", NUMBERED, "7", "", ""),
        (">=", DATES, "", "2026-01-31", ""),
    ],
)
def test_columns_are_compared(
    sign: str, columns: dict[str, Any], a: str, b: str, message: str
) -> None:
    schema = comparing(sign, columns)
    row = {"id": "1", "a": a, "b": b}
    found = schema.violations(row)
    assert schema.is_valid(row) == (not message) == (not found)
    for violation in found:
        assert violation.message.startswith(message)
        assert (violation.column, violation.rule) == ("a", "x-compare")
        assert (violation.value, violation.limit) == (a, f"{sign} b")


def test_value_that_cannot_be_read_breaks_its_own_rule_alone() -> None:
    schema = comparing(">=", DATES)
    for a, b, broken_column in (("13/40/26", "2026-01-31", "a"), ("1/1/26", "soon", "b")):
        found = schema.violations({"id": "1", "a": a, "b": b})
        assert [(v.column, v.rule) for v in found] == [(broken_column, "format")]


def test_file_without_one_of_the_columns_is_not_compared() -> None:
    schema = comparing(">=", NUMBERED)
    assert schema.is_valid({"id": "1", "a": "1"})
    assert schema.violations({"id": "1", "b": "1"}) == []


def test_order_is_not_shipped_before_it_is_placed() -> None:
    from support import SCHEMA

    row = {
        "uuid": "271828183",
        "Country": "Ghana",
        "Item Type": "Snacks",
        "Sales Channel": "Online",
        "Order Priority": "H",
        "Order Date": "1/9/10",
        "Region": "Sub-Saharan Africa",
        "Ship Date": "1/9/10",
    }
    assert SCHEMA.is_valid(row)
    (found,) = SCHEMA.violations({**row, "Ship Date": "12/31/09"})
    assert f"{found.column} {found.message}" == "Ship Date is before Order Date (1/9/10)"


def test_values_that_are_remembered_stay_bounded() -> None:
    schema = make({"type": "integer", "maximum": 39_999})
    assert all(schema.is_valid({"id": "1", "a": str(n)}) for n in range(40_000))
    assert not schema.is_valid({"id": "1", "a": "40000"})


# What a schema that was never searched for mistakes may have, besides what is above.
UNCHECKED: list[dict[str, Any]] = [
    {"type": ["integer", "null"], "enum": [1]},
    {"type": ["string", "null"], "minimum": 3},
    {"type": "null"},
    {"type": "string", "minimum": 3},
    {"type": "string", "enum": [1, "1"]},
    {"anyOf": [{"type": "integer"}, {"const": "x"}], "maxLength": 2},
    {"anyOf": [{"maxLength": 0}, {"minimum": 3}], "pattern": "^[0-9]*$"},
    {"not": {"type": "integer"}},
    {"if": {"type": "integer"}, "then": {"minimum": 3}},
    {"$ref": "#/$defs/d", "minimum": 1},
    {"$ref": "#/$defs/d", "maximum": 1},
    {"type": "boolean", "minimum": 1},
    {"enum": [1, "a", True, None]},
]


@pytest.mark.parametrize("rules", UNCHECKED, ids=str)
def test_verdict_and_reasons_agree_on_rules_beyond_the_dialect(rules: dict[str, Any]) -> None:
    schema = make(rules, **{"$defs": {"d": {"type": "integer", "maximum": 5}}})
    for text in (*ALL, "a", "x", "xyz"):
        broken(schema, text)
