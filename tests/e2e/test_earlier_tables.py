"""A stack of ledger format 2, with errors in ErrorTable: updated, and a job run again in it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from e2e.jobs import TIMEOUT_S
from e2e.permissions import denied
from e2e.rows import order, to_csv

from batchops.core import ledger
from batchops.inspection.frames import errors_frame
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

NAME = "tables"
ARCHIVE = Path(__file__).parents[1] / "data" / "stack-format-2.tar.gz"
BAD_ROWS = [7, 50, 72]


def _file() -> bytes:
    bad = {row - 2: order(row % 40, Order_Priority="X") for row in BAD_ROWS}
    return to_csv([bad.get(place, order(place % 40)) for place in range(80)])


@pytest.fixture(scope="module")
def job(
    engine: LocalEngine, few_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Job]:
    """A job of which the second chunk failed before the update."""
    folder = tmp_path_factory.mktemp("tables")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    (project,) = folder.iterdir()
    stack = Stack(NAME, engine=engine, project=project)
    stack.deploy(reference_data=few_keys, FileChunkSize=30)
    second = f"arn:aws:s3:::{stack.outputs['SourceBucketName']}/jobs/*/chunks/000002.csv"
    with denied(stack, "ReadFileRole", "s3:GetObjectVersion", second):
        found = stack.submit(_file(), name="orders.csv")
        found.wait(timeout_s=TIMEOUT_S, check=False)
    assert "ErrorRangesTableName" not in stack.outputs
    updated = Stack(NAME, engine=engine)
    updated.deploy()
    yield updated.job(found.id)
    stack.destroy(dry_run=False)


def _in_tables(job: Job) -> pd.DataFrame:
    return errors_frame(ledger.stored_errors(job.stack, job.id))


def test_job_of_before_is_read_and_run_again_over_both_tables(job: Job) -> None:
    stack, errors = job.stack, job.errors()
    assert list(errors["source_row"]) == [7, 72]
    pd.testing.assert_frame_equal(_in_tables(job), errors)
    job.rerun(dry_run=False)
    job.wait(timeout_s=TIMEOUT_S)
    assert list(job.errors()["source_row"]) == BAD_ROWS
    pd.testing.assert_frame_equal(_in_tables(job), job.errors())
    balance = job.balance(deep=True)
    assert balance.holds, str(balance)
    client = stack.client("dynamodb")
    rows = {
        output: sorted(
            int(item["sourceRow"]["N"])
            for item in client.scan(TableName=stack.outputs[output])["Items"]
            if "sourceRow" in item
        )
        for output in ("ErrorTableName", "ErrorRangesTableName")
    }
    assert rows == {"ErrorTableName": [7, 72], "ErrorRangesTableName": [50]}
    assert ledger.delete_errors(stack, job.id) == len(BAD_ROWS)
    assert _in_tables(job).empty
