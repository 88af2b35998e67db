"""Find out what a rerun of a job would do, and change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from batchcore import jobs, keys, workflow
from botocore.exceptions import ClientError

from batchops.core.errors import InputError, JobError, translated
from batchops.core.manifest import ManifestChunk, read_manifest
from batchops.deployment.deployed import changed_code, deployed_code
from batchops.recovery.attempts import Ended, last_attempt
from batchops.recovery.chunk_choice import PlannedChunk, choose_chunks
from batchops.recovery.rerun_plan import RerunPlan
from batchops.show.numbers import number_ranges

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

    from batchops.core.job_ref import JobRef


def plan_rerun(
    job: JobRef, *, chunks: Sequence[int] | None = None, everything: bool = False
) -> RerunPlan:
    """Say what a rerun of a job would do, and change nothing.

    The chunks that failed, were stopped or never started run again, and those whose results are
    gone; the others' results are reused.

    Parameters
    ----------
    chunks
        Numbers of chunks to run besides.
    everything
        Run all chunks.

    Raises
    ------
    JobNotFoundError
    JobRunningError
        If the job has not ended.
    InputError
        If a chunk is named that the job does not have.
    JobError
        If what the rerun needs is gone from the bucket.
    """
    last = last_attempt(job)
    if last.status == workflow.SUCCEEDED and not chunks and not everything:
        return _nothing(job, last)
    if last.entry.manifest_key is None:
        if chunks is not None:
            raise InputError(f"job {job.id} was never split, so it has no chunks to name")
        return plan_from_start(job, last)
    manifest = read_manifest(job, last.entry)
    if manifest is None:
        return plan_from_start(job, last, lost="the list of chunks is gone")
    named = dict.fromkeys(chunks or (), "named")
    if everything:
        named = {chunk.number: "everything is to run" for chunk in manifest}
    return plan_chunks(job, last, manifest, named=named)


def plan_chunks(
    job: JobRef,
    last: Ended,
    manifest: Sequence[ManifestChunk],
    *,
    named: Mapping[int, str],
) -> RerunPlan:
    """Plan a rerun of a job that was split before; of one whose chunks are gone, from the start."""
    versions = _versions(job, last, "output/", "rejects/", "chunks/")
    sizes = {(item["Key"], item["VersionId"]): item["Size"] for item in versions}
    found = job.chunk_entries()
    planned, reused = choose_chunks(job.id, manifest, found, sizes=sizes, named=named)
    if not planned and last.status != workflow.SUCCEEDED:
        # A map needs an item, and of all the chunks the smallest costs least.
        least = min(reused, key=lambda chunk: chunk.rows)
        reason = "only the merge is to be repeated, and the workflow runs at least one chunk"
        planned = (PlannedChunk(least.number, least.rows, reason),)
        reused = tuple(chunk for chunk in reused if chunk is not least)
    lost = _lost(job, last, manifest, planned, present=set(sizes))
    if lost:
        return plan_from_start(job, last, lost=lost)
    return RerunPlan(
        job_id=job.id,
        attempt=last.attempt + 1,
        ended=_ended(last),
        from_start=False,
        chunks=planned,
        reused=reused,
        code_changed=_code_changed(job, last),
        merge=_merge(job, last, len(manifest)),
    )


def _lost(
    job: JobRef,
    last: Ended,
    manifest: Sequence[ManifestChunk],
    planned: Sequence[PlannedChunk],
    *,
    present: set[tuple[str, str]],
) -> str:
    """Say what is gone that the chunks, or the merge, need; empty if all is there.

    `present` has the key and version of whatever is there.
    """
    wanted = {chunk.number for chunk in planned}
    versions = {c.number: (c.key, c.version_id) for c in manifest if c.number in wanted}
    numbers = [number for number, version in versions.items() if version not in present]
    if numbers:
        return f"chunks {number_ranges(numbers)} are gone"
    headers, piece = last.entry.header_versions, keys.HEADER_PIECE
    pieces = {
        (keys.output(job.id, piece), headers["output"]),
        (keys.rejected_piece(job.id, piece), headers["rejects"]),
    }
    return "" if pieces <= present else "the headers of the results are gone"


def _nothing(job: JobRef, last: Ended) -> RerunPlan:
    return RerunPlan(
        job_id=job.id,
        attempt=last.attempt + 1,
        ended=_ended(last),
        from_start=False,
        chunks=(),
        reused=(),
        code_changed=(),
        merge="",
    )


def plan_from_start(job: JobRef, last: Ended, *, lost: str = "") -> RerunPlan:
    """Plan to split the same version of the input again.

    A file that was never split is split as the stack's parameters are now: they may be what its
    job failed for. One that was keeps its own, because the ledger knows its chunks.

    Raises
    ------
    JobError
        If that version is gone.
    """
    entry, outputs = last.entry, job.stack.outputs
    if not _input_exists(job, last):
        raise _gone(job, last, lost)
    settings: dict[str, str | int] | None = None
    if not entry.was_split:
        settings = {
            "chunkRows": int(outputs["FileChunkSize"]),
            "delimiter": jobs.parse_delimiter(outputs["FileDelimiter"]),
            "archiveFolder": outputs["InputArchiveFolder"],
        }
    return RerunPlan(
        job_id=job.id,
        attempt=last.attempt + 1,
        ended=_ended(last),
        from_start=True,
        chunks=(),
        reused=(),
        code_changed=_code_changed(job, last),
        merge=_merge(job, last, 0),
        lost=lost,
        settings=settings,
    )


def _versions(job: JobRef, last: Ended, *folders: str) -> list[ObjectVersionTypeDef]:
    """List what lies in folders of the job, with what was written over or deleted."""
    s3 = job.stack.client("s3")
    found: list[ObjectVersionTypeDef] = []
    with translated(f"listing the files of job {job.id!r}"):
        for folder in folders:
            pages = s3.get_paginator("list_object_versions").paginate(
                Bucket=last.entry.bucket, Prefix=f"{keys.JOBS_PREFIX}{job.id}/{folder}"
            )
            for page in pages:
                found += page.get("Versions", ())
    return found


def _input_exists(job: JobRef, last: Ended) -> bool:
    entry = last.entry
    with translated(f"looking for the input of job {job.id!r}"):
        try:
            job.stack.client("s3").head_object(
                Bucket=entry.bucket, Key=entry.key, VersionId=entry.version_id
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NoSuchVersion"}:
                raise
            return False
    return True


def _gone(job: JobRef, last: Ended, lost: str) -> JobError:
    entry = last.entry
    copy = f": a copy is s3://{entry.bucket}/{entry.archive_key}" if entry.archive_key else ""
    return JobError(
        f"job {job.id} cannot run again: {lost + ', and ' if lost else ''}version "
        f"{entry.version_id} of its input {entry.key} is gone; submit the file again{copy}",
        job_id=job.id,
    )


def _code_changed(job: JobRef, last: Ended) -> tuple[str, ...]:
    recorded = last.entry.code
    return changed_code(deployed_code(job.stack), recorded, since=last.started)


def _ended(last: Ended) -> str:
    return f"ended {last.status}" + (f" ({last.reason})" if last.reason else "")


def _merge(job: JobRef, last: Ended, chunks: int) -> str:
    entry = last.entry
    what = f"the results of {chunks:,} chunks" if chunks else "all results"
    replaced = ", which replaces that of before" if entry.completed_key else ""
    return (
        f"joins {what} in the input's order into {keys.completed(job.id, entry.key)}"
        f"{replaced}, and mails the link"
    )
