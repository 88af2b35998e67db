"""Find the damage that spreadsheets and pandas do to values when they save a file again.

Two values are compared: one as it was, one as it came back. A change is taken for damage if the new
value is the old one, written again: the same number without its zeros, the same date in another
order, nothing in the place of NA. Each kind has a name, by which people accept it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from decimal import Decimal

from batchops.inspection.cell_readings import (
    EXACT,
    Day,
    days,
    numbers,
    seconds,
    serial_days,
)
from batchops.recovery.damage_numbers import number_kinds

# Kind -> what it means. People and --json see these names.
KINDS = {
    "leading-zeros": "zeros in front are gone",
    "trailing-zeros": "zeros after the decimal point are gone",
    "digits-lost": "digits are gone: scientific notation, rounding, more than 15 digits",
    "thousands-separators": "separators of thousands have changed",
    "number-format": "the same number, written in another way",
    "dates": "a date or time is turned, written in another way, or has become a number",
    "booleans": "a truth value is written in another way",
    "missing-values": "NA, NULL, None, nan or the like has become nothing, or nothing one of these",
    "emptied": "a value is gone",
    "whitespace": "blanks, or characters that are not shown, have changed",
    "line-breaks": "line breaks have changed",
    "unicode": "the same characters in another Unicode normalisation",
    "quotes": "quotes, apostrophes or dashes have changed",
    "mojibake": "characters have become others: a file was read in another encoding",
    "formulas": "a formula was evaluated, or its result is an error",
    "cut": "the end of a long text is gone",
}

_MISSING = frozenset(
    (
        *("na", "n/a", "<na>", "#n/a", "#n/a n/a", "#na", "nan", "-nan", "null", "none", "nat"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "nil", "(null)", "\\n"),
    )
)
# What spreadsheets in some languages write for true and false.
_TRUE = frozenset(("true", "wahr", "vrai", "verdadero", "vero", "waar", "verdadeiro", "1", "1.0"))
_FALSE = frozenset(("false", "falsch", "faux", "falso", "onwaar", "0", "0.0"))
_SPREADSHEET_ERROR = re.compile(r"#(?:NAME\?|VALUE!|REF!|DIV/0!|N/A|NUM!|NULL!|#+)|Err:\d+")
_DECIMAL = re.compile(r"[0-9]+[.,][0-9]+")
_ENCODINGS = ("utf-8", "cp1252", "latin-1", "cp1250", "cp1251", "cp850", "cp437", "mac_roman")
# No person cuts a text of this length at its end, but formats of files do.
_LONG = 200
_DAY_S = Decimal(86_400)

_QUOTES = str.maketrans(
    {
        **dict.fromkeys("'\u2018\u2019\u201a\u201b\u2032\u00b4`\"\u201c\u201d\u201e\u2033", ""),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2026": "...",
    }
)


def damage(old: str, new: str) -> tuple[str, ...]:
    """Return the kinds of damage that a change looks like; none if it looks like a person's own."""
    if old == new:
        return ()
    found = set(_damage(old, new))
    return tuple(kind for kind in KINDS if kind in found)


def _damage(old: str, new: str) -> Iterator[str]:
    bare_old, bare_new = old.strip(), new.strip()
    if (gone := _gone(bare_old, bare_new)) is not None:
        yield gone
        return
    readings: set[str] = set()
    for read in (number_kinds, _of_booleans, _of_dates):
        readings = readings or set(read(bare_old, bare_new))
    if bare_old != bare_new and readings:
        yield from readings
        if (bare_old == old) != (bare_new == new):
            yield "whitespace"
        return
    found = list(_folds(old, new))
    if found:
        yield from found
    elif _is_evaluated(old, new):
        yield "formulas"
    elif _is_recoded(old, new):
        yield "mojibake"
    elif len(new) >= _LONG and old.startswith(new):
        yield "cut"


def _gone(old: str, new: str) -> str | None:
    missing = old.casefold() in _MISSING, new.casefold() in _MISSING
    if all(missing) and old != new:
        return "missing-values"
    if not new and old:
        return "missing-values" if missing[0] else "emptied"
    if not old and new:
        return "missing-values" if missing[1] else None
    return None


