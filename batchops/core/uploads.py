"""Find the upload of a job that the ledger does not have yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchcore import jobs, keys

from batchops.core.errors import AccessDeniedError, translated

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef

# How S3 calls the version of an object while versioning is suspended.
UNVERSIONED = "null"


def find_upload(job: JobRef) -> dict[str, Any] | None:
    """Return the version of an object in the bucket that a job would be of, as S3 lists it.

    A job's id cannot be turned back into its upload, so all that lie in ``input/`` are looked at;
    those of jobs that have succeeded lie in the archive.

    Raises
    ------
    AwsError, EngineError
    """
    bucket, s3 = job.stack.outputs["SourceBucketName"], job.stack.client("s3")
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=keys.INPUT_PREFIX
    )
    with translated(f"looking for the upload of job {job.id!r}"):
        for page in pages:
            for version in page.get("Versions", []):
                if jobs.job_id(bucket, version["Key"], version["VersionId"]) == job.id:
                    return dict(version)
    return None


def may_be_uploaded(job: JobRef) -> bool:
    """Return whether a job may still come: its upload is there, or may not be looked for.

    Raises
    ------
    AwsError, EngineError
    """
    try:
        return find_upload(job) is not None
    except AccessDeniedError:  # whoever only uploads or reads may not list versions
        return True
