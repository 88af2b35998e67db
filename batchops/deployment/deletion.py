"""Delete a stack with everything that it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.core.errors import StackError, StackStuckError, translated
from batchops.core.stack_ref import StackRef, describe_deployed, describe_stack, outputs_of
from batchops.core.stack_states import explain_stuck, refuse_busy
from batchops.deployment import stack_events
from batchops.deployment.buckets import delete_bucket, empty_bucket
from batchops.deployment.holdings import BUCKETS, Holdings, count_holdings, refuse_running
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.deployment.stack_events import OnEvent

# Stops the jobs that run or wait in a stack, and returns their ids.
StopJobs = Callable[[StackRef], tuple[str, ...]]
_DELETE_TRIES = 3

# How S3 refuses a change to a bucket while another one is under way, with status 409.
_CONFLICT = re.compile("OperationAborted|conflicting conditional operation")


@dataclass(frozen=True)
class Destruction(Shown):
    """What deleting a stack takes away.

    Attributes
    ----------
    stack_name : str
        The stack.
    deleted : bool
        Whether it is deleted; False after a dry run.
    holdings : Holdings
        What it held.
    stopped : tuple of str
        Ids of the jobs that ran or waited, and were stopped first.
    """

    stack_name: str
    deleted: bool
    holdings: Holdings
    stopped: tuple[str, ...] = ()

    def _blocks(self) -> Iterator[Block]:
        verb = "is deleted" if self.deleted else "would be deleted (dry_run=False deletes it)"
        yield Block.line(f"stack {self.stack_name} {verb}, with everything that it held")
        yield Block.facts(str(self.holdings).splitlines())
        if self.stopped:
            yield Block.facts([f"stopped first: {', '.join(self.stopped)}"])


def destroy_stack(
    stack: StackRef,
    *,
    dry_run: bool,
    stop_jobs: StopJobs | None = None,
    on_event: OnEvent | None = None,
    timeout_s: float = 3600,
) -> Destruction:
    """Say what deleting a stack would take away, or empty its buckets and delete it.

    A stack whose creation or deletion failed is deleted too, with what is left of it.

    Parameters
    ----------
    stack
        The stack.
    dry_run
        Only look.
    stop_jobs
        Stops the jobs that run or wait; without it, they keep the stack from being deleted.
    on_event
        Called with each stack event as it comes.
    timeout_s
        Seconds to wait for CloudFormation at most.

    Raises
    ------
    StackNotFoundError, StackStuckError, StackTimeoutError, AwsError
    StackError
        Termination protection is on; nothing has been deleted.
    StackBusyError
        Jobs run or wait, or another operation is under way; nothing has been deleted.
    """
    cfn = stack.client("cloudformation")
    described = describe_deployed(cfn, stack.name)
    # A stack that is half made has few outputs or none, and has to be deletable all the same.
    left = StackRef(stack.name, stack.target, outputs=outputs_of(described))
    holdings = count_holdings(left)
    if dry_run:
        return Destruction(stack.name, deleted=False, holdings=holdings)
    refuse_busy(stack.name, described["StackStatus"])
    if described.get("EnableTerminationProtection"):
        raise StackError(
            f"termination protection of the stack {stack.name!r} is on: turn it off first; "
            "deploy it with termination_protection=False",
            stack_name=stack.name,
        )
    stopped: tuple[str, ...] = ()
    if stop_jobs is None:
        refuse_running(left)
    else:
        # Jobs that ran on would write into the buckets as they are emptied.
        stopped = stop_jobs(left)
    buckets = [left.outputs[name] for name in BUCKETS if name in left.outputs]
    if stack.target.local:
        # MiniStack's CloudFormation forgets a bucket and leaves its files, so that they are back
        # after a restart. It has no caller whom it would refuse.
        for bucket in buckets:
            delete_bucket(stack.client("s3"), bucket)
    _delete_with_buckets(stack, buckets, on_event=on_event, timeout_s=timeout_s)
    return Destruction(stack.name, deleted=True, holdings=holdings, stopped=stopped)


def _delete_with_buckets(
    stack: StackRef, buckets: list[str], *, on_event: OnEvent | None, timeout_s: float
) -> None:
    """Delete a stack, and empty its buckets once CloudFormation has agreed.

    It may refuse: another operation has just begun, or the caller may not delete stacks. It deletes
    the buckets after most else, and fails where one is not empty yet, as with many objects or with
    an access log delivered late, or where S3 was still busy with another change to it. It is asked
    again then.
    """
    s3 = stack.client("s3")
    for tries_left in reversed(range(_DELETE_TRIES)):
        try:
            delete_stack(
                stack.client("cloudformation"),
                stack.name,
                on_accepted=lambda: [empty_bucket(s3, bucket) for bucket in buckets],
                on_event=on_event,
                timeout_s=timeout_s,
                poll_s=stack.target.poll_s,
            )
        except StackStuckError as error:
            passes = error.resource_type == "AWS::S3::Bucket" or _CONFLICT.search(error.reason)
            if not passes or not tries_left:
                raise
        else:
            return


def delete_stack(
    cfn: CloudFormationClient,
    stack_name: str,
    *,
    on_accepted: Callable[[], object] | None = None,
    on_event: OnEvent | None = None,
    timeout_s: float = 3600,
    poll_s: float = 2.0,
) -> bool:
    """Delete a stack, wait until it is gone, and return whether there was one.

    Buckets have to be empty: on AWS, one that holds objects makes the deletion fail. What
    ``on_accepted`` does, it does once CloudFormation has begun.

    Raises
    ------
    StackBusyError
        Another operation is under way.
    StackStuckError
        A resource could not be deleted; it names the first, and the reason.
    StackTimeoutError
        It has not ended in time. CloudFormation goes on with it.
    """
    with translated(f"deleting the stack {stack_name!r}"):
        found = describe_stack(cfn, stack_name)
        if found is None:
            return False
        refuse_busy(stack_name, found["StackStatus"])
        # By its ARN from here on: a deleted stack has no name any more.
        since = stack_events.last_event_id(cfn, found["StackId"])
        cfn.delete_stack(StackName=found["StackId"])
    if on_accepted is not None:
        on_accepted()
    done = stack_events.follow_operation(
        cfn, found["StackId"], since=since, on_event=on_event, timeout_s=timeout_s, poll_s=poll_s
    )
    if done.status != "DELETE_COMPLETE":
        first = done.first_failure
        why = f"{first.logical_id}: {first.reason}" if first else done.reason
        hint = explain_stuck(stack_name, done.status) or f"it is in {done.status}"
        raise StackStuckError(
            f"deleting {stack_name!r} failed at {why}\n{hint}",
            stack_name=stack_name,
            status=done.status,
            resource_type=first.resource_type if first else "",
            reason=first.reason if first else done.reason,
        )
    return True
