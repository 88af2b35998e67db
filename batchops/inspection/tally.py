"""Counts of a job's chunks, from the ledger's entries as they change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore import workflow

from batchops.show.chunk_bars import MAX_BARS

if TYPE_CHECKING:
    from batchops.core.ledger import ChunkEntry


@dataclass
class ChunkTally:
    """Counts of a job's chunks, updated from the ledger's entries as they are read.

    Parameters
    ----------
    attempt
        The job's attempt. Of the chunks that it runs, entries of earlier attempts do not count.
    planned
        The chunks that it runs; None if it runs all, or if that is not known.

    Attributes
    ----------
    done, failed : int
        Chunks that succeeded, and chunks that failed.
    rows_done, rows_rejected : int
        Rows of the chunks that succeeded, and the rejected ones among them.
    highest : int
        The highest chunk number seen.
    open, running : set of int
        Chunks up to the highest whose entry may still change, and those in progress.
    failures : set of int
        The chunks that failed.
    seen : dict of int to ChunkEntry
        The entries of the first 80 chunks as they were read last, for the timeline.
    """

    attempt: int
    planned: frozenset[int] | None = None
    done: int = 0
    failed: int = 0
    rows_done: int = 0
    rows_rejected: int = 0
    highest: int = 0
    open: set[int] = field(default_factory=set)
    running: set[int] = field(default_factory=set)
    failures: set[int] = field(default_factory=set)
    seen: dict[int, ChunkEntry] = field(default_factory=dict)

    def take(self, entries: Iterable[ChunkEntry]) -> None:
        """Count entries; those already counted change nothing."""
        for entry in entries:
            number = entry.number
            # Chunks start roughly in order; one that is missing here will still appear.
            self.open.update(range(self.highest + 1, number + 1))
            self.highest = max(self.highest, number)
            if number <= MAX_BARS:
                self.seen[number] = entry
            if number in self.open and self._counts(number, entry):
                self._count(number, entry)

    def _counts(self, number: int, entry: ChunkEntry) -> bool:
        reused = self.planned is not None and number not in self.planned
        return reused or entry.attempt == self.attempt

    def _count(self, number: int, entry: ChunkEntry) -> None:
        status = entry.status
        if status == workflow.PENDING:  # this attempt has claimed it, and not started it
            return
        if status == workflow.RUNNING:
            self.running.add(number)
            return
        self.open.discard(number)
        self.running.discard(number)
        if status == workflow.SUCCEEDED:
            self.done += 1
            self.rows_done += entry.rows or 0
            self.rows_rejected += entry.rejected or 0
        else:
            self.failed += 1
            self.failures.add(number)
