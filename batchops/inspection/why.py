"""Why a job failed, why rows were rejected, and what to do next."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Literal, cast

from batchcore import jobs, workflow
from batchcore.error_files import CauseCounts
from batchcore.errors import FileError, InputGoneError, TooManyRejectsError
from batchcore.texts import number_of, printable

from batchops.core import ledger
from batchops.core.column_names import input_columns
from batchops.core.error_objects import error_objects
from batchops.core.errors import AwsError, JobError, explain_failure
from batchops.deployment.deployed import deployed_schema
from batchops.inspection.job_errors import count_errors, counted, iter_errors
from batchops.inspection.row_causes import RowGroup, RowLook, RuleGroup, group_rows
from batchops.inspection.status import job_status
from batchops.show.shown import Block, Shown
from batchops.show.terminal import shorten

if TYPE_CHECKING:
    from batchcore.schema import RecordSchema

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, JobEntry
    from batchops.inspection.row_causes import RowError
    from batchops.inspection.status import JobStatus

# Of more errors, rows are not looked at one by one: the ledger's counts by rule come at once.
_MOST_GROUPED = 20_000
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
        failure (of the job or of chunks), warning (about the file's header), mail, rows (that are
        no records, or break many rules alike), or rejection (of the other rows, by rule).
    what : str
        The reason, with placeholders for what varies from case to case.
    count : int
        1 for the job or its header; otherwise the number of chunks that failed, of the rows, or of
        errors of the rule.
    source_row : int or None
        For rows and a rejection the first row with it, the header being row 1.
    value : str
        For a rejection that row's value in the column, empty once it has expired; for
        rows their range; otherwise the first message, in full.
    next_call : str
        The code to run next, with the names ``job`` and ``stack``.
    """

    kind: Literal["failure", "warning", "mail", "rows", "rejection"]
    what: str
    count: int
    source_row: int | None
    value: str
    next_call: str

    @property
    def example(self) -> str:
        """One case, shortened."""
        value = shorten(self.value, _MAX_VALUE_CHARACTERS)
        if self.kind == "rows":
            return value
        return value if self.source_row is None else f"row {self.source_row}: {value!r}"

    def __str__(self) -> str:
        """Return count and reason, an example and the next call, on a line each."""
        lines = [f"{self.count:,} x {self.what}", f"next: {self.next_call}"]
        if self.kind == "rows":
            number = number_of(self.count, "row")
            lines[:1] = [f"{self.what}: {number}", self.value]
        elif self.what != self.value:
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
    by_rule_only : bool
        Whether rows of one cause, such as a header that comes again, were not looked for: there are
        too many errors, or they have expired.
    """

    job_id: str
    status: str
    causes: tuple[Cause, ...]
    by_rule_only: bool = False

    def _head(self) -> str:
        if not self.causes:
            return ": nothing failed, no row was rejected"
        only_rows = all(cause.kind in ("rows", "rejection") for cause in self.causes)
        return "; rows were rejected, by cause:" if only_rows else ":"

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(f"job {self.job_id} is {self.status}{self._head()}")
        lines = [line for cause in self.causes[:_SHOWN] for line in str(cause).splitlines()]
        if len(self.causes) > _SHOWN:
            lines.append(f"and {number_of(len(self.causes) - _SHOWN, 'cause')} more")
        rows = [(f"{c.count:,}", c.what, c.example, c.next_call) for c in self.causes]
        yield Block.table(("count", "what", "example", "next"), rows, lines=lines)
        if self.by_rule_only:
            yield Block.line(
                "the rejected rows are counted by rule, without looking for rows that break many "
                f"rules for one cause: there are more than {_MOST_GROUPED:,} errors, or they have "
                "expired"
            )


def why(job: JobRef) -> Why:
    """Return what has failed in a job, and why its rows were rejected.

    The errors are as the ledger counts them; those of a job in ledger format 1, and of more causes
    than an entry of the ledger has room for, are read.

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
    counts, grouped = _rejected(job, entry)
    groups, rules = grouped or ((), _counted(job, counts))
    rejections = rejection_causes(groups, rules, succeeded=entry.is_merged)
    causes = (*failures, *warning_causes(entry), *mail_causes(entry), *rejections)
    return Why(job.id, status.status, causes, by_rule_only=grouped is None)


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
    if error == TooManyRejectsError.__name__:
        return _repair("fix the rows")
    if error in _NEW_FILE_WANTED:
        return _submit_again(entry)
    return "job.balance()" if error == "BalanceError" else "job.rerun()"


