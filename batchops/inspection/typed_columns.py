"""Give columns of text their types, where no value loses anything by it.

The law: every value, formatted back, is the text that it was read from; else the whole column
stays text. Two things that say the same do not count: how dates are padded where their format
leaves it open, and the offset of a ``date-time``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batchcore.dates import date_reader, is_date_format
from batchcore.readings import NUMERIC, implied_type

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema

# Without leading zeros, a plus sign, an exponent, blanks or separators of thousands.
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_INT64 = range(-(2**63), 2**63)
# Each way to write truth values; a column has to keep to one.
_BOOLEANS = tuple(
    {style(name): name == "true" for name in ("true", "false")}
    for style in (str.lower, str.capitalize, str.upper)
)
# RFC 3339, with as many digits of a second as a nanosecond needs.
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def with_types(frame: pd.DataFrame, schema: RecordSchema) -> pd.DataFrame:
    """Return a completed file with the types of its schema; what does not survive stays text.

    Parameters
    ----------
    frame
        The file with every column as text. An empty value becomes missing in a column that gets a
        type.
    schema
        Says how the columns are read: by type and format; those of its enrichment by their values.
    """
    changed = {}
    for name in frame.columns:
        reader = _reader(name.strip(), schema)
        if reader is not None:
            changed[name] = reader(frame[name])
    return frame.assign(**changed)


def _reader(name: str, schema: RecordSchema) -> Callable[[pd.Series[str]], pd.Series[Any]] | None:
    """Return what reads a column; None if it is text."""
    if name in schema.enrichment:
        return numbers
    rules = schema.properties.get(name)
    if not isinstance(rules, dict):
        return None
    date_format, kind = rules.get("format"), implied_type(rules)
    if date_format == "date-time":
        return moments
    if date_format == "date" or (isinstance(date_format, str) and is_date_format(date_format)):
        read = date_reader("YYYY-MM-DD" if date_format == "date" else date_format)
        return lambda text: dates(text, read)
    if kind in NUMERIC:
        return numbers
    return booleans if kind == "boolean" else None


def numbers(text: pd.Series[str]) -> pd.Series[Any]:
    """Return numbers: Int64, else Float64, else `decimal.Decimal`; else the text itself.

    Floats are formatted with the decimals of the column if all values have as many, and otherwise
    with as few as say the number.
    """
    values = text.unique().tolist()
    filled = [value for value in values if value]
    if not filled or not all(map(_PLAIN.fullmatch, filled)):
        return text
    places = {len(value.partition(".")[2]) for value in filled}
    if places == {0}:
        fits = "-0" not in filled and all(int(value) in _INT64 for value in filled)
        return _replaced(text, int, "Int64") if fits else _replaced(text, Decimal, "object")
    floats = [(value, float(value)) for value in filled]
    (most, *others) = sorted(places, reverse=True)
    padded = not others and all(f"{number:.{most}f}" == value for value, number in floats)
    if padded or all(_shortest(number) == value for value, number in floats):
        return _replaced(text, float, "Float64")
    return _replaced(text, Decimal, "object")


def _shortest(number: float) -> str:
    return repr(number).removesuffix(".0")


def booleans(text: pd.Series[str]) -> pd.Series[Any]:
    """Return truth values (boolean) if all are written alike; else the text itself."""
    found = set(text.unique()) - {""}
    for style in _BOOLEANS:
        if found and found <= style.keys():
            return _replaced(text, style.__getitem__, "boolean")
    return text


def dates(text: pd.Series[str], read: Callable[[str], Any]) -> pd.Series[Any]:
    """Return dates (datetime64[us]); the text itself if a value is neither a date nor empty."""
    return _all_or_text(text, read, "datetime64[us]")


def moments(text: pd.Series[str]) -> pd.Series[Any]:
    """Return times (datetime64, UTC); the text itself if a value is neither a time nor empty.

    Values may have several offsets, which one column can hold only as UTC.
    """
    import pandas as pd

    filled = [value for value in text.unique() if value]
    if not filled or not all(map(_DATE_TIME.fullmatch, filled)):
        return text
    found = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    return found if (found.notna() | (text == "")).all() else text


def _all_or_text(text: pd.Series[str], read: Callable[[str], Any], dtype: str) -> pd.Series[Any]:
    filled = [value for value in text.unique() if value]
    if not filled or any(read(value) is None for value in filled):
        return text
    return _replaced(text, read, dtype)


def _replaced(text: pd.Series[str], read: Callable[[str], Any], dtype: str) -> pd.Series[Any]:
    """Return what is read from each text; missing where the text is empty."""
    import pandas as pd

    known = {value: read(value) for value in text.unique() if value}
    found: Iterable[Any] = (known.get(value) for value in text)
    return pd.Series(list(found), index=text.index, name=text.name, dtype=dtype)
