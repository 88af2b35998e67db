"""Write input files of any size: sample orders unchanged, without quotes, all quoted, or wide."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

from batchops.samples.sample import sample_rows

# As many different rows as the largest chunk has, so that no chunk has a key twice.
DISTINCT_ROWS = 20_000

SHAPES = {
    "sample": "sample orders: 2 % of the rows have a quoted field, some of those a newline in it",
    "plain": "the same without quotes",
    "quoted": "the same with every field quoted",
    "wide": "the same with a column of 1,000 characters on top",
}
_WIDE_TEXT = "x" * 1_000


def write_input(path: Path, shape: str, *, size_bytes: int = 0, rows: int = 0) -> int:
    """Write a valid file of a size or a number of rows, and return its rows.

    Parameters
    ----------
    path
        The file; its folder is created.
    shape
        One of `SHAPES`.
    size_bytes, rows
        The minimum of bytes, or the exact number of rows; give one of the two.
    """
    header, *body = shape_lines(shape, min(DISTINCT_ROWS, rows or DISTINCT_ROWS))
    path.parent.mkdir(parents=True, exist_ok=True)
    block = b"".join(body)
    written = 0
    with path.open("wb") as file:
        file.write(header)
        while rows - written >= len(body) or file.tell() + len(block) <= size_bytes:
            file.write(block)
            written += len(body)
        for line in body:
            if written >= rows and file.tell() >= size_bytes:
                break
            file.write(line)
            written += 1
    return written


def shape_lines(shape: str, rows: int) -> list[bytes]:
    """Return the header and some rows of a shape, as lines of a file."""
    lines = [row.line for row in islice(sample_rows(rows, bad_share=0), rows + 1)]
    if shape == "sample":
        return lines
    records = list(csv.reader(io.StringIO(b"".join(lines).decode(), newline="")))
    if shape == "wide":
        records = [[*records[0], "Remark"], *([*row, _WIDE_TEXT] for row in records[1:])]
    elif shape == "plain":
        harmless = str.maketrans({",": " ", '"': "'", "\n": " "})
        records = [[field.translate(harmless) for field in row] for row in records]
    quoting = csv.QUOTE_ALL if shape == "quoted" else csv.QUOTE_MINIMAL
    return [_line(record, quoting) for record in records]


def _line(record: list[str], quoting: int) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerow(record)  # type: ignore[arg-type]
    return buffer.getvalue().encode()
