"""Uploads whose job could not be started: what the queue says of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support import SESSION, mocked_account, stack_ref

from batchops.recovery.redelivery import Redelivery, WaitingUpload, redeliver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchops.core.stack_ref import StackRef


@pytest.fixture
def stack() -> Iterator[StackRef]:
    with mocked_account():
        sqs = SESSION.client("sqs")
        url = sqs.create_queue(QueueName="unstarted")["QueueUrl"]
        yield stack_ref(outputs={"UnstartedUploadsQueueUrl": url}, local=True, sqs=sqs)


def send(stack: StackRef, body: str) -> None:
    """Put a message into the stack's queue."""
    url = stack.outputs["UnstartedUploadsQueueUrl"]
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def given_up(key: str) -> str:
    """Return what Lambda puts into the queue when it gives up on an upload's event."""
    return json.dumps(
        {
            "requestContext": {"condition": "RetriesExhausted"},
            "requestPayload": {"Records": [{"s3": {"object": {"key": key}}}]},
            "responsePayload": {"errorMessage": "no such workflow"},
        }
    )


def test_waiting_upload_is_named_with_its_reason_and_stays(stack: StackRef) -> None:
    send(stack, given_up("input/Q1+orders+%28EMEA%29.csv"))
    for _ in range(2):
        (upload,) = redeliver(stack).uploads
        assert upload.file == "input/Q1 orders (EMEA).csv"
        assert (upload.reason, upload.outcome) == ("no such workflow", "waits")


@pytest.mark.parametrize("body", ["hello", "[]", "{}", '{"requestPayload": null}', '"text"'])
def test_message_that_is_no_upload_stays_where_it_is_and_hinders_no_other(
    stack: StackRef, body: str
) -> None:
    send(stack, body)
    send(stack, given_up("input/a.csv"))
    assert sorted(redeliver(stack).files) == ["", "input/a.csv"]
    found = {upload.file: upload.outcome for upload in redeliver(stack).uploads}
    assert found == {"": "stays in the queue", "input/a.csv": "waits"}


def test_end_of_a_job_that_nobody_was_told_of_is_named(stack: StackRef) -> None:
    event = {"source": "aws.states", "detail": {"name": "orders-000000000001-a2"}}
    context = {"condition": "RetriesExhausted"}
    send(stack, json.dumps({"requestContext": context, "requestPayload": event}))
    (upload,) = redeliver(stack).uploads
    assert (upload.file, upload.reason) == ("end of orders-000000000001-a2", "RetriesExhausted")


def test_redelivery_says_what_waits_and_what_was_done() -> None:
    assert str(Redelivery("a", True, ())) == "no upload waits in stack a"
    upload = WaitingUpload("input/a.csv", "2026-11-23T06:00:00.000Z", "no such bucket")
    waiting = Redelivery("a", True, (upload,))
    assert waiting.files == ("input/a.csv",)
    assert str(waiting).splitlines()[0] == (
        "1 upload in the queue of stack a; nothing is started yet (dry_run=False starts them)"
    )
    started = Redelivery("a", False, (replace(upload, outcome="started"),))
    assert "dry run" not in str(started)
    assert str(started).endswith("started")
