"""Compare a header with the names that it must have: near misses, and other delimiters."""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

# Delimiters that a file may have instead of the expected one, and how many columns a message names.
_OTHER_DELIMITERS = ",;\t|"
_NAMED_COLUMNS = 12
_SHOWN_CHARACTERS = 60

_SEPARATORS = re.compile(r"[\W_]+")


def names_of(text: str, *, delimiter: str) -> list[str]:
    """Return the column names in a header, without the blanks around them."""
    # With another delimiter, a line break may be outside of quotes and end the record.
    lines = io.StringIO(text, newline="")
    return [name.strip() for name in next(csv.reader(lines, delimiter=delimiter), [])]


def other_delimiter(text: str, wanted: Collection[str], *, delimiter: str) -> str | None:
    """Return the delimiter with which a header has more of the wanted names than as expected."""
    expected = len(set(wanted) & set(names_of(text, delimiter=delimiter)))
    for other in _OTHER_DELIMITERS.replace(delimiter, ""):
        if len(set(wanted) & set(names_of(text, delimiter=other))) > expected:
            return other
    return None


def near_misses(wanted: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return the names that are nearly a wanted one, by the wanted one.

    Near are names that differ in case, in blanks, punctuation and quotes, or in how Unicode writes
    the same letters. A wanted name that stands among the names is not missed.
    """
    names = list(dict.fromkeys(names))
    by_form: dict[str, str] = {}
    for name in names:
        by_form.setdefault(_form(name), name)
    found = {}
    for column in wanted:
        near = by_form.get(_form(column))
        if near is not None and column not in names:
            found[column] = near
    return found


def _form(name: str) -> str:
    """Return what is left of a name without case, accents' spelling, blanks and punctuation."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    # A name of punctuation only stays what it is.
    return _SEPARATORS.sub("", letters) or letters


def listed(names: Sequence[str]) -> str:
    """Return the first names in quotes, and how many more there are."""
    shown = ", ".join(repr(name[:_SHOWN_CHARACTERS]) for name in names[:_NAMED_COLUMNS])
    rest = len(names) - _NAMED_COLUMNS
    return shown + (f" and {rest} more" if rest > 0 else "")


def spelt(near: dict[str, str]) -> str:
    """Return near misses as a phrase: ``'Amount' looks like 'amount'``."""
    pairs = [f"{name[:_SHOWN_CHARACTERS]!r} looks like {column!r}" for column, name in near.items()]
    rest = len(pairs) - _NAMED_COLUMNS
    return ", ".join(pairs[:_NAMED_COLUMNS]) + (f" and {rest} more" if rest > 0 else "")
