"""Find the mistakes in the rules of one column."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from batchcore import dialect
from batchcore.contradictions import contradiction, no_number
from batchcore.dates import is_date_format, length_range
from batchcore.readings import NUMERIC, NUMERIC_RULES, READERS, TYPES, implied_type, to_decimal
from batchcore.schema_words import meant, pointer, unknown_keyword

Problem = tuple[str, str]

# Formats that jsonschema-rs checks, besides dates written with D, M and Y.
FORMATS = (
    "date",
    "date-time",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
    "regex",
)
_NOTES = ("title", "description", "$comment", "examples")
_TEXT_RULES = ("minLength", "maxLength", "pattern")
_KEYWORDS = (
    *("type", "format", "enum", "const", *_TEXT_RULES),
    *(*NUMERIC_RULES, dialect.EMPTY, "allOf", "$ref", *_NOTES),
)
_EMPTY_WORD = 'say "x-empty": true if the column may be empty'
_ADVICE = {
    "default": "values are never changed, so an empty one is not filled",
    "required": "list the column in 'required' beside 'properties'",
    "anyOf": f"alternatives are not part of the dialect: {_EMPTY_WORD}, else use enum or pattern",
    "oneOf": f"alternatives are not part of the dialect: {_EMPTY_WORD}, else use enum or pattern",
    "not": "say what is allowed, with enum or pattern",
    "if": "a rule cannot depend on another",
    "then": "a rule cannot depend on another",
    "else": "a rule cannot depend on another",
    "properties": "a value is a text without parts",
    "items": "a value is a text without parts",
    "minItems": "a value is a text: use minLength",
    "maxItems": "a value is a text: use maxLength",
    "uniqueItems": "rows are not compared with each other",
    "unique": "rows are not compared with each other",
    "readOnly": "it is no rule: use $comment for a note",
    "writeOnly": "it is no rule: use $comment for a note",
    "deprecated": "it is no rule: use $comment for a note",
    "x-key": "it belongs beside 'properties', with the column's name",
    "x-enrichment": "it belongs beside 'properties', as a list of names",
}
_TYPE_WORDS = {
    "int": "integer",
    "int64": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "numeric": "number",
    "bool": "boolean",
    "str": "string",
    "text": "string",
    "varchar": "string",
    "date": 'string with a "format", such as YYYY-MM-DD',
    "datetime": 'string with a "format", such as YYYY-MM-DD hh:mm:ss',
    "timestamp": 'string with a "format", such as YYYY-MM-DD hh:mm:ss',
}
_LISTED_FORMATS = (
    "dates are written with D, M and Y, such as YYYY-MM-DD, DD.MM.YYYY or M/D/YY, and h, m and s, "
    f"such as YYYY-MM-DD hh:mm:ss; others are {', '.join(FORMATS)}"
)


def column_problems(rules: Any, document: Mapping[str, Any], place: str) -> Iterator[Problem]:
    """Yield the mistakes in a column's rules, each with its place."""
    problems = list(_rule_problems(rules, document, place))
    yield from problems
    if not problems and isinstance(rules, dict):
        canonical = dialect.canonical(rules, document)
        if found := contradiction(canonical):
            yield place, found


def _rule_problems(rules: Any, document: Mapping[str, Any], place: str) -> Iterator[Problem]:
    if rules is True:
        return
    if not isinstance(rules, dict):
        what = (
            "false rejects every row"
            if rules is False
            else f"{_shown(rules)} is no object of rules"
        )
        yield place, f"{what}: write {{}} for a column without rules"
        return
    found = dialect.canonical(rules, document)
    if "anyOf" not in found and "anyOf" in rules:
        rules = found  # an alternative to the empty text, which has a word in the dialect
    unknown = [keyword for keyword in rules if keyword not in _KEYWORDS]
    for keyword in unknown:
        yield (
            pointer(place, keyword),
            unknown_keyword(keyword, _KEYWORDS, _ADVICE, "a column"),
        )
    if "$ref" in found:
        yield pointer(place, "$ref"), _reference_problem(found, document)
    parts = rules.get("allOf", [])
    if not isinstance(parts, list) or not parts:
        if "allOf" in rules:
            yield pointer(place, "allOf"), "must be a list of rules"
        parts = []
    for number, part in enumerate(parts):
        yield from column_problems(part, document, pointer(place, "allOf", number))
    yield from _type_problems(found, place)
    yield from _limit_problems(found, place)
    for keyword in ("title", "description", "$comment"):
        if not isinstance(rules.get(keyword, ""), str):
            yield pointer(place, keyword), "must be a text"
    if "pattern" in found and not _is_pattern(found["pattern"]):
        text = f"{found['pattern']!r} is no regular expression (as ECMA-262 and Rust have them)"
        yield pointer(place, "pattern"), text


