"""Run a whole job in one process, one function after the other: the floor of a job's time.

The same code makes the same calls to the same engine as in a job. What is missing is Step
Functions, Lambda and their events, and that anything happens at the same time. (The API is the
stack's own, with its function.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from batchcore import items, jobs, workflow

from batchops.core.loopback import NO_PROXY
from tools.benchmarks import functions
from tools.benchmarks.work.ours import FUNCTIONS

if TYPE_CHECKING:
    from batchops.stack import Stack

TIMEOUT_S = 600
# Beside input/, so that no job is started for it.
KEY = "floor/orders.csv"


def floor_seconds(stack: Stack, file: Path, *, chunk_rows: int) -> float:
    """Return the seconds of the job in one process, from the upload to the end, without imports.

    Raises
    ------
    subprocess.SubprocessError
        If it fails or does not end.
    """
    configured = {
        folder: stack.client("lambda").get_function_configuration(
            FunctionName=f"{stack.name}-{folder}"
        )["Environment"]["Variables"]
        for folder in (*FUNCTIONS.values(), workflow.EMAIL.function)
    }
    target = stack.target.connect()
    engine = target.engine.find() if target.engine is not None else None
    if engine is None:
        raise RuntimeError("the local engine does not run")
    order = {
        "file": str(file),
        "bucket": stack.outputs["SourceBucketName"],
        "chunkRows": chunk_rows,
        "environment": {name: v for values in configured.values() for name, v in values.items()},
    }
    access = {
        "AWS_ENDPOINT_URL": engine.endpoint_url,
        "AWS_ACCESS_KEY_ID": engine.access_key_id,
        "AWS_SECRET_ACCESS_KEY": engine.secret_access_key,
        "AWS_REGION": engine.region,
        "AWS_DEFAULT_REGION": engine.region,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tools.benchmarks.floor"],
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **access, **NO_PROXY},
    )
    return float(json.loads(done.stdout)["seconds"])


def main() -> None:
    """Read an order from standard input, carry it out, and answer on standard output."""
    order = json.load(sys.stdin)
    # What functions print, such as metrics, goes nowhere.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        seconds = _run(order)
    json.dump({"seconds": seconds}, sys.stdout)


def _run(order: dict[str, Any]) -> float:
    os.environ.update(order["environment"])
    apps = {step: functions.load_function(folder) for step, folder in FUNCTIONS.items()}
    mail = functions.load_function(workflow.EMAIL.function)
    started = time.perf_counter()
    job = _enter(Path(order["file"]), order["bucket"], order["chunkRows"])
    split = functions.call(apps["split"], job)
    body = boto3.client("s3").get_object(Bucket=job["bucket"], Key=split["manifestKey"])["Body"]
    for chunk in json.loads(body.read()):
        event = functions.chunk_event(job, chunk)
        for step in ("read", "validate", "enrich", "write"):
            event[step] = functions.call(apps[step], event)
    functions.call(apps["merge"], {**job, "split": split})
    functions.call(mail, job)
    return time.perf_counter() - started


def _enter(file: Path, bucket: str, chunk_rows: int) -> dict[str, Any]:
    """Upload the file and enter the job into the ledger."""
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    with file.open("rb") as body:
        version = s3.put_object(Bucket=bucket, Key=KEY, Body=body)["VersionId"]
    job = {
        **functions.job_event(file.stat().st_size, chunk_rows),
        "jobId": jobs.job_id(bucket, KEY, version),
        "bucket": bucket,
        "key": KEY,
        "versionId": version,
    }
    entry = {
        "entry": items.JOB_ENTRY,
        "status": workflow.SUBMITTED,
        "startTime": items.utc_now(),
        **{name: job[name] for name in ("jobId", "bucket", "key", "attempt")},
    }
    dynamodb.put_item(TableName=os.environ["JOB_TABLE"], Item=items.attributes(entry))
    return job


if __name__ == "__main__":
    main()
