"""Write rows of text as CSV in UTF-8."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_BATCH_ROWS = 1_000


class _Echo:
    """A file for `csv.writer`, whose writerow() then returns the formatted line."""

    write = staticmethod(str)


def write_csv(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, delimiter: str, above: int = 0
) -> Iterator[bytes]:
    """Yield the bytes of a CSV file.

    A row without fields becomes a blank line, which no job takes for a record but which counts as
    a row.

    Parameters
    ----------
    above
        Blank lines above the header.
    """
    # csv quotes a field with a line break only if the writer's own terminator contains it.
    writer: Any = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\r\n")
    lines = ["\n" * above + writer.writerow(columns)[:-2]]
    for row in rows:
        lines.append(writer.writerow(row)[:-2] if row else "")
        if len(lines) >= _BATCH_ROWS:
            yield "\n".join([*lines, ""]).encode()
            lines.clear()
    if lines:
        yield "\n".join([*lines, ""]).encode()
