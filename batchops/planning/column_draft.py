"""Draft the rules of a column from what its values have in common."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from batchcore.dates import is_date_format
from batchcore.texts import number_of

from batchops.planning.column_facts import (
    BLANKS,
    BOOLEAN,
    DECIMAL_COMMA,
    EXPONENT,
    INTEGER,
    LEADING_ZERO,
    NEGATIVE,
    NUMBER,
    TEXT_FORMATS,
    WRITTEN_NUMBERS,
    ColumnFacts,
)

# Words in the names of columns whose digits are no amounts.
_IDENTIFIERS = frozenset(
    (
        *("account", "barcode", "code", "ean", "fax", "gtin", "iban", "id", "isbn", "key", "konto"),
        *("mobile", "nr", "no", "num", "number", "nummer", "phone", "plz", "postal", "postcode"),
        *("sku", "ssn", "tel", "telefon", "telephone", "uuid", "vat", "zip", "zipcode"),
        *("bic", "contract", "invoice", "isin", "msisdn", "passport", "pin", "plate", "ref"),
        *("reference", "serial", "swift", "tax", "ticket"),
    )
)
# Digits of one length that never repeat are an identifier by themselves, from this length on.
_IDENTIFIER_DIGITS = 5
# More digits than a float keeps exactly: spreadsheets change such numbers.
_EXACT_DIGITS = 15

# A list of values needs this many rows for each of them, and short texts.
_ROWS_PER_MEMBER = 5
_MEMBER_CHARACTERS = 40

_ROOM = (10, 20, 30, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)

# If this share of the values is of a kind, the others are probably mistakes.
_NEARLY = 0.8
_ENOUGH = 5

_WORDS = {INTEGER: "integers", NUMBER: "numbers", BOOLEAN: "true or false"}


@dataclass(frozen=True)
class ColumnDraft:
    """The rules of a column, and what is unsure of them, a sentence each."""

    rules: dict[str, Any]
    notes: tuple[str, ...]


def draft_column(facts: ColumnFacts, *, day_first: bool | None = None) -> ColumnDraft:
    """Return rules that every value of a column keeps.

    Parameters
    ----------
    day_first
        Whether days come before months in dates of other columns; None if those do not tell.
    """
    if not facts.values:
        return ColumnDraft({}, ("empty in every row, so that nothing is known of its values",))
    notes: list[str] = []
    rules = _rules(facts, day_first, notes)
    notes += _doubts(facts, rules)
    if facts.empty:
        rules["x-empty"] = True
    return ColumnDraft(rules, tuple(notes))


def tells_day_first(facts: ColumnFacts) -> bool | None:
    """Return whether days come before months in a column of dates; None if it does not tell."""
    formats = date_formats(facts)
    first = {_is_day_first(each) for each in formats if each[0] != "Y"}
    return first.pop() if len(first) == 1 else None


def date_formats(facts: ColumnFacts) -> list[str]:
    """Return the formats of dates that every value has, those with leading zeros first."""
    found = [kind for kind in facts.kinds() if is_date_format(kind) and facts.every(kind)]
    return sorted(found, key=lambda each: (-len(each), each))


def looks_like_identifier(facts: ColumnFacts) -> bool:
    """Return whether a column's name or its digits are those of an identifier."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", facts.name)
    if _IDENTIFIERS & {word.lower() for word in words}:
        return True
    one_length = facts.shortest == facts.longest >= _IDENTIFIER_DIGITS
    return facts.shape.digits_only and one_length and facts.unique and facts.values > 1


def _rules(facts: ColumnFacts, day_first: bool | None, notes: list[str]) -> dict[str, Any]:
    if facts.every(BOOLEAN):
        return {"type": "boolean"}
    if formats := date_formats(facts):
        return {"format": _choose_format(formats, day_first, notes)}
    if found := next(filter(facts.every, TEXT_FORMATS), ""):
        return {"format": found}
    return _number_rules(facts, notes) or _text_rules(facts, notes)


def _number_rules(facts: ColumnFacts, notes: list[str]) -> dict[str, Any]:
    """Return rules for numbers; none if the values are not, or no amounts."""
    if facts.every(NUMBER):
        if _is_no_amount(facts, notes):
            return {}
        kind = "integer" if facts.every(INTEGER) else "number"
        return {"type": kind} if facts.count(NEGATIVE) else {"type": kind, "minimum": 0}
    kind = next(filter(facts.every, WRITTEN_NUMBERS), "")
    if not kind:
        return {}
    notes.append(_written(facts, kind))
    return {"pattern": WRITTEN_NUMBERS[kind]}


