"""A public corpus of odd CSV files: each is refused by name, or read to the rows that it has."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import csvtext, intake
from batchcore.chunk_rows import Record
from batchcore.errors import FileError
from batchcore.records import read_records
from batchcore.schema import RecordSchema
from support import ROOT, TEMPLATE

from batchops.deployment.settings import read_settings
from batchops.planning.planner import plan_file

if TYPE_CHECKING:
    from collections.abc import Mapping

CORPUS = ROOT / "tests" / "data" / "corpus"
SPECTRUM = sorted(path.stem for path in (CORPUS / "csv-spectrum").glob("*.csv"))


@dataclass(frozen=True)
class Case:
    """How a file ends.

    Attributes
    ----------
    column
        A column that the schema requires.
    rows
        Rows that are read, the rejected ones included.
    rejected
        The rule that each rejected row breaks, by the row's number.
    refused
        The error by which the whole file is refused, and a part of its message.
    """

    column: str
    rows: int = 0
    rejected: Mapping[int, str] = field(default_factory=dict)
    refused: tuple[str, str] = ("", "")
    delimiter: str = ","


CSVKIT = {
    "bad": Case("column_a", 3, {2: "fieldCount", 3: "fieldCount"}),
    # Blank lines above the header are skipped; they count in row numbers.
    "bad_skip_lines": Case("column_a", 3, {5: "fieldCount", 6: "fieldCount"}),
    "blanks": Case("a", 1),
    "dummy_col_shuffled_ragged": Case("a", 1),
    "empty": Case("a", refused=("EmptyFileError", "only blank lines")),
    "join_short": Case("a", 2),
    "mac_newlines": Case("a", 2),
    "no_header_row3": Case("a", refused=("NoHeaderError", "put a header above it")),
    "null_byte": Case("a", 1),
    "optional_quote_characters": Case("a", 1),
    "sniff_limit": Case("a", 1, delimiter=";"),
    "test_empty_columns": Case("a", 3, {3: "fieldCount"}),
    "test_empty_columns_long_row": Case("a", 1, {2: "fieldCount"}),
    "test_empty_columns_short_row": Case("a", 1, {2: "fieldCount"}),
    "test_extra_header": Case("a", 1, {2: "fieldCount"}),
    "test_geojson": Case("geojson", 3),
    "test_header_newline": Case("b", refused=("NotTextError", "first row is not text")),
    "test_ignore_case": Case("a", 5),
    "test_join_short_rows": Case("a", 3, {2: "fieldCount", 3: "fieldCount"}),
    "test_latin1": Case("a", 2, {3: "encoding"}),
    "test_locale": Case("a", 1),
    "test_no_leading_zeroes": Case("a", 1),
    "test_precision": Case("a", 1),
    "test_skip_lines": Case("a", 1),
    "test_utf16_big": Case("a", refused=("Utf16Error", "save it as UTF-8")),
    "test_utf16_little": Case("a", refused=("Utf16Error", "save it as UTF-8")),
    "test_utf8": Case("foo", 2),
    "test_utf8_bom": Case("foo", 2),
    "testxls_converted": Case("text", 5),
    "FY09_EDU_Recipients_by_State": Case("State Name", 53),
    "Datagov_FY10_EDU_recp_by_State": Case("State Name", refused=("NoHeaderError", "row 3")),
    "dummy": Case("a", 1, delimiter="\t"),
}


def schema_of(*columns: str) -> RecordSchema:
    return RecordSchema(
        {
            "required": [columns[0]],
            "properties": {column: {} for column in columns},
            "x-key": columns[0],
            "x-enrichment": ["looked up"],
        }
    )


def plan(data: bytes, schema: RecordSchema, delimiter: str) -> Any:
    name = {"\t": "tab"}.get(delimiter, delimiter)
    return plan_file(data, schema=schema, settings=read_settings(TEMPLATE, {"FileDelimiter": name}))


def read(data: bytes, schema: RecordSchema, delimiter: str) -> tuple[list[str], list[Record]]:
    """Split and read a file as the functions do; return its header's names and its records."""
    splitter = csvtext.Splitter(intake.check_text(iter([data])), delimiter=delimiter, chunk_rows=2)
    header = intake.read_header(splitter, schema, delimiter=delimiter)
    chunks = list(splitter.chunks())
    if not chunks:
        raise intake.no_rows()
    records = [
        record
        for chunk in chunks
        for record in read_records(
            header + chunk.data, schema, delimiter=delimiter, first_row=chunk.first_row
        )
    ]
    text = header.removeprefix(csvtext.BOM).decode()
    return csvtext.parse_row(text.strip("\r\n"), delimiter=delimiter), records


@pytest.mark.parametrize("name", SPECTRUM)
def test_file_of_csv_spectrum_is_read_to_the_rows_that_its_json_says(name: str) -> None:
    data = (CORPUS / "csv-spectrum" / f"{name}.csv").read_bytes()
    expected = json.loads((CORPUS / "csv-spectrum" / f"{name}.json").read_text(encoding="utf-8"))
    if name == "location_coordinates":  # its JSON is no list, and has another number
        expected = [{**expected, "Contact Phone Number": "2095257564"}]
    schema = schema_of(*expected[0])
    _, records = read(data, schema, ",")
    assert [record["fields"] for record in records] == expected
    planned = plan(data, schema, ",")
    assert (planned.rows, planned.rejected, planned.refusal) == (len(expected), 0, None)


def test_every_file_of_the_corpus_has_a_case() -> None:
    assert {path.stem for path in (CORPUS / "csvkit").glob("*.?sv")} == set(CSVKIT)


@pytest.mark.parametrize("name", CSVKIT)
def test_file_of_csvkit_is_refused_by_name_or_read_to_its_rows(name: str) -> None:
    case = CSVKIT[name]
    (path,) = (CORPUS / "csvkit").glob(f"{name}.?sv")
    data, schema = path.read_bytes(), schema_of(case.column)
    planned = plan(data, schema, case.delimiter)
    if case.refused[0]:
        with pytest.raises(FileError, match=case.refused[1]) as caught:
            read(data, schema, case.delimiter)
        assert (planned.refusal.error, planned.refusal.message) == (
            type(caught.value).__name__,
            str(caught.value),
        )
        assert planned.refusal.error == case.refused[0]
        return
    names, records = read(data, schema, case.delimiter)
    rejected = {r["row"]: r["errors"][0]["rule"] for r in records if "errors" in r}
    assert (len(records), rejected) == (case.rows, case.rejected)
    assert (planned.rows, planned.rejected) == (case.rows, len(case.rejected))
    assert planned.refusal is None
    # Python's reader, which is none of ours, finds the same rows and values.
    text = io.StringIO(data.decode("utf-8-sig", "replace"), newline="")
    header, *rows = filter(None, csv.reader(text, delimiter=case.delimiter))
    assert names == header
    assert len(rows) == case.rows
    place = [each.strip() for each in header].index(case.column)
    values = [row[place] for row, record in zip(rows, records, strict=True) if "fields" in record]
    assert [r["fields"][case.column] for r in records if "fields" in r] == values


@pytest.mark.parametrize("name", CSVKIT)
def test_bytes_of_every_row_are_kept(name: str) -> None:
    case = CSVKIT[name]
    (path,) = (CORPUS / "csvkit").glob(f"{name}.?sv")
    data = path.read_bytes()
    if not case.refused[0] and "encoding" not in case.rejected.values():
        _, records = read(data, schema_of(case.column), case.delimiter)
        kept = "".join(record["raw"] for record in records).rstrip("\r\n")
        assert data.decode().rstrip("\r\n").endswith(kept)
