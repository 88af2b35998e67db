"""Join pieces into one object in S3, in one function call or several, in bounded memory."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import accumulate, count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from batchcore import aws
from batchcore.errors import BalanceError
from batchcore.pieces import PART_BYTES, Group, Part, Piece, plan_groups, total_bytes
from batchcore.texts import number_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Most pieces are small and there are many, so latency decides how long fetching takes.
FETCHES_IN_FLIGHT = 32

# The most parts held in memory, each in one buffer, and the most bytes that they may have together.
# A single part may be larger than that.
PARTS_IN_FLIGHT = 4
BYTES_IN_FLIGHT = 512 * 1024 * 1024

# A piece is copied into the buffer of its part in blocks of this size.
BLOCK_BYTES = 1024 * 1024

_CSV = "text/csv"

# A part's entity tag and checksum, as the upload is completed with them.
PartReceipt = dict[str, str]


def join_pieces(
    s3: "S3Client",
    bucket: str,
    pieces: Sequence[Piece],
    key: str,
    *,
    confirm: Callable[[], None],
    tag: str = "",
) -> str:
    """Write the pieces as one object, in a multipart upload if it is large; return its version.

    Repeating the call writes the same object.

    Parameters
    ----------
    pieces
        In order, none of them empty.
    confirm
        Called after the upload and before the object is created. If it raises, no object is
        created.
    tag
        The object's tag; by default none.

    Raises
    ------
    BalanceError
        If a piece does not have its recorded size. No object is created.
    ResultTooLargeError
    """
    if total_bytes(pieces) < PART_BYTES:
        with ThreadPoolExecutor(FETCHES_IN_FLIGHT) as fetches:
            body = _assemble(s3, bucket, tuple(pieces), fetches)
        confirm()
        return s3.put_object(Bucket=bucket, Key=key, Body=body, **_content(tag))["VersionId"]
    (group,) = plan_groups(pieces)
    plan = uuid4().hex  # unique, so that this call can tell whether it completed the file
    upload = begin_upload(s3, bucket, key, plan=plan, tag=tag)
    try:
        parts = upload_group(s3, bucket, group, key=key, upload=upload)
        confirm()
        return complete_upload(s3, bucket, key, upload=upload, parts=parts, plan=plan)
    except BaseException:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise


def begin_upload(s3: "S3Client", bucket: str, key: str, *, plan: str, tag: str = "") -> str:
    """Begin a multipart upload and return its id. The object's metadata will name the plan."""
    return s3.create_multipart_upload(
        Bucket=bucket,
        Key=key,
        Metadata={"plan": plan},
        ChecksumAlgorithm=aws.CHECKSUM,
        **_content(tag),
    )["UploadId"]


def _content(tag: str) -> Any:
    return {"ContentType": _CSV, "Tagging": tag} if tag else {"ContentType": _CSV}


def upload_group(
    s3: "S3Client", bucket: str, group: Group, *, key: str, upload: str
) -> list[PartReceipt]:
    """Upload a group's parts, made of the exact versions of its pieces; return their receipts.

    A part that was uploaded before is replaced by the same bytes.

    Raises
    ------
    BalanceError
        If a piece does not have its recorded size.
    """
    largest = max(map(total_bytes, group.parts))
    at_once = max(1, min(PARTS_IN_FLIGHT, BYTES_IN_FLIGHT // largest))

    with ThreadPoolExecutor(FETCHES_IN_FLIGHT) as fetches, ThreadPoolExecutor(at_once) as uploads:

        def send(number: int, part: Part) -> PartReceipt:
            answer: Any = s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                Body=_assemble(s3, bucket, part, fetches),
                ChecksumAlgorithm=aws.CHECKSUM,
            )
            return {name: answer[name] for name in ("ETag", aws.CHECKSUM_NAME)}

        return list(uploads.map(send, count(group.first_part), group.parts))


def _assemble(s3: "S3Client", bucket: str, part: Part, fetches: ThreadPoolExecutor) -> Any:
    """Fetch the pieces of a part, many at a time, each into its place in one buffer.

    Returns a bytearray. boto3 accepts it without a copy, although its type stubs do not say so.
    """
    buffer = bytearray(total_bytes(part))
    view = memoryview(buffer)
    starts = accumulate((piece.size_bytes for piece in part), initial=0)

    def fetch(piece: Piece, start: int) -> None:
        found = s3.get_object(Bucket=bucket, Key=piece.key, VersionId=piece.version_id)
        if found["ContentLength"] != piece.size_bytes:
            raise BalanceError(
                f"{piece.key} has {number_of(found['ContentLength'], 'byte')}; "
                f"{piece.size_bytes:,} were written"
            )
        for block in found["Body"].iter_chunks(BLOCK_BYTES):
            view[start : start + len(block)] = block
            start += len(block)

    for _ in fetches.map(fetch, part, starts):
        pass
    return buffer


def complete_upload(
    s3: "S3Client", bucket: str, key: str, *, upload: str, parts: Sequence[PartReceipt], plan: str
) -> str:
    """Create the object from its parts, unless an earlier call did so; return its version."""
    numbered: Any = [{"PartNumber": n, **part} for n, part in enumerate(parts, 1)]
    try:
        return s3.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": numbered}
        )["VersionId"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
        # An earlier call may have completed it, and its response was lost or the function died.
        found = s3.head_object(Bucket=bucket, Key=key)
        if found["Metadata"].get("plan") != plan:
            raise
        return found["VersionId"]


def abort_uploads(s3: "S3Client", bucket: str, key: str, *, before: datetime) -> None:
    """Abort the multipart uploads of an object that began before a time, and free their storage."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        for upload in page.get("Uploads", ()):
            if upload["Key"] == key and upload["Initiated"] < before:
                s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
