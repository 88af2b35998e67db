"""CSV that a spreadsheet opens without changing or running a value.

An apostrophe is put in front of each value that a spreadsheet would take for a formula, a number in
another form, a date or a truth value. It shows there, the value stays text, and `unquote` takes the
apostrophe away again. The file begins with a BOM, by which spreadsheets know UTF-8.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.inspection.cell_readings import days, numbers, seconds

if TYPE_CHECKING:
    import pandas as pd

# A column of the rejects that says that values are quoted, so that `repair` takes it back.
QUOTED = "quoted_for_spreadsheets"

# What begins a formula, in one spreadsheet or another, and the mark itself (OWASP, CSV Injection).
_FIRST = ("=", "+", "-", "@", "\t", "\r", "'")
# A number that comes back as it was: no zeros at its ends, and short enough for a cell's "General"
# format, which shows at most 11 characters.
_SAFE_NUMBER = re.compile(r"(?=[0-9.]{1,11}$)(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")

# Excel specifications and limits, support.microsoft.com, read 2026-11.
MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_CHARACTERS = 32_767


def quote(value: str) -> str:
    """Return a value as a spreadsheet keeps it."""
    return f"'{value}" if _is_changed(value) else value


def unquote(value: str) -> str:
    """Return the value that `quote` was given."""
    return value[1:] if value.startswith("'") else value


def _is_changed(value: str) -> bool:
    """Return whether a spreadsheet would run a value, or may write it in another way."""
    if value.startswith(_FIRST):
        return True
    if _SAFE_NUMBER.fullmatch(value) or not any(c.isdigit() for c in value):
        return value.strip().casefold() in ("true", "false", "inf", "infinity")
    return bool(numbers(value) or days(value) or seconds(value))


def write_quoted(
    header: Sequence[str], rows: Iterable[Sequence[str]], file: TextIO, *, delimiter: str
) -> None:
    """Write rows for a spreadsheet; the file must be open for text, with ``newline=""``.

    Raises
    ------
    InputError
        If a spreadsheet would cut the file.
    """
    file.write("\ufeff")
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
    check_columns(header)
    writer.writerow(map(quote, header))
    for row, values in enumerate(rows, 2):
        check_row(row)
        for name, value in zip(header, values, strict=False):
            if characters(value) > MAX_CHARACTERS:
                raise InputError(
                    f"{name!r} in row {row:,} of the file has "
                    f"{number_of(characters(value), 'character')}, "
                    f"and a spreadsheet keeps {MAX_CHARACTERS:,} of a cell: take the plain CSV"
                )
        writer.writerow(map(quote, values))


def write_frame_quoted(
    frame: pd.DataFrame, file: TextIO, *, delimiter: str, marked: bool = False
) -> None:
    """Write a DataFrame of texts for a spreadsheet, see `write_quoted`.

    Parameters
    ----------
    marked
        Add the column `QUOTED`, for what `repair` is to take back.
    """
    more = [QUOTED] if marked else []
    cells = ["yes"] if marked else []
    rows = frame.astype("str").itertuples(index=False, name=None)
    write_quoted(
        [*map(str, frame.columns), *more],
        ([*row, *cells] for row in rows),
        file,
        delimiter=delimiter,
    )


def check_columns(header: Sequence[str]) -> None:
    """Refuse a file with more columns than a sheet.

    Raises
    ------
    InputError
    """
    if len(header) > MAX_COLUMNS:
        raise InputError(
            f"{number_of(len(header), 'column')} are more than the {MAX_COLUMNS:,} of a sheet: "
            "take the plain CSV"
        )


def check_row(row: int) -> None:
    """Refuse a row of a file, the header being row 1, that is beyond the last one of a sheet.

    Raises
    ------
    InputError
    """
    if row > MAX_ROWS:
        raise InputError(
            f"there are more rows than the {MAX_ROWS:,} of a sheet, the header included: take the "
            "plain CSV"
        )


def characters(text: str) -> int:
    """Return the length of a text as spreadsheets count it, in units of UTF-16."""
    return len(text) + sum(c > "\uffff" for c in text)
