"""Where a job's time goes, from the ledger's entries."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from batchcore import items, workflow

from batchops.core.ledger import ChunkEntry, JobEntry
from batchops.inspection import frames
from batchops.inspection.timings import BETWEEN, speeds_frame, step_times, stragglers

BEGIN = pd.Timestamp("2026-11-23T06:00:00Z")
STEPS = {"read": 10, "validate": 20, "enrich": 300, "write": 40}


def chunk(number: int, *, ms: float = 500, **changed: Any) -> ChunkEntry:
    """Return the ledger's entry of a chunk of 100 rows that took so many milliseconds."""
    entry = {
        "entry": items.chunk_entry(number),
        "status": workflow.SUCCEEDED,
        "attempt": 1,
        "rows": 100,
        "startTime": BEGIN.isoformat(),
        "endTime": (BEGIN + pd.Timedelta(milliseconds=ms)).isoformat(),
        "stepMs": STEPS,
    }
    return ChunkEntry(entry | changed)


def chunks(*entries: ChunkEntry) -> pd.DataFrame:
    return frames.chunks_frame(entries, job_start=BEGIN.to_pydatetime())


def test_step_times_add_up_to_the_time_of_the_chunks() -> None:
    found = step_times(chunks(chunk(1), chunk(2, ms=700))).set_index("step")
    assert list(found.index) == ["read", "validate", "enrich", "write", BETWEEN]
    assert found["total_s"].sum() == pytest.approx(1.2)
    assert found["share"].sum() == pytest.approx(1)
    assert found.loc[BETWEEN, "total_s"] == pytest.approx(0.13 + 0.33)
    assert found.loc["enrich", "median_ms"] == 300
    assert found.loc["enrich", "us_per_row"] == 3_000
    assert found.loc[BETWEEN, "max_ms"] == 330


def test_step_times_leave_out_chunks_that_did_not_succeed() -> None:
    failed = chunk(2, status=workflow.FAILED, stepMs={"read": 9_000})
    running = chunk(3, status=workflow.RUNNING, stepMs={}, endTime=None)
    found = step_times(chunks(chunk(1), failed, running))
    assert set(found["chunks"]) == {1}
    assert found["max_ms"].max() == 300


def test_step_times_of_no_chunk_have_every_step_and_nothing_known() -> None:
    found = step_times(chunks())
    assert list(found["chunks"]) == [0] * 5
    assert found[["share", "median_ms", "us_per_row"]].isna().all().all()
    assert found.dtypes.equals(step_times(chunks(chunk(1))).dtypes)


def test_stragglers_name_the_step_that_held_them_up() -> None:
    slow = chunk(3, ms=2_000, stepMs=STEPS | {"write": 1_400})
    found = stragglers(chunks(chunk(1), chunk(2), slow, chunk(4, ms=900), chunk(5)))
    assert list(found["chunk"]) == [3, 4]
    assert list(found["slowest_step"]) == ["write", BETWEEN]
    first = found.iloc[0]
    assert (first["seconds"], first["times_usual"]) == (2.0, 4.0)
    assert (first["step_ms"], first["usual_ms"]) == (1_400, 40)


def test_no_chunk_is_a_straggler_among_its_like() -> None:
    found = stragglers(chunks(chunk(1), chunk(2), chunk(3)))
    assert found.empty
    assert found.dtypes.equals(stragglers(chunks()).dtypes)
    assert found.dtypes.equals(stragglers(chunks(chunk(1), chunk(2, ms=9_000))).dtypes)


def job(name: str, **changed: Any) -> JobEntry:
    entry = {
        "jobId": name,
        "status": workflow.SUCCEEDED,
        "attempt": 1,
        "startTime": "2026-11-23T06:00:00.000Z",
        "endTime": "2026-11-23T06:00:04.000Z",
        "rowsIn": 1_000,
        "chunkRows": 600,
        "chunks": 2,
    }
    return JobEntry(entry | changed)


def test_speeds_are_those_of_jobs_that_succeeded_at_once() -> None:
    found = speeds_frame(
        [job("a"), job("b", status=workflow.FAILED), job("c", attempt=2), job("d", rowsIn=400)]
    )
    assert list(found["job"]) == ["a", "d"]
    assert list(found["rows_per_s"]) == [250, 100]
    assert list(found["seconds"]) == [4, 4]
    assert found.dtypes.equals(speeds_frame([]).dtypes)


def test_step_that_is_left_out_without_look_up_is_not_listed() -> None:
    plain = {"read": 10, "validate": 20, "write": 40}
    found = step_times(chunks(chunk(1, stepMs=plain), chunk(2, ms=5_000, stepMs=plain)))
    assert list(found["step"]) == ["read", "validate", "write", BETWEEN]
    assert set(found["chunks"]) == {2}
    slow = stragglers(chunks(*(chunk(n, stepMs=plain) for n in (1, 2, 3)), chunk(4, ms=5_000)))
    assert list(slow["chunk"]) == [4]
