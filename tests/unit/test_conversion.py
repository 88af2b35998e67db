"""What people have becomes plain CSV, and what was made of it is said."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
import xlsxwriter

from batchops.core.errors import InputError
from batchops.planning.conversion import AS_IT_IS, Reading, open_plain

PLAIN = b"id,qty\n007,1.50\n"


def read(source: Any, *, name: str | None = None, **options: Any) -> tuple[bytes, str, str]:
    """Return the bytes, the name and the notes of what a source is turned into."""
    reading = Reading(**options) if options else AS_IT_IS
    plain = open_plain(source, delimiter=",", name=name, reading=reading)
    try:
        return plain.file.read(), plain.name, "; ".join(plain.notes)
    finally:
        plain.close()


def stored(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def workbook(*sheets: str) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    for name in sheets:
        sheet = book.add_worksheet(name)
        for row, cells in enumerate((("id", "qty"), ("007", "1.50"), (), ("008", "2"))):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, cell)
    book.close()
    return file.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as found:
        for name, data in files.items():
            found.writestr(name, data)
    return file.getvalue()


# ------------------------------------------------------------------------ as they are


@pytest.mark.parametrize(
    "source",
    [PLAIN, bytearray(PLAIN), PLAIN.decode(), io.BytesIO(PLAIN), io.StringIO(PLAIN.decode())],
    ids=["bytes", "bytearray", "text", "file", "text file"],
)
def test_bytes_text_and_files_are_taken_as_they_are(source: Any) -> None:
    assert read(source) == (PLAIN, "upload.csv", "")


def test_path_keeps_its_bytes_and_its_name(tmp_path: Path) -> None:
    for name in ("orders.csv", "orders.txt", "orders.csv.gz", "orders"):
        path = stored(tmp_path, name, b"\xff\x00" + PLAIN)
        assert read(path) == (b"\xff\x00" + PLAIN, name, "")
    assert read(path, name="2026/a.csv")[1] == "2026/a.csv"


def test_open_file_is_read_from_its_position_and_goes_back_to_it(tmp_path: Path) -> None:
    with stored(tmp_path, "a.csv", b"x" + PLAIN).open("rb") as file:
        file.seek(1)
        for _ in range(2):
            assert read(file) == (PLAIN, "a.csv", "")
        assert read(file, encoding="cp1252")[0] == PLAIN
        assert file.tell() == 1


# ------------------------------------------------------------------------- turned into


def test_sheet_is_written_with_the_rows_of_the_sheet(tmp_path: Path) -> None:
    path = stored(tmp_path, "orders.xlsx", workbook("March"))
    expected = b"id,qty\n007,1.50\n\n008,2\n"
    said = "sheet 'March' of orders.xlsx: 2 rows of 2 columns, written as CSV"
    assert read(path) == (expected, "orders.csv", said)
    assert read(path.read_bytes(), name="in/orders.xlsx")[:2] == (expected, "in/orders.csv")
    with path.open("rb") as file:
        assert read(file)[:2] == (expected, "orders.csv")


def test_rows_above_the_header_of_a_sheet_are_left_out_when_told(tmp_path: Path) -> None:
    path = stored(tmp_path, "orders.xlsx", workbook("March"))
    data, _, said = read(path, skip_rows=1)
    assert data == b"007,1.50\n\n008,2\n"
    assert "1 row left out at the beginning, so row N of the job was row N+1" in said
    with pytest.raises(InputError, match="nothing below 9 rows"):
        read(path, skip_rows=9)


def test_sheet_is_named_where_there_are_several(tmp_path: Path) -> None:
    path = stored(tmp_path, "orders.xlsx", workbook("March", "April"))
    assert "sheet 'April'" in read(path, sheet="April")[2]
    with pytest.raises(InputError, match="'March', 'April'"):
        read(path)


JSON = b"""\xef\xbb\xbf{"id": "007", "qty": 1.50}

{"qty": 12345678901234567890123, "id": null, "more": true}
"""


def test_json_lines_keep_the_text_of_numbers(tmp_path: Path) -> None:
    path = stored(tmp_path, "orders.jsonl", JSON)
    data, name, said = read(path)
    assert data == b"id,qty,more\n007,1.50,\n,12345678901234567890123,true\n"
    assert (name, said) == ("orders.csv", "orders.jsonl: 2 rows of 3 columns, written as CSV")
    assert read(JSON, name="x.ndjson")[0] == data
    assert read(stored(tmp_path, "a.jsonl.gz", gzip.compress(JSON, mtime=0)))[:2] == (data, "a.csv")


def test_parquet_is_written_as_text(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pl.DataFrame({"id": ["007"], "qty": [2.0]}).write_parquet(path)
    said = "orders.parquet: 1 row of 2 columns, written as CSV"
    assert read(path) == (b"id,qty\n007,2\n", "orders.csv", said)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frame_is_written_with_the_delimiter_of_the_stack(library: str) -> None:
    columns = {"id": ["007", 'a "b"'], "note": ["x;y", "two\rlines"]}
    frame = pd.DataFrame(columns) if library == "pandas" else pl.DataFrame(columns)
    plain = open_plain(frame, delimiter=";")
    data = plain.file.read()
    plain.close()
    assert data == b'id;note\n007;"x;y"\n"a ""b""";"two\rlines"\n'
    assert plain.notes == ("DataFrame: 2 rows of 2 columns, written as CSV",)


