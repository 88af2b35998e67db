"""The console's list of chunks: which it shows, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from batchcore import workflow

from batchops.widgets.chunk_list import ANY, FAILED, REJECTING, RUNNING, choose_chunks, chunks_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 11, 29, tzinfo=UTC)


def chunks(*statuses: str) -> pd.DataFrame:
    """Return chunks with a number each; only those that succeeded have counts."""
    count = len(statuses)
    done = [status == workflow.SUCCEEDED for status in statuses]
    rejected = [n % 2 if each else None for n, each in enumerate(done)]
    counts = pd.Series([1200 if each else None for each in done], dtype="Int64")
    ended = [None if s == workflow.RUNNING else START + timedelta(seconds=2) for s in statuses]
    return pd.DataFrame(
        {
            "chunk": range(1, count + 1),
            "status": statuses,
            **dict.fromkeys(("rows", "valid", "errors"), counts),
            "rejected": pd.Series(rejected, dtype="Int64"),
            "attempt": 1,
            "start": pd.Series([START] * count, dtype="datetime64[ms, UTC]"),
            "end": pd.Series(ended, dtype="datetime64[ms, UTC]"),
            "failed_step": [None] * count,
            "reason": ["" if d else "Error: no\nmore" for d in done],
        }
    )


FOUND = chunks("SUCCEEDED", "SUCCEEDED", "FAILED", "RUNNING", "ABORTED", "SUCCEEDED")


@pytest.mark.parametrize(
    ("state", "numbers", "chosen"),
    [
        (ANY, (None, None), [1, 2, 3, 4, 5, 6]),
        (ANY, (2, 3), [2, 3]),
        (ANY, (5, None), [5, 6]),
        (FAILED, (None, None), [3, 5]),
        (FAILED, (None, 4), [3]),
        (RUNNING, (None, None), [4]),
        (REJECTING, (None, None), [2, 6]),
        (ANY, (7, None), []),
    ],
)
def test_chunks_are_chosen_by_state_and_number(
    state: str, numbers: tuple[int | None, int | None], chosen: Sequence[int]
) -> None:
    assert list(choose_chunks(FOUND, state=state, numbers=numbers)["chunk"]) == chosen


def test_what_a_chunk_lacks_so_far_is_an_empty_cell() -> None:
    grid = chunks_grid(FOUND)
    assert list(grid["Rows"]) == ["1,200", "1,200", "", "", "", "1,200"]
    assert list(grid["Seconds"]) == ["2.0", "2.0", "2.0", "", "2.0", "2.0"]
    assert not grid.isin(["nan", "None", "<NA>", "NaT"]).any().any()


def test_a_reason_is_one_line_and_a_status_has_its_mark() -> None:
    grid = chunks_grid(FOUND)
    assert grid["Reason"][2] == "Error: no\\nmore"
    assert [status[2:] for status in grid["Status"]] == list(FOUND["status"].str.lower())
    assert len({status[0] for status in grid["Status"]}) == 3


def test_no_chunks_are_a_grid_without_lines() -> None:
    assert len(chunks_grid(FOUND.iloc[:0])) == 0
