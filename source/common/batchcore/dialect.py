"""Compile a schema in which types say how text is read, with jsonschema-rs.

`canonical` brings a document into one form; `for_violations` and `for_verdicts` turn that into the
two documents that are compiled. The first keeps every keyword, so that each broken rule is found
under its name. The second is fast: types are checked by patterns, and `read_check` does the rest.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from batchcore.dates import date_pattern, is_date_format
from batchcore.readings import (
    NUMERIC,
    NUMERIC_RULES,
    PATTERNS,
    READERS,
    TYPES,
    Remembered,
    implied_type,
    read_member,
    to_decimal,
)

EMPTY = "x-empty"
# Rules that are checked here, not by jsonschema-rs, where a column's type is not string.
_READ_RULES = ("type", "enum", "const", *NUMERIC_RULES)
# Keywords whose parts `for_verdicts` leaves as they are.
_COMPOSITES = frozenset(("$ref", "$dynamicRef", "anyOf", "oneOf", "not", "if"))


def canonical(rules: Any, document: Mapping[str, Any]) -> Any:
    """Return a column's rules in one form.

    Its definition stands in place of a reference to it, the type that the rules imply is named, and
    ``anyOf`` with an empty text has become ``x-empty``. What is not of the dialect stays as it is.
    """
    if not isinstance(rules, dict):
        return rules
    rules = _without_empty_choice(_resolved(rules, document))
    if "allOf" in rules and isinstance(rules["allOf"], list):
        rules = {**rules, "allOf": [canonical(part, document) for part in rules["allOf"]]}
    implied = implied_type(rules)
    return {"type": implied, **rules} if implied in READERS else rules


def _resolved(rules: dict[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    seen: set[str] = set()
    while isinstance(pointer := rules.get("$ref"), str) and pointer not in seen:
        seen.add(pointer)
        home, _, name = pointer.removeprefix("#/").partition("/")
        shared = document.get(home) if home in ("$defs", "definitions") else None
        target = shared.get(name) if isinstance(shared, dict) else None
        others = {keyword: value for keyword, value in rules.items() if keyword != "$ref"}
        if not isinstance(target, dict) or target.keys() & others.keys():
            break
        rules = {**target, **others}
    return rules


def _without_empty_choice(rules: dict[str, Any]) -> dict[str, Any]:
    choices = rules.get("anyOf")
    if not isinstance(choices, list) or not all(isinstance(each, dict) for each in choices):
        return rules
    given = [each for each in choices if not is_empty_choice(each)]
    others = {keyword: value for keyword, value in rules.items() if keyword != "anyOf"}
    alone = not others.keys() - {"title", "description", "$comment", "examples", "type"}
    if len(given) != 1 or len(given) == len(choices) or not alone:
        return rules
    return {**others, **given[0], EMPTY: True}


def is_empty_choice(rules: Mapping[str, Any]) -> bool:
    """Return whether rules accept the empty text alone."""
    limits = {keyword: value for keyword, value in rules.items() if keyword != "type"}
    return rules.get("type", "string") == "string" and limits in (
        {"maxLength": 0},
        {"const": ""},
        {"enum": [""]},
    )


def for_violations(rules: Any) -> Any:
    """Return canonical rules as jsonschema-rs is to apply them, every keyword under its name."""
    if not isinstance(rules, dict):
        return rules
    found = {n: v for n, v in rules.items() if n != EMPTY}
    if isinstance(found.get("allOf"), list):
        found["allOf"] = [for_violations(part) for part in found["allOf"]]
    return _with_empty(found, rules)


def for_verdicts(rules: Any) -> Any:
    """Return rules for a quick answer without reasons, which `read_check` completes."""
    if not isinstance(rules, dict):
        return rules
    kind = implied_type(rules)
    dropped = {EMPTY, "type"} if rules.get("type") in TYPES else {EMPTY}
    patterns = []
    found = {n: v for n, v in rules.items() if n not in dropped}
    if kind in READERS:
        patterns.append(PATTERNS[kind])
        found = {n: v for n, v in found.items() if n not in _READ_RULES}
    date_format = found.get("format")
    if isinstance(date_format, str) and is_date_format(date_format):
        pattern = date_pattern(date_format)
        if pattern is not None:
            del found["format"]
            patterns.append(pattern)
    if isinstance(found.get("allOf"), list):
        found["allOf"] = [for_verdicts(part) for part in found["allOf"]]
    if patterns:
        parts = [{"pattern": pattern} for pattern in patterns]
        found["allOf"] = [*found.get("allOf", []), *parts]
    return _with_empty(found, rules)


def is_text(rules: Any) -> bool:
    """Return whether a column's values are taken as texts, not as numbers or booleans."""
    if not isinstance(rules, dict):
        return True
    return implied_type(rules) == "string" and all(map(is_text, rules.get("allOf", [])))


