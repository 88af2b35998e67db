"""Headers that are refused: the message names what is seen, and what to do."""

from __future__ import annotations

import re

import pytest
from batchcore import csvtext, intake
from batchcore.errors import FileError
from batchcore.schema import RecordSchema

SCHEMA = RecordSchema(
    {
        "required": ["id", "Größe", "Straße", "status"],
        "properties": {"id": {}, "Größe": {}, "Straße": {}, "status": {}, "note": {}},
        "x-key": "id",
        "x-enrichment": ["Price"],
    }
)
GOOD = "id,Größe,Straße,status\n1,2,3,4\n"


def refusal(data: str | bytes, *, delimiter: str = ",", block: int = 7) -> str:
    """Return the error of a file that is read in small blocks; empty if it is accepted."""
    content = data.encode() if isinstance(data, str) else data
    blocks = iter([content[at : at + block] for at in range(0, len(content), block)])
    splitter = csvtext.Splitter(blocks, delimiter=delimiter, chunk_rows=10)
    try:
        intake.read_header(splitter, SCHEMA, delimiter=delimiter)
    except FileError as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (GOOD, ""),
        ("Report\n" + GOOD, "NoHeaderError: the columns stand in row 2, with 1 line above them"),
        ("Report\n\n# x\n" + GOOD, "the columns stand in row 4, with 3 lines above them"),
        ("\n\nReport\n" + GOOD, "the columns stand in row 4, with 3 lines above them"),
        ("Report,,,\n" + GOOD, "the columns stand in row 2"),
        ("Report\n" + GOOD.replace("status", "state"), "the columns stand in row 2"),
        (
            "Report\n" + GOOD.replace(",", ";"),
            "in row 2, .* delimited by ';', but the stack .* ','",
        ),
        ("sep=,\n" + GOOD, "'sep=' line, .* columns stand in row 2, .*: delete it, so that"),
        ('"sep=;"\n' + GOOD.replace(",", ";"), "'sep=' line.* delimited by ';'"),
        ("SEP=\t\n1,2\n", "'sep=' line, which is no header: delete it, and put the names"),
        ("<html>\n<table>\n", "NoHeaderError: the file looks like HTML or XML: export"),
        ('{"a": 1}\n', "NoHeaderError: the file looks like JSON: export"),
        ("id;Größe;Straße;status\n", "WrongDelimiterError: the header is delimited by ';'"),
        ("1,2,3,4\n5,6,7,8\n", "NoHeaderError: .* it looks like data"),
        ("Ada,€ 9.50,Berlin\n", "NoHeaderError: .* it looks like data"),
        ("404 Not Found\n", "NoHeaderError: .* if it is a header, rename its columns, or see"),
        ("kunde,ort\nAda,Berlin\n", "NoHeaderError: .* if it is a header, rename its columns"),
        ('"id,Größe,Straße,status"\n"1,2,3,4"\n', "the whole row stands in quotes, as one field"),
        (GOOD.encode("cp1252"), "lacks 'Größe', 'Straße' in UTF-8, but has them in Windows-1252"),
        (GOOD.encode("cp850"), "has them in DOS code page 850: .* iconv -f CP850 -t UTF-8"),
        (GOOD.encode("mac_roman"), "has them in Mac Roman"),
        (GOOD.replace(",", ";").encode("cp1252"), "has them in Windows-1252: .* encoding cp1252"),
        ("Report\n" + GOOD, "or skip 1 line when it is submitted"),
        (
            "ID;GRÖSSE;Straße;status\n",
            "WrongDelimiterError: .* lacks 'id', 'Größe': 'ID' looks like",
        ),
        ("'id';'Größe'\n", "WrongDelimiterError: .* are in single quotes"),
        ("id Größe Straße status\n", "WrongDelimiterError: the header is delimited by ' '"),
        (GOOD.replace(",", ";").replace("ö", "o\u0308"), "WrongDelimiterError: .* use NFC"),
        (GOOD.encode().decode("cp1252"), "was in UTF-8, was read as Windows-1252, and saved again"),
        (GOOD.replace("ö", "o\u0308"), "another Unicode normalisation: use NFC"),
        (GOOD.replace("status", "Status"), "lacks 'status': 'Status' looks like 'status'; columns"),
        (GOOD.replace("status", "st\u0430tus"), "lacks 'status': 'st.tus' looks like 'status'"),
        ("'id','Größe','Straße','status'\n", "are in single quotes, but CSV has double quotes"),
        ("\ufeff\ufeff" + GOOD, r"'\\ufeffid' looks like 'id'"),
        ('"id"x,' + GOOD, "MalformedHeaderError: the header has text after a closing quote"),
    ],
)
def test_refusal_names_what_is_seen(data: str | bytes, said: str) -> None:
    found = refusal(data)
    assert bool(found) == bool(said)
    assert re.search(said, found), found


def test_columns_are_searched_for_near_the_top_only() -> None:
    assert "if it is a header, rename its columns" in refusal("x\n" * 200 + GOOD)


def test_no_row_of_data_is_quoted() -> None:
    found = refusal("Jane Doe,secret\nReport,of,Jane\n" + GOOD)
    assert "Jane" not in found
    assert "row 3" in found


OPTIONAL = RecordSchema({"required": ["id"], "properties": {"id": {}, "Größe": {}}})


@pytest.mark.parametrize(
    "header",
    [
        "id,Größe".encode("cp1252"),
        "id,Größe".encode("cp850"),
        "id,Größe".encode("mac_roman"),
        "id,GrÃ¶ÃŸe".encode(),
        "id,\xa0,Größe".encode("cp1252"),
    ],
)
def test_optional_column_in_another_encoding_is_warned_of(header: bytes) -> None:
    found = intake.header_warnings(header, OPTIONAL, delimiter=",")
    assert re.search("RULES NOT APPLIED: .* looks like 'Größe'", found["nearColumns"])


@pytest.mark.parametrize("header", ["id,Größe", "id,Länge", "id"])
def test_header_in_utf_8_is_not_warned_of(header: str) -> None:
    assert intake.header_warnings(header.encode(), OPTIONAL, delimiter=",") == {}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{\\rtf1\\ansi\n", "a document in RTF"),
        (b"\x28\xb5\x2f\xfdabc\n", "a Zstandard archive"),
        (b"BZh91AY&SYabc\n", "a bzip2 archive"),
        (b"\xfd7zXZabc\n", "an xz archive"),
        (b"SQLite format 3\0", "a database of SQLite"),
    ],
)
def test_file_that_is_no_text_is_named(data: bytes, kind: str) -> None:
    with pytest.raises(FileError, match=f"the file is {kind}, not text"):
        list(intake.check_text(iter([data])))


def test_header_that_begins_like_another_file_is_text() -> None:
    assert list(intake.check_text(iter([b"BZh,ARROW1\n"]))) == [b"BZh,ARROW1\n"]
