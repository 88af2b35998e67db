"""Find a value that a column accepts and one that it rejects; both are tried on the schema."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import rstr
from batchcore.contradictions import rule_sets
from batchcore.dates import is_date_format
from batchcore.readings import NUMERIC, implied_type, to_decimal
from batchcore.schema import RecordSchema
from batchcore.schema_messages import as_text

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T23:59:59Z",
    "time": "23:59:59Z",
    "duration": "P1DT12H",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "www.example.com",
    "idn-hostname": "www.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/a",
    "uri-reference": "/a/b",
    "iri": "https://example.com/a",
    "iri-reference": "/a/b",
    "uri-template": "https://example.com/{id}",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "json-pointer": "/a/0",
    "relative-json-pointer": "1/a",
    "regex": "^[0-9]+$",
}
_DATE_PARTS = {"YYYY": "2026", "YY": "26", "hh": "23", "h": "9", "mm": "59", "ss": "59"}
# Texts for a pattern; of those that match, the shortest is shown.
_TRIES = 30
_LONGEST = 10_000


def accepted_value(schema: RecordSchema, column: str) -> str | None:
    """Return a value that a column accepts, an empty one only if no other is found.

    None is returned if none is found, as for a pattern that Python cannot read.
    """
    sets = list(rule_sets(schema.properties[column]))
    candidates = [each for rules in sets for each in _candidates(rules)]
    for text in (*candidates, *_LAST):
        if text and not schema.column_violations(column, text):
            return text
    return None if schema.column_violations(column, "") else ""


def rejected_value(schema: RecordSchema, column: str, accepted: str | None) -> str | None:
    """Return a value that a column rejects; None if none is found, as of a text without rules."""
    sets = list(rule_sets(schema.properties[column]))
    beyond = [each for rules in sets for each in _beyond(rules)]
    changed = [accepted + "x", accepted.swapcase(), f" {accepted}"] if accepted else []
    for text in (*beyond, *changed, "", "abc", "?"):
        if schema.column_violations(column, text):
            return text
    return None


# Texts of several kinds, for rules that ask for little.
_LAST = ("abc", "1", "A", "x y", "2026-01-31", "true", "a1")


def _candidates(rules: Mapping[str, Any]) -> Iterator[str]:
    yield from map(as_text, rules.get("enum", ()))
    if "const" in rules:
        yield as_text(rules["const"])
    if "format" in rules:
        yield _formatted(str(rules["format"]))
    if "pattern" in rules:
        yield from _matching(rules["pattern"])
    if implied_type(rules) in NUMERIC:
        yield from _numbers(rules)
    if implied_type(rules) == "boolean":
        yield "true"
    least, most = rules.get("minLength", 0), rules.get("maxLength", _LONGEST)
    yield from (("abcdefgh" * (size // 8 + 1))[:size] for size in (least, min(most, 8), most))


def _formatted(name: str, *, day: str = "28") -> str:
    if not is_date_format(name):
        return _FORMATS.get(name, "")
    text = name
    for part in ("YYYY", "YY", "hh", "h", "mm", "ss"):
        text = text.replace(part, _DATE_PARTS[part])
    for letter, two in (("D", day), ("M", "11")):
        text = text.replace(letter * 2, two).replace(letter, two)
    return text


def _matching(pattern: str) -> Iterator[str]:
    """Yield texts that match a pattern as Python reads it, the shortest first."""
    found = set()
    for seed in range(_TRIES):
        try:
            found.add(rstr.Rstr(random.Random(seed)).xeger(pattern))  # noqa: S311  (an example)
        except Exception:  # of Python's parser, which does not read every pattern
            return
    yield from sorted(found, key=lambda text: (not text.isprintable(), len(text), text))


def _numbers(rules: Mapping[str, Any]) -> Iterator[str]:
    """Yield numbers at and near the limits."""
    limits = list(_limits(rules))
    step = to_decimal(rules.get("multipleOf", 1)) or Decimal(1)
    for low in (*limits, Decimal(1)):
        whole = (low / step).to_integral_value() * step
        for number in (whole, whole + step, whole - step, low, low + 1, low - 1):
            yield _plain(number)
    yield from (_plain((low + high) / 2) for low, high in pairwise(limits))


def _limits(rules: Mapping[str, Any]) -> Iterator[Decimal]:
    for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        limit = to_decimal(rules.get(keyword))
        if limit is not None:
            yield limit


def _beyond(rules: Mapping[str, Any]) -> Iterator[str]:
    """Yield values that rules are there to reject."""
    if implied_type(rules) in NUMERIC:
        yield from (_plain(limit + more) for limit in _limits(rules) for more in (1, -1))
        yield from ("1.5", "12 pieces")
    if implied_type(rules) == "boolean":
        yield "yes"
    name = str(rules.get("format", ""))
    if is_date_format(name):
        # A day that no month has.
        yield _formatted(name, day="31")
    members = [as_text(each) for each in rules.get("enum", ())]
    yield from (each.swapcase() for each in members if each.swapcase() not in members)
    if rules.get("minLength", 0) > 1:
        yield "a" * (rules["minLength"] - 1)
    if rules.get("maxLength", _LONGEST) < _LONGEST:
        yield "a" * (rules["maxLength"] + 1)


def _plain(number: Decimal) -> str:
    """Return a number without exponent or zeros behind its point."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
