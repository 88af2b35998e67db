"""The bucket of the benchmarks, a folder: its keys and its manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batchcore import jobs, keys

BUCKET = "bench-bucket"
INPUT_KEY = "input/orders.csv"
JOB = jobs.job_id(BUCKET, INPUT_KEY, "v1")


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """Return the chunks that the split made."""
    found: list[dict[str, Any]] = json.loads((folder / keys.manifest(JOB, 1)).read_bytes())
    return found


def record_lines(folder: Path, key_of: Callable[[str, int], str]) -> list[Path]:
    """Write what a step stored of each chunk as JSON lines, which other tools read; return them.

    A line has a row's ``row`` and ``raw``, with its ``fields`` or its ``values``.
    """
    return [_write_lines(folder / key_of(JOB, c["number"])) for c in read_manifest(folder)]


def _write_lines(stored: Path) -> Path:
    place = stored.with_suffix(".jsonl")
    with place.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(stored))
    return place


def _rows(stored: Path) -> Iterator[dict[str, Any]]:
    found = json.loads(stored.read_bytes())
    for place, (row, raw) in enumerate(zip(found["rows"], found["raw"], strict=True)):
        if "fields" in found:
            rest: Any = {"fields": {name: of[place] for name, of in found["fields"].items()}}
        else:
            rest = {"values": found["values"][place]}
        yield {"row": row, "raw": raw, **rest}
