"""Delete one job and all its data in the stack, as for the right to erasure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from batchcore import keys, workflow
from batchcore.texts import number_of, printable

from batchops.core import ledger
from batchops.core.errors import JobRunningError, translated
from batchops.core.executions import attempt_state, is_being_mailed
from batchops.deployment.buckets import count_versions, empty_bucket
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

# What a purge cannot reach, and how long it lasts.
STAYS = (
    "logs of functions and workflows: the job's id, the file's key, names of errors; no rows "
    "(LogRetentionDays)",
    "access logs of the bucket: keys, no contents (LogRetentionDays)",
    "metrics: counts of rows without a job (15 months)",
    "the history of its executions in Step Functions: keys and counts (90 days)",
    "mails and notices that were sent: the file's name, counts, a link that opens nothing any more",
    "point-in-time backups of the tables: its entries and errors (35 days), and backups that you "
    "have made",
    "copies that somebody has downloaded",
)

# A call of a function cannot be taken back: what it began may write for as long as it may last.
_CALLS_GO_ON = timedelta(minutes=15)

# S3 has whole seconds, and clocks differ a little.
_SLACK = timedelta(seconds=5)


@dataclass(frozen=True)
class Purge(Shown):
    """What purging a job deletes.

    Attributes
    ----------
    job : str
        The job's id.
    dry_run : bool
        Whether it was only looked at.
    files : int
        Versions of the job's own files: chunks, intermediate results, completed file, rejects,
        errors, mail.
    uploads : tuple of str
        The uploaded file where it still is: in the input, in the archive, or in both.
    errors : int
        Errors in the tables.
    entries : int
        Entries in the ledger, of the job and its chunks.
    unclear : str
        Which archived versions were left, because they may be those of other uploads; else empty.
    stays : tuple of str
        What a purge does not reach.
    """

    job: str
    dry_run: bool
    files: int
    uploads: tuple[str, ...]
    errors: int
    entries: int
    unclear: str = ""
    stays: tuple[str, ...] = STAYS

    def _blocks(self) -> Iterator[Block]:
        verb = "would be deleted (dry_run=False deletes it)" if self.dry_run else "is deleted"
        yield Block.line(f"job {self.job} {verb}:")
        yield Block.facts(
            [
                f"{number_of(self.files, 'version')} of its files",
                f"the upload: {printable(', '.join(self.uploads)) or 'gone already'}",
                f"{number_of(self.errors, 'error')} in the tables",
                f"{number_of(self.entries, 'entry')} in the ledger",
            ]
        )
        if self.unclear:
            yield Block.line(f"left: {printable(self.unclear)}")
        yield Block.line("what stays:")
        yield Block.facts(list(self.stays))


def purge(job: JobRef, *, dry_run: bool = True) -> Purge:
    """Say what the stack holds of a job that has ended, or delete it for good.

    Nobody can bring it back, nor rerun the job. What is interrupted can be repeated: the job's own
    entry goes last.

    Raises
    ------
    JobNotFoundError, AwsError
    JobRunningError
        The job has not ended, its mail is still being tried, or, unless it is a dry run, it was
        stopped or ran out of time less than 15 minutes ago.
    """
    entry = _ended_entry(job)
    if not dry_run:
        _refuse_late_calls(entry)
    s3 = job.stack.client("s3")
    prefix = f"{keys.JOBS_PREFIX}{job.id}/"
    uploads, unclear = _find_uploads(s3, entry)
    if dry_run:
        files = count_versions(s3, entry.bucket, prefix) or 0
        errors = ledger.count_errors(job.stack, job.id)
        entries = sum(1 for _ in job.chunk_entries()) + 1
    else:
        with translated(f"deleting the upload of job {job.id!r}"):
            for key, version in uploads:
                s3.delete_object(Bucket=entry.bucket, Key=key, VersionId=version)
        files = empty_bucket(s3, entry.bucket, prefix)
        errors = ledger.delete_errors(job.stack, job.id)
        entries = ledger.delete_entries(job.stack, entry)
    return Purge(
        job=job.id,
        dry_run=dry_run,
        files=files,
        uploads=tuple(key for key, _ in uploads),
        errors=errors,
        entries=entries,
        unclear=unclear,
    )


def _ended_entry(job: JobRef) -> JobEntry:
    """Return the entry of a job that has ended and is mailed; otherwise raise JobRunningError."""
    entry = job.ledger_entry()
    state = attempt_state(job.stack, entry)
    if not state.ended:
        raise JobRunningError(
            f"job {job.id} is {state.status}: wait for it, or stop it, before it is deleted",
            job_id=job.id,
        )
    if is_being_mailed(job.stack, entry):
        raise JobRunningError(
            f"the mail of job {job.id} is still being tried: repeat this in some minutes",
            job_id=job.id,
        )
    return state.entry or entry


def _refuse_late_calls(entry: JobEntry) -> None:
    """Raise JobRunningError while calls may write that were under way when a job was stopped."""
    if entry.status in (workflow.SUCCEEDED, workflow.FAILED) or entry.ended is None:
        return  # every call has returned
    over = entry.ended + _CALLS_GO_ON
    if datetime.now(UTC) < over:
        raise JobRunningError(
            f"job {entry.job_id} is {entry.status} since {entry.ended:%H:%M} UTC, and calls of "
            "functions that had begun may go on to write for 15 minutes: repeat this after "
            f"{over:%H:%M} UTC",
            job_id=entry.job_id,
        )


def _find_uploads(s3: Any, entry: JobEntry) -> tuple[list[tuple[str, str]], str]:
    """Return where the uploaded file is, as keys and versions, and what cannot be told.

    The ledger does not know the version of the copy in the archive, where uploads of one name lie
    one over the other. It was made while the job ran, and is as large as the upload.
    """
    with translated(f"looking for the upload of job {entry.job_id!r}"):
        found = [
            (entry.key, version["VersionId"])
            for version in _versions(s3, entry.bucket, entry.key)
            if version["VersionId"] == entry.version_id
        ]
        if entry.archive_key is None:
            return found, ""
        copies = [
            version["VersionId"]
            for version in _versions(s3, entry.bucket, entry.archive_key)
            if version["Size"] == entry.size_bytes and _made_by(entry, version["LastModified"])
        ]
    if len(copies) > 1:
        left = ", ".join(copies)
        return found, (
            f"versions {left} of {entry.archive_key}: one of them is this job's, the others are of "
            "uploads of the same name, size and time; delete it by hand"
        )
    return [*found, *((entry.archive_key, version) for version in copies)], ""


def _made_by(entry: JobEntry, moment: datetime) -> bool:
    begun, ended = entry.started, entry.ended
    return (begun is None or begun - _SLACK <= moment) and (
        ended is None or moment <= ended + _SLACK
    )


def _versions(s3: Any, bucket: str, key: str) -> Iterator[Any]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        yield from (version for version in page.get("Versions", []) if version["Key"] == key)
