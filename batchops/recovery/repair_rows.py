"""Read fixed rows as people send them, and put them into the bytes of their chunks.

There is no AWS here. Rows are compared with the chunk field by field, so that a row that nobody
changed is recognised, however a spreadsheet or pandas has written it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from batchcore import csvtext, quoting
from batchcore.records import REJECT_COLUMNS

from batchops.core.column_names import distinct, result_columns
from batchops.core.errors import InputError
from batchops.inspection import frames
from batchops.inspection.frames import SOURCE_ROW, SURPLUS
from batchops.recovery.edited_table import as_shown, read_table

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 20


class EditedRow(NamedTuple):
    """One row as it came back: the fields under the header, and the fields beyond them.

    `stray` tells whether text still follows a closing quote, so that the fields are a guess.
    """

    source_row: int
    fields: tuple[str, ...]
    surplus: tuple[str, ...]
    stray: bool = False


class ChunkText:
    """The records of a chunk by their row in the uploaded file, blank lines included.

    Parameters
    ----------
    data
        The chunk's bytes: the input's header and whole records.
    first_row
        The row of the first record after the header.
    """

    def __init__(self, data: bytes, *, delimiter: str, first_row: int) -> None:
        body = data.removeprefix(csvtext.BOM)
        self._bom = data[: len(data) - len(body)]
        records = csvtext.iter_records(body, delimiter=delimiter)
        self.header = next(records)
        self.records = dict(enumerate(records, first_row))

    def patched(self, patches: Mapping[int, bytes]) -> bytes:
        """Return the chunk's bytes with some records replaced, and every other byte as it is."""
        return b"".join((self._bom, self.header, *(self.records | dict(patches)).values()))


class StoredRow:
    """A record of a chunk, read once.

    Parameters
    ----------
    record
        The record; it is not blank.

    Attributes
    ----------
    record : bytes
    fields : list of str
        Its fields; bytes that are not UTF-8 are lone surrogates.
    shown : list of str
        Its fields as `Job.rejects` shows them.
    stray : list of int
        The places of fields with text after their closing quote.
    """

    __slots__ = ("fields", "record", "shown", "stray")

    def __init__(self, record: bytes, *, delimiter: str) -> None:
        self.record = record
        text = record.decode("utf-8", "surrogateescape")
        self.fields, stray = frames.parse_shown(text.rstrip("\r\n"), delimiter=delimiter)
        self.shown = self.fields if _is_utf8(record) else list(map(as_shown, self.fields))
        self.stray = _stray_places(text, delimiter=delimiter) if stray else []


def _is_utf8(record: bytes) -> bool:
    try:
        record.decode()
    except UnicodeDecodeError:
        return False
    return True


def join_fields(fields: Sequence[str], *, like: bytes, delimiter: str) -> bytes:
    """Return a record of the given fields, with the line end of another record."""
    text = io.StringIO()
    # The writer quotes line breaks inside fields only if they are in its own line end.
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(fields)
    terminator = csvtext.line_end(like)
    body = text.getvalue().removesuffix("\r\n")
    try:
        return body.encode("utf-8", "surrogateescape") + terminator
    except UnicodeEncodeError:  # lone surrogates that do not stand for a byte
        return body.encode("utf-8", "surrogatepass") + terminator


def is_untouched(row: EditedRow, stored: StoredRow) -> bool:
    """Return whether a row says the same as its record in the chunk.

    Nobody can see, or edit, empty fields beyond the header's, and nothing is lost without them. So
    a record that has some always counts as changed, and can be fixed by writing it without them.
    """
    fields, shown, width = stored.fields, stored.shown, len(row.fields)
    padding = [""] * (width - len(fields))  # as the rejects file pads it
    if len(fields) > width:
        surplus = _trimmed(fields[width:])
        if not surplus or not _same(row.surplus, surplus, _trimmed(shown[width:])):
            return False
    return _same(row.fields, fields[:width] + padding, shown[:width] + padding)


def _same(edited: Sequence[str], fields: Sequence[str], shown: Sequence[str]) -> bool:
    return len(edited) == len(fields) and all(
        new in (old, visible) for new, old, visible in zip(edited, fields, shown, strict=True)
    )


def both_values(row: EditedRow, stored: StoredRow) -> tuple[list[str], list[str]]:
    """Return the fields under the header as DataFrames show them: in the record, and in the row."""
    fields = stored.shown[: len(row.fields)]
    return fields + [""] * (len(row.fields) - len(fields)), list(map(as_shown, row.fields))


def spoilt_fields(stored: StoredRow) -> dict[int, str]:
    """Return the places of fields that are not UTF-8, or have text after their closing quote.

    Each has the rule that the row is rejected by.
    """
    return dict.fromkeys(stored.stray, "quoting") | dict.fromkeys(_hidden(stored), "encoding")


