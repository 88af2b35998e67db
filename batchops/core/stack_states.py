"""What CloudFormation's names of a stack's state mean for those who use or deploy it."""

from __future__ import annotations

from batchops.core.errors import StackBusyError, StackStuckError

# A stack without a single resource, made for a change set that was never executed.
EMPTY = frozenset({"REVIEW_IN_PROGRESS"})
# What a failed creation or deletion leaves: nothing that served anybody is lost with it.
DELETABLE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
# The stack is being created for the first time, or taken down.
_COMING_OR_GOING = frozenset({"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"})

_STUCK = {
    "ROLLBACK_COMPLETE": "its first deployment failed and was undone, so it holds nothing: "
    "deploy with replace=True, which deletes it first",
    "ROLLBACK_FAILED": "its first deployment failed and could not be undone completely: "
    "deploy with replace=True, which deletes what is left of it first",
    "CREATE_FAILED": "its first deployment failed: "
    "deploy with replace=True, which deletes what is left of it first",
    "DELETE_FAILED": "its deletion failed, as it does while a bucket holds objects: destroy it "
    "again, or deploy with replace=True, which tries to delete the rest first",
    "UPDATE_ROLLBACK_FAILED": "an update failed, and undoing it failed too. It may hold data, so "
    "it is never replaced: remove the cause that its events name, have CloudFormation continue "
    "the rollback (aws cloudformation continue-update-rollback), then deploy again",
    "UPDATE_FAILED": "an update failed and was not undone: roll it back "
    "(aws cloudformation rollback-stack), then deploy again",
}


def explain_stuck(stack_name: str, status: str) -> str | None:
    """Return what to do about a stack in this state; None if it can be deployed."""
    reason = _STUCK.get(status)
    return f"the stack {stack_name!r} is in {status}: {reason}" if reason else None


def refuse_busy(stack_name: str, status: str) -> None:
    """Raise StackBusyError if the state says that an operation is under way."""
    if status.endswith("_IN_PROGRESS") and status not in EMPTY:
        raise StackBusyError(
            f"the stack {stack_name!r} is in {status}: wait until that has ended, then repeat",
            stack_name=stack_name,
        )


def refuse_unusable(stack_name: str, status: str) -> None:
    """Raise an error if the state says that the stack was never completed, or is being deleted.

    Raises
    ------
    StackBusyError
        It is being created or deleted now.
    StackStuckError
        Its creation or deletion failed.
    """
    if status in _COMING_OR_GOING:
        refuse_busy(stack_name, status)
    if status in DELETABLE:
        raise StackStuckError(
            explain_stuck(stack_name, status) or status, stack_name=stack_name, status=status
        )


def is_leftover(stack_name: str, status: str, *, replace: bool) -> bool:
    """Return whether a stack has to be deleted before it is deployed.

    Raises
    ------
    StackBusyError
        Another operation is under way.
    StackStuckError
        It cannot be deployed in this state, or only if it is replaced.
    """
    refuse_busy(stack_name, status)
    stuck = explain_stuck(stack_name, status)
    if stuck is None:
        return False
    if not replace or status not in DELETABLE:
        raise StackStuckError(stuck, stack_name=stack_name, status=status)
    return True
