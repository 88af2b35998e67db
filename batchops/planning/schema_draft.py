"""Draft a record schema from a file: its columns, their rules, and what is unsure of them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import csvtext, headers, intake, jobs
from batchcore.errors import FileError
from batchcore.records import read_records
from batchcore.schema import RecordSchema
from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.inspection.result_files import whole_file
from batchops.planning.column_draft import (
    common_order,
    date_formats,
    draft_column,
    looks_like_identifier,
)
from batchops.planning.column_facts import MOST_COMPARED, NUMBER, ColumnFacts
from batchops.planning.conversion import PlainFile, Reading, open_plain
from batchops.planning.file_head import BLOCK_BYTES, choose_delimiter, read_columns
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.planning.conversion import Source

_CHUNK_ROWS = 1_000

_FIRST_ROWS = (
    "only the first {:,} rows were read: check the draft against the whole file (schema check "
    "--against)"
)
_UNREADABLE = (
    "rejected whatever the schema says: {}, not UTF-8, with text after a closing quote, or with "
    "another number of fields than the header"
)


@dataclass(frozen=True)
class Note:
    """What is unsure of a column; of the file as a whole if the column is empty."""

    column: str
    text: str


@dataclass(frozen=True)
class SchemaDraft(Shown):
    """A draft of a record schema, which accepts every row that was read.

    Attributes
    ----------
    name : str
        The file that it was drafted from.
    delimiter : str
        What delimits that file's fields: the stack's FileDelimiter.
    rows : int
        Rows that were read.
    unreadable : int
        Rows among them that no schema could accept: not UTF-8, text after a closing quote, or
        another number of fields than the header.
    key : str
        The column that is unique and never empty, and so may serve as `x-key`; may be empty.
    notes : tuple of Note
        What to look at before the draft is deployed.
    schema : dict
        The draft.
    """

    name: str
    delimiter: str
    rows: int
    unreadable: int
    key: str
    notes: tuple[Note, ...]
    schema: dict[str, Any]

    def to_json(self) -> str:
        """Return the draft as the text of a schema file, a column a line."""
        columns = (f"    {_json(n)}: {_json(r)}" for n, r in self.schema["properties"].items())
        lines = [
            "  " + _json(keyword) + ": " + ("{\n" + ",\n".join(columns) + "\n  }")
            if keyword == "properties"
            else f"  {_json(keyword)}: {_json(value)}"
            for keyword, value in self.schema.items()
        ]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def write(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the draft to a schema file, and return its path.

        Raises
        ------
        InputError
            If the file is there already and is not to be replaced.
        """
        found = Path(path)
        with whole_file(found, replace=replace) as part:
            part.write_text(self.to_json(), encoding="utf-8")
        return found

    def _blocks(self) -> Iterator[Block]:
        properties = self.schema["properties"]
        yield Block.line(
            f"{self.name}: {number_of(self.rows, 'row')}, {number_of(len(properties), 'column')} "
            f"delimited by {jobs.delimiter_name(self.delimiter)}"
        )
        rows = [(name, _json(rules)) for name, rules in properties.items()]
        lines = [f"  {name}: {rules}" for name, rules in rows]
        yield Block.table(("column", "rules"), rows, lines=lines)
        if self.notes:
            yield Block.line("look at:")
            yield Block.facts(f"{n.column}: {n.text}" if n.column else n.text for n in self.notes)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def infer_schema(
    source: Source,
    *,
    delimiter: str | None = None,
    rows: int | None = None,
    reference_data: str | Path | None = None,
) -> SchemaDraft:
    """Draft a record schema from a file or a DataFrame.

    The file is read once, as a stream, in bounded memory. The draft accepts every row that was
    read, unless no schema could: it is a beginning, and knows nothing of values to come.

    Parameters
    ----------
    source
        A path, bytes, an open file, or a DataFrame, as for `Stack.submit`.
    delimiter
        What delimits the fields, or its name; by default it is found.
    rows
        Read the first so many rows only; by default all.
    reference_data
        A file of reference data: the draft then looks rows up in it (`x-key`, `x-enrichment`).

    Raises
    ------
    InputError
        If the file cannot be read, or has no usable header.
    """
    if rows is not None and rows < 1:
        raise InputError(f"rows is {rows}: read at least 1")
    plain = open_plain(source, delimiter=",", reading=Reading(unpacks=True))
    try:
        return _draft(plain, delimiter, rows, reference_data)
    except FileError as error:
        raise InputError(f"no schema can be drafted from {plain.name}: {error}") from error
    finally:
        plain.close()


