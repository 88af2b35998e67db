"""Whether a job's result files are there as the merge wrote them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from batchcore import aws
from batchcore.texts import number_of
from botocore.exceptions import ClientError

from batchops.core.errors import JobError, translated

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

WHOLE = "whole"
_NAMES = {False: "completed file", True: "rejects file"}


def check_result(stack: StackRef, entry: JobEntry, *, rejected: bool) -> str:
    """Return ``"whole"`` if a result file is as the merge wrote it, else what is wrong with it.

    Returns
    -------
    str
        Empty if the job was never merged.

    Raises
    ------
    AwsError
    """
    place = entry.result_file(rejected=rejected)
    if place is None or not entry.is_merged:
        return ""
    latest = _head(stack, place.key)
    if latest is None:
        kept = place.version_id and _head(stack, place.key, VersionId=place.version_id)
        return f"deleted, its version {place.version_id} is still kept" if kept else "gone"
    if place.version_id is None:  # of a stack that did not note it
        return WHOLE
    if latest["VersionId"] != place.version_id and not _is_repeated(
        stack, place.key, (place.version_id, latest["VersionId"])
    ):
        return f"replaced by version {latest['VersionId']}"
    size = latest["ContentLength"]
    return (
        WHOLE
        if size == place.size_bytes
        else f"of {number_of(size, 'byte')}, not {place.size_bytes:,}"
    )


def lost_results(
    stack: StackRef, entry: JobEntry, *, expired: Collection[bool] = frozenset()
) -> str:
    """Say which result files of a merged job are not as the merge wrote them; empty if all are.

    Parameters
    ----------
    expired
        Files that were to expire by now, and so are not looked at: False for the completed file,
        True for the rejects.

    Raises
    ------
    AwsError
    """
    found = {
        rejected: check_result(stack, entry, rejected=rejected)
        for rejected in _NAMES
        if rejected not in expired
    }
    return " and ".join(
        f"the {_NAMES[rejected]} is {state}"
        for rejected, state in found.items()
        if state not in ("", WHOLE)
    )


def require_result(job: JobRef, *, rejected: bool) -> None:
    """Raise an error if a merged job's result file is not as the merge wrote it.

    Raises
    ------
    JobNotFoundError, AwsError
    JobError
        It says how to make the file again.
    """
    state = check_result(job.stack, job.ledger_entry(), rejected=rejected)
    if state not in ("", WHOLE):
        raise JobError(
            f"the {_NAMES[rejected]} of job {job.id} is {state}: rerun the job, which merges it "
            "again",
            job_id=job.id,
        )


def _is_repeated(stack: StackRef, key: str, versions: tuple[str, str]) -> bool:
    """Return whether two versions have the same bytes: the merge wrote its file once more.

    A call that timed out may still write it when another call has ended the merge.
    """
    found = [
        _head(stack, key, VersionId=version, ChecksumMode="ENABLED") or {} for version in versions
    ]
    # With a key of KMS, equal bytes have different entity tags.
    before, after = ({each.get("ETag"), each.get(aws.CHECKSUM_NAME)} - {None} for each in found)
    sizes = {each.get("ContentLength") for each in found}
    return len(sizes) == 1 and bool(before & after)


def _head(stack: StackRef, key: str, **how: Any) -> dict[str, Any] | None:
    bucket = stack.outputs["SourceBucketName"]
    with translated(f"looking up {key}"):
        try:
            found: Any = stack.client("s3").head_object(Bucket=bucket, Key=key, **how)
        except ClientError as error:
            if not aws.is_gone(error):
                raise
            return None
    return dict(found)
