"""The AWS CLI and awswrangler use the local engine as they use AWS, by `batchops engine env`.

Neither is a dependency of the tests: each is large, and the AWS CLI wants a botocore of its own. So
these are the calls that they make, by a boto3 that knows nothing of batchops, in a process of its
own. The AWS CLI itself is tried where it is on the PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from e2e.jobs import TIMEOUT_S, wait_until
from e2e.rows import order, to_csv

from batchops.local.other_clients import as_exports, as_profile

if TYPE_CHECKING:
    from pathlib import Path

    from batchops.job import Job
    from batchops.local.engine import LocalEngine
    from batchops.stack import Stack

# `s3 cp` is s3transfer; awswrangler's read_csv lists, asks for the size and reads a range of bytes.
CALLS = """
import io, json, sys
import boto3, pandas
path, bucket, key, machine = sys.argv[1:5]
s3 = boto3.client("s3")
if path:
    s3.upload_file(path, bucket, key)
    answer = boto3.client("stepfunctions").list_executions(stateMachineArn=machine)
    print(json.dumps([each["name"] for each in answer["executions"]]))
else:
    (found,) = s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
    size = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    assert size == found["Size"]
    part = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{size - 1}")["Body"].read()
    print(len(pandas.read_csv(io.BytesIO(part))))
"""


def shell(engine: LocalEngine, *words: str, tmp_path: Path) -> str:
    """Run a command in a shell that has evaluated the lines for it, and nothing else of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        ["/bin/sh", "-c", f'{as_exports(engine.start())}\nexec "$@"', "sh", *words],
        env={**kept, "HOME": str(tmp_path), "AWS_PROFILE": "nobodys"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes(to_csv(order(place) for place in range(3)))
    return path


def ended(stack: Stack, name: str) -> Job:
    """Wait until the job of an upload that was made by other means has succeeded."""
    wait_until(lambda: not stack.jobs(name=name).empty)
    job = stack.job(stack.jobs(name=name)["job"][0])
    job.wait(timeout_s=TIMEOUT_S)
    return job


def test_an_upload_by_other_means_is_a_job_whose_file_other_programs_read(
    engine: LocalEngine, small: Stack, rows_file: Path, tmp_path: Path
) -> None:
    bucket, machine = small.outputs["SourceBucketName"], small.outputs["MainOrchestratorArn"]
    python = (sys.executable, "-c", CALLS)
    key = "input/by-other-means.csv"
    shell(engine, *python, str(rows_file), bucket, key, machine, tmp_path=tmp_path)
    job = ended(small, "by-other-means.csv")
    names = shell(engine, *python, str(rows_file), bucket, "other/x", machine, tmp_path=tmp_path)
    assert job.id in json.loads(names)
    completed = f"jobs/{job.id}/completed/by-other-means.csv"
    rows = shell(engine, *python, "", bucket, completed, machine, tmp_path=tmp_path)
    assert int(rows) == len(job.output())


@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not on the PATH")
def test_the_aws_cli_uses_the_engine_by_a_profile(
    engine: LocalEngine, small: Stack, rows_file: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(as_profile(engine.start(), "engine"), encoding="utf-8")
    bucket, machine = small.outputs["SourceBucketName"], small.outputs["MainOrchestratorArn"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = {**kept, "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "engine"}

    def aws(*words: str) -> str:
        return subprocess.run(
            ["aws", *words], env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        ).stdout

    aws("s3", "cp", str(rows_file), f"s3://{bucket}/input/by-the-cli.csv")
    job = ended(small, "by-the-cli.csv")
    listed = aws("stepfunctions", "list-executions", "--state-machine-arn", machine)
    assert job.id in listed
