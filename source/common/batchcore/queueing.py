"""Start jobs in the order of their arrival, at most so many at a time.

JobTable holds the queue under the job id ``#QUEUE``: the slots, and a ticket for each execution
that has to be started. Each function here may be interrupted after any of its calls, and repeated:
a ticket is deleted last, and an execution's name is taken once. See "Jobs that wait" in
docs/architecture.md.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batchcore import items, jobs, workflow

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_stepfunctions import SFNClient

QUEUE = "#QUEUE"  # no job id has this character
SLOTS = "SLOTS"
TICKET_PREFIX = "WAIT#"

# A process that took a slot starts the execution within this time, or has died. Nothing is wrong
# with a start that comes later. Holders of slots are asked for no more often than that.
PATIENCE_S = 10.0

# When a slot was taken whose execution could not be started.
_LOST = ""

# The statuses of an execution that has not ended.
_UNDER_WAY = frozenset({"RUNNING", "PENDING_REDRIVE"})


@dataclass(frozen=True)
class Queue:
    """A stack's queue of jobs.

    Attributes
    ----------
    dynamodb, states
        Clients.
    table : str
        JobTable.
    machine_arn : str
        The main workflow.
    limit : int
        The most jobs that run at a time.
    """

    dynamodb: "DynamoDBClient"
    states: "SFNClient"
    table: str
    machine_arn: str
    limit: int

    def execution_arn(self, name: str) -> str:
        """Return the ARN of an execution of the main workflow."""
        return f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


@dataclass(frozen=True)
class Ticket:
    """An execution that has to be started.

    Attributes
    ----------
    job, attempt
        The job and its attempt.
    arrived : str
        When the job was entered, as the ledger has it (``startTime``). The first to arrive starts
        first.
    document : str
        The execution's input.
    """

    job: str
    attempt: int
    arrived: str
    document: str = ""

    @property
    def name(self) -> str:
        """The execution's name."""
        return jobs.execution_name(self.job, self.attempt)

    @property
    def key(self) -> dict[str, Any]:
        """The key of the ticket's item."""
        return items.attributes(
            {"jobId": QUEUE, "entry": f"{TICKET_PREFIX}{self.arrived}#{self.name}"}
        )

    @property
    def begun(self) -> str:
        """The status of a job whose execution is being started."""
        # Only the first attempt always splits, which is when a job becomes RUNNING.
        return workflow.SUBMITTED if self.attempt == 1 else workflow.RUNNING


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
    """Who has a slot: since when, and the mark of the process that took it."""

    since: str
    mark: str


@dataclass(frozen=True)
class _Slots:
    """The slots' item as it was read."""

    version: int = 0
    checked: str = ""
    holders: Mapping[str, _Holder] = field(default_factory=dict)


def put_ticket(queue: Queue, ticket: Ticket) -> bool:
    """Write a ticket; return False if it is there already."""
    item: dict[str, str | int] = {
        "job": ticket.job,
        "attempt": ticket.attempt,
        "arrived": ticket.arrived,
        "document": ticket.document,
    }
    try:
        queue.dynamodb.put_item(
            TableName=queue.table,
            Item={**ticket.key, **items.attributes(item)},
            ConditionExpression="attribute_not_exists(jobId)",
        )
    except queue.dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def delete_ticket(queue: Queue, ticket: Ticket) -> None:
    """Delete a ticket, if it is there."""
    queue.dynamodb.delete_item(TableName=queue.table, Key=ticket.key)


def has_ticket(queue: Queue, ticket: Ticket) -> bool:
    """Tell whether a ticket is there."""
    found = queue.dynamodb.get_item(TableName=queue.table, Key=ticket.key, ConsistentRead=True)
    return "Item" in found


def standing(queue: Queue) -> Standing:
    """Return which jobs hold a slot, and which wait for one."""
    holders = _read_slots(queue).holders
    waiting: list[str] = []
    request = {**_tickets_request(queue), "ProjectionExpression": "job, attempt"}
    while request:
        answer: Any = queue.dynamodb.query(**request)
        for ticket in map(items.plain, answer["Items"]):
            if jobs.execution_name(ticket["job"], ticket["attempt"]) not in holders:
                waiting.append(ticket["job"])
        last = answer.get("LastEvaluatedKey")
        request = {**request, "ExclusiveStartKey": last} if last else {}
    return Standing(tuple(sorted(holders)), tuple(waiting))


