"""Read a job's errors on the local engine, as a person does: ``errors()``, ``why()`` and others.

The folder is that of `tools.benchmarks.errors`, whose engine runs; a step is ``verb:job``.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine
from batchops.stack import Stack
from tools.benchmarks.work import Work, nothing

ENGINE = "engine"
ERRORS_FILE = "errors.csv"
FIXED_FILE = "fixed.csv"


def prepare(step: str, folder: Path, _chunk_rows: int) -> Work:
    """Return the work of one verb; ``read_csv`` reads the same file with pandas alone."""
    import pandas as pd

    verb, _, job_id = step.partition(":")
    job = Stack("bench", engine=LocalEngine(folder / ENGINE, checkout_root() / ".batchops")).job(
        job_id
    )
    verbs: dict[str, Callable[[], object]] = {
        "errors()": job.errors,
        "iter_errors()": lambda: sum(map(len, job.iter_errors())),
        "why()": job.why,
        "balance()": job.balance,
        "first page": job.error_page,
        "plan of a repair": lambda: job.repair(folder / job_id / FIXED_FILE),
        "read_csv": lambda: pd.read_csv(folder / job_id / ERRORS_FILE),
    }
    # What is made on first use, imports and connections, is not measured.
    pd.read_csv(io.BytesIO(b"a\n1\n"))
    job.status()
    job.error_page(lines=1)
    return verbs[verb], nothing
