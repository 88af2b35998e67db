"""Say in words which rule of a schema a value breaks."""

import unicodedata
from typing import Any

from batchcore.dates import is_date_format
from batchcore.texts import number_of

_TYPES = {
    "integer": "an integer (digits, with - in front if it is negative)",
    "number": "a number (such as 12, -0.5 or 1.5e3)",
    "boolean": "true or false",
}
_FORMATS = {
    "date": "a date in the format YYYY-MM-DD",
    "date-time": "a date and time such as 2026-01-31T12:00:00Z",
}
_BOUNDS = {
    "minimum": "less than",
    "maximum": "more than",
    "exclusiveMinimum": "not more than",
    "exclusiveMaximum": "not less than",
    "multipleOf": "not a multiple of",
}


def explain(rule: str, value: str, limit: Any, fallback: str, *, may_be_empty: bool) -> str:
    """Return what is wrong with a value.

    Parameters
    ----------
    fallback
        What to say of rules that have no words here.
    may_be_empty
        Whether an empty value would be accepted, so that the message names it too.
    """
    if rule == "maxLength":
        return f"has {number_of(len(value), 'character')}, but at most {limit} are allowed"
    if rule == "minLength":
        return (
            f"has {number_of(len(value), 'character')}, but at least {limit} are needed"
            if value
            else "is empty"
        )
    text = _explain_value(rule, value, limit)
    if text is None:
        return fallback
    return f"{text}, and not empty" if may_be_empty else text


def _explain_value(rule: str, value: str, limit: Any) -> str | None:
    if rule in ("enum", "const"):
        members = limit if rule == "enum" else [limit]
        listed = ", ".join(as_text(member) for member in members)
        text = f"is not one of {listed}" if rule == "enum" else f"is not {listed}"
        twin = _twin(value, members)
        return text if twin is None else f"{text}: {twin}"
    if rule == "type" and isinstance(limit, str) and limit in _TYPES:
        return f"is not {_TYPES[limit]}"
    if rule == "format":
        if is_date_format(limit):
            return f"is not a date in the format {limit}"
        return f"is not {_FORMATS.get(limit, f'a valid {limit}')}"
    if rule == "pattern":
        return f"does not match {limit}"
    return f"is {_BOUNDS[rule]} {limit}" if rule in _BOUNDS else None


def as_text(member: Any) -> str:
    """Return a member of an ``enum`` as the text that a file has for it."""
    return str(member).lower() if isinstance(member, bool) else str(member)


def _twin(value: str, members: list[Any]) -> str | None:
    """Say that a value looks like a member, if only its Unicode normalisation differs."""
    for member in members:
        if isinstance(member, str) and unicodedata.normalize("NFKC", value) == (
            unicodedata.normalize("NFKC", member)
        ):
            return (
                f"it looks like {member!r}, but its letters and accents are encoded in another way "
                f"({_form(value)} here, {_form(member)} in the schema; Unicode normalisation)"
            )
    return None


def _form(text: str) -> str:
    if unicodedata.is_normalized("NFC", text):
        return "NFC"
    return "NFD" if unicodedata.is_normalized("NFD", text) else "a mixed form"
