"""Which chunks of a job have to run again and why; the results of the others are reused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import keys, workflow

from batchops.core.errors import InputError, explain_failure, translated
from batchops.show.numbers import number_ranges

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry
    from batchops.core.manifest import ManifestChunk


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A chunk that is to run: its number, its rows, and why."""

    number: int
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReusedChunk:
    """A chunk whose result is reused: its number, its rows, and the attempt that wrote it."""

    number: int
    rows: int
    attempt: int


def choose_chunks(
    job_id: str,
    manifest: Sequence[ManifestChunk],
    entries: Iterable[ChunkEntry],
    *,
    sizes: Mapping[tuple[str, str], int],
    named: Mapping[int, str],
) -> tuple[tuple[PlannedChunk, ...], tuple[ReusedChunk, ...]]:
    """Return the chunks that have to run, and those whose results are reused.

    Parameters
    ----------
    manifest
        All chunks of the job.
    entries
        The ledger's entries of those that have started.
    sizes
        Bytes of each object of the job by key and version, see `stored_sizes`.
    named
        Chunks to run in any case, and why.

    Raises
    ------
    InputError
        If the job has no chunk that is named.
    """
    unknown = sorted(set(named) - {chunk.number for chunk in manifest})
    if unknown:
        raise InputError(
            f"job {job_id} has no chunk {number_ranges(unknown)}: it has 1 to {len(manifest)}"
        )
    by_number = {entry.number: entry for entry in entries}
    planned, reused = [], []
    for chunk in manifest:
        entry = by_number.get(chunk.number)
        reason = _fault(job_id, chunk, entry, sizes) or named.get(chunk.number, "")
        if reason or entry is None:
            planned.append(PlannedChunk(chunk.number, chunk.rows, reason))
        else:
            reused.append(ReusedChunk(chunk.number, chunk.rows, entry.attempt))
    return tuple(planned), tuple(reused)


def _fault(
    job_id: str,
    chunk: ManifestChunk,
    entry: ChunkEntry | None,
    sizes: Mapping[tuple[str, str], int],
) -> str:
    """Say why a chunk has no result that can be used; empty if it has one."""
    if entry is None:
        return "never started"
    if entry.status == workflow.FAILED:
        why = explain_failure(entry.error, entry.cause)
        return f"failed at {entry.failed_at or 'an unknown step'}: {why}"
    if entry.status == workflow.PENDING:
        return f"was to run in attempt {entry.attempt}, and did not"
    if entry.status != workflow.SUCCEEDED:
        return f"was under way when attempt {entry.attempt} ended"
    if not entry.balances or entry.rows != chunk.rows:
        return "its rows do not balance"
    return _lost_piece(job_id, entry, sizes)


def _lost_piece(job_id: str, entry: ChunkEntry, sizes: Mapping[tuple[str, str], int]) -> str:
    """Say which piece of a chunk's result is not there any more; empty if none."""
    pieces = {"output": keys.output, "rejects": keys.rejected_piece}
    for kind, key_of in pieces.items():
        size = entry.piece_bytes[kind]
        version = (key_of(job_id, entry.number), entry.piece_versions[kind])
        if size and sizes.get(version) != size:
            return f"its result is not in the bucket as it was written ({kind})"
    errors = entry.error_piece
    if errors is None or not errors.size_bytes:
        return ""
    whole = sizes.get((errors.key, errors.version_id)) == errors.size_bytes
    return "" if whole else "its errors are not in the bucket as they were written"


def stored_sizes(job: JobRef, bucket: str) -> dict[tuple[str, str], int]:
    """Return the bytes of the job's chunks and results that are in the bucket, by key and version.

    Versions that were written over or deleted since count too: the ledger names which one it wants.
    """
    s3 = job.stack.client("s3")
    found: dict[tuple[str, str], int] = {}
    with translated(f"listing the files of job {job.id!r}"):
        for folder in ("output/", "rejects/", "error-pieces/", "chunks/"):
            pages = s3.get_paginator("list_object_versions").paginate(
                Bucket=bucket, Prefix=f"{keys.JOBS_PREFIX}{job.id}/{folder}"
            )
            for page in pages:
                for item in page.get("Versions", ()):
                    found[item["Key"], item["VersionId"]] = item["Size"]
    return found
