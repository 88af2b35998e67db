"""Texts and tables for a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from batchcore.texts import printable

_MAX_CELL_CHARACTERS = 300
_CELL_CHARACTERS = 60
_LEAST_CELL_CHARACTERS = 10
_GAP = "  "


def text_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None = None
) -> str:
    """Return a table for a terminal, with columns as wide as needed and long cells wrapped.

    Parameters
    ----------
    columns, rows
        The head, and the cells of each row.
    width
        The characters of a line that there is room for; the widest columns are narrowed to it, to
        10 characters at least. None for any number.
    """
    cells = [[printable(shorten(cell)) for cell in row] for row in [columns, *rows]]
    needed = [max(map(len, column)) for column in zip(*cells, strict=True)]
    most = _CELL_CHARACTERS
    if width is not None:
        room = width - len(_GAP) * (len(needed) - 1)
        while most > _LEAST_CELL_CHARACTERS and sum(min(each, most) for each in needed) > room:
            most -= 1
    wrapped = [[textwrap.wrap(cell, most) or [""] for cell in row] for row in cells]
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*wrapped, strict=True)
    ]
    lines = []
    for row in wrapped:
        for parts in zip_longest(*row, fillvalue=""):
            line = _GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True))
            lines.append(line.rstrip())
    return "\n".join(lines)


def width_of_output() -> int | None:
    """Return the characters in a line of the terminal; None where the output goes elsewhere."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def shorten(text: str, length: int = _MAX_CELL_CHARACTERS) -> str:
    """Return a text cut to a length; by default to that of a table's cell."""
    return text if len(text) <= length else f"{text[: length - 4]} ..."
