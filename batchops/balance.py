"""The proof that nothing was lost or doubled."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import items, workflow

if TYPE_CHECKING:
    from batchops.ledger import Entry


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


def strike_balance(job: Entry, chunks: Iterable[Entry], errors: Iterable[Entry]) -> Balance:
    """Count a job's rows from its ledger entries and its errors."""
    entries = {entry["entry"]: entry for entry in chunks}
    expected = int(job.get("chunks", 0))
    unbalanced = []
    for number in range(1, expected + 1):
        entry = entries.get(items.chunk_entry(number), {})
        done = entry.get("status") == workflow.SUCCEEDED
        if not done or entry["rows"] != entry["valid"] + entry["rejected"]:
            unbalanced.append(number)
    return Balance(
        rows_in=int(job.get("rowsIn", 0)),
        rows_out=sum(entry.get("valid", 0) for entry in entries.values()),
        rows_rejected=sum(entry.get("rejected", 0) for entry in entries.values()),
        rows_with_errors=len({error["sourceRow"] for error in errors}),
        chunks=expected,
        unbalanced=tuple(unbalanced),
        status=str(job["status"]),
    )
