"""A schema that does not mean what it says is refused, with the place and what was meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore.column_check import FORMATS
from batchcore.errors import SchemaError
from batchcore.schema import RecordSchema
from batchcore.schema_check import check_schema, load_checked
from click.testing import CliRunner
from support import SOURCE

from batchops.cli import main
from batchops.core.errors import InputError
from batchops.core.project import Project
from batchops.deployment.delivery import SCHEMA_LAYER, Order, check_files
from batchops.planning.what_if import load_schema

if TYPE_CHECKING:
    from pathlib import Path


def document(rules: Any = None, **changed: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {}, **({} if rules is None else {"a": rules})},
        "x-key": "id",
        "x-enrichment": ["price"],
        **changed,
    }


def problem(given: dict[str, Any]) -> str:
    with pytest.raises(SchemaError) as caught:
        check_schema(given)
    return str(caught.value)


def nested(levels: int) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    for _ in range(levels):
        rules = {"allOf": [rules]}
    return rules


@pytest.mark.parametrize(
    "rules",
    [
        {},
        True,
        {"type": "integer", "minimum": 1, "maximum": 1},
        {"exclusiveMinimum": 4, "exclusiveMaximum": 5},
        {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6},
        {"type": "integer", "minimum": 11, "maximum": 20, "multipleOf": 20},
        {"type": "integer", "minimum": 1, "maximum": 3, "multipleOf": 1.5},
        {"type": "number", "enum": [1, 2.5]},
        {"type": "boolean", "const": False},
        {"enum": ["", "x"], "maxLength": 1},
        {"format": "YYYY-MM-DD", "maxLength": 10, "enum": ["2026-01-31"]},
        {"anyOf": [{"maxLength": 0}, {"format": "YYYY-MM-DD"}]},
        {"anyOf": [{"const": ""}, {"type": "integer", "minimum": 1}], "title": "Quantity"},
        {"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]},
        {"$ref": "#/$defs/code", "maxLength": 3},
        {"title": "T", "description": "D", "$comment": "C", "examples": ["e"]},
        *({"format": name} for name in FORMATS),
        {"format": "D/M/YYYY h:mm"},
        {"pattern": "^[0-9]{5}$", "maxLength": 5},
        {"pattern": "^[A-Z]{2,}$", "minLength": 40},
        {"pattern": "[0-9]{5}", "minLength": 40},
        {"pattern": "^(a|bcd)+$", "maxLength": 1},
        {"pattern": "^$", "x-empty": True},
        {"type": "integer", "pattern": r"^-?\d{1,3}$"},
        {"type": "integer", "minimum": 100, "maxLength": 3},
        {"type": "number", "pattern": "^[^a-z]+$"},
        {"type": "boolean", "pattern": "^[TF]"},
        {"format": "D/M/YYYY", "pattern": "^[0-9]{1,2}/", "maxLength": 8},
        {"format": "date", "pattern": "^20[0-9]{2}-"},
        {"format": "YYYY-MM-DDThh:mm", "pattern": "T"},
        {"allOf": [{"enum": ["DE", "FR"]}, {"enum": ["DE"]}]},
        {"allOf": [{"type": "integer", "minimum": 5}, {"maximum": 5}]},
    ],
    ids=str,
)
def test_rules_that_mean_something_are_accepted(rules: Any) -> None:
    given = document(rules, **{"$defs": {"code": {"pattern": "^[A-Z]"}}})
    assert check_schema(given).document == given


def test_shipped_schema_is_accepted() -> None:
    assert load_checked(SOURCE / "schema" / "record.schema.json").key == "uuid"


@pytest.mark.parametrize(
    ("rules", "place", "text"),
    [
        ({"maxlength": 5}, "/maxlength", "did you mean maxLength?"),
        ({"minLenght": 5}, "/minLenght", "did you mean minLength?"),
        ({"min": 5}, "/min", "did you mean minimum?"),
        ({"regex": "a"}, "/regex", "did you mean pattern?"),
        ({"nullable": True}, "/nullable", "did you mean x-empty?"),
        ({"x-Empty": True}, "/x-Empty", "did you mean x-empty?"),
        ({"colour": 1}, "/colour", "a column may have type, format, enum"),
        ({"default": "x"}, "/default", "an empty one is not filled"),
        ({"required": True}, "/required", "list the column in 'required'"),
        ({"x-key": "a"}, "/x-key", "beside 'properties'"),
        ({"oneOf": [{}]}, "/oneOf", 'say "x-empty": true'),
        ({"anyOf": [{"pattern": "a"}, {"pattern": "b"}]}, "/anyOf", 'say "x-empty": true'),
        ({"anyOf": [{"maxLength": 0}, {"maxlength": 3}]}, "/maxlength", "maxLength"),
        ({"not": {}}, "/not", "say what is allowed"),
        ({"if": {}}, "/if", "a rule cannot depend"),
        ({"items": {}}, "/items", "a text without parts"),
        ({"type": "int"}, "/type", "did you mean integer?"),
        ({"type": "Number"}, "/type", "did you mean number?"),
        ({"type": "date"}, "/type", 'string with a "format"'),
        ({"type": "null"}, "/type", "never null"),
        ({"type": "array"}, "/type", "never of type array"),
        ({"type": ["string", "null"]}, "/type", 'say "x-empty": true'),
        ({"type": "string", "minimum": 1}, "/minimum", "declare type integer or number"),
        ({"type": "boolean", "maximum": 1}, "/maximum", "declare type integer or number"),
        ({"format": "YYYY-MM-DD", "minimum": 1}, "/format", "declare type string"),
        ({"type": "integer", "format": "YYYYMMDD"}, "/format", "declare type string"),
        ({"format": "dd/mm/yyyy"}, "/format", "did you mean DD/MM/YYYY?"),
        ({"format": "%Y-%m-%d"}, "/format", "did you mean YYYY-MM-DD?"),
        ({"format": "e-mail"}, "/format", "did you mean email?"),
        ({"format": "phone"}, "/format", "DD.MM.YYYY or M/D/YY"),
        ({"format": 5}, "/format", "must be a text"),
        ({"format": "YYYY-MM-DD", "maxLength": 8}, "/maxLength", "is longer"),
        ({"format": "M/D/YY", "minLength": 9}, "/minLength", "is shorter"),
        ({"minLength": 5, "maxLength": 2}, "/minLength", "more than maxLength"),
        ({"maxLength": 0, "x-empty": False}, "/maxLength", "never empty"),
        ({"maxLength": "5"}, "/maxLength", "whole number"),
        ({"minLength": -1}, "/minLength", "whole number"),
        ({"minimum": "1"}, "/minimum", "must be a number"),
        ({"maximum": float("nan")}, "/maximum", "must be a number"),
        ({"maximum": float("inf")}, "/maximum", "must be a number"),
        ({"multipleOf": 0}, "/multipleOf", "a number above 0"),
        ({"minimum": 5, "maximum": 4}, "", "no number keeps all"),
        ({"minimum": 4, "exclusiveMaximum": 4}, "", "no number keeps all"),
        ({"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 5}, "", "no integer"),
        ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, "", "no integer keeps all"),
        ({"minimum": 11, "maximum": 19, "multipleOf": 20}, "", "no number keeps all"),
        ({"enum": []}, "/enum", "a list of the values"),
        ({"enum": "a"}, "/enum", "a list of the values"),
        ({"enum": ["a", None]}, "/enum/1", 'say "x-empty": true'),
        ({"enum": [1, "a"]}, "/enum/0", "write it in quotes"),
        ({"type": "string", "const": 1}, "/const", "write it in quotes"),
        ({"type": "integer", "enum": [1, "2"]}, "/enum/1", "write it without quotes"),
        ({"type": "integer", "enum": [1.5]}, "/enum/0", "never equal"),
        ({"type": "boolean", "enum": ["true"]}, "/enum/0", "write it without quotes"),
        ({"enum": ["abc", "abcd"], "maxLength": 3}, "/enum/1", "never accepted"),
        ({"enum": ["2026-02-30"], "format": "YYYY-MM-DD"}, "/enum/0", "never accepted"),
        ({"const": "x", "pattern": "^y"}, "/const", "never accepted"),
        ({"pattern": "("}, "/pattern", "no regular expression"),
        ({"pattern": 5}, "/pattern", "no regular expression"),
        ({"x-empty": "yes"}, "/x-empty", "true or false"),
        ({"allOf": []}, "/allOf", "a list of rules"),
        ({"allOf": [{}, {"maxlength": 1}]}, "/allOf/1/maxlength", "maxLength"),
        ({"$ref": "#/$defs/codes"}, "/$ref", "did you mean 'code'?"),
        ({"$ref": "#/$defs/code", "pattern": "x"}, "/$ref", "beside the reference"),
        ({"$ref": "other.json"}, "/$ref", "none of '#/$defs/NAME'"),
        (False, "", "rejects every row"),
        ("string", "", "no object of rules"),
        ({"maxLength": True}, "/maxLength", "but it is true"),
        ({"description": 5}, "/description", "must be a text"),
        ({"pattern": "^[0-9]{5}$", "maxLength": 4}, "", "5 characters or more, and maxLength 4"),
        ({"pattern": "^[A-Z]{2,3}$", "minLength": 4}, "", "minLength 4, which needs 4"),
        ({"pattern": r"^\d+-\d+$", "maxLength": 2}, "", "which needs 3 characters or more"),
        ({"type": "integer", "maxLength": 0}, "", "both type integer"),
        ({"type": "integer", "minimum": 1000, "maxLength": 3}, "", "both minimum 1000"),
        ({"type": "integer", "maximum": -1000, "maxLength": 4}, "", "both maximum -1000"),
        ({"type": "integer", "pattern": "^[a-z]+$"}, "", "no integer matches"),
        ({"type": "number", "pattern": "€"}, "", "no number matches"),
        ({"type": "boolean", "minLength": 6}, "", "type boolean, which allows 5"),
        ({"type": "boolean", "pattern": "^[yn]"}, "", "no boolean that can be read"),
        (
            {"format": "YYYY-MM-DD", "pattern": "^[0-9]{8}$"},
            "",
            "format YYYY-MM-DD, which needs 10",
        ),
        ({"format": "D.M.YYYY", "pattern": "^[0-9]+/[0-9]+/[0-9]+$"}, "", "no date in the format"),
        ({"format": "uuid", "maxLength": 32}, "", "format uuid, which needs 36"),
        ({"allOf": [{"type": "integer"}, {"type": "boolean"}]}, "", "type integer and boolean"),
        ({"allOf": [{"type": "integer", "minimum": 5}, {"maximum": 3}]}, "", "no integer keeps"),
        ({"allOf": [{"minLength": 5}, {"maxLength": 3}]}, "", "both minLength 5"),
        ({"allOf": [{"enum": ["A"]}, {"maxLength": 0}]}, "", "it has 1 character"),
    ],
    ids=str,
)
def test_rules_that_say_nothing_or_too_much_are_refused(rules: Any, place: str, text: str) -> None:
    found = problem(document(rules, **{"$defs": {"code": {"pattern": "^[A-Z]"}}}))
    assert f"1 mistake: /properties/a{place}: " in found
    assert text in found


@pytest.mark.parametrize(
    ("changed", "place", "text"),
    [
        ({"x-Key": "id"}, "/x-Key", "did you mean x-key?"),
        ({"x-enrichments": []}, "/x-enrichments", "did you mean x-enrichment?"),
        ({"propertys": {}}, "/propertys", "did you mean properties?"),
        ({"additionalProperties": False}, "/additionalProperties", "pass through"),
        ({"dependentRequired": {}}, "/dependentRequired", "'required'"),
        ({"type": "array"}, "/type", "a row is an 'object'"),
        ({"required": ["id", "ID "]}, "/required/1", "did you mean 'id'?"),
        ({"required": ["id", "id"]}, "/required/1", "listed twice"),
        ({"required": "id"}, "/required", "must be a list"),
        ({"x-key": "Id"}, "/x-key", "did you mean 'id'?"),
        ({"x-enrichment": ["e", "e"]}, "/x-enrichment/1", "listed twice"),
        ({"x-enrichment": ["id"]}, "/x-enrichment/0", "in 'properties' too"),
        ({"x-enrichment": "e"}, "/x-enrichment", "must be a list"),
        ({"$defs": 5}, "/$defs", "not an object"),
        ({"$defs": {"a": {"maxlength": 5}}}, "/$defs/a/maxlength", "maxLength"),
        ({"properties": {"id": {"x-empty": True}}}, "/properties/id/x-empty", "cannot be empty"),
        ({"properties": {"id": {}, "": {}}}, "/properties", "no name"),
        ({"properties": {"id": {}, " a": {}}}, "/properties/ a", "take the blanks away"),
        ({"properties": {"id": {}, "a\u00a0": {}}}, "/properties/a\u00a0", "never found"),
        ({"properties": {"id": {}, "a/b~c": {"x": 1}}}, "/properties/a~1b~0c/x", "unknown"),
    ],
    ids=str,
)
def test_row_that_says_nothing_or_too_much_is_refused(
    changed: dict[str, Any], place: str, text: str
) -> None:
    found = problem(document(**changed))
    assert f"1 mistake: {place}: " in found
    assert text in found


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        ({"column": "a", ">=": "b"}, '/x-compare: must list entries such as {"column"'),
        ([{"column": "a", "not-before": "b"}], "/x-compare/0: must list entries"),
        ([{"column": "a", ">=": "b", "<": "c"}], "/x-compare/0: must list entries"),
        (["a >= b"], "/x-compare/0: must list entries"),
        ([{"column": "a", ">=": "B"}], "/x-compare/0: no column 'B'"),
        ([{"column": "a", ">=": ["b"]}], "/x-compare/0: "),
        ([{"column": "a", ">=": "a"}], "compares 'a' with itself"),
        ([{"column": "a", ">": "b"}, {"column": "id", ">": "b"}], "/x-compare/1: 'id' has neither"),
        ([{"column": "a", ">=": "b"}, {"column": "a", "<": "b"}], "/x-compare/1: contradicts"),
        ([{"column": "a", ">": "b"}, {"column": "b", ">": "a"}], "/x-compare/1: contradicts"),
        ([{"column": "a", "==": "b"}, {"column": "b", "!=": "a"}], "no row keeps both"),
        ([{"column": "a", ">=": "day"}], "'a' is a number, but 'day' is a date"),
        ([{"column": "day", ">=": "at"}], "'day' is a date, but 'at' is a date with a zone"),
    ],
    ids=str,
)
def test_comparison_that_cannot_be_made_is_refused(listed: Any, text: str) -> None:
    columns = {"id": {}, "a": {"minimum": 1}, "b": {"type": "integer"}}
    columns |= {"day": {"format": "D/M/YY"}, "at": {"format": "date-time"}}
    assert text in problem(document(properties=columns, **{"x-compare": listed}))


def test_comparisons_that_a_row_can_keep_are_accepted() -> None:
    columns = {"id": {}, "a": {"minimum": 1}, "b": {"type": "integer"}}
    both = [{"column": "a", ">=": "b"}, {"column": "b", ">=": "a"}, {"column": "a", "==": "b"}]
    check_schema(document(properties=columns, **{"x-compare": both}))


def test_all_mistakes_are_named_at_once_up_to_twenty() -> None:
    assert "2 mistakes" in problem(document({"maxlength": 1, "min": 2}))
    found = problem(document({f"unknown{number}": 1 for number in range(25)}))
    assert "25 mistakes" in found
    assert found.endswith("and 5 more")


@pytest.mark.parametrize("levels", [100, 20_000])
def test_deep_nesting_is_refused(levels: int) -> None:
    given = document(nested(levels))
    assert "nested too deeply" in problem(given)
    with pytest.raises(SchemaError, match="nested too deeply"):
        RecordSchema(given)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_file_that_nests_deeply_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(text, encoding="utf-8")
    for load in (load_checked, RecordSchema.load):
        with pytest.raises(SchemaError, match="nested too deeply"):
            load(path)


def test_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    text = json.dumps(document({"maxLength": 5}))
    path.write_text(text.replace('"maxLength": 5', '"maxLength": 5, "maxLength": 9'))
    with pytest.raises(SchemaError, match="'maxLength' stands twice"):
        load_checked(path)


def test_deployed_schema_with_mistakes_still_loads() -> None:
    given = document({"maxlength": 5, "type": "string", "minimum": 1})
    assert RecordSchema(given).columns == ("id", "a")
    assert RecordSchema(given, typed=False).columns == ("id", "a")


# ------------------------------------------------------------------- where it is asked for


@pytest.fixture
def misspelt(tmp_path: Path) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document({"type": "string", "maxlength": 5})), encoding="utf-8")
    return path


WANTED = r"/properties/a/maxlength: unknown keyword; did you mean maxLength\?"


def test_deployment_refuses_it_before_anything_is_packaged(misspelt: Path) -> None:
    project = Project(SOURCE.parent)
    with pytest.raises(InputError, match=WANTED):
        check_files(project, Order(schema=misspelt), kept={})
    with pytest.raises(InputError, match=WANTED):
        check_files(project, Order(), kept={SCHEMA_LAYER: misspelt})


def test_what_if_refuses_it_as_file_and_as_document(misspelt: Path) -> None:
    for given in (misspelt, str(misspelt), json.loads(misspelt.read_text())):
        with pytest.raises(InputError, match=WANTED):
            load_schema(given)


def test_command_line_names_every_mistake(misspelt: Path) -> None:
    found = CliRunner().invoke(main, ["schema", "check", str(misspelt)])
    assert found.exit_code == 3
    assert found.output == (
        f"{misspelt}: 1 mistake\n"
        "  /properties/a/maxlength: unknown keyword; did you mean maxLength?\n"
    )
    as_json = CliRunner().invoke(main, ["schema", "check", str(misspelt), "--json"])
    assert as_json.exit_code == 3
    assert json.loads(as_json.output) == {
        "file": str(misspelt),
        "ok": False,
        "columns": [],
        "mistakes": [
            {
                "place": "/properties/a/maxlength",
                "message": "unknown keyword; did you mean maxLength?",
            }
        ],
        "against": None,
    }


def test_command_line_accepts_the_shipped_schema() -> None:
    path = SOURCE / "schema" / "record.schema.json"
    found = CliRunner().invoke(main, ["schema", "check", str(path)])
    assert (found.exit_code, found.output) == (0, f"{path}: no mistakes, 8 columns\n")


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": 1, "a": 2}', "[" * 100_000])
def test_command_line_says_what_is_no_schema(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    found = CliRunner().invoke(main, ["schema", "check", str(path)])
    assert found.exit_code == 3
    assert "1 mistake" in found.output


def test_command_line_says_that_there_is_no_file() -> None:
    found = CliRunner().invoke(main, ["schema", "check", "nowhere.json"])
    assert found.exit_code == 1
    assert "no schema file nowhere.json" in found.output
