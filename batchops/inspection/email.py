"""A job's mail, as it was or was to be sent."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import keys, workflow

from batchops.inspection.result_files import fetch, result_key

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry


@dataclass(frozen=True)
class Email:
    """The mail of a job.

    Attributes
    ----------
    status : str
        SENT, FAILED, or empty where it was not tried yet.
    time : str
        When it was sent, ISO 8601; empty otherwise.
    sender, recipient, subject, text : str
        What it says. The link in it lasts an hour; `Job.link` makes a new one.
    error : str
        Why it could not be sent; empty otherwise.
    """

    status: str
    time: str
    sender: str
    recipient: str
    subject: str
    text: str
    error: str

    @classmethod
    def of(cls, entry: JobEntry, mail: Mapping[str, Any]) -> Email:
        """Make it of the ledger's JOB entry and the mail that the stack kept."""
        content = mail["Content"]["Simple"]
        return cls(
            status=entry.mail_status,
            time=entry.mail_time,
            sender=mail["FromEmailAddress"],
            recipient=", ".join(mail["Destination"]["ToAddresses"]),
            subject=content["Subject"]["Data"],
            text=content["Body"]["Text"]["Data"],
            error=entry.mail_reason,
        )

    def __str__(self) -> str:
        """Show it as a mail."""
        outcome = f"sent {self.time}" if self.status == workflow.MAIL_SENT else "not sent"
        because = f": {self.error}" if self.error else ""
        return (
            f"{outcome}{because}\nFrom: {self.sender}\nTo: {self.recipient}\n"
            f"Subject: {self.subject}\n\n{self.text}"
        )

    def _repr_html_(self) -> str:
        # Links are long: they may break anywhere, words only between words.
        style = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
        return f'<pre style="{style}">{html.escape(str(self))}</pre>'


def read_email(job: JobRef) -> Email:
    """Return the mail of a job as it was, or was to be, sent.

    Raises
    ------
    JobRunningError, JobFailedError
        If there is none, because the job has not come so far.
    """
    result_key(job, rejected=False)
    file = io.BytesIO()
    fetch(job, keys.mail(job.id), file)
    return Email.of(job.ledger_entry(), json.loads(file.getvalue()))
