"""Result files as DataFrames: as text, or with the types that the schema says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from batchcore.schema import RecordSchema

from batchops.inspection.frames import completed_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = "id,day,count,price,code\n007,3/1/69,5,1.50,01\n8,12/31/68,6,,02\n"


def schema(day: str = "M/D/YY", enrichment: Sequence[str] = ("price", "code")) -> RecordSchema:
    properties: dict[str, Any] = {"id": {"type": "string"}, "count": {"type": "string"}}
    properties["day"] = {"type": "string", "format": day}
    return RecordSchema(
        {
            "required": ["id"],
            "properties": properties,
            "x-key": "id",
            "x-enrichment": list(enrichment),
        }
    )


def read(text: str, schema: RecordSchema | None = None) -> pd.DataFrame:
    return completed_frame(io.BytesIO(text.encode()), delimiter=",", schema=schema)


def test_without_types_every_value_is_the_text_of_the_file() -> None:
    found = read(TEXT)
    assert found.iloc[1].tolist() == ["8", "12/31/68", "6", "", "02"]
    assert set(found.dtypes) == {found["id"].dtype}


def test_typed_dates_are_dates_of_the_century_that_the_schema_takes() -> None:
    found = read(TEXT, schema())
    assert found["day"].tolist() == [pd.Timestamp("1969-03-01"), pd.Timestamp("2068-12-31")]


def test_typed_enrichment_is_numbers_and_an_empty_value_is_missing() -> None:
    found = read(TEXT, schema())
    assert found["price"].tolist()[0] == 1.5
    assert found["price"].isna().tolist() == [False, True]


def test_typed_keys_and_codes_keep_their_zeros() -> None:
    found = read(TEXT, schema())
    assert found["id"].tolist() == ["007", "8"]
    assert found["code"].tolist() == ["01", "02"]
    assert found["count"].tolist() == ["5", "6"]  # the input's, of which the schema knows the text


@pytest.mark.parametrize(
    ("date_format", "text"),
    [("DD.MM.YYYY", "03.02.2026"), ("YYYY-MM-DD", "2026-02-03"), ("D/M/YY", "3/2/26")],
)
def test_typed_dates_are_read_in_the_format_of_the_schema(date_format: str, text: str) -> None:
    found = read(f"id,day\n1,{text}\n", schema(date_format))
    assert found["day"].tolist() == [pd.Timestamp("2026-02-03")]


def test_typed_columns_with_anything_else_in_them_stay_text() -> None:
    found = read("id,day,price\n1,1/1/26,on request\n2,soon,2\n", schema())
    assert found["day"].tolist() == ["1/1/26", "soon"]
    assert found["price"].tolist() == ["on request", "2"]


def test_typed_file_without_rows_has_its_columns() -> None:
    assert list(read("id,day,price\n", schema())) == ["id", "day", "price"]


@pytest.mark.parametrize(
    ("rules", "text", "expected"),
    [
        ({"anyOf": [{"maxLength": 0}, {"format": "YYYY-MM-DD"}]}, "2026-01-31", "2026-01-31"),
        ({"format": "YYYY-MM-DD", "x-empty": True}, "2026-01-31", "2026-01-31"),
        ({"format": "date", "x-empty": True}, "2026-01-31", "2026-01-31"),
        ({"$ref": "#/$defs/day"}, "31.1.2026", "2026-01-31"),
        ({"format": "YYYY-MM-DDThh:mm"}, "2026-01-31T23:59", "2026-01-31 23:59"),
        ({"format": "date-time"}, "2026-01-31T23:59:00+01:00", "2026-01-31 22:59Z"),
    ],
    ids=str,
)
def test_every_format_of_dates_gives_dates(rules: Any, text: str, expected: str) -> None:
    given = RecordSchema(
        {
            "required": ["id"],
            "properties": {"id": {}, "day": rules},
            "$defs": {"day": {"format": "D.M.YYYY"}},
            "x-key": "id",
            "x-enrichment": ["price"],
        }
    )
    found = read(f"id,day\n1,{text}\n2,\n", given)
    assert found["day"][0] == pd.Timestamp(expected)
    assert found["day"].isna().tolist() == [False, True]


def test_formats_of_other_things_stay_text() -> None:
    given = RecordSchema(
        {
            "required": ["id"],
            "properties": {"id": {}, "mail": {"format": "email"}},
            "x-key": "id",
            "x-enrichment": ["price"],
        }
    )
    assert read("id,mail\n1,a@example.com\n", given)["mail"].tolist() == ["a@example.com"]
