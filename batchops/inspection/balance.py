"""The balance of a job's rows: the proof that none was lost or doubled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import workflow

from batchops.core import ledger
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, ErrorItem, JobEntry


@dataclass(frozen=True)
class Balance(Shown):
    """The counts of a job's rows from the split, the chunks and the error table.

    Attributes
    ----------
    rows_in : int
        Records that the split counted in the uploaded file.
    rows_out, rows_rejected : int
        Records that the chunks wrote to the output and the rejects.
    rows_with_errors : int
        Rows that have errors in ErrorTable.
    chunks : int
        Chunks of the job.
    unbalanced : tuple of int
        Chunks without a result, or whose rows in differ from their rows out plus rejected.
    status : str
        The job's status in the ledger; the rows of an unfinished job do not balance yet.
    """

    _also_in_json = ("holds",)

    rows_in: int
    rows_out: int
    rows_rejected: int
    rows_with_errors: int
    chunks: int
    unbalanced: tuple[int, ...]
    status: str

    @property
    def holds(self) -> bool:
        """Whether there are chunks, and each row is accounted for exactly once."""
        return (
            self.chunks > 0
            and self.rows_in == self.rows_out + self.rows_rejected
            and self.rows_rejected == self.rows_with_errors
            and not self.unbalanced
        )

    def _blocks(self) -> Iterator[Block]:
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        if not self.holds and self.status in workflow.UNFINISHED:
            verdict = f"does not hold yet, the job is {self.status}"
        text = (
            f"{self.rows_in:,} rows in = {self.rows_out:,} out + {self.rows_rejected:,} rejected, "
            f"{self.rows_with_errors:,} rows with errors, {self.chunks:,} chunks: {verdict}"
        )
        if self.unbalanced:
            text += f"; unbalanced chunks: {', '.join(map(str, self.unbalanced[:20]))}"
        yield Block.line(text)


def strike_balance(
    job: JobEntry, chunks: Iterable[ChunkEntry], errors: Iterable[ErrorItem]
) -> Balance:
    """Return the balance of a job from its ledger entries and its errors."""
    entries = {entry.number: entry for entry in chunks}
    numbers = range(1, job.chunks + 1)
    return Balance(
        rows_in=job.rows_in,
        rows_out=sum(entry.valid or 0 for entry in entries.values()),
        rows_rejected=sum(entry.rejected or 0 for entry in entries.values()),
        rows_with_errors=len({error.source_row for error in errors}),
        chunks=job.chunks,
        unbalanced=tuple(n for n in numbers if n not in entries or not entries[n].balances),
        status=job.status,
    )


def job_balance(job: JobRef) -> Balance:
    """Read a job's ledger entries and errors, and return the balance of its rows.

    Raises
    ------
    JobNotFoundError, AwsError
    """
    errors = ledger.stored_errors(job.stack, job.id)
    return strike_balance(job.ledger_entry(), job.chunk_entries(), errors)
