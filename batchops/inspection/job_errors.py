"""A job's errors as DataFrames and counts, from files in the bucket or from the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from batchcore.error_files import CauseCounts

from batchops.core import ledger
from batchops.core.column_names import with_key_name
from batchops.core.error_objects import error_objects, iter_blocks
from batchops.core.ledger import ErrorFilter
from batchops.inspection.error_parsing import fill_raw, parse_blocks, parse_errors
from batchops.inspection.frames import error_frames, errors_frame

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ErrorItem, JobEntry

# Items of the table that come in one DataFrame.
_ITEMS = 10_000
_CAUSE = ["stage", "column", "rule"]


def read_errors(
    job: JobRef,
    where: ErrorFilter,
    *,
    limit: int | None = None,
    on_read: Callable[[int], None] = lambda _: None,
) -> tuple[pd.DataFrame, bool]:
    """Return a job's errors, and whether there are more than `limit`.

    Parameters
    ----------
    on_read
        Called now and then with the number of errors found so far.

    Raises
    ------
    JobNotFoundError, JobError, AwsError
    """
    import pandas as pd

    parts: list[pd.DataFrame] = []
    left, found = None if limit is None else limit + 1, 0
    for part in _parts(job, job.ledger_entry(), where, lines=left or _ITEMS):
        parts.append(part if left is None else part.head(left))
        found += len(parts[-1])
        on_read(found)
        if left is not None:
            left -= len(parts[-1])
            if left == 0:
                break
    frame = pd.concat(parts, ignore_index=True) if parts else errors_frame([])
    frame = with_key_name(frame, job.stack)
    if limit is None or len(frame) <= limit:
        return frame, False
    return frame.head(limit), True


def iter_errors(job: JobRef, *, lines: int) -> Iterator[pd.DataFrame]:
    """Yield a job's errors in DataFrames of at most `lines` lines; without errors one empty one.

    Raises
    ------
    JobNotFoundError, JobError, AwsError
    """
    import pandas as pd

    rest, some = with_key_name(errors_frame([]), job.stack), False
    for found in _parts(job, job.ledger_entry(), ErrorFilter(), lines=lines):
        part = with_key_name(found, job.stack)
        held = pd.concat([rest, part], ignore_index=True) if len(rest) else part
        whole = len(held) - len(held) % lines
        for start in range(0, whole, lines):
            yield held.iloc[start : start + lines].reset_index(drop=True)
        rest = held.iloc[whole:].reset_index(drop=True)
        some = some or whole > 0
    if len(rest) or not some:
        yield rest


def count_errors(job: JobRef, entry: JobEntry) -> CauseCounts:
    """Return a job's errors by cause: as the ledger has them or, if it has not all, counted.

    Raises
    ------
    JobError, AwsError
    """
    objects = error_objects(job, entry)
    if objects is None:
        return count_items(ledger.stored_errors(job.stack, job.id))
    known = objects.counts()
    if not known.others:
        return known
    counts = CauseCounts()
    for block in iter_blocks(job, entry.bucket, objects.objects):
        add_errors(counts, parse_errors(block))
    return counts


def count_items(errors: Iterable[ErrorItem]) -> CauseCounts:
    """Return errors by cause; none of them is kept."""
    counts = CauseCounts()
    for _ in counted(errors, counts):
        pass
    return counts


def counted(errors: Iterable[ErrorItem], counts: CauseCounts) -> Iterator[ErrorItem]:
    """Yield errors, and count those that were taken."""
    for error in errors:
        counts.add((error.stage, error.column, error.rule), 1, error.source_row)
        yield error


def add_errors(counts: CauseCounts, errors: pd.DataFrame) -> None:
    """Count the errors of a DataFrame, which is ordered by row."""
    grouped = errors.groupby(_CAUSE, sort=False)
    found = grouped["source_row"].agg(["size", "first"])
    for cause, number, first_row in found.itertuples(name=None):
        counts.add(cause, number, first_row)


def count_rows(frames: Iterable[pd.DataFrame]) -> tuple[int, int]:
    """Return how many rows have errors, and how many errors there are, in DataFrames in order."""
    rows = errors = last = 0
    for frame in frames:
        numbers = frame["source_row"].to_numpy()
        if len(numbers):
            rows += int((numbers[1:] != numbers[:-1]).sum()) + int(numbers[0] != last)
            errors, last = errors + len(numbers), int(numbers[-1])
    return rows, errors


def _parts(
    job: JobRef, entry: JobEntry, where: ErrorFilter, *, lines: int
) -> Iterator[pd.DataFrame]:
    """Yield the errors in DataFrames, in order; those of the table `lines` at a time."""
    objects = error_objects(job, entry)
    if objects is None:
        yield from error_frames(
            ledger.stored_errors(job.stack, job.id, where), lines=min(lines, _ITEMS)
        )
        return
    before: tuple[int, str] = (0, "")
    for frame in parse_blocks(iter_blocks(job, entry.bucket, objects.objects)):
        fill_raw(frame, before)
        before = (int(frame["source_row"].iloc[-1]), frame["raw"].iloc[-1])
        yield select(frame, where)


def select(errors: pd.DataFrame, where: ErrorFilter) -> pd.DataFrame:
    """Return the errors that a filter selects, with their places in the index."""
    keep = None
    for name in (*_CAUSE, "chunk"):
        wanted = getattr(where, name)
        if wanted is not None:
            fits = errors[name] == wanted
            keep = fits if keep is None else keep & fits
    return errors if keep is None else errors[keep]
