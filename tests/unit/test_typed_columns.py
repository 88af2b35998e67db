"""The law of typed columns: a value formatted back is its text, or the column stays text."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from batchcore.dates import date_reader
from batchcore.schema import RecordSchema
from hypothesis import given
from hypothesis import strategies as st

from batchops.inspection.typed_columns import booleans, dates, moments, numbers, with_types

TEXT = pd.Series(["a"], dtype="str").dtype


def column(*values: str) -> pd.Series[Any]:
    return pd.Series(list(values), dtype="str")


def formatted(values: pd.Series[Any], texts: list[str]) -> list[str]:
    """Return a typed column as text, by its values and the number of decimals that it had."""
    if values.dtype == TEXT:
        return list(values)
    places = {len(text.partition(".")[2]) for text in texts if text}
    each = f".{places.pop()}f" if len(places) == 1 else ""
    kind = str(values.dtype)
    found = []
    for value in values:
        if pd.isna(value):
            found.append("")
        elif kind == "Float64":
            found.append(f"{value:{each}}" if each else repr(float(value)).removesuffix(".0"))
        else:
            found.append(f"{value:f}" if isinstance(value, Decimal) else str(value))
    return found


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "-20", ""], "Int64"),
        (["0"], "Int64"),
        (["9223372036854775807", "-9223372036854775808"], "Int64"),
        (["9223372036854775808"], "object"),
        (["12345678901234567890", "1"], "object"),
        (["1.50", "12.00", ""], "Float64"),
        (["1.5", "2", "0.75"], "Float64"),
        (["-0"], "object"),
        (["-0.0"], "Float64"),
        (["1.5", "1.50"], "object"),
        (["0.1", "0.1000000000000000055511151231257827"], "object"),
        (["0.30000000000000004"], "Float64"),
        (["0.30000000000000005"], "object"),
        (["9007199254740993.0"], "object"),
        (["0.0000001"], "Float64"),
        (["1" + "0" * 400], "object"),
        (["007", "8"], "str"),
        (["+1"], "str"),
        (["1e3"], "str"),
        (["1E+3"], "str"),
        (["NaN"], "str"),
        (["Infinity", "-inf"], "str"),
        (["1_000"], "str"),
        (["1,000"], "str"),
        ([" 1"], "str"),
        (["1 "], "str"),
        ([".5"], "str"),
        (["5."], "str"),
        (["00.5"], "str"),
        (["-01"], "str"),
        (["\u0662"], "str"),
        (["1\n"], "str"),
        (["on request", "2"], "str"),
        (["", ""], "str"),
        ([], "str"),
    ],
    ids=str,
)
def test_numbers_are_of_the_narrowest_type_that_keeps_every_digit(
    values: list[str], dtype: str
) -> None:
    found = numbers(column(*values))
    assert str(found.dtype) == dtype
    assert formatted(found, values) == values


NUMERIC = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,20})?", fullmatch=True)
NEARLY = st.text(alphabet="0123456789+-.,eE_ Na\u0662", max_size=8)


@given(st.lists(st.one_of(NUMERIC, st.just("")), max_size=6))
def test_number_formatted_back_is_its_text(values: list[str]) -> None:
    found = numbers(column(*values))
    assert formatted(found, values) == values


@given(st.lists(NEARLY, max_size=4))
def test_whatever_is_nearly_a_number_survives(values: list[str]) -> None:
    assert formatted(numbers(column(*values)), values) == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_floats_as_programs_write_them_survive(values: list[float]) -> None:
    texts = [repr(value) for value in values]
    assert formatted(numbers(column(*texts)), texts) == texts


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["true", "false", ""], "boolean"),
        (["TRUE"], "boolean"),
        (["True", "False"], "boolean"),
        (["true", "True"], "str"),
        (["true", "yes"], "str"),
        (["1", "0"], "str"),
        ([""], "str"),
    ],
    ids=str,
)
def test_truth_values_are_written_alike(values: list[str], dtype: str) -> None:
    found = booleans(column(*values))
    assert str(found.dtype) == dtype
    if dtype == "boolean":
        shown = ["" if pd.isna(v) else str(bool(v)).lower() for v in found]
        assert shown == [value.lower() for value in values]


FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "DD.MM.YYYY": "%d.%m.%Y",
    "MM/DD/YY": "%m/%d/%y",
    "YYYYMMDD": "%Y%m%d",
    "YYYY-MM-DD hh:mm:ss": "%Y-%m-%d %H:%M:%S",
    "YYYY-MM-DDThh:mm": "%Y-%m-%dT%H:%M",
}


@pytest.mark.parametrize("date_format", FORMATS)
@given(data=st.data())
def test_date_formatted_back_is_its_text(date_format: str, data: Any) -> None:
    code, read = FORMATS[date_format], date_reader(date_format)
    low, high = (1970, 2068) if "%y" in code else (1000, 9999)
    moment = st.datetimes(min_value=pd.Timestamp(low, 1, 1), max_value=pd.Timestamp(high, 12, 31))
    texts = [m.strftime(code) for m in data.draw(st.lists(moment, min_size=1, max_size=4))]
    found = dates(column(*texts, ""), read)
    assert str(found.dtype) == "datetime64[us]"
    assert found.dt.strftime(code).fillna("").tolist() == [*texts, ""]


@pytest.mark.parametrize("texts", [["1/9/26", "01/09/26"], ["12/31/68", "3/1/69"]], ids=str)
def test_padding_that_the_format_leaves_open_is_no_loss(texts: list[str]) -> None:
    found = dates(column(*texts), date_reader("M/D/YY"))
    shown = [f"{d.month}/{d.day}/{d:%y}" for d in found]
    assert shown == [re.sub(r"\b0", "", text) for text in texts]


@pytest.mark.parametrize("text", ["2026-02-30", "soon", " 2026-01-31", "0000-01-01"])
def test_what_is_no_date_keeps_the_column_text(text: str) -> None:
    assert dates(column("2026-01-31", text), date_reader("YYYY-MM-DD")).tolist() == [
        "2026-01-31",
        text,
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T23:59:59Z", "2026-01-31 23:59:59Z"),
        ("2026-01-31T23:59:59.123456789Z", "2026-01-31 23:59:59.123456789Z"),
        ("2026-01-31T23:59:59+01:00", "2026-01-31 22:59:59Z"),
        ("2026-01-31T23:59:59.1234567891Z", None),  # a digit too many
        ("2026-12-31T23:59:60Z", None),  # a leap second
        ("2026-01-31T23:59:59", None),  # no zone
        ("9999-01-31T00:00:00.123456789Z", None),  # beyond what nanoseconds reach
        ("2026-01", None),
        ("20260131", None),
    ],
)
def test_moments_are_exact_or_text(text: str, moment: str | None) -> None:
    found = moments(column(text, ""))
    assert found[0] == (text if moment is None else pd.Timestamp(moment))
    assert (str(found.dtype) == "str") == (moment is None)


def test_columns_get_the_types_that_the_schema_says() -> None:
    schema = RecordSchema(
        {
            "required": ["id"],
            "properties": {
                "id": {"pattern": "^[0-9]+$"},
                "qty": {"type": "integer", "minimum": 0},
                "share": {"minimum": 0},
                "paid": {"type": "boolean", "x-empty": True},
                "code": {"type": "string"},
                "day": {"format": "D.M.YYYY", "x-empty": True},
            },
            "x-key": "id",
            "x-enrichment": ["price"],
        }
    )
    names = ["id", " qty ", "share", "paid", "code", "day", "more", "price"]
    rows = [
        ["7", "1", "0.5", "true", "7", "1.2.2026", "5", "1.50"],
        ["8", "", "1", "", "", "", "", ""],
    ]
    found = with_types(pd.DataFrame(rows, columns=names, dtype="str"), schema)
    assert [str(dtype) for dtype in found.dtypes] == [
        *("str", "Int64", "Float64", "boolean", "str", "datetime64[us]", "str", "Float64")
    ]
    assert found.iloc[1].isna().tolist() == [False, True, False, True, False, True, False, True]
    assert list(found.columns) == names
