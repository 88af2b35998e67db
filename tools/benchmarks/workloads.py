"""Describe any number of sample orders as a workload, without writing the file."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache

from batchcore.schema import RecordSchema

from batchops.core.project import checkout_root
from batchops.deployment.settings import shipped_settings
from batchops.planning.scan import scan_file
from batchops.planning.workload import Workload
from batchops.samples.sample import make_sample

_SCANNED_ROWS = 20_000


def sample_workload(
    rows: int, chunk_rows: int, *, bad_share: float = 0.03, max_concurrency: int | None = None
) -> Workload:
    """Return the workload of so many sample orders, scaled up from a file that is scanned.

    Parameters
    ----------
    max_concurrency
        Chunks that the stack runs at a time, if not as many as by default.
    """
    scanned = _scanned(bad_share)
    factor = rows / scanned.rows
    grown = {
        name: round(getattr(scanned, name) * factor)
        for name in (
            "size_bytes",
            "rejected",
            "errors",
            "error_writes",
            "keys",
            "output_bytes",
            "rejects_bytes",
            "errors_bytes",
        )
    }
    settings = scanned.settings
    if max_concurrency:
        settings = replace(settings, max_concurrency=max_concurrency)
    return replace(scanned, rows=rows, settings=settings, **grown).rechunked(chunk_rows)


@cache
def _scanned(bad_share: float) -> Workload:
    schema = RecordSchema.load(checkout_root() / "source" / "schema" / "record.schema.json")
    file = io.BytesIO(make_sample(_SCANNED_ROWS, bad_share=bad_share).csv)
    settings = replace(shipped_settings(), chunk_rows=_SCANNED_ROWS)
    return scan_file(file, schema=schema, settings=settings).work
