"""Start jobs in the order of their arrival, up to a number at a time.

Each execution that has to be started has a ticket, and each that runs holds a slot. Each function
here may be interrupted after any of its calls, and repeated: a ticket is deleted last, and an
execution's name is taken once. See "Jobs that wait" in docs/architecture.md.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from batchcore import items, tickets, workflow
from batchcore.tickets import QUEUE, Queue, Ticket

SLOTS = "SLOTS"

# A process that took a slot starts the execution within this time, or has died. Nothing is wrong
# with a start that comes later. Holders of slots are asked for no more often than that.
PATIENCE_S = 10.0

# When a slot was taken whose execution could not be started.
_LOST = ""


@dataclass(frozen=True)
class Standing:
    """How the queue stands.

    Attributes
    ----------
    running : tuple of str
        Names of the executions that hold a slot.
    waiting : tuple of str
        Ids of the jobs that wait for one, in their order.
    """

    running: tuple[str, ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class _Holder:
    """Who has a slot: since when, the mark of the process that took it, when the job arrived."""

    since: str
    mark: str
    arrived: str


@dataclass(frozen=True)
class _Slots:
    """The slots' item as it was read."""

    version: int = 0
    checked: str = ""
    holders: Mapping[str, _Holder] = field(default_factory=dict)


def standing(queue: Queue) -> Standing:
    """Return which jobs hold a slot, and which wait for one."""
    holders = _read_slots(queue).holders
    waiting = (ticket for ticket in tickets.read_all(queue) if ticket.name not in holders)
    return Standing(tuple(sorted(holders)), tuple(ticket.job for ticket in waiting))


def advance(queue: Queue) -> list[str]:
    """Start the executions whose turn it is, and return the names of those that started now.

    A lost start is repeated, and a slot whose holder has ended is taken over.
    """
    started = []
    while waiting := tickets.read_first(queue):
        ticket = _take_slot(queue, waiting)
        if ticket is None:
            break
        if _begin(queue, ticket):
            started.append(ticket.name)
        if len(waiting) == 1:  # whoever writes another ticket advances the queue, too
            break
    return started


def is_end(event: Mapping[str, Any]) -> bool:
    """Return whether an event is that of EventBridge for the end of a job, from either sender."""
    return event.get("source") in (workflow.ENDED_SOURCE, workflow.EXECUTION_SOURCE)


def release(queue: Queue, name: str) -> None:
    """Give back the slot of an execution that has ended; without one nothing changes."""
    while name in (slots := _read_slots(queue)).holders:
        kept = {other: holder for other, holder in slots.holders.items() if other != name}
        if _write_slots(queue, slots, kept):
            return


def hold(queue: Queue, name: str, *, arrived: str) -> None:
    """Give a slot to an execution that runs already, whether one is free or not."""
    _set_holder(queue, name, _Holder(items.utc_now(), uuid.uuid4().hex, arrived))


# --------------------------------------------------------------------------------- slots


def _take_slot(queue: Queue, waiting: Sequence[Ticket]) -> Ticket | None:
    """Take a slot for the first ticket that has none, or for one whose start was lost."""
    mark = uuid.uuid4().hex
    while True:
        slots = _read_slots(queue)
        holders = slots.holders
        for name, holder in holders.items():
            if holder.mark == mark:  # the slot is ours, and the answer that said so was lost
                return tickets.find_ticket(queue, arrived=holder.arrived, name=name)
        first = next((ticket for ticket in waiting if ticket.name not in holders), None)
        if first is not None and len(holders) < queue.limit:
            if _write_slots(queue, slots, _with(holders, first, mark)):
                return first
        elif not _is_over(slots.checked):
            return None
        else:
            checked = replace(slots, checked=items.utc_now())
            lost, ended = _check_holders(queue, holders)
            kept = {name: holder for name, holder in holders.items() if name not in ended}
            written = _write_slots(queue, checked, _with(kept, lost, mark) if lost else kept)
            if written and (lost or not ended):
                return lost


