"""Find the upload of a job that the ledger does not have yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchcore import jobs, keys

from batchops.core.errors import translated

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef


def is_uploaded(job: JobRef) -> bool:
    """Return whether the bucket has the upload that a job would be of.

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
        return any(
            jobs.job_id(bucket, version["Key"], version["VersionId"]) == job.id
            for page in pages
            for version in page.get("Versions", [])
        )