def test_row_of_empty_values_is_no_blank_line_unless_it_is_one_of_a_sheet() -> None:
    assert read(pd.DataFrame({"a": ["", "x"]}))[0] == b'a\n""\nx\n'
    frame = pd.DataFrame({"a": [None, "x"], "b": [None, "y"]})
    assert read(frame)[0::2] == (b"a,b\n,\nx,y\n", "DataFrame: 2 rows of 2 columns, written as CSV")


def test_zip_with_one_file_is_unpacked(tmp_path: Path) -> None:
    path = stored(tmp_path, "export.zip", archive({"in/a.csv": PLAIN, "__MACOSX/a": b""}))
    assert read(path) == (PLAIN, "a.csv", "a.csv out of export.zip")
    assert read(path, name="2026/b.csv")[1] == "2026/b.csv"
    packed = archive({"orders.xlsx": workbook("March")})
    data, name, said = read(packed, name="x.zip", sheet="March")
    assert (data[:7], name) == (b"id,qty\n", "orders.csv")
    assert said.startswith("orders.xlsx out of x.zip; sheet 'March' of orders.xlsx: 2 rows")


@pytest.mark.parametrize(
    "encoding", ["cp1252", "utf-16", "utf-16-le", "mac_roman", "utf-8-sig", "cp500"]
)
def test_other_encodings_become_utf_8(tmp_path: Path, encoding: str) -> None:
    text = "id,Größe\n007,ü\n" * 3
    path = stored(tmp_path, "a.csv", text.encode(encoding))
    data, name, said = read(path, encoding=encoding)
    assert (data.decode("utf-8-sig"), name) == (text, "a.csv")
    assert said == f"a.csv: 6 lines; read as {encoding}, written as UTF-8"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_above_the_header_are_left_out_when_told(end: str) -> None:
    text = end.join(["Report", "", "id,qty", "007,1", ""])
    data, _, said = read(text.encode(), skip_rows=2)
    assert data == end.join(["id,qty", "007,1", ""]).encode()
    assert "2 lines left out at the beginning, so row N of the job was row N+2" in said
    assert read(text.encode("utf-16"), skip_rows=2, encoding="utf-16")[0] == data
    packed = read(gzip.compress(text.encode(), mtime=0), name="a.csv.gz", skip_rows=2)
    assert packed[:2] == (data, "a.csv")


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        ("nowhere.csv", {}, "no file nowhere.csv"),
        (7, {}, "cannot upload a int"),
        ("a\n\ud800\n", {}, "lone surrogate in line 2"),
        (io.TextIOWrapper(io.BytesIO(PLAIN)), {}, "open as text.*binary mode"),
        (PLAIN, {"encoding": "klingon"}, "unknown encoding 'klingon'"),
        (PLAIN, {"encoding": "base64"}, "unknown encoding 'base64'"),
        (b"\x81\x81\n", {"encoding": "cp1252"}, "the file is not cp1252"),
        (b"a\x00b", {"encoding": "utf-16"}, "the file is not utf-16"),
        (PLAIN, {"skip_rows": 2}, "no text below 2 lines"),
        (PLAIN, {"skip_rows": -1}, "give 0 or more"),
        (PLAIN, {"sheet": "March"}, "sheet='March' says nothing of upload.csv"),
        (pd.DataFrame({"a": []}), {"encoding": "cp1252"}, "encoding='cp1252' says nothing of a D"),
        (workbook("A"), {"name": "a.xlsx", "encoding": "cp1252"}, "nothing of the workbook a.xlsx"),
        (b"PK\x03\x04", {"name": "a.xlsx"}, "the workbook cannot be read"),
        (b"PK\x03\x04", {"name": "a.zip"}, "a.zip cannot be unpacked"),
        (archive({}), {"name": "a.zip"}, "a.zip holds no file"),
        (
            archive({"a": PLAIN, "b": PLAIN}),
            {"name": "a.zip"},
            "holds 2 files, and one is wanted: 'a', 'b'",
        ),
        (archive({"b.zip": PLAIN}), {"name": "a.zip"}, "holds another archive, 'b.zip'"),
        (archive({"a/..": PLAIN}), {"name": "a.zip"}, r"'a/\.\.', which cannot be the name"),
        (archive({"a\n.csv": PLAIN}), {"name": "a.zip"}, r"'a\\n\.csv', which cannot be the name"),
        (archive({"\x1b[2J": PLAIN}), {"name": "a.zip"}, r"'\\x1b\[2J', which cannot be the name"),
        (
            gzip.compress(PLAIN, mtime=0)[:-9],
            {"name": "a.csv.gz", "skip_rows": 1},
            "ends in the middle",
        ),
        (b"[1]\n", {"name": "a.jsonl"}, "line 1 is no JSON object"),
        (
            b'{"a": 1}\n{"a": [1]}\n',
            {"name": "a.jsonl"},
            "the value of 'a' in line 2: it is a list",
        ),
        (b'{"a": 1}\n{"a": \n', {"name": "a.jsonl"}, "line 2 is no JSON: .* at character"),
        (b"[" * 100_000, {"name": "a.jsonl"}, "line 1 is nested too deeply"),
        (b'{"a": 1, "a": 2}\n', {"name": "a.jsonl"}, "line 1 has a name twice"),
        (b"\n", {"name": "a.jsonl"}, "no objects"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() else "",
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    source: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        read(source, **options)
