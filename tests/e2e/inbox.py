"""What the stack's topic is told."""

from __future__ import annotations

import json
import time
from typing import Any

from e2e.jobs import TIMEOUT_S

from batchops.stack import Stack
from tools.drill.rig import subscribe_queue


class Inbox:
    """What the stack's topic was told, read from a queue that is subscribed to it."""

    def __init__(self, stack: Stack) -> None:
        self._sqs = stack.client("sqs")
        self._url = subscribe_queue(stack, f"{stack.name}-notices")
        self._seen: list[dict[str, Any]] = []

    def about(self, job_id: str, *, timeout_s: float = TIMEOUT_S) -> list[str]:
        """Return the texts of the notices about one job, waiting for the first."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._receive()
            found = [notice["Message"] for notice in self._seen if job_id in notice["Message"]]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def _receive(self) -> None:
        while True:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return
            for message in answer["Messages"]:
                self._seen.append(json.loads(message["Body"]))
                handle = message["ReceiptHandle"]
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=handle)
