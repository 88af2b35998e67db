"""A job by its stack and id: what every verb needs of a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchops.core import ledger
from batchops.core.errors import JobNotFoundError

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef


class JobRef:
    """A job of a stack by its id. It has no other state, so it can be created anywhere.

    Parameters
    ----------
    stack
        The stack that the job runs in.
    job_id
        The job's id. The job need not be in the ledger (yet).
    """

    def __init__(self, stack: StackRef, job_id: str) -> None:
        self.stack = stack
        self.id = job_id

    def ledger_entry(self) -> ledger.JobEntry:
        """Return the ledger's JOB entry.

        Raises
        ------
        JobNotFoundError
            If the ledger has no such job.
        """
        entry = ledger.job_entry(self.stack, self.id)
        if entry is None:
            raise JobNotFoundError(
                f"stack {self.stack.name!r} has no job {self.id!r}: look in the list of jobs; if "
                "it was submitted just now, wait for it",
                job_id=self.id,
            )
        return entry

    def chunk_entries(self) -> Iterator[ledger.ChunkEntry]:
        """Yield the ledger's entries of the chunks that have started, in order."""
        return ledger.chunk_entries(self.stack, self.id)
