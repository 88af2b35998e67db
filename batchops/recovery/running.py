"""What still runs of a job, and how it is stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from batchops.core.errors import WaitTimeoutError, translated
from batchops.core.executions import execution_arn

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef


def stop_execution(job: JobRef, arn: str, *, cause: str) -> bool:
    """Stop an execution; False if it has ended by itself."""
    states = job.stack.client("stepfunctions")
    with translated(f"stopping {arn.rsplit(':', 1)[-1]}"):
        try:
            states.stop_execution(executionArn=arn, error="Stopped", cause=cause)
        except states.exceptions.ExecutionDoesNotExist:
            return False
        except ClientError as error:
            # The local engine refuses to stop what has ended, where AWS says nothing.
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            return False
    return True


def stop_chunks(job: JobRef, attempt: int, *, cause: str, timeout_s: float) -> list[int]:
    """Stop the chunk workflows of an attempt whose main workflow has been stopped.

    Step Functions stops the children of a Distributed Map with their parent, and what they have
    started as well as it can; the local engine goes on with the next chunk. So this stops what it
    finds until the map itself has ended.

    Returns
    -------
    list of int
        The chunks that were stopped, in order.

    Raises
    ------
    WaitTimeoutError
        If chunks still run when the time is up.
    """
    deadline = time.monotonic() + timeout_s
    stopped: set[int] = set()
    while True:
        under_way = _map_is_running(job, attempt)
        running = list(_running_chunks(job, attempt))
        stopped.update(n for n, arn in running if stop_execution(job, arn, cause=cause))
        if not under_way and not running:
            return sorted(stopped)
        if time.monotonic() >= deadline:
            raise WaitTimeoutError(
                f"chunks of attempt {attempt} of job {job.id} still run after {timeout_s:g} s of "
                "stopping them: repeat this",
                job_id=job.id,
            )
        time.sleep(job.stack.target.poll_s)


def _map_is_running(job: JobRef, attempt: int) -> bool:
    states = job.stack.client("stepfunctions")
    with translated(f"reading the chunks of job {job.id!r} that run"):
        try:
            found = states.list_map_runs(executionArn=execution_arn(job.stack, job.id, attempt))[
                "mapRuns"
            ]
        except states.exceptions.ExecutionDoesNotExist:
            return False
        runs = (states.describe_map_run(mapRunArn=run["mapRunArn"]) for run in found)
        return any(run["status"] == "RUNNING" for run in runs)


def _running_chunks(job: JobRef, attempt: int) -> Iterator[tuple[int, str]]:
    """Yield number and ARN of each chunk workflow of an attempt that runs."""
    states = job.stack.client("stepfunctions")
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=job.stack.outputs["ProcessChunkArn"], statusFilter="RUNNING"
    )
    with translated(f"reading the chunks of job {job.id!r} that run"):
        for execution in (found for page in pages for found in page["executions"]):
            head, _, tail = execution["name"].rpartition("-a")
            owner, _, number = head.rpartition("-")
            if owner == job.id and tail == str(attempt):
                yield int(number), execution["executionArn"]
