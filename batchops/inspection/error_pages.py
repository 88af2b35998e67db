"""A job's errors, one page at a time: no more is read than the page takes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore import csvtext
from batchcore.texts import number_of

from batchops.core import ledger
from batchops.core.column_names import with_key_name
from batchops.core.error_objects import error_objects, iter_blocks_from
from batchops.core.errors import InputError
from batchops.core.ledger import ErrorFilter, ErrorItem
from batchops.inspection.frames import errors_frame
from batchops.show.marks import WHOLE_ROW
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.error_objects import ErrorObject, ErrorObjects
    from batchops.core.job_ref import JobRef

# The most errors read for one page, so that a filter that matches nothing ends, too. A page of a
# query has 1 MB (Amazon DynamoDB API reference), some 2,000 errors, so this is about three of them.
MAX_READ = 5_000
# What is fetched of an object at a time: a page of 50 errors takes some 10 KB.
_BLOCK_BYTES = 256 * 1024
_PLACE = re.compile(r"\d{10,}#@(\d+):(\d+):(\d+):(.*)", re.DOTALL)
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

    @property
    def title(self) -> str:
        """How many errors there are, and how many were looked at."""
        if self.total == 0:
            return "the job has no errors"
        text = number_of(len(self.errors), "error")
        if self.read > len(self.errors):
            text += f" of {self.read:,} looked at"
        if self.next:
            text += f", up to row {self.next_row:,}; there may be more"
        if self.total is not None:
            text += f"; the job has {self.total:,}"
        return text

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(self.title)
        shown = self.errors[[*_SHOWN]].replace({"column": {"": WHOLE_ROW}})
        yield Block.table(_SHOWN, shown.to_numpy())


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
    entry, where = job.ledger_entry(), where or ErrorFilter()
    # The table finds rows by its key; everything else is faster in the objects.
    of_rows = where.first_row is not None or where.last_row is not None
    objects = None if of_rows else error_objects(job, entry)
    if objects is None:
        found, read, after = ledger.stored_error_page(
            job.stack, job.id, where, after=after, lines=lines, max_read=max_read
        )
    else:
        errors = _errors_after(job, entry.bucket, objects, after)
        found, read, after = _take(errors, where, lines=lines, max_read=max_read)
    frame = with_key_name(errors_frame(found), job.stack)
    return ErrorPage(frame, read=read, next=after, total=entry.errors)


def _take(
    errors: Iterator[tuple[ErrorItem, str]], where: ErrorFilter, *, lines: int, max_read: int
) -> tuple[list[ErrorItem], int, str]:
    """Return the errors of a page, how many were read for it, and where the next page begins."""
    found: list[ErrorItem] = []
    read, after = 0, ""
    for error, place in errors:
        if read == max_read or len(found) == lines:
            return found, read, after
        read, after = read + 1, place
        if where.selects(error):
            found.append(error)
    return found, read, ""


def _errors_after(
    job: JobRef, bucket: str, objects: ErrorObjects, after: str
) -> Iterator[tuple[ErrorItem, str]]:
    """Yield the errors after a place, each with its own place.

    A place names the row, the object and its version, where in it the row's errors begin, and how
    many of them come up to this one. So an error is read together with its row's first one, which
    alone has the row's text.

    Raises
    ------
    InputError
        If the place is in none of the objects.
    """
    number, start, skipped = 0, 0, 0
    if after:
        number, start, skipped = _find_place(objects, after)
    for each in objects.objects:
        if not each.has_errors or each.number < number:
            continue
        begin = max(start, each.header_bytes)
        for error, row_start, nth in _errors_in(job, bucket, each, begin):
            if skipped:
                skipped -= 1
                continue
            at = f"{each.number}:{row_start}:{nth}:{each.place.version_id}"
            yield error, f"{error.source_row:010d}#@{at}"
        start = 0


def _find_place(objects: ErrorObjects, after: str) -> tuple[int, int, int]:
    place = _PLACE.fullmatch(after)
    if place is not None:
        number, start, nth = map(int, place.groups()[:3])
        for each in objects.objects:
            if each.number == number and each.place.version_id == place[4]:
                return number, start, nth
    raise InputError("the errors have changed since the page before: begin with the first page")


def _errors_in(
    job: JobRef, bucket: str, each: ErrorObject, begin: int
) -> Iterator[tuple[ErrorItem, int, int]]:
    """Yield an object's errors, where the errors of each one's row begin, and its place in them."""
    row, raw, row_start, nth, offset = 0, "", begin, 0, begin
    for block in iter_blocks_from(job, bucket, each, begin, block_bytes=_BLOCK_BYTES):
        for record in csvtext.iter_records(block, delimiter=","):
            (values,) = csv.reader(io.StringIO(record.decode(), newline=""))
            error = ErrorItem.of_line(values)
            if error.source_row != row:
                row, raw, row_start, nth = error.source_row, error.raw, offset, 0
            nth, offset = nth + 1, offset + len(record)
            yield ErrorItem({**error.item, "raw": raw}), row_start, nth
