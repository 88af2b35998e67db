"""A job's errors, one page at a time: the table filters, and only the page is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchops.core import ledger
from batchops.core.column_names import with_key_name
from batchops.core.errors import InputError
from batchops.core.ledger import ErrorFilter
from batchops.inspection.frames import errors_frame
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef

# The most errors read for one page, so that a filter that matches nothing ends, too. A page of a
# query has 1 MB (Amazon DynamoDB API reference), some 2,000 errors, so this is about three of them.
MAX_READ = 5_000
_SHOWN = ("source_row", "column", "rule", "value", "message", "stage", "chunk")


@dataclass(frozen=True)
class ErrorPage(Shown):
    """One page of a job's errors.

    Attributes
    ----------
    errors : DataFrame
        With the columns of `Job.errors`, ordered by row.
    read : int
        The number of errors that were read for the page.
    next : str
        The value of `after` for the next page; empty on the last page.
    total : int or None
        The number of all errors of the job; None before it has succeeded.
    """

    errors: pd.DataFrame = field(compare=False)
    read: int
    next: str
    total: int | None = None

    @property
    def next_row(self) -> int | None:
        """The last row that was read, if another page follows; otherwise None."""
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

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(self._title())
        yield Block.table(_SHOWN, self.errors[[*_SHOWN]].to_numpy())


def error_page(
    job: JobRef,
    *,
    where: ErrorFilter | None = None,
    after: str = "",
    lines: int = 50,
    max_read: int = MAX_READ,
) -> ErrorPage:
    """Return one page of a job's errors.

    Parameters
    ----------
    where
        The errors to return; by default all.
    after
        The `next` of the page before; by default the page begins with the first error.
    lines
        The most errors on the page.
    max_read
        The most errors to read; the next page continues after them.

    Raises
    ------
    InputError
        If the filter's rows are not a range, or `lines` or `max_read` is below 1.
    JobNotFoundError, AwsError
    """
    if min(lines, max_read) < 1:
        raise InputError(f"lines={lines}, max_read={max_read}: give at least 1 of each")
    total = job.ledger_entry().errors
    found, read, after = ledger.stored_error_page(
        job.stack, job.id, where or ErrorFilter(), after=after, lines=lines, max_read=max_read
    )
    errors = with_key_name(errors_frame(found), job.stack)
    return ErrorPage(errors, read=read, next=after, total=total)
