"""Put mended rows into their chunks and run those chunks again.

Nothing is lost if this is cut off. The attempt is claimed first, so that nobody else changes the
chunks; then their entries in the ledger become PENDING; only then are they patched; last the rerun
starts. A chunk that was patched and did not run is PENDING, so the next rerun or repair runs it,
and no merge takes its old result for the new one. The bucket is versioned: the chunk as the split
wrote it stays until IntermediateExpiryDays are over.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import aws

from batchops.errors import translated
from batchops.recovery.repair_plan import RepairPlan
from batchops.recovery.repair_planning import Chunk, chunks_of, plan_repair, read_chunk
from batchops.recovery.rerun import execute_rerun

__all__ = ["execute_repair", "plan_repair", "repair"]

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job
    from batchops.ledger import Entry

_WORKERS = 8


def repair(
    job: Job,
    source: pd.DataFrame | str | Path | bytes,
    *,
    schema: str | Path | None = None,
    dry_run: bool = True,
) -> RepairPlan:
    """Say what a repair would do, or do it; doing it again changes nothing.

    Parameters
    ----------
    source, schema
        See `plan_repair`.
    dry_run
        Only look.

    Raises
    ------
    JobNotFoundError, JobRunningError, InputError, JobError, AwsError
    """
    plan = plan_repair(job, source, schema=schema)
    return plan if dry_run else execute_repair(job, plan)


def execute_repair(job: Job, plan: RepairPlan) -> RepairPlan:
    """Patch the chunks and start their rerun, and return the plan as started.

    Raises
    ------
    JobRunningError
        If the job runs, or has run since the plan was made.
    """
    if not plan.needed:
        return plan

    def patch() -> None:
        entry = job.entry()
        chunks = [c for c in chunks_of(job, entry) if c["number"] in plan.patches]
        with ThreadPoolExecutor(_WORKERS) as pool:
            for _ in pool.map(lambda chunk: _patch(job, entry, chunk, plan.patches), chunks):
                pass

    return replace(plan, rerun=execute_rerun(job, plan.rerun, kind="repair", prepare=patch))


def _patch(
    job: Job, entry: Entry, chunk: Chunk, patches: Mapping[int, Mapping[int, bytes]]
) -> None:
    text, s3 = read_chunk(job, entry, chunk), job.stack.client("s3")
    body = text.patched(patches[chunk["number"]])
    with translated(f"patching {chunk['key']}"):
        aws.put_intermediate(s3, entry["bucket"], chunk["key"], body)
