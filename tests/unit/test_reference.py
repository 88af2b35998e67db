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
        (b"", r"lacks the columns \['Place', 'Price', 'id'\]"),
        (b"id,Price\n1,2\n", r"lacks the columns \['Place'\]"),
        (b"id,Price,Place\n1,2,3\nx,2,3\n", "row 3: malformed id"),
        (b"id,Price,Place\n,2,3\n", "row 2: malformed id"),
        (b"id,Price,Place\n1,2\n", "row 2: too few fields"),
        (b"id,Price,Place\n1,2,\xff\n", "cannot read reference.csv"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ReferenceDataError, match=message):
        list(read_reference(write(tmp_path, content), SMALL))


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
