"""The list of a job's chunks, and the chunks themselves, as they are in the bucket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from batchcore import aws
from botocore.exceptions import ClientError

from batchops.core.errors import JobError, translated

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry


@dataclass(frozen=True, slots=True)
class ManifestChunk:
    """A chunk as the manifest lists it.

    Attributes
    ----------
    number : int
        The chunk's number, from 1.
    entry : str
        Its sort key in the ledger.
    key, version_id : str
        The key of its file, and the version that counts.
    first_row, last_row : int
        Its rows in the uploaded file, both inclusive, the header being row 1.
    rows : int
        Its records, which blank lines are not.
    size_bytes : int
        Bytes of its file.
    added_columns : str or None
        What identifies the columns that the look-up adds to it; None if an earlier version of the
        split did not say.
    """

    number: int
    entry: str
    key: str
    version_id: str
    first_row: int
    last_row: int
    rows: int
    size_bytes: int
    added_columns: str | None = None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> ManifestChunk:
        """Return the chunk that an item of the manifest describes."""
        return cls(
            number=item["number"],
            entry=item["entry"],
            key=item["key"],
            version_id=item["versionId"],
            first_row=item["firstRow"],
            last_row=item["lastRow"],
            rows=item["rows"],
            size_bytes=item["sizeBytes"],
            added_columns=item.get("addedColumns"),
        )

    def item(self) -> dict[str, Any]:
        """Return the chunk as an item of the manifest."""
        known = self.added_columns is not None
        return {
            "number": self.number,
            "entry": self.entry,
            "key": self.key,
            "firstRow": self.first_row,
            "lastRow": self.last_row,
            "rows": self.rows,
            "sizeBytes": self.size_bytes,
            "versionId": self.version_id,
            **({"addedColumns": self.added_columns} if known else {}),
        }


def read_manifest(job: JobRef, entry: JobEntry) -> list[ManifestChunk] | None:
    """Return the chunks that a job was split into; None if it never was, or the list is gone."""
    key = entry.manifest_key
    return None if key is None else read_chunks(job, entry.bucket, key)


def read_chunks(job: JobRef, bucket: str, key: str) -> list[ManifestChunk] | None:
    """Return a stored list of chunks; None if it is not there (any more)."""
    s3 = job.stack.client("s3")
    with translated(f"reading {key}"):
        try:
            found = orjson.loads(aws.read_object(s3, bucket, key))
        except s3.exceptions.NoSuchKey:
            return None
    return [ManifestChunk.of(item) for item in found]


def require_manifest(job: JobRef, entry: JobEntry) -> list[ManifestChunk]:
    """Return the chunks that a job was split into.

    Raises
    ------
    JobError
        If it was never split, or the list is gone.
    """
    found = read_manifest(job, entry)
    if found is None:
        why = "it was never split" if entry.manifest_key is None else "the list of them is gone"
        raise JobError(
            f"job {job.id} has no chunks to read, because {why}: submit the file, or the fixed "
            "rows as a file of their own",
            job_id=job.id,
        )
    return found


def put_manifest(job: JobRef, bucket: str, key: str, chunks: Iterable[ManifestChunk]) -> None:
    """Store a list of chunks, for the workflow and for later attempts."""
    body = json.dumps([chunk.item() for chunk in chunks]).encode()
    with translated(f"writing {key}"):
        aws.put_intermediate(job.stack.client("s3"), bucket, key, body)


def read_piece(job: JobRef, bucket: str, key: str, version_id: str) -> bytes:
    """Return a file of the job in a version, such as a chunk.

    Raises
    ------
    JobError
        If it is gone.
    """
    with translated(f"reading {key}"):
        try:
            stored = {"key": key, "versionId": version_id}
            return aws.read_version(job.stack.client("s3"), bucket, stored)
        except ClientError as error:
            if not aws.is_gone(error):
                raise
            raise JobError(
                f"{key} is gone, as it is after IntermediateExpiryDays: submit the file, or the "
                "fixed rows as a file of their own",
                job_id=job.id,
            ) from error


def put_piece(job: JobRef, bucket: str, key: str, body: bytes) -> str:
    """Store a file of the job, such as a chunk, and return its version."""
    with translated(f"writing {key}"):
        return aws.put_version(job.stack.client("s3"), bucket, key, body)["versionId"]
