"""The proof that nothing was lost or doubled."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import workflow

from batchops.core import ledger

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, ErrorItem, JobEntry


@dataclass(frozen=True)
class Balance:
    """A job's rows, counted at each place that knows them.

    Attributes
    ----------
    rows_in : int
        Records that the split counted in the uploaded file.
    rows_out, rows_rejected : int
        Records that the chunks wrote to the output and to the rejects.
    rows_with_errors : int
        Different rows that ErrorTable has errors of.
    chunks : int
        Chunks of the job.
    unbalanced : tuple of int
        Chunks that have no result, or whose rows in are not their rows out plus rejected.
    status : str
        The job's, as the ledger has it: the rows of one that is not through cannot balance yet.
    """

    rows_in: int
    rows_out: int
    rows_rejected: int
    rows_with_errors: int
    chunks: int
    unbalanced: tuple[int, ...]
    status: str

    @property
    def holds(self) -> bool:
        """Whether there are rows, and each is accounted for exactly once, in job and chunks."""
        return (
            self.chunks > 0
            and self.rows_in == self.rows_out + self.rows_rejected
            and self.rows_rejected == self.rows_with_errors
            and not self.unbalanced
        )

    def __str__(self) -> str:
        """Say it in a sentence."""
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        if not self.holds and self.status in (workflow.SUBMITTED, workflow.RUNNING):
            verdict = f"does not hold yet, the job is {self.status}"
        text = (
            f"{self.rows_in:,} rows in = {self.rows_out:,} out + {self.rows_rejected:,} rejected, "
            f"{self.rows_with_errors:,} rows with errors, {self.chunks:,} chunks: {verdict}"
        )
        if self.unbalanced:
            text += f"; unbalanced chunks: {', '.join(map(str, self.unbalanced[:20]))}"
        return text

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def strike_balance(
    job: JobEntry, chunks: Iterable[ChunkEntry], errors: Iterable[ErrorItem]
) -> Balance:
    """Count a job's rows from its ledger entries and its errors."""
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
    """Count a job's rows at each place that knows them.

    Raises
    ------
    JobNotFoundError, AwsError
    """
    errors = ledger.error_items(job.stack, job.id)
    return strike_balance(job.ledger_entry(), job.chunk_entries(), errors)
