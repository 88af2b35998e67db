"""Let Step Functions continue an execution that was stopped, where AWS can do that.

A redrive continues at the state that did not succeed, with the same input and definition, within 14
days (Step Functions developer guide, "Redriving executions", November 2026). Few executions of this
workflow can be redriven. Its map tolerates failed chunks, so a Map Run with failures has succeeded.
Every failure is caught, so the state that did not succeed is the Fail state at the end. And the
executions of chunks have fixed names, so a chunk that began cannot begin again. What is left is an
execution that was stopped, or timed out, between its chunks.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from batchcore import workflow
from batchcore.texts import number_of

from batchops.core import ledger
from batchops.core.errors import JobError, translated
from batchops.core.executions import execution_arn, find_execution
from batchops.recovery.attempts import Ended, last_attempt
from batchops.recovery.chunk_choice import PlannedChunk
from batchops.recovery.rerun_plan import RerunPlan, plan_rerun

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from batchops.core.job_ref import JobRef

REDRIVABLE_FOR = timedelta(days=14)


def plan_redrive(job: JobRef) -> RerunPlan:
    """Say what a redrive of the job's last attempt would do.

    Raises
    ------
    JobRunningError
    JobError
        If it cannot be redriven; the message says why, and what to do instead.
    """
    if job.stack.target.local:
        raise _refuse(job, "the local engine has no RedriveExecution")
    last = last_attempt(job)
    execution = find_execution(job.stack, job.id, last.attempt)
    plan = plan_rerun(job, last=last)
    reason = refusal(last, execution, plan.chunks, now=datetime.now(UTC))
    if reason:
        raise _refuse(job, reason)
    return replace(plan, attempt=last.attempt, engine="redrive")


def _refuse(job: JobRef, reason: str) -> JobError:
    return JobError(
        f"job {job.id} cannot be redriven: {reason}; a rerun that is no redrive runs "
        "the same chunks",
        job_id=job.id,
    )


def refusal(
    last: Ended,
    execution: Mapping[str, Any] | None,
    chunks: Sequence[PlannedChunk],
    *,
    now: datetime,
) -> str:
    """Say why redriving an attempt is impossible or useless; empty if neither.

    Parameters
    ----------
    execution
        What DescribeExecution says of the attempt.
    chunks
        What a rerun would run.
    """
    if execution is None:
        return "Step Functions knows no such execution"
    if execution["status"] == "SUCCEEDED":
        return "it has succeeded"
    if now - execution["stopDate"] > REDRIVABLE_FOR:
        return f"it ended more than {REDRIVABLE_FOR.days} days ago"
    if execution["status"] == "FAILED" and last.entry.status == workflow.FAILED:
        return _handled(last, chunks)
    return _unfit(execution, chunks)


def _unfit(execution: Mapping[str, Any], chunks: Sequence[PlannedChunk]) -> str:
    begun = [chunk for chunk in chunks if chunk.reason != "never started"]
    if begun:
        return (
            f"{number_of(len(begun), 'chunk')} had begun, and Step Functions does not start an "
            "execution of one name twice"
        )
    if execution.get("redriveStatus", "REDRIVABLE") == "NOT_REDRIVABLE":
        return str(execution.get("redriveStatusReason", "Step Functions says so"))
    return ""


def _handled(last: Ended, chunks: Sequence[PlannedChunk]) -> str:
    if last.entry.error == "ChunksFailedError":
        return (
            f"{number_of(len(chunks), 'chunk')} failed, but the map tolerates failures, so its run "
            "succeeded and there is nothing in it to redrive"
        )
    return "the workflow handled the failure itself, so a redrive would go on at its very end"


def execute_redrive(job: JobRef, plan: RerunPlan) -> RerunPlan:
    """Redrive the execution, and return the plan as started.

    Raises
    ------
    JobRunningError
        If the job runs, or has run since the plan was made.
    AwsError
    """
    last, token = last_attempt(job, expected=plan.attempt), uuid.uuid4().hex
    ledger.claim(job.stack, last.entry, attempt=plan.attempt, token=token)
    ledger.hold_slot(job.stack, last.entry)  # it goes on at once, whether a slot is free or not
    redrive_execution(
        job.stack.client("stepfunctions"),
        execution_arn(job.stack, job.id, plan.attempt),
        token=token,
    )
    return replace(plan, started=True)


def redrive_execution(states: SFNClient, arn: str, *, token: str) -> datetime:
    """Call RedriveExecution and return when the execution went on.

    Raises
    ------
    AwsError
        If Step Functions refuses.
    """
    with translated(f"redriving {arn.rsplit(':', 1)[-1]}"):
        return states.redrive_execution(executionArn=arn, clientToken=token)["redriveDate"]
