"""The objects in the bucket that hold a job's errors: the merged file, or the chunks' pieces."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import aws, workflow
from batchcore.error_files import FIRST_CHUNK, HEADER, CauseCounts
from botocore.exceptions import ClientError

from batchops.core.errors import JobError, translated

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, ErrorsPlace, JobEntry

# What is read and parsed at a time, so that one block is parsed while the next one comes.
BLOCK_BYTES = 2 * 1024 * 1024
# Small objects that are fetched side by side have no more than this together.
_BATCH_BYTES = 8 * 1024 * 1024
_FETCHES = 16
# The number of the merged file among the objects, where chunks have their own.
_MERGED = 0


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """One object with errors in CSV.

    Attributes
    ----------
    number : int
        The chunk's number; 0 for the merged file.
    place : ErrorsPlace
        Its key, version and size.
    """

    number: int
    place: ErrorsPlace

    @property
    def header_bytes(self) -> int:
        """How many bytes come before the first error."""
        return len(HEADER) if self.number in (_MERGED, FIRST_CHUNK) else 0

    @property
    def has_errors(self) -> bool:
        """Whether there is an error in it."""
        return self.place.size_bytes > self.header_bytes


@dataclass(frozen=True, slots=True)
class ErrorObjects:
    """All objects with a job's errors, in the order of the rows.

    Attributes
    ----------
    objects : tuple of ErrorObject
        The merged file alone, or a piece of each chunk.
    """

    objects: tuple[ErrorObject, ...]

    def counts(self) -> CauseCounts:
        """Return the ledger's counts by cause."""
        found = CauseCounts()
        for each in self.objects:
            found.add_text(each.place.causes)
        return found


def error_objects(job: JobRef, entry: JobEntry) -> ErrorObjects | None:
    """Return the objects with a job's errors; None if the tables alone have them all.

    That is so for a job that was entered in ledger format 1, and for one with a chunk that ran in
    it, while its stack was being updated.
    """
    if entry.errors_file is not None:
        return ErrorObjects((ErrorObject(_MERGED, entry.errors_file),))
    if entry.ledger_format == 1 or entry.status == workflow.SUCCEEDED:
        return None
    pieces = error_pieces(entry, job.chunk_entries())
    return None if pieces is None else ErrorObjects(tuple(pieces.values()))


def error_pieces(entry: JobEntry, chunks: Iterable[ChunkEntry]) -> dict[int, ErrorObject] | None:
    """Return the chunks' pieces of errors by number; None if the tables alone have all errors.

    Parameters
    ----------
    chunks
        The job's chunks that have started, in order.
    """
    chunks = list(chunks)
    if rows_with_errors(entry, chunks) is None:
        return None
    found = {}
    for chunk in chunks:
        piece = chunk.error_piece
        if piece is not None:
            found[chunk.number] = ErrorObject(chunk.number, piece)
    return found


def rows_with_errors(entry: JobEntry, chunks: Iterable[ChunkEntry]) -> int | None:
    """Return the rows with errors in the chunks' pieces; None if the tables alone have all errors.

    Parameters
    ----------
    chunks
        The job's chunks that have started.
    """
    if entry.ledger_format == 1:
        return None
    found = 0
    for chunk in chunks:
        rows = chunk.rows_with_errors
        if rows is None and chunk.status == workflow.SUCCEEDED:
            return None  # it ran while the stack was being updated
        found += rows or 0
    return found


def iter_blocks(job: JobRef, bucket: str, objects: Iterable[ErrorObject]) -> Iterator[bytes]:
    """Yield the errors of several objects as CSV without a header, in blocks of whole errors.

    Small objects are fetched several at a time and come in one block. A block is fetched while the
    one before it is worked on.

    Raises
    ------
    JobError
        If one of them has expired.
    AwsError
    """
    blocks = _fetch(job, bucket, objects)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, blocks, b"")
        while block := pending.result():
            pending = pool.submit(next, blocks, b"")
            yield block


