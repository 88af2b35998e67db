"""Read a text in all the ways in which spreadsheets and pandas do: as numbers, dates, times.

A spreadsheet takes a text for a number or a date, keeps that, and writes it in its own form. Two
texts with a reading in common may be the same value, written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Context, Decimal
from itertools import permutations
from typing import NamedTuple

# Exact for whatever a float can hold; longer texts are compared in so many digits.
EXACT = Context(prec=1200, Emax=10**9, Emin=-(10**9))

# Longer texts are neither; the patterns below could take long over them.
_LONGEST_NUMBER, _LONGEST_DATE = 1_500, 100

_NUMBER = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[+\-\u2212]?)\s*[$\u20ac\u00a3\u00a5]?\s*"
    r"(?P<body>\d[\d.,'\u2019\s_]*|[.,]\d[\d\s]*)"
    r"(?P<exponent>[eE][+-]?\d{1,6})?\s*(?P<unit>%|[$\u20ac\u00a3\u00a5])?\s*(?(open)\))"
)
_FRACTION = re.compile(r"([+-]?)(?:(\d{1,9}) )?(\d{1,9})/(\d{1,9})")
_INFINITE = ("inf", "infinity")

_MONTHS = {
    **{"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9},
    **{"oct": 10, "nov": 11, "dec": 12},
    # As spreadsheets in German, French, Spanish, Italian, Portuguese and Dutch write them.
    **{"jän": 1, "ene": 1, "gen": 1, "fév": 2, "fev": 2, "mär": 3, "mrz": 3, "maa": 3, "mrt": 3},
    **{"avr": 4, "abr": 4, "mai": 5, "mag": 5, "mei": 5, "juin": 6, "giu": 6, "juil": 7, "lug": 7},
    **{"aoû": 8, "aou": 8, "ago": 8, "set": 9, "okt": 10, "out": 10, "ott": 10, "dez": 12},
    **{"déc": 12, "dic": 12},
}
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so)[a-z]*[,. ]+", re.I)
_TIME = re.compile(
    r"(?:(?P<days>\d{1,6}) days? )?(?P<h>\d{1,4}):(?P<m>\d{1,2})(?::(?P<s>\d{1,2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp])?\.?(?(half)[Mm]\.?)\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?$"
)
_EPOCHS = (date(1899, 12, 30), date(1904, 1, 1))
_LAST_SERIAL = 2_958_465  # 9999-12-31


class Day(NamedTuple):
    """A day of the calendar, or a month of a year, or a day of any year."""

    year: int | None
    month: int
    day: int | None

    def may_be(self, other: Day) -> bool:
        """Return whether the two may be the same day."""
        return all(
            mine is None or its is None or mine == its
            for mine, its in zip(self, other, strict=True)
        )


def numbers(text: str) -> dict[Decimal, bool]:
    """Return the numbers that a text may be, each with whether thousands are separated in it.

    ``1.234`` may be 1.234, or in other places 1234.
    """
    text = text.strip()
    if len(text) > _LONGEST_NUMBER:
        return {}
    word = text.lstrip("+-").casefold()
    if word in _INFINITE:
        return {Decimal("-Infinity" if text.startswith("-") else "Infinity"): False}
    if found := _FRACTION.fullmatch(text):
        sign, whole, over, under = found.groups()
        if not int(under):
            return {}
        value = int(whole or 0) + Decimal(int(over)) / int(under)
        return {-value if sign == "-" else value: False}
    found = _NUMBER.fullmatch(text)
    if found is None:
        return {}
    negative = bool(found["open"]) or found["sign"] in ("-", "\u2212")
    values: dict[Decimal, bool] = {}
    for body, grouped in _bodies(found["body"]).items():
        value = EXACT.create_decimal(body + (found["exponent"] or ""))
        for each in {value, EXACT.scaleb(value, -2)} if found["unit"] == "%" else {value}:
            values[each.copy_negate() if negative else each] = grouped
    return values


def _bodies(body: str) -> dict[str, bool]:
    """Return what the digits may be, with a point before the decimals, if there are any."""
    bare = re.sub(r"['\u2019\s_]", "", body)
    spaced = bare != body
    last = max(bare.rfind("."), bare.rfind(","))
    if last < 0:
        return {bare: spaced}
    mark, whole, decimals = bare[last], bare[:last], bare[last + 1 :]
    joined = re.sub(r"[.,]", "", whole)
    found = {}
    if len(decimals) == 3 and whole:
        found[joined + decimals] = True
    if mark not in whole:
        found[f"{joined or '0'}.{decimals or '0'}"] = spaced or joined != whole
    return found


def days(text: str) -> set[Day]:
    """Return the days that a text may be, in whatever order it has day, month and year."""
    if len(text) > _LONGEST_DATE:
        return set()
    text, at = _without_time(text.strip())
    found = set(_days(_WEEKDAY.sub("", text.strip().strip(","))))
    if at is not None and at["zone"]:
        # In another zone it may be the day before, or the one after.
        found |= {near for each in found for near in _near(each)}
    return found


def certain_day(text: str) -> Day | None:
    """Return the one day that a text can be, if there is but one; YYYY-MM-DD is read as such."""
    whole = {day for day in days(text) if day.year and day.year >= 100 and day.day}
    if found := re.match(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?![0-9])", text.strip()):
        whole &= {Day(*map(int, found.groups()))}
    return whole.pop() if len(whole) == 1 else None


def serial_days(text: str) -> set[Day]:
    """Return the days whose number, as spreadsheets count days, a text is."""
    found = set()
    for number in numbers(text):
        if number.is_finite() and 1 <= number <= _LAST_SERIAL:
            for epoch in _EPOCHS:
                try:
                    day = epoch + timedelta(days=int(number))
                except OverflowError:
                    continue
                found.add(Day(day.year, day.month, day.day))
    return found


def seconds(text: str) -> set[Decimal]:
    """Return the times of day, or durations, that a text may be, in seconds."""
    day, at = _without_time(text.strip()) if len(text) <= _LONGEST_DATE else ("", None)
    if at is None:
        return set()
    hours, minutes = int(at["h"]), int(at["m"])
    if at["half"]:
        hours = hours % 12 + (12 if at["half"] in "pP" else 0)
    rest = Decimal((at["s"] or "0").replace(",", "."))
    value = ((int(at["days"] or 0) * 24 + hours) * 60 + minutes) * 60 + rest
    if not day.strip():
        return {value}
    # A spreadsheet counts durations in days from the end of 1899.
    found = {Day(1899, 12, 30): 0, Day(1899, 12, 31): 1, Day(1900, 1, 1): 1}
    early = [n for each, n in found.items() if each in set(_days(day.strip()))]
    early += [each.day or 0 for each in _days(day.strip()) if each[:2] == (1900, 1)]
    return {value, *(value + 86_400 * n for n in early)}


def _without_time(text: str) -> tuple[str, re.Match[str] | None]:
    """Return what stands before a time of day, and the time."""
    start = re.search(r"(?:\d{1,6} days? )?\d{1,4}:", text)
    found = _TIME.match(text, start.start()) if start else None
    if found is None:
        return text, None
    return text[: found.start()].rstrip("Tt, \u202f"), found


def _days(text: str) -> Iterator[Day]:
    parts = re.findall(r"\d+|[^\W\d_]+|[^\w]+|_", text)
    if len(parts) > 9 or not text[:1].isalnum():
        return
    marks = [part for part in parts if not part.isalnum()]
    if any(mark.strip() not in ("", "-", "/", ".", ",", "\u2013") for mark in marks):
        return
    values = [part for part in parts if part.isalnum()]
    names = [part for part in values if not part.isdigit()]
    digits = [part for part in values if part.isdigit() and part.isascii()]
    if len(digits) + len(names) != len(values):
        return
    if len(names) == 1 and names[0] not in ("de",) and 1 <= len(digits) <= 2:
        yield from _named(names[0], digits)
    elif not names and len(digits) in (2, 3):
        yield from _numeric(digits)
    elif not names and len(values) == 1 and len(digits[0]) == 8:
        whole = digits[0]
        for cut in ((4, 6), (2, 4)):
            yield from _numeric([whole[: cut[0]], whole[cut[0] : cut[1]], whole[cut[1] :]])


def _named(name: str, digits: list[str]) -> Iterator[Day]:
    name = name.casefold()
    month = _MONTHS.get(name[:4]) or _MONTHS.get(name[:3])
    if month is None:
        return
    if len(digits) == 1:
        if len(digits[0]) <= 2:
            yield from _valid(None, month, int(digits[0]))
        yield from (Day(year, month, None) for year in _years(digits[0]))
        return
    for day, year in permutations(digits):
        if len(day) <= 2:
            for each in _years(year):
                yield from _valid(each, month, int(day))


def _numeric(digits: list[str]) -> Iterator[Day]:
    if len(digits) == 2:
        for one, other in permutations(digits):
            if len(one) <= 2 and len(other) <= 2:
                yield from _valid(None, int(one), int(other))
            if len(one) <= 2 and 1 <= int(one) <= 12:
                yield from (Day(year, int(one), None) for year in _years(other))
        return
    for place in (0, 2):
        rest = [part for number, part in enumerate(digits) if number != place]
        if any(len(part) > 2 for part in rest):
            continue
        for year in _years(digits[place]):
            for month, day in permutations(map(int, rest)):
                yield from _valid(year, month, day)


def _years(text: str) -> list[int]:
    if len(text) == 4:
        return [int(text)]
    if len(text) > 2:
        return []
    year = int(text)
    return [1900 + year, 2000 + year, year]


def _valid(year: int | None, month: int, day: int) -> Iterator[Day]:
    try:
        date(year or 2000, month, day)
    except ValueError:
        return
    yield Day(year, month, day)


def _near(day: Day) -> Iterator[Day]:
    if not day.year or day.day is None:
        return
    for step in (-1, 1):
        try:
            near = date(day.year, day.month, day.day) + timedelta(days=step)
        except OverflowError:
            continue
        yield Day(near.year, near.month, near.day)
