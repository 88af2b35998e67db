"""Hold all values of a column against the column's rules at once.

jsonschema-rs takes some 80 ns for a value that it is called for, and 4 to 35 ns for each value of a
list (one x86-64 core, November 2026). So a column is checked as a list. If it has bad values, it is
checked in runs, and value by value only where a run has one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from batchcore import dialect
from batchcore.readings import Remembered

_RUN = 64

# Compiles a schema; the result has ``is_valid``.
Compile = Callable[[dict[str, Any]], Any]


class ColumnRules:
    """The compiled rules of a column, given in canonical form."""

    def __init__(self, rules: Any, compile_schema: Compile) -> None:
        self._rules = dialect.for_verdicts(rules)
        self._compile = compile_schema
        self._passes: Remembered | None = dialect.read_check(rules)

    @cached_property
    def _all_valid(self) -> Callable[[Sequence[str]], bool]:
        found: Callable[[Sequence[str]], bool]
        found = self._compile({"type": "array", "items": self._rules}).is_valid
        return found

    @cached_property
    def _is_valid(self) -> Callable[[str], bool]:
        found: Callable[[str], bool] = self._compile({"allOf": [self._rules]}).is_valid
        return found

    def broken(self, values: Sequence[str]) -> list[int]:
        """Return the places of the values that break a rule."""
        found = []
        if not self._all_valid(values):
            for start in range(0, len(values), _RUN):
                run = values[start : start + _RUN]
                if not self._all_valid(run):
                    found += [n for n, value in enumerate(run, start) if not self._is_valid(value)]
        if self._passes is not None and not all(map(self._passes.__getitem__, values)):
            found += [place for place, value in enumerate(values) if not self._passes[value]]
        return found


def broken_places(
    rules: Mapping[str, ColumnRules], columns: Mapping[str, Sequence[str]]
) -> set[int]:
    """Return the places of the rows, given by column, that have a value that breaks a rule."""
    known = ((rules[name], values) for name, values in columns.items() if name in rules)
    return {place for rule, values in known for place in rule.broken(values)}
