"""Load and call the stack's functions in this process, with stand-ins for S3 and DynamoDB."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
from batchcore import keys, runtime

from batchops.core.project import checkout_root
from batchops.deployment.template import load_template
from tools.benchmarks.bucket import BUCKET, INPUT_KEY, JOB

ROOT = checkout_root()
SOURCE = ROOT / "source"
START_TIME = "2026-11-23T06:00:00.000Z"


def load_with_stand_ins(folder: str, s3: Any, dynamodb: Any) -> ModuleType:
    """Import a function with the stand-ins as its clients.

    It changes the process (environment, ``boto3.client``), so it is for child processes that do
    nothing else.
    """
    os.environ.update({"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"})
    os.environ.update(_environment())
    stand_ins = {"s3": s3, "dynamodb": dynamodb}
    boto3.client = lambda service, **_: stand_ins[service]  # type: ignore[assignment]
    return load_function(folder)


def load_function(folder: str) -> ModuleType:
    """Import ``source/<folder>/app.py`` as Lambda would; its log goes nowhere."""
    schema = str(SOURCE / "schema")
    if schema not in sys.path:
        sys.path.append(schema)
    runtime.logger.registered_handler.stream = io.StringIO()  # type: ignore[attr-defined]
    name = f"bench_{folder.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, SOURCE / folder / "app.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"source/{folder} has no app.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _environment() -> dict[str, str]:
    """Return the functions' variables in the template, a placeholder for each resource."""
    template = load_template(ROOT / "template.yaml")
    found: dict[str, str] = {}
    for resource in template["Resources"].values():
        values = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        for name, value in values.items():
            parameter = template["Parameters"].get(value["Ref"]) if _is_ref(value) else None
            default = parameter.get("Default", "bench") if parameter else "bench"
            found[name] = str(default) if isinstance(value, dict) else str(value)
    return found


def _is_ref(value: Any) -> bool:
    return isinstance(value, dict) and "Ref" in value


def job_event(size_bytes: int, chunk_rows: int) -> dict[str, Any]:
    """Return the main workflow's state for the file in the stand-in's bucket."""
    return {
        "jobId": JOB,
        "attempt": 1,
        "bucket": BUCKET,
        "key": INPUT_KEY,
        "versionId": "v1",
        "sizeBytes": size_bytes,
        "parameters": {
            "chunkRows": chunk_rows,
            "delimiter": ",",
            "archiveFolder": "input_archive",
        },
    }


def chunk_event(job: dict[str, Any], chunk: dict[str, Any]) -> dict[str, Any]:
    """Return the chunk workflow's state before its first step."""
    return {
        **{name: job[name] for name in ("jobId", "attempt", "bucket", "parameters")},
        "chunk": chunk,
        "executionArn": f"arn:aws:states:us-east-1:000000000000:execution:bench:{chunk['number']}",
        "startTime": START_TIME,
    }


def done_steps(job: str, number: int) -> dict[str, Any]:
    """Return what the first three steps add to a chunk's state, in the stand-in's bucket."""
    places = {"read": keys.records, "validate": keys.valid, "enrich": keys.enriched}
    return {
        step: {"key": key_of(job, number), "versionId": "v1", "ms": 1}
        for step, key_of in places.items()
    }


def call(app: ModuleType, event: dict[str, Any]) -> dict[str, Any]:
    """Call a function's handler and return its result.

    Raises
    ------
    RuntimeError
        If the result is that the job cannot go on.
    """
    result: dict[str, Any] = app.lambda_handler(event, context())
    if "failure" in result:
        raise RuntimeError(f"{app.__name__}: {result['failure']}")
    return result


def context() -> Any:
    """Return the context that Lambda passes to a handler."""
    return SimpleNamespace(aws_request_id="bench", get_remaining_time_in_millis=lambda: 900_000)
