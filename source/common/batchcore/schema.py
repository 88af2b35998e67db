"""Read the record schema: a file's columns, their rules, and the columns that enrichment adds.

A JSON Schema (draft 2020-12) describes a row. The name of a property is the name of its column in
the CSV header; every value is the text between the delimiters, and its type says how that text is
read. Keys of our own are added: ``x-key`` names the column whose value is looked up in the
reference data, ``x-enrichment`` lists the columns that the look-up adds (a schema without these two
has no look-up), ``x-empty`` says whether a column may be empty, ``x-compare`` compares two columns.
docs/data.md has all of them in a table.

What is loaded here is not searched for mistakes: `batchcore.schema_check` does that before a schema
is deployed.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import jsonschema_rs

from batchcore import comparisons, dialect
from batchcore.column_rules import ColumnRules, broken_places
from batchcore.dates import date_check, is_date_format
from batchcore.errors import SchemaChangedError, SchemaError
from batchcore.readings import Remembered
from batchcore.schema_messages import explain
from batchcore.schema_words import half_look_up

FILE_NAME = "record.schema.json"

# Parts of the schema that the rules of a column may refer to.
_SHARED = ("$schema", "$id", "$defs", "definitions", "properties")

# The number of the dialect. The stack's output SchemaDialect says the same number; a stack without
# that output has dialect 1, in which every value is a string.
DIALECT = 2

# Deeper documents than this overflow the stacks of parsers and validators.
_MAX_DEPTH = 60

# What a row's rules may be, other than those of its columns.
_ROW_KEYWORDS = frozenset(
    (
        *(*_SHARED, "$comment", "title", "description", "type", "required"),
        *("x-key", "x-enrichment", comparisons.KEYWORD),
    )
)

_ID_LETTERS = 8

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
    typed
        Whether types say how text is read. Stacks of the dialect before take every value as a
        string, whatever its type.

    Raises
    ------
    SchemaError
        If it is not a valid schema, has no columns, or misuses ``x-key`` or ``x-enrichment``.
    """

    def __init__(self, document: Mapping[str, Any], *, typed: bool = True) -> None:
        check_depth(document)
        self.document = dict(document)
        properties = self.document.get("properties")
        if not isinstance(properties, dict) or not properties:
            raise SchemaError("the schema has no 'properties': name each CSV column there")
        self.columns = tuple(properties)
        self.required = self._names("required")
        self.enrichment = self._names("x-enrichment")
        self.key = str(self.document.get("x-key", ""))
        self._check(properties)
        self.properties: dict[str, Any] = {
            column: dialect.canonical(rules, self.document) if typed else rules
            for column, rules in properties.items()
        }
        listed = self.document.get(comparisons.KEYWORD, []) if typed else []
        self.comparisons = tuple(comparisons.read_comparisons(listed, self.properties))
        # Checks of a column's texts that jsonschema-rs does not make.
        self._passes: dict[str, Remembered] = {}
        # The rules by column, if those are all that a row must keep but for comparisons.
        self._columns: dict[str, ColumnRules] | None = None
        plain = all(map(dialect.is_plain, self.properties.values()))
        # Native keywords are faster, and say the same of columns that are texts.
        are_texts = plain and all(map(dialect.is_text, self.properties.values()))
        keywords = dialect.NAMED_KEYWORDS if typed and not are_texts else {}
        self._compiled = self._with_columns(dialect.for_violations if typed else None)
        self._validator = _compile(self._compiled, keywords)
        quick = self._validator
        if typed and plain and not self.document.keys() - _ROW_KEYWORDS:
            quick = _compile(self._with_columns(dialect.for_verdicts))
            found = ((n, dialect.read_check(rules)) for n, rules in self.properties.items())
            self._passes = {name: passes for name, passes in found if passes is not None}
            self._columns = {n: ColumnRules(r, _compile) for n, r in self.properties.items()}
        self._is_valid: Callable[[Mapping[str, str]], bool] = quick.is_valid
        # The key's rules may refer to definitions elsewhere in the document.
        pointer = quote(self.key.replace("~", "~0").replace("/", "~1"))
        shared = {n: v for n, v in self._compiled.items() if n in _SHARED}
        of_key = {**shared, "$ref": f"#/properties/{pointer}"}
        self._key_validator = _compile(of_key, keywords) if self.looks_up else None

    @classmethod
    def load(cls, path: Path | None = None) -> "RecordSchema":
        """Read a schema file, by default the one in the layer of the running function."""
        path = path or find_in_layer(FILE_NAME)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise SchemaError(f"cannot read the schema {path}: {error}") from error
        return cls(parse_document(text, name=f"the schema {path}"))

    @property
    def looks_up(self) -> bool:
        """Whether rows are looked up in reference data, which adds columns to them."""
        return bool(self.enrichment)

    @property
    def added_columns(self) -> str:
        """Identify the columns that the look-up adds, in a few letters; empty without one."""
        names = json.dumps(self.enrichment).encode()
        return hashlib.sha256(names).hexdigest()[:_ID_LETTERS] if self.looks_up else ""

    def key_of(self, fields: Mapping[str, str]) -> str:
        """Return a row's key; an empty text without a look-up."""
        return fields.get(self.key, "")

    def require_columns(self, chunk: Mapping[str, Any]) -> None:
        """Check that a chunk gets the columns that were added to its file's header.

        Raises
        ------
        SchemaChangedError
            If another schema was deployed after the file was split.
        """
        # The manifests of an earlier version do not say it.
        if chunk.get("addedColumns", self.added_columns) != self.added_columns:
            raise SchemaChangedError(
                "a schema that adds other columns (x-enrichment) was deployed after the file was "
                "split: rerun the job, which then splits the file again"
            )

    def is_valid(self, fields: Mapping[str, str]) -> bool:
        """Return whether a row breaks no rule."""
        if not self._is_valid(fields):
            return False
        for column, passes in self._passes.items():
            if column in fields and not passes[fields[column]]:
                return False
        return all(comparison.holds(fields) for comparison in self.comparisons)

    def broken_rows(self, columns: Mapping[str, Sequence[str]], *, rows: int) -> list[int]:
        """Return the places of those rows, given by column, that break a rule; see `is_valid`.

        Parameters
        ----------
        rows
            How many rows there are: a file may have no column of the schema, and so no list.
        """
        if not columns.keys() >= set(self.required):
            return list(range(rows))
        if self._columns is None:
            places = range(rows)
            found = ({name: listed[n] for name, listed in columns.items()} for n in places)
            return [n for n, row in zip(places, found, strict=True) if not self.is_valid(row)]
        broken = broken_places(self._columns, columns)
        return sorted(broken.union(*(c.broken(columns) for c in self.comparisons)))

    def is_key(self, key: str) -> bool:
        """Return whether a text is a well-formed key; without a look-up, there are no keys."""
        return self._key_validator is not None and bool(self._key_validator.is_valid(key))

    def column_violations(self, column: str, value: str) -> list[Violation]:
        """Return every rule that a value of one column breaks, regardless of other columns."""
        found = (self._violation(error) for error in self._validator.iter_errors({column: value}))
        return [violation for violation in found if violation.column == column]

    def violations(self, fields: Mapping[str, str]) -> list[Violation]:
        """Return every rule that a row breaks, ordered by the schema's columns."""
        found = [self._violation(error) for error in self._validator.iter_errors(fields)]
        found += [
            Violation(c.column, comparisons.KEYWORD, fields[c.column], c.limit, c.explain(fields))
            for c in self.comparisons
            if not c.holds(fields)
        ]
        order = {column: number for number, column in enumerate(self.columns)}
        return sorted(set(found), key=lambda v: (order.get(v.column, -1), v.rule, v.limit))

    def broken_rules(self, fields: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return column and rule of everything that a row breaks, without saying it in words."""
        found = [
            (_column_of(e), str(e.schema_path[-1])) for e in self._validator.iter_errors(fields)
        ]
        found += [(c.column, comparisons.KEYWORD) for c in self.comparisons if not c.holds(fields)]
        return sorted(set(found))

    def _violation(self, error: Any) -> Violation:
        rule = str(error.schema_path[-1])
        column = _column_of(error)
        value = str(error.instance) if column else ""
        limit: Any = self._compiled
        for part in error.schema_path:
            limit = limit[part]
        text = str(limit) if isinstance(limit, str | int) else json.dumps(limit, ensure_ascii=False)
        rules = self.properties.get(column)
        may_be_empty = isinstance(rules, dict) and rules.get(dialect.EMPTY) is True
        message = explain(rule, value, limit, error.message, may_be_empty=may_be_empty)
        return Violation(
            column, rule, value, text[:_MAX_TEXT_CHARACTERS], message[:_MAX_TEXT_CHARACTERS]
        )

    def _with_columns(self, change: Callable[[Any], Any] | None) -> dict[str, Any]:
        """Return the document with each column's rules changed."""
        changed = {n: change(r) if change else r for n, r in self.properties.items()}
        return {**self.document, "properties": changed}

    def _names(self, keyword: str) -> tuple[str, ...]:
        names = self.document.get(keyword, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SchemaError(f"{keyword!r} must be a list of column names, but it is {names!r}")
        return tuple(names)

    def _check(self, properties: Mapping[str, Any]) -> None:
        unknown = [name for name in self.required if name not in properties]
        if unknown:
            raise SchemaError(f"'required' names columns that are not in 'properties': {unknown}")
        if "x-key" not in self.document and "x-enrichment" not in self.document:
            return  # no look-up
        if half := half_look_up(self.document):
            there = "x-key" if "x-key" in self.document else "x-enrichment"
            raise SchemaError(f"{there!r} {half}")
        if self.key not in self.required:
            raise SchemaError(
                "'x-key' must name a required column, whose values are looked up in the reference "
                f"data, but it is {self.key!r}"
            )
        both = [name for name in self.enrichment if name in properties]
        if both or not self.enrichment:
            raise SchemaError(
                "'x-enrichment' must list the columns that the reference data adds, none of "
                f"them in 'properties', but it is {list(self.enrichment)}"
            )


def _column_of(error: Any) -> str:
    return str(error.instance_path[0]) if error.instance_path else ""


def parse_document(
    text: str,
    *,
    name: str = "the schema",
    pairs: Callable[[list[tuple[str, Any]]], Any] = dict,
) -> dict[str, Any]:
    """Return the JSON object that a text is; `pairs` makes each object of its pairs.

    Raises
    ------
    SchemaError
    """
    try:
        document = json.loads(text, object_pairs_hook=pairs)
    except ValueError as error:
        raise SchemaError(f"cannot read {name}: {error}") from error
    except RecursionError as error:
        raise SchemaError(f"{name} is nested too deeply to be read") from error
    if not isinstance(document, dict):
        raise SchemaError(f"{name} is not a JSON object")
    return document


def check_depth(document: Mapping[str, Any]) -> None:
    """Refuse a document that is nested too deeply.

    Raises
    ------
    SchemaError
    """
    level: list[Any] = [document]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, Mapping) else node)
            if isinstance(child, Mapping | list)
        ]
        if not level:
            return
    raise SchemaError(f"the schema is nested too deeply: at most {_MAX_DEPTH} levels are read")


def _compile(document: dict[str, Any], keywords: Mapping[str, Any] | None = None) -> Any:
    formats = {name: date_check(name) for name in _format_names(document) if is_date_format(name)}
    try:
        return jsonschema_rs.Draft202012Validator(
            document,
            formats=formats,
            validate_formats=True,
            ignore_unknown_formats=False,
            retriever=_refuse,
            keywords=dict(keywords or {}),
        )
    except (jsonschema_rs.ValidationError, ValueError, TypeError) as error:
        raise SchemaError(f"the schema is not valid: {error}") from error


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
