"""What the notebooks need: a stack, a job to look at, and a fault to learn from."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import jobs, keys, workflow

from batchops.core.errors import translated
from batchops.samples.sample import CHUNK_ROWS, ROWS, make_sample

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.stack import Stack

NAME = "orders.csv"

_ROLE = "ReadFileRole"
_POLICY = "batchops-sample-fault"
# A changed policy reaches every part of IAM within seconds; how many is not promised (IAM user
# guide, on eventual consistency).
_SETTLE_S = {"aws": 15.0, "local": 0.0}


def sample_stack(stack: Stack, *, timeout_s: float = 3600) -> Stack:
    """Deploy a stack with the sample's reference data, unless it is there; return the stack.

    Chunks have 600 rows, as in the first notebook. On the local engine, that is started, too. On
    AWS a new stack takes mail addresses: deploy it with these instead.

    Raises
    ------
    InputError, StackError, PackagingError, AwsError, EngineError
    """
    if stack.target.engine is not None:
        stack.target.engine.start()  # unless it runs already
    if not stack.status().deployed:
        with tempfile.TemporaryDirectory(prefix="batchops-") as folder:
            files = make_sample(ROWS).write(Path(folder))
            stack.deploy(
                reference_data=files.reference, FileChunkSize=CHUNK_ROWS, timeout_s=timeout_s
            )
    return stack


def sample_job(stack: Stack, *, rows: int = ROWS, new: bool = False, timeout_s: float = 600) -> Job:
    """Return the last job of the sample that succeeded at its first attempt, or run one.

    Jobs that were rerun or repaired are passed over, so the job always has the rows that
    ``make_sample(rows)`` says.

    Parameters
    ----------
    stack
        A stack with the sample's reference data.
    rows
        Rows of the sample.
    new
        Run one in any case, for somebody who changes the job.
    timeout_s
        Seconds to wait for a new job at most.

    Raises
    ------
    StackNotFoundError, AwsError, WaitTimeoutError, JobFailedError
    """
    sample = make_sample(rows)
    if not new:
        found = stack.jobs(name=NAME, status=workflow.SUCCEEDED)
        counts = found[["rows_in", "rows_rejected", "attempt"]]
        wanted = (counts == [rows, len(sample.bad_rows), 1]).all(axis=1) & (found["file"] == NAME)
        if wanted.any():
            return stack.job(found.loc[wanted, "job"].iloc[0])
    job = stack.submit(sample.csv, name=NAME)
    job.wait(timeout_s=timeout_s)
    return job


@contextmanager
def sample_fault(stack: Stack, *, file: str, chunks: Sequence[int] = (2,)) -> Iterator[None]:
    """Make some chunks of one file fail while the block runs; other jobs go on as usual.

    The role of the function read-file gets a policy that denies it those chunks in jobs of files of
    that name. The policy is removed at the end of the block, whatever happens in it. If the process
    is killed in the block, the next block removes it.

    Parameters
    ----------
    stack
        The stack.
    file
        The name of the file that is submitted in the block. Names with the same letters and digits
        count as the same name.
    chunks
        Numbers of the chunks that fail.

    Raises
    ------
    StackNotFoundError, AwsError
    """
    iam, policy = stack.client("iam"), {"RoleName": _role(stack), "PolicyName": _POLICY}
    document = json.dumps(_denial(stack, file, chunks))
    with translated("taking a permission away"):
        iam.put_role_policy(**policy, PolicyDocument=document)
    try:
        time.sleep(_SETTLE_S[stack.target.name])
        yield
    finally:
        with translated("giving the permission back"):
            iam.delete_role_policy(**policy)
        time.sleep(_SETTLE_S[stack.target.name])


def _role(stack: Stack) -> str:
    _ = stack.outputs  # raises where there is no such stack
    cfn = stack.client("cloudformation")
    with translated(f"looking for {_ROLE} in stack {stack.name!r}"):
        found = cfn.describe_stack_resource(StackName=stack.name, LogicalResourceId=_ROLE)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def _denial(stack: Stack, file: str, chunks: Sequence[int]) -> dict[str, object]:
    """Return the policy. A job's id is the file's name as a slug, and twelve characters more."""
    job = f"{jobs.slug(file)}-{'?' * jobs.DIGEST_LENGTH}"
    partition = stack.outputs["MainOrchestratorArn"].split(":")[1]
    bucket = f"arn:{partition}:s3:::{stack.outputs['SourceBucketName']}"
    statement = {
        "Sid": "SampleFault",
        "Effect": "Deny",
        "Action": "s3:GetObject*",
        "Resource": [f"{bucket}/{keys.chunk(job, number)}" for number in chunks],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
