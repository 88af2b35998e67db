"""Find what delimits a file that no schema is known for."""

from __future__ import annotations

import csv
from itertools import islice

from batchcore import csvtext
from batchcore.headers import OTHER_DELIMITERS

from batchops.core.errors import InputError

BLOCK_BYTES = 1024 * 1024

# Records that tell the delimiter, and how many of them must have as many fields as the header.
_TRIED_RECORDS = 50
_AGREEING = 0.8


def find_delimiter(head: bytes, name: str) -> str:
    """Return what delimits a file, by its first records.

    Raises
    ------
    InputError
        If the first row has one field only, and those below have several.
    """
    best, most, title = ",", 1, False
    for delimiter in OTHER_DELIMITERS:
        width, *below = _widths(head, delimiter) or [0]
        agreeing = sum(each == width for each in below) >= _AGREEING * len(below)
        if width > most and agreeing:
            best, most = delimiter, width
        # One field above several that are alike.
        title = title or (width == 1 and len(below) > 1 and len({*below}) == 1 < below[0])
    if most == 1 and title:
        raise InputError(
            f"row 1 of {name} is no header: it has one field, and the rows below have several. "
            "Delete the lines above the names of the columns"
        )
    return best


def _widths(head: bytes, delimiter: str) -> list[int]:
    """Return the numbers of fields of the first records."""
    complete = head if len(head) < BLOCK_BYTES else head[: head.rfind(b"\n") + 1]
    data = complete.removeprefix(csvtext.BOM)
    found = csvtext.iter_records(data, delimiter=delimiter)
    raws = islice((raw for raw in found if not csvtext.is_blank(raw)), _TRIED_RECORDS)
    texts = [raw.decode("utf-8", "replace").rstrip("\r\n") for raw in raws]
    try:
        return [len(csvtext.parse_row(text, delimiter=delimiter)) for text in texts]
    except csv.Error:
        return []
