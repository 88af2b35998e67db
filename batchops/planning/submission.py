"""Submit a file: upload it into the stack's input, and find the version that was uploaded."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchcore import jobs, keys
from botocore.exceptions import ClientError

from batchops.core.errors import AwsError, InputError, translated
from batchops.planning.plan import Plan

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_s3 import S3Client

    from batchops.core.stack_ref import StackRef

    File = str | Path | bytes | pd.DataFrame

# A key has at most 1,024 bytes of UTF-8 (Amazon S3 user guide), the job's prefixes included.
MAX_NAME_BYTES = 800

_TOKEN = "batchops-upload"  # noqa: S105  (the name of a metadata field)


def submit_file(
    stack: StackRef, source: File | Plan, *, name: str | None = None, force: bool = False
) -> str:
    """Upload a file, which starts its job, and return the job's id.

    Parameters
    ----------
    source
        The path of a CSV file, an object (``s3://bucket/key``), bytes, a DataFrame (written
        without its index), or a plan, whose file it is.
    name
        The name to upload it under, ``upload.csv`` for bytes and DataFrames; it may have folders
        (``2026/orders.csv``).
    force
        Submit a plan's file even if the plan says that the job cannot succeed.

    Raises
    ------
    InputError, StackNotFoundError, AwsError
    """
    if isinstance(source, Plan):
        check_submittable(source, force=force)
        return submit_file(stack, source.source, name=name or source.name)
    s3, bucket = stack.client("s3"), stack.outputs["SourceBucketName"]
    if isinstance(source, str) and source.startswith("s3://"):
        key, version = copy_object(s3, bucket, source, name=name)
    else:
        delimiter = jobs.parse_delimiter(stack.outputs["FileDelimiter"])
        file, upload_name = open_source(source, name=name, delimiter=delimiter)
        with file:
            key, version = upload(s3, bucket, file, upload_name)
    return jobs.job_id(bucket, key, version)


def check_submittable(plan: Plan, *, force: bool = False) -> None:
    """Refuse a plan whose job cannot succeed, unless forced, or whose file has changed since.

    Raises
    ------
    InputError
    """
    if not force and not plan.can_succeed:
        raise InputError(
            f"{plan.name} would fail: {'; '.join(plan.obstacles)}. Fix it and plan it again, or "
            "submit it with force=True"
        )
    if isinstance(plan.source, str | Path):
        path = Path(plan.source)
        if path.is_file() and path.stat().st_size != plan.size_bytes:
            raise InputError(
                f"{path} has {path.stat().st_size:,} bytes, but {plan.size_bytes:,} when it was "
                "planned: plan it again"
            )


def open_source(source: File, *, name: str | None, delimiter: str) -> tuple[IO[bytes], str]:
    """Return the bytes to upload as a file, and the name to upload them under.

    Raises
    ------
    InputError
        If the file cannot be read, or the name is missing or not usable.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise InputError(f"no file {path}: give the path of a CSV file, bytes or a DataFrame")
        return path.open("rb"), _checked(name or path.name)
    if isinstance(source, bytes):
        return io.BytesIO(source), _checked(name or "upload.csv")
    if hasattr(source, "to_csv"):
        text = source.to_csv(index=False, sep=delimiter, lineterminator="\n")
        return io.BytesIO(text.encode()), _checked(name or "upload.csv")
    raise InputError(
        f"cannot upload a {type(source).__name__}: give a path, bytes or a pandas DataFrame"
    )


def _checked(name: str) -> str:
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"{name!r} cannot be the name of an upload: give a file name, or a/b.csv")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise InputError(f"the name has {len(name.encode()):,} bytes, at most {MAX_NAME_BYTES} fit")
    return name


def upload(s3: S3Client, bucket: str, file: IO[bytes], name: str) -> tuple[str, str]:
    """Upload a file under ``input/`` and return its key and version id.

    boto3's managed transfer, which sends large files in parts, does not return the version that it
    made. So the object's metadata has a token, which identifies the version even if somebody else
    uploads a file of the same name at the same time.
    """
    key, token = keys.INPUT_PREFIX + name, uuid.uuid4().hex
    with translated(f"uploading {name!r}"):
        s3.upload_fileobj(file, bucket, key, ExtraArgs={"Metadata": {_TOKEN: token}})
        return key, _find_version(s3, bucket, key, token)


def copy_object(s3: S3Client, bucket: str, source: str, *, name: str | None) -> tuple[str, str]:
    """Copy an object ``s3://bucket/key`` to ``input/`` and return its new key and version id.

    Raises
    ------
    InputError
        If `source` is not such an address.
    """
    from_bucket, _, from_key = source.removeprefix("s3://").partition("/")
    if not from_bucket or not from_key:
        raise InputError(f"{source!r} is not an object: give s3://bucket/key")
    key = keys.INPUT_PREFIX + _checked(name or from_key.rsplit("/", 1)[-1])
    token = uuid.uuid4().hex
    extra = {"Metadata": {_TOKEN: token}, "MetadataDirective": "REPLACE"}
    with translated(f"copying {source}"):
        s3.copy({"Bucket": from_bucket, "Key": from_key}, bucket, key, ExtraArgs=extra)
        return key, _find_version(s3, bucket, key, token)


def _find_version(s3: S3Client, bucket: str, key: str, token: str) -> str:
    try:
        latest: Any = s3.head_object(Bucket=bucket, Key=key)
        if latest["Metadata"].get(_TOKEN) == token:
            return str(latest["VersionId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
    # Ours is not the latest: there was a later upload of the name, or our job is done already.
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        for version in page.get("Versions", []):
            if version["Key"] != key:
                continue
            head = s3.head_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
            if head["Metadata"].get(_TOKEN) == token:
                return version["VersionId"]
    raise AwsError(f"the upload of {key} cannot be found in {bucket}: look in stack.jobs()")
