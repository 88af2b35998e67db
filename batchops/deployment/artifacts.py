"""The bucket that artefacts are deployed from, one per account and region."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from batchops.core.errors import PackagingError, translate, translated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3 import S3Client

    from batchops.core.target import Target
    from batchops.deployment.packaging import Artefact

_NONCURRENT_DAYS = 30
_ABSENT = {"404", "NoSuchBucket", "NotFound"}
_FOREIGN = {"301", "403", "AccessDenied", "BucketAlreadyExists", "PermanentRedirect"}


@dataclass(frozen=True)
class Published:
    """How many files a deployment needed, and where they are."""

    bucket: str
    uploaded: int
    reused: int
    uploaded_bytes: int


def bucket_name(target: Target) -> str:
    """Return the name of the artefact bucket of the target's account and region."""
    return f"batchops-artifacts-{target.account_id}-{target.region}"


def publish(target: Target, artefacts: Iterable[Artefact]) -> Published:
    """Upload the artefacts that the bucket lacks, making the bucket on first use.

    Raises
    ------
    PackagingError
        The bucket's name belongs to somebody else.
    AwsError
        A request was refused.
    """
    bucket = ensure_bucket(target)
    wanted = {artefact.key: artefact for artefact in artefacts}
    s3: S3Client = target.client("s3")
    uploaded = uploaded_bytes = 0
    with translated(f"uploading to the bucket {bucket}"):
        for key, artefact in wanted.items():
            if not _has_object(s3, bucket, key, target.account_id):
                _put(s3, bucket, key, artefact.path.read_bytes(), target.account_id)
                uploaded += 1
                uploaded_bytes += artefact.size_bytes
    return Published(bucket, uploaded, len(wanted) - uploaded, uploaded_bytes)


def publish_template(target: Target, text: str) -> str:
    """Upload a template, unless it is there, and return the URL that CloudFormation reads.

    A template handed over in the request itself may have 51,200 bytes; one in S3 a million.
    """
    bucket = ensure_bucket(target)
    body = text.encode()
    key = f"templates/{hashlib.sha256(body).hexdigest()}.json"
    s3: S3Client = target.client("s3")
    with translated(f"uploading the template to {bucket}"):
        if not _has_object(s3, bucket, key, target.account_id):
            _put(s3, bucket, key, body, target.account_id)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"


def ensure_bucket(target: Target) -> str:
    """Make the artefact bucket unless it is there, and return its name."""
    s3: S3Client = target.client("s3")
    bucket, owner = bucket_name(target), target.account_id
    try:
        if not _bucket_exists(s3, bucket, owner):
            # us-east-1 is the region that must not be named.
            place: Any = {"LocationConstraint": target.region}
            extra = {} if target.region == "us-east-1" else {"CreateBucketConfiguration": place}
            s3.create_bucket(Bucket=bucket, **extra)
        if not _is_set_up(s3, bucket, owner):
            _set_up(s3, bucket, owner)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _FOREIGN and error.operation_name in ("HeadBucket", "CreateBucket"):
            raise PackagingError(
                f"the artefact bucket {bucket} belongs to another account, or these credentials "
                f"may not use it ({code}): have s3 access to it granted, or use another region"
            ) from error
        raise translate(error, doing=f"preparing the bucket {bucket}") from error
    except BotoCoreError as error:
        raise translate(error, doing=f"preparing the bucket {bucket}") from error
    return bucket


def _bucket_exists(s3: S3Client, bucket: str, owner: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def _is_set_up(s3: S3Client, bucket: str, owner: str) -> bool:
    # The policy is set last, so its presence says that the rest was set as well.
    try:
        s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
            return False
        raise
    return True


def _set_up(s3: S3Client, bucket: str, owner: str) -> None:
    arn = f"arn:{_partition(s3)}:s3:::{bucket}"
    tls_only = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    tidy: Any = {
        "ID": "DropOldVersions",
        "Status": "Enabled",
        "Filter": {},
        "NoncurrentVersionExpiration": {"NoncurrentDays": _NONCURRENT_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    encryption: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_public_access_block(
        Bucket=bucket,
        ExpectedBucketOwner=owner,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_ownership_controls(
        Bucket=bucket,
        ExpectedBucketOwner=owner,
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    )
    s3.put_bucket_versioning(
        Bucket=bucket, ExpectedBucketOwner=owner, VersioningConfiguration={"Status": "Enabled"}
    )
    s3.put_bucket_encryption(
        Bucket=bucket,
        ExpectedBucketOwner=owner,
        ServerSideEncryptionConfiguration={"Rules": [encryption]},
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, ExpectedBucketOwner=owner, LifecycleConfiguration={"Rules": [tidy]}
    )
    policy = {"Version": "2012-10-17", "Statement": [tls_only]}
    s3.put_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner, Policy=json.dumps(policy))


def _partition(s3: S3Client) -> str:
    return s3.meta.partition


def _has_object(s3: S3Client, bucket: str, key: str, owner: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def _put(s3: S3Client, bucket: str, key: str, body: bytes, owner: str) -> None:
    # The checksum is S3's to verify: a broken upload fails instead of being stored under its hash.
    s3.put_object(
        Bucket=bucket, Key=key, Body=body, ExpectedBucketOwner=owner, ChecksumAlgorithm="SHA256"
    )
