"""Store artifacts in the bucket that stacks are deployed from, one per account and region."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore.aws import change_bucket
from botocore.exceptions import ClientError

from batchops.core.errors import PackagingError, translated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_s3 import S3Client

    from batchops.core.target import Target
    from batchops.deployment.packaging import Artifact

_NONCURRENT_DAYS = 30
_ABSENT = {"404", "NoSuchBucket", "NotFound"}
_FOREIGN = {"301", "403", "AccessDenied", "BucketAlreadyExists", "PermanentRedirect"}


@dataclass(frozen=True)
class Published:
    """The files that a deployment needs, and where they are.

    Attributes
    ----------
    places : mapping
        Bucket and Key of each, by the logical id of the resource that it is for.
    uploaded, reused : int
        How many were uploaded, and how many were there.
    """

    places: Mapping[str, Mapping[str, str]]
    uploaded: int
    reused: int


def bucket_name(target: Target) -> str:
    """Return the name of the artifact bucket of the target's account and region."""
    return f"batchops-artifacts-{target.account_id}-{target.region}"


def publish(target: Target, artifacts: Collection[Artifact]) -> Published:
    """Upload the artifacts that the bucket lacks, making the bucket on first use.

    Raises
    ------
    PackagingError
        The bucket's name belongs to somebody else.
    AwsError
        A request was refused.
    """
    bucket = ensure_bucket(target)
    wanted = {artifact.key: artifact for artifact in artifacts}
    s3: S3Client = target.client("s3")
    uploaded = 0
    with translated(f"uploading to the bucket {bucket}"):
        for key, artifact in wanted.items():
            if not _has_object(s3, bucket, key, target.account_id):
                _put(s3, bucket, key, artifact.path.read_bytes(), target.account_id)
                uploaded += 1
    return Published(
        places={a.logical_id: {"Bucket": bucket, "Key": a.key} for a in artifacts},
        uploaded=uploaded,
        reused=len(wanted) - uploaded,
    )


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
    if target.endpoint is not None:
        return f"{target.endpoint.endpoint_url}/{bucket}/{key}"
    # Not the client's own address: with FIPS or dual-stack endpoints in the AWS configuration that
    # is one which CloudFormation may not take.
    return f"https://{bucket}.s3.{target.region}.amazonaws.com/{key}"


def ensure_bucket(target: Target) -> str:
    """Make the artifact bucket unless it is there, and return its name."""
    s3: S3Client = target.client("s3")
    bucket, owner = bucket_name(target), target.account_id
    with translated(f"preparing the bucket {bucket}"):
        try:
            if not _bucket_exists(s3, bucket, owner):
                # us-east-1 is the region that must not be named.
                place: Any = {"LocationConstraint": target.region}
                extra = {} if target.region == "us-east-1" else {"CreateBucketConfiguration": place}
                with suppress(s3.exceptions.BucketAlreadyOwnedByYou):  # made meanwhile
                    change_bucket(lambda: s3.create_bucket(Bucket=bucket, **extra))
        except ClientError as error:
            # Of these two calls alone, such an answer means that the bucket is somebody else's.
            code = error.response["Error"]["Code"]
            if code not in _FOREIGN:
                raise
            raise PackagingError(
                f"the artifact bucket {bucket} belongs to another account, or these credentials "
                f"may not use it ({code}): have s3 access to it granted, or use another region"
            ) from error
        if not _is_set_up(s3, bucket, owner):
            # Somebody else may be setting it up at the same time.
            change_bucket(lambda: _set_up(s3, bucket, owner))
    return bucket


def _bucket_exists(s3: S3Client, bucket: str, owner: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        # A head request has no other way to say that there is no bucket.
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def _is_set_up(s3: S3Client, bucket: str, owner: str) -> bool:
    # The policy is set last, so its presence says that the rest was set as well.
    try:
        s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        # It has a class of its own in no version of boto3.
        if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
            return False
        raise
    return True


def _set_up(s3: S3Client, bucket: str, owner: str) -> None:
    arn = f"arn:{s3.meta.partition}:s3:::{bucket}"
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


def _has_object(s3: S3Client, bucket: str, key: str, owner: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)
    except ClientError as error:
        # A head request has no other way to say that there is no such object.
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def _put(s3: S3Client, bucket: str, key: str, body: bytes, owner: str) -> None:
    # The checksum is S3's to verify: a broken upload fails instead of being stored under its hash.
    s3.put_object(
        Bucket=bucket, Key=key, Body=body, ExpectedBucketOwner=owner, ChecksumAlgorithm="SHA256"
    )