# ----------------------------------------------------------------- dates and booleans


def _of_dates(old: str, new: str) -> Iterator[str]:
    before, after = days(old), days(new)
    decimals = _DECIMAL.fullmatch(old) and _DECIMAL.fullmatch(new)  # 3.11 is no day of 11.3
    same = not decimals and any(one.may_be(other) for one in before for other in after)
    counted = _is_counted(before, new) or _is_counted(after, old)
    if same or counted or _is_same_time(old, new):
        yield "dates"


def _is_counted(found: set[Day], number: str) -> bool:
    """Return whether a number may be that of one of the days."""
    return any(
        day.may_be(serial) and (day.year is not None or 2000 <= (serial.year or 0) < 2100)
        for day in found
        for serial in serial_days(number)
    )


def _is_same_time(old: str, new: str) -> bool:
    before, after = seconds(old), seconds(new)
    if not (before or after) or (days(old) and days(new)):
        return False
    # A time is a part of a day, and so is what a number shows of it.
    if before:
        after |= {EXACT.multiply(number, _DAY_S) for number in numbers(new)}
    else:
        before = {EXACT.multiply(number, _DAY_S) for number in numbers(old)}
    return any(
        EXACT.abs(EXACT.subtract(one, other)) < 60
        for one in before
        for other in after
        if one.is_finite() and other.is_finite()
    )


def _of_booleans(old: str, new: str) -> Iterator[str]:
    one, other = old.casefold(), new.casefold()
    words = {one, other} - {"0", "1", "0.0", "1.0"}
    if words and any({one, other} <= same for same in (_TRUE, _FALSE)):
        yield "booleans"


# ------------------------------------------------------------------------- texts


def _lines(text: str) -> str:
    return re.sub(r"\r\n|\r|\x0b|\x0c|\x85|\u2028|\u2029|_x000[aAdD]_", "\n", text)


def _blanks(text: str) -> str:
    return "".join(c for c in text if not (c.isspace() or unicodedata.category(c) in ("Cc", "Cf")))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


_FOLDS: dict[str, Callable[[str], str]] = {
    "line-breaks": _lines,
    "whitespace": _blanks,
    "unicode": _normal,
    "quotes": lambda text: text.translate(_QUOTES).replace("--", "-"),
}


def _folds(old: str, new: str) -> Iterator[str]:
    """Yield the kinds of differences that are all that two texts differ in."""
    for kind, fold in _FOLDS.items():
        if fold(old) == fold(new):
            yield kind
            return

    def folded(text: str, but: str = "") -> str:
        for kind, fold in _FOLDS.items():
            text = text if kind == but else fold(text)
        return text

    if folded(old) == folded(new):
        needed = [kind for kind in _FOLDS if folded(old, kind) != folded(new, kind)]
        yield from needed or ["whitespace"]


def _is_evaluated(old: str, new: str) -> bool:
    if _SPREADSHEET_ERROR.fullmatch(new.strip()):
        return True
    is_formula = old.lstrip().startswith(("=", "@")) or (
        old[:1] in ("+", "-", "\t", "\r") and not numbers(old)
    )
    return is_formula or (new.startswith("=") and not old.startswith("="))


def _is_recoded(old: str, new: str) -> bool:
    if old.isascii() and new.isascii():
        return False
    for lost in ("\ufffd", "ï¿½", "?"):
        if new.count(lost) > old.count(lost) and _ascii(old) == _ascii(new):
            return True
    if _plain(old) == new:
        return True
    return any(
        new in _recodings(old, written) or old in _recodings(new, written) for written in _ENCODINGS
    )


def _recodings(text: str, written: str) -> Iterator[str]:
    for errors in ("replace", "ignore"):
        data = text.encode(written, errors)
        for read in _ENCODINGS:
            yield data.decode(read, errors)


def _ascii(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]|\?", "", text)


def _plain(text: str) -> str:
    """Return a text without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
