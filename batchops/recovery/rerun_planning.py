"""Find out what a rerun of a job would do, and change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from batchcore import aws, jobs, keys, workflow
from botocore.exceptions import ClientError

from batchops import ledger
from batchops.deployment.deployed import changed_code, deployed_code
from batchops.errors import InputError, JobError, translated
from batchops.recovery.attempts import Ended, last_attempt
from batchops.recovery.chunk_choice import PlannedChunk, choose_chunks, number_ranges
from batchops.recovery.rerun_plan import RerunPlan

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

    from batchops.job import Job


def plan_rerun(
    job: Job, *, chunks: Sequence[int] | None = None, everything: bool = False
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
    if "manifestKey" not in last.entry:
        if chunks is not None:
            raise InputError(f"job {job.id} was never split, so it has no chunks to name")
        return plan_from_start(job, last)
    manifest = read_manifest(job, last.entry)
    if manifest is None:
        return plan_from_start(job, last, lost="the list of chunks is gone")
    named = dict.fromkeys(chunks or (), "named")
    if everything:
        named = {chunk["number"]: "everything is to run" for chunk in manifest}
    return plan_chunks(job, last, manifest, named=named)


def plan_chunks(
    job: Job,
    last: Ended,
    manifest: Sequence[Mapping[str, Any]],
    *,
    named: Mapping[int, str],
) -> RerunPlan:
    """Plan a rerun of a job that was split before; of one whose chunks are gone, from the start."""
    versions = _versions(job, last, "output/", "rejects/", "chunks/")
    sizes = {(item["Key"], item["VersionId"]): item["Size"] for item in versions}
    found = ledger.chunk_entries(
        job.stack.client("dynamodb"), job.stack.outputs["JobTableName"], job.id
    )
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
    job: Job,
    last: Ended,
    manifest: Sequence[Mapping[str, Any]],
    planned: Sequence[PlannedChunk],
    *,
    present: set[tuple[str, str]],
) -> str:
    """Say what is gone that the chunks, or the merge, need; empty if all is there.

    `present` has the key and version of whatever is there.
    """
    wanted = {chunk.number for chunk in planned}
    versions = {c["number"]: (c["key"], c["versionId"]) for c in manifest if c["number"] in wanted}
    numbers = [number for number, version in versions.items() if version not in present]
    if numbers:
        return f"chunks {number_ranges(numbers)} are gone"
    headers, piece = last.entry["headers"], keys.HEADER_PIECE
    pieces = {
        (keys.output(job.id, piece), headers["output"]),
        (keys.rejected_piece(job.id, piece), headers["rejects"]),
    }
    return "" if pieces <= present else "the headers of the results are gone"


def _nothing(job: Job, last: Ended) -> RerunPlan:
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


def plan_from_start(job: Job, last: Ended, *, lost: str = "") -> RerunPlan:
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
    if "chunks" not in entry:
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


def read_manifest(job: Job, entry: ledger.Entry) -> list[dict[str, Any]] | None:
    """Return the chunks that the job was split into; None if the list is gone."""
    s3, key = job.stack.client("s3"), entry["manifestKey"]
    with translated(f"reading {key}"):
        try:
            found: list[dict[str, Any]] = orjson.loads(aws.read_object(s3, entry["bucket"], key))
        except s3.exceptions.NoSuchKey:
            return None
    return found


def _versions(job: Job, last: Ended, *folders: str) -> list[ObjectVersionTypeDef]:
    """List what lies in folders of the job, with what was written over or deleted."""
    s3 = job.stack.client("s3")
    found: list[ObjectVersionTypeDef] = []
    with translated(f"listing the files of job {job.id!r}"):
        for folder in folders:
            pages = s3.get_paginator("list_object_versions").paginate(
                Bucket=last.entry["bucket"], Prefix=f"{keys.JOBS_PREFIX}{job.id}/{folder}"
            )
            for page in pages:
                found += page.get("Versions", ())
    return found


def _input_exists(job: Job, last: Ended) -> bool:
    entry = last.entry
    with translated(f"looking for the input of job {job.id!r}"):
        try:
            job.stack.client("s3").head_object(
                Bucket=entry["bucket"], Key=entry["key"], VersionId=entry["versionId"]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NoSuchVersion"}:
                raise
            return False
    return True


def _gone(job: Job, last: Ended, lost: str) -> JobError:
    entry = last.entry
    copy = (
        f": a copy is s3://{entry['bucket']}/{entry['archiveKey']}" if "archiveKey" in entry else ""
    )
    return JobError(
        f"job {job.id} cannot run again: {lost + ', and ' if lost else ''}version "
        f"{entry['versionId']} of its input {entry['key']} is gone; submit the file again{copy}",
        job_id=job.id,
    )


def _code_changed(job: Job, last: Ended) -> tuple[str, ...]:
    recorded = last.entry.get("code", {})
    return changed_code(deployed_code(job.stack), recorded, since=last.started)


def _ended(last: Ended) -> str:
    return f"ended {last.status}" + (f" ({last.reason})" if last.reason else "")


def _merge(job: Job, last: Ended, chunks: int) -> str:
    entry = last.entry
    what = f"the results of {chunks:,} chunks" if chunks else "all results"
    replaced = ", which replaces that of before" if "completedKey" in entry else ""
    return (
        f"joins {what} in the input's order into {keys.completed(job.id, entry['key'])}"
        f"{replaced}, and mails the link"
    )
