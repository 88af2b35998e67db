"""The workbook of rejected rows: all text, marked, with choices, and honest about its limits."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import python_calamine as calamine
import xlsxwriter
from batchcore.schema import RecordSchema

from batchops.core.errors import InputError
from batchops.inspection.frames import rejects_frame
from batchops.inspection.rejects_workbook import LeftOut, store_workbook, write_workbook
from batchops.inspection.spreadsheet_csv import (
    MAX_COLUMNS,
    MAX_ROWS,
    check_row,
    write_frame_quoted,
)
from batchops.recovery.repair_rows import EditedRow, read_edited

COUNTRIES = ["DE", "FR", "Zürich, or near it", *(f"country {n}" for n in range(50))]
SCHEMA = RecordSchema(
    {
        "required": ["id"],
        "properties": {
            "id": {},
            "country": {"enum": COUNTRIES},
            "level": {"type": "integer", "enum": [1, 2]},
        },
        "x-key": "id",
        "x-enrichment": ["price"],
    }
)
REJECTS = (
    b"id,country,note,level,source_row,rules,messages\n"
    b"007,XX,=1+1,1,2,country: enum,country is none of these\n"
    b"1E5,DE,http://a.b,9,3,level: enum,level is none of these\n"
)
ERRORS = pd.DataFrame(
    {
        "source_row": [2, 3, 3],
        "column": ["country", "level", ""],
        "message": ["country is none of these", "level is none of these", "the row is odd"],
    }
)
NO_ERRORS = ERRORS.iloc[:0]
COLUMNS = ["id", "country", "note", "level"]


def frame_of(data: bytes) -> pd.DataFrame:
    return rejects_frame(io.BytesIO(data), delimiter=",")


def wide_frame() -> pd.DataFrame:
    names = [*(f"c{n}" for n in range(MAX_COLUMNS)), "source_row"]
    return pd.DataFrame("", index=[0], columns=names)


def written(rejects: pd.DataFrame, errors: pd.DataFrame = ERRORS) -> bytes:
    file = io.BytesIO()
    assert write_workbook(file, rejects, errors, SCHEMA) == []
    return file.getvalue()


def part(data: bytes, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name).decode()


def parts(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.namelist()


def test_every_cell_is_text_and_nothing_is_a_formula_a_number_or_a_link() -> None:
    data = written(frame_of(REJECTS))
    sheet = part(data, "xl/worksheets/sheet1.xml")
    cells = re.findall(r"<c [^>]*>", sheet)
    assert len(cells) == 21
    assert all('t="s"' in cell for cell in cells)
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    assert book.get_sheet_by_name("rejects").to_python()[1:] == [
        ["007", "XX", "=1+1", "1", "2", "country: enum", "country is none of these"],
        ["1E5", "DE", "http://a.b", "9", "3", "level: enum", "level is none of these"],
    ]


def test_columns_are_formatted_as_text_so_that_what_is_typed_stays_text() -> None:
    data = written(frame_of(REJECTS))
    styles = part(data, "xl/styles.xml")
    formats = re.findall(r'<xf numFmtId="(\d+)"', styles.split("<cellXfs")[1])
    columns = re.findall(r'<col [^>]*style="(\d+)"', part(data, "xl/worksheets/sheet1.xml"))
    assert len(columns) >= 1
    assert {formats[int(style)] for style in columns} == {"49"}  # ECMA-376: 49 is "@", text


def test_header_is_frozen_and_wrong_cells_are_marked_and_say_why() -> None:
    data = written(frame_of(REJECTS))
    sheet = part(data, "xl/worksheets/sheet1.xml")
    assert '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' in sheet
    styles = dict(re.findall(r'<c r="([A-Z]+[0-9]+)" s="(\d+)"', sheet))
    plain = styles["A2"]
    marked = {cell for cell, style in styles.items() if style != plain and not cell.endswith("1")}
    assert marked == {"B2", "D3", "F3"}
    comments = part(data, "xl/comments1.xml")
    assert re.findall(r'ref="([A-Z0-9]+)"', comments) == ["B2", "D3", "F3"]
    assert "country is none of these" in comments
    assert "the row is odd" in comments


def test_members_of_an_enum_are_choices_however_many_and_long_they_are() -> None:
    """A list within the rule may have 255 characters, and a comma would end a choice."""
    data = written(frame_of(REJECTS))
    sheet = part(data, "xl/worksheets/sheet1.xml")
    rules = re.findall(r'sqref="([^"]+)"[^>]*><formula1>([^<]+)</formula1>', sheet)
    assert rules == [("B2:B3", f"choices!$A$1:$A${len(COUNTRIES)}"), ("D2:D3", "choices!$B$1:$B$2")]
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    choices = book.get_sheet_by_name("choices").to_python()
    assert [row[0] for row in choices] == COUNTRIES
    assert [row[1] for row in choices[:2]] == ["1", "2"]
    (hidden,) = (each for each in book.sheets_metadata if each.name == "choices")
    assert str(hidden.visible).endswith(".Hidden")


def test_row_that_no_cell_can_hold_is_left_out_and_that_is_said_in_words(tmp_path: Path) -> None:
    rejects = frame_of(REJECTS + b"8,DE," + b"x" * 32768 + b",1,9,r,m\n")
    rejects.loc[1, "note"] = "\n" * 254
    stored = store_workbook(tmp_path / "r.xlsx", rejects, ERRORS, SCHEMA)
    assert stored.rows == 1
    assert stored.left_out == (
        LeftOut(3, "'note' has 254 line feeds, and a cell holds 253"),
        LeftOut(9, "'note' has 32,768 characters, and a cell holds 32,767"),
    )
    assert "2 rows left out, which no workbook holds" in str(stored)
    assert "row 9: 'note' has 32,768 characters" in str(stored)
    book = calamine.CalamineWorkbook.from_path(stored.path)
    about = [row[0] for row in book.get_sheet_by_name("about").to_python()]
    assert "row 9: 'note' has 32,768 characters, and a cell holds 32,767" in about
    assert [row[4] for row in book.get_sheet_by_name("rejects").to_python()[1:]] == ["2"]


@pytest.mark.parametrize("text", ["x" * 32767, "😀" * 16383, "\n" * 253])
def test_text_that_just_fits_a_cell_comes_back_whole(text: str) -> None:
    rejects = frame_of(REJECTS)
    rejects["note"] = text
    rows = read_edited(written(rejects), columns=COLUMNS, delimiter=",")
    assert [row.fields[2] for row in rows] == [text, text]


def test_reasons_that_are_too_long_say_where_all_of_them_are() -> None:
    rejects = frame_of(REJECTS)
    rejects["messages"] = "no " * 20_000
    data = written(rejects)
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    message = book.get_sheet_by_name("rejects").to_python()[1][6]
    assert message.endswith("... (60,000 characters: for all of it see the CSV)")


@pytest.mark.slow
def test_more_rows_or_columns_than_a_sheet_has_are_refused() -> None:
    check_row(MAX_ROWS)
    with pytest.raises(InputError, match=r"more rows than the 1,048,576 of a sheet"):
        check_row(MAX_ROWS + 1)
    with pytest.raises(InputError, match=r"16,385 columns are more than the 16,384"):
        write_workbook(io.BytesIO(), wide_frame(), NO_ERRORS, SCHEMA)
    with pytest.raises(InputError, match=r"16,385 columns are more than the 16,384"):
        write_frame_quoted(wide_frame(), io.StringIO(), delimiter=",")


def test_cell_that_a_spreadsheet_would_cut_is_refused_in_csv_for_spreadsheets() -> None:
    rejects = frame_of(REJECTS)
    rejects.loc[1, "note"] = "x" * 32768
    with pytest.raises(InputError, match=r"'note' in row 3 of the file has 32,768 characters"):
        write_frame_quoted(rejects, io.StringIO(), delimiter=",")


def test_workbook_without_rows_has_the_header_alone() -> None:
    data = written(frame_of(REJECTS).iloc[:0], NO_ERRORS)
    assert read_edited(data, columns=COLUMNS, delimiter=",") == []
    assert "xl/comments1.xml" not in parts(data)


@pytest.mark.parametrize(
    ("path", "said"), [("r.csv", "does not end in .xlsx"), ("none/r.xlsx", "no folder")]
)
def test_path_that_is_none_for_a_workbook_is_refused(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        store_workbook(tmp_path / path, frame_of(REJECTS), ERRORS, SCHEMA)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_file_that_is_there_is_replaced_by_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    path.write_bytes(b"old")
    with pytest.raises(InputError):
        store_workbook(path, wide_frame(), NO_ERRORS, SCHEMA)
    assert path.read_bytes() == b"old"
    store_workbook(path, frame_of(REJECTS), ERRORS, SCHEMA)
    assert path.read_bytes().startswith(b"PK")
    assert [each.name for each in tmp_path.iterdir()] == ["r.xlsx"]


# -------------------------------------------------------------------------- taken back

ROWS = [
    EditedRow(2, ("007", "XX", "=1+1", "1"), ()),
    EditedRow(3, ("1E5", "DE", "http://a.b", "9"), ()),
]


def test_workbook_is_taken_back_as_it_went_out(tmp_path: Path) -> None:
    data = written(frame_of(REJECTS))
    path = tmp_path / "r.xlsx"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        assert read_edited(source, columns=COLUMNS, delimiter=";") == ROWS


def made(sheets: dict[str, list[list[object]]]) -> bytes:
    """Return a workbook as somebody may save one, with numbers where they look like numbers."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name)
            for row, line in enumerate(lines):
                sheet.write_row(row, 0, line)
    return file.getvalue()


