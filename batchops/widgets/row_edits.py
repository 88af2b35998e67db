"""New values for rejected rows, which a repair takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from batchops.core.errors import InputError
from batchops.inspection.frames import SOURCE_ROW

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job

# By the row of the uploaded file, and the column.
Edits = Mapping[tuple[int, str], str]


def edited_rejects(job: Job, edits: Edits) -> pd.DataFrame:
    """Return those rejected rows that are edited, with their new values.

    Raises
    ------
    InputError
        A row is no longer among the rejected ones, or has no such column.
    """
    rejects = job.rejects()
    rows = rejects[SOURCE_ROW].astype(str)
    for (row, column), value in edits.items():
        here = rows == str(row)
        if not here.any():
            raise InputError(f"row {row:,} is no longer among the rejected rows: drop its edit")
        if column not in rejects.columns:
            raise InputError(f"the rejected rows have no column {column!r}: drop the edit")
        rejects.loc[here, column] = value
    return rejects[rows.isin({str(row) for row, _ in edits})]
