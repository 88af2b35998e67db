"""Read texts as the types of a schema: `integer`, `number` and `boolean`.

A value is the text between two delimiters, and its column's type says how that text is read.
Numbers are compared exactly, as decimals. The text itself never changes.
"""

from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Any

TYPES = ("string", "integer", "number", "boolean")

# Digits are 0 to 9. An integer has no point, a number may have an exponent; neither has blanks, a
# plus sign in front, or separators of thousands. Exponents have three digits at most, so that a
# short text cannot make a number whose digits fill the memory.
PATTERNS = {
    "integer": "^-?[0-9]+$",
    "number": "^-?[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$",
    "boolean": "^(?:true|True|TRUE|false|False|FALSE)$",
}
Reader = Callable[[str], Decimal | bool | None]

_DIGITS = frozenset("0123456789")
_BOOLEANS = {text: text.lower() == "true" for text in ("true", "True", "TRUE")}
_BOOLEANS |= dict.fromkeys(("false", "False", "FALSE"), False)


def read_integer(text: str) -> Decimal | None:
    """Return the integer that a text is, or None."""
    digits = text[1:] if text.startswith("-") else text
    return Decimal(text) if digits and _DIGITS.issuperset(digits) else None


def read_number(text: str) -> Decimal | None:
    """Return the number that a text is, or None."""
    mantissa, letter, exponent = text.replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    if letter and not _is_exponent(exponent):
        return None
    if point and not (fraction and _DIGITS.issuperset(fraction)):
        return None
    return Decimal(text) if read_integer(whole) is not None else None


def _is_exponent(text: str) -> bool:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return 1 <= len(digits) <= 3 and _DIGITS.issuperset(digits)


def read_boolean(text: str) -> bool | None:
    """Return the truth value that a text is, or None."""
    return _BOOLEANS.get(text)


NUMERIC: Mapping[str, Callable[[str], Decimal | None]] = {
    "integer": read_integer,
    "number": read_number,
}
READERS: Mapping[str, Reader] = {**NUMERIC, "boolean": read_boolean}


# A file has few different dates, but may have many numbers.
_MOST_REMEMBERED = 16_384


class Remembered(dict[str, Any]):
    """What a function returned for texts; it is called for others when they are asked for."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        self._function = function

    def __missing__(self, text: str) -> Any:
        """Return what the function returns for a text, and remember it."""
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        value = self[text] = self._function(text)
        return value


def to_decimal(limit: Any) -> Decimal | None:
    """Return a number of a schema exactly as it is written there; None of what is no number."""
    if isinstance(limit, bool) or not isinstance(limit, int | float | Decimal):
        return None
    number = Decimal(str(limit))
    return number if number.is_finite() else None


def is_multiple(value: Decimal, factor: Decimal) -> bool:
    """Return whether a number is a whole multiple of another."""
    # With as many digits as the quotient can have, the remainder is exact.
    spread = value.adjusted() - factor.adjusted()
    digits = len(value.as_tuple().digits) + len(factor.as_tuple().digits)
    context = Context(prec=max(spread, 0) + digits + 2_100, Emax=999_999, Emin=-999_999)
    return not context.remainder(value, factor)


# What each keyword asks of a value; the limit is a Decimal.
NUMERIC_RULES: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "multipleOf": is_multiple,
}


def read_member(member: Any) -> Decimal | bool | str | None:
    """Return a member of an ``enum``, or a ``const``, as values are read."""
    return member if isinstance(member, bool | str) else to_decimal(member)


def implied_type(rules: Mapping[str, Any]) -> str:
    """Return the declared type of a column, or the one that its rules imply."""
    if "type" in rules:
        # A list of types is none of the dialect.
        return rules["type"] if isinstance(rules["type"], str) else ""
    members = [*_members(rules.get("enum")), *([rules["const"]] if "const" in rules else [])]
    if members and all(isinstance(member, bool) for member in members):
        return "boolean"
    is_numeric = members and all(to_decimal(member) is not None for member in members)
    return "number" if is_numeric or NUMERIC_RULES.keys() & rules.keys() else "string"


def _members(listed: Any) -> list[Any]:
    return listed if isinstance(listed, list) else []
