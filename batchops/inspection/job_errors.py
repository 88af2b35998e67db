"""A job's errors as DataFrames and counts, from files in the bucket or from the tables."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from batchcore.error_files import COLUMNS, CauseCounts

from batchops.core import ledger
from batchops.core.column_names import with_key_name
from batchops.core.error_objects import error_objects, iter_blocks
from batchops.core.ledger import ERROR_COLUMNS, ErrorFilter
from batchops.inspection.frames import error_frames, errors_frame

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ErrorItem, JobEntry

# Items of the table that come in one DataFrame.
_ITEMS = 10_000
_PARSED_AT_ONCE = 2
_CAUSE = ["stage", "column", "rule"]
# A line that stands before a block, so that pandas finds text in every column of text, whatever the
# block has in it. That takes it half of the time of being told.
_FIRST_LINE = b",".join(b"0" if d == "int64" else b"x" for _, d in ERROR_COLUMNS.values()) + b"\r\n"


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
    for frame in _parsed(iter_blocks(job, entry.bucket, objects.objects)):
        _fill_raw(frame, before)
        before = (int(frame["source_row"].iloc[-1]), frame["raw"].iloc[-1])
        yield select(frame, where)


def _parsed(blocks: Iterator[bytes]) -> Iterator[pd.DataFrame]:
    """Yield the errors of each block, parsing two at a time: pyarrow's parser lets both run."""
    pending: deque[Future[pd.DataFrame]] = deque()
    with ThreadPoolExecutor(_PARSED_AT_ONCE) as pool:
        for block in blocks:
            pending.append(pool.submit(_parse, block))
            if len(pending) == _PARSED_AT_ONCE:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def select(errors: pd.DataFrame, where: ErrorFilter) -> pd.DataFrame:
    """Return the errors that a filter selects, with their places in the index."""
    keep = None
    for name in (*_CAUSE, "chunk"):
        wanted = getattr(where, name)
        if wanted is not None:
            fits = errors[name] == wanted
            keep = fits if keep is None else keep & fits
    return errors if keep is None else errors[keep]


def parse_errors(block: bytes, *, before: tuple[int, str] = (0, "")) -> pd.DataFrame:
    """Return the errors in a block of CSV, with the columns and dtypes of `Job.errors`.

    Parameters
    ----------
    before
        The row and its text of the error before the block. Of a row's errors only the first has
        the text.
    """
    frame = _parse(block)
    _fill_raw(frame, before)
    return frame


def _parse(block: bytes) -> pd.DataFrame:
    """Return the errors as the block has them, each row's text with its first error only."""
    import pandas as pd

    # Both parsers make the same of every text; pyarrow's is faster.
    frame = _parse_by_pandas(block) if find_spec("pyarrow") is None else _parse_by_arrow(block)
    # Chunks have few times, so each is read once.
    found = pd.Categorical(frame["time"])
    times = pd.to_datetime(found.categories, format="ISO8601", utc=True).as_unit("ms")
    frame["time"] = times.take(found.codes)
    return frame


def _parse_by_arrow(block: bytes) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv

    types = {
        name: pa.int64() if dtype == "int64" else pa.large_string()
        for name, (_, dtype) in ERROR_COLUMNS.items()
    }
    types["time"] = pa.dictionary(pa.int32(), pa.large_string())
    table = csv.read_csv(
        pa.BufferReader(block),
        # In one piece, because a text may have line ends.
        read_options=csv.ReadOptions(
            column_names=list(types), use_threads=False, block_size=len(block)
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=types, null_values=[]),
    )
    text = pd.StringDtype("pyarrow", na_value=float("nan"))  # that of "str" in pandas 3
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.large_string(): text}.get)
    return frame


def _parse_by_pandas(block: bytes) -> pd.DataFrame:
    import pandas as pd

    # The C parser ends a text at a NUL, and the csv module does not.
    engine: Any = {"engine": "python"} if b"\0" in block else {"engine": "c", "low_memory": False}
    frame: pd.DataFrame = pd.read_csv(
        io.BytesIO(_FIRST_LINE + block),
        names=list(COLUMNS),
        keep_default_na=False,
        na_filter=False,
        **engine,
    )
    return frame.iloc[1:].reset_index(drop=True)


def _fill_raw(errors: pd.DataFrame, before: tuple[int, str]) -> None:
    """Give each error the text of its row, which only the row's first one has."""
    import numpy as np

    rows = errors["source_row"].to_numpy()
    same = np.empty(len(rows), dtype=bool)
    same[0] = rows[0] == before[0]
    same[1:] = rows[1:] == rows[:-1]
    if not same.any():
        return
    places = np.where(same, 0, np.arange(len(rows)))
    raw = errors["raw"].array.take(np.maximum.accumulate(places))
    if same[0]:  # up to the first other row
        raw[: len(rows) if same.all() else int(np.argmin(same))] = before[1]
    errors["raw"] = raw