def advance(queue: Queue) -> list[str]:
    """Start the executions whose turn it is, and return the names of those that started now.

    A lost start is repeated, and a slot whose holder has ended is taken over.
    """
    started = []
    while waiting := _read_tickets(queue):
        ticket = _take_slot(queue, waiting)
        if ticket is None:
            break
        if _begin(queue, ticket):
            started.append(ticket.name)
        if len(waiting) == 1:  # whoever writes another ticket advances the queue, too
            break
    return started


def release(queue: Queue, name: str) -> None:
    """Give back the slot of an execution that has ended; without one nothing changes."""
    while name in (slots := _read_slots(queue)).holders:
        if _write_slots(queue, slots, _without(slots.holders, {name})):
            return


def hold(queue: Queue, name: str) -> None:
    """Give a slot to an execution that goes on whether one is free or not."""
    _set_holder(queue, name, _Holder(items.utc_now(), uuid.uuid4().hex))


# --------------------------------------------------------------------------------- slots


def _take_slot(queue: Queue, waiting: Sequence[Ticket]) -> Ticket | None:
    """Take a slot for the first ticket that nobody is starting; None if there is none."""
    mark = uuid.uuid4().hex
    while True:
        slots = _read_slots(queue)
        holders = slots.holders
        for held in waiting:  # an answer that was lost: the slot is ours
            if held.name in holders and holders[held.name].mark == mark:
                return held
        ticket = _choose(waiting, slots)
        if ticket is None:
            return None
        if ticket.name in holders or len(holders) < queue.limit:
            taken = {**holders, ticket.name: _Holder(items.utc_now(), mark)}
            if _write_slots(queue, slots, taken):
                return ticket
        elif not _is_over(slots.checked):
            return None
        else:
            ended = _ended_holders(queue, waiting, holders)
            written = _write_slots(
                queue, replace(slots, checked=items.utc_now()), _without(holders, ended)
            )
            if written and not ended:
                return None


def _set_holder(queue: Queue, name: str, holder: _Holder) -> None:
    while True:
        slots = _read_slots(queue)
        if _write_slots(queue, slots, {**slots.holders, name: holder}):
            return


def _choose(waiting: Sequence[Ticket], slots: _Slots) -> Ticket | None:
    """Return the first ticket whose start was lost, or else the first that has no slot."""
    for ticket in waiting:
        holder = slots.holders.get(ticket.name)
        if holder is not None and _is_over(holder.since):
            return ticket
    return next((ticket for ticket in waiting if ticket.name not in slots.holders), None)


def _ended_holders(
    queue: Queue, waiting: Sequence[Ticket], holders: Mapping[str, _Holder]
) -> set[str]:
    """Return the holders whose execution has ended, or never started and will not."""
    starting = {ticket.name for ticket in waiting}
    return {
        name
        for name, holder in holders.items()
        if name not in starting and _is_over(holder.since) and not _runs(queue, name)
    }


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


def _without(holders: Mapping[str, _Holder], gone: set[str]) -> dict[str, _Holder]:
    return {name: holder for name, holder in holders.items() if name not in gone}


# ------------------------------------------------------------------------------- tickets


def _read_tickets(queue: Queue) -> list[Ticket]:
    """Return the first tickets: at least one that holds no slot, if there is one."""
    answer: Any = queue.dynamodb.query(**_tickets_request(queue), Limit=queue.limit + 1)
    found = map(items.plain, answer["Items"])
    return [Ticket(t["job"], t["attempt"], t["arrived"], t["document"]) for t in found]


def _tickets_request(queue: Queue) -> dict[str, Any]:
    return {
        "TableName": queue.table,
        "KeyConditionExpression": "jobId = :queue AND begins_with(entry, :ticket)",
        "ExpressionAttributeValues": items.attributes({":queue": QUEUE, ":ticket": TICKET_PREFIX}),
        "ConsistentRead": True,
    }


def _begin(queue: Queue, ticket: Ticket) -> bool:
    """Start the execution of a ticket that has a slot; return whether it started now."""
    try:
        started = _leave_queue(queue, ticket) and _start(queue, ticket)
    except Exception:
        # It may have started, so it keeps its slot; the next process need not be patient.
        _set_holder(queue, ticket.name, _Holder(_LOST, ""))
        raise
    delete_ticket(queue, ticket)
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
    return found["status"] in _UNDER_WAY


def _is_over(time: str) -> bool:
    """Tell whether the patience with what began at a time, or never, is over."""
    if not time:
        return True
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds() >= PATIENCE_S
