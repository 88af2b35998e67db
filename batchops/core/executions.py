"""Executions of a job's main workflow: where they are, what their history says, how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import jobs, workflow

from batchops.core.errors import explain_failure, translated

if TYPE_CHECKING:
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

# How a job stands once nothing more will happen to it.
ENDED = frozenset({workflow.SUCCEEDED, workflow.FAILED, "ABORTED", "TIMED_OUT"})
# An execution with one of these statuses has not come to its end.
UNDER_WAY = frozenset({"RUNNING", "PENDING_REDRIVE"})

# The ledger knows an attempt, and Step Functions has no execution of it: when does that mean that
# it never started? Two policies, on purpose.
# For a status: after Lambda's own retries of the upload's event, which take some minutes (AWS
# Lambda, asynchronous invocation). What has no execution by then never gets one by itself.
REPORT_UNSTARTED_AFTER_S = 600.0
# For a rerun, much sooner: it takes the job over, and a start that comes late finds a later attempt
# and does nothing. Between the entry and the start lie seconds.
CLAIM_UNSTARTED_AFTER_S = 120.0


@dataclass(frozen=True)
class AttemptState:
    """How a job's last attempt stands.

    Attributes
    ----------
    status : str
        The ledger's status; Step Functions' where the execution ended without entering its end.
    reason : str
        Why it ended; empty if it succeeded, has not ended, or gave no reason.
    ended : bool
        Whether nothing more will happen.
    started : bool
        False if the attempt has not ended by the ledger and has no execution.
    """

    status: str
    reason: str = ""
    ended: bool = False
    started: bool = True


def attempt_state(stack: StackRef, entry: JobEntry) -> AttemptState:
    """Return how a job's last attempt stands, asking Step Functions unless the ledger has its end.

    Raises
    ------
    AwsError, EngineError
    """
    if entry.status in ENDED:
        return AttemptState(entry.status, entry.reason, ended=True)
    execution = find_execution(stack, entry.job_id, entry.attempt)
    if execution is None:
        return AttemptState(entry.status, started=False)
    if execution["status"] in UNDER_WAY | {workflow.SUCCEEDED}:
        return AttemptState(entry.status)
    # An execution that was stopped could not enter its own end.
    error, cause = execution.get("error", ""), execution.get("cause", "")
    reason = explain_failure(error, cause) if error else ""
    return AttemptState(execution["status"], reason, ended=True)


def execution_arn(stack: StackRef, job_id: str, attempt: int) -> str:
    """Return the ARN that the main workflow's execution of an attempt has, started or not."""
    machine = stack.outputs["MainOrchestratorArn"].replace(":stateMachine:", ":execution:")
    return f"{machine}:{jobs.execution_name(job_id, attempt)}"


def find_execution(stack: StackRef, job_id: str, attempt: int) -> dict[str, Any] | None:
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


def read_history(stack: StackRef, job_id: str, attempt: int) -> Iterator[Any]:
    """Yield the events of an attempt's execution, see `read_events`."""
    return read_events(stack, execution_arn(stack, job_id, attempt))


def read_events(stack: StackRef, arn: str) -> Iterator[Any]:
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
