"""The balance of a job's rows: the proof that none was lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.texts import number_of

from batchops.core import ledger
from batchops.core.error_objects import object_bytes, rows_with_errors
from batchops.core.errors import JobError
from batchops.core.executions import settled
from batchops.inspection.job_errors import count_rows, iter_errors
from batchops.inspection.result_check import WHOLE, check_result
from batchops.show.numbers import number_ranges
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, ErrorItem, JobEntry

_LINES = 50_000
_NOTED = 1_000


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """A count of a job's errors.

    Attributes
    ----------
    where : str
        What was counted: ledger (what each chunk said when it ended), files, or tables.
    rows : int
        Rows that have errors.
    errors : int
        Errors.
    """

    where: str
    rows: int
    errors: int

    def __str__(self) -> str:
        """Return where, and how many."""
        return f"{number_of(self.errors, 'error')} of {number_of(self.rows, 'row')} in {self.where}"


@dataclass(frozen=True)
class Balance(Shown):
    """The counts of a job's rows from the split, the chunks and the errors.

    Attributes
    ----------
    rows_in : int
        Records that the split counted in the uploaded file.
    rows_out, rows_rejected : int
        Records that the chunks wrote to the output and the rejects.
    rows_with_errors : int
        Rows that have errors, by the first of `counted`.
    chunks : int
        Chunks of the job.
    unbalanced : tuple of int
        Chunks without a result, or whose rows in differ from their rows out plus rejected.
    status : str
        The job's status in the ledger; the rows of an unfinished job do not balance yet.
    counted : tuple of ErrorCount
        Where errors were counted: the ledger and, if it was to be deep, their files and
        tables; of a job that was entered in ledger format 1 the tables alone.
    errors_file : str
        The merged file of errors: ``"whole"`` if it has the size that the ledger says, otherwise
        what is wrong with it; empty if there is none.
    completed_file, rejects_file : str
        The result files: ``"whole"`` if each is there in the version and of the size that the
        ledger says, otherwise what is wrong with it; empty until the job is merged.
    """

    _also_in_json = ("holds",)

    rows_in: int
    rows_out: int
    rows_rejected: int
    rows_with_errors: int
    chunks: int
    unbalanced: tuple[int, ...]
    status: str
    counted: tuple[ErrorCount, ...]
    errors_file: str = ""
    completed_file: str = ""
    rejects_file: str = ""

    @property
    def refused(self) -> bool:
        """Whether the job ended before it took a row of the file."""
        unfinished = self.status in workflow.UNFINISHED or self.status == workflow.SUCCEEDED
        rows = (self.rows_in, self.rows_out, self.rows_rejected, self.rows_with_errors)
        return not unfinished and self.chunks == 0 and not any(rows)

    @property
    def holds(self) -> bool:
        """Whether each row is accounted for exactly once; of a file that was refused none is."""
        return self.refused or (
            self.chunks > 0
            and self.rows_in == self.rows_out + self.rows_rejected
            and all(count.rows == self.rows_rejected for count in self.counted)
            and len({count.errors for count in self.counted}) == 1
            and {self.errors_file, self.completed_file, self.rejects_file} <= {"", WHOLE}
            and not self.unbalanced
        )

    def _blocks(self) -> Iterator[Block]:
        if self.refused:
            yield Block.line(
                f"no row was taken, so there is nothing to balance: the job ended {self.status} "
                "before its file was split, look up why"
            )
            return
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        if not self.holds and self.status in workflow.UNFINISHED:
            verdict = f"does not hold yet, the job is {self.status}"
        text = (
            f"{number_of(self.rows_in, 'row')} in = {self.rows_out:,} out + {self.rows_rejected:,} "
            f"rejected, {number_of(self.rows_with_errors, 'row')} with errors, "
            f"{number_of(self.chunks, 'chunk')}: {verdict}"
        )
        if self.status in workflow.ENDED and not self.completed_file:
            text += f"; the job ended {self.status}, and its results are not merged"
        if self.unbalanced:
            text += f"; unbalanced chunks: {number_ranges(self.unbalanced)}"
        text += f"; counted: {', '.join(map(str, self.counted))}"
        if self.errors_file:
            text += f"; the file of errors is {self.errors_file}"
        for name, state in (("completed", self.completed_file), ("rejects", self.rejects_file)):
            text += f"; the {name} file is {state}" if state else ""
        yield Block.line(text)


def strike_balance(
    job: JobEntry,
    chunks: Iterable[ChunkEntry],
    counted: Sequence[ErrorCount],
    *,
    errors_file: str = "",
    completed_file: str = "",
    rejects_file: str = "",
) -> Balance:
    """Return the balance of a job from its ledger entries and the counts of its errors.

    Parameters
    ----------
    counted
        At least one count.
    """
    entries = {entry.number: entry for entry in chunks}
    numbers = range(1, job.chunks + 1)
    return Balance(
        rows_in=job.rows_in,
        rows_out=sum(entry.valid or 0 for entry in entries.values()),
        rows_rejected=sum(entry.rejected or 0 for entry in entries.values()),
        rows_with_errors=counted[0].rows,
        chunks=job.chunks,
        unbalanced=tuple(n for n in numbers if n not in entries or not entries[n].balances),
        status=job.status,
        counted=tuple(counted),
        errors_file=errors_file,
        completed_file=completed_file,
        rejects_file=rejects_file,
    )


def job_balance(
    job: JobRef, *, deep: bool = False, on_read: Callable[[int], None] = lambda _: None
) -> Balance:
    """Read a job's ledger entries, for a deep balance its errors too, and return the balance.

    Parameters
    ----------
    on_read
        Called now and then with the number of chunks, and then of errors, read so far.

    Raises
    ------
    JobNotFoundError, AwsError
    JobError
        Errors have expired that are to be counted, or entries of chunks.
    """
    entry = settled(job.stack, job.ledger_entry())
    chunks = ledger.chunk_counts(job.stack, job.id, entry.chunks, on_read=on_read)
    _refuse_expired(entry, len(chunks))
    rows, counted = rows_with_errors(entry, chunks), []
    if rows is not None:
        counted.append(ErrorCount("ledger", rows, sum(chunk.errors or 0 for chunk in chunks)))
        if deep:
            counted.append(
                ErrorCount("files", *count_rows(_noted(iter_errors(job, lines=_LINES), on_read)))
            )
    if deep or rows is None:
        counted.append(_count_table(ledger.stored_errors(job.stack, job.id), on_read))
    return strike_balance(
        entry,
        chunks,
        counted,
        errors_file=_check_file(job, entry),
        completed_file=check_result(job.stack, entry, rejected=False),
        rejects_file=check_result(job.stack, entry, rejected=True),
    )


def _refuse_expired(entry: JobEntry, chunks: int) -> None:
    """Raise JobError if chunks are missing that a merge has counted: each expires by itself."""
    if entry.is_merged and entry.expires and chunks < entry.chunks:
        raise JobError(
            f"{entry.chunks - chunks:,} of {number_of(entry.chunks, 'entry')} of chunks of job "
            f"{entry.job_id} have expired (LedgerExpiryDays), so their rows cannot be counted any "
            f"more. When it was merged: {number_of(entry.rows_in, 'row')} in = "
            f"{entry.rows_out or 0:,} out + {entry.rows_rejected or 0:,} rejected",
            job_id=entry.job_id,
        )


def _noted(
    frames: Iterable[pd.DataFrame], on_read: Callable[[int], None]
) -> Iterator[pd.DataFrame]:
    number = 0
    for frame in frames:
        number += len(frame)
        on_read(number)
        yield frame


def _count_table(errors: Iterable[ErrorItem], on_read: Callable[[int], None]) -> ErrorCount:
    rows: set[int] = set()
    number = 0
    for error in errors:
        rows.add(error.source_row)
        number += 1
        if number % _NOTED == 0:
            on_read(number)
    return ErrorCount("tables", len(rows), number)


def _check_file(job: JobRef, entry: JobEntry) -> str:
    """Return the state of the merged file of errors; empty if there is none."""
    file = entry.errors_file
    if file is None:
        return ""
    size = object_bytes(job, entry.bucket, file)
    if size is None:
        return "gone, as it is after ErrorExpiryDays"
    return (
        WHOLE
        if size == file.size_bytes
        else f"of {number_of(size, 'byte')}, not {file.size_bytes:,}"
    )
