"""The executions of a job's main workflow: where they are, and what Step Functions says of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from batchcore import jobs

from batchops.errors import translated

if TYPE_CHECKING:
    from batchops.stack import Stack


def execution_arn(stack: Stack, job_id: str, attempt: int) -> str:
    """Return the ARN that the main workflow's execution of an attempt has, started or not."""
    machine = stack.outputs["MainOrchestratorArn"].replace(":stateMachine:", ":execution:")
    return f"{machine}:{jobs.execution_name(job_id, attempt)}"


def find_execution(stack: Stack, job_id: str, attempt: int) -> dict[str, Any] | None:
    """Return what Step Functions says of an attempt's execution, None where there is none.

    Step Functions forgets an execution 90 days after its end (AWS Step Functions quotas).
    """
    states, arn = stack.client("stepfunctions"), execution_arn(stack, job_id, attempt)
    with translated(f"reading attempt {attempt} of job {job_id!r}"):
        try:
            found: dict[str, Any] = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return None
        return found


def read_history(stack: Stack, job_id: str, attempt: int) -> Iterator[Any]:
    """Yield the events of an attempt's execution, see `read_events`."""
    return read_events(stack, execution_arn(stack, job_id, attempt))


def read_events(stack: Stack, arn: str) -> Iterator[Any]:
    """Yield an execution's events, none where there is none; at most 25,000 (AWS quota)."""
    states = stack.client("stepfunctions")
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=arn, includeExecutionData=False, PaginationConfig={"PageSize": 1000}
    )
    with translated(f"reading the history of execution {arn.rsplit(':', 1)[-1]!r}"):
        try:
            for page in pages:
                yield from page["events"]
        except states.exceptions.ExecutionDoesNotExist:
            return
