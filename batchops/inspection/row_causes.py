"""Group rejected rows that have one cause, such as a repeated header.

A row that is no record breaks many rules at once. Counted by rule, one such line looks like many
faults. `group_rows` looks at whole rows, one at a time, and keeps counts only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

from batchcore import quoting
from batchcore.headers import OTHER_DELIMITERS
from batchcore.items import MAX_RAW_CHARACTERS
from batchcore.texts import number_of

# Stage, column and rule.
Rule = tuple[str, str, str]

# From this number of rules on, rows that break the same ones are one cause.
_ALIKE = 5
# Sets of rules to remember; rows with further ones are counted by rule.
_MOST_SETS = 5_000
_NAMED_RULES = 4
# After this many rows that break rules of the same columns and are not shifted, no other is tried.
_MOST_TRIES = 100

HEADER_AGAIN = "looks like the header again"
BLANK = "has no values, only delimiters"
FOOTER = "looks like a footer or a total"
NOTE = "has text in one field only, like a note or a comment"

# All of a footer's first field; "Total SA" may be somebody's name.
_FOOTER = re.compile(
    r"((grand|sub)[ -]?)?(totals?|sum(me|s)?|gesamt(summe)?|average|count|records?|rows?)"
    r"( (count|total|affected|selected|exported|of (rows|records)))?[ :=]*[\d.,]*"
    r"|\(?\d+ (rows?|records?)( (affected|selected|exported|in set))?[.)]*"
    r"|-* ?end[ -]of[ -](file|report|data) ?-*|eof|trailer",
    re.IGNORECASE,
)


class RowError(Protocol):
    """An error of the ledger, or a line of `Job.errors` as a named tuple."""

    @property
    def source_row(self) -> int:
        """The row in the uploaded file."""
        ...

    @property
    def stage(self) -> str:
        """The step that found it."""
        ...

    @property
    def column(self) -> str:
        """The column; empty for the row as a whole."""
        ...

    @property
    def rule(self) -> str:
        """The rule."""
        ...

    @property
    def value(self) -> str:
        """The value that breaks it."""
        ...

    @property
    def raw(self) -> str:
        """The row's text."""
        ...


@dataclass(frozen=True)
class RowGroup:
    """Rejected rows of one cause.

    Attributes
    ----------
    what : str
        What is seen, as a predicate of the row: ``looks like the header again``.
    rows : int
        The number of rows.
    first_row, last_row : int
        The first and the last of them, the header being row 1.
    """

    what: str
    rows: int
    first_row: int
    last_row: int


@dataclass(frozen=True)
class RuleGroup:
    """Errors of one rule: their number, the first one's row, and the value there."""

    rule: Rule
    errors: int
    source_row: int
    value: str


@dataclass(frozen=True)
class RowLook:
    """Tells what a rejected row looks like.

    Attributes
    ----------
    columns : sequence of str
        The names in the upload's header.
    delimiter : str
        The file's delimiter.
    broken : callable
        Returns the columns in which a row, given as a mapping, breaks a rule of the schema.
    """

    columns: Sequence[str]
    delimiter: str
    broken: Callable[[Mapping[str, str]], Iterable[str]]
    _unshifted: Counter[Any] = field(default_factory=Counter, init=False, repr=False)

    def describe(self, raw: str, rules: Sequence[Rule]) -> str:
        """Return what a row looks like; empty if it looks like any other.

        Parameters
        ----------
        raw
            The row's text.
        rules
            The rules that it breaks.
        """
        if len(raw) > MAX_RAW_CHARACTERS:  # a longer one is cut in an error
            return ""
        fields = [each.strip() for each in _fields(raw, self.delimiter)]
        if not any(fields):
            return BLANK
        if _folded(fields) == _folded(self.columns):
            return HEADER_AGAIN
        if len(fields) != len(self.columns):
            other = self._other_delimiter(raw)
            found = f"is delimited by {other!r}, not by {self.delimiter!r}" if other else ""
            return found or self._remark(fields)
        return (self._remark(fields) or self._shift(fields, rules)) if len(rules) > 1 else ""

    def _remark(self, fields: list[str]) -> str:
        filled = [each for each in fields if each]
        if _FOOTER.fullmatch(filled[0]):
            return FOOTER
        return NOTE if len(filled) == 1 and len(self.columns) > 2 else ""

    def _other_delimiter(self, raw: str) -> str:
        width = len(self.columns)
        others = [d for d in OTHER_DELIMITERS if d != self.delimiter and width > 1]
        return next((d for d in others if len(_fields(raw, d)) == width), "")

    def _shift(self, fields: list[str], rules: Sequence[Rule]) -> str:
        """Say from which column on a row's values fit one column further left or right."""
        named = frozenset(column for _, column, _ in rules)
        places = [n for n, name in enumerate(self.columns) if name in named]
        # Judging a row takes a hundred times as long as counting it.
        if len(places) < 2 or self._unshifted[named] >= _MOST_TRIES:
            return ""
        at = places[0]
        moved = {
            # A value too many stands there, and the last one was lost; or one is missing there.
            "left": ([*fields[:at], *fields[at + 1 :], ""], len(fields) - 1),
            "right": ([*fields[:at], "", *fields[at:-1]], at),
        }
        for values, unknown in moved.values():
            row = dict(zip(self.columns, values, strict=True))
            if not set(self.broken(row)) - {self.columns[unknown]}:
                return f"has its values shifted by one column, from {self.columns[at]!r} on"
        self._unshifted[named] += 1
        return ""


