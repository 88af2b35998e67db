"""Main workflow, Merge all Files: prove that every chunk is there, then join them in order."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import boto3
import orjson
from batchcore import aws, items, keys
from batchcore.errors import BalanceError, ChunksFailedError, InputGoneError
from batchcore.pieces import Piece, join_pieces
from batchcore.runtime import Event, Result, job_step
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

LISTED_CHUNKS = 100

s3 = boto3.client("s3", config=aws.CONFIG)
dynamodb = boto3.client("dynamodb", config=aws.CONFIG)


@job_step
def lambda_handler(event: Event, context: object) -> Result:
    """Check the balance, write the completed file and the rejects, archive the input."""
    job, bucket, key, table = event["jobId"], event["bucket"], event["key"], os.environ["JOB_TABLE"]
    manifest = _read_json(bucket, keys.manifest(job))
    resumed = _read_json(bucket, event["resume"]["manifestKey"]) if "resume" in event else manifest
    entries = aws.query_entries(dynamodb, table, job, items.CHUNK_PREFIX)
    rerun = {chunk["number"] for chunk in resumed}
    chunks = match_chunks(manifest, entries, rerun=rerun, attempt=event["attempt"])
    completed, rejected = keys.completed(job, key), keys.rejected(job, key)
    join_pieces(s3, bucket, list_pieces(job, chunks, "output", keys.output), completed)
    join_pieces(s3, bucket, list_pieces(job, chunks, "rejects", keys.rejected_piece), rejected)
    entry = next(aws.query_entries(dynamodb, table, job, items.JOB_ENTRY), {})
    # A repair of a job that has succeeded finds its input archived, and maybe tidied away since.
    archived = entry.get("archiveKey") or _copy_to_archive(event)
    totals = {
        "rowsIn": sum(chunk["rows"] for chunk in manifest),
        "rowsOut": sum(chunk["valid"] for chunk in chunks),
        "rowsRejected": sum(chunk["rejected"] for chunk in chunks),
        "errors": sum(chunk["errors"] for chunk in chunks),
    }
    outcome = {"completedKey": completed, "rejectedKey": rejected, "archiveKey": archived}
    aws.update_entry(
        dynamodb, table, job, items.JOB_ENTRY, {**totals, **outcome}, attempt=event["attempt"]
    )
    # Only now that the ledger knows of the copy, and only this version: a newer one stays.
    s3.delete_object(Bucket=bucket, Key=key, VersionId=event["versionId"])
    return {**totals, **outcome}


def _read_json(bucket: str, key: str) -> list[dict[str, Any]]:
    manifest: list[dict[str, Any]] = orjson.loads(aws.read_object(s3, bucket, key))
    return manifest


def match_chunks(
    manifest: list[dict[str, Any]],
    entries: Iterable[dict[str, Any]],
    *,
    rerun: set[int],
    attempt: int,
) -> list[dict[str, Any]]:
    """Return the ledger's entry of each chunk in the manifest, in order.

    Parameters
    ----------
    rerun
        The chunks that this attempt was to run: only its own result counts for them.

    Raises
    ------
    ChunksFailedError
        If a chunk has not succeeded.
    BalanceError
        If a chunk's rows in are not its rows out plus its rows rejected.
    """
    by_entry = {entry["entry"]: entry for entry in entries}
    found = [by_entry.get(items.chunk_entry(chunk["number"]), {}) for chunk in manifest]
    failed = [
        chunk["number"]
        for chunk, entry in zip(manifest, found, strict=True)
        if entry.get("status") != items.SUCCEEDED
        or (chunk["number"] in rerun and entry["attempt"] != attempt)
    ]
    if failed:
        more = f" and {len(failed) - LISTED_CHUNKS} more" if len(failed) > LISTED_CHUNKS else ""
        numbers = ", ".join(map(str, failed[:LISTED_CHUNKS]))
        raise ChunksFailedError(
            f"{len(failed)} of {len(manifest)} chunks have no result: {numbers}{more}"
        )
    for chunk, entry in zip(manifest, found, strict=True):
        if not chunk["rows"] == entry["rows"] == entry["valid"] + entry["rejected"]:
            raise BalanceError(
                f"chunk {chunk['number']}: {chunk['rows']} rows in, {entry['valid']} out and "
                f"{entry['rejected']} rejected"
            )
    return found


def list_pieces(
    job: str, chunks: list[dict[str, Any]], kind: str, key_of: Callable[[str, int], str]
) -> list[Piece]:
    """Return the pieces that hold something, in order, the header's first."""
    found = [Piece(key_of(job, keys.HEADER_PIECE))]
    for chunk in chunks:
        number = int(chunk["entry"].removeprefix(items.CHUNK_PREFIX))
        if chunk["sizeBytes"][kind]:
            found.append(Piece(key_of(job, number), chunk["sizeBytes"][kind]))
    return found


def _copy_to_archive(event: Event) -> str:
    """Copy the object version that was processed into the archive, and return the copy's key.

    Raises
    ------
    InputGoneError
    """
    bucket, key, version = event["bucket"], event["key"], event["versionId"]
    # The stack's folder of now, which the role may write to; the job may be older than it.
    target = keys.archive(os.environ["INPUT_ARCHIVE_FOLDER"], key)
    source: CopySourceTypeDef = {"Bucket": bucket, "Key": key, "VersionId": version}
    try:
        s3.copy(source, bucket, target)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NoSuchVersion"}:
            raise
        raise InputGoneError(f"version {version} of {key} is no longer in the bucket") from error
    return target
