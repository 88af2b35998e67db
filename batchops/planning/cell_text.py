"""Write values as the text that stands for them in CSV, without losing any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from batchops.core.errors import InputError

# Beyond these, a number is shorter and clearer with its exponent.
_PLAIN_EXPONENTS = range(-20, 25)

# How true and false are called where values come from.
PYTHON_BOOLEANS = ("False", "True")
JSON_BOOLEANS = ("false", "true")
SHEET_BOOLEANS = ("FALSE", "TRUE")


def cell_text(value: Any, *, booleans: tuple[str, str] = JSON_BOOLEANS) -> str:
    """Return the text of one value; a missing one (None, NaN, NaT, NA) is an empty text.

    Whole numbers have no ``.0``, dates and times are ISO 8601.

    Raises
    ------
    ValueError
        If the value is no single value, or is text that cannot be written as UTF-8.
    """
    if isinstance(value, str):
        return _encodable(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return booleans[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return plain_number(str(value))
    return _other_text(value, booleans)


def _other_text(value: Any, booleans: tuple[str, str]) -> str:
    if _is_missing(value):
        return ""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration_text(value)
    if isinstance(value, bytes):
        return value.decode()  # a UnicodeDecodeError is a ValueError
    if isinstance(value, Mapping | Sequence | set | frozenset) or hasattr(value, "__array__"):
        if getattr(value, "ndim", 1) == 0:  # a scalar of numpy
            return _scalar_text(value, booleans)
        raise ValueError(f"it is a {type(value).__name__}, and a CSV has one text in a field")
    return _encodable(str(value))


def _scalar_text(value: Any, booleans: tuple[str, str]) -> str:
    kind = value.dtype.kind
    # The text of a 32-bit number is that of its own digits; as 64 bits it would have noise.
    if kind == "f":
        return plain_number(str(value))
    if kind in "mM":
        return "" if str(value) == "NaT" else str(value)
    return cell_text(value.item(), booleans=booleans)


def _is_missing(value: Any) -> bool:
    # Both are singletons of pandas, which need not be there.
    return type(value).__name__ in ("NAType", "NaTType")


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        raise ValueError(
            f"its character {error.start + 1} is the lone surrogate {code}, which no UTF-8 file "
            "can hold: read the data with its right encoding"
        ) from error
    return text


def _are_encodable(texts: Sequence[str]) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def plain_number(shortest: str) -> str:
    """Return a number without ``.0`` and, unless it is very large or small, without exponent.

    Parameters
    ----------
    shortest
        The shortest text that stands for the number, as `str` gives it.
    """
    if shortest in ("nan", "NaN", "<NA>"):
        return ""
    if "e" not in shortest and "E" not in shortest:
        return "0" if shortest == "-0.0" else shortest.removesuffix(".0")
    number = Decimal(shortest)
    if number.adjusted() in _PLAIN_EXPONENTS:
        return format(number, "f")
    return shortest


def _duration_text(value: timedelta) -> str:
    """Return a duration as a spreadsheet shows it: hours, minutes, seconds."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    hours, rest = divmod(value, timedelta(hours=1))
    minutes, rest = divmod(rest, timedelta(minutes=1))
    fraction = f".{rest.microseconds:06d}" if rest.microseconds else ""
    return f"{sign}{hours}:{minutes:02d}:{rest.seconds:02d}{fraction}"


def column_texts(
    values: Sequence[Any],
    *,
    name: str,
    booleans: tuple[str, str] = JSON_BOOLEANS,
    dates_only: bool | None = None,
    first_row: int = 1,
) -> list[str]:
    """Return the texts of a column's values.

    Parameters
    ----------
    name
        What an error calls the column.
    dates_only
        Whether date-times, which are all at midnight, are written as dates; by default, whether
        those among the values are.
    first_row
        The number of the first value, for errors.

    Raises
    ------
    InputError
        If a value is none that a CSV can hold.
    """
    kinds = set(map(type, values))
    if kinds == {int}:
        return list(map(str, values))
    if kinds == {str} and _are_encodable(values):
        return list(values)
    if dates_only is None:
        dates_only = all_midnight(values)
    texts = []
    for number, value in enumerate(values, first_row):
        try:
            text = cell_text(value, booleans=booleans)
        except ValueError as error:
            raise InputError(f"the value of {name!r} in row {number:,}: {error}") from error
        if isinstance(value, datetime) and dates_only:
            text = text[:10]
        elif type(value) is date and not dates_only:
            text = f"{text}T00:00:00"
        texts.append(text)
    return texts


def all_midnight(values: Sequence[Any]) -> bool:
    """Return whether no value is a date-time with a time of day, or with a zone."""
    return not any(
        isinstance(value, datetime)
        and not _is_missing(value)
        and (
            value.tzinfo is not None or value.time() != time.min or getattr(value, "nanosecond", 0)
        )
        for value in values
    )