def _hidden(stored: StoredRow) -> list[int]:
    """Return the places of fields that are not shown as they are."""
    if stored.shown is stored.fields:
        return []
    both = zip(stored.fields, stored.shown, strict=True)
    return [place for place, (field, shown) in enumerate(both) if field != shown]


def _stray_places(text: str, *, delimiter: str) -> list[int]:
    matches = quoting.match_fields(text, delimiter=delimiter)
    return [place for place, found in enumerate(matches) if found[1]]


def undecodable(row: EditedRow, stored: StoredRow) -> list[int]:
    """Return the places of fields that still show bytes that are not UTF-8 as DataFrames do.

    Written like that, one byte would become four characters.
    """
    return [
        place
        for place in _hidden(stored)
        if place < len(row.fields)
        and row.fields[place] in (stored.fields[place], stored.shown[place])
    ]


def still_stray(row: EditedRow, stored: StoredRow) -> bool:
    """Return whether a row still has, or shows, a field with text after its closing quote."""
    if row.stray:
        return True
    places = [p for p in stored.stray if p < len(row.fields)]
    return any(row.fields[p] in (stored.fields[p], stored.shown[p]) for p in places)


def read_edited(
    source: pd.DataFrame | str | Path | bytes, *, columns: Sequence[str], delimiter: str
) -> list[EditedRow]:
    """Return the rows of an edited rejects file, or of a DataFrame like that of `Job.rejects`.

    Parameters
    ----------
    source
        The DataFrame, or the path or the bytes of the workbook or CSV file. The delimiter may be
        another than the job's, because spreadsheets and pandas choose their own.
    columns
        The input's columns.

    Raises
    ------
    InputError
        If one of the input's columns or ``source_row`` is missing or occurs twice; if a row has no
        row number, or two rows have the same; if a quoted field never ends.
    """
    table = read_table(source, columns=columns, delimiter=delimiter)
    names, rows = table.names, table.rows
    if not rows:
        return []
    fields, number, surplus = _places(names, columns, delimiter)
    found = [
        EditedRow(
            source_row=_row_number(row[number], place),
            fields=tuple(row[place] for place in fields),
            surplus=_trimmed([row[place] for place in surplus] + row[len(names) :]),
            stray=place in table.stray,
        )
        for place, row in enumerate(rows, 1)
    ]
    counts = Counter(row.source_row for row in found)
    twice = sorted(row for row, count in counts.items() if count > 1)
    if twice:
        raise InputError(f"these rows occur more than once: {listed(twice)}")
    return found


def listed(rows: Sequence[int]) -> str:
    """Return row numbers as a list for a message, at most twenty of them."""
    more = f" and {len(rows) - _LISTED:,} more" if len(rows) > _LISTED else ""
    return ", ".join(map(str, rows[:_LISTED])) + more


def _places(
    names: Sequence[str], columns: Sequence[str], delimiter: str
) -> tuple[list[int], int, list[int]]:
    """Return the places of the input's columns, of the row number and of the surplus."""
    width = len(columns)
    spellings = _spellings(columns)
    # In the order of the rejects file even columns of the same name can be told apart.
    if any(list(names[: width + 1]) == spelling for spelling in spellings):
        rest = range(width + 1, len(names))
        return list(range(width)), width, [n for n in rest if names[n].startswith(SURPLUS)]
    fitting = [each for each in spellings if all(names.count(name) == 1 for name in each)]
    if not fitting:
        lacking = [name for name in spellings[0] if names.count(name) != 1]
        raise InputError(
            f"the columns {', '.join(map(repr, lacking))} must occur once each, delimited by "
            f"{delimiter!r}; found are {', '.join(map(repr, names))}"
        )
    *wanted, source_row = fitting[0]
    surplus = [n for n, name in enumerate(names) if name.startswith(SURPLUS) and name not in wanted]
    return [names.index(name) for name in wanted], names.index(source_row), surplus


def _spellings(columns: Sequence[str]) -> list[list[str]]:
    """Return how the input's columns and ``source_row`` may be called in what comes back.

    As `Job.rejects` calls them, as the rejects file has them, and as pandas reads that file.
    """
    file = [*columns, *REJECT_COLUMNS]
    return [
        names[: len(columns) + 1]
        for names in (result_columns(columns, REJECT_COLUMNS), file, distinct(file))
    ]


def _row_number(text: str, place: int) -> int:
    try:
        return int(text.strip().removesuffix(".0"))
    except ValueError:
        raise InputError(
            f"line {place} has {text!r} in {SOURCE_ROW}, which must be the row's number in the "
            "uploaded file"
        ) from None


def _trimmed(values: list[str]) -> tuple[str, ...]:
    while values and not values[-1]:
        values = values[:-1]
    return tuple(values)
