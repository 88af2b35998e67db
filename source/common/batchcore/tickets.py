"""The queue of a stack's jobs in JobTable, and the tickets of the executions that have to start.

All items of the queue are under the job id ``#QUEUE``. A ticket's sort key begins with the time at
which its job arrived, so that tickets are read in the order of arrival.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import items, jobs, workflow

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_stepfunctions import SFNClient

QUEUE = "#QUEUE"  # no job id has this character
TICKET_PREFIX = "WAIT#"


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
        return _key(self.arrived, self.name)

    @property
    def begun(self) -> str:
        """The status of a job whose execution is being started."""
        # Only the first attempt always splits, which is when a job becomes RUNNING.
        return workflow.SUBMITTED if self.attempt == 1 else workflow.RUNNING


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


def find_ticket(queue: Queue, *, arrived: str, name: str) -> Ticket | None:
    """Return the ticket of an execution, of a job that arrived at a time; None without one."""
    found = queue.dynamodb.get_item(
        TableName=queue.table, Key=_key(arrived, name), ConsistentRead=True
    )
    return _read(found["Item"]) if "Item" in found else None


def _key(arrived: str, name: str) -> dict[str, Any]:
    return items.attributes({"jobId": QUEUE, "entry": f"{TICKET_PREFIX}{arrived}#{name}"})


def read_first(queue: Queue) -> list[Ticket]:
    """Return the first tickets; if a slot is free, at least one without a slot, if any waits."""
    answer: Any = queue.dynamodb.query(**_request(queue), Limit=queue.limit + 1)
    return [_read(item) for item in answer["Items"]]


def read_all(queue: Queue) -> Iterator[Ticket]:
    """Yield all tickets, without their documents."""
    pages = queue.dynamodb.get_paginator("query").paginate(
        **_request(queue), ProjectionExpression="job, attempt, arrived"
    )
    for page in pages:
        yield from map(_read, page["Items"])


def _read(item: Any) -> Ticket:
    ticket = items.plain(item)
    return Ticket(ticket["job"], ticket["attempt"], ticket["arrived"], ticket.get("document", ""))


def _request(queue: Queue) -> dict[str, Any]:
    return {
        "TableName": queue.table,
        "KeyConditionExpression": "jobId = :queue AND begins_with(entry, :ticket)",
        "ExpressionAttributeValues": items.attributes({":queue": QUEUE, ":ticket": TICKET_PREFIX}),
        "ConsistentRead": True,
    }
