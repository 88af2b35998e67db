"""Rejected rows go through spreadsheets and pandas, and nothing that these change passes unnoticed.

pandas and polars are the real ones; what Excel does when it opens and saves a CSV is modelled.
"""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pytest
from batchcore.records import REJECT_COLUMNS
from batchcore.schema import RecordSchema
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from batchops.core.errors import InputError
from batchops.inspection.frames import rejects_frame
from batchops.inspection.rejects_workbook import write_workbook
from batchops.inspection.spreadsheet_csv import quote, unquote, write_frame_quoted
from batchops.recovery.repair_check import CheckedRow, check_rows
from batchops.recovery.repair_rows import ChunkText, join_fields, read_edited

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = 40
VALUES = ["a", "b", "c", "d"]
COLUMNS = ["id", "qty", *VALUES]
SCHEMA = RecordSchema(
    {
        "required": ["id", "qty"],
        "properties": {"id": {"pattern": "^k[0-9]$"}, "qty": {"type": "integer"}},
        "x-key": "id",
        "x-enrichment": ["price"],
    }
)
ERRORS = pd.DataFrame({"source_row": [2], "column": ["qty"], "message": ["qty is no integer"]})


def to_csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def to_rows(data: bytes) -> list[list[str]]:
    text = data.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


# ------------------------------------------------------------------------- values

NASTY = [
    *("01069", "007", "1.50", "1.0", "0012345678905", "1234567890123456", "4111111111111111"),
    *("1E5", "12e3", "1e400", "3.14159265358979", "1,000", "1'000", "1 000", "5%", "$5", "+49301"),
    *("-0", ".5", "5.", "(5)", "1/2", "1 1/2", "2026-01-02", "03/04/2026", "3/4/26", "1/2/30"),
    *("02.01.2026", "MAR1", "SEPT2", "1-2", "3-4-5", "2026-01", "12-2026", "9:00", "25:30", "16:9"),
    *("2026-01-02T23:30:00+01:00", "2026-01-02 10:00", "true", "FALSE", "yes", "NA", "N/A", "NULL"),
    *("None", "nan", "<NA>", "#N/A", "inf", "", " ", " 007", "a ", "a\xa0b", "a\r\nb", "a\nb"),
    *("Zürich", "e\u0301", "東京", "=1+1", "@SUM(A1)", "-a", "+a", "\ta", "'007", '"a"', "don't"),
    *("1_000", "0x1F", "1.5.2", "555-1234", "12 Main St", "Bo", "10", "9.99", "1.5", "20260102"),
]
digits = st.text("0123456789", min_size=1, max_size=20)
days = st.dates(min_value=date(1900, 3, 1), max_value=date(2099, 12, 31))
values = st.one_of(
    st.sampled_from(NASTY),
    digits,
    st.builds("{}.{}".format, digits, digits),
    st.builds("-{}{}".format, digits, st.sampled_from(["", "e5", "E-3", "%"])),
    st.builds(
        lambda day, form: day.strftime(form),
        days,
        st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%d.%m.%Y", "%d-%b-%y", "%Y%m%d"]),
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6),
)
rows = st.lists(values, min_size=4, max_size=4)


def rejected(fields: list[str]) -> tuple[bytes, pd.DataFrame]:
    """Return a record with a bad quantity, and its rejects as `Job.rejects` gives them."""
    record = join_fields(["k1", "ten", *fields], like=b"\r\n", delimiter=",")
    data = to_csv([[*COLUMNS, *REJECT_COLUMNS], ["k1", "ten", *fields, "2", "qty: type", "no"]])
    return record, rejects_frame(io.BytesIO(data), delimiter=",")


def repaired(record: bytes, edited: bytes | pd.DataFrame) -> CheckedRow:
    (row,) = read_edited(edited, columns=COLUMNS, delimiter=",")
    chunk = ChunkText(b"id,qty,a,b,c,d\r\n" + record, delimiter=",", first_row=2)
    (found,) = check_rows(
        [row],
        chunk,
        number=1,
        rejected=(2,),
        done=True,
        schema=SCHEMA,
        delimiter=",",
        names=COLUMNS,
    )
    return found


def fixed(data: bytes) -> bytes:
    """Return a CSV with the quantity fixed, as somebody does with an editor."""
    header, *lines = to_rows(data)
    for line in lines:
        line[header.index("qty")] = "10"
    return to_csv([header, *lines])


# ----------------------------------------------------------------------- round trips


def general(number: float) -> str:
    """Return a number as Excel shows, and so saves, it in the format General."""
    if number == int(number) and abs(number) < 1e11:
        return str(int(number))
    if 1e-9 < abs(number) < 1e11:
        return f"{number:.10g}"
    mantissa, exponent = f"{number:.5E}".split("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{exponent[0]}{exponent[1:].zfill(2)}"


def excel(text: str, *, german: bool) -> str:
    """Return what becomes of a text in a CSV that Excel opens and saves, in one of two places."""
    bare = text.strip(" ")
    for save in (_saved_number, _saved_word, _saved_day):
        saved = save(bare, german)
        if saved:
            return saved
    if text[:1] in "=@+-" and len(text) > 1:
        return "2" if text == "=1+1" else "#NAME?"
    return text


def _saved_number(text: str, german: bool) -> str:
    point, group = (",", ".") if german else (".", ",")
    if re.fullmatch(rf"[+-]?[0-9]{{1,3}}(\{group}[0-9]{{3}})+", text):
        text = text.replace(group, "")
    number = text.replace(point, ".") if group not in text else ""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", number):
        return ""
    return "" if math.isinf(float(number)) else general(float(number)).replace(".", point)


def _saved_word(text: str, german: bool) -> str:
    if found := re.fullmatch(r"([0-9]{1,4}):([0-9]{1,2})", text):
        return f"{found[1]}:{found[2].zfill(2)}:00"
    words = ("WAHR", "FALSCH") if german else ("TRUE", "FALSE")
    return {"true": words[0], "false": words[1]}.get(text.casefold(), "")


def _saved_day(text: str, german: bool) -> str:
    if found := re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text):
        year, month, day = map(int, found.groups())
    elif found := re.fullmatch(r"([0-9]{1,2})[-/.]([0-9]{1,2})(?:[-/.]([0-9]{2}|[0-9]{4}))?", text):
        month, day = (int(found[2]), int(found[1])) if german else (int(found[1]), int(found[2]))
        year = int(found[3] or 2026)
        year += 0 if year >= 100 else 2000 if year < 30 else 1900
    else:
        return ""
    try:
        saved = date(year, month, day)
    except ValueError:
        return ""
    if len(re.findall("[0-9]+", text)) == 2:
        return saved.strftime("%d. %b" if german else "%-d-%b")
    return saved.strftime("%d.%m.%Y" if german else "%-m/%-d/%Y")


