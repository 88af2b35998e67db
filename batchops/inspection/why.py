"""Why a job failed, why rows were rejected, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from batchcore import jobs, workflow
from batchcore.errors import FileError, InputGoneError
from batchcore.texts import printable

from batchops.core import ledger
from batchops.core.errors import explain_failure
from batchops.inspection.status import job_status
from batchops.show.shown import Block, Shown
from batchops.show.terminal import shorten

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, ErrorItem, JobEntry
    from batchops.inspection.status import JobStatus

_SHOWN = 20
_MAX_VALUE_CHARACTERS = 120

_FUNCTION_OF_STATE = {step.state: step.function for step in workflow.CHUNK_STEPS}
# Failures that may not happen again: throttling, faults of a service, a function that died.
_PASSING = re.compile(
    r"TransientError|Lambda\..*|Sandbox\.Timedout|Runtime\.(ExitError|OutOfMemory)|States\.Timeout"
)
# The message of WrongDelimiterError (batchcore.records) has the file's delimiter as a literal.
_DELIMITED_BY = re.compile(r"delimited by ('.*?'), ")
_TAB = repr("\t")
# All that a Map says about failed children; the chunks' own Map tolerates every failure.
_CHILD_FAILED = "States.ExceedToleratedFailureThreshold"
_NEW_FILE_WANTED = {InputGoneError.__name__, *(c.__name__ for c in FileError.__subclasses__())}

# What varies between failures of the same cause, and its placeholder.
_VARYING = (
    (re.compile(jobs.JOB_ID.pattern), "<job>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.,+]+Z?"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{12,}\b"), "<id>"),
    (re.compile(r"\bchunk \d+"), "chunk <n>"),
    (re.compile(r"\b\d+\.\d+\b|\b\d{4,}\b"), "<n>"),
)


@dataclass(frozen=True)
class Cause:
    """One reason, with the number of failures or errors that it explains.

    Attributes
    ----------
    kind : str
        failure (of the job or of chunks), warning (about the file's header), mail, or rejection (of
        rows).
    what : str
        The reason, with placeholders for what varies from case to case.
    count : int
        1 for the job or its header; otherwise the number of chunks that failed, or of errors of the
        rule.
    source_row : int or None
        For a rejection the first row with it, the header being row 1.
    value : str
        For a rejection that row's value in the column; otherwise the first message, in full.
    next_call : str
        The code to run next, with the names ``job`` and ``stack``.
    """

    kind: Literal["failure", "warning", "mail", "rejection"]
    what: str
    count: int
    source_row: int | None
    value: str
    next_call: str

    @property
    def example(self) -> str:
        """One case, shortened."""
        value = shorten(self.value, _MAX_VALUE_CHARACTERS)
        return value if self.source_row is None else f"row {self.source_row}: {value!r}"

    def __str__(self) -> str:
        """Return count and reason, an example and the next call, on a line each."""
        lines = [f"{self.count:,} x {self.what}", f"next: {self.next_call}"]
        if self.what != self.value:
            lines.insert(1, f"such as {self.example}")
        return "\n    ".join(printable(shorten(line)) for line in lines)


@dataclass(frozen=True)
class Why(Shown):
    """Why a job is as it is: what failed, then why rows were rejected, each by count.

    Attributes
    ----------
    job_id : str
        The job.
    status : str
        The job's status, see `JobStatus`.
    causes : tuple of Cause
        Empty if nothing failed and no row was rejected.
    """

    job_id: str
    status: str
    causes: tuple[Cause, ...]

    def _blocks(self) -> Iterator[Block]:
        none = "" if self.causes else " nothing failed, no row was rejected"
        yield Block.line(f"job {self.job_id} is {self.status}:{none}")
        lines = [line for cause in self.causes[:_SHOWN] for line in str(cause).splitlines()]
        if len(self.causes) > _SHOWN:
            lines.append(f"and {len(self.causes) - _SHOWN:,} causes more")
        rows = [(f"{c.count:,}", c.what, c.example, c.next_call) for c in self.causes]
        yield Block.table(("count", "what", "example", "next"), rows, lines=lines)


def why(job: JobRef) -> Why:
    """Return what has failed in a job, and why its rows were rejected.

    Chunks and errors are read as a stream, so a hundred thousand of them take no more memory than
    one of each cause.

    Raises
    ------
    JobNotFoundError, AwsError
    """
    entry, status = job.ledger_entry(), job_status(job)
    failures: list[Cause] = []
    if status.chunks_failed:
        failures = chunk_causes(job.chunk_entries())
    own = job_cause(entry, status)
    # The job's own error, that chunks failed, says less than theirs.
    if own is not None and not (failures and own.what.startswith("ChunksFailedError")):
        failures.insert(0, own)
    errors = ledger.stored_errors(job.stack, job.id)
    rejections = rejection_causes(errors, succeeded=status.status == workflow.SUCCEEDED)
    causes = (*failures, *warning_causes(entry), *mail_causes(entry), *rejections)
    return Why(job.id, status.status, causes)


def job_cause(entry: JobEntry, status: JobStatus) -> Cause | None:
    """Return why the job as a whole did not succeed; None if it did, or still runs."""
    if not status.ended or status.status == workflow.SUCCEEDED:
        return None
    reason = status.reason.strip(": ") or f"the workflow was ended from outside: {status.status}"
    call = _next_for_job(entry, reason.partition(":")[0], reason)
    return Cause("failure", normalise(reason), 1, None, reason, call)


def _next_for_job(entry: JobEntry, error: str, reason: str) -> str:
    again = "job.rerun(dry_run=False)"  # a file that was never split gets the new parameters
    delimiter = _DELIMITED_BY.search(reason)
    if error == "WrongDelimiterError" and delimiter:
        named = repr("tab") if delimiter[1] == _TAB else delimiter[1]
        return f"stack.deploy(FileDelimiter={named}); {again}"
    if error == "TooManyChunksError":
        return f"stack.deploy(FileChunkSize=0); {again}  # a size that fits the file"
    if error == _CHILD_FAILED:
        step = workflow.MERGE if entry.was_split else workflow.SPLIT
        return f"stack.logs({step.function!r}, job=job.id)  # then {again}"
    if error in _NEW_FILE_WANTED:
        return _submit_again(entry)
    return "job.balance()" if error == "BalanceError" else "job.rerun()"


def _submit_again(entry: JobEntry) -> str:
    upload = entry.file
    file = upload.rpartition("/")[2]
    name = "" if file == upload else f", name={upload!r}"
    return f"stack.submit({file!r}{name})  # once it is fixed"


def warning_causes(entry: JobEntry) -> Iterator[Cause]:
    """Yield what may be wrong with the header of a file that was accepted."""
    for warning in entry.warnings:
        yield Cause("warning", warning, 1, None, warning, _submit_again(entry))


def chunk_causes(chunks: Iterable[ChunkEntry]) -> list[Cause]:
    """Return why chunks failed, the most frequent reason first."""
    counts: dict[tuple[str, str], int] = {}
    firsts: dict[tuple[str, str], ChunkEntry] = {}
    for chunk in chunks:
        if chunk.status == workflow.FAILED:
            reason = explain_failure(chunk.error, chunk.cause)
            group = (chunk.failed_step, normalise(reason))
            counts[group] = counts.get(group, 0) + 1
            firsts.setdefault(group, chunk)
    found = []
    for group in sorted(counts, key=lambda g: -counts[g]):
        first = firsts[group]
        text = explain_failure(first.error, first.cause)
        function = _FUNCTION_OF_STATE.get(group[0])
        call = "job.rerun()"
        if function and not _PASSING.fullmatch(first.error):
            call = f"stack.logs({function!r}, job=job.id)"
        what = f"{group[0]}: {group[1]}" if group[0] else group[1]
        found.append(
            Cause("failure", what, counts[group], None, f"chunk {first.number}: {text}", call)
        )
    return found


def mail_causes(entry: JobEntry) -> Iterator[Cause]:
    """Yield why the mail was not sent, if it failed."""
    if entry.mail_status == workflow.MAIL_FAILED:
        text = entry.mail_reason
        # A second try does not verify an address.
        call = "stack.doctor()" if "not verified" in text else "job.email()"
        yield Cause("mail", normalise(text), 1, None, text, call)


def rejection_causes(errors: Iterable[ErrorItem], *, succeeded: bool) -> list[Cause]:
    """Return why rows were rejected, by stage, column and rule, the most frequent first.

    Parameters
    ----------
    errors
        The job's items of ErrorTable, ordered by row.
    succeeded
        Whether the job has a rejects file.
    """
    counts: dict[tuple[str, str, str], int] = {}
    firsts: dict[tuple[str, str, str], tuple[int, str]] = {}
    for error in errors:
        group = (error.stage, error.column, error.rule)
        counts[group] = counts.get(group, 0) + 1
        if group not in firsts:
            firsts[group] = (error.source_row, error.value)
    found = []
    for group in sorted(counts, key=lambda g: -counts[g]):
        stage, column, rule = group
        what = f"{stage}: {column or 'the row'} breaks {rule}"
        call = "job.errors()"
        if succeeded:
            fix = f"fix {column!r}" if column else "fix the rows"
            call = f"bad = job.rejects()  # {fix}, then job.repair(bad, dry_run=False)"
        found.append(Cause("rejection", what, counts[group], *firsts[group], call))
    return found


def normalise(text: str) -> str:
    """Return a message with placeholders for what varies from case to case."""
    for pattern, placeholder in _VARYING:
        text = pattern.sub(placeholder, text)
    return text
