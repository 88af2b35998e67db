"""Deploy a stack: execute a change set and wait until it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore.texts import number_of

from batchops.core.errors import AccessDeniedError, DeployFailedError, InputError, translated
from batchops.core.stack_ref import StackRef, read_outputs
from batchops.core.stack_states import explain_stuck
from batchops.deployment import change_sets, delivery, stack_events
from batchops.deployment.notification import restore_notification
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.core.project import Project
    from batchops.deployment.change_sets import Change, ChangeSet
    from batchops.deployment.stack_events import Followed, OnEvent


@dataclass(frozen=True)
class Deployment(Shown):
    """What a deployment did.

    Attributes
    ----------
    changes : tuple of Change
        What changed, a resource each; empty if the stack was up to date.
    outputs : mapping of str to str
        The stack's outputs.
    uploaded, reused : int
        Artifacts that were uploaded, and those that were there.
    seconds : float
        How long it took, packaging included.
    notes : tuple of str
        What else was set right, which CloudFormation knows nothing of.
    """

    changes: tuple[Change, ...]
    outputs: Mapping[str, str]
    uploaded: int
    reused: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything changed."""
        return bool(self.changes)

    def _blocks(self) -> Iterator[Block]:
        what = (
            f"{number_of(len(self.changes), 'resource')} changed" if self.changed else "unchanged"
        )
        yield Block.line(
            f"{what}, {number_of(self.uploaded, 'artifact')} uploaded, {self.reused} reused, "
            f"{self.seconds:.1f} s"
        )
        yield from map(Block.line, self.notes)
        rows = sorted(self.outputs.items())
        yield Block.table(
            ("output", "value"), rows, lines=[], folded=number_of(len(rows), "output")
        )


def deploy_stack(
    stack: StackRef,
    project: Project,
    order: delivery.Order,
    *,
    replace: bool = False,
    force: bool = False,
    repair: bool = False,
    on_event: OnEvent | None = None,
    timeout_s: float = 3600,
) -> Deployment:
    """Create or update a stack; leave one that needs no change as it is.

    Parameters
    ----------
    stack
        The stack; it need not exist.
    project
        The checkout with the template.
    order
        The user's files and parameters.
    replace
        Delete a stack first that is left over from a failed creation.
    force
        Deploy even over a stack of a later version of batchops.
    repair
        Also set back what was changed without CloudFormation, see `drift`; on AWS only.
    on_event
        Called with each stack event as it comes.
    timeout_s
        Seconds to wait for CloudFormation at most.

    Raises
    ------
    InputError, StackError, PackagingError, AwsError, EngineError
    """
    started = time.monotonic()
    if repair and stack.target.local:
        raise InputError(
            "the local engine compares templates only, so it sets nothing back that was changed by "
            "hand: destroy the stack and deploy it again, or undo the change"
        )
    prepared = delivery.prepare(
        stack,
        project,
        order,
        replace=replace,
        force=force,
        revert_drift=repair,
        on_event=on_event,
    )
    cfn = stack.client("cloudformation")
    outputs = execute(
        cfn,
        prepared.change_set,
        on_event=on_event,
        timeout_s=timeout_s,
        poll_s=stack.target.poll_s,
    )
    deployed = StackRef(stack.name, stack.target, outputs=outputs)
    return Deployment(
        changes=prepared.change_set.changes,
        outputs=outputs,
        uploaded=prepared.published.uploaded,
        reused=prepared.published.reused,
        notes=tuple(set_right(deployed, order)),
        seconds=time.monotonic() - started,
    )


def set_right(stack: StackRef, order: delivery.Order) -> Iterator[str]:
    """Change what no change set holds, and return what was changed."""
    if order.termination_protection is not None:
        wanted = order.termination_protection
        with translated(f"setting the termination protection of {stack.name!r}"):
            stack.client("cloudformation").update_termination_protection(
                StackName=stack.name, EnableTerminationProtection=wanted
            )
        yield f"termination protection is {'on' if wanted else 'off'}"
    try:
        replaced = restore_notification(stack)
    except AccessDeniedError as error:  # the stack is deployed all the same
        yield f"whether uploads still start jobs was not looked at: {error}"
        return
    if replaced:
        yield "the bucket's notification had been replaced: it is set again, uploads start jobs"


def execute(
    cfn: CloudFormationClient,
    change_set: ChangeSet,
    *,
    on_event: OnEvent | None = None,
    timeout_s: float = 3600,
    poll_s: float = 2.0,
) -> dict[str, str]:
    """Execute a change set, wait until it is done, and return the stack's outputs.

    Raises
    ------
    DeployFailedError
        A resource failed; it names the first, and the reason.
    StackBusyError
        Somebody else has executed a change set of the stack first.
    StackTimeoutError
        It has not ended in time. CloudFormation goes on with it.
    """
    if change_set.change_set_id is not None:
        name = change_set.stack_name
        with translated(f"deploying {name!r}"), change_sets.not_overtaken(name):
            since = stack_events.last_event_id(cfn, change_set.stack_id)
            cfn.execute_change_set(ChangeSetName=change_set.change_set_id)
        done = stack_events.follow_operation(
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


def _failure(cfn: CloudFormationClient, change_set: ChangeSet, done: Followed) -> DeployFailedError:
    stack_name = change_set.stack_name
    first = done.first_failure or stack_events.validation_failure(
        cfn, StackName=change_set.stack_id
    )
    reason = first.reason if first else done.reason
    where = f"{first.logical_id} ({first.resource_type})" if first else "the stack"
    undone = f"the stack is as it was before ({done.status}): fix that, then deploy again"
    hint = explain_stuck(stack_name, done.status) or undone
    return DeployFailedError(
        f"deploying {stack_name!r} failed at {where}: {reason}\n{hint}",
        stack_name=stack_name,
        reason=reason,
        logical_id=first.logical_id if first else None,
        status=done.status,
    )
