"""Delete a stack, following the deletion to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchops.core.errors import StackStuckError, translated
from batchops.core.stack_ref import describe_stack
from batchops.deployment import stack_state

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.deployment.stack_state import OnEvent


def delete_stack(
    cfn: CloudFormationClient,
    stack_name: str,
    *,
    on_event: OnEvent | None = None,
    timeout_s: float = 3600,
    poll_s: float = 2.0,
) -> bool:
    """Delete the stack, follow it to its end, and return whether there was one.

    Buckets have to be empty: on AWS, one that holds objects makes the deletion fail.

    Raises
    ------
    StackBusyError
        Another operation is under way.
    StackStuckError
        A resource could not be deleted; it names the first, and the reason.
    StackTimeoutError
        It was not through in time. CloudFormation goes on with it.
    """
    with translated(f"deleting the stack {stack_name!r}"):
        found = describe_stack(cfn, stack_name)
        if found is None:
            return False
        stack_state.refuse_busy(stack_name, found["StackStatus"])
        # By its ARN from here on: a deleted stack has no name any more.
        since = stack_state.last_event_id(cfn, found["StackId"])
        cfn.delete_stack(StackName=found["StackId"])
    done = stack_state.follow(
        cfn, found["StackId"], since=since, on_event=on_event, timeout_s=timeout_s, poll_s=poll_s
    )
    if done.status != "DELETE_COMPLETE":
        first = done.first_failure
        why = f"{first.logical_id}: {first.reason}" if first else done.reason
        hint = stack_state.explain_stuck(stack_name, done.status) or f"it is in {done.status}"
        raise StackStuckError(
            f"deleting {stack_name!r} failed at {why}\n{hint}",
            stack_name=stack_name,
            status=done.status,
        )
    return True