TYPED: list[list[object]] = [
    [*COLUMNS, "source_row"],
    ["007", "DE", "x", 1, 2],
    [100000.0, "DE", True, 9.5, 3.0],
    [],
]


@pytest.mark.parametrize("name", ["rejects", "Sheet1", "fixed"])
def test_workbook_that_was_made_anew_is_taken_too(name: str) -> None:
    rows = read_edited(made({name: TYPED}), columns=COLUMNS, delimiter=",")
    assert rows == [
        EditedRow(2, ("007", "DE", "x", "1"), ()),
        EditedRow(3, ("100000", "DE", "TRUE", "9.5"), ()),
    ]


def test_sheet_called_rejects_is_taken_and_if_it_is_unclear_which_one_that_is_said() -> None:
    data = made({"mine": [["a"]], "rejects": TYPED})
    assert len(read_edited(data, columns=COLUMNS, delimiter=",")) == 2
    with pytest.raises(InputError, match=r"no sheet .* called 'rejects': it has 'a', 'b'"):
        read_edited(made({"a": TYPED, "b": TYPED}), columns=COLUMNS, delimiter=",")


@pytest.mark.parametrize("data", [b"PK\x03\x04 no workbook", b"\xd0\xcf\x11\xe0 nor this"])
def test_what_only_looks_like_a_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"workbook cannot be read .* save it as \.xlsx again"):
        read_edited(data, columns=COLUMNS, delimiter=",")


