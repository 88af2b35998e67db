"""Compare a plan with how the job went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.deployment.settings import deployed_settings
from batchops.planning.actual_cost import job_workload
from batchops.planning.durations import estimate_duration
from batchops.show.numbers import format_duration
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.planning.plan import Plan

_NO_KEYS = "the plan looked no keys up, so rows with unknown keys are not among those rejected"
_NO_PLAN = "no plan was given; the time is an estimate for AWS from the job's own counts"


@dataclass(frozen=True)
class PlanOutcome(Shown):
    """A job's plan and its outcome, side by side.

    Attributes
    ----------
    job_id : str
        The job.
    rows : tuple of (str, str, str)
        What is compared, as planned (empty if not planned) and in the job (empty if not known).
    note : str
        What to know of the planned side; empty if there is nothing.
    """

    job_id: str
    rows: tuple[tuple[str, str, str], ...]
    note: str = ""

    def _blocks(self) -> Iterator[Block]:
        yield Block.table(("what", "planned", "job"), self.rows)
        if self.note:
            yield Block.line(self.note)


def plan_outcome(job: JobRef, *, plan: Plan | None = None) -> PlanOutcome:
    """Compare a job's plan with how the job went.

    Parameters
    ----------
    job
        The job.
    plan
        Its plan, as ``Stack.plan`` made it; without one, times are estimated from its counts.

    Raises
    ------
    JobNotFoundError, StackError, AwsError
    """
    entry = job.ledger_entry()
    took = format_duration(entry.attempt_s) if entry.ended else ""
    if plan is None:
        work = job_workload(entry, job.chunk_entries(), deployed_settings(job.stack))
        planned = {"time on AWS": str(estimate_duration(work))} if work.chunks else {}
    else:
        counts = (plan.rows, plan.rejected, plan.errors, plan.chunks, plan.chunk_rows)
        names = ("rows", "rows rejected", "errors", "chunks", "rows a chunk at most")
        planned = {name: f"{count:,}" for name, count in zip(names, counts, strict=True)}
        planned["time on AWS"] = str(plan.duration or "")
    found = {
        "rows": _count(entry.rows_in),
        "rows rejected": _count(entry.rows_rejected),
        "errors": _count(entry.errors),
        "chunks": _count(entry.chunks),
        "rows a chunk at most": _count(entry.chunk_rows),
        "time on AWS" if not job.stack.target.local else "time on the local engine": took,
    }
    names_found = dict.fromkeys([*planned, *found])
    rows = tuple((name, planned.get(name, ""), found.get(name, "")) for name in names_found)
    if plan is None:
        return PlanOutcome(job.id, rows, _NO_PLAN)
    return PlanOutcome(job.id, rows, "" if plan.keys_checked else _NO_KEYS)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
