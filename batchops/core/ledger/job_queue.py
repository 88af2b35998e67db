"""The queue of a stack's jobs, as the client uses it; see `batchcore.queueing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchcore import jobs, queueing, tickets
from botocore.exceptions import ClientError

from batchops.core.errors import translated

if TYPE_CHECKING:
    from batchops.core.ledger.job_items import JobEntry
    from batchops.core.stack_ref import StackRef

# The stack's output that says how many jobs run at a time. Stacks of earlier versions have neither
# this output nor a queue: their jobs start at once.
_LIMIT = "MaxConcurrentJobs"
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def has_queue(stack: StackRef) -> bool:
    """Return whether the stack's jobs wait for each other."""
    return _LIMIT in stack.outputs


def look_after_queue(stack: StackRef, entry: JobEntry) -> None:
    """Start the jobs whose turn it is, if a job has waited longer than a start takes.

    Raises
    ------
    AwsError, EngineError
    """
    if entry.attempt_s >= queueing.PATIENCE_S:
        advance_queue(stack)


def advance_queue(stack: StackRef) -> None:
    """Start the jobs whose turn it is.

    For those who may only read, this changes nothing.

    Raises
    ------
    AwsError, EngineError
    """
    if not has_queue(stack):
        return
    with translated(f"starting the next job of {stack.name!r}"):
        try:
            queueing.advance(stack_queue(stack))
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                raise


def start_in_turn(stack: StackRef, entry: JobEntry, attempt: int, document: str) -> None:
    """Give a ticket to an attempt that is QUEUED, and start it if it is its turn.

    Parameters
    ----------
    document
        The input of its execution.

    Raises
    ------
    ClientError
        As AWS raises it.
    """
    queue = stack_queue(stack)
    ticket = tickets.Ticket(entry.job_id, attempt, entry.arrived, document)
    tickets.put_ticket(queue, ticket)
    queueing.advance(queue)


def leave_queue(stack: StackRef, entry: JobEntry, attempt: int) -> None:
    """Remove an attempt's ticket, and the slot of one that did not start."""
    if not has_queue(stack):
        return
    queue, ticket = stack_queue(stack), tickets.Ticket(entry.job_id, attempt, entry.arrived)
    with translated(f"taking job {entry.job_id!r} out of the queue"):
        tickets.delete_ticket(queue, ticket)
        queueing.release(queue, ticket.name)


def hold_slot(stack: StackRef, entry: JobEntry) -> None:
    """Give the last attempt a slot, whether one is free or not."""
    if not has_queue(stack):
        return
    with translated(f"taking a slot for job {entry.job_id!r}"):
        name = jobs.execution_name(entry.job_id, entry.attempt)
        queueing.hold(stack_queue(stack), name, arrived=entry.arrived)


def has_ticket(stack: StackRef, entry: JobEntry) -> bool:
    """Return whether a job's last attempt has a ticket, and so may start at any moment."""
    if not has_queue(stack):
        return False
    with translated(f"looking for job {entry.job_id!r} in the queue"):
        name = jobs.execution_name(entry.job_id, entry.attempt)
        found = tickets.find_ticket(stack_queue(stack), arrived=entry.arrived, name=name)
        return found is not None


def queue_standing(stack: StackRef) -> queueing.Standing:
    """Return which jobs of a stack hold a slot, and which wait; none without a ledger.

    Raises
    ------
    AwsError, EngineError
    """
    if not has_queue(stack):
        return queueing.Standing((), ())
    queue = stack_queue(stack)
    with translated(f"reading the queue of {stack.name!r}"):
        try:
            return queueing.standing(queue)
        except queue.dynamodb.exceptions.ResourceNotFoundException:
            return queueing.Standing((), ())  # a deletion that failed has got that far


def jobs_ahead(stack: StackRef) -> int:
    """Return how many jobs run or wait, if another one would have to wait; 0 otherwise.

    Raises
    ------
    AwsError, EngineError
    """
    found = queue_standing(stack)
    if not found.waiting and (
        not has_queue(stack) or len(found.running) < stack.outputs.number(_LIMIT)
    ):
        return 0
    return len(found.running) + len(found.waiting)


def stack_queue(stack: StackRef) -> tickets.Queue:
    """Return the queue of a stack that has one."""
    return tickets.Queue(
        dynamodb=stack.client("dynamodb"),
        states=stack.client("stepfunctions"),
        table=stack.outputs["JobTableName"],
        machine_arn=stack.outputs["MainOrchestratorArn"],
        limit=stack.outputs.number(_LIMIT),
    )
