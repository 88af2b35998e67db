"""Run again what failed of a job, reuse the rest, and end in one merged output."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from batchops.core.errors import InputError
from batchops.recovery.attempts import Attempt, claimed_attempt
from batchops.recovery.redrive import execute_redrive, plan_redrive
from batchops.recovery.rerun_plan import RerunPlan, plan_rerun

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef


def rerun(
    job: JobRef,
    *,
    chunks: Sequence[int] | None = None,
    everything: bool = False,
    dry_run: bool = True,
    engine: Literal["resume", "redrive"] = "resume",
) -> RerunPlan:
    """Plan a rerun, and start it unless it is a dry run or nothing has to run.

    Parameters
    ----------
    chunks, everything
        See `plan_rerun`.
    dry_run
        Only plan.
    engine
        ``"resume"`` starts a new execution of the workflow as it is deployed now. ``"redrive"``
        has Step Functions continue the old one, on AWS and where that is possible.

    Raises
    ------
    JobNotFoundError, JobRunningError, InputError, JobError, AwsError
    """
    if engine == "redrive":
        if chunks is not None or everything:
            raise InputError("a redrive goes on where it stopped: leave chunks and everything out")
        redriven = plan_redrive(job)
        return redriven if dry_run else execute_redrive(job, redriven)
    plan = plan_rerun(job, chunks=chunks, everything=everything)
    return plan if dry_run else execute_rerun(job, plan)


def execute_rerun(job: JobRef, plan: RerunPlan) -> RerunPlan:
    """Start the attempt that a plan describes, and return the plan as started.

    Of what the plan has read, only the JOB entry is read again.

    Raises
    ------
    JobRunningError
        If the job runs, or has run since the plan was made.
    """
    if not plan.needed:
        return plan
    with claim_planned(job, plan) as attempt:
        if not plan.from_start:
            attempt.list_chunks(plan.chunks_to_run(plan.manifest))
    attempt.start(by="rerun")
    return replace(plan, started=True)


def claim_planned(job: JobRef, plan: RerunPlan) -> AbstractContextManager[Attempt]:
    """Claim the attempt that a plan describes, see `claimed_attempt`."""
    return claimed_attempt(
        job,
        after=plan.attempt - 1,
        chunks=None if plan.from_start else plan.chunks_to_run(plan.manifest),
        settings=plan.settings,
        code=plan.code,
    )
