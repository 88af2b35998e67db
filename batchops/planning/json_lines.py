"""Read JSON lines (.jsonl) as text: one object per line, whose names are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any

from batchops.core.errors import InputError
from batchops.planning.cell_text import cell_text
from batchops.planning.frame_text import FrameText, check_names

_SHOWN_BYTES = 20


def json_text(file: IO[bytes]) -> FrameText:
    """Return the text of JSON lines. Numbers are the text that stands in the file.

    Raises
    ------
    InputError
        If a line is no object, or has a value that is a list or an object.
    """
    start = file.tell()
    names = list(dict.fromkeys(name for _, record in _records(file) for name in record))
    if not names:
        raise InputError("there are no objects in the JSON lines")
    check_names(names, what="JSON lines")

    def rows() -> Iterator[Sequence[str]]:
        file.seek(start)
        for line, record in _records(file):
            yield [_text(record.get(name), name, line) for name in names]

    return FrameText(tuple(names), rows())


def _text(value: Any, name: str, line: int) -> str:
    try:
        return cell_text(value)
    except ValueError as error:
        raise InputError(f"the value of {name!r} in line {line:,}: {error}") from error


def _records(file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each object with the number of its line."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(
                line.decode("utf-8-sig" if number == 1 else "utf-8"),
                parse_float=str,
                parse_int=str,
                parse_constant=str,
                object_pairs_hook=partial(_unique, number),
            )
        except RecursionError as error:
            raise InputError(f"line {number:,} is nested too deeply") from error
        except json.JSONDecodeError as error:
            what = f"{error.msg} at character {error.pos + 1}"
            raise InputError(f"line {number:,} is no JSON: {what}") from error
        except ValueError as error:
            raise InputError(f"line {number:,} is no JSON: {error}") from error
        if not isinstance(record, dict):
            raise InputError(
                f"line {number:,} is no JSON object: there is one per line, as in "
                '{"id": "007", "quantity": 1}'
            )
        yield number, record


def _unique(line: int, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError(f"line {line:,} has a name twice in one object")
    return found
