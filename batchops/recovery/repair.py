"""Put fixed rows into their chunks and run those chunks again.

Nothing is lost if this is interrupted. First the attempt is claimed, so that nobody else changes
the chunks. Then their entries in the ledger become PENDING. Only then are they patched, and last
the rerun starts. A chunk that was patched and did not run is PENDING, so the next rerun or repair
runs it, and no merge takes its old result for the new one.

Patched chunks are new versions beside the old ones. They count from the moment at which the ledger
names the manifest that lists them, all at once: a repair that is interrupted before that has
changed nothing. The chunk as the split wrote it stays for IntermediateExpiryDays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import keys

from batchops.core import ledger
from batchops.core.manifest import ManifestChunk, put_manifest, put_piece
from batchops.recovery.repair_plan import RepairPlan, plan_repair, read_chunk_text
from batchops.recovery.rerun import claim_planned

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.recovery.attempts import Attempt

_WORKERS = 8


def repair(
    job: JobRef,
    source: pd.DataFrame | str | Path | bytes,
    *,
    schema: str | Path | None = None,
    accept: Collection[str] = (),
    dry_run: bool = True,
    on_read: Callable[[int], None] = lambda _: None,
) -> RepairPlan:
    """Plan a repair, and carry it out unless it is a dry run; repeating it changes nothing.

    Parameters
    ----------
    source, schema, accept, on_read
        See `plan_repair`.
    dry_run
        Only plan.

    Raises
    ------
    JobNotFoundError, JobRunningError, InputError, JobError, AwsError
    """
    plan = plan_repair(job, source, schema=schema, accept=accept, on_read=on_read)
    return plan if dry_run else execute_repair(job, plan)


def execute_repair(job: JobRef, plan: RepairPlan) -> RepairPlan:
    """Patch the chunks and start their rerun, and return the plan as started.

    Of what the plan has read, only the JOB entry and the chunks to patch are read again.

    Raises
    ------
    JobRunningError
        If the job runs, or has run since the plan was made.
    """
    if not plan.needed:
        return plan
    with claim_planned(job, plan.rerun) as attempt:
        chunks = patch_chunks(attempt, plan.rerun.manifest, plan.patches)
        attempt.list_chunks(plan.rerun.chunks_to_run(chunks))
    attempt.start(by="repair")
    return replace(plan, rerun=replace(plan.rerun, started=True))


def patch_chunks(
    attempt: Attempt,
    manifest: Sequence[ManifestChunk],
    patches: Mapping[int, Mapping[int, bytes]],
) -> Sequence[ManifestChunk]:
    """Patch chunks for an attempt that is claimed, and return all of the job's as they are then.

    Parameters
    ----------
    manifest
        All chunks of the job as they are.
    patches
        See `RepairPlan`.

    Raises
    ------
    JobRunningError
        If a later attempt has taken the job over; it uses the chunks as they were.
    """
    if not patches:
        return manifest
    job, bucket = attempt.job, attempt.entry.bucket

    def patch(chunk: ManifestChunk) -> ManifestChunk:
        if chunk.number not in patches:
            return chunk
        body = read_chunk_text(job, attempt.entry, chunk).patched(patches[chunk.number])
        version_id = put_piece(job, bucket, chunk.key, body)
        return replace(chunk, version_id=version_id, size_bytes=len(body))

    with ThreadPoolExecutor(_WORKERS) as pool:
        chunks = list(pool.map(patch, manifest))
    key = keys.manifest(job.id, attempt.number)
    put_manifest(job, bucket, key, chunks)
    ledger.name_manifest(job.stack, job.id, key, attempt=attempt.number)
    return chunks
