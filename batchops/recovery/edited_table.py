"""Read what people send as fixed rows, a DataFrame, CSV or workbook, as a table of texts."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchcore import csvtext, headers
from batchcore.errors import UnterminatedQuoteError

from batchops.core.errors import InputError
from batchops.inspection import frames
from batchops.inspection.frames import SOURCE_ROW
from batchops.inspection.rejects_workbook import SHEET
from batchops.inspection.spreadsheet_csv import QUOTED, unquote
from batchops.planning.workbooks import read_sheet

# More than any header that people edit.
_HEAD_BYTES = 1024 * 1024
# The first bytes of a zip archive, which a workbook is, and of the format of before 2007.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True)
class EditedTable:
    """The texts of a table that came back.

    Attributes
    ----------
    names, rows
        Its header and its rows, which may be longer than that.
    stray
        Numbers of the rows, from 1, in which text follows a closing quote.
    """

    names: list[str]
    rows: list[list[str]]
    stray: frozenset[int] = frozenset()


def read_table(source: Any, *, columns: Sequence[str], delimiter: str) -> EditedTable:
    """Return a table of edited rejects; see `repair_rows.read_edited`.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    table = _read(source, columns, delimiter)
    # The upload may have been such a file itself.
    if table.names.count(QUOTED) <= list(columns).count(QUOTED):
        return table
    rows = [list(map(unquote, row)) for row in table.rows]
    return EditedTable(list(map(unquote, table.names)), rows, table.stray)


def _read(source: Any, columns: Sequence[str], delimiter: str) -> EditedTable:
    if hasattr(source, "columns") and hasattr(source, "itertuples"):
        values = (
            source.astype("object").where(source.notna(), "").itertuples(index=False, name=None)
        )
        rows = [list(map(str, row)) for row in values]
        return EditedTable([str(name) for name in source.columns], rows)
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise InputError(f"no file {path}: give the edited rejects file, or a DataFrame")
        source = path.read_bytes()
    if not isinstance(source, bytes):
        raise InputError(
            f"cannot repair from a {type(source).__name__}: give a DataFrame, a path or bytes"
        )
    if source.startswith(_WORKBOOKS):
        return _workbook_table(source)
    return _csv_table(_as_utf8(source), columns, delimiter)


def _workbook_table(data: bytes) -> EditedTable:
    found = read_sheet(data, sheet=_sheet_of(data))
    rows = [row for row in found.rows if any(row)]
    return EditedTable(rows[0], rows[1:]) if rows else EditedTable([], [])


def _sheet_of(data: bytes) -> str | None:
    """Return the name of the sheet with the rows; None if there is but one, or none is readable."""
    import python_calamine as calamine

    try:
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheets = book.sheets_metadata
    except calamine.CalamineError:
        return None  # what is wrong is said when it is read
    names = [each.name for each in sheets if str(each.visible).endswith(".Visible")]
    if SHEET in names:
        return SHEET
    if len(names) > 1:
        listed = ", ".join(map(repr, names))
        raise InputError(f"no sheet of the workbook is called {SHEET!r}: it has {listed}")
    return None


def _as_utf8(data: bytes) -> bytes:
    """Return a CSV in UTF-8 that a spreadsheet may have saved as UTF-16 ("Unicode text")."""
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data
    try:
        return data.decode("utf-16").encode()
    except UnicodeError as error:
        raise InputError(f"cannot read the rows as UTF-16: {error}") from error


def _csv_table(data: bytes, columns: Sequence[str], delimiter: str) -> EditedTable:
    delimiter = _found_delimiter(data, columns, delimiter)
    (header, _), *found = list(_parsed(data, delimiter)) or [([], False)]
    # A spreadsheet writes rows of delimiters only, and leaves out empty fields at the end.
    found = [(row, stray) for row, stray in found if any(row)]
    names = [as_shown(name) for name in header]
    rows = [row + [""] * (len(names) - len(row)) for row, _ in found]
    stray = frozenset(place for place, (_, is_stray) in enumerate(found, 1) if is_stray)
    return EditedTable(names, rows, stray)


def _found_delimiter(data: bytes, columns: Sequence[str], delimiter: str) -> str:
    """Return the delimiter of a rejects file, which may have been saved with another one."""
    head = data[:_HEAD_BYTES].removeprefix(csvtext.BOM).lstrip(b"\r\n")
    text = head.decode("utf-8", "backslashreplace")
    wanted = {name.strip() for name in (*columns, SOURCE_ROW)}
    return headers.other_delimiter(text, wanted, delimiter=delimiter) or delimiter


def _parsed(data: bytes, delimiter: str) -> Iterator[tuple[list[str], bool]]:
    """Yield the fields of each record, and whether text follows a closing quote in it."""
    try:
        records = list(csvtext.iter_records(data.removeprefix(csvtext.BOM), delimiter=delimiter))
    except UnterminatedQuoteError as error:
        raise InputError(f"cannot read the rows: {error}") from error
    texts = [r.decode("utf-8", "surrogateescape") for r in records if not csvtext.is_blank(r)]
    for text in texts:
        yield frames.parse_shown(text, delimiter=delimiter)


def as_shown(field: str) -> str:
    r"""Return a field as DataFrames show it: a byte that is not UTF-8 as ``\xA0``."""
    if field.isascii():
        return field
    return field.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
