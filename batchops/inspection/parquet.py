"""Store DataFrames as Parquet, which takes the extra ``parquet``."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchops.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# A decimal of Parquet has 76 digits at most, as Arrow writes it.
_MOST_DIGITS = 76


def write_parquet(parts: Iterable[pd.DataFrame], path: str | Path) -> Path:
    """Store DataFrames with the same columns as one file, part by part, and return its path.

    A file that is there is replaced only by a whole one. Decimals get the scale of their column's
    longest; those that Parquet has no room for are stored as text.

    Parameters
    ----------
    parts
        One DataFrame at least.

    Raises
    ------
    InputError
        If pyarrow is not installed, or `path` is no file in a folder that exists.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            "Parquet files take pyarrow: install it with pip install 'batchops[parquet]'"
        ) from error
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        raise InputError(f"{target} cannot be written: give the path of a file in a folder")
    frames = iter(parts)
    first = _storable(next(frames))
    schema = pa.Schema.from_pandas(first, preserve_index=False)
    part = target.with_name(f".batchops-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file, parquet.ParquetWriter(file, schema) as writer:
            for frame in chain([first], map(_storable, frames)):
                table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
                writer.write_table(table)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose decimals Parquet has room for; other columns of them become text."""
    wide = {
        name: frame[name].map(lambda value: f"{value:f}", na_action="ignore").astype("str")
        for name in frame.columns[frame.dtypes == "object"]
        if not _fits(frame[name])
    }
    return frame.assign(**wide)


def _fits(values: pd.Series[Any]) -> bool:
    texts = [f"{value:f}".lstrip("-") for value in values if isinstance(value, Decimal)]
    whole = max((len(text.partition(".")[0]) for text in texts), default=0)
    fraction = max((len(text.partition(".")[2]) for text in texts), default=0)
    return whole + fraction <= _MOST_DIGITS