def is_plain(rules: Any) -> bool:
    """Return whether `for_verdicts` knows every keyword of a column's rules."""
    if not isinstance(rules, dict):
        return True
    parts = rules.get("allOf", [])
    return not _COMPOSITES & rules.keys() and isinstance(parts, list) and all(map(is_plain, parts))


def read_check(rules: Any) -> Remembered | None:
    """Return what tells of each text whether it keeps the rules that no pattern can check.

    A column without such rules has none.
    """
    checks = list(_read_checks(rules))
    return Remembered(lambda text: all(check(text) for check in checks)) if checks else None


def _read_checks(rules: Any) -> Iterator[Callable[[str], bool]]:
    if not isinstance(rules, dict):
        return
    kind = implied_type(rules)
    if kind in READERS:
        for keyword in _READ_RULES:
            if keyword != "type" and keyword in rules:
                yield rule_check(keyword, rules[keyword], kind)
    for part in rules.get("allOf", ()):
        yield from _read_checks(part)


def _with_empty(found: dict[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """Add what ``x-empty`` says: an empty value passes all rules, or never does."""
    if rules.get(EMPTY) is True:
        return {"if": {"minLength": 1}, "then": found}
    # Types other than string, and formats, refuse empty texts by themselves.
    if rules.get(EMPTY) is False and implied_type(rules) == "string" and "format" not in rules:
        least = found.get("minLength", 0)
        return {**found, "minLength": max(least, 1) if isinstance(least, int) else least}
    return found


class _Rule:
    """A keyword that is checked here; jsonschema-rs makes one for each place of the schema."""

    keyword: str

    def __init__(self, parent_schema: dict[str, Any], value: Any, _path: list[Any]) -> None:
        kind = implied_type(parent_schema)
        self._passes = rule_check(self.keyword, value, kind)

    def validate(self, instance: Any) -> None:
        if isinstance(instance, str) and not self._passes(instance):
            raise ValueError(f"does not keep the rule {self.keyword}")


def rule_check(keyword: str, limit: Any, kind: str) -> Callable[[str], bool]:
    """Return a function that tells whether a text keeps a rule of a column of a type.

    A text that the type cannot read breaks the rule ``type`` alone.
    """
    if keyword == "type":
        reader = READERS.get(limit) if isinstance(limit, str) else None
        # Columns' values are text, whatever other types may be listed.
        accepts = limit == "string" or (isinstance(limit, list) and "string" in limit)
        return (lambda _: accepts) if reader is None else lambda text: reader(text) is not None
    if keyword in ("enum", "const"):
        return _member_check(limit if keyword == "enum" else [limit], kind)
    number = to_decimal(limit)
    if number is None or kind not in NUMERIC:
        return lambda _: True
    compare, read = NUMERIC_RULES[keyword], NUMERIC[kind]
    return lambda text: (value := read(text)) is None or compare(value, number)


def _member_check(listed: list[Any], kind: str) -> Callable[[str], bool]:
    members = [read_member(member) for member in listed]
    if kind not in READERS:
        return frozenset(member for member in members if isinstance(member, str)).__contains__
    read = READERS[kind]
    # True equals 1 in Python, so the type counts as well.
    pairs = {(type(member), member) for member in members}
    return lambda text: (value := read(text)) is None or (type(value), value) in pairs


def _keyword(name: str) -> type[_Rule]:
    return type(f"_Rule_{name}", (_Rule,), {"keyword": name})


NAMED_KEYWORDS = {name: _keyword(name) for name in _READ_RULES}
