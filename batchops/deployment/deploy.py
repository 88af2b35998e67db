"""Carry out a change set, following it to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchops.core.errors import DeployFailedError, translated
from batchops.core.stack_ref import read_outputs
from batchops.deployment import stack_state

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
        with translated(f"deploying {change_set.stack_name!r}"):
            since = stack_state.last_event_id(cfn, change_set.stack_id)
            cfn.execute_change_set(ChangeSetName=change_set.change_set_id)
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
    return read_outputs(cfn, change_set.stack_name)


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
