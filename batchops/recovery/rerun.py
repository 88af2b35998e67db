"""Run again what failed of a job, reuse the rest, and end in one merged output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from batchops.core.errors import InputError, JobRunningError
from batchops.core.manifest import read_manifest
from batchops.deployment.deployed import deployed_code
from batchops.recovery.attempts import Kind, Prepare, begin, require_ended_unchanged
from batchops.recovery.redrive import execute_redrive, plan_redrive
from batchops.recovery.rerun_plan import RerunPlan
from batchops.recovery.rerun_planning import plan_rerun

__all__ = ["execute_rerun", "plan_rerun", "rerun"]

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef

Engine = Literal["resume", "redrive"]


def rerun(
    job: JobRef,
    *,
    chunks: Sequence[int] | None = None,
    everything: bool = False,
    dry_run: bool = True,
    engine: Engine = "resume",
) -> RerunPlan:
    """Say what a rerun would do, or start it; where nothing has to run, nothing is started.

    Parameters
    ----------
    chunks, everything
        See `plan_rerun`.
    dry_run
        Only look.
    engine
        ``"resume"`` starts a new execution of the workflow as it is deployed now. ``"redrive"``
        has Step Functions go on with the old one, on AWS and where that is possible.

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


def execute_rerun(
    job: JobRef,
    plan: RerunPlan,
    *,
    kind: Kind = "rerun",
    prepare: Prepare | None = None,
) -> RerunPlan:
    """Start the attempt that a plan describes, and return the plan as started.

    Parameters
    ----------
    kind
        What the lineage calls the attempt.
    prepare
        Called with its number once the attempt is claimed and before it starts.

    Raises
    ------
    JobRunningError
        If the job runs, or has run since the plan was made.
    """
    if not plan.needed:
        return plan
    last = require_ended_unchanged(job, attempt=plan.attempt - 1)
    wanted = {chunk.number for chunk in plan.chunks}
    manifest = None if plan.from_start else read_manifest(job, last.entry)
    if manifest is None and not plan.from_start:
        raise JobRunningError(
            f"the chunks of job {job.id} went away since this was planned: plan again",
            job_id=job.id,
        )
    begin(
        job,
        last,
        kind=kind,
        chunks=manifest and [chunk for chunk in manifest if chunk.number in wanted],
        settings=plan.settings,
        code={name: code.fingerprint for name, code in deployed_code(job.stack).items()},
        prepare=prepare,
    )
    return replace(plan, started=True)
