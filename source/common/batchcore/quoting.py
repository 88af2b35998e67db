"""Parse records strictly, and find the quotes that a strict reader does not accept.

`batchcore.csvtext` finds where records end, as Python's `csv` does in its default dialect: text
between a closing quote and the next delimiter belongs to the field. Other readers refuse it, or
read another value, so a record with such text is rejected.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

# Stands for the fields of a record with text after a closing quote. No other record is empty.
STRAY_TEXT: Sequence[str] = ()

HINT = "a quoted field ends at its second quote, and quotes inside of it must be doubled"


def parse_rows(texts: Iterable[str], *, delimiter: str) -> Iterator[Sequence[str]]:
    """Yield the fields of each record, or `STRAY_TEXT` if text follows a closing quote.

    Each text must be one whole record that is not blank.
    """
    rows = csv.reader(texts, delimiter=delimiter, strict=True)
    while True:
        try:
            yield from rows
        except csv.Error:
            # The reader goes on with the next record.
            yield STRAY_TEXT
        else:
            return


def parse_all(texts: Sequence[str], *, delimiter: str) -> list[Sequence[str]]:
    """Return what `parse_rows` yields, more quickly where no text follows a closing quote."""
    try:
        return list(csv.reader(texts, delimiter=delimiter, strict=True))
    except csv.Error:
        return list(parse_rows(texts, delimiter=delimiter))


def is_stray(text: str, *, delimiter: str) -> bool:
    """Return whether text follows a closing quote in a record."""
    return next(parse_rows([text], delimiter=delimiter), None) is STRAY_TEXT


@cache
def _field_pattern(delimiter: str) -> re.Pattern[str]:
    """Return a pattern for a field; its group is the text after a closing quote."""
    d = re.escape(delimiter)
    return re.compile(rf'"[^"]*+(?:""[^"]*+)*+"([^{d}\r\n]*+)|[^"{d}\r\n][^{d}\r\n]*+|')


def match_fields(text: str, *, delimiter: str) -> Iterator[re.Match[str]]:
    """Yield a match for each field of a record; group 1 is the text after a closing quote."""
    pattern, at = _field_pattern(delimiter), 0
    while found := pattern.match(text, at):
        yield found
        at = found.end() + 1
        if text[found.end() : at] != delimiter:
            return


def stray_field(text: str, *, delimiter: str) -> tuple[int, str]:
    """Return the number of the first field with text after its closing quote, and the field.

    Raises
    ------
    ValueError
        If the record has no such field.
    """
    for number, found in enumerate(match_fields(text, delimiter=delimiter), 1):
        if found[1]:
            return number, found[0]
    raise ValueError("no text follows a closing quote")


def shown_fields(text: str, *, delimiter: str) -> list[str]:
    """Return a record's fields; one with text after its closing quote is what stands there."""
    return [
        found[0] if found[1] else "".join(next(csv.reader([found[0]], delimiter=delimiter), []))
        for found in match_fields(text, delimiter=delimiter)
    ]
