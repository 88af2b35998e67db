"""Compare two columns of a row, as ``x-compare`` of a schema asks for.

``{"column": "Ship Date", ">=": "Order Date"}`` asks that no order is shipped before it is placed.
Both columns are numbers, or both are dates, which may be written in two formats.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from batchcore.dates import date_reader, is_date_format
from batchcore.errors import SchemaError
from batchcore.readings import NUMERIC, Remembered, implied_type

KEYWORD = "x-compare"
SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
# What a value is that the sign does not hold for.
_WORDS = {
    "number": {
        ">=": "less than",
        ">": "not more than",
        "<=": "more than",
        "<": "not less than",
        "==": "not equal to",
        "!=": "equal to",
    },
    "date": {
        ">=": "before",
        ">": "not after",
        "<=": "after",
        "<": "not before",
        "==": "not the same as",
        "!=": "the same as",
    },
}


_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class ColumnComparison:
    """One comparison of two columns.

    A row without one of the two values keeps it, and so does one with a value that cannot be read:
    that breaks the rule of its own column, or may be empty.
    """

    column: str
    sign: str
    other: str
    kind: str
    values: Remembered = field(repr=False)
    others: Remembered = field(repr=False)

    def holds(self, row: Mapping[str, str]) -> bool:
        """Return whether a row keeps it."""
        try:
            value, than = self.values[row[self.column]], self.others[row[self.other]]
        except KeyError:  # the file does not have the column
            return True
        return value is None or than is None or SIGNS[self.sign](value, than)

    def broken(self, columns: Mapping[str, Sequence[str]]) -> list[int]:
        """Return the places of the rows that break the comparison, given their columns."""
        if self.column not in columns or self.other not in columns:
            return []
        compare = SIGNS[self.sign]
        values = map(self.values.__getitem__, columns[self.column])
        others = map(self.others.__getitem__, columns[self.other])
        return [
            place
            for place, (value, than) in enumerate(zip(values, others, strict=True))
            if value is not None and than is not None and not compare(value, than)
        ]

    @property
    def limit(self) -> str:
        """What the value is held against."""
        return f"{self.sign} {self.other}"

    def explain(self, row: Mapping[str, str]) -> str:
        """Return what is wrong with the value of a row."""
        words = _WORDS["number" if self.kind == "number" else "date"][self.sign]
        return f"is {words} {self.other} ({row[self.other]})"


def read_comparisons(listed: Any, columns: Mapping[str, Any]) -> Iterator[ColumnComparison]:
    """Yield the comparisons that a schema lists.

    Parameters
    ----------
    columns
        The canonical rules of each column.

    Raises
    ------
    SchemaError
        With the place in the list, and what is wrong there.
    """
    if not isinstance(listed, list):
        raise SchemaError(f"/{KEYWORD}: {_example()}, but it is {listed!r}")
    for number, entry in enumerate(listed):
        try:
            yield _read_entry(entry, columns)
        except (TypeError, ValueError) as error:
            raise SchemaError(f"/{KEYWORD}/{number}: {error}") from error


def _read_entry(entry: Any, columns: Mapping[str, Any]) -> ColumnComparison:
    sign = next((s for s in SIGNS if isinstance(entry, dict) and s in entry), "")
    if not sign or entry.keys() != {"column", sign}:
        raise ValueError(f"{_example()}, but it is {entry!r}")
    column, other = entry["column"], entry[sign]
    for name in (column, other):
        if name not in columns:
            raise ValueError(f"no column {name!r} in 'properties'")
    if column == other:
        raise ValueError(f"compares {column!r} with itself")
    (kind, read), (other_kind, read_other) = _reader(columns[column]), _reader(columns[other])
    for name, found in ((column, kind), (other, other_kind)):
        if not found:
            raise ValueError(f"{name!r} has neither a type of numbers nor a format of dates")
    if kind != other_kind:
        raise ValueError(f"{column!r} is a {kind}, but {other!r} is a {other_kind}")
    values, others = Remembered(_ordinal(read)), Remembered(_ordinal(read_other))
    return ColumnComparison(column, sign, other, kind, values, others)


def _ordinal(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return the function with times as integers, which compare faster."""

    def read_ordinal(text: str) -> Any:
        value = read(text)
        if not isinstance(value, datetime):
            return value
        return (value.replace(tzinfo=value.tzinfo or UTC) - _ORIGIN) // _MICROSECOND

    return read_ordinal


def _example() -> str:
    signs = ", ".join(SIGNS)
    return (
        f'must list entries such as {{"column": "shipped", ">=": "ordered"}}, with one of {signs}'
    )


def _reader(rules: Any) -> tuple[str, Callable[[str], Any]]:
    """Return what a column holds, and the function that reads it; an empty text for other texts."""
    if not isinstance(rules, dict):
        return "", str
    date_format = rules.get("format")
    if date_format == "date-time":
        return "date with a zone", _read_instant
    if date_format == "date":
        return "date", date_reader("YYYY-MM-DD")
    if isinstance(date_format, str) and is_date_format(date_format):
        return "date", date_reader(date_format)
    read = NUMERIC.get(implied_type(rules))
    return ("", str) if read is None else ("number", read)


def _read_instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return found if found.tzinfo else None
