"""The record schema: which columns a file has, what is valid in each, and what enrichment adds.

One JSON Schema (draft 2020-12) describes a row as an object of strings. A property's name is its
column's name in the CSV header. Two keys of our own say the rest: ``x-key`` names the column whose
value is looked up in the reference data, ``x-enrichment`` the columns that the look-up adds.

Dates are checked with ``format``: any text made of D, M and Y (``M/D/YY``, ``DD.MM.YYYY``) is a
format of its own, one letter standing for one or two digits, two or four for exactly that many.
"""

import datetime
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import jsonschema_rs

from batchcore.errors import SchemaError

FILE_NAME = "record.schema.json"

# The year that strptime's %y gives to 69 is 1969, and to 68 it is 2068 (POSIX).
_CENTURY_PIVOT = 69

# What the rules of one column may refer to.
_SHARED = ("$schema", "$id", "$defs", "definitions", "properties")

# A limit may be a list of hundreds of values, and a message may quote the value.
_MAX_TEXT_CHARACTERS = 1_000

_DATE_FORMAT_PARTS = re.compile(r"D+|M+|Y+|.", re.DOTALL)
_DATE_SEPARATORS = "-./ "
_DATE_PARTS = {
    "D": r"(?P<day>\d{1,2})",
    "DD": r"(?P<day>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "MM": r"(?P<month>\d{2})",
    "YY": r"(?P<year>\d{2})",
    "YYYY": r"(?P<year>\d{4})",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that one value breaks: `rule` is the schema keyword, `limit` what it allows."""

    column: str
    rule: str
    value: str
    limit: str
    message: str


class RecordSchema:
    """A parsed record schema with its compiled validator.

    Parameters
    ----------
    document
        The JSON Schema as a mapping.

    Raises
    ------
    SchemaError
        If it is not a valid schema, describes no columns, or misuses ``x-key``/``x-enrichment``.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = dict(document)
        properties = self.document.get("properties")
        if not isinstance(properties, dict) or not properties:
            raise SchemaError("the schema has no 'properties': name each CSV column there")
        self.properties: dict[str, dict[str, Any]] = properties
        self.columns = tuple(properties)
        self.required = self._names("required")
        self.enrichment = self._names("x-enrichment")
        self.key = str(self.document.get("x-key", ""))
        self._check()
        self._validator = _compile(self.document)
        # The whole document, since the key's rules may refer to its definitions.
        pointer = quote(self.key.replace("~", "~0").replace("/", "~1"))
        shared = {n: v for n, v in self.document.items() if n in _SHARED}
        self._key_validator = _compile({**shared, "$ref": f"#/properties/{pointer}"})

    @classmethod
    def load(cls, path: Path | None = None) -> "RecordSchema":
        """Read a schema file; without a path, the one in the layer of the running function."""
        path = path or find_in_layer(FILE_NAME)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SchemaError(f"cannot read the schema {path}: {error}") from error
        if not isinstance(document, dict):
            raise SchemaError(f"the schema {path} is not a JSON object")
        return cls(document)

    def is_valid(self, fields: Mapping[str, str]) -> bool:
        """Tell whether a row breaks no rule."""
        return bool(self._validator.is_valid(fields))

    def is_key(self, key: str) -> bool:
        """Tell whether a text is well formed as a key."""
        return bool(self._key_validator.is_valid(key))

    def violations(self, fields: Mapping[str, str]) -> list[Violation]:
        """Return every rule that a row breaks, in the order of the schema's columns."""
        found = [self._violation(error) for error in self._validator.iter_errors(fields)]
        order = {column: number for number, column in enumerate(self.columns)}
        return sorted(set(found), key=lambda v: (order.get(v.column, -1), v.rule, v.limit))

    def _violation(self, error: Any) -> Violation:
        rule = str(error.schema_path[-1])
        column = str(error.instance_path[0]) if error.instance_path else ""
        value = str(error.instance) if column else ""
        limit: Any = self.document
        for part in error.schema_path:
            limit = limit[part]
        text = str(limit) if isinstance(limit, str | int) else json.dumps(limit, ensure_ascii=False)
        message = _explain(rule, value, limit, error.message)
        return Violation(
            column, rule, value, text[:_MAX_TEXT_CHARACTERS], message[:_MAX_TEXT_CHARACTERS]
        )

    def _names(self, keyword: str) -> tuple[str, ...]:
        names = self.document.get(keyword, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SchemaError(f"{keyword!r} must be a list of column names; it is {names!r}")
        return tuple(names)

    def _check(self) -> None:
        unknown = [name for name in self.required if name not in self.properties]
        if unknown:
            raise SchemaError(f"'required' names columns that 'properties' lacks: {unknown}")
        if self.key not in self.required:
            raise SchemaError(
                "'x-key' must name a required column, the one that the reference data is looked "
                f"up by; it is {self.key!r}"
            )
        both = [name for name in self.enrichment if name in self.properties]
        if both or not self.enrichment:
            raise SchemaError(
                "'x-enrichment' must list the columns that the reference data adds, none of "
                f"them in 'properties'; it is {list(self.enrichment)}"
            )


def date_check(date_format: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text is a calendar date in the given format."""
    parts = _DATE_FORMAT_PARTS.findall(date_format)
    pattern = re.compile("".join(_DATE_PARTS.get(part) or re.escape(part) for part in parts))

    @lru_cache(maxsize=16384)  # a file has few distinct dates
    def is_date(text: str) -> bool:
        match = pattern.fullmatch(text)
        if match is None or not text.isascii():
            return False
        year = int(match["year"])
        if len(match["year"]) == 2:
            year += 1900 if year >= _CENTURY_PIVOT else 2000
        try:
            datetime.date(year, int(match["month"]), int(match["day"]))
        except ValueError:
            return False
        return True

    return is_date


def is_date_format(text: str) -> bool:
    """Tell whether a ``format`` is one of our date formats."""
    parts = [part for part in _DATE_FORMAT_PARTS.findall(text) if part not in _DATE_SEPARATORS]
    return sorted(part[0] for part in parts) == ["D", "M", "Y"] and set(parts) <= set(_DATE_PARTS)


def _compile(document: dict[str, Any]) -> Any:
    formats = {name: date_check(name) for name in _format_names(document) if is_date_format(name)}
    try:
        return jsonschema_rs.Draft202012Validator(
            document,
            formats=formats,
            validate_formats=True,
            ignore_unknown_formats=False,
            retriever=_refuse,
        )
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise SchemaError(f"the schema is not valid: {error}") from error


def _refuse(uri: str) -> NoReturn:
    """Fetch nothing: a schema may refer to itself only, not to files here or to servers."""
    raise ValueError(f"it refers to {uri}: move what is meant into its own $defs")


def _format_names(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["format"]} if isinstance(node.get("format"), str) else set()
        return own.union(*(_format_names(child) for child in node.values()))
    if isinstance(node, list):
        return set().union(*(_format_names(child) for child in node))
    return set()


def _explain(rule: str, value: str, limit: Any, fallback: str) -> str:
    if rule == "maxLength":
        return f"has {len(value)} characters, at most {limit} are allowed"
    if rule == "minLength":
        return (
            "is empty" if not value else f"has {len(value)} characters, at least {limit} are needed"
        )
    if rule == "enum":
        return f"is not one of {', '.join(map(str, limit))}"
    if rule == "format":
        return f"is not a date as {limit}" if is_date_format(limit) else f"is not a valid {limit}"
    if rule == "pattern":
        return f"does not match {limit}"
    return fallback


def find_in_layer(name: str) -> Path:
    """Return the path of a file that one of the running function's layers holds.

    Raises
    ------
    FileNotFoundError
    """
    # A layer's root is /opt on AWS; the local engine puts each layer's root on sys.path instead.
    for folder in [Path(os.path.sep, "opt"), *map(Path, sys.path)]:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no layer of this function holds {name}")