def through_excel(data: bytes, *, german: bool = False) -> bytes:
    header, *lines = to_rows(data)
    return to_csv([header, *([excel(text, german=german) for text in line] for line in lines)])


def through_german_excel(data: bytes) -> bytes:
    return through_excel(data, german=True)


def through_pandas(data: bytes) -> bytes:
    return pd.read_csv(io.BytesIO(data)).to_csv(index=False).encode()


def through_pandas_with_dates(data: bytes) -> bytes:
    frame = pd.read_csv(io.BytesIO(data))
    for name in frame.columns.intersection(VALUES):
        if not isinstance(value := frame[name].iloc[0], str) or not re.search("[-/.:]", value):
            continue
        dates = pd.to_datetime(frame[name], errors="coerce", format="mixed", utc=True)
        frame[name] = dates if dates.notna().all() else frame[name]
    return frame.to_csv(index=False).encode()


def through_polars(data: bytes) -> bytes:
    return pl.read_csv(data, try_parse_dates=True).write_csv().encode()


def through_unix_lines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def through_latin_1(data: bytes) -> bytes:
    return data.decode("latin-1").encode()


def through_ascii(data: bytes) -> bytes:
    return data.decode().encode("ascii", "replace")


TRIPS = [
    through_excel,
    through_german_excel,
    through_pandas,
    through_pandas_with_dates,
    through_polars,
    through_unix_lines,
    through_latin_1,
    through_ascii,
]


def assert_nothing_unnoticed(found: CheckedRow, record: bytes) -> None:
    others = [change for change in found.changes if change.column != "qty"]
    assert [change for change in others if not change.damage] == []
    if found.record:
        assert found.record == record.replace(b"ten", b"10", 1)
    else:
        assert others


@pytest.mark.parametrize("trip", TRIPS, ids=lambda trip: trip.__name__)
@settings(deadline=None, max_examples=EXAMPLES)
@given(fields=rows)
def test_what_a_round_trip_does_to_values_nobody_meant_to_change_is_never_put_through_unnoticed(
    trip: Callable[[bytes], bytes], fields: list[str]
) -> None:
    record, rejects = rejected(fields)
    try:
        saved = trip(rejects.to_csv(index=False).encode())
        found = repaired(record, fixed(saved))
    except (InputError, ValueError, pl.exceptions.PolarsError):
        assume(False)  # it was refused, or went no further than the trip
    assert_nothing_unnoticed(found, record)


@settings(deadline=None, max_examples=EXAMPLES)
@given(fields=rows)
def test_a_typed_dataframe_is_never_put_through_unnoticed(fields: list[str]) -> None:
    record, rejects = rejected(fields)
    frame = pd.read_csv(io.BytesIO(rejects.to_csv(index=False).encode()))
    frame["qty"] = 10
    assert_nothing_unnoticed(repaired(record, frame), record)


@pytest.mark.parametrize("trip", [through_excel, through_german_excel], ids=lambda t: t.__name__)
@settings(deadline=None, max_examples=EXAMPLES)
@given(fields=rows)
def test_csv_for_spreadsheets_comes_back_as_it_was(
    trip: Callable[[bytes], bytes], fields: list[str]
) -> None:
    record, rejects = rejected(fields)
    text = io.StringIO(newline="")
    write_frame_quoted(rejects, text, delimiter=",", marked=True)
    found = repaired(record, fixed(trip(text.getvalue().encode())))
    decimals = [field for field in fields if re.fullmatch(r"[0-9]+\.[0-9]+", field)]
    if trip is through_german_excel and decimals:
        # In places with a decimal comma, 9.99 is text or a date, whatever is done about it.
        assert_nothing_unnoticed(found, record)
    else:
        assert found.record == record.replace(b"ten", b"10", 1)


@settings(deadline=None, max_examples=EXAMPLES)
@given(fields=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=4, max_size=4))
def test_workbook_comes_back_as_it_was(fields: list[str]) -> None:
    fields = [field.replace("\0", "") for field in fields]
    record, rejects = rejected(fields)
    file = io.BytesIO()
    left_out = write_workbook(file, rejects, ERRORS, SCHEMA)
    if left_out:
        assert any(c in "\ufffe\uffff" for field in fields for c in field)
        return
    found = repaired(record, file.getvalue())
    assert found.outcome.outcome == "unchanged"


@given(st.text())
def test_quotes_for_spreadsheets_are_taken_away_again(value: str) -> None:
    assert unquote(quote(value)) == value


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "'"])
def test_whatever_may_begin_a_formula_is_quoted(first: str) -> None:
    assert quote(f"{first}1+1") == f"'{first}1+1"
    assert quote(f"{first}5") == f"'{first}5"