def _check_holders(queue: Queue, holders: Mapping[str, _Holder]) -> tuple[Ticket | None, set[str]]:
    """Return the first ticket whose start was lost, and the holders whose execution has ended."""
    lost, ended = None, set()
    for name, holder in holders.items():
        if not _is_over(holder.since):
            continue
        # The ticket first: it is deleted when the execution has started.
        ticket = tickets.find_ticket(queue, arrived=holder.arrived, name=name)
        if ticket is not None:
            lost = lost or ticket
        elif not _runs(queue, name):
            ended.add(name)
    return lost, ended


def _with(holders: Mapping[str, _Holder], ticket: Ticket, mark: str) -> dict[str, _Holder]:
    return {**holders, ticket.name: _Holder(items.utc_now(), mark, ticket.arrived)}


def _set_holder(queue: Queue, name: str, holder: _Holder) -> None:
    while True:
        slots = _read_slots(queue)
        # One whose start was lost is to be found by the next process.
        checked = slots.checked if holder.since else _LOST
        if _write_slots(queue, replace(slots, checked=checked), {**slots.holders, name: holder}):
            return


def _read_slots(queue: Queue) -> _Slots:
    found = queue.dynamodb.get_item(
        TableName=queue.table,
        Key=items.attributes({"jobId": QUEUE, "entry": SLOTS}),
        ConsistentRead=True,
    )
    if "Item" not in found:
        return _Slots()
    item = items.plain(found["Item"])
    holders = {name: _Holder(**holder) for name, holder in item["holders"].items()}
    return _Slots(item["version"], item["checked"], holders)


def _write_slots(queue: Queue, slots: _Slots, holders: Mapping[str, _Holder]) -> bool:
    """Write the slots, unless somebody has since they were read."""
    written: dict[str, str | int] = {
        "jobId": QUEUE,
        "entry": SLOTS,
        "version": slots.version + 1,
        "checked": slots.checked,
    }
    held = {name: {"M": items.attributes(vars(holder))} for name, holder in holders.items()}
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(jobId)"}
    if slots.version:
        condition = {
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeValues": items.attributes({":seen": slots.version}),
        }
    try:
        queue.dynamodb.put_item(
            TableName=queue.table,
            Item={**items.attributes(written), "holders": {"M": held}},
            **condition,
        )
    except queue.dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


# -------------------------------------------------------------------------------- start


def _begin(queue: Queue, ticket: Ticket) -> bool:
    """Start the execution of a ticket that has a slot; return whether it started now."""
    try:
        started = _leave_queue(queue, ticket) and _start(queue, ticket)
    except Exception:
        # It may have started, so it keeps its slot; the next process need not be patient.
        _set_holder(queue, ticket.name, _Holder(_LOST, "", ticket.arrived))
        raise
    tickets.delete_ticket(queue, ticket)
    if not started and not _runs(queue, ticket.name):
        release(queue, ticket.name)
    return started


def _leave_queue(queue: Queue, ticket: Ticket) -> bool:
    """Enter that a job waits no longer; return False if it was stopped, or has been begun."""
    try:
        queue.dynamodb.update_item(
            TableName=queue.table,
            Key=items.attributes({"jobId": ticket.job, "entry": items.JOB_ENTRY}),
            UpdateExpression="SET #status = :begun, attemptTime = :now",
            ConditionExpression="attempt = :attempt AND (#status = :queued OR #status = :begun)"
            " AND attribute_not_exists(endTime)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=items.attributes(
                {
                    ":begun": ticket.begun,
                    ":queued": workflow.QUEUED,
                    ":attempt": ticket.attempt,
                    ":now": items.utc_now(),
                }
            ),
        )
    except queue.dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _start(queue: Queue, ticket: Ticket) -> bool:
    """Start the execution; return False if it has been started."""
    try:
        queue.states.start_execution(
            stateMachineArn=queue.machine_arn, name=ticket.name, input=ticket.document
        )
    except queue.states.exceptions.ExecutionAlreadyExists:
        return False
    return True


def _runs(queue: Queue, name: str) -> bool:
    try:
        found = queue.states.describe_execution(executionArn=queue.execution_arn(name))
    except queue.states.exceptions.ExecutionDoesNotExist:
        return False
    return found["status"] in workflow.UNDER_WAY


def _is_over(time: str) -> bool:
    """Return whether the patience with what began at a time, or never, is over."""
    if not time:
        return True
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds() >= PATIENCE_S