def _text_rules(facts: ColumnFacts, notes: list[str]) -> dict[str, Any]:
    if members := _members(facts):
        notes.append(
            f"lists the {number_of(len(members), 'value')} that occur: other values would be "
            "rejected"
        )
        return {"enum": members}
    if pattern := facts.shape.pattern():
        notes.append("all values are built alike: the pattern would reject others")
        return {"pattern": pattern}
    room = next((size for size in _ROOM if size >= facts.longest), facts.longest)
    least = {} if facts.empty else {"minLength": 1}
    return {"type": "string", **least, "maxLength": room}


def _is_no_amount(facts: ColumnFacts, notes: list[str]) -> bool:
    """Return whether texts that could be numbers are better taken as texts."""
    if count := facts.count(LEADING_ZERO):
        notes.append(
            f"a text, not a number, because of {number_of(count, 'value')} with a 0 in front"
        )
    elif exponents := facts.count(EXPONENT):
        notes.append(
            f"a text, because of {number_of(exponents, 'value')} such as 1E5, which may be codes"
        )
    elif facts.longest > _EXACT_DIGITS and facts.every(INTEGER):
        notes.append("a text: it has more digits than spreadsheets keep")
    elif looks_like_identifier(facts) and facts.every(INTEGER):
        notes.append("digits taken as an identifier: if they are amounts, declare type integer")
    else:
        return False
    return True


def _written(facts: ColumnFacts, kind: str) -> str:
    both = all(facts.every(each) for each in WRITTEN_NUMBERS)
    with_comma = "a comma before the decimals" if kind == DECIMAL_COMMA else "commas at thousands"
    doubt = ", or with commas at thousands" if both else ""
    return (
        f"numbers written with {with_comma}{doubt}: a pattern checks them, because type number "
        "takes a point and no other sign"
    )


def _members(facts: ColumnFacts) -> list[str]:
    """Return the values to list, if they are few."""
    listed = facts.listed
    if listed is None or len(listed) < 2 or facts.values < _ROWS_PER_MEMBER * len(listed):
        return []
    texts = facts.shape.digits_only or looks_like_identifier(facts)
    return [] if texts or facts.longest > _MEMBER_CHARACTERS else sorted(listed)


def _is_day_first(date_format: str) -> bool:
    return date_format.index("D") < date_format.index("M")


def _choose_format(formats: list[str], day_first: bool | None, notes: list[str]) -> str:
    """Return one of the formats that all values have."""
    by_order: dict[bool, str] = {}
    for each in formats:
        if each[0] != "Y":
            by_order.setdefault(_is_day_first(each), each)
    if len(by_order) < 2:
        chosen = formats[0]
        if chosen == "YYYYMMDD":
            notes.append("digits taken as dates (YYYYMMDD): if they are numbers, say so")
        return chosen
    chosen = by_order[day_first is not False]
    other = by_order[day_first is False]
    why = "as in other columns" if day_first is not None else "a guess"
    notes.append(f"could be {other} as well, because no day is above 12: {chosen} is {why}")
    return chosen


def _doubts(facts: ColumnFacts, rules: dict[str, Any]) -> Iterator[str]:
    """Yield what a person should look at in values that the rules accept."""
    if count := facts.count(BLANKS):
        yield f"blanks around {number_of(count, 'value')}"
    if facts.values > 1 and facts.listed is not None and len(facts.listed) == 1:
        yield "has the same value in every row"
    if rules.get("type") == "string" or "pattern" in rules or "enum" in rules:
        yield from _nearly(facts)


def _nearly(facts: ColumnFacts) -> Iterator[str]:
    """Say that most values are of a kind, and what the others look like."""
    # Of formats that fit as well, the longest says most.
    dates = sorted(filter(is_date_format, facts.kinds()), key=len, reverse=True)
    kinds = (*_WORDS, *TEXT_FORMATS, *dates)
    counts = {kind: facts.count(kind) for kind in kinds if not facts.every(kind)}
    best = max(counts, key=counts.__getitem__, default="")
    if not best or counts[best] < max(_ENOUGH, _NEARLY * facts.values):
        return
    what = _WORDS.get(best, f"of the format {best}")
    say = f'"type": "{best}"' if best in _WORDS else f'"format": "{best}"'
    if best in (INTEGER, NUMBER) and looks_like_identifier(facts):
        what, say = "digits", '"pattern": "^[0-9]+$"'
    yield (
        f"{counts[best]:,} of {number_of(facts.values, 'value')} are {what}, but not "
        f"{_short(facts, best)}: {say} would reject the others"
    )


def _short(facts: ColumnFacts, kind: str) -> str:
    return repr(facts.first_without(kind)[:40])


def common_order(facts: Collection[ColumnFacts]) -> bool | None:
    """Return whether days come before months; None if the file does not tell, or is mixed."""
    told = {tells_day_first(each) for each in facts} - {None}
    return told.pop() if len(told) == 1 else None
