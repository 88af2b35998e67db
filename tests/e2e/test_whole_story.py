"""From deployment to destruction with nothing but the public names of batchops."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
from e2e.jobs import TIMEOUT_S

import batchops as bo
from batchops.local.engine import LocalEngine

ROWS = 4_000
COLUMNS = 8


def test_a_file_is_planned_run_understood_repaired_and_proved(
    engine: LocalEngine, tmp_path: Path
) -> None:
    sample = bo.make_sample(ROWS)
    files = sample.write(tmp_path)
    stack = bo.Stack("story", engine=engine)
    assert stack.doctor().ok
    assert not stack.preview(reference_data=files.reference).unchanged
    assert stack.deploy(reference_data=files.reference, FileChunkSize=1_000).changed

    plan = stack.plan(files.orders, check_keys=True)
    assert plan.can_succeed
    assert (plan.rows, plan.chunks, plan.rejected) == (ROWS, 4, len(sample.bad_rows))

    job = stack.submit(plan)
    assert job.watch(timeout_s=TIMEOUT_S).status == "SUCCEEDED"
    assert sum(cause.count for cause in job.why().causes) == len(sample.bad)
    before = job.errors()
    assert before.attrs["complete"]
    assert len(before) == len(sample.bad)
    assert str(job.cost(plan=plan))

    fixed = _fix(job)
    assert job.repair(fixed).rerun.needed
    assert job.repair(fixed, dry_run=False).rerun.started
    job.wait(timeout_s=TIMEOUT_S)
    assert job.balance(deep=True).holds
    assert job.balance(deep=True).rows_rejected == 0
    assert not job.repair(fixed).needed

    comparison = bo.compare(before, job)
    assert (len(comparison.fixed), len(comparison.newly_broken)) == (len(sample.bad), 0)
    job.download(tmp_path / "completed.csv")
    clean = bo.make_sample(ROWS, bad_share=0)
    lines = [line.split(b",", 1)[0] for line in clean.reference.splitlines()]
    assert (tmp_path / "completed.csv").read_bytes().count(b"\n") >= ROWS
    assert list(job.output()["uuid"]) == [key.decode() for key in lines[1:]]
    assert list(job.lineage()["attempt"]) == [1, 2]
    assert job.email().status == "SENT"

    purged = job.purge(dry_run=False)
    assert (len(purged.uploads), purged.entries, purged.unclear) == (1, 5, "")
    assert stack.jobs().empty
    rows = stack.destroy().holdings.rows
    assert [rows[stack.outputs[f"{name}Name"]] for name in ("ErrorRangesTable", "ErrorTable")] == [
        0,
        0,
    ]
    assert not stack.destroy().deleted
    assert stack.destroy(dry_run=False).deleted


def _fix(job: bo.Job) -> pd.DataFrame:
    """Return the rejects with every row as it is in the clean sample."""
    clean = bo.make_sample(ROWS, bad_share=0).csv.decode()
    rows = list(csv.reader(io.StringIO(clean, newline="")))
    rejects = job.rejects()
    for index, source_row in rejects["source_row"].items():
        rejects.loc[index, rejects.columns[:COLUMNS]] = rows[int(source_row) - 1]
    return rejects.drop(columns=[c for c in rejects.columns if c.startswith("surplus")])
