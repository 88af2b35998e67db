"""Read a job's results as a person does, ``errors()`` and ``output()``, without the engine.

Errors come as the items of ErrorTable, the output as a file, so what is measured is the package's
own work on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchcore import items
from batchcore.records import reject
from batchcore.schema import Violation

from batchops.core.ledger import ErrorItem
from batchops.inspection import frames
from tools.benchmarks.bucket import INPUT_KEY, JOB
from tools.benchmarks.inputs import write_input
from tools.benchmarks.work import Work, nothing

_TIME = "2026-11-23T06:00:00.000Z"


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:
    """Return the work of reading the errors, one a row, or the output of `chunk_rows` rows."""
    import pandas as pd  # noqa: F401  (not part of what is measured)

    if step == "errors":
        return (lambda: _read_errors(chunk_rows)), nothing
    file = folder / INPUT_KEY
    write_input(file, "sample", rows=chunk_rows)

    def read_output() -> None:
        with file.open("rb") as body:
            frames.completed_frame(body, delimiter=",")

    return read_output, nothing


def _read_errors(rows: int) -> None:
    frames.errors_frame(ErrorItem(items.plain(item)) for item in _error_items(rows))


def _error_items(rows: int) -> Iterator[dict[str, Any]]:
    fault = Violation("Country", "maxLength", "x" * 51, "50", "has 51 characters")
    for row in range(2, rows + 2):
        bad = reject({"row": row, "raw": "a,b,c\n"}, stage="validate", key="1", faults=[fault])
        yield from items.error_items(bad, job=JOB, chunk=1, attempt=1, time=_TIME, ttl=1)
