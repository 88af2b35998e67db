"""A stack that exists: its status, outputs and events, and how it is deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from batchops.core.errors import (
    StackBusyError,
    StackTimeoutError,
    translated,
)
from batchops.core.stack_ref import EMPTY, describe_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_cloudformation import CloudFormationClient

_STUCK = {
    "ROLLBACK_COMPLETE": "its first deployment failed and was undone, so it holds nothing: "
    "deploy with replace=True, which deletes it first",
    "ROLLBACK_FAILED": "its first deployment failed and could not be undone wholly: "
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
# What a failed creation or deletion leaves: nothing that served anybody is lost with it.
DELETABLE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history."""

    event_id: str
    time: datetime
    logical_id: str
    resource_type: str
    status: str
    reason: str
    physical_id: str

    @property
    def failed(self) -> bool:
        """Whether this is a failure of its own, not one that another failure brought about."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason.lower()

    def __str__(self) -> str:
        """Say it in a line, with its reason if it failed."""
        reason = f"  {self.reason}" if self.failed else ""
        return f"{self.time:%H:%M:%S} {self.status:<20} {self.logical_id}{reason}"


@dataclass(frozen=True)
class Followed:
    """How an operation on a stack ended."""

    status: str
    reason: str
    first_failure: StackEvent | None


OnEvent = Callable[[StackEvent], object]


def explain_stuck(stack_name: str, name: str) -> str | None:
    """Return what to do about a stack in this status; None where it can be deployed."""
    reason = _STUCK.get(name)
    return f"the stack {stack_name!r} is in {name}: {reason}" if reason else None


def refuse_busy(stack_name: str, name: str) -> None:
    """Raise StackBusyError where the status says that something is under way."""
    if name.endswith("_IN_PROGRESS") and name not in EMPTY:
        raise StackBusyError(
            f"the stack {stack_name!r} is in {name}: wait until that has ended, then repeat",
            stack_name=stack_name,
        )


def last_event_id(cfn: CloudFormationClient, stack_id: str) -> str | None:
    """Return the id of the newest event, which tells an operation's events from older ones."""
    events = cfn.describe_stack_events(StackName=stack_id)["StackEvents"]
    return events[0]["EventId"] if events else None


def follow(
    cfn: CloudFormationClient,
    stack_id: str,
    *,
    since: str | None,
    on_event: OnEvent | None = None,
    timeout_s: float,
    poll_s: float,
) -> Followed:
    """Pass on the events of an operation, oldest first, until it has ended."""
    seen = {since}
    own_status, own_reason, first_failure = "", "", None
    with translated(f"following the stack {stack_id}"):
        for _ in ticks(stack_id, timeout_s=timeout_s, poll_s=poll_s):
            found = describe_stack(cfn, stack_id) or {"StackStatus": "DELETE_COMPLETE"}
            for event in _new_events(cfn, stack_id, seen):
                if event.physical_id == stack_id:
                    own_status, own_reason = event.status, own_reason or event.reason
                elif event.failed:
                    first_failure = first_failure or event
                if on_event is not None:
                    on_event(event)
            name = found["StackStatus"]
            # The events must say so too: right after the start, the status is the last one's.
            if not name.endswith("_IN_PROGRESS") and own_status == name:
                break
    return Followed(name, found.get("StackStatusReason") or own_reason, first_failure)


def validation_failure(cfn: CloudFormationClient, **of: str) -> StackEvent | None:
    """Return the first resource that CloudFormation's checks before the deployment refused.

    Such a refusal is not among the stack's events; they only point to it. ``of`` names a StackName
    or a ChangeSetName.
    """
    try:
        answer: Any = cfn.describe_events(Filters={"FailedEvents": True}, **of)
    except (ClientError, BotoCoreError):
        return None  # a finer reason for a failure that is reported anyway
    events = sorted(answer["OperationEvents"], key=lambda item: item["Timestamp"])
    for item in events:
        same = item.get("OperationId") == events[-1].get("OperationId")
        if same and item.get("EventType") == "VALIDATION_ERROR":
            reason, status = item.get("ValidationStatusReason", ""), "VALIDATION_FAILED"
            return _event({**item, "ResourceStatus": status, "ResourceStatusReason": reason})
    return None


def _new_events(
    cfn: CloudFormationClient, stack_id: str, seen: set[str | None]
) -> list[StackEvent]:
    fresh: list[StackEvent] = []
    # Newest first, so the pages need reading only as far as what is known.
    for page in cfn.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for item in page["StackEvents"]:
            if item["EventId"] in seen:
                seen.update(event.event_id for event in fresh)
                return fresh[::-1]
            fresh.append(_event(item))
    seen.update(event.event_id for event in fresh)
    return fresh[::-1]


def _event(item: Any) -> StackEvent:
    return StackEvent(
        event_id=item["EventId"],
        time=item["Timestamp"],
        logical_id=item.get("LogicalResourceId", ""),
        resource_type=item.get("ResourceType", ""),
        status=item.get("ResourceStatus", ""),
        reason=item.get("ResourceStatusReason", ""),
        physical_id=item.get("PhysicalResourceId", ""),
    )


def ticks(stack_name: str, *, timeout_s: float, poll_s: float) -> Iterator[None]:
    """Yield now and then every poll_s seconds; raise StackTimeoutError when the time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        yield
        if time.monotonic() + poll_s > deadline:
            raise StackTimeoutError(
                f"CloudFormation was not through with {stack_name} after {timeout_s:.0f} s; it "
                "goes on by itself: look at the stack's status later, or give a longer timeout_s",
                stack_name=stack_name,
            )
        time.sleep(poll_s)
