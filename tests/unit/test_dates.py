"""Dates by format: real days of the calendar, letter by letter, in values and in schemas."""

from __future__ import annotations

import calendar
import functools
from typing import TYPE_CHECKING

import pytest
from batchcore.dates import date_check, date_pattern, is_date_format
from hypothesis import given, settings
from hypothesis import strategies as st
from support import make_schema

if TYPE_CHECKING:
    from batchcore.schema import RecordSchema


def days(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 99), st.integers(0, 14), st.integers(0, 33))
def test_short_date_is_a_day_of_the_calendar(year: int, month: int, day: int) -> None:
    full = year + (1900 if year >= 69 else 2000)
    exists = 1 <= month <= 12 and 1 <= day <= days(full, month)
    assert date_check("M/D/YY")(f"{month}/{day}/{year:02}") == exists
    assert date_check("DD.MM.YYYY")(f"{day:02}.{month:02}.{full}") == exists
    assert date_check("YYYY-MM-DD")(f"{full}-{month:02}-{day:02}") == exists


@pytest.mark.parametrize(
    ("date_format", "text", "expected"),
    [
        ("M/D/YY", "01/09/10", True),
        ("M/D/YY", "1/9/2010", False),
        ("M/D/YY", "1/9/10 ", False),
        ("M/D/YY", "1/9/10\n", False),
        ("M/D/YY", "1-9-10", False),
        ("M/D/YY", "001/9/10", False),
        ("M/D/YY", "", False),
        ("M/D/YY", "\u0661/\u0669/\u0661\u0660", False),
        ("M/D/YY", "2/29/00", True),
        ("M/D/YY", "2/29/01", False),
        ("DD.MM.YYYY", "1.2.2010", False),
        ("DD.MM.YYYY", "01x02x2010", False),
        ("YYYY-MM-DD", "0000-01-01", False),
        ("D M YYYY", "3 10 1582", True),
        ("YYYYMMDD", "20261123", True),
        ("YYYY-MM-DD hh:mm:ss", "2026-01-31 23:59:59", True),
        ("YYYY-MM-DD hh:mm:ss", "2026-01-31 24:00:00", False),
        ("YYYY-MM-DD hh:mm:ss", "2026-02-29 12:00:00", False),
        ("YYYY-MM-DD hh:mm:ss", "2026-01-31T12:00:00", False),
        ("YYYY-MM-DDThh:mm:ss", "2026-01-31T12:00:00", True),
        ("YYYY-MM-DDThh:mm", "2026-01-31T12:60", False),
        ("M/D/YY h:mm", "1/9/10 7:05", True),
        ("M/D/YY h:mm", "1/9/10 24:05", False),
        ("D.M.YYYY", "31.4.2026", False),
        ("D.M.YYYY", "30.4.2026", True),
        ("YYYYMMDDhhmmss", "20260131235959", True),
        ("YYYYMMDDhhmmss", "20260231235959", False),
    ],
)
def test_date_is_checked_letter_by_letter(date_format: str, text: str, expected: bool) -> None:
    assert is_date_format(date_format)
    assert date_check(date_format)(text) is expected
    schema = make_schema({"day": {"format": date_format}})
    assert schema.is_valid({"id": "1", "day": text}) is expected


@pytest.mark.parametrize(
    "text",
    [
        *("date", "email", "", "D/M", "M/YY", "D/M/Y", "D/M/YYY", "d/m/yy"),
        *("D/D/M/YY", "DDD/M/YY", "D/M/YYYYYY", "DMYYD"),
        *("hh:mm", "YYYY-MM-DD hh", "YYYY-MM-DD hh:m", "YYYY-MM hh:mm"),
    ],
)
def test_other_formats_are_none_of_ours(text: str) -> None:
    assert not is_date_format(text)


def written(date_format: str, year: int, month: int, day: int) -> set[str]:
    """Return a date in a format, one digit and two where both will do."""
    found = {date_format.replace("YYYY", f"{year:04}").replace("YY", f"{year % 100:02}")}
    for letter, number in (("M", month), ("D", day)):
        two = {text.replace(letter * 2, f"{number:02}") for text in found}
        found = two | {text.replace(letter, str(number)) for text in two}
        found |= {text.replace(letter, f"{number:02}") for text in two}
    return {text for text in found if not set(text) & set("DMY")}


# Those in which years matter, and both kinds of each part.
PATTERNED = ["M/D/YY", "DD.MM.YYYY", "D M YYYY", "YYYY-MM-DD", "YY-D/MM"]


@pytest.mark.parametrize("date_format", PATTERNED)
def test_pattern_accepts_exactly_the_dates_of_the_calendar(date_format: str) -> None:
    """Every day, and days that there are none of, of every kind of year."""
    is_date, pattern = date_check(date_format), date_pattern(date_format)
    schema = make_schema({"day": {"pattern": pattern}})
    several = [0, 1, 4, 100, 400, 1582, 1600, 1900, 2000, 2004, 2023, 2024, 2100, 9999]
    dates = [(y, m, d) for y in range(1969, 2069) for m in (2, 12) for d in (28, 29, 30, 31)]
    dates += [(y, m, d) for y in several for m in range(14) for d in range(34)]
    texts = {text for date in dates for text in written(date_format, *date)}
    valid = {text for text in texts if is_date(text)}
    assert {text for text in texts if schema.is_valid({"id": "1", "day": text})} == valid
    assert len(valid) > 500


@functools.cache
def short_dates(date_format: str) -> RecordSchema:
    return make_schema({"day": {"format": date_format, "allOf": [{"maxLength": 9}]}})


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(PATTERNED),
    st.text("0123456789/-. \n\u0661x", max_size=11)
    | st.from_regex(r"[0-3]?[0-9][/.\- ][0-3]?[0-9][/.\- ]([0-9]{2}){1,2}\n?", fullmatch=True),
)
def test_row_is_valid_exactly_if_no_rule_is_broken(date_format: str, text: str) -> None:
    schema = short_dates(date_format)
    assert schema.is_valid({"id": "1", "day": text}) == (
        schema.violations({"id": "1", "day": text}) == []
    )
    assert schema.is_valid({"id": "1", "day": text}) == (
        date_check(date_format)(text) and len(text) <= 9
    )


def test_format_whose_digits_could_be_read_in_two_ways_has_no_pattern() -> None:
    assert date_pattern("DMYY") is date_pattern("YYYYMMDD") is None
    schema = make_schema({"day": {"format": "DMYY"}})
    # Read as the 30th of February, not as the 3rd.
    assert not schema.is_valid({"id": "1", "day": "30210"})
    assert schema.is_valid({"id": "1", "day": "30310"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", True),
        ("2026-01-31T12:00:00.5+01:00", True),
        ("2026-02-30T12:00:00Z", False),
        ("2026-01-31T12:00:00", False),
        ("2026-01-31 12:00:00Z", False),
        ("", False),
    ],
)
def test_date_time_of_the_standard_has_a_zone(text: str, expected: bool) -> None:
    assert (
        make_schema({"at": {"format": "date-time"}}).is_valid({"id": "1", "at": text}) is expected
    )
