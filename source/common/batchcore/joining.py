"""Pieces joined into one object in S3, by one function or by several, in bounded memory."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import accumulate, count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from batchcore.errors import BalanceError
from batchcore.pieces import PART_BYTES, Group, Part, Piece, plan_groups, total_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Pieces are small and many as a rule, so fetching them is a matter of latency.
FETCHES_IN_FLIGHT = 32

# The parts that are held at a time, each in one buffer: at most so many, and so many bytes, or one.
PARTS_IN_FLIGHT = 4
BYTES_IN_FLIGHT = 512 * 1024 * 1024

# What of a piece is outside its part's buffer at a time.
BLOCK_BYTES = 1024 * 1024

_CSV = "text/csv"


def join_pieces(
    s3: "S3Client", bucket: str, pieces: Sequence[Piece], key: str, *, confirm: Callable[[], None]
) -> None:
    """Write the pieces as one object, in parts if it is large; repeating it gives the same.

    Parameters
    ----------
    pieces
        In order, none of them empty.
    confirm
        Called when all is uploaded, before the object comes into being; may raise.

    Raises
    ------
    BalanceError
        If a piece has another size than it must have; no object is written then.
    ResultTooLargeError
    """
    if total_bytes(pieces) < PART_BYTES:
        with ThreadPoolExecutor(FETCHES_IN_FLIGHT) as fetches:
            body = _assemble(s3, bucket, tuple(pieces), fetches)
        confirm()
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=_CSV)
        return
    (group,) = plan_groups(pieces)
    plan = uuid4().hex  # only this call's, so that a completed file is known to be its own
    upload = begin_upload(s3, bucket, key, plan=plan)
    try:
        etags = upload_group(s3, bucket, group, key=key, upload=upload)
        confirm()
        complete_upload(s3, bucket, key, upload=upload, etags=etags, plan=plan)
    except BaseException:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise


def begin_upload(s3: "S3Client", bucket: str, key: str, *, plan: str) -> str:
    """Begin a multipart upload and return its id; the object will name the plan it was made by."""
    return s3.create_multipart_upload(
        Bucket=bucket, Key=key, ContentType=_CSV, Metadata={"plan": plan}
    )["UploadId"]


def upload_group(s3: "S3Client", bucket: str, group: Group, *, key: str, upload: str) -> list[str]:
    """Upload a group's parts, each made of its pieces' exact versions; return their entity tags.

    A part that is there already is replaced by the same bytes.

    Raises
    ------
    BalanceError
        If a piece has another size than it must have.
    """
    largest = max(map(total_bytes, group.parts))
    at_once = max(1, min(PARTS_IN_FLIGHT, BYTES_IN_FLIGHT // largest))

    with ThreadPoolExecutor(FETCHES_IN_FLIGHT) as fetches, ThreadPoolExecutor(at_once) as uploads:

        def send(number: int, part: Part) -> str:
            body = _assemble(s3, bucket, part, fetches)
            return s3.upload_part(
                Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body
            )["ETag"]

        return list(uploads.map(send, count(group.first_part), group.parts))


def _assemble(s3: "S3Client", bucket: str, part: Part, fetches: ThreadPoolExecutor) -> Any:
    """Fetch what a part is made of, many pieces at a time, each to its place.

    Returns a bytearray, which boto3 takes as it is, though the stubs do not say so.
    """
    buffer = bytearray(total_bytes(part))
    view = memoryview(buffer)
    starts = accumulate((piece.size_bytes for piece in part), initial=0)

    def fetch(piece: Piece, start: int) -> None:
        found = s3.get_object(Bucket=bucket, Key=piece.key, VersionId=piece.version_id)
        if found["ContentLength"] != piece.size_bytes:
            raise BalanceError(
                f"{piece.key} has {found['ContentLength']:,} bytes; "
                f"{piece.size_bytes:,} were written"
            )
        for block in found["Body"].iter_chunks(BLOCK_BYTES):
            view[start : start + len(block)] = block
            start += len(block)

    for _ in fetches.map(fetch, part, starts):
        pass
    return buffer


def complete_upload(
    s3: "S3Client", bucket: str, key: str, *, upload: str, etags: Sequence[str], plan: str
) -> None:
    """Make the object of its parts; if this was done before, leave it as it is."""
    parts: Any = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    try:
        s3.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
        # Its answer may have been lost, or the function have died after it.
        if s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("plan") != plan:
            raise


def abort_uploads(s3: "S3Client", bucket: str, key: str, *, before: datetime) -> None:
    """Abort the uploads of an object that were begun before a time, and free what they hold."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        for upload in page.get("Uploads", ()):
            if upload["Key"] == key and upload["Initiated"] < before:
                s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
