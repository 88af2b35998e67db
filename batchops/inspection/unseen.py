"""Start the job of an upload that S3 sent no event for.

After a bucket's notification is set, it usually takes S3 some five minutes to heed it (Amazon S3
user guide, November 2026). An upload right after the first deployment may make no event, and nobody
would come to know of it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from batchcore.workflow import NOTIFICATION

from batchops.core.uploads import find_upload
from batchops.inspection.invoke import invoke_target

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef

# Events mostly come within seconds. Starting a job that one of them starts as well does no harm.
START_UNSEEN_S = {"aws": 60.0, "local": 10.0}

# The ledger keeps entries for a day at least (LedgerExpiryDays). Of an older upload it may have
# forgotten that its job has run; `reconcile` knows how long it remembers.
_REMEMBERED = timedelta(days=1)


def start_unseen(job: JobRef) -> bool:
    """Send the stack the event of a job's upload; False if there is no such upload of the last day.

    The event names the object's version, and so the job and its execution. Whichever of this and
    S3's own event comes second finds the job entered.

    Raises
    ------
    FunctionFailedError, AwsError
    """
    bucket = job.stack.outputs["SourceBucketName"]
    version = find_upload(job)
    if version is None or version["LastModified"] < datetime.now(UTC) - _REMEMBERED:
        return False
    event = upload_event(bucket, version["Key"], version["VersionId"], version["Size"])
    invoke_target(job.stack, NOTIFICATION, event)
    return True


def upload_event(bucket: str, key: str, version_id: str, size_bytes: int) -> dict[str, Any]:
    """Return what S3 tells the first function of an upload."""
    upload = {"key": quote_plus(key, safe="/"), "size": size_bytes, "versionId": version_id}
    return {"Records": [{"s3": {"bucket": {"name": bucket}, "object": upload}}]}
