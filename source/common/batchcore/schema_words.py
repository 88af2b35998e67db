"""Name places in a schema, and say which keyword was probably meant."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

# Names of other validators and data frames, and what they are called here.
_SYNONYMS = {
    "min": "minimum",
    "max": "maximum",
    "minvalue": "minimum",
    "maxvalue": "maximum",
    "minlen": "minLength",
    "maxlen": "maxLength",
    "length": "minLength and maxLength",
    "size": "maxLength",
    "regex": "pattern",
    "regexp": "pattern",
    "values": "enum",
    "choices": "enum",
    "allowed": "enum",
    "oneof": "enum",
    "dtype": "type",
    "datatype": "type",
    "dateformat": "format",
    "nullable": "x-empty",
    "null": "x-empty",
    "empty": "x-empty",
    "allowempty": "x-empty",
    "blank": "x-empty",
    "optional": "x-empty",
    "divisibleby": "multipleOf",
    "key": "x-key",
    "note": "$comment",
    "comment": "$comment",
}


def pointer(place: str, *parts: object) -> str:
    """Return the JSON pointer of something below a place."""
    steps = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "/".join((place, *steps))


def half_look_up(document: Mapping[str, object]) -> str:
    """Return what a schema with only one of ``x-key`` and ``x-enrichment`` lacks, or ""."""
    lacking = [name for name in ("x-key", "x-enrichment") if name not in document]
    if len(lacking) != 1:
        return ""
    return (
        f"needs {lacking[0]!r} as well: add it, or leave both out, and rows are not looked up in "
        "any reference data"
    )


def meant(word: str, known: Iterable[str]) -> str:
    """Return which of the known words was probably meant, or an empty text."""
    plain = {_plain(each): each for each in known}
    if _plain(word) in plain:
        return plain[_plain(word)]
    synonym = _SYNONYMS.get(_plain(word), "")
    if synonym.split(" ")[0] in plain.values():
        return synonym
    close = get_close_matches(_plain(word), plain, n=1, cutoff=0.7)
    return plain[close[0]] if close else ""


def _plain(word: str) -> str:
    return "".join(letter for letter in word.lower().removeprefix("x-") if letter.isalnum())


def unknown_keyword(
    keyword: str, known: Iterable[str], advice: Mapping[str, str], owner: str
) -> str:
    """Return why a keyword is refused, and what to write instead."""
    if keyword in advice:
        return f"does not belong here: {advice[keyword]}"
    known = list(known)
    found = meant(keyword, known)
    if found:
        return f"unknown keyword; did you mean {found}?"
    return f"unknown keyword; {owner} may have {', '.join(known)}"
