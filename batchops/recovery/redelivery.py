"""Uploads whose job could not be started: hand their events to the function once more.

Lambda gives up on an event after its retries, and puts it into UnstartedUploadsQueue. An event
names the version of its object, and so its job: however often it is delivered, one job comes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from batchops.errors import translated
from batchops.views import markup

if TYPE_CHECKING:
    from batchops.stack import Stack

_FUNCTION = "s3-lambda-notification"
# Seconds in which a message that is being handed over is shown to nobody else.
_HANDOVER_S = 60
# Messages a call (Amazon SQS API reference).
_MOST = 10
# A short poll asks only some of the servers, and may find nothing where there is something.
_POLL_S = {"aws": 5, "local": 0}


@dataclass(frozen=True)
class Redelivery:
    """The uploads that wait for a job.

    Attributes
    ----------
    stack_name : str
        Whose they are.
    uploads : tuple of str
        Their keys, in no order.
    delivered : bool
        Whether their events were handed over; otherwise they were only looked at.
    """

    stack_name: str
    uploads: tuple[str, ...]
    delivered: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {
            "stack": self.stack_name,
            "uploads": list(self.uploads),
            "delivered": self.delivered,
        }

    def __str__(self) -> str:
        """Say it in a few lines."""
        if not self.uploads:
            return f"no upload of stack {self.stack_name!r} waits for its job"
        what = "handed over again" if self.delivered else "could not be started, and wait"
        return "\n".join([f"{len(self.uploads):,} uploads {what}:", *self.uploads])

    def _repr_html_(self) -> str:
        first, *keys = str(self).splitlines()
        return markup.paragraph(first) + markup.bullets(keys)


def redeliver(stack: Stack, *, dry_run: bool = True) -> Redelivery:
    """Look at the uploads whose job could not be started, or have their jobs started.

    What keeps them from starting must be gone first; otherwise they come back after some minutes.

    Parameters
    ----------
    dry_run
        Only look.

    Raises
    ------
    StackNotFoundError, AwsError
    """
    sqs, url = stack.client("sqs"), stack.outputs["UnstartedUploadsQueueUrl"]
    uploads: dict[str, None] = {}
    for message in _messages(stack, url, hidden_s=0 if dry_run else _HANDOVER_S):
        event = json.loads(message["Body"])["requestPayload"]
        uploads |= dict.fromkeys(_keys(event))
        if dry_run:
            continue
        with translated(f"handing an event of stack {stack.name!r} to {_FUNCTION}"):
            stack.client("lambda").invoke(
                FunctionName=f"{stack.name}-{_FUNCTION}",
                InvocationType="Event",
                Payload=json.dumps(event).encode(),
            )
            # Only now: should this be interrupted, the event is delivered twice, which is harmless.
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return Redelivery(stack.name, tuple(uploads), delivered=not dry_run and bool(uploads))


def _messages(stack: Stack, url: str, *, hidden_s: int) -> Iterator[Any]:
    """Yield each message of a queue once."""
    seen: set[str] = set()
    while True:
        with translated("reading the queue of uploads that could not be started"):
            answer = stack.client("sqs").receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=_MOST,
                VisibilityTimeout=hidden_s,
                WaitTimeSeconds=_POLL_S[stack.target.name],
            )
        new = [m for m in answer.get("Messages", ()) if m["MessageId"] not in seen]
        if not new:
            return
        seen.update(message["MessageId"] for message in new)
        yield from new


def _keys(event: Any) -> Iterator[str]:
    for record in event.get("Records", ()):
        yield unquote_plus(record["s3"]["object"]["key"])
