"""Read a sheet of an Excel workbook (.xlsx) as rows of text, as the sheet shows them.

Every cell becomes text: nothing is guessed, and no leading zero, digit or error value is lost.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any
from xml.etree import ElementTree

from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.planning.cell_text import SHEET_BOOLEANS, column_texts

SUFFIXES = (".xlsx", ".xlsm")

# A format that fills a whole number up with zeros, such as 00000 for postcodes.
_ZEROS = re.compile(r"0{2,}")


@dataclass(frozen=True)
class SheetText:
    """The text of a sheet.

    Attributes
    ----------
    sheet : str
        Its name.
    rows : list of list of str
        Its rows from the sheet's first row on, so that the row numbers are those of the sheet; all
        as long as the longest, blank ones too. Blank rows at the end are left out, and so are
        blank columns on the left and on the right.
    notes : tuple of str
        What a reader should know, one line each.
    """

    sheet: str
    rows: list[list[str]]
    notes: tuple[str, ...]


def read_sheet(source: str | Path | bytes | IO[bytes], *, sheet: str | None = None) -> SheetText:
    """Read one sheet of a workbook.

    Parameters
    ----------
    source
        The path, the bytes, or the opened file of the workbook.
    sheet
        The name of the sheet; needed if there are several.

    Raises
    ------
    InputError
        If it is no workbook, is protected by a password, or the sheet is not clear.
    """
    import python_calamine as calamine

    try:
        data = _content(source)
        with calamine.CalamineWorkbook.from_filelike(BytesIO(data)) as book:
            name = _choose(book, sheet)
            found = book.get_sheet_by_name(name)
            start, cells = found.start, found.to_python(skip_empty_area=True)
            merged = found.merged_cell_ranges or []
        special = _special_texts(data, name)
    except calamine.PasswordError as error:
        raise InputError("the workbook is protected by a password: save it without one") from error
    except (calamine.CalamineError, zipfile.BadZipFile, ElementTree.ParseError, KeyError) as error:
        raise InputError(
            f"the workbook cannot be read ({error}): save it as .xlsx again"
        ) from error
    if start is None:
        raise InputError(f"sheet {name!r} of the workbook is empty")
    rows = _as_text(cells, start, special, name)
    notes = [f"{len(merged):,} merged cells: each has its text in the first of its cells only"]
    return SheetText(name, rows, tuple(notes) if merged else ())


def _content(source: str | Path | bytes | IO[bytes]) -> bytes:
    if isinstance(source, bytes):
        return source
    data: bytes = Path(source).read_bytes() if isinstance(source, str | Path) else source.read()
    return data


def _choose(book: Any, sheet: str | None) -> str:
    """Return the name of the sheet to read; a hidden one has to be named."""
    about = [
        (each.name, str(each.visible).endswith(".Visible"))
        for each in book.sheets_metadata
        if str(each.typ).endswith(".WorkSheet")
    ]
    names = [name for name, visible in about if visible or name == sheet]
    listed = ", ".join(map(repr, names))
    if sheet is not None:
        if sheet not in names:
            raise InputError(f"the workbook has no sheet {sheet!r}: it has {listed}")
        return sheet
    if len(names) != 1:
        raise InputError(
            f"the workbook has {number_of(len(names), 'sheet')} ({listed}): name one, "
            f"sheet={names[0]!r}"
            if names
            else "the workbook has no sheet with cells"
        )
    return str(names[0])


def _as_text(
    cells: list[list[Any]],
    start: tuple[int, int],
    special: Mapping[tuple[int, int], str],
    sheet: str,
) -> list[list[str]]:
    """Return the rows of a sheet as text.

    Parameters
    ----------
    start
        Row and column of the first cell, counted from 0.
    special
        Texts of cells by row and column, instead of their values.
    """
    top, left = start
    for (row, column), text in special.items():
        # Errors stand outside of what was read if nothing else is in their row or column.
        while row - top >= len(cells):
            cells.append([""] * (len(cells[0]) if cells else 0))
        if row >= top and column >= left:
            line = cells[row - top]
            line.extend([""] * (column - left + 1 - len(line)))
            line[column - left] = text
    width = max(map(len, cells), default=0)
    columns = []
    for number in range(width):
        values = [_shown(line[number]) if number < len(line) else "" for line in cells]
        place = f"column {_letters(left + number)} of sheet {sheet}"
        columns.append(column_texts(values, name=place, booleans=SHEET_BOOLEANS, first_row=top + 1))
    rows = [list(texts) for texts in zip(*columns, strict=True)]
    return [[""] * width for _ in range(top)] + rows


def _shown(value: Any) -> Any:
    """Return a value with the 15 digits that Excel calculates with and shows."""
    return float(f"{value:.15g}") if type(value) is float and not value.is_integer() else value


def _letters(column: int) -> str:
    letters = ""
    while column >= 0:
        letters = chr(ord("A") + column % 26) + letters
        column = column // 26 - 1
    return letters


def _special_texts(data: bytes, sheet: str) -> dict[tuple[int, int], str]:
    """Return the texts of cells whose value alone does not say what the sheet shows.

    These are errors such as ``#N/A``, and numbers under a format that fills them up with zeros.
    """
    with zipfile.ZipFile(BytesIO(data)) as archive:
        padded = _zero_formats(archive)
        content = archive.read(_sheet_file(archive, sheet))
    if not padded and b't="e"' not in content:
        return {}
    found, row, column = {}, -1, -1
    events = ElementTree.iterparse(BytesIO(content), ("start", "end"))  # noqa: S314
    for event, element in events:
        tag = _tag(element)
        if tag == "row" and event == "start":  # its number, and those of its cells, may be left out
            row, column = int(element.get("r", row + 2)) - 1, -1
        elif tag == "row":
            element.clear()
        elif tag == "c" and event == "end":
            column = _column(element.get("r", ""), column + 1)
            text = _special_text(element, padded)
            if text:
                found[row, column] = text
    return found


def _special_text(cell: ElementTree.Element, padded: Mapping[str, int]) -> str:
    value, kind = cell.findtext("{*}v") or "", cell.get("t", "n")
    zeros = padded.get(cell.get("s", "0"), 0)
    if kind == "e":
        return value
    return value.zfill(zeros) if kind == "n" and zeros and value.isdecimal() else ""


def _tag(element: ElementTree.Element[str]) -> str:
    """Return an element's name without its namespace; workbooks use one of two."""
    return element.tag.rpartition("}")[2]


def _column(reference: str, otherwise: int) -> int:
    """Return the column in a reference such as ``AB12``, counted from 0."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1 if letters else otherwise


def _zero_formats(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return how many digits a number is filled up to, by the number of the cells' style."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    styles = ElementTree.fromstring(archive.read("xl/styles.xml"))  # noqa: S314
    formats = {
        each.get("numFmtId"): len(each.get("formatCode", ""))
        for each in styles.findall(".//{*}numFmt")
        if _ZEROS.fullmatch(each.get("formatCode", ""))
    }
    cells = styles.find("{*}cellXfs")
    return {
        str(number): formats[each.get("numFmtId")]
        for number, each in enumerate(cells if cells is not None else ())
        if each.get("numFmtId") in formats
    }


def _sheet_file(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the name of a sheet's file within the workbook."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    (found,) = (each for each in book.findall(".//{*}sheet") if each.get("name") == sheet)
    wanted = next(value for name, value in found.items() if name.endswith("}id"))
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    target = next(each.get("Target", "") for each in relations if each.get("Id") == wanted)
    return target[1:] if target.startswith("/") else str(PurePosixPath("xl", target))
