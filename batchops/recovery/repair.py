"""Put mended rows into their chunks and run those chunks again.

Nothing is lost if this is cut off. The attempt is claimed first, so that nobody else changes the
chunks; then their entries in the ledger become PENDING; only then are they patched; last the rerun
starts. A chunk that was patched and did not run is PENDING, so the next rerun or repair runs it,
and no merge takes its old result for the new one.

Patched chunks are new versions beside the old. They count from the moment at which the ledger names
the manifest that lists them, all of them at once: a repair that is cut off before that has changed
nothing. The chunk as the split wrote it stays until IntermediateExpiryDays are over.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import aws, keys

from batchops.core import ledger
from batchops.core.errors import translated
from batchops.core.manifest import ManifestChunk, put_manifest, require_manifest
from batchops.recovery.repair_plan import RepairPlan
from batchops.recovery.repair_planning import plan_repair, read_chunk
from batchops.recovery.rerun import execute_rerun

__all__ = ["execute_repair", "plan_repair", "repair"]

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

_WORKERS = 8


def repair(
    job: JobRef,
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


def execute_repair(job: JobRef, plan: RepairPlan) -> RepairPlan:
    """Patch the chunks and start their rerun, and return the plan as started.

    Raises
    ------
    JobRunningError
        If the job runs, or has run since the plan was made.
    """
    if not plan.needed:
        return plan

    def patch(attempt: int) -> list[ManifestChunk]:
        wanted = {chunk.number for chunk in plan.rerun.chunks}
        chunks = patch_chunks(job, plan.patches, attempt=attempt)
        return [chunk for chunk in chunks if chunk.number in wanted]

    return replace(plan, rerun=execute_rerun(job, plan.rerun, kind="repair", prepare=patch))


def patch_chunks(
    job: JobRef, patches: Mapping[int, Mapping[int, bytes]], *, attempt: int
) -> list[ManifestChunk]:
    """Patch chunks for an attempt that is claimed, and return all of the job's as they are then.

    Parameters
    ----------
    patches
        See `RepairPlan`.

    Raises
    ------
    JobRunningError
        If a later attempt has taken the job over; it goes on with the chunks as they were.
    """
    entry = job.ledger_entry()
    chunks = require_manifest(job, entry)
    if not patches:
        return chunks
    places = [place for place, chunk in enumerate(chunks) if chunk.number in patches]
    with ThreadPoolExecutor(_WORKERS) as pool:
        patched = pool.map(lambda at: _patch(job, entry, chunks[at], patches), places)
        for place, chunk in zip(places, patched, strict=True):
            chunks[place] = chunk
    key = keys.manifest(job.id, attempt)
    put_manifest(job, entry.bucket, key, chunks)
    ledger.name_manifest(job.stack, job.id, key, attempt=attempt)
    return chunks


def _patch(
    job: JobRef, entry: JobEntry, chunk: ManifestChunk, patches: Mapping[int, Mapping[int, bytes]]
) -> ManifestChunk:
    text, s3 = read_chunk(job, entry, chunk), job.stack.client("s3")
    body = text.patched(patches[chunk.number])
    with translated(f"patching {chunk.key}"):
        stored = aws.put_version(s3, entry.bucket, chunk.key, body)
    return replace(chunk, version_id=stored["versionId"], size_bytes=len(body))