def _fields(raw: str, delimiter: str) -> list[str]:
    fields = next(quoting.parse_rows([raw.rstrip("\r\n")], delimiter=delimiter), [])
    if fields is quoting.STRAY_TEXT:
        return quoting.shown_fields(raw.rstrip("\r\n"), delimiter=delimiter)
    return list(fields)


def _folded(names: Iterable[str]) -> list[str]:
    return [name.strip().casefold() for name in names]


@dataclass
class _Rows:
    """Rows that look or break rules alike."""

    rules: tuple[Rule, ...]
    values: tuple[str, ...]
    first_row: int
    count: int = 0
    last_row: int = field(default=0)

    def add(self, row: int) -> None:
        self.count += 1
        self.last_row = row


def group_rows(
    errors: Iterable[RowError], look: RowLook | None = None
) -> tuple[list[RowGroup], list[RuleGroup]]:
    """Return groups of rows that have one cause, and the rules that all other rows break.

    Each row is in one group, or its errors are counted by rule. Both lists begin with the most
    frequent.

    Parameters
    ----------
    errors
        A job's errors, ordered by row.
    look
        Tells what a row looks like; without it rows are grouped by their rules only.
    """
    seen: dict[Any, _Rows] = {}
    for row, found in groupby(errors, key=lambda error: error.source_row):
        for kind, rules, values in _kinds(list(found), look, full=len(seen) >= _MOST_SETS):
            seen.setdefault(kind, _Rows(rules, values, row)).add(row)
    groups = [
        RowGroup(_what(kind), rows.count, rows.first_row, rows.last_row)
        for kind, rows in seen.items()
        if _is_group(kind, rows)
    ]
    by_rule = _by_rule(rows for kind, rows in seen.items() if not _is_group(kind, rows))
    return sorted(groups, key=lambda group: -group.rows), by_rule


_Kind = tuple[Any, tuple[Rule, ...], tuple[str, ...]]


def _kinds(errors: list[RowError], look: RowLook | None, *, full: bool) -> Iterator[_Kind]:
    """Yield what a row counts as: one kind, or its rules one by one."""
    rules = tuple((error.stage, error.column, error.rule) for error in errors)
    values = tuple(error.value for error in errors)
    what = look.describe(errors[0].raw, rules) if look else ""
    if what:
        yield what, (), ()
    elif len(rules) >= _ALIKE and not full:
        yield rules, rules, values
    else:
        for rule, value in zip(rules, values, strict=True):
            yield (rule,), (rule,), (value,)


def _is_group(kind: Any, rows: _Rows) -> bool:
    return isinstance(kind, str) or (len(rows.rules) >= _ALIKE and rows.count > 1)


def _what(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    named = [f"{column or 'the row'} {rule}" for _, column, rule in kind[:_NAMED_RULES]]
    more = f" and {len(kind) - _NAMED_RULES} more" if len(kind) > _NAMED_RULES else ""
    return f"breaks the same {number_of(len(kind), 'rule')}: {', '.join(named)}{more}"


def _by_rule(rows: Iterable[_Rows]) -> list[RuleGroup]:
    counts: Counter[Rule] = Counter()
    firsts: dict[Rule, tuple[int, str]] = {}
    for each in rows:
        for rule, value in zip(each.rules, each.values, strict=True):
            counts[rule] += each.count
            firsts[rule] = min(firsts.get(rule, (each.first_row, value)), (each.first_row, value))
    return [RuleGroup(rule, count, *firsts[rule]) for rule, count in counts.most_common()]
