"""Uploads whose job could not be started: hand their events to the function once more.

Lambda gives up on an event after its retries, and puts it into UnstartedUploadsQueue. An event
names the version of its object, and so its job: however often it is delivered, one job comes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from batchcore import items

from batchops.errors import FunctionFailedError, translated
from batchops.inspection.invoke import invoke_target
from batchops.views import markup
from batchops.views.texts import text_table

if TYPE_CHECKING:
    from batchops.stack import Stack

_FUNCTION = "s3-lambda-notification"

# As many as one call looks at; what is left shows when it is repeated.
MAX_UPLOADS = 1_000

# A short poll asks only some of the servers, and may find nothing where there is something.
_POLL_S = {"aws": 2, "local": 0}

# Amazon SQS: 10 messages a call. Hidden for long enough to be looked at and started.
_MESSAGES_A_CALL = 10
_HIDDEN_S = 600
_COLUMNS = ("file", "waits since", "reason", "outcome")


@dataclass(frozen=True)
class WaitingUpload:
    """An upload event that Lambda gave up on.

    Attributes
    ----------
    file : str
        The object's key; several, if the event told of several.
    time : str
        When Lambda gave up, ISO 8601 in UTC.
    reason : str
        The error that the function ended with.
    outcome : str
        ``waits``, ``started``, ``is started already``, ``no file to start``, or
        ``fails again: ...``.
    """

    file: str
    time: str
    reason: str
    outcome: str = "waits"


@dataclass(frozen=True)
class Redelivery:
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

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return asdict(self)

    def __str__(self) -> str:
        """Say what waits, or what was started, a line each."""
        if not self.uploads:
            return f"no upload waits in stack {self.stack}"
        return f"{self._headline()}\n{text_table(_COLUMNS, self._rows())}"

    def _repr_html_(self) -> str:
        if not self.uploads:
            return markup.paragraph(self)
        return markup.paragraph(self._headline()) + markup.table(_COLUMNS, self._rows())

    def _headline(self) -> str:
        count = len(self.uploads)
        which = f"{count} upload{'s' if count > 1 else ''} in the queue of stack {self.stack}"
        return f"{which}; nothing was started (dry run)" if self.dry_run else which

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [(u.file, u.time, u.reason, u.outcome) for u in self.uploads]


def redeliver(stack: Stack, *, dry_run: bool = True) -> Redelivery:
    """Look at the uploads that wait, and unless it is a dry run, start their jobs.

    The function gets the event that it failed on once more; since a job has the id of its object
    version, none is started twice. What fails again stays in the queue.

    Raises
    ------
    StackNotFoundError, AwsError
    """
    sqs, url = stack.client("sqs"), stack.outputs["UnstartedUploadsQueueUrl"]
    with translated("reading the uploads that wait"):
        messages = list(_receive(sqs, url, poll_s=_POLL_S[stack.target.name]))
        found = []
        for message in messages:
            body = json.loads(message["Body"])
            upload = _describe(body, sent_ms=int(message["Attributes"]["SentTimestamp"]))
            if not dry_run:
                upload = replace(upload, outcome=_start(stack, body["requestPayload"]))
            found.append(upload)
            handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
            if dry_run or upload.outcome.startswith("fails"):
                sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            else:
                sqs.delete_message(**handle)
    return Redelivery(stack.name, dry_run, tuple(found))


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


def _describe(body: dict[str, Any], *, sent_ms: int) -> WaitingUpload:
    """Return what Lambda's record of a failed call tells."""
    records = body["requestPayload"].get("Records", [])
    files = [unquote_plus(record["s3"]["object"]["key"]) for record in records]
    payload = body.get("responsePayload")
    details = payload if isinstance(payload, dict) else {}
    reason = details.get("errorMessage") or body.get("requestContext", {}).get("condition", "")
    time = items.timestamp(datetime.fromtimestamp(sent_ms / 1000, UTC))
    return WaitingUpload(", ".join(files), time, str(reason))


def _start(stack: Stack, event: dict[str, Any]) -> str:
    try:
        answer: Any = invoke_target(stack, _FUNCTION, event)
    except FunctionFailedError as error:
        return f"fails again: {str(error).splitlines()[0]}"
    if not answer["jobs"]:
        return "no file to start"
    return "started" if answer["started"] else "is started already"
