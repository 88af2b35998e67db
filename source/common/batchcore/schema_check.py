"""Refuse a schema that does not mean what it says, before anything is deployed.

A keyword that is not known does nothing, a rule that can never apply checks nothing, and one that
always fails rejects every row. None of them is noticed until somebody looks at the results.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from batchcore import dialect
from batchcore.column_check import column_problems, listed_members
from batchcore.contradictions import rule_sets
from batchcore.errors import SchemaError
from batchcore.schema import RecordSchema, check_depth, parse_document
from batchcore.schema_words import half_look_up, pointer, unknown_keyword
from batchcore.texts import number_of

Problem = tuple[str, str]

_ROW_KEYWORDS = (
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "type",
    "required",
    "properties",
    "x-key",
    "x-enrichment",
    "x-compare",
)
_ROW_ADVICE = {
    "additionalProperties": "columns that the schema does not name always pass through",
    "dependentRequired": "all rows of a file have the same columns: list them in 'required'",
    "patternProperties": "name each column in 'properties'",
    "items": "a schema describes one row: put its columns into 'properties'",
    "columns": "name the columns in 'properties'",
    "fields": "name the columns in 'properties'",
    "key": "name the column in 'x-key'",
    "enrichment": "list the columns in 'x-enrichment'",
}
_MAX_PROBLEMS = 20


def load_checked(path: Path) -> RecordSchema:
    """Read a schema file that somebody hands in, and refuse it if it has mistakes.

    Raises
    ------
    SchemaError
        With every mistake: its place as a JSON pointer, and what was probably meant.
    """
    schema, problems = read_checked(path)
    return _accept(schema, problems)


def read_checked(path: Path) -> tuple[RecordSchema | None, list[Problem]]:
    """Return the schema in a file, or its mistakes: the place of each, and what is wrong there."""
    try:
        text = path.read_text(encoding="utf-8")
        document = parse_document(text, name=f"the schema {path}", pairs=_distinct)
    except (OSError, ValueError) as error:
        return None, [("", f"cannot read the schema {path}: {error}")]
    except SchemaError as error:
        return None, [("", str(error))]
    return _examine(document)


def check_schema(document: Mapping[str, Any]) -> RecordSchema:
    """Return a schema that somebody hands in, or refuse it if it has mistakes.

    Raises
    ------
    SchemaError
        With every mistake: its place as a JSON pointer, and what was probably meant.
    """
    schema, problems = _examine(document)
    return _accept(schema, problems)


def _examine(document: Mapping[str, Any]) -> tuple[RecordSchema | None, list[Problem]]:
    try:
        check_depth(document)
        problems = list(_row_problems(document))
        if problems:
            return None, problems
        schema = RecordSchema(document)
    except SchemaError as error:
        return None, [("", str(error))]
    problems = [*_member_problems(schema), *_order_problems(document.get("x-compare", []))]
    return (None, problems) if problems else (schema, [])


def _accept(schema: RecordSchema | None, problems: list[Problem]) -> RecordSchema:
    if schema is not None:
        return schema
    if len(problems) == 1 and not problems[0][0]:
        raise SchemaError(problems[0][1])
    lines = [f"{place}: {text}" for place, text in problems[:_MAX_PROBLEMS]]
    if len(problems) > _MAX_PROBLEMS:
        lines.append(f"and {len(problems) - _MAX_PROBLEMS} more")
    count = number_of(len(problems), "mistake")
    raise SchemaError(f"the schema has {count}: " + "; ".join(lines))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands twice in one object, so one of the two does nothing")
        found[name] = value
    return found


def _row_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    for keyword in document:
        if keyword not in _ROW_KEYWORDS:
            text = unknown_keyword(keyword, _ROW_KEYWORDS, _ROW_ADVICE, "a row")
            yield pointer("", keyword), text
    if document.get("type", "object") != "object":
        yield "/type", f"a row is an 'object', so {document['type']!r} can never be right"
    columns = document.get("properties")
    if not isinstance(columns, dict):
        return  # RecordSchema says so
    yield from _name_problems(document, columns)
    for home in ("$defs", "definitions"):
        shared = document.get(home, {})
        if not isinstance(shared, dict):
            yield f"/{home}", "is not an object of rules by their name"
            continue
        for name, rules in shared.items():
            yield from column_problems(rules, document, pointer(f"/{home}", name))
    for name, rules in columns.items():
        yield from column_problems(rules, document, pointer("/properties", name))


def _name_problems(document: Mapping[str, Any], columns: Mapping[str, Any]) -> Iterator[Problem]:
    if "" in columns:
        yield "/properties", "a column has no name"
    for name in columns:
        if name and name != name.strip():
            text = "a header's names are read without blanks around them, so it is never found"
            yield pointer("/properties", name), f"{text}: take the blanks away"
    for keyword in ("required", "x-enrichment"):
        names = document.get(keyword, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            yield f"/{keyword}", f"must be a list of column names, but it is {names!r}"
            continue
        for place, name in enumerate(names):
            if name in names[:place]:
                yield f"/{keyword}/{place}", f"{name!r} is listed twice"
            elif keyword == "required" and name not in columns:
                yield (
                    f"/required/{place}",
                    f"no column {name!r} in 'properties'{_near(name, columns)}",
                )
            elif keyword == "x-enrichment" and name in columns:
                yield (
                    f"/x-enrichment/{place}",
                    f"{name!r} is in 'properties' too: the reference data cannot add it",
                )
    if half := half_look_up(document):
        yield "/x-key" if "x-key" in document else "/x-enrichment", half
    key = document.get("x-key")
    if isinstance(key, str) and key and key not in columns:
        yield "/x-key", f"no column {key!r} in 'properties'{_near(key, columns)}"
    rules = columns.get(key) if isinstance(key, str) else None
    if isinstance(rules, dict) and dialect.canonical(rules, document).get(dialect.EMPTY) is True:
        yield (
            pointer("/properties", str(key), dialect.EMPTY),
            "the key cannot be empty: no row without one is found in the reference data",
        )


# How the first value may stand to the second one: before it, equal to it, after it.
_ORDERS = {">=": "=>", ">": ">", "<=": "<=", "<": "<", "==": "=", "!=": "<>"}
_TURNED = str.maketrans("<>", "><")


def _order_problems(comparisons: Any) -> Iterator[Problem]:
    """Find comparisons of the same two columns that no two values keep together."""
    left: dict[tuple[str, str], set[str]] = {}
    for number, entry in enumerate(comparisons):
        sign = next(sign for sign in _ORDERS if sign in entry)
        column, other = entry["column"], entry[sign]
        orders = _ORDERS[sign]
        if (other, column) in left:
            column, other, orders = other, column, orders.translate(_TURNED)
        kept = left.setdefault((column, other), set("<=>"))
        kept &= set(orders)
        if not kept:
            text = f"contradicts another comparison of {column!r} and {other!r}: no row keeps both"
            yield f"/x-compare/{number}", text
            return


def _near(name: str, columns: Mapping[str, Any]) -> str:
    lower = {column.lower().strip(): column for column in columns}
    close = get_close_matches(name.lower().strip(), lower, n=1)
    return f"; did you mean {lower[close[0]]!r}?" if close else ""


def _member_problems(schema: RecordSchema) -> Iterator[Problem]:
    """Find values that a column lists, although its other rules always reject them."""
    for column, rules in schema.properties.items():
        if not isinstance(rules, dict):
            continue
        for number, listing in enumerate(rule_sets(rules)):
            place = pointer("/properties", column)
            members = list(listed_members(listing, place))
            refused = list(_refused_members(schema, column, members))
            if number == 0:
                yield from refused
            elif len(refused) == len(members):
                # Shared rules may list more than a column accepts, but nothing is never meant.
                yield from ((place, text) for _, text in refused)


def _refused_members(
    schema: RecordSchema, column: str, members: Iterable[tuple[str, Any]]
) -> Iterator[Problem]:
    for place, member in members:
        text = str(member).lower() if isinstance(member, bool) else str(member)
        if broken := schema.column_violations(column, text):
            why = f"{broken[0].message} ({broken[0].rule})"
            yield place, f"{text!r} is never accepted: it {why}"
