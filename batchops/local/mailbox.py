"""Read the mails that the local engine kept instead of sending them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime

from batchops.core.errors import EngineNotRunningError
from batchops.core.loopback import open_local
from batchops.local.engine import LocalEngine

_TIMEOUT_S = 10


@dataclass(frozen=True)
class Mail:
    """A mail as it was handed to SES."""

    time: datetime
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str


def read_mailbox(engine: LocalEngine) -> list[Mail]:
    """Return every mail that the engine holds, oldest first.

    Raises
    ------
    EngineNotRunningError
        If the engine does not run, or does not answer.
    """
    info = engine.find()
    if info is None:
        raise EngineNotRunningError("the local engine does not run, so there is no mail to read")
    request = urllib.request.Request(  # noqa: S310  (an address of this computer)
        f"{info.endpoint_url}/_ministack/ses/messages", headers=dict(info.request_headers)
    )
    try:
        with open_local(request, timeout_s=_TIMEOUT_S) as answer:
            messages = json.load(answer)["messages"].get(info.account_id, [])
    except (urllib.error.URLError, TimeoutError) as error:
        raise EngineNotRunningError(f"the local engine does not answer: {error}") from error
    mails = [
        Mail(
            time=datetime.fromtimestamp(message["Timestamp"], UTC),
            sender=message["Source"],
            recipients=tuple(message["To"]),
            subject=message["Subject"],
            text=message["BodyText"],
            html=message["BodyHtml"],
        )
        for message in messages
    ]
    return sorted(mails, key=lambda mail: mail.time)