def _draft(
    plain: PlainFile,
    given: str | None,
    limit: int | None,
    reference_data: str | Path | None,
) -> SchemaDraft:
    file, name = plain.file, plain.name
    head = file.read(BLOCK_BYTES)
    next(intake.check_text(iter([head])))  # refuses what is no text
    delimiter = choose_delimiter(head, name, given=given)
    file.seek(0)
    splitter = csvtext.Splitter(
        intake.check_text(iter(lambda: file.read(BLOCK_BYTES), b"")),
        delimiter=delimiter,
        chunk_rows=_CHUNK_ROWS,
    )
    header, columns, told = read_columns(splitter, delimiter=delimiter)
    notes = [Note("", text) for text in (*plain.notes, *told)]
    facts = [ColumnFacts(column) for column in columns]
    rows = unreadable = 0
    records = _records(splitter, header, columns, delimiter)
    limited = islice(records, limit)
    while batch := list(islice(limited, _CHUNK_ROWS)):
        rows += len(batch)
        readable = [record["fields"] for record in batch if "fields" in record]
        unreadable += len(batch) - len(readable)
        for each in facts:
            values = Counter(map(itemgetter(each.name), readable))
            for text, times in values.items():
                each.add(text, times)
    if not rows:
        raise intake.no_rows()
    if limit is not None and next(records, None) is not None:
        notes.append(Note("", _FIRST_ROWS.format(rows)))
    if unreadable:
        notes.append(Note("", _UNREADABLE.format(number_of(unreadable, "row"))))
    look_up = {} if reference_data is None else _look_up(Path(reference_data), facts)
    schema = _assemble(name, facts, look_up, notes)
    keys = [each.name for each in facts if _may_be_key(each)]
    if not look_up:
        notes.append(Note("", _key_note(keys, all_compared=rows <= MOST_COMPARED)))
    key = look_up.get("x-key") or next(iter(keys), "")
    return SchemaDraft(name, delimiter, rows, unreadable, key, tuple(notes), schema)


def _records(
    splitter: csvtext.Splitter, header: bytes, columns: Sequence[str], delimiter: str
) -> Iterator[Mapping[str, Any]]:
    accepting = RecordSchema({"properties": {column: {} for column in columns}})
    for chunk in splitter.chunks():
        yield from read_records(
            header + chunk.data, accepting, delimiter=delimiter, first_row=chunk.first_row
        )


def _assemble(
    name: str, facts: Sequence[ColumnFacts], look_up: Mapping[str, Any], notes: list[Note]
) -> dict[str, Any]:
    """Return the draft of the schema, and add what is unsure of its columns to the notes."""
    day_first = common_order(facts)
    properties = {}
    for each in facts:
        draft = draft_column(each, day_first=day_first)
        properties[each.name] = draft.rules
        notes += (Note(each.name, text) for text in draft.notes)
    return {
        "title": f"Drafted from {name}",
        "type": "object",
        "required": list(properties),
        "properties": properties,
        **look_up,
    }


def _may_be_key(facts: ColumnFacts) -> bool:
    if not facts.unique or facts.empty or facts.values < 2:
        return False
    if looks_like_identifier(facts) or facts.every("uuid"):
        return True
    return not facts.every(NUMBER) and not date_formats(facts) and bool(facts.shape.pattern())


def _key_note(keys: Sequence[str], *, all_compared: bool) -> str:
    if not keys:
        return "no column is unique and looks like a key; without x-key, rows are not looked up"
    others = f" (or {headers.listed(keys[1:])})" if keys[1:] else ""
    unique = "is unique" if all_compared else f"has no value twice in {MOST_COMPARED:,} rows"
    return (
        f"{keys[0]!r}{others} {unique}: say x-key, with x-enrichment, if rows are to be looked up "
        "in reference data"
    )


def _look_up(path: Path, facts: Sequence[ColumnFacts]) -> dict[str, Any]:
    """Return `x-key` and `x-enrichment` for a file of reference data.

    Raises
    ------
    InputError
        If the file cannot be read, or it does not tell which column is the key.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = [name.strip() for name in next(csv.reader(file), [])]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"cannot read the reference data {path}: {error}") from error
    columns = {each.name: each for each in facts}
    shared = [name for name in names if name in columns]
    added = [name for name in names if name and name not in columns]
    if len(shared) != 1 or not added:
        raise InputError(
            f"{path} must have one column of the file, which is the key, and others that it adds: "
            f"it shares {headers.listed(shared) or 'none'} and would add "
            f"{headers.listed(added) or 'none'}"
        )
    if columns[shared[0]].empty:
        raise InputError(
            f"the key {shared[0]!r} is empty in {number_of(columns[shared[0]].empty, 'row')}, "
            "which cannot be looked up: fill it in"
        )
    return {"x-key": shared[0], "x-enrichment": added}
