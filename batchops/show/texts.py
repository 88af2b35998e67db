"""Tables and texts for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

_MAX_CELL_CHARACTERS = 300
_CELL_CHARACTERS = 60


def text_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table for a terminal: columns as wide as they need be, long cells wrapped."""
    wrapped = [
        [textwrap.wrap(printable(cell), _CELL_CHARACTERS) or [""] for cell in row]
        for row in [columns, *rows]
    ]
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*wrapped, strict=True)
    ]
    lines = []
    for row in wrapped:
        for parts in zip_longest(*row, fillvalue=""):
            line = "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True))
            lines.append(line.rstrip())
    return "\n".join(lines)


def printable(text: str) -> str:
    """Return a text, shortened, that can neither break a line nor colour a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shorten(text))


def shorten(text: str) -> str:
    """Return a text as long as a cell of a table may be."""
    if len(text) <= _MAX_CELL_CHARACTERS:
        return text
    return text[: _MAX_CELL_CHARACTERS - 4] + " ..."
