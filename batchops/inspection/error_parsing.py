"""Parse the file of a job's errors, block by block, into DataFrames."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from batchcore.error_files import COLUMNS

from batchops.core.ledger import ERROR_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_PARSED_AT_ONCE = 2
# A line that stands before a block, so that pandas finds text in every column of text, whatever the
# block has in it. That takes it half of the time of being told.
_FIRST_LINE = b",".join(b"0" if d == "int64" else b"x" for _, d in ERROR_COLUMNS.values()) + b"\r\n"


def parse_blocks(blocks: Iterator[bytes]) -> Iterator[pd.DataFrame]:
    """Yield the errors of each block, parsing two at a time: pyarrow's parser lets both run."""
    pending: deque[Future[pd.DataFrame]] = deque()
    with ThreadPoolExecutor(_PARSED_AT_ONCE) as pool:
        for block in blocks:
            pending.append(pool.submit(_parse, block))
            if len(pending) == _PARSED_AT_ONCE:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def parse_errors(block: bytes, *, before: tuple[int, str] = (0, "")) -> pd.DataFrame:
    """Return the errors in a block of CSV, with the columns and dtypes of `Job.errors`.

    Parameters
    ----------
    before
        The row and its text of the error before the block. Of a row's errors only the first has
        the text.
    """
    frame = _parse(block)
    fill_raw(frame, before)
    return frame


def _parse(block: bytes) -> pd.DataFrame:
    """Return the errors as the block has them, each row's text with its first error only."""
    import pandas as pd

    # Both parsers make the same of every text; pyarrow's is faster.
    frame = parse_with_pandas(block) if find_spec("pyarrow") is None else parse_with_arrow(block)
    # Chunks have few times, so each is read once.
    found = pd.Categorical(frame["time"])
    times = pd.to_datetime(found.categories, format="ISO8601", utc=True).as_unit("ms")
    frame["time"] = times.take(found.codes)
    return frame


def parse_with_arrow(block: bytes) -> pd.DataFrame:
    """Return the errors of a block by pyarrow's parser; the times are still text."""
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


def parse_with_pandas(block: bytes) -> pd.DataFrame:
    """Return the errors of a block by pandas' own parser; the times are still text."""
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


def fill_raw(errors: pd.DataFrame, before: tuple[int, str]) -> None:
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
