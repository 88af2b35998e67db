"""A job's errors a page at a time, filtered by the table, reading no more than a page takes."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchops.core import ledger
from batchops.core.errors import InputError
from batchops.core.ledger import ErrorFilter
from batchops.inspection.frames import errors_frame
from batchops.show import markup, texts

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef

# Read at most for one page, so that a filter that fits nothing ends too: a query's page has 1 MB
# (Amazon DynamoDB API reference), which is some 2,000 errors, so this is three or four of them.
MAX_READ = 5_000
_SHOWN = ("source_row", "column", "rule", "value", "message", "stage", "chunk")


@dataclass(frozen=True)
class ErrorPage:
    """One page of a job's errors.

    Attributes
    ----------
    errors : DataFrame
        As `Job.errors` has them, by row.
    read : int
        Errors that were read for it.
    next : str
        What `Job.error_page` takes as `after` to go on; empty at the end.
    total : int or None
        The job's errors in all, whatever the filter; None before it has succeeded.
    """

    errors: pd.DataFrame = field(compare=False)
    read: int
    next: str
    total: int | None = None

    @property
    def next_row(self) -> int | None:
        """The row that the next page goes on from; None at the end."""
        return int(self.next.split("#", 1)[0]) if self.next else None

    def _title(self) -> str:
        text = f"{len(self.errors):,} errors"
        if self.read > len(self.errors):
            text += f" of {self.read:,} looked at"
        if self.next:
            text += f", up to row {self.next_row:,}; there may be more"
        if self.total is not None:
            text += f"; {self.total:,} in the job in all"
        return text

    def _rows(self) -> list[list[str]]:
        return [[str(cell) for cell in row] for row in self.errors[[*_SHOWN]].to_numpy()]

    def __str__(self) -> str:
        """Say it as a table."""
        rows = self._rows()
        return self._title() + ("\n" + texts.text_table(_SHOWN, rows) if rows else "")

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._title())}</p>{markup.table(_SHOWN, self._rows())}"


def error_page(
    job: JobRef,
    *,
    where: ErrorFilter | None = None,
    after: str = "",
    lines: int = 50,
    max_read: int = MAX_READ,
) -> ErrorPage:
    """Return a page of a job's errors.

    Parameters
    ----------
    where
        Which errors; by default all.
    after
        The `next` of the page before; by default from the first on.
    lines
        Errors on the page at most.
    max_read
        Errors to read at most; what is behind them is the next page's.

    Raises
    ------
    InputError
        If the filter's rows are no range, or `lines` or `max_read` is below 1.
    JobNotFoundError, AwsError
    """
    if min(lines, max_read) < 1:
        raise InputError(f"lines={lines}, max_read={max_read}: give at least 1 of each")
    total = job.ledger_entry().errors
    found, read, after = ledger.stored_error_page(
        job.stack, job.id, where or ErrorFilter(), after=after, lines=lines, max_read=max_read
    )
    return ErrorPage(errors_frame(found), read=read, next=after, total=total)
