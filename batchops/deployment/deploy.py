"""Carry out change sets and deletions, following each to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from batchops.deployment import stack_state
from batchops.errors import DeployFailedError, StackStuckError, translate

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.deployment.change_sets import ChangeSet
    from batchops.deployment.stack_state import OnEvent


def execute(
    cfn: CloudFormationClient,
    change_set: ChangeSet,
    *,
    on_event: OnEvent | None = None,
    timeout_s: float = 3600,
    poll_s: float = 2.0,
) -> dict[str, str]:
    """Carry out a change set, follow it to its end, and return the stack's outputs.

    Raises
    ------
    DeployFailedError
        A resource failed; it names the first, and the reason.
    StackTimeoutError
        It was not through in time. CloudFormation goes on with it.
    """
    if change_set.change_set_id is not None:
        try:
            since = stack_state.last_event_id(cfn, change_set.stack_id)
            cfn.execute_change_set(ChangeSetName=change_set.change_set_id)
        except (ClientError, BotoCoreError) as error:
            doing = f"deploying {change_set.stack_name!r}"
            raise translate(error, doing=doing) from error
        done = stack_state.follow(
            cfn,
            change_set.stack_id,
            since=since,
            on_event=on_event,
            timeout_s=timeout_s,
            poll_s=poll_s,
        )
        if done.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise _failure(cfn, change_set, done)
    return stack_state.outputs(cfn, change_set.stack_name)


def _failure(
    cfn: CloudFormationClient, change_set: ChangeSet, done: stack_state.Followed
) -> DeployFailedError:
    stack_name = change_set.stack_name
    first = done.first_failure or stack_state.validation_failure(cfn, StackName=change_set.stack_id)
    reason = first.reason if first else done.reason
    where = f"{first.logical_id} ({first.resource_type})" if first else "the stack"
    undone = f"the stack is as it was before ({done.status}): repair that, then deploy again"
    hint = stack_state.explain_stuck(stack_name, done.status) or undone
    return DeployFailedError(
        f"deploying {stack_name!r} failed at {where}: {reason}\n{hint}",
        stack_name=stack_name,
        reason=reason,
        logical_id=first.logical_id if first else None,
        status=done.status,
    )


def delete(
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
    try:
        found = stack_state.describe(cfn, stack_name)
        if found is None:
            return False
        stack_state.refuse_busy(stack_name, found["StackStatus"])
        # By its ARN from here on: a deleted stack has no name any more.
        since = stack_state.last_event_id(cfn, found["StackId"])
        cfn.delete_stack(StackName=found["StackId"])
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing=f"deleting the stack {stack_name!r}") from error
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
