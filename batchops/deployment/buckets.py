"""Empty and delete buckets, as CloudFormation does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchcore.texts import number_of
from botocore.exceptions import ClientError

from batchops.core.errors import AwsError, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DELETE_TRIES = 5


def count_versions(s3: S3Client, bucket: str, prefix: str = "") -> int | None:
    """Return how many versions and delete markers a bucket holds; None if there is no bucket.

    With a prefix, only those of the keys that begin with it.

    Raises
    ------
    AwsError
        A request was refused.
    """
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    with translated(f"listing the bucket {bucket}"):
        try:
            return sum(len(p.get("Versions", [])) + len(p.get("DeleteMarkers", [])) for p in pages)
        except s3.exceptions.NoSuchBucket:
            return None  # a deletion that failed has got that far


def delete_bucket(s3: S3Client, bucket: str) -> int:
    """Empty and delete a bucket that may be in use; return how many versions went with it.

    CloudFormation takes a bucket that is gone for deleted, and fails on one that holds objects,
    such as an access log delivered a moment after the bucket was emptied.

    Raises
    ------
    AwsError
        It keeps filling up, a version could not be deleted, or a request was refused.
    """
    deleted = 0
    with translated(f"deleting the bucket {bucket}"):
        for _ in range(_DELETE_TRIES):
            try:
                deleted += _empty(s3, bucket)
                s3.delete_bucket(Bucket=bucket)
            except s3.exceptions.NoSuchBucket:
                return deleted  # somebody else has deleted it, or an earlier try
            except ClientError as error:
                # Something was written between the two calls: empty it once more.
                if error.response["Error"]["Code"] != "BucketNotEmpty":
                    raise
            else:
                return deleted
    raise AwsError(f"the bucket {bucket} fills up as it is emptied: stop what writes to it")


def empty_bucket(s3: S3Client, bucket: str, prefix: str = "") -> int:
    """Empty a bucket, and return how many versions went; none if there is no such bucket.

    With a prefix, only the keys that begin with it go.

    Raises
    ------
    AwsError
        A version could not be deleted, or a request was refused.
    """
    with translated(f"emptying the bucket {bucket}"):
        try:
            return _empty(s3, bucket, prefix)
        except s3.exceptions.NoSuchBucket:
            return 0


def _empty(s3: S3Client, bucket: str, prefix: str = "") -> int:
    """Delete every version of every object, and unfinished uploads; return how many versions."""
    deleted = 0
    # A page has at most 1,000 entries, which is also what one DeleteObjects takes.
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if entries:
            _delete(s3, bucket, entries)
            deleted += len(entries)
    begun = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for uploads in begun:
        for upload in uploads.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return deleted


def _delete(s3: S3Client, bucket: str, entries: list[Any]) -> None:
    doomed: list[Any] = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in entries]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
    # A request can succeed and yet leave some of its objects.
    errors = answer.get("Errors", [])
    if errors:
        first = errors[0]
        raise AwsError(
            f"{number_of(len(errors), 'object')} in {bucket} could not be deleted, the first "
            f"{first.get('Key')}: {first.get('Message')}: "
            "see that the credentials may delete versions there",
            code=first.get("Code", ""),
        )
