"""Texts and tables for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from batchcore.texts import printable

_MAX_CELL_CHARACTERS = 300
_CELL_CHARACTERS = 60


def text_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table for a terminal, with columns as wide as needed and long cells wrapped."""
    wrapped = [
        [textwrap.wrap(printable(shorten(cell)), _CELL_CHARACTERS) or [""] for cell in row]
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


def shorten(text: str, length: int = _MAX_CELL_CHARACTERS) -> str:
    """Return a text cut to a length; by default to that of a table's cell."""
    return text if len(text) <= length else f"{text[: length - 4]} ..."
