"""Find what delimits a file that no schema is known for."""

from __future__ import annotations

import csv
from collections import Counter
from contextlib import suppress
from itertools import islice

from batchcore import csvtext, jobs
from batchcore.errors import FileError
from batchcore.headers import OTHER_DELIMITERS

from batchops.core.errors import InputError

BLOCK_BYTES = 1024 * 1024

# Records that tell the delimiter, and how many of them must have as many fields as the header.
_TRIED_RECORDS = 50
_AGREEING = 0.8


def choose_delimiter(head: bytes, name: str, *, given: str | None) -> str:
    """Return the delimiter that is given, as itself or by name, or the one that a file has.

    Raises
    ------
    InputError
        If the one that is given cannot delimit fields, or see `find_delimiter`.
    """
    if given is None:
        return find_delimiter(head, name)
    try:
        return jobs.parse_delimiter(given)
    except ValueError as error:
        raise InputError(str(error)) from error


def find_delimiter(head: bytes, name: str) -> str:
    """Return what delimits a file, by its first records.

    Raises
    ------
    InputError
        If the first row has another number of fields than the rows below.
    """
    best, most, other = ",", 1, (0, 0)
    for delimiter in OTHER_DELIMITERS:
        width, *below = _widths(head, delimiter) or [0]
        agreeing = sum(each == width for each in below) >= _AGREEING * len(below)
        if width > most and agreeing:
            best, most = delimiter, width
        usual, times = Counter(below).most_common(1)[0] if below else (0, 0)
        if len(below) > 1 and usual > max(1, other[1]) and times > len(below) / 2:
            other = width, usual
    if most == 1 and other[0] != other[1]:
        raise InputError(
            f"row 1 of {name} is no header of the rows below: it has {_fields(other[0])}, and they "
            f"have {other[1]}. Delete the lines above the names of the columns, or give each row "
            "as many fields as the header"
        )
    return best


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _widths(head: bytes, delimiter: str) -> list[int]:
    """Return the numbers of fields of the first records, as far as they can be read."""
    complete = head if len(head) < BLOCK_BYTES else head[: head.rfind(b"\n") + 1]
    found = csvtext.iter_records(complete.removeprefix(csvtext.BOM), delimiter=delimiter)
    raws = (raw for raw in found if not csvtext.is_blank(raw))
    widths: list[int] = []
    # The head may end within a record, and another delimiter may leave quotes open.
    with suppress(FileError, csv.Error):
        for raw in islice(raws, _TRIED_RECORDS):
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            widths.append(len(csvtext.parse_row(text, delimiter=delimiter)))
    return widths
