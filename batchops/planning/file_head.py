"""Read the head of a file that no schema is known for: what delimits it, and its columns."""

from __future__ import annotations

import csv
from collections import Counter
from contextlib import suppress
from itertools import islice

from batchcore import csvtext, headers, intake, jobs
from batchcore.errors import FileError
from batchcore.headers import OTHER_DELIMITERS
from batchcore.schema import RecordSchema
from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.planning.column_facts import kinds_of

BLOCK_BYTES = 1024 * 1024

# Records that tell the delimiter, and how many of them must have as many fields as the header.
_TRIED_RECORDS = 50
_AGREEING = 0.8

# How a first row begins that is no header.
_MARKUP = ("<", "{", "[{", "[[")


def choose_delimiter(head: bytes, name: str, *, given: str | None) -> str:
    """Return the delimiter that is given, as itself or by name, or the one that a file has.

    Raises
    ------
    InputError
        If the one that is given cannot delimit fields, or see `find_delimiter`.
    """
    if given is None:
        return find_delimiter(head, name)
    try:
        return jobs.parse_delimiter(given)
    except ValueError as error:
        raise InputError(str(error)) from error


def find_delimiter(head: bytes, name: str) -> str:
    """Return what delimits a file, by its first records.

    Raises
    ------
    InputError
        If the first row has another number of fields than the rows below.
    """
    best, most, other = ",", 1, (0, 0)
    for delimiter in OTHER_DELIMITERS:
        width, *below = _widths(head, delimiter) or [0]
        agreeing = sum(each == width for each in below) >= _AGREEING * len(below)
        if width > most and agreeing:
            best, most = delimiter, width
        usual, times = Counter(below).most_common(1)[0] if below else (0, 0)
        if len(below) > 1 and usual > max(1, other[1]) and times > len(below) / 2:
            other = width, usual
    if most == 1 and other[0] != other[1]:
        raise InputError(
            f"row 1 of {name} is no header of the rows below: it has {_fields(other[0])}, and they "
            f"have {other[1]}. Delete the lines above the names of the columns, or give each row "
            "as many fields as the header"
        )
    return best


def _fields(count: int) -> str:
    return number_of(count, "field")


def _widths(head: bytes, delimiter: str) -> list[int]:
    """Return the numbers of fields of the first records, as far as they can be read."""
    complete = head if len(head) < BLOCK_BYTES else head[: head.rfind(b"\n") + 1]
    found = csvtext.iter_records(complete.removeprefix(csvtext.BOM), delimiter=delimiter)
    raws = (raw for raw in found if not csvtext.is_blank(raw))
    widths: list[int] = []
    # The head may end within a record, and another delimiter may leave quotes open.
    with suppress(FileError, csv.Error):
        for raw in islice(raws, _TRIED_RECORDS):
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            widths.append(len(csvtext.parse_row(text, delimiter=delimiter)))
    return widths


def read_columns(
    splitter: csvtext.Splitter, *, delimiter: str
) -> tuple[bytes, list[str], list[str]]:
    """Return the header, the columns that a schema can name, and what is odd about the others.

    Raises
    ------
    FileError, InputError
        If the first row is no header, or has no name that occurs once.
    """
    # No header has this name, so that any header is accepted.
    nothing = RecordSchema({"properties": {"\0": {}}})
    header = intake.read_header(splitter, nothing, delimiter=delimiter)
    names = headers.names_of(_header_text(header), delimiter=delimiter)
    columns = [name for name in names if name and names.count(name) == 1]
    if not columns:
        raise InputError("the header has no name that occurs once: give each column its own name")
    notes = []
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        notes.append(f"{headers.listed(twice)} stand twice, so no rule can be theirs")
    if "" in names:
        notes.append(f"{number_of(names.count(''), 'column')} without a name: passed through")
    data = [name for name in columns if kinds_of(name)]
    if len(data) > len(columns) / 2:
        notes.append(f"is row 1 a header? {headers.listed(data)} look like values, not like names")
    return header, columns, notes


def _header_text(header: bytes) -> str:
    """Return a header as text.

    Raises
    ------
    InputError
        If no schema could name its columns.
    """
    try:
        text = header.removeprefix(csvtext.BOM).decode()
    except UnicodeDecodeError as error:
        raise InputError(
            "the header is not UTF-8: save the file as UTF-8 (in Excel: CSV UTF-8), or convert it, "
            "such as with iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW"
        ) from error
    begin = text.lstrip().lower()
    if begin.startswith(_MARKUP):
        raise InputError("the file looks like HTML, XML or JSON: export the data as CSV in UTF-8")
    if begin.lstrip('"').startswith("sep="):
        raise InputError("row 1 is a spreadsheet's 'sep=' line, which is no header: delete it")
    return text
