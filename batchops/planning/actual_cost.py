"""What a job has cost on AWS according to the ledger, compared with its plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.reference import KEYS_PER_CALL
from batchcore.texts import printable

from batchops.deployment.settings import deployed_settings
from batchops.planning.aws_facts import price, priced_at
from batchops.planning.cost import (
    NOT_COUNTED,
    Cost,
    estimate_cost,
    lambda_seconds,
    price_job,
)
from batchops.planning.function_times import BEST
from batchops.planning.workload import Workload
from batchops.show import markup
from batchops.show.numbers import usd_text
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, JobEntry
    from batchops.deployment.settings import StackSettings
    from batchops.planning.plan import Plan


@dataclass(frozen=True)
class CostComparison(Shown):
    """A planned cost and the actual one.

    Attributes
    ----------
    planned, actual : Cost
        The two.
    """

    planned: Cost
    actual: Cost

    @property
    def rows(self) -> tuple[tuple[str, float, float], ...]:
        """Each service and the total, with the planned and the actual cost in USD."""
        planned, actual = self.planned.by_service, self.actual.by_service
        services = [*planned, *(name for name in actual if name not in planned)]
        pairs = [(name, planned.get(name, 0.0), actual.get(name, 0.0)) for name in services]
        return (*pairs, ("total", self.planned.total_usd, self.actual.total_usd))

    def _blocks(self) -> Iterator[Block]:
        rows = [(name, usd_text(p), usd_text(a), usd_text(a - p)) for name, p, a in self.rows]
        yield Block.table(("service", "planned", "actual", "difference"), rows)
        basis = f"planned: {self.planned.basis}; actual: {self.actual.basis}"
        yield Block(printable(basis), markup.paragraph(f"{basis}; not counted: {NOT_COUNTED}"))


def compare_cost(job: JobRef, *, plan: Plan | None = None) -> CostComparison:
    """Compare the cost of a job with its plan, or with an estimate from its counts.

    The ledger has what the job did; the prices are those of AWS.

    Raises
    ------
    JobNotFoundError, StackError, AwsError
    """
    entry, chunks = job.ledger_entry(), list(job.chunk_entries())
    settings = deployed_settings(job.stack)
    work = job_workload(entry, chunks, settings)
    planned = plan.cost if plan and plan.cost else estimate_cost(work)
    return CostComparison(planned, job_cost(entry, chunks, settings))


def job_cost(entry: JobEntry, chunk_entries: Iterable[ChunkEntry], settings: StackSettings) -> Cost:
    """Return what a job costs on AWS by the counts and milliseconds in the ledger.

    Parameters
    ----------
    entry
        The JOB entry of a job that has been split.
    chunk_entries
        Its CHUNK entries.
    settings
        How the stack is set up.

    Notes
    -----
    The ledger has the times of the four functions that work on a chunk; those of the others are
    estimated. It has only the last attempt of a chunk: earlier attempts count as one more like it.
    All keys count as different, and each error as one write unit.
    """
    entries = _succeeded(chunk_entries)
    runs = sum(min(2, chunk.attempt) for chunk in entries)
    work = job_workload(entry, entries, settings)
    estimated = lambda_seconds(work, BEST)
    known = {
        step.function: sum(
            chunk.step_ms.get(step.name, 0) * min(2, chunk.attempt) for chunk in entries
        )
        / 1000
        for step in workflow.CHUNK_STEPS
    }
    lines = price_job(work, {**estimated, **known}, runs=runs, attempts=entry.attempt)
    total = sum(line.usd for line in lines)
    return Cost(
        lines=lines,
        low_usd=total,
        high_usd=total,
        monthly_usd=price("kms.key_month"),
        basis=f"from the ledger's counts and milliseconds, {priced_at(settings.region)}",
    )


def job_workload(
    entry: JobEntry, chunk_entries: Iterable[ChunkEntry], settings: StackSettings
) -> Workload:
    """Return the workload of a job, as far as the ledger knows it from chunks that succeeded."""
    done = _succeeded(chunk_entries)
    sizes = [chunk.piece_bytes for chunk in done]
    looks_up = not done or any(workflow.ENRICH.name in chunk.step_ms for chunk in done)
    keys = [chunk.valid or 0 for chunk in done] if looks_up else []
    errors = sum(chunk.errors or 0 for chunk in done)
    return Workload(
        size_bytes=entry.size_bytes,
        rows=sum(chunk.rows or 0 for chunk in done),
        chunks=len(done),
        chunk_rows=entry.chunk_rows,
        rejected=sum(chunk.rejected or 0 for chunk in done),
        errors=errors,
        error_writes=errors,
        keys=sum(keys),
        api_calls=sum(-(-each // KEYS_PER_CALL) for each in keys),
        output_bytes=sum(size["output"] for size in sizes),
        rejects_bytes=sum(size["rejects"] for size in sizes),
        reject_pieces=sum(bool(size["rejects"]) for size in sizes),
        looks_up=looks_up,
        settings=settings,
    )


def _succeeded(chunk_entries: Iterable[ChunkEntry]) -> list[ChunkEntry]:
    return [chunk for chunk in chunk_entries if chunk.status == workflow.SUCCEEDED]
