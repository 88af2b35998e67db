"""Start the jobs of uploads whose events Lambda gave up on, by sending each event once more.

After its retries Lambda puts such an event into UnstartedUploadsQueue. An event names the version
of its object, and so its job: however often it is delivered, it starts one job. The event of a
job's end, which starts the next one, may be there, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from batchcore import items, queueing
from batchcore.texts import number_of
from batchcore.workflow import NOTIFICATION

from batchops.core.errors import FunctionFailedError, translated
from batchops.inspection.invoke import invoke_target
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

# At most as many are read by one call; repeat it for the rest.
MAX_UPLOADS = 1_000

# A short poll asks only some of the servers of AWS, and may miss messages.
_POLL_S = {"aws": 2, "local": 0}

# Amazon SQS returns 10 messages a call. They are hidden long enough to start their jobs.
_MESSAGES_A_CALL = 10
_HIDDEN_S = 600
# With these outcomes a message is done, and is deleted.
_STARTED, _STARTED_BEFORE, _NO_FILE = "started", "is started already", "no file to start"
_NEXT_STARTED = "the next job may start"
_DONE = frozenset({_STARTED, _STARTED_BEFORE, _NO_FILE, _NEXT_STARTED})
_COLUMNS = ("file", "waits since", "reason", "outcome")


@dataclass(frozen=True)
class WaitingUpload:
    """An upload event that Lambda gave up on.

    Attributes
    ----------
    file : str
        The object's key; several, if the event told of several; ``end of NAME`` for the event that
        a job has ended.
    time : str
        When Lambda gave up, ISO 8601 in UTC.
    reason : str
        The error that the function ended with.
    outcome : str
        ``waits``, ``started`` (at once or in its turn), ``is started already``,
        ``no file to start``, ``the next job may start``, ``fails again: ...``, or
        ``stays in the queue`` where the message is something else.
    """

    file: str
    time: str
    reason: str
    outcome: str = "waits"


@dataclass(frozen=True)
class Redelivery(Shown):
    """The uploads that wait in the stack's queue, and what became of them.

    Attributes
    ----------
    stack : str
        The stack's name.
    dry_run : bool
        Whether they were looked at only.
    uploads : tuple of WaitingUpload
        At most 1,000, in no order.
    """

    stack: str
    dry_run: bool
    uploads: tuple[WaitingUpload, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Their keys."""
        return tuple(upload.file for upload in self.uploads)

    def _blocks(self) -> Iterator[Block]:
        if not self.uploads:
            yield Block.line(f"no upload waits in stack {self.stack}")
            return
        line = f"{number_of(len(self.uploads), 'upload')} in the queue of stack {self.stack}"
        if self.dry_run:
            line += "; nothing is started yet (dry_run=False starts them)"
        yield Block.line(line)
        yield Block.table(_COLUMNS, [(u.file, u.time, u.reason, u.outcome) for u in self.uploads])


def redeliver(stack: StackRef, *, dry_run: bool = True) -> Redelivery:
    """Return the uploads that wait, and start their jobs unless it is a dry run.

    The function gets the event that it failed on once more. A job has the id of its object version,
    so none is started twice. What fails again stays in the queue.

    Raises
    ------
    StackNotFoundError, AwsError
    """
    sqs, url = stack.client("sqs"), stack.outputs["UnstartedUploadsQueueUrl"]
    found: list[WaitingUpload] = []
    with translated("reading the uploads that wait"):
        messages = list(_receive(sqs, url, poll_s=_POLL_S[stack.target.name]))
        try:
            for message in messages:
                found.append(_hand_over(stack, message, dry_run=dry_run))
        finally:
            # What was not started is there for the next look, also if this one was interrupted.
            for number, message in enumerate(messages):
                handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
                if number < len(found) and found[number].outcome in _DONE:
                    sqs.delete_message(**handle)
                else:
                    sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    return Redelivery(stack.name, dry_run, tuple(found))


def _hand_over(stack: StackRef, message: Any, *, dry_run: bool) -> WaitingUpload:
    """Describe a message, and unless it is a dry run, start its job."""
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    time = items.timestamp(sent)
    try:
        body = json.loads(message["Body"])
        event, upload = body["requestPayload"], _describe(body, time)
    except (ValueError, KeyError, TypeError, AttributeError):
        return WaitingUpload("", time, "not an event that Lambda gave up on", "stays in the queue")
    return upload if dry_run else replace(upload, outcome=deliver_event(stack, event))


def _receive(sqs: Any, url: str, *, poll_s: int) -> Iterator[Any]:
    """Yield the queue's messages, hidden from others for a while."""
    count = 0
    while count < MAX_UPLOADS:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_MESSAGES_A_CALL,
            MessageSystemAttributeNames=["SentTimestamp"],
            VisibilityTimeout=_HIDDEN_S,
            WaitTimeSeconds=poll_s,
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        count += len(messages)
        yield from messages


def _describe(body: dict[str, Any], time: str) -> WaitingUpload:
    """Return what Lambda's record of a failed call tells."""
    records = body["requestPayload"].get("Records", [])
    files = [unquote_plus(record["s3"]["object"]["key"]) for record in records]
    if queueing.is_end(body["requestPayload"]):
        files = [f"end of {body['requestPayload']['detail']['name']}"]
    payload = body.get("responsePayload")
    files = files or ["an event that is no upload"]
    details = payload if isinstance(payload, dict) else {}
    reason = details.get("errorMessage") or body.get("requestContext", {}).get("condition", "")
    return WaitingUpload(", ".join(files), time, str(reason))


def deliver_event(stack: StackRef, event: dict[str, Any]) -> str:
    """Send the first function an event and return the outcome, see `WaitingUpload`."""
    try:
        answer: Any = invoke_target(stack, NOTIFICATION, event)
    except FunctionFailedError as error:
        return f"fails again: {str(error).splitlines()[0]}"
    if queueing.is_end(event):
        return _NEXT_STARTED
    if not answer["jobs"]:
        return _NO_FILE
    return _STARTED if answer["started"] else _STARTED_BEFORE