def _repair(fix: str) -> str:
    return f"bad = job.rejects()  # {fix}, then job.repair(bad, dry_run=False)"


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
            call = f"stack.logs({function!r}, job=job.id)  # then job.rerun()"
        what = f"{first.failed_at}: {group[1]}" if group[0] else group[1]
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
        if text.startswith(ledger.UNSENT):  # there may be no mail to show
            call = "job.link()"
        yield Cause("mail", normalise(text), 1, None, text, call)


def _row_look(job: JobRef, entry: JobEntry) -> RowLook | None:
    """Return what tells how a job's rejected rows look; None if no row was rejected, or it is gone.

    The schema is read for rows that break several rules only.
    """
    if entry.errors == 0 or not entry.header_versions:
        return None
    try:
        columns = [name.strip() for name in input_columns(job, entry)]
    except JobError:  # the job's intermediate files have expired
        return None

    @cache
    def schema() -> RecordSchema | None:
        try:
            return deployed_schema(job.stack)
        except AwsError:  # who may read the errors need not be allowed to read the functions
            return None

    def broken(row: Mapping[str, str]) -> Iterable[str]:
        rules = schema()
        if rules is None:
            return row.keys()
        known = {name: row[name] for name in rules.columns if name in row}
        return (violation.column for violation in rules.violations(known))

    return RowLook(columns, entry.delimiter, broken)


def _rejected(
    job: JobRef, entry: JobEntry
) -> tuple[CauseCounts, tuple[list[RowGroup], list[RuleGroup]] | None]:
    """Return errors by cause, and rows of one cause with the rules that the other rows break.

    The latter are None if there are too many errors, or they have expired.
    """
    if error_objects(job, entry) is None:
        return _rejected_in_table(job, entry)
    counts = count_errors(job, entry)
    if counts.errors > _MOST_GROUPED:
        return counts, None
    parts = iter_errors(job, lines=10_000)
    lines = (line for part in parts for line in part.itertuples(index=False))
    try:
        return counts, group_rows(cast("Iterator[RowError]", lines), _row_look(job, entry))
    except JobError:  # the ledger still counts them
        return counts, None


def _rejected_in_table(
    job: JobRef, entry: JobEntry
) -> tuple[CauseCounts, tuple[list[RowGroup], list[RuleGroup]] | None]:
    """Return the same of a job whose errors are in tables only; they are read once."""
    counts = CauseCounts()
    errors = counted(ledger.stored_errors(job.stack, job.id), counts)
    grouped = group_rows(islice(errors, _MOST_GROUPED), _row_look(job, entry))
    deque(errors, maxlen=0)  # the others are counted
    return counts, grouped if counts.errors <= _MOST_GROUPED else None


def _counted(job: JobRef, counts: CauseCounts) -> list[RuleGroup]:
    """Return rules with the values of their first errors."""
    firsts = {(found.first_row, *cause[1:]) for cause, found in counts.by_cause.items()}
    return counted_rules(counts, ledger.error_values(job.stack, job.id, sorted(firsts)))


def counted_rules(
    counts: CauseCounts, values: Mapping[tuple[int, str, str], str]
) -> list[RuleGroup]:
    """Return what the ledger counts by rule, the most frequent first.

    Parameters
    ----------
    values
        The values of first errors, by row, column and rule.
    """
    ordered = sorted(
        counts.by_cause.items(), key=lambda each: (-each[1].number, each[1].first_row, each[0])
    )
    return [
        RuleGroup(
            cause, found.number, found.first_row, values.get((found.first_row, *cause[1:]), "")
        )
        for cause, found in ordered
    ]


def rejection_causes(
    groups: Iterable[RowGroup], rules: Iterable[RuleGroup], *, succeeded: bool
) -> list[Cause]:
    """Return why rows were rejected: rows of one cause, then rules, the most frequent first.

    Parameters
    ----------
    groups, rules
        As `group_rows` and `counted_rules` return them.
    succeeded
        Whether the job has a rejects file.
    """
    found = []
    for group in groups:
        end = f" to {group.last_row:,}" if group.last_row > group.first_row else ""
        place = f"row{'s' if end else ''} {group.first_row:,}{end}"
        call = _repair(f"fix {place}") if succeeded else "job.errors()"
        found.append(Cause("rows", group.what, group.rows, group.first_row, place, call))
    for each in rules:
        stage, column, rule = each.rule
        what = f"{stage}: {column or 'the row'} breaks {rule}"
        call = "job.errors()"
        if succeeded:
            call = _repair(f"fix {column!r}" if column else "fix the rows")
        found.append(Cause("rejection", what, each.errors, each.source_row, each.value, call))
    return found


def normalise(text: str) -> str:
    """Return a message with placeholders for what varies from case to case."""
    for pattern, placeholder in _VARYING:
        text = pattern.sub(placeholder, text)
    return text
