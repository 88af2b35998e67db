"""Follow an operation on a stack by its events, and show them as they come."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore.texts import printable
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from batchops.core.errors import StackTimeoutError, translated
from batchops.core.stack_ref import describe_stack
from batchops.show import markup
from batchops.show.displays import NotebookOutput, in_notebook
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_cloudformation import CloudFormationClient

_COLUMNS = ("time (UTC)", "status", "resource", "type")
_SHOWN = 8


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
        """Whether this is a failure, and not the consequence of another one."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason.lower()

    def __str__(self) -> str:
        """Say it in a line, with its reason if it failed."""
        reason = f"  {self.reason}" if self.failed else ""
        return printable(f"{self.time:%H:%M:%S} {self.status:<20} {self.logical_id}{reason}")


@dataclass(frozen=True)
class Followed:
    """How an operation on a stack ended."""

    status: str
    reason: str
    first_failure: StackEvent | None


OnEvent = Callable[[StackEvent], object]


def last_event_id(cfn: CloudFormationClient, stack_id: str) -> str | None:
    """Return the id of the newest event, which tells an operation's events from older ones."""
    events = cfn.describe_stack_events(StackName=stack_id)["StackEvents"]
    return events[0]["EventId"] if events else None


def follow_operation(
    cfn: CloudFormationClient,
    stack_id: str,
    *,
    since: str | None,
    on_event: OnEvent | None = None,
    timeout_s: float,
    poll_s: float,
) -> Followed:
    """Wait until an operation on a stack ends, passing on its events.

    Parameters
    ----------
    stack_id
        The stack's ARN, which it keeps when it is deleted.
    since
        The id of the last event before the operation.
    on_event
        Called with each event of the operation, oldest first.
    timeout_s, poll_s
        Seconds to wait at most, and between two questions.

    Raises
    ------
    StackTimeoutError
        It has not ended in time. CloudFormation goes on with it.
    AwsError, EngineError
    """
    stack_name = stack_id.split("/")[1]
    seen = {since}
    own_status, own_reason, first_failure = "", "", None
    with translated(f"following the stack {stack_name!r}"):
        for _ in ticks(stack_name, timeout_s=timeout_s, poll_s=poll_s):
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
        # It would only refine the reason for a failure that is reported anyway.
        return None
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
    """Yield at once and then every `poll_s` seconds; raise StackTimeoutError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        yield
        if time.monotonic() + poll_s > deadline:
            raise StackTimeoutError(
                f"CloudFormation has not finished with the stack {stack_name!r} after "
                f"{timeout_s:.0f} s; it continues by itself: look at the stack's status later",
                stack_name=stack_name,
            )
        time.sleep(poll_s)


class StackEvents(Shown):
    """Shows the events of a deployment: ``stack.deploy(on_event=StackEvents())``.

    In a notebook one display is kept up to date: how many resources are in which state, the last
    events, and every failure. Elsewhere each event is a line.

    Parameters
    ----------
    console
        Where to print the lines; by default the notebook's output, or the standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = None if console is None and in_notebook() else console or Console()
        self._output = NotebookOutput()
        self._last: deque[StackEvent] = deque(maxlen=_SHOWN)
        self._failures: list[StackEvent] = []
        self._states: dict[str, str] = {}

    def __call__(self, event: StackEvent) -> None:
        """Show an event."""
        self._last.append(event)
        self._states[event.logical_id] = event.status
        if event.failed:
            self._failures.append(event)
        if self._console is not None:
            line = f"  {event}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            self._output.show(self._repr_html_(), str(self))

    def _blocks(self) -> Iterator[Block]:
        counts = Counter(self._states.values()).most_common()
        states = ", ".join(f"{count:,} {status}" for status, count in counts)
        yield Block.line(states or "no events yet")
        rows = [
            (f"{event.time:%H:%M:%S}", event.status, event.logical_id, event.resource_type)
            for event in self._last
        ]
        yield Block.table(_COLUMNS, rows, lines=[])
        yield Block(html=markup.bullets(self._failures))
