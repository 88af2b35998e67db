"""Turn pandas and polars frames, and Parquet files, into the texts of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from batchcore import headers
from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.planning.cell_text import (
    JSON_BOOLEANS,
    PYTHON_BOOLEANS,
    all_midnight,
    column_texts,
)

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema

_BATCH_ROWS = 20_000


@dataclass(frozen=True)
class FrameText:
    """The text of a frame.

    Attributes
    ----------
    columns : tuple of str
        The names of its columns.
    rows : iterator of sequences of str
        Its rows, made as they are asked for.
    notes : tuple of str
        What a reader should know, one line each.
    """

    columns: tuple[str, ...]
    rows: Iterator[Sequence[str]]
    notes: tuple[str, ...] = ()


def kind_of_frame(source: object) -> str:
    """Return ``pandas`` or ``polars`` for a DataFrame of theirs, and an empty text otherwise."""
    # The parents too: a class that is derived from pandas' DataFrame is one.
    for kind in type(source).__mro__:
        library = kind.__module__.partition(".")[0]
        if library in ("pandas", "polars") and kind.__name__ in ("DataFrame", "LazyFrame"):
            return library
    return ""


def frame_text(frame: Any) -> FrameText:
    """Return the text of a pandas or polars DataFrame.

    Raises
    ------
    InputError
        If a CSV cannot hold it as it is: its index has a name, columns have the same name, or a
        value is no text.
    """
    if kind_of_frame(frame) == "polars":
        return _polars_text(frame)
    return _pandas_text(frame)


def check_names(names: Sequence[str], *, what: str) -> None:
    """Refuse names of columns that a CSV cannot hold, or that stand twice.

    Raises
    ------
    InputError
    """
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"the {what} has more than one column named {headers.listed(twice)}")
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"the name of the column {name!r} of the {what} has a lone surrogate, which no "
                "UTF-8 file can hold: rename it"
            ) from error


def check_columns(frame: Any, schema: RecordSchema) -> None:
    """Refuse a DataFrame without the columns that a schema requires.

    Raises
    ------
    InputError
    """
    lazy = hasattr(frame, "collect_schema")  # of polars, whose lazy frames have names in it only
    names = frame.collect_schema().names() if lazy else [str(name) for name in frame.columns]
    missing = [column for column in schema.required if column not in names]
    if missing:
        raise InputError(lacking_columns(names, missing))


def lacking_columns(names: Sequence[str], missing: Sequence[str]) -> str:
    """Say which columns a DataFrame lacks, near misses first."""
    near = headers.near_misses(missing, names)
    hint = f"{headers.spelt(near)}; " if near else ""
    return (
        f"the DataFrame lacks {headers.listed(missing)}: {hint}columns are matched by their exact "
        f"names, and it has {headers.listed(names)}"
    )


def _pandas_text(frame: pd.DataFrame) -> FrameText:
    if frame.columns.nlevels > 1:
        raise InputError(
            f"the DataFrame has {number_of(frame.columns.nlevels, 'level')} of columns, and a CSV "
            "has one: join their names first"
        )
    named = [str(name) for name in frame.index.names if name is not None]
    if named:
        raise InputError(
            f"the DataFrame has the index {', '.join(map(repr, named))}, which is not written: "
            "make it a column with reset_index(), or drop it with reset_index(drop=True)"
        )
    names = ["" if name is None or name != name else str(name) for name in frame.columns]  # noqa: PLR0124
    check_names(names, what="DataFrame")
    return FrameText(tuple(names), _pandas_rows(frame, names), _lost_digits(frame, names))


def _pandas_rows(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Sequence[str]]:
    dates = [
        all_midnight(frame.iloc[:, n].tolist()) if frame.dtypes.iloc[n].kind in "MO" else None
        for n in range(len(names))
    ]
    for start in range(0, len(frame), _BATCH_ROWS):
        part = frame.iloc[start : start + _BATCH_ROWS]
        yield from _rows(
            (_pandas_values(part.iloc[:, n]) for n in range(len(names))),
            names,
            dates,
            first_row=start + 1,
            booleans=PYTHON_BOOLEANS,
        )


def _pandas_values(column: pd.Series[Any]) -> Sequence[Any]:
    # tolist() makes Python's floats of 32-bit ones, with noise in their digits.
    if getattr(column.dtype, "kind", "") == "f" and getattr(column.dtype, "itemsize", 8) < 8:
        return list(column.array)
    return column.tolist()


def _lost_digits(frame: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """Say which columns have numbers that are too large for all their digits."""
    found = [
        name
        for n, name in enumerate(names)
        if getattr(frame.dtypes.iloc[n], "kind", "") == "f"
        and (frame.iloc[:, n].abs() >= 2**53).any()
    ]
    if not found:
        return ()
    return (
        f"numbers of {headers.listed(found)} are so large that their last digits may be lost: read "
        "the column as text (dtype=str)",
    )


def _polars_text(frame: Any) -> FrameText:
    frame = frame.collect() if hasattr(frame, "collect") else frame
    names = list(frame.columns)
    check_names(names, what="DataFrame")
    dates = [all_midnight(frame[name].to_list()) for name in names]

    def rows() -> Iterator[Sequence[str]]:
        done = 0
        for part in frame.iter_slices(_BATCH_ROWS):
            columns = ([*_polars_values(part[name])] for name in names)
            yield from _rows(columns, names, dates, first_row=done + 1, booleans=JSON_BOOLEANS)
            done += len(part)

    return FrameText(tuple(names), rows())


def _polars_values(column: Any) -> Sequence[Any]:
    # Lists have Python's floats, in which a 32-bit number has noise.
    return list(column.to_numpy() if str(column.dtype) == "Float32" else column)


def parquet_text(file: IO[bytes]) -> FrameText:
    """Return the text of a Parquet file, which is read batch by batch.

    Raises
    ------
    InputError
        If it is no Parquet file, a CSV cannot hold it, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError(
            "reading Parquet needs pyarrow: pip install 'batchops[parquet]'"
        ) from error
    try:
        parquet = pq.ParquetFile(file)
        names = list(parquet.schema_arrow.names)
        check_names(names, what="Parquet file")
        dates = _parquet_dates(parquet, names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"the Parquet file cannot be read: {error}") from error

    def rows() -> Iterator[Sequence[str]]:
        done = 0
        for part in parquet.iter_batches(batch_size=_BATCH_ROWS):
            columns = ([*_arrow_values(column)] for column in part.columns)
            yield from _rows(columns, names, dates, first_row=done + 1, booleans=JSON_BOOLEANS)
            done += part.num_rows

    return FrameText(tuple(names), rows())


def _arrow_values(column: Any) -> Sequence[Any]:
    import pyarrow as pa

    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        return list(column.to_numpy(zero_copy_only=False))
    return list(column.to_pylist())


def _parquet_dates(parquet: Any, names: Sequence[str]) -> list[bool | None]:
    """Return for each column whether its date-times are all at midnight."""
    import pyarrow as pa

    kinds = [parquet.schema_arrow.field(n).type for n in range(len(names))]
    times = [name for name, kind in zip(names, kinds, strict=True) if pa.types.is_timestamp(kind)]
    midnight = dict.fromkeys(times, True)
    for part in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=times) if times else ():
        for name in times:
            midnight[name] = midnight[name] and all_midnight(part[name].to_pylist())
    return [midnight.get(name, True) for name in names]


def _rows(
    columns: Iterator[Sequence[Any]],
    names: Sequence[str],
    dates: Sequence[bool | None],
    *,
    first_row: int,
    booleans: tuple[str, str],
) -> Iterator[Sequence[str]]:
    texts = [
        column_texts(values, name=name, booleans=booleans, dates_only=only, first_row=first_row)
        for values, name, only in zip(columns, names, dates, strict=True)
    ]
    return zip(*texts, strict=True)
