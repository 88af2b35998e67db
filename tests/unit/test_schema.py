"""The record schema: what it refuses to be, and what it finds in a row."""

from __future__ import annotations

import calendar
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from batchcore.dates import date_check, date_pattern, is_date_format
from batchcore.errors import SchemaError
from batchcore.schema import FILE_NAME, RecordSchema, find_in_layer
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SCHEMA, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "uuid": "271828183",
    "Country": "Ghana",
    "Item Type": "Snacks",
    "Sales Channel": "Online",
    "Order Priority": "H",
    "Order Date": "1/9/10",
    "Region": "Sub-Saharan Africa",
    "Ship Date": "1/19/10",
}


def make(columns: dict[str, Any] | None = None, **changed: Any) -> RecordSchema:
    document = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, **(columns or {})},
        "x-key": "id",
        "x-enrichment": ["Price"],
    }
    return RecordSchema({**document, **changed})


def rules(schema: RecordSchema, **fields: str) -> list[tuple[str, str]]:
    return [(v.column, v.rule) for v in schema.violations({"id": "1", **fields})]


# ---------------------------------------------------------------- the one that is shipped


def test_shipped_schema_is_the_sales_order() -> None:
    assert SCHEMA.columns == SCHEMA.required == tuple(GOOD)
    limits = [SCHEMA.properties[column]["maxLength"] for column in SCHEMA.columns]
    assert limits == [9, 50, 30, 10, 5, 10, 100, 10]
    assert SCHEMA.key == "uuid"
    assert len(SCHEMA.enrichment) == 6


def test_good_order_breaks_no_rule() -> None:
    assert SCHEMA.is_valid(GOOD)
    assert SCHEMA.violations(GOOD) == []


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
    row = {**GOOD, column: value}
    found = SCHEMA.violations(row)
    assert not SCHEMA.is_valid(row)
    assert [v.rule for v in found] == expected
    assert {(v.column, v.value) for v in found} == {(column, value)}
    assert found[0].message == message


def test_all_rules_that_a_row_breaks_are_found_in_the_order_of_columns() -> None:
    row = {**GOOD, "Ship Date": "?", "uuid": "12345678901", "Order Priority": "urgent!"}
    assert [(v.column, v.rule) for v in SCHEMA.violations(row)] == [
        ("uuid", "maxLength"),
        ("uuid", "pattern"),
        ("Order Priority", "enum"),
        ("Order Priority", "maxLength"),
        ("Ship Date", "format"),
    ]


def test_limit_says_what_is_allowed() -> None:
    (found,) = SCHEMA.violations({**GOOD, "Sales Channel": "Retail"})
    assert json.loads(found.limit) == ["Online", "Offline"]


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({column: st.text(max_size=12) for column in GOOD}))
def test_row_is_valid_exactly_if_it_breaks_no_rule(row: dict[str, str]) -> None:
    for fields in (row, {**GOOD, "Country": row["Country"]}):
        assert SCHEMA.is_valid(fields) == (SCHEMA.violations(fields) == [])


@settings(max_examples=100, deadline=None)
@given(st.text("0123456789x", max_size=11))
def test_key_is_well_formed_exactly_if_its_column_is_valid(key: str) -> None:
    assert SCHEMA.is_key(key) == SCHEMA.is_valid({**GOOD, "uuid": key})


# ------------------------------------------------------------------------------ dates


def days(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 99), st.integers(0, 14), st.integers(0, 33))
def test_short_date_is_a_day_of_the_calendar(year: int, month: int, day: int) -> None:
    full = year + (1900 if year >= 69 else 2000)
    exists = 1 <= month <= 12 and 1 <= day <= days(full, month)
    assert date_check("M/D/YY")(f"{month}/{day}/{year:02}") == exists
    assert date_check("DD.MM.YYYY")(f"{day:02}.{month:02}.{full}") == exists
    assert date_check("YYYY-MM-DD")(f"{full}-{month:02}-{day:02}") == exists


@pytest.mark.parametrize(
    ("date_format", "text", "expected"),
    [
        ("M/D/YY", "01/09/10", True),
        ("M/D/YY", "1/9/2010", False),
        ("M/D/YY", "1/9/10 ", False),
        ("M/D/YY", "1/9/10\n", False),
        ("M/D/YY", "1-9-10", False),
        ("M/D/YY", "001/9/10", False),
        ("M/D/YY", "", False),
        ("M/D/YY", "\u0661/\u0669/\u0661\u0660", False),
        ("M/D/YY", "2/29/00", True),
        ("M/D/YY", "2/29/01", False),
        ("DD.MM.YYYY", "1.2.2010", False),
        ("DD.MM.YYYY", "01x02x2010", False),
        ("YYYY-MM-DD", "0000-01-01", False),
        ("D M YYYY", "3 10 1582", True),
        ("YYYYMMDD", "20261123", True),
    ],
)
def test_date_is_checked_letter_by_letter(date_format: str, text: str, expected: bool) -> None:
    assert is_date_format(date_format)
    assert date_check(date_format)(text) is expected


