"""Read a job's results as a person does, ``errors()`` and ``output()``, without the engine.

Both come as files in memory, so what is measured is the package's own work on them.
"""

from __future__ import annotations

from pathlib import Path

from batchcore.error_files import format_piece
from batchcore.records import reject
from batchcore.schema import Violation

from batchops.core.error_objects import BLOCK_BYTES, end_of_errors
from batchops.inspection import frames
from batchops.inspection.error_parsing import parse_errors
from tools.benchmarks.bucket import INPUT_KEY
from tools.benchmarks.inputs import write_input
from tools.benchmarks.work import Work, nothing

_TIME = "2026-11-23T06:00:00.000Z"


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:
    """Return the work of reading the errors, one a row, or the output of `chunk_rows` rows."""
    import pandas as pd  # noqa: F401  (not part of what is measured)

    if step == "errors":
        body = _errors_file(chunk_rows)
        return (lambda: _read_errors(body)), nothing
    file = folder / INPUT_KEY
    write_input(file, "sample", rows=chunk_rows)

    def read_output() -> None:
        with file.open("rb") as body:
            frames.completed_frame(body, delimiter=",")

    return read_output, nothing


def _errors_file(rows: int) -> bytes:
    """Return errors, one a row, as the file has them."""
    fault = Violation("Country", "maxLength", "x" * 51, "50", "has 51 characters")
    rejected = (
        reject({"row": row, "raw": "a,b,c\n"}, stage="validate", key="1", faults=[fault])
        for row in range(2, rows + 2)
    )
    return format_piece(rejected, chunk=2, attempt=1, time=_TIME).body


def _read_errors(body: bytes) -> None:
    import pandas as pd

    frames_, start = [], 0
    while start < len(body):
        block = body[start : start + BLOCK_BYTES]
        block = block[: end_of_errors(block)]
        frames_.append(parse_errors(block))
        start += len(block)
    pd.concat(frames_, ignore_index=True)
