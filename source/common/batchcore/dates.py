"""Check dates in formats written with D, M and Y, such as ``M/D/YY`` or ``DD.MM.YYYY``.

A single letter stands for one or two digits; two or four letters stand for exactly that many.
"""

import datetime
import re
from collections.abc import Callable
from functools import lru_cache

# strptime's %y reads 69 as 1969 and 68 as 2068 (POSIX).
_CENTURY_PIVOT = 69

_FORMAT_PARTS = re.compile(r"D+|M+|Y+|.", re.DOTALL)
_SEPARATORS = "-./ "
_PARTS = {
    "D": r"(?P<day>\d{1,2})",
    "DD": r"(?P<day>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "MM": r"(?P<month>\d{2})",
    "YY": r"(?P<year>\d{2})",
    "YYYY": r"(?P<year>\d{4})",
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
    """Tell whether a schema's ``format`` is a date format as described here."""
    parts = [part for part in _FORMAT_PARTS.findall(text) if part not in _SEPARATORS]
    return sorted(part[0] for part in parts) == ["D", "M", "Y"] and set(parts) <= set(_PARTS)


def date_check(date_format: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text is a calendar date in the given format."""
    parts = _FORMAT_PARTS.findall(date_format)
    pattern = re.compile("".join(_PARTS.get(part) or re.escape(part) for part in parts))

    @lru_cache(maxsize=16384)  # a file has few different dates
    def is_date(text: str) -> bool:
        match = pattern.fullmatch(text)
        if match is None or not text.isascii():
            return False
        year = int(match["year"])
        if len(match["year"]) == 2:
            year += 1900 if year >= _CENTURY_PIVOT else 2000
        try:
            datetime.date(year, int(match["month"]), int(match["day"]))
        except ValueError:
            return False
        return True

    return is_date


def date_pattern(date_format: str) -> str | None:
    """Return a pattern that matches exactly what `date_check` accepts, or None.

    None is returned if nothing separates two parts of the date, because the same digits can then
    be read in two ways.
    """
    if re.search("D[MY]|M[DY]|Y[DM]", date_format):
        return None
    parts = _FORMAT_PARTS.findall(date_format)
    found = []
    for day, month, years in _DAYS_OF_MONTHS:
        # "D" stands for one or two digits, "DD" for two.
        texts = {"D": day.format("0?"), "DD": day.format("0")}
        texts |= {"M": month.format("0?"), "MM": month.format("0")} | years
        found.append("".join(texts.get(part) or f"[{part}]" for part in parts))
    return f"^(?:{'|'.join(found)})$"
