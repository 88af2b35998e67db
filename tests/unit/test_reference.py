"""The reference data: a file that is right is read as it is, one that is wrong is named."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from batchcore.errors import ReferenceDataError
from batchcore.reference import api_item, read_reference, table_item, table_key
from batchcore.schema import RecordSchema
from hypothesis import given
from hypothesis import strategies as st
from support import SCHEMA, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

SMALL = RecordSchema(
    {
        "required": ["id"],
        "properties": {"id": {"type": "string", "pattern": "^[0-9]+$"}},
        "x-key": "id",
        "x-enrichment": ["Price", "Place"],
    }
)


def write(folder: Path, content: bytes) -> Path:
    path = folder / "reference.csv"
    path.write_bytes(content)
    return path


def test_shipped_reference_data_fits_the_shipped_schema() -> None:
    rows = dict(read_reference(SOURCE / "reference" / "reference.csv", SCHEMA))
    assert len(rows) == 1000
    assert rows["271828183"]["Units Sold"] == "770"
    assert {tuple(values) for values in rows.values()} == {SCHEMA.enrichment}


def test_columns_may_stand_in_any_order_and_others_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, b'\xef\xbb\xbfPlace,x,id,Price\r\n"Bonn,\n Rhein",y,1,010.50\r\n')
    assert list(read_reference(path, SMALL)) == [
        ("1", {"Price": "010.50", "Place": "Bonn,\n Rhein"})
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "reference.csv: the file has 0 bytes"),
        (b"PK\x03\x04", "reference.csv: the file is a spreadsheet"),
        (b"id,Price,Place\n", "has a header and no rows, so every row of every upload"),
        (b"id,Price,Place\n\n\n", "has a header and no rows"),
        (b'[{"id": 1}]', "the file looks like JSON"),
        (b"<table>\n", "the file looks like HTML"),
        (b"id,Price\n1,2\n", r"lacks the columns 'Place'"),
        (b"id,Price,place\n1,2,3\n", r"lacks the columns 'Place': 'place' looks like 'Place'"),
        (b"id,Price,Place,Price\n1,2,3,4\n", "header names 'Price' more than once"),
        (b"id;Price;Place\n1;2;3\n", "delimited by ';', but reference data .* commas"),
        (b"id\tPrice\tPlace\n1\t2\t3\n", r"delimited by '\\t', but reference data .* commas"),
        (b'"id"x,Price,Place,id\n1,2,3,4\n', "header has text after a closing quote"),
        (b"id,Price,Place\n1,2,3\nx,2,3\n", "row 3: malformed id: 'x' breaks the schema's rules"),
        (b"id,Price,Place\n,2,3\n", "row 2: the key id is blank"),
        (b"id,Price,Place\n1,2,3\n\n  ,2,3\n", "row 4: the key id is blank"),
        (b"id,Price,Place\n1,2,3\n,,\n", "row 3: the key id is blank"),
        (b"id,Price,Place\n1,2\n", "row 2: too few fields: 2 with the key '1'"),
        (b"id,Price,Place,x\n1,2,3\n", "row 2: too few fields: 3 with the key '1'"),
        (b"id,Price,Place\n1,Smith, Ltd,3\n", "row 2: too many fields: 4 with the key '1'"),
        (b'id,Price,Place\n1,2,3\n7,2,"3\n8,2,3\n', "record in row 3 has a quoted field .* open"),
        (b'id,Price,Place\n1,"2" x,3\n', "row 2: field 2 has text after its closing quote"),
        (b'id,Price,Place\n7,2,"3\n8,2,"3"\n', "row 2: field 3 has text after .* never closed"),
        (b"id,Price,Place\n1,2,3\n2,2,3\n\n1,5,6\n", "row 5: the key '1' is in row 2 as well"),
        (b"id,Price,Place\n1,2,\xff\n", "row 2: byte 5 is 0xFF, which is not UTF-8"),
        (b"id,Pr\xeece,Place\n1,2,3\n", "the header: byte 6 is 0xEE, which is not UTF-8"),
        ("id,Price,Place\n1,2,3\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ReferenceDataError, match=message):
        list(read_reference(write(tmp_path, content), SMALL))


def test_file_that_no_layer_can_hold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"id,Price,Place\n1,2,3\n")
    with path.open("r+b") as file:
        file.truncate(260 * 1024 * 1024)
    with pytest.raises(ReferenceDataError, match="a function's layers hold at most 250 MB"):
        next(read_reference(path, SMALL))


def test_same_key_is_found_across_the_parts_that_are_read_together(tmp_path: Path) -> None:
    lines = [b"%d,2,3\n" % number for number in range(12_000)]
    path = write(tmp_path, b"id,Price,Place\n" + b"".join(lines) + b"4,2,3\n")
    with pytest.raises(ReferenceDataError, match="row 12002: the key '4' is in row 6 as well"):
        list(read_reference(path, SMALL))


def test_key_longer_than_a_table_takes_is_named(tmp_path: Path) -> None:
    content = b"id,Price,Place\n" + b"1" * 2_048 + b",2,3\n" + b"1" * 2_049 + b",2,3\n"
    rows = read_reference(write(tmp_path, content), SMALL)
    assert len(next(rows)[0]) == 2_048
    with pytest.raises(ReferenceDataError, match="row 3: malformed id"):
        next(rows)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match=r"none\.csv"):
        list(read_reference(tmp_path / "none.csv", SMALL))


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_row_comes_back_from_the_table_as_it_went_in(key: str, values: dict[str, str]) -> None:
    item = table_item(key, values)
    assert {name: item[name] for name in table_key(key)} == table_key(key)
    assert api_item(item) == {"uuid": key, "values": values}


def test_rows_are_read_one_at_a_time(tmp_path: Path) -> None:
    rows = read_reference(write(tmp_path, b"id,Price,Place\n1,2,3\nbad,2,3\n"), SMALL)
    assert next(rows)[0] == "1"
    with pytest.raises(ReferenceDataError):
        next(rows)


@given(st.lists(st.tuples(st.text('ab,"\n é'), st.text('ab,"\r é')), min_size=1, max_size=5))
def test_whatever_csv_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[str, str]]
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "Price", "Place"])
    writer.writerows([str(n), *row] for n, row in enumerate(values))
    path = write(tmp_path_factory.getbasetemp(), buffer.getvalue().encode())
    found = [(row["Price"], row["Place"]) for _, row in read_reference(path, SMALL)]
    assert found == values
