"""A job's mail, sent or not."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import keys, workflow
from batchcore.texts import visible

from batchops.core.errors import AwsError, JobFailedError
from batchops.core.executions import mail_settled
from batchops.core.following import follow
from batchops.inspection.result_files import fetch, result_key
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

# A job has ended before its mail, which mostly follows within seconds.
MAIL_TIMEOUT_S = 60.0
_ABSENT = frozenset({"404", "NoSuchKey"})


@dataclass(frozen=True)
class Email(Shown):
    """The mail of a job.

    Attributes
    ----------
    status : str
        SENT, FAILED, or PENDING if it was not tried yet.
    time : str
        When it was sent, in ISO 8601; empty if it was not.
    sender, recipient, subject, text : str
        The mail itself. The link in it works for an hour; `Job.link` makes a new one.
    error : str
        Why it could not be sent; empty if it was.
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
        """Return the mail from the ledger's JOB entry and the copy that the stack kept."""
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

    def _blocks(self) -> Iterator[Block]:
        outcome = f"sent {self.time}" if self.status == workflow.MAIL_SENT else "not sent"
        because = f": {self.error}" if self.error else ""
        text = (
            f"{outcome}{because}\nFrom: {self.sender}\nTo: {self.recipient}\n"
            f"Subject: {self.subject}\n\n{self.text}"
        )
        # Long links may break anywhere, text only between words.
        style = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
        yield Block(text, f'<pre style="{style}">{html.escape(visible(text))}</pre>')


@dataclass(frozen=True)
class _Mailing:
    """How the mail of a job that has ended stands."""

    entry: JobEntry
    ended: bool
    seen: bool = True


def read_email(job: JobRef, *, timeout_s: float = MAIL_TIMEOUT_S) -> Email:
    """Return the mail of a job, sent or not; wait for it while the workflow is still trying.

    Raises
    ------
    JobRunningError, JobFailedError
        If there is no mail, because the job has not got that far, or ended before it.
    """
    result_key(job, rejected=False)
    entry = wait_for_mail(job, timeout_s=timeout_s)
    file = io.BytesIO()
    try:
        fetch(job, keys.mail(job.id), file)
    except AwsError as error:
        if error.code not in _ABSENT:
            raise
        why = entry.mail_reason or "it was deleted, or has expired"
        raise JobFailedError(f"job {job.id} has no mail: {why}", job_id=job.id) from error
    return Email.of(entry, json.loads(file.getvalue()))


def wait_for_mail(job: JobRef, *, timeout_s: float = MAIL_TIMEOUT_S) -> JobEntry:
    """Wait while the workflow of a job that has ended tries its mail; return the ledger's entry.

    Raises
    ------
    JobNotFoundError, AwsError
    """
    *_, last = follow(job, lambda: _read_mailing(job), timeout_s=timeout_s)
    return last.entry


def _read_mailing(job: JobRef) -> _Mailing:
    """Read whether the mail was tried, or will not be, since the workflow has been stopped."""
    entry = mail_settled(job.stack, job.ledger_entry())
    return _Mailing(entry, ended=entry.mail_status != workflow.MAIL_PENDING)
