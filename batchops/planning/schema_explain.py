"""Say in sentences what a record schema asks of each column, with a value for and against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import dialect
from batchcore.dates import is_date_format
from batchcore.readings import implied_type
from batchcore.schema_messages import as_text
from batchcore.texts import number_of

from batchops.planning.example_values import accepted_value, rejected_value
from batchops.planning.what_if import load_schema
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchcore.comparisons import ColumnComparison
    from batchcore.schema import RecordSchema

    from batchops.planning.what_if import SchemaSource

_SHOWN_CHARACTERS = 40
_SHOWN_MEMBERS = 12

_TYPES = {"integer": "an integer", "number": "a number", "boolean": "true or false"}
_FORMATS = {
    "date": "a date as YYYY-MM-DD",
    "date-time": "a date and time with a zone, such as 2026-01-31T23:59:59Z",
}
_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}
_COMPARED = {
    "number": {
        ">=": "at least",
        ">": "more than",
        "<=": "at most",
        "<": "less than",
        "==": "equal to",
        "!=": "other than",
    },
    "date": {
        ">=": "not before",
        ">": "after",
        "<=": "not after",
        "<": "before",
        "==": "the same as",
        "!=": "not the same as",
    },
}


@dataclass(frozen=True)
class ColumnExplanation:
    """What a schema asks of a column.

    Attributes
    ----------
    column : str
        The column.
    sentence : str
        Its rules in words.
    passes, fails : str or None
        A value that the column accepts, and one that it rejects, both tried on the schema; None if
        none was found, as of a column that accepts everything.
    why : str
        What is wrong with `fails`.
    """

    column: str
    sentence: str
    passes: str | None
    fails: str | None
    why: str


@dataclass(frozen=True)
class SchemaExplanation(Shown):
    """What a schema asks of each column, and of the look-up."""

    name: str
    columns: tuple[ColumnExplanation, ...]
    look_up: str

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(f"{self.name}: {number_of(len(self.columns), 'column')}. {self.look_up}")
        rows = [
            (e.column, e.sentence, _shown(e.passes), _shown(e.fails), e.why) for e in self.columns
        ]
        header = ("column", "what it takes", "passes", "fails", "because it")
        yield Block.table(header, rows, lines=list(self._lines()))

    def _lines(self) -> Iterator[str]:
        for each in self.columns:
            yield f"  {each.column}: {each.sentence}"
            fails = f"{_shown(each.fails)} ({each.why})" if each.fails is not None else "nothing"
            yield f"    passes: {_shown(each.passes)}; fails: {fails}"


def explain_schema(source: SchemaSource) -> SchemaExplanation:
    """Say what a schema asks of each column, with a value that passes and one that fails.

    Parameters
    ----------
    source
        A schema file, or the schema itself.

    Raises
    ------
    InputError
        If there is no such file, or the schema has mistakes.
    """
    name = "the schema" if isinstance(source, Mapping) else Path(source).name
    return explain_loaded(load_schema(source), name=name)


def explain_loaded(schema: RecordSchema, *, name: str) -> SchemaExplanation:
    """Explain a schema that was read before, such as the deployed one."""
    look_up = (
        f"Rows are looked up by {schema.key}, which adds {', '.join(schema.enrichment)}."
        if schema.looks_up
        else "Rows are not looked up in reference data."
    )
    return SchemaExplanation(name, tuple(_explain(schema, c) for c in schema.columns), look_up)


def _explain(schema: RecordSchema, column: str) -> ColumnExplanation:
    passes = accepted_value(schema, column)
    fails = rejected_value(schema, column, passes)
    broken = [] if fails is None else schema.column_violations(column, fails)
    return ColumnExplanation(
        column, _sentence(schema, column), passes, fails, broken[0].message if broken else ""
    )


def _sentence(schema: RecordSchema, column: str) -> str:
    parts = [describe_rules(schema.properties[column])]
    parts += (_compared(each) for each in schema.comparisons if each.column == column)
    empty = not schema.column_violations(column, "")
    parts.append("may be empty" if empty else "never empty")
    if column == schema.key:
        parts.append("the key")
    if column not in schema.required:
        parts.append("a file may lack the column")
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def _compared(comparison: ColumnComparison) -> str:
    words = _COMPARED["number" if comparison.kind == "number" else "date"]
    return f"{words[comparison.sign]} {comparison.other}"


def describe_rules(rules: Any) -> str:
    """Return a column's rules in words, without whether it may be empty."""
    if not isinstance(rules, Mapping):
        return "any text"
    listed = rules.get("allOf", [])
    more = [describe_rules(part) for part in listed if isinstance(part, Mapping)]
    if more and not rules.keys() - _NOTHING:
        return "; and ".join(more)
    parts = [_kind(rules), *(f"{w} {rules[k]}" for k, w in _LIMITS.items() if k in rules)]
    size = _size(rules)
    if size:
        parts.append(size)
    if "pattern" in rules:
        parts.append(f"in which {rules['pattern']} is found")
    return "; and ".join((", ".join(parts), *more))


def _kind(rules: Mapping[str, Any]) -> str:
    if "const" in rules:
        return f"always {as_text(rules['const'])}"
    if "enum" in rules:
        members = [as_text(each) for each in rules["enum"]]
        rest = len(members) - _SHOWN_MEMBERS
        more = f" and {rest} more" if rest > 0 else ""
        return f"one of {', '.join(members[:_SHOWN_MEMBERS])}{more}"
    name = rules.get("format")
    if isinstance(name, str):
        return (
            f"a date as {name}" if is_date_format(name) else _FORMATS.get(name, f"a valid {name}")
        )
    return _TYPES.get(implied_type(rules), "a text" if rules.keys() - _NOTHING else "any text")


# Keywords that leave a text as free as it is.
_NOTHING = {"type", dialect.EMPTY, "title", "description", "$comment", "examples", "allOf"}


def _size(rules: Mapping[str, Any]) -> str:
    least, most = rules.get("minLength", 0), rules.get("maxLength")
    if most is None:
        return f"at least {number_of(least, 'character')}" if least > 1 else ""
    if least == most:
        return number_of(most, "character")
    return (
        f"{least} to {number_of(most, 'character')}"
        if least > 1
        else f"at most {number_of(most, 'character')}"
    )


def _shown(value: str | None) -> str:
    if value is None:
        return "-"
    if len(value) > _SHOWN_CHARACTERS:
        return f"{value[:_SHOWN_CHARACTERS]!r}... ({number_of(len(value), 'character')})"
    return repr(value)
