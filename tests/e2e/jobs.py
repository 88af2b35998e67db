"""Run jobs on a deployed stack, and read what they came to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote_plus

from batchcore import jobs, keys, workflow

from batchops.core.executions import find_execution
from batchops.job import Job
from batchops.stack import Stack

# A wait ends as soon as there is what it waits for. This one is for machines that are busy.
TIMEOUT_S = 600.0
_POLL_S = 0.02


def finished(stack: Stack, data: bytes, name: str, *, check: bool = True) -> Job:
    """Submit a file and wait for its job to end, with success unless `check` is False.

    Its mail has been tried, too, and its workflow is over.
    """
    job = stack.submit(data, name=name)
    job.wait(timeout_s=TIMEOUT_S, check=check)
    while (run := find_execution(stack, job.id, 1)) and run["status"] in workflow.UNDER_WAY:
        time.sleep(_POLL_S)
    return job


def put(stack: Stack, name: str, data: bytes) -> Job:
    """Put an upload into the bucket under a name that ``submit`` may refuse; return its job."""
    bucket, key = stack.outputs["SourceBucketName"], keys.INPUT_PREFIX + name
    version = stack.client("s3").put_object(Bucket=bucket, Key=key, Body=data)["VersionId"]
    return Job(stack, jobs.job_id(bucket, key, version))


def deliver(stack: Stack, entry: Mapping[str, Any]) -> Any:
    """Hand the notification function the event that S3 made for an upload."""
    s3_object = {
        "key": quote_plus(entry["key"], safe="/"),
        "size": entry["sizeBytes"],
        "versionId": entry["versionId"],
    }
    event = {"Records": [{"s3": {"bucket": {"name": entry["bucket"]}, "object": s3_object}}]}
    answer = stack.client("lambda").invoke(
        FunctionName=f"{stack.name}-s3-lambda-notification", Payload=json.dumps(event).encode()
    )
    return json.loads(answer["Payload"].read())


def finish_all(stack: Stack, files: Mapping[str, bytes], *, check: bool = True) -> dict[str, Job]:
    """Run files as jobs, two at a time, and return the jobs by the files' names.

    Each call of a function that runs beside another starts a process, which takes longer than the
    work of a small job: so more at a time are slower.
    """
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda name: finished(stack, files[name], name, check=check), files)
        return dict(zip(files, done, strict=True))


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(_POLL_S)


def stored(job: Job, key: str) -> bytes:
    """Return an object of the job's bucket."""
    bucket = job.entry()["bucket"]
    body: bytes = job.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def completed(job: Job) -> bytes:
    """Return the completed file as it is stored."""
    return stored(job, job.entry()["completedKey"])


def rejected(job: Job) -> bytes:
    """Return the rejects file as it is stored."""
    return stored(job, job.entry()["rejectedKey"])
