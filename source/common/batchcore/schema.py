"""Read the record schema: a file's columns, their rules, and the columns that enrichment adds.

A JSON Schema (draft 2020-12) describes a row as an object of strings. The name of a property is the
name of its column in the CSV header. Two keys of our own are added: ``x-key`` names the column
whose value is looked up in the reference data, and ``x-enrichment`` lists the columns that the
look-up adds.

Dates are checked with ``format``; see `batchcore.dates`.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import jsonschema_rs

from batchcore.dates import date_check, date_pattern, is_date_format
from batchcore.errors import SchemaError

FILE_NAME = "record.schema.json"

# Parts of the schema that the rules of a column may refer to.
_SHARED = ("$schema", "$id", "$defs", "definitions", "properties")

# A limit can be a list of hundreds of values, and a message can quote the value.
_MAX_TEXT_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a value breaks: `rule` is the schema keyword and `limit` what it allows."""

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
        If it is not a valid schema, has no columns, or misuses ``x-key`` or ``x-enrichment``.
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
        self._quick_validator = _compile(_with_patterns(self.document))
        # The key's rules may refer to definitions elsewhere in the document.
        pointer = quote(self.key.replace("~", "~0").replace("/", "~1"))
        shared = {n: v for n, v in self.document.items() if n in _SHARED}
        self._key_validator = _compile({**shared, "$ref": f"#/properties/{pointer}"})

    @classmethod
    def load(cls, path: Path | None = None) -> "RecordSchema":
        """Read a schema file, by default the one in the layer of the running function."""
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
        return bool(self._quick_validator.is_valid(fields))

    def is_key(self, key: str) -> bool:
        """Tell whether a text is a well-formed key."""
        return bool(self._key_validator.is_valid(key))

    def violations(self, fields: Mapping[str, str]) -> list[Violation]:
        """Return every rule that a row breaks, ordered by the schema's columns."""
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
            raise SchemaError(f"{keyword!r} must be a list of column names, but it is {names!r}")
        return tuple(names)

    def _check(self) -> None:
        unknown = [name for name in self.required if name not in self.properties]
        if unknown:
            raise SchemaError(f"'required' names columns that are not in 'properties': {unknown}")
        if self.key not in self.required:
            raise SchemaError(
                "'x-key' must name a required column, whose values are looked up in the reference "
                f"data, but it is {self.key!r}"
            )
        both = [name for name in self.enrichment if name in self.properties]
        if both or not self.enrichment:
            raise SchemaError(
                "'x-enrichment' must list the columns that the reference data adds, none of "
                f"them in 'properties', but it is {list(self.enrichment)}"
            )


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


def _with_patterns(node: Any) -> Any:
    """Return an equivalent schema with patterns for dates, which need no Python call per date."""
    if isinstance(node, list):
        return [_with_patterns(child) for child in node]
    if not isinstance(node, dict):
        return node
    found = {name: _with_patterns(child) for name, child in node.items()}
    date_format = node.get("format")
    if not isinstance(date_format, str) or not is_date_format(date_format):
        return found
    pattern = date_pattern(date_format)
    if pattern is None:
        return found
    del found["format"]
    return {**found, "allOf": [*found.get("allOf", []), {"pattern": pattern}]}


def _refuse(uri: str) -> NoReturn:
    """Refuse a reference: a schema may refer only to itself, not to files or servers."""
    raise ValueError(f"it refers to {uri}: move what it refers to into its own $defs")


def _format_names(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["format"]} if isinstance(node.get("format"), str) else set()
        return own.union(*(_format_names(child) for child in node.values()))
    if isinstance(node, list):
        return set().union(*(_format_names(child) for child in node))
    return set()


def _explain(rule: str, value: str, limit: Any, fallback: str) -> str:
    if rule == "maxLength":
        return f"has {len(value)} characters, but at most {limit} are allowed"
    if rule == "minLength":
        return (
            f"has {len(value)} characters, but at least {limit} are needed" if value else "is empty"
        )
    if rule == "enum":
        return f"is not one of {', '.join(map(str, limit))}"
    if rule == "format":
        is_date = is_date_format(limit)
        return f"is not a date in the format {limit}" if is_date else f"is not a valid {limit}"
    if rule == "pattern":
        return f"does not match {limit}"
    return fallback


def find_in_layer(name: str) -> Path:
    """Return the path of a file in one of the running function's layers.

    Raises
    ------
    FileNotFoundError
    """
    # On AWS, layers are unpacked into /opt. The local engine puts each layer's root on sys.path.
    for folder in [Path(os.path.sep, "opt"), *map(Path, sys.path)]:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no layer of this function contains {name}")
