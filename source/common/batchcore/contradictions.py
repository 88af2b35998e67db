"""Find rules of a column that no value keeps all of, although each of them alone makes sense.

What is told is certain. A pattern is judged only if it is a row of characters and classes with
counts, such as ``^[A-Z]{2}-[0-9]+$``; others, and formats of texts, may contradict unnoticed.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from batchcore.dates import is_date_format, length_range
from batchcore.readings import NUMERIC, NUMERIC_RULES, implied_type, to_decimal
from batchcore.texts import number_of

_ATOM = re.compile(
    r"(\[\^?(?:\\[dws.\-\]/]|[^\]\\\[&~^])+\]|\\[dws.\-/+*?()$^|]|[^\\\[\](){}|*+?.^$]|\.)"
    r"(\{(\d+)(,?)(\d*)\}|[*+?])?"
)
_COUNTS = {"": (1, 1), "*": (0, math.inf), "+": (1, math.inf), "?": (0, 1)}
# The characters of values that a type reads.
_CHARACTERS = {
    "integer": "0123456789-",
    "number": "0123456789-+.eE",
    "boolean": "trueTRUEfalsFALS",
}
_LENGTHS = {"boolean": (4, 5), "integer": (1, math.inf), "number": (1, math.inf)}
_FORMAT_LENGTHS = {"uuid": (36, 36), "ipv4": (7, 15), "date": (10, 10), "date-time": (20, math.inf)}

_LOW = ("minimum", "exclusiveMinimum")
_HIGH = ("maximum", "exclusiveMaximum")

Length = tuple[float, float, str]


def contradiction(rules: Mapping[str, Any]) -> str:
    """Return which of a column's canonical rules no value keeps together, or an empty text."""
    sets = list(rule_sets(rules))
    types = dict.fromkeys(implied_type(each) for each in sets)
    if "boolean" in types and types.keys() & {*NUMERIC}:
        return f"no value is of type {' and '.join(each for each in types if each != 'string')}"
    if found := no_number(_joined_limits(sets)):
        return found
    lengths = [length for each in sets for length in _lengths(each)]
    least = max(lengths, key=lambda length: length[0], default=None)
    most = min(lengths, key=lambda length: length[1], default=None)
    if least and most and least[0] > most[1]:
        return (
            f"no value keeps both {least[2]}, which needs {number_of(int(least[0]), 'character')} "
            f"or more, and {most[2]}, which allows {most[1]:g}"
        )
    for pattern in (each["pattern"] for each in sets if "pattern" in each):
        for each in sets:
            for what, characters in _alphabets(each):
                if any(low and not re.search(atom, characters) for atom, low, _ in _atoms(pattern)):
                    return f"no {what} matches the pattern {pattern}"
    return ""


