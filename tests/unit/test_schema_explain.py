"""Each column in a sentence, with a value that passes and one that fails: both are tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore.column_check import FORMATS
from batchcore.errors import SchemaError
from batchcore.schema import RecordSchema
from batchcore.schema_check import check_schema
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import SCHEMA, SOURCE

from batchops.cli import main
from batchops.core.errors import InputError
from batchops.planning.schema_explain import ColumnExplanation, explain_loaded, explain_schema

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = SOURCE / "schema" / "record.schema.json"


def explained(rules: dict[str, Any], **more: Any) -> ColumnExplanation:
    (found,) = explain_schema({"properties": {"a": rules}, **more}).columns
    return found


def assert_tried(schema: RecordSchema, found: ColumnExplanation) -> None:
    if found.passes is not None:
        assert not schema.column_violations(found.column, found.passes)
    if found.fails is not None:
        (first, *_) = schema.column_violations(found.column, found.fails)
        assert found.why == first.message


NUMBERS = st.integers(-1000, 1000) | st.floats(-1e6, 1e6).map(lambda f: round(f, 3))
LENGTHS = st.integers(0, 40)
RULES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": NUMBERS,
            "maximum": NUMBERS,
            "exclusiveMinimum": NUMBERS,
            "exclusiveMaximum": NUMBERS,
            "multipleOf": st.sampled_from([1, 2, 5, 0.01, 0.5]),
        },
    ),
    st.fixed_dictionaries({}, optional={"minLength": LENGTHS, "maxLength": LENGTHS}),
    st.fixed_dictionaries(
        {"enum": st.lists(st.text(max_size=5), min_size=1, max_size=5, unique=True)}
    ),
    st.fixed_dictionaries({"enum": st.lists(NUMBERS, min_size=1, max_size=5, unique=True)}),
    st.just({"type": "boolean"}),
    st.sampled_from(
        ["YYYY-MM-DD", "D.M.YY", "MM/DD/YYYY h:mm", "YYYYMMDD", "DD-MM-YYYYThh:mm:ss", *FORMATS]
    ).map(lambda name: {"format": name}),
    st.sampled_from(["^[0-9]{9}$", "^T-[0-9]{5}$", "^(a|b)+$", "x", "^[A-Z]{2}[0-9]?$"]).map(
        lambda pattern: {"pattern": pattern}
    ),
)
WITH_EMPTY = st.tuples(RULES, st.sampled_from([{}, {"x-empty": True}, {"x-empty": False}])).map(
    lambda pair: {**pair[0], **pair[1]}
)


@settings(max_examples=200, deadline=None)
@given(rules=WITH_EMPTY)
def test_values_of_any_schema_are_tried_on_it(rules: dict[str, Any]) -> None:
    try:
        schema = check_schema({"properties": {"a": rules}})
    except SchemaError:
        assume(False)
    (found,) = explain_loaded(schema, name="x").columns
    assert_tried(schema, found)
    assert found.passes is not None or "multipleOf" in rules or "exclusiveMinimum" in rules
    free = not rules.keys() - {"type", "x-empty", "minLength"} and rules.get("x-empty") is not False
    assert (
        found.fails is not None
        or (free and rules.get("type", "string") == "string")
        or (
            # Without a maximum only the empty text can be too short.
            rules.get("format") in {"uri-reference", "iri-reference", "regex", "uri-template"}
        )
    )


@pytest.mark.parametrize("column", SCHEMA.columns)
def test_values_of_the_shipped_schema_are_tried_on_it(column: str) -> None:
    (found,) = [each for each in explain_schema(SHIPPED).columns if each.column == column]
    assert_tried(SCHEMA, found)
    assert found.passes
    assert found.fails


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({}, "Any text; may be empty; a file may lack the column."),
        ({"minLength": 1}, "A text; never empty; a file may lack the column."),
        (
            {"maxLength": 5},
            "A text, at most 5 characters; may be empty; a file may lack the column.",
        ),
        (
            {"type": "integer", "minimum": 1, "maximum": 9, "x-empty": True},
            "An integer, at least 1, at most 9; may be empty; a file may lack the column.",
        ),
        ({"enum": ["a", "b"]}, "One of a, b; never empty; a file may lack the column."),
        ({"const": True}, "Always true; never empty; a file may lack the column."),
        ({"format": "D/M/YY"}, "A date as D/M/YY; never empty; a file may lack the column."),
        ({"format": "email"}, "A valid email; never empty; a file may lack the column."),
        (
            {"allOf": [{"minLength": 2}, {"pattern": "^a"}]},
            "A text, at least 2 characters; and a text, in which ^a is found; never empty; "
            "a file may lack the column.",
        ),
    ],
    ids=["free", "minLength", "maxLength", "integer", "enum", "const", "date", "format", "allOf"],
)
def test_sentence_says_the_rules(rules: dict[str, Any], sentence: str) -> None:
    assert explained(rules).sentence == sentence


def test_sentence_names_the_key_and_the_other_column() -> None:
    text = str(explain_schema(SHIPPED))
    assert (
        "uuid: A text, at most 9 characters, in which ^[0-9]{9}$ is found; never empty; the key."
        in text
    )
    assert "not before Order Date" in text
    assert "Rows are looked up by uuid, which adds Units Sold" in text


def test_numbers_that_are_compared_are_told_as_numbers() -> None:
    schema = {
        "required": ["a", "b"],
        "properties": {"a": {"type": "integer"}, "b": {"type": "number"}},
        "x-compare": [{"column": "a", "<": "b"}],
    }
    assert explain_schema(schema).columns[0].sentence == "An integer; less than b; never empty."
    assert "Rows are not looked up" in str(explain_schema(schema))


def test_date_that_fails_is_a_day_that_there_is_not() -> None:
    assert explained({"format": "DD.MM.YYYY"}).fails == "31.11.2026"


def test_pattern_that_python_cannot_read_has_no_made_up_value() -> None:
    found = explained({"pattern": "^\\p{Greek}+$"})
    assert found.passes is None
    assert found.fails is not None


def test_schema_with_mistakes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"properties": {"a": {"enu": [1]}}}), encoding="utf-8")
    with pytest.raises(InputError, match="did you mean enum"):
        explain_schema(path)


def test_command_line_explains_a_file() -> None:
    done = CliRunner().invoke(main, ["schema", "explain", str(SHIPPED)])
    assert done.exit_code == 0
    assert "Sales Channel: One of Online, Offline" in done.stdout
    as_json = CliRunner().invoke(main, ["schema", "explain", str(SHIPPED), "--json"])
    assert json.loads(as_json.stdout)["columns"][0]["column"] == "uuid"
