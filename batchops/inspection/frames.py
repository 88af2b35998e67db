"""DataFrames of the ledger's entries, the errors and the result files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from batchcore import csvtext, quoting, workflow
from batchcore.records import REJECT_COLUMNS

from batchops.core.column_names import result_columns
from batchops.core.ledger import ERROR_COLUMNS
from batchops.inspection.typed_columns import with_types

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from batchcore.schema import RecordSchema

    from batchops.core.ledger import ChunkEntry, ErrorItem, JobEntry

SOURCE_ROW = REJECT_COLUMNS[0]
SURPLUS = "surplus_"

_CHUNK_COUNTS = ("rows", "valid", "rejected", "errors", "attempt")
_CHUNK_TEXTS = ("failed_step", "error", "cause")


def errors_frame(found: Iterable[ErrorItem]) -> pd.DataFrame:
    """Return errors, one line per rule that a row breaks; without errors the columns alone."""
    import pandas as pd

    rows = list(found)
    columns = {
        name: pd.Series([row.item.get(source) for row in rows], dtype=_readable(dtype))
        for name, (source, dtype) in ERROR_COLUMNS.items()
    }
    frame = pd.DataFrame(columns)
    return frame.astype({"time": "datetime64[ms, UTC]"})


def _readable(dtype: str) -> str:
    # Times are parsed from text later; pandas does not build them from mixed input.
    return "object" if dtype.startswith("datetime") else dtype


def jobs_frame(found: Iterable[JobEntry]) -> pd.DataFrame:
    """Return jobs, one line each; values that a job does not have yet are missing (NA, NaT)."""
    import pandas as pd

    rows = list(found)
    columns: dict[str, Any] = {
        "job": pd.Series([row.job_id for row in rows], dtype="str"),
        "status": pd.Series([row.status for row in rows], dtype="str"),
        "file": pd.Series([row.file for row in rows], dtype="str"),
        "start": _times(row.started for row in rows),
        "end": _times(row.ended for row in rows),
    }
    counts = {
        "rows_in": [row.rows_in if row.was_split else None for row in rows],
        "rows_out": [row.rows_out for row in rows],
        "rows_rejected": [row.rows_rejected for row in rows],
        "chunks": [row.chunks if row.was_split else None for row in rows],
        "attempt": [row.attempt for row in rows],
        "chunk_rows": [row.chunk_rows or None for row in rows],
    }
    columns |= {name: pd.Series(values, dtype="Int64") for name, values in counts.items()}
    columns["seconds"] = pd.Series([row.took_s for row in rows], dtype="Float64")
    columns["rows_per_s"] = pd.Series([row.rows_per_s for row in rows], dtype="Float64")
    columns["mail"] = pd.Series([row.mail_status or None for row in rows], dtype="str")
    columns["error"] = pd.Series([row.error or None for row in rows], dtype="str")
    return pd.DataFrame(columns)


def _times(moments_or_none: Iterable[datetime | None]) -> pd.Series[Any]:
    import pandas as pd

    moments = pd.to_datetime(pd.Series(list(moments_or_none), dtype="object"), utc=True)
    return moments.astype("datetime64[ms, UTC]")


def error_frames(found: Iterable[ErrorItem], *, lines: int) -> Iterator[pd.DataFrame]:
    """Yield errors in DataFrames of at most `lines` lines; without errors one empty DataFrame."""
    stream = iter(found)
    yield errors_frame(islice(stream, lines))
    while part := list(islice(stream, lines)):
        yield errors_frame(part)


def chunks_frame(found: Iterable[ChunkEntry], *, job_start: datetime | None = None) -> pd.DataFrame:
    """Return chunks, one line each; values that a chunk lacks so far are missing (NA, NaT)."""
    import pandas as pd

    rows = list(found)
    columns: dict[str, Any] = {
        "chunk": pd.Series([row.number for row in rows], dtype="int64"),
        "status": pd.Series([row.status for row in rows], dtype="str"),
    }
    for name in _CHUNK_COUNTS:
        columns[name] = pd.Series([getattr(row, name) for row in rows], dtype="Int64")
    columns["start"] = _times(row.started for row in rows)
    columns["end"] = _times(row.ended for row in rows)
    queued = columns["start"] - pd.Timestamp(job_start) if job_start else None
    columns["queue_ms"] = (
        pd.Series([pd.NA] * len(rows), dtype="Int64")
        if queued is None
        else (queued // pd.Timedelta(milliseconds=1)).astype("Int64")
    )
    for step in workflow.CHUNK_STEPS:
        found_ms = [row.step_ms.get(step.name) for row in rows]
        columns[f"{step.name}_ms"] = pd.Series(found_ms, dtype="Int64")
        columns[f"{step.name}_start"] = _times(row.step_starts.get(step.name) for row in rows)
    columns["cold"] = pd.Series([", ".join(row.cold_steps) or None for row in rows], dtype="str")
    for name in _CHUNK_TEXTS:
        columns[name] = pd.Series([getattr(row, name) or None for row in rows], dtype="str")
    return pd.DataFrame(columns)


def rejects_frame(file: IO[bytes], *, delimiter: str) -> pd.DataFrame:
    """Return a rejects file as text but for the row numbers.

    Surplus fields are in columns ``surplus_1`` and so on. For names that the upload has twice, or
    not at all, see `result_columns`.
    """
    import pandas as pd

    data = file.read().removeprefix(csvtext.BOM)
    texts = (r.decode("utf-8", "backslashreplace") for r in _records(data, delimiter))
    header, *rows = (parse_shown(text, delimiter=delimiter)[0] for text in texts)
    width = len(header) - len(REJECT_COLUMNS)
    surplus = max((len(row) for row in rows), default=0) - len(header)
    more = [f"{SURPLUS}{number + 1}" for number in range(surplus)]
    columns = result_columns(header[:width], [*header[width:], *more])
    padded = [row + [""] * (len(columns) - len(row)) for row in rows]
    frame = pd.DataFrame(padded, columns=columns, dtype="str")
    return frame.astype({SOURCE_ROW: "int64"})


def _records(data: bytes, delimiter: str) -> Iterator[bytes]:
    records = csvtext.iter_records(data, delimiter=delimiter)
    return (record for record in records if not csvtext.is_blank(record))


def parse_shown(text: str, *, delimiter: str) -> tuple[list[str], bool]:
    """Return a record's fields, and whether one has text after its closing quote.

    Such a field is shown as it stands in the file, quotes included, because what it would be
    without them is a guess.
    """
    line = text.rstrip("\r\n")
    if line and '"' not in line:  # a reader of its own for each record takes long
        return line.split(delimiter), False
    fields = next(quoting.parse_rows([text], delimiter=delimiter), [])
    if fields is quoting.STRAY_TEXT:
        return quoting.shown_fields(text, delimiter=delimiter), True
    return list(fields), False


def completed_frame(
    file: IO[bytes],
    *,
    delimiter: str,
    added: int = 0,
    schema: RecordSchema | None = None,
    rows_of: Callable[[int], list[int]] | None = None,
) -> pd.DataFrame:
    """Return a completed file as text; every value is what the file has, empty values included.

    Parameters
    ----------
    added
        How many columns the job has added. They keep their names if the upload has the same ones.
    schema
        Gives columns their types, see `typed_columns`.
    rows_of
        Returns the source row of each line, given how many there are; they become the last column,
        ``source_row`` (int64).
    """
    import pandas as pd

    names = header_names(file, delimiter=delimiter)
    width = len(names) - added
    more = [SOURCE_ROW] if rows_of else []
    columns = result_columns(names[:width], [*names[width:], *more])
    frame: pd.DataFrame = pd.read_csv(
        file,
        sep=delimiter,
        header=0,
        names=columns[: len(names)],
        index_col=False,
        encoding="utf-8",
        encoding_errors="backslashreplace",
        dtype="str",
        keep_default_na=False,
    )
    if schema is not None:
        frame = with_types(frame, schema)
    if rows_of is not None:
        frame[SOURCE_ROW] = pd.Series(rows_of(len(frame)), dtype="int64", index=frame.index)
    return frame


def header_names(file: IO[bytes], *, delimiter: str) -> list[str]:
    """Return the names in the first row of a CSV file, and leave the file at its position."""
    start = file.tell()
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="backslashreplace", newline="")
    names = next(csv.reader(text, delimiter=delimiter), [])
    text.detach()
    file.seek(start)
    return names
