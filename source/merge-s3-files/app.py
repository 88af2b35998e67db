"""Main workflow, Merge all Files: prove that every chunk is there, then join them in order."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any, cast

import boto3
import orjson
from batchcore import aws, items, keys
from batchcore.errors import BalanceError, ChunksFailedError, InputGoneError
from batchcore.runtime import Event, Result, job_step
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

LISTED_CHUNKS = 100

# Pieces are small and many, so fetching them is a matter of latency; each has at most some 20 MB.
FETCHES_IN_FLIGHT = 8

# Amazon S3: at most 10,000 parts, each at least 5 MiB but the last.
PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 9_000

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
    _join(bucket, pieces(job, chunks, "output", keys.output), completed)
    _join(bucket, pieces(job, chunks, "rejects", keys.rejected_piece), rejected)
    entry = next(aws.query_entries(dynamodb, table, job, items.JOB_ENTRY), {})
    # A repair of a job that has succeeded finds its input archived, and maybe tidied away since.
    archived = entry.get("archiveKey") or _archive(event)
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


def pieces(
    job: str, chunks: list[dict[str, Any]], kind: str, key_of: Any
) -> list[tuple[str, int | None]]:
    """Return key and expected size of each piece that holds something, the header's first."""
    numbered = [(int(chunk["entry"].removeprefix(items.CHUNK_PREFIX)), chunk) for chunk in chunks]
    parts = [(key_of(job, n), chunk["sizeBytes"][kind]) for n, chunk in numbered]
    return [(key_of(job, keys.HEADER_PIECE), None), *(part for part in parts if part[1])]


class PieceReader:
    """The pieces one after the other, as a file to read from; a few are fetched ahead."""

    def __init__(self, bucket: str, parts: list[tuple[str, int | None]]) -> None:
        self._bodies = self._fetch(bucket, parts)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end; all that is left if `size` is negative."""
        found, length = [self._rest], len(self._rest)
        while size < 0 or length < size:
            body = next(self._bodies, None)
            if body is None:
                break
            found.append(body)
            length += len(body)
        data = b"".join(found)
        cut = length if size < 0 else size
        self._rest = data[cut:]
        return data[:cut]

    def _fetch(self, bucket: str, parts: list[tuple[str, int | None]]) -> Iterator[bytes]:
        ahead: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(FETCHES_IN_FLIGHT) as pool:
            for key, size in parts:
                ahead.append(pool.submit(_fetch_piece, bucket, key, size))
                if len(ahead) == FETCHES_IN_FLIGHT:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def _fetch_piece(bucket: str, key: str, size: int | None) -> bytes:
    body = aws.read_object(s3, bucket, key)
    if size is not None and len(body) != size:
        raise BalanceError(f"{key} has {len(body):,} bytes; its chunk wrote {size:,}")
    return body


def _join(bucket: str, parts: list[tuple[str, int | None]], key: str) -> None:
    """Write the pieces as one object, in parts if it is large; repeating it gives the same."""
    total = sum(size or 0 for _, size in parts)
    transfer = TransferConfig(
        multipart_chunksize=max(PART_BYTES, total // MAX_PARTS), max_concurrency=4
    )
    reader = cast("IO[bytes]", PieceReader(bucket, parts))
    csv_type = {"ContentType": "text/csv"}
    s3.upload_fileobj(reader, bucket, key, ExtraArgs=csv_type, Config=transfer)


def _archive(event: Event) -> str:
    """Move the object version that was processed out of the input; a newer one stays."""
    bucket, key, version = event["bucket"], event["key"], event["versionId"]
    target = keys.archive(event["parameters"]["archiveFolder"], key)
    source: CopySourceTypeDef = {"Bucket": bucket, "Key": key, "VersionId": version}
    try:
        s3.copy(source, bucket, target)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NoSuchVersion"}:
            raise
        _check_archived(bucket, target, version)
        return target
    s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
    return target


def _check_archived(bucket: str, key: str, version: str) -> None:
    """Accept that the input is gone only if an earlier try has moved it.

    Raises
    ------
    InputGoneError
    """
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        raise InputGoneError(f"version {version} is neither in the input nor at {key}") from error
