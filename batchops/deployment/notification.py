"""The bucket's notification as it is: look at it, and set it again where it was replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchcore.aws import change_bucket
from batchcore.notification import tells_of_uploads, with_upload_rule
from batchcore.workflow import NOTIFICATION

from batchops.core.errors import translated

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef


def uploads_start_jobs(stack: StackRef) -> bool:
    """Return whether S3 tells the stack of uploads, by the bucket's notification.

    Raises
    ------
    StackNotFoundError, AwsError
    """
    return tells_of_uploads(_read(stack), _function_arn(stack))


def restore_notification(stack: StackRef) -> bool:
    """Set the bucket's notification again unless it is there; return whether that was needed.

    What else the bucket's configuration has, such as Amazon EventBridge, stays.

    Raises
    ------
    StackNotFoundError
    AwsError
        As where another rule for the same uploads stands in the way.
    """
    found, function_arn = _read(stack), _function_arn(stack)
    if tells_of_uploads(found, function_arn):
        return False
    with translated("setting the notification of the bucket for files again"):
        change_bucket(
            lambda: stack.client("s3").put_bucket_notification_configuration(
                Bucket=stack.outputs["SourceBucketName"],
                NotificationConfiguration=with_upload_rule(found, function_arn),
            )
        )
    return True


def _read(stack: StackRef) -> dict[str, Any]:
    bucket = stack.outputs["SourceBucketName"]
    with translated(f"reading the notification of the bucket {bucket}"):
        answer = stack.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    return dict(answer)


def _function_arn(stack: StackRef) -> str:
    region, account = stack.target.region, stack.target.account_id
    return f"arn:aws:lambda:{region}:{account}:function:{stack.name}-{NOTIFICATION}"
