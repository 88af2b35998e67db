"""Time the parts of a cold start: ``python -m tools.benchmarks.work.imports FOLDER``.

The imports that a function makes, group by group in the order in which they build on each other,
in a Python that has imported nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import pairwise


def main() -> None:
    """Import a function's parts, and print the milliseconds that each took as JSON."""
    marks = [time.perf_counter()]
    import boto3  # noqa: F401

    marks.append(time.perf_counter())
    from aws_lambda_powertools import Logger  # noqa: F401

    marks.append(time.perf_counter())
    import batchcore.records
    import batchcore.runtime
    import batchcore.schema  # noqa: F401

    marks.append(time.perf_counter())
    _import_app()
    marks.append(time.perf_counter())
    parts = ("boto3", "powertools", "batchcore", "app")
    spans = pairwise(marks)
    milliseconds = [round((end - start) * 1000, 1) for start, end in spans]
    sys.stdout.write(json.dumps(dict(zip(parts, milliseconds, strict=True))))


def _import_app() -> None:
    import importlib.util

    path = sys.argv[1]
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    spec = importlib.util.spec_from_file_location("app", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


if __name__ == "__main__":
    main()
