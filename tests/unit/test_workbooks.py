"""Workbooks as rows of text: what the sheet shows, in the rows of the sheet."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter

from batchops.core.errors import InputError
from batchops.planning.workbooks import read_sheet

if TYPE_CHECKING:
    from pathlib import Path

Fill = Callable[[Any, Any], None]


def workbook(*fills: Fill, names: tuple[str, ...] = ("Data",)) -> bytes:
    """Return a workbook; each function fills a sheet."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    for name, fill in zip(names, fills, strict=True):
        fill(book, book.add_worksheet(name))
    book.close()
    return file.getvalue()


def cells(*values: Any, form: str | None = None) -> Fill:
    """Return a function that writes a column ``a`` of values, under a number format."""

    def fill(book: Any, sheet: Any) -> None:
        style = book.add_format({"num_format": form}) if form else None
        sheet.write(0, 0, "a")
        for row, value in enumerate(values, 1):
            write = sheet.write_string if isinstance(value, str) else sheet.write
            write(row, 0, value, *([style] if style else []))

    return fill


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        ("007", None, "007"),
        ("1.50", None, "1.50"),
        ("NA", None, "NA"),
        (12345678901, None, "12345678901"),
        (1.5, "0.00", "1.5"),
        (3.3000000000000003, None, "3.3"),
        (7, "00000", "00007"),
        (123456, "00000", "123456"),
        (True, None, "TRUE"),
        (date(2026, 1, 31), "dd.mm.yy", "2026-01-31"),
        (datetime(2026, 1, 31, 13, 5), "yyyy-mm-dd hh:mm", "2026-01-31T13:05:00"),
        ("two\nlines", None, "two\nlines"),
    ],
    ids=str,
)
def test_cell_is_text_as_the_sheet_shows_it(value: Any, form: str | None, text: str) -> None:
    assert read_sheet(workbook(cells(value, form=form))).rows == [["a"], [text]]


def test_error_values_are_there_as_text() -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write_formula(1, 0, "=NA()", None, "#N/A")
        sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")

    assert read_sheet(workbook(fill)).rows == [["a", "b"], ["#N/A", "#DIV/0!"]]


def test_rows_are_those_of_the_sheet_and_blank_edges_are_left_out() -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.write_row(2, 1, ["a", "b"])
        sheet.write_row(4, 1, ["1", ""])
        sheet.merge_range("B7:C7", "both")

    found = read_sheet(workbook(fill))
    blank = ["", ""]
    assert found.rows == [blank, blank, ["a", "b"], blank, ["1", ""], blank, ["both", ""]]
    assert found.notes == ("1 merged cells: each has its text in the first of its cells only",)


def test_sheet_is_found_by_its_name_only(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(cells("1"), cells("2"), names=("March", "Ap & ril")))
    assert read_sheet(path, sheet="Ap & ril").rows == [["a"], ["2"]]
    with pytest.raises(InputError, match=r"2 sheets \('March', 'Ap & ril'\): name one"):
        read_sheet(path)
    with pytest.raises(InputError, match=r"no sheet 'May': it has 'March', 'Ap & ril'"):
        read_sheet(path, sheet="May")


def test_hidden_sheet_needs_to_be_named() -> None:
    def hidden(book: Any, sheet: Any) -> None:
        cells("2")(book, sheet)
        sheet.hide()

    book = workbook(cells("1"), hidden, names=("Data", "Lists"))
    assert read_sheet(book).sheet == "Data"
    assert read_sheet(book, sheet="Lists").rows == [["a"], ["2"]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a,b\n1,2\n", "cannot be read"),
        (b"PK\x03\x04junk", "cannot be read"),
        (workbook(lambda *_: None), "sheet 'Data' of the workbook is empty"),
    ],
    ids=["csv", "junk", "empty"],
)
def test_what_has_no_cells_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_sheet(data)
