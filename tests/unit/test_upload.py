"""How an uploaded file is opened: unpacked, its delimiter found, its header bounded."""

from __future__ import annotations

import gzip
import re

import pytest
from batchcore import intake
from batchcore.errors import FileError
from batchcore.schema import RecordSchema
from batchcore.sizing import choose_chunk_rows
from batchcore.upload import Upload
from support import HEADER, SCHEMA, row

DATA = HEADER + row() * 3
ONE = RecordSchema(
    {"required": ["id"], "properties": {"id": {}}, "x-key": "id", "x-enrichment": ["e"]}
)


def opened(
    data: bytes,
    *,
    schema: RecordSchema = SCHEMA,
    name: str = "input/a.csv",
    delimiter: str = ",",
    chunk_rows: int = 2,
    block: int = 1_000_000,
    input_format: int = 2,
) -> tuple[Upload, bytes]:
    """Return an upload and its header."""
    upload = Upload(
        [data[at : at + block] for at in range(0, len(data), block)],
        name=name,
        delimiter=delimiter,
        chunk_rows=chunk_rows,
        size_bytes=len(data),
        input_format=input_format,
    )
    return upload, upload.read_header(schema)


def refusal(data: bytes, **options: object) -> str:
    try:
        opened(data, **options)  # type: ignore[arg-type]
    except FileError as error:
        return f"{type(error).__name__}: {error}"
    return ""


# -------------------------------------------------------------------------- delimiter


@pytest.mark.parametrize("stack", [",", ";", "|", "\t", ":"])
@pytest.mark.parametrize("file", [",", ";", "|", "\t"])
@pytest.mark.parametrize("block", [3, 1_000])
def test_delimiter_is_the_one_with_which_the_header_fits(stack: str, file: str, block: int) -> None:
    data = DATA.replace(b",", file.encode())
    upload, header = opened(b"\n" + data, delimiter=stack, block=block)
    assert header == HEADER.replace(b",", file.encode())
    assert upload.splitter.delimiter == file
    chunks = list(upload.splitter.chunks())
    assert [(c.first_row, c.rows) for c in chunks] == [(3, 2), (5, 1)]
    assert b"".join(c.data for c in chunks) == data.removeprefix(header)


def test_quotes_of_the_header_are_those_of_its_own_delimiter() -> None:
    data = b'"x\ny, z";"a"",b";id\n1;2;3\n'
    upload, header = opened(data, schema=ONE)
    assert (upload.splitter.delimiter, header) == (";", b'"x\ny, z";"a"",b";id\n')
    assert [(c.first_row, c.data) for c in upload.splitter.chunks()] == [(2, b"1;2;3\n")]


def test_delimiter_of_the_stack_comes_first() -> None:
    upload, _ = opened(b"id,x;id\n1,2\n", schema=ONE)
    assert upload.splitter.delimiter == ","


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"id;x|id\n", r"WrongDelimiterError: .* columns 'id' with each of .* ';', '\|', and not"),
        (b"id:x:y\n", "WrongDelimiterError: the header is delimited by ':'"),
        (
            b"ID;x;y\n",
            "WrongDelimiterError: .*by ';' instead of ',', .*lacks 'id': 'ID' looks like",
        ),
        (b"'id';'x'\n", "WrongDelimiterError: .*'id'.* are in single quotes"),
        (b"x;y\n", "NoHeaderError"),
    ],
    ids=["several", "rare", "case", "single quotes", "none"],
)
def test_header_that_fits_none_or_several_is_refused(header: bytes, said: str) -> None:
    found = refusal(header + b"1;2\n", schema=ONE)
    assert re.match(said, found), found


def test_stack_from_before_takes_its_own_delimiter_and_nothing_packed() -> None:
    other = DATA.replace(b",", b";")
    assert refusal(other, input_format=1).startswith("WrongDelimiterError")
    assert refusal(gzip.compress(DATA), name="a.csv.gz", input_format=1).startswith("NotTextError")


def test_other_widths_of_unicode_are_named() -> None:
    for encoding in ("utf-16", "utf-32"):
        said = f"Utf16Error: the file is {encoding.upper()} text: .* with encoding {encoding}$"
        assert re.match(said, refusal(DATA.decode().encode(encoding)))


# ------------------------------------------------------------------------------- gzip


@pytest.mark.parametrize("name", ["input/a.csv.gz", "a.CSV.GZ"])
def test_packed_file_gives_the_chunks_of_the_plain_one(name: str) -> None:
    plain, header = opened(DATA)
    packed = gzip.compress(DATA[:50]) + gzip.compress(DATA[50:])
    upload, found = opened(packed, name=name, block=7)
    assert upload.packed
    assert found == header
    assert list(upload.splitter.chunks()) == list(plain.splitter.chunks())


def test_packed_file_is_told_by_its_name_and_its_content() -> None:
    assert refusal(gzip.compress(DATA)).startswith("NotTextError: the file is a gzip archive")
    upload, header = opened(DATA, name="a.csv.gz")  # browsers unpack what they download
    assert (upload.packed, header) == (False, HEADER)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (gzip.compress(b""), "EmptyFileError"),
        (gzip.compress(b"PK\x03\x04"), "NotTextError"),
        (gzip.compress(gzip.compress(DATA)), "NotTextError"),
        (gzip.compress(DATA.decode().encode("utf-16")), "Utf16Error"),
        (gzip.compress(DATA)[:30], "GzipError"),
    ],
)
def test_unpacked_content_is_checked_as_any_file(data: bytes, error: str) -> None:
    assert refusal(data, name="a.csv.gz").startswith(f"{error}: ")


def test_rows_of_a_chunk_are_chosen_by_what_is_in_the_file() -> None:
    text = HEADER + row() * 600_000
    plain, _ = opened(text, chunk_rows=0)
    packed, _ = opened(gzip.compress(text, 1), chunk_rows=0, name="a.csv.gz")
    assert plain.splitter.chunk_rows == choose_chunk_rows(len(text), text[:262_144], delimiter=",")
    assert packed.splitter.chunk_rows == pytest.approx(plain.splitter.chunk_rows, rel=0.2)


# ---------------------------------------------------------------------------- limits


def names(count: int) -> bytes:
    return b"id," + b",".join(b"%d" % n for n in range(count - 1)) + b"\n"


def test_header_may_have_so_many_columns_and_bytes() -> None:
    assert refusal(names(intake.MAX_COLUMNS), schema=ONE) == ""
    long = b"id," + b"x" * (intake.MAX_HEADER_BYTES - 4) + b"\n"
    assert refusal(long, schema=ONE) == ""


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (names(intake.MAX_COLUMNS + 1), "the header has 4,097 columns, and a file may have 4,096"),
        (names(200_000), "bytes, and a file may have 1,048,576, because each chunk repeats it"),
        (names(50_000).replace(b",", b";"), "50,000 columns, and a file may have 4,096"),
        (b"id," + b"x" * intake.MAX_HEADER_BYTES, "a file may have 1,048,576"),
        (b'"id' + b"x,\n" * 400_000 + b'"\n', "a quote is never closed in row 1"),
    ],
    ids=["columns", "200,000 columns", "other delimiter", "bytes", "quote"],
)
def test_larger_header_is_refused_with_the_reason(header: bytes, said: str) -> None:
    found = refusal(header, schema=ONE)
    assert found.startswith("HeaderTooLargeError: ")
    assert said in found


def test_markup_in_one_line_is_named_for_what_it_is() -> None:
    assert "looks like JSON" in refusal(b'[{"id": 1}' + b', {"id": 2}' * 100_000 + b"]")
