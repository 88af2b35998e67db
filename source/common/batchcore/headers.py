"""Compare a header with the names that it must have: near misses, and other delimiters."""

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

# Delimiters that a file may have instead of the expected one, and how many columns a message names.
OTHER_DELIMITERS = ",;\t|"
# Those which only a refusal looks for, because headers may hold them as text.
_RARE_DELIMITERS = ":~^ "
_NAMED_COLUMNS = 12
_SHOWN_CHARACTERS = 60

# Two of twelve letters may differ, or one of six. Comparing takes long, so not for any number.
_SIMILARITY = 0.83
_COMPARED_NAMES = 1_000

_SEPARATORS = re.compile(r"[\W_]+")


def names_of(text: str, *, delimiter: str) -> list[str]:
    """Return the column names in a header, without the blanks around them."""
    # With another delimiter, a line break may be outside of quotes and end the record.
    lines = io.StringIO(text, newline="")
    return [name.strip() for name in next(csv.reader(lines, delimiter=delimiter), [])]


def has_all(wanted: Iterable[str], text: str, delimiter: str) -> bool:
    """Return whether a header has all of the wanted names."""
    return set(wanted) <= set(names_of(text, delimiter=delimiter))


def fitting_delimiters(text: str, wanted: Collection[str], *, delimiter: str) -> list[str]:
    """Return the other delimiters with which a header has all of the wanted names."""
    others = OTHER_DELIMITERS.replace(delimiter, "")
    return [other for other in others if has_all(wanted, text, other)]


def other_delimiter(text: str, wanted: Collection[str], *, delimiter: str) -> str | None:
    """Return the delimiter with which a header has most of the wanted names, if not as expected.

    Names count that are nearly wanted ones, but for case, blanks, punctuation and the like.
    """
    forms = {_form(name) for name in wanted}
    others = (delimiter, *(OTHER_DELIMITERS + _RARE_DELIMITERS).replace(delimiter, ""))
    found = {
        each: len(forms & {_form(name) for name in names_of(text, delimiter=each)})
        for each in others
    }
    best = max(others, key=lambda each: found[each])  # of equal ones the first
    return None if best == delimiter else best


def near_misses(wanted: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return the names that are nearly a wanted one, by the wanted one.

    Near are names that differ in case, in blanks and punctuation, in how Unicode writes the same
    letters, or in few letters but no digit. A wanted name that stands among the names is not
    missed, and no name is near that is wanted itself.
    """
    wanted, names = list(wanted), list(names)
    known = set(wanted)
    others = {_form(name): name for name in reversed(names) if name and name not in known}
    found = {}
    for column in sorted(known - set(names), key=wanted.index):
        form = _form(column)
        near = others.get(form) or _look_alike(form, others)
        if near is not None:
            found[column] = near
    return found


def any_alike(wanted: Iterable[str], names: Iterable[str]) -> bool:
    """Return whether a name is a wanted one, but for case, blanks, punctuation and the like."""
    return not {_form(name) for name in wanted}.isdisjoint(_form(name) for name in names if name)


def _form(name: str) -> str:
    """Return what is left of a name without case, blanks, punctuation and Unicode's variants."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    # A name of punctuation only stays what it is.
    return _SEPARATORS.sub("", letters) or letters


def _look_alike(form: str, others: Mapping[str, str]) -> str | None:
    candidates = [
        other
        for other in islice(others, _COMPARED_NAMES)
        if abs(len(other) - len(form)) < 3 and _digits(other) == _digits(form)
    ]
    close = difflib.get_close_matches(form, candidates, n=1, cutoff=_SIMILARITY)
    return others[close[0]] if close else None


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def listed(names: Sequence[str]) -> str:
    """Return the first names in quotes, and how many more there are."""
    shown = ", ".join(repr(name[:_SHOWN_CHARACTERS]) for name in names[:_NAMED_COLUMNS])
    rest = len(names) - _NAMED_COLUMNS
    return shown + (f" and {rest} more" if rest > 0 else "")


def spelt(near: Mapping[str, str]) -> str:
    """Return near misses as a phrase: ``'Amount' looks like 'amount'``."""
    pairs = [f"{name[:_SHOWN_CHARACTERS]!r} looks like {column!r}" for column, name in near.items()]
    rest = len(pairs) - _NAMED_COLUMNS
    return ", ".join(pairs[:_NAMED_COLUMNS]) + (f" and {rest} more" if rest > 0 else "")