def _shown(value: Any) -> str:
    """Return a value as the schema has it: null, not None."""
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def _is_pattern(pattern: Any) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def _reference_problem(rules: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    names = [name for home in ("$defs", "definitions") for name in document.get(home, {})]
    target = str(rules["$ref"]).rpartition("/")[2]
    near = meant(target, names)
    if target in names:
        return f"{target!r} has a keyword that stands beside the reference too, or refers to itself"
    hint = f"; did you mean {near!r}?" if near else ""
    return f"refers to {rules['$ref']!r}, which is none of '#/$defs/NAME' here{hint}"


def _type_problems(rules: Mapping[str, Any], place: str) -> Iterator[Problem]:
    kind = implied_type(rules)
    declared = rules.get("type", "string")
    at = pointer(place, "type")
    if isinstance(declared, list):
        hint = f": {_EMPTY_WORD}" if "null" in declared else ""
        yield at, f"must be one of {', '.join(TYPES)}, not a list{hint}"
        return
    if declared not in TYPES:
        if declared == "null":
            yield at, f"a value is a text, never null: {_EMPTY_WORD}"
        elif declared in ("object", "array"):
            yield at, f"a value is a text, never of type {declared}"
        else:
            near = _TYPE_WORDS.get(str(declared).lower()) or meant(str(declared), TYPES)
            hint = f"; did you mean {near}?" if near else ""
            yield at, f"unknown type {declared!r}; there are {', '.join(TYPES)}{hint}"
        return
    for keyword in NUMERIC_RULES.keys() & rules.keys():
        if kind not in NUMERIC:
            yield (
                pointer(place, keyword),
                f"never applies to type {kind}: declare type integer or number",
            )
    if "format" in rules:
        yield from _format_problems(rules["format"], kind, pointer(place, "format"))
    if not isinstance(rules.get(dialect.EMPTY, True), bool):
        yield pointer(place, dialect.EMPTY), "must be true or false"
    yield from _member_problems(rules, kind, place)


def _format_problems(found: Any, kind: str, place: str) -> Iterator[Problem]:
    if not isinstance(found, str):
        yield place, f"must be a text: {_LISTED_FORMATS}"
    elif found not in FORMATS and not is_date_format(found):
        upper = found.upper().replace("%Y", "YYYY").replace("%M", "MM").replace("%D", "DD")
        near = upper if is_date_format(upper) else meant(found, FORMATS)
        hint = f"did you mean {near}? " if near else ""
        yield place, f"unknown format {found!r}: {hint}{_LISTED_FORMATS}"
    elif kind != "string":
        yield place, f"never applies to type {kind}: declare type string"


def _member_problems(rules: Mapping[str, Any], kind: str, place: str) -> Iterator[Problem]:
    """Find members of another type than the column's; values are never equal to those."""
    listed = rules.get("enum")
    if "enum" in rules and (not isinstance(listed, list) or not listed):
        yield pointer(place, "enum"), "must be a list of the values that are allowed"
    for at, member in listed_members(rules, place):
        if not _is_of(member, kind):
            hint = _member_hint(member, kind)
            yield at, f"{_shown(member)} is never equal to a value of type {kind}{hint}"


def listed_members(rules: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    """Yield what ``enum`` and ``const`` list, each with its place."""
    listed = rules.get("enum")
    for number, member in enumerate(listed if isinstance(listed, list) else []):
        yield pointer(place, "enum", number), member
    if "const" in rules:
        yield pointer(place, "const"), rules["const"]


def _is_of(member: Any, kind: str) -> bool:
    if kind in NUMERIC:
        number = to_decimal(member)
        return number is not None and (kind == "number" or number == number.to_integral_value())
    return isinstance(member, bool if kind == "boolean" else str)


def _member_hint(member: Any, kind: str) -> str:
    if member is None:
        return f": {_EMPTY_WORD}"
    if isinstance(member, str):
        return ": write it without quotes" if READERS[kind](member) is not None else ""
    if isinstance(member, bool | int | float) and kind == "string":
        wanted = "boolean" if isinstance(member, bool) else "integer or number"
        return f": write it in quotes, or declare type {wanted}"
    return ""


def _limit_problems(rules: Mapping[str, Any], place: str) -> Iterator[Problem]:
    for keyword in ("minLength", "maxLength"):
        limit = rules.get(keyword, 0)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            yield (
                pointer(place, keyword),
                f"must be a whole number from 0, but it is {_shown(limit)}",
            )
            return
    for keyword in NUMERIC_RULES.keys() & rules.keys():
        number = to_decimal(rules[keyword])
        if number is None or (keyword == "multipleOf" and number <= 0):
            wanted = "a number above 0" if keyword == "multipleOf" else "a number"
            yield pointer(place, keyword), f"must be {wanted}, but it is {_shown(rules[keyword])}"
            return
    shortest, longest = rules.get("minLength", 0), rules.get("maxLength", math.inf)
    if shortest > longest:
        yield (
            pointer(place, "minLength"),
            f"is more than maxLength: no value has {shortest} to {longest}",
        )
    if longest < 1 and rules.get(dialect.EMPTY) is False:
        yield pointer(place, "maxLength"), "is 0, but x-empty says that the column is never empty"
    date_format = rules.get("format")
    if isinstance(date_format, str) and is_date_format(date_format):
        least, most = length_range(date_format)
        if longest < least:
            yield pointer(place, "maxLength"), f"a date in the format {date_format} is longer"
        if shortest > most:
            yield pointer(place, "minLength"), f"a date in the format {date_format} is shorter"
    if found := no_number(rules):
        yield place, found
