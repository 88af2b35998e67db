"""Check dates in formats written with D, M and Y, such as ``M/D/YY`` or ``DD.MM.YYYY``.

A single letter stands for one or two digits; two or four letters stand for exactly that many. A
time of day may follow, with h, m and s: ``YYYY-MM-DD hh:mm:ss``. It has no zone.
"""

import datetime
import re
from collections.abc import Callable
from functools import lru_cache

# POSIX's %y reads 69 as 1969 and 68 as 2068.
_CENTURY_PIVOT = 69

_FORMAT_PARTS = re.compile(r"D+|M+|Y+|h+|m+|s+|.", re.DOTALL)
_SEPARATORS = "-./ :T"
_LETTERS = (["D", "M", "Y"], ["D", "M", "Y", "h", "m"], ["D", "M", "Y", "h", "m", "s"])
_PARTS = {
    "D": r"(?P<day>\d{1,2})",
    "DD": r"(?P<day>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "MM": r"(?P<month>\d{2})",
    "YY": r"(?P<year>\d{2})",
    "YYYY": r"(?P<year>\d{4})",
    "h": r"(?P<hour>\d{1,2})",
    "hh": r"(?P<hour>\d{2})",
    "mm": r"(?P<minute>\d{2})",
    "ss": r"(?P<second>\d{2})",
}
_TIMES = {
    "h": "(?:[01]?[0-9]|2[0-3])",
    "hh": "(?:[01][0-9]|2[0-3])",
    "mm": "[0-5][0-9]",
    "ss": "[0-5][0-9]",
}

# The calendar as patterns, for `date_pattern`; {0} stands for the leading zero of a day or month.
# Of two-digit years, 1969 to 2068, every fourth is a leap year. Of four-digit years, every fourth
# is, except the hundredths that are not four-hundredths. There is no year 0.
_FOURTH = "(?:0[48]|[2468][048]|[13579][26])"
_ANY = {
    "YY": "[0-9][0-9]",
    "YYYY": "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)",
}
_LEAP = {"YY": f"(?:00|{_FOURTH})", "YYYY": f"(?:[0-9]{{2}}{_FOURTH}|{_FOURTH}00)"}
_DAYS_OF_MONTHS = (
    ("(?:{0}[1-9]|1[0-9]|2[0-8])", "(?:{0}[1-9]|1[0-2])", _ANY),
    ("(?:29|30)", "(?:{0}[13-9]|1[0-2])", _ANY),
    ("31", "(?:{0}[13578]|1[02])", _ANY),
    ("29", "{0}2", _LEAP),
)


def is_date_format(text: str) -> bool:
    """Return whether a schema's ``format`` is a date format as described here."""
    parts = [part for part in _FORMAT_PARTS.findall(text) if part not in _SEPARATORS]
    return sorted(part[0] for part in parts) in _LETTERS and set(parts) <= set(_PARTS)


def date_check(date_format: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text is a calendar date in the given format."""
    read = date_reader(date_format)
    return lambda text: read(text) is not None


@lru_cache(maxsize=64)
def date_reader(date_format: str) -> Callable[[str], datetime.datetime | None]:
    """Return a function that reads a text in the given format; it returns None of other texts."""
    parts = _FORMAT_PARTS.findall(date_format)
    pattern = re.compile("".join(_PARTS.get(part) or re.escape(part) for part in parts))

    @lru_cache(maxsize=16384)  # a file has few different dates
    def read(text: str) -> datetime.datetime | None:
        match = pattern.fullmatch(text)
        if match is None or not text.isascii():
            return None
        found = {name: int(digits) for name, digits in match.groupdict().items()}
        if len(match["year"]) == 2:
            found["year"] += 1900 if found["year"] >= _CENTURY_PIVOT else 2000
        try:
            return datetime.datetime(**found)  # type: ignore[arg-type]
        except ValueError:
            return None

    return read


def length_range(date_format: str) -> tuple[int, int]:
    """Return how many characters a date in a format has at least and at most."""
    parts = _FORMAT_PARTS.findall(date_format)
    least = sum(len(part) for part in parts)
    return least, least + sum(part in ("D", "M", "h") for part in parts)


def date_pattern(date_format: str) -> str | None:
    """Return a pattern that matches exactly what `date_check` accepts, or None.

    None is returned if nothing separates two parts of the date, because the same digits can then
    be read in two ways.
    """
    if re.search(r"([DMYhms])(?!\1)[DMYhms]", date_format):
        return None
    parts = _FORMAT_PARTS.findall(date_format)
    found = []
    for day, month, years in _DAYS_OF_MONTHS:
        # "D" stands for one or two digits, "DD" for two.
        texts = {"D": day.format("0?"), "DD": day.format("0")} | _TIMES
        texts |= {"M": month.format("0?"), "MM": month.format("0")} | years
        found.append("".join(texts.get(part) or f"[{part}]" for part in parts))
    return f"^(?:{'|'.join(found)})$"