def rule_sets(rules: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a column's rules, and the sets of rules within."""
    if isinstance(rules, Mapping):
        yield rules
        parts = rules.get("allOf", ())
        for part in parts if isinstance(parts, list) else ():
            yield from rule_sets(part)


def _lengths(rules: Mapping[str, Any]) -> Iterator[Length]:
    """Yield how many characters a value has by each rule, at least and at most."""
    if "minLength" in rules:
        yield rules["minLength"], math.inf, f"minLength {rules['minLength']}"
    if "maxLength" in rules:
        yield 0, rules["maxLength"], f"maxLength {rules['maxLength']}"
    kind, form = implied_type(rules), rules.get("format")
    if kind in _LENGTHS:
        yield *_LENGTHS[kind], f"type {kind}"
    if kind == "integer":
        yield from _digits(rules)
    if isinstance(form, str) and is_date_format(form):
        yield *length_range(form), f"format {form}"
    elif form in _FORMAT_LENGTHS:
        yield *_FORMAT_LENGTHS[form], f"format {form}"
    if atoms := _atoms(rules.get("pattern")):
        pattern = rules["pattern"]
        whole = pattern.startswith("^") and pattern.endswith("$")
        most = sum(high for *_, high in atoms) if whole else math.inf
        yield sum(low for _, low, _ in atoms), most, f"pattern {pattern}"


def _digits(rules: Mapping[str, Any]) -> Iterator[Length]:
    low, high = to_decimal(rules.get("minimum")), to_decimal(rules.get("maximum"))
    if low is not None and low > 0:
        yield len(str(math.ceil(low))), math.inf, f"minimum {rules['minimum']}"
    if high is not None and high < 0:
        yield len(str(math.floor(high))), math.inf, f"maximum {rules['maximum']}"


def _alphabets(rules: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the characters that values have by the rules, and what such values are."""
    kind, form = implied_type(rules), rules.get("format")
    if kind in _CHARACTERS:
        yield f"{kind} that can be read" if kind == "boolean" else kind, _CHARACTERS[kind]
    if isinstance(form, str) and is_date_format(form):
        shown = "YYYY-MM-DD" if form == "date" else form
        yield f"date in the format {form}", "0123456789" + re.sub("[DMYhms]", "", shown)


def _atoms(pattern: Any) -> list[tuple[str, float, float]]:
    """Return a pattern's characters and classes, each with its least and greatest count.

    The list is empty if the pattern has anything else in it.
    """
    if not isinstance(pattern, str) or re.search(r"--|\|\||&&|~~", pattern):
        return []
    inner, at = pattern.removeprefix("^"), 0
    found: list[tuple[str, float, float]] = []
    inner = inner[:-1] if inner.endswith("$") and not inner.endswith("\\$") else inner
    while at < len(inner):
        match = _ATOM.match(inner, at)
        if match is None:
            return []
        atom, count, low, comma, high = match.groups(default="")
        least, most = _COUNTS.get(count, (0, 0))
        if low:
            least = int(low)
            most = int(high) if high else math.inf if comma else least
        found.append((atom, least, most))
        at = match.end()
    return found


def no_number(rules: Mapping[str, Any]) -> str:
    """Return the limits that no number keeps, or an empty text."""
    kind = implied_type(rules)
    if kind not in NUMERIC or _has_number(rules):
        return ""
    limits = ", ".join(f"{n} {rules[n]}" for n in NUMERIC_RULES if n in rules)
    return f"no {kind} keeps all of {limits}"


def _joined_limits(sets: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the limits of all sets of rules for numbers, of each kind the narrowest."""
    sets = [each for each in sets if implied_type(each) in NUMERIC]
    kinds = {implied_type(each) for each in sets}
    found: dict[str, Any] = {"type": min(kinds, default="string")}
    for keywords, narrowest in ((_LOW, max), (_HIGH, min)):
        for keyword in keywords:
            if limits := [each[keyword] for each in sets if keyword in each]:
                found[keyword] = narrowest(limits, key=Fraction)
    if steps := [each["multipleOf"] for each in sets if "multipleOf" in each]:
        found["multipleOf"] = steps[0]  # of several one is enough to tell, or none is told
    return found


def _has_number(rules: Mapping[str, Any]) -> bool:
    """Return whether any number keeps the rules for numbers."""
    limits = {n: to_decimal(rules[n]) or Decimal(0) for n in NUMERIC_RULES if n in rules}
    lows = [(Fraction(limits[n]), n.startswith("ex")) for n in _LOW if n in limits]
    highs = [(Fraction(limits[n]), n.startswith("ex")) for n in _HIGH if n in limits]
    if not lows or not highs:
        return True
    # Of two limits that are equal, the exclusive one counts.
    low, above = max(lows)
    high, below = min(highs, key=lambda limit: (limit[0], not limit[1]))
    step = Fraction(limits["multipleOf"]) if "multipleOf" in limits else None
    if implied_type(rules) == "integer":
        # Multiples that are integers are multiples of this.
        step = Fraction(step.numerator if step else 1)
    if step is None:
        return low < high or (low == high and not above and not below)
    first = math.ceil(low / step) * step
    if first == low and above:
        first += step
    return first < high or (first == high and not below)