# ------------------------------------------------------------------ CSV for spreadsheets


def quoted(delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    write_frame_quoted(frame_of(REJECTS), text, delimiter=delimiter, marked=True)
    return text.getvalue().encode()


def test_csv_for_spreadsheets_begins_with_a_bom_and_quotes_what_would_be_run_or_changed() -> None:
    assert quoted() == (
        b"\xef\xbb\xbfid,country,note,level,source_row,rules,messages,quoted_for_spreadsheets\r\n"
        b"'007,XX,'=1+1,1,2,country: enum,country is none of these,yes\r\n"
        b"'1E5,DE,http://a.b,9,3,level: enum,level is none of these,yes\r\n"
    )


@pytest.mark.parametrize("how", ["file", "utf-16", "pandas", "semicolon", "reordered"])
def test_csv_for_spreadsheets_is_taken_back_without_its_quotes(how: str) -> None:
    source: bytes | pd.DataFrame = quoted(";" if how == "semicolon" else ",")
    if how == "utf-16":
        source = quoted("\t").decode("utf-8-sig").encode("utf-16")
    if how in ("pandas", "reordered"):
        source = pd.read_csv(io.BytesIO(quoted()), dtype="str", keep_default_na=False)
    if how == "reordered":
        source = source[source.columns[::-1]]  # type: ignore[index]
    assert read_edited(source, columns=COLUMNS, delimiter=",") == ROWS


def test_apostrophe_of_a_plain_csv_is_part_of_its_value() -> None:
    data = b"id,country,note,level,source_row\n'007,DE,'=x,1,2\n"
    (row,) = read_edited(data, columns=COLUMNS, delimiter=",")
    assert row.fields == ("'007", "DE", "'=x", "1")


def test_file_for_spreadsheets_that_was_uploaded_is_an_upload_like_others() -> None:
    columns = [*COLUMNS, "quoted_for_spreadsheets"]
    data = f"{','.join(columns)},source_row\n'007,DE,x,1,yes,2\n".encode()
    (row,) = read_edited(data, columns=columns, delimiter=",")
    assert row.fields == ("'007", "DE", "x", "1", "yes")


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(InputError, match=r"needs XlsxWriter: pip install 'batchops\[excel\]'"):
        store_workbook(tmp_path / "r.xlsx", frame_of(REJECTS), ERRORS, SCHEMA)
    assert list(tmp_path.iterdir()) == []