def _fetch(job: JobRef, bucket: str, objects: Iterable[ErrorObject]) -> Iterator[bytes]:
    with ThreadPoolExecutor(_FETCHES) as pool:
        for batch in _batches(each for each in objects if each.has_errors):
            if len(batch) == 1:
                yield from iter_blocks_from(job, bucket, batch[0], batch[0].header_bytes)
                continue
            bodies = pool.map(lambda each: _read(job, bucket, each), batch)
            yield b"".join(bodies)


def _batches(objects: Iterable[ErrorObject]) -> Iterator[list[ErrorObject]]:
    batch: list[ErrorObject] = []
    size = 0
    for each in objects:
        if batch and size + each.place.size_bytes > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.place.size_bytes
    if batch:
        yield batch


def _read(job: JobRef, bucket: str, each: ErrorObject) -> bytes:
    return b"".join(iter_blocks_from(job, bucket, each, each.header_bytes))


def iter_blocks_from(
    job: JobRef, bucket: str, each: ErrorObject, start: int, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield the errors of one object from a byte on, in blocks of whole errors.

    Parameters
    ----------
    start
        Where an error begins.

    Raises
    ------
    JobError
        If the object has expired.
    AwsError
    """
    place = each.place
    with translated(f"reading {place.key}"):
        answer = _open(job, bucket, place, start)
        body = answer["Body"]
        try:
            if "ContentRange" not in answer:  # the local engine sends the whole object
                for size in _steps(start, block_bytes):
                    body.read(size)
            rest = b""
            while data := body.read(block_bytes):
                data = rest + data
                end = end_of_errors(data)
                rest = data[end:]
                if end:
                    yield data[:end]
            if rest:
                yield rest
        finally:
            body.close()


def _open(job: JobRef, bucket: str, place: ErrorsPlace, start: int) -> Any:
    try:
        return job.stack.client("s3").get_object(
            Bucket=bucket, Key=place.key, VersionId=place.version_id, Range=f"bytes={start}-"
        )
    except ClientError as error:
        if not aws.is_gone(error):
            raise
        raise JobError(
            f"{place.key} is gone, as the errors of a job are after ErrorExpiryDays; "
            "their counts are still in why",
            job_id=job.id,
        ) from error


def object_bytes(job: JobRef, bucket: str, place: ErrorsPlace) -> int | None:
    """Return the size that an object has; None if it has expired.

    Raises
    ------
    AwsError
    """
    with translated(f"looking up {place.key}"):
        try:
            found = job.stack.client("s3").head_object(
                Bucket=bucket, Key=place.key, VersionId=place.version_id
            )
        except ClientError as error:
            if not aws.is_gone(error):
                raise
            return None
    return int(found["ContentLength"])


def _steps(total: int, most: int) -> Iterator[int]:
    while total > 0:
        yield min(total, most)
        total -= most


def end_of_errors(data: bytes) -> int:
    """Return where the last whole error ends in data that begins with an error; 0 if none does.

    A line feed ends an error if the quotes before it are paired.
    """
    end, quotes = len(data), data.count(b'"')
    while True:
        at = data.rfind(b"\n", 0, end) + 1
        quotes -= data.count(b'"', at, end)
        if at == 0 or quotes % 2 == 0:
            return at
        # Within quotes, so the error cannot end before they open.
        end = data.rfind(b'"', 0, at)
        quotes -= 1


def rejected_rows(job: JobRef, bucket: str, piece: ErrorObject) -> set[int]:
    """Return the rows of a chunk that have errors.

    Raises
    ------
    JobError
        If the chunk's errors have expired.
    AwsError
    """
    if not piece.has_errors:
        return set()
    text = io.StringIO(_read(job, bucket, piece).decode(), newline="")
    return {int(line[0]) for line in csv.reader(text)}