@pytest.mark.parametrize("text", ["date", "email", "", "D/M", "M/YY", "D/M/Y", "D/M/YYY", "d/m/yy"])
def test_other_formats_are_none_of_ours(text: str) -> None:
    assert not is_date_format(text)


@pytest.mark.parametrize("text", ["D/D/M/YY", "DDD/M/YY", "D/M/YYYYYY", "DMYYD"])
def test_format_with_a_part_too_many_is_none_of_ours(text: str) -> None:
    assert not is_date_format(text)


def written(date_format: str, year: int, month: int, day: int) -> set[str]:
    """Return a date in a format, one digit and two where both will do."""
    found = {date_format.replace("YYYY", f"{year:04}").replace("YY", f"{year % 100:02}")}
    for letter, number in (("M", month), ("D", day)):
        two = {text.replace(letter * 2, f"{number:02}") for text in found}
        found = two | {text.replace(letter, str(number)) for text in two}
        found |= {text.replace(letter, f"{number:02}") for text in two}
    return {text for text in found if not set(text) & set("DMY")}


# Those in which years matter, and both kinds of each part.
PATTERNED = ["M/D/YY", "DD.MM.YYYY", "D M YYYY", "YYYY-MM-DD", "YY-D/MM"]


@pytest.mark.parametrize("date_format", PATTERNED)
def test_pattern_accepts_exactly_the_dates_of_the_calendar(date_format: str) -> None:
    """Every day, and days that there are none of, of every kind of year."""
    is_date, pattern = date_check(date_format), date_pattern(date_format)
    schema = make({"day": {"pattern": pattern}})
    several = [0, 1, 4, 100, 400, 1582, 1600, 1900, 2000, 2004, 2023, 2024, 2100, 9999]
    dates = [(y, m, d) for y in range(1969, 2069) for m in (2, 12) for d in (28, 29, 30, 31)]
    dates += [(y, m, d) for y in several for m in range(14) for d in range(34)]
    texts = {text for date in dates for text in written(date_format, *date)}
    valid = {text for text in texts if is_date(text)}
    assert {text for text in texts if schema.is_valid({"id": "1", "day": text})} == valid
    assert len(valid) > 500


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(PATTERNED),
    st.text("0123456789/-. \n\u0661x", max_size=11)
    | st.from_regex(r"[0-3]?[0-9][/.\- ][0-3]?[0-9][/.\- ]([0-9]{2}){1,2}\n?", fullmatch=True),
)
def test_row_is_valid_exactly_if_no_rule_is_broken(date_format: str, text: str) -> None:
    schema = make({"day": {"format": date_format, "allOf": [{"maxLength": 9}]}})
    assert schema.is_valid({"id": "1", "day": text}) == (rules(schema, day=text) == [])
    assert schema.is_valid({"id": "1", "day": text}) == (
        date_check(date_format)(text) and len(text) <= 9
    )


def test_format_whose_digits_could_be_read_in_two_ways_has_no_pattern() -> None:
    assert date_pattern("DMYY") is date_pattern("YYYYMMDD") is None
    schema = make({"day": {"format": "DMYY"}})
    # Read as the 30th of February, not as the 3rd.
    assert not schema.is_valid({"id": "1", "day": "30210"})
    assert schema.is_valid({"id": "1", "day": "30310"})


def test_formats_of_the_standard_are_checked_too() -> None:
    schema = make({"mail": {"format": "email"}, "day": {"format": "date"}})
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
        make(**changed)


@pytest.mark.parametrize("changed", [{"required": 5}, {"x-enrichment": "Price"}])
def test_schema_with_values_of_the_wrong_type_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        make(**changed)


def test_rules_may_stand_in_definitions() -> None:
    schema = make({"code": {"$ref": "#/$defs/code"}}, **{"$defs": {"code": {"maxLength": 2}}})
    assert rules(schema, code="abc") == [("code", "maxLength")]


def test_rules_of_the_key_may_stand_in_definitions() -> None:
    definitions = {"key": {"type": "string", "maxLength": 2}}
    schema = make({"id": {"$ref": "#/$defs/key"}}, **{"$defs": definitions})
    assert schema.is_key("ab")
    assert not schema.is_key("abc")


def test_rule_for_the_whole_row_has_no_column() -> None:
    schema = make({"a": {}, "b": {}}, dependentRequired={"a": ["b"]})
    assert rules(schema, a="1") == [("", "dependentRequired")]
    assert schema.violations({"id": "1", "a": "2"})[0].value == ""


def test_violations_of_the_same_keyword_come_in_one_order() -> None:
    # Many, since a set may be in order by chance.
    parts = [{"pattern": f"^{n}"} for n in range(8)]
    schema = make({"a": {"allOf": parts}})
    limits = [v.limit for v in schema.violations({"id": "1", "a": "x"})]
    assert limits == sorted(limits)


def test_schema_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(make({"é": {}}).document), encoding="utf-8")
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
