"""The bucket of the benchmarks, a folder: its keys and its manifest."""

from __future__ import annotations

import json
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
