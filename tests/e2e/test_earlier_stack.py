"""A stack of version 0.1.0, which did not say its version: read by this client, then updated."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batchcore import items
from e2e.jobs import TIMEOUT_S
from e2e.permissions import denied
from e2e.rows import order, to_csv

from batchops.core.compatibility import VersionWarning
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

NAME = "earlier"
ARCHIVE = Path(__file__).parents[1] / "data" / "stack-0.1.0.tar.gz"
CHUNK_ROWS = 30
ROWS = 80
# Rows of the file that are bad, the header being row 1: in the first chunk and in the last.
BAD_ROWS = [7, 72]


def _file() -> bytes:
    rows = [order(place % 40) for place in range(ROWS)]
    rows[BAD_ROWS[0] - 2] = order(0, Order_Priority="X")
    rows[BAD_ROWS[1] - 2] = order(0, uuid="999999999")
    return to_csv(rows)


@dataclass(frozen=True)
class Reading:
    """All that the client reads of a job that has ended."""

    status: str
    errors: pd.DataFrame
    chunks: pd.DataFrame
    lineage: pd.DataFrame
    rejects: pd.DataFrame | None
    balance: str
    holds: bool

    @classmethod
    def of(cls, job: Job) -> Reading:
        status = job.status().status
        balance = job.balance(deep=True)
        return cls(
            status=status,
            errors=job.errors(),
            chunks=job.chunks(),
            lineage=job.lineage(),
            rejects=job.rejects() if status == "SUCCEEDED" else None,
            balance=str(balance),
            holds=balance.holds,
        )

    def assert_equal(self, other: Reading) -> None:
        for name, value in vars(self).items():
            found = getattr(other, name)
            if isinstance(value, pd.DataFrame):
                pd.testing.assert_frame_equal(value, found)
            else:
                assert value == found, name


@dataclass(frozen=True)
class Earlier:
    """The outputs of the earlier stack, its three jobs, and what was read of them back then."""

    outputs: dict[str, str]
    succeeded: Job
    rerun: Job
    failed: Job
    readings: dict[str, Reading]


@pytest.fixture(scope="module")
def earlier(
    engine: LocalEngine, few_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Earlier]:
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    (project,) = folder.iterdir()
    stack = Stack(NAME, engine=engine, project=project)
    stack.deploy(reference_data=few_keys, FileChunkSize=CHUNK_ROWS)
    with pytest.warns(VersionWarning, match="a version before"):
        succeeded = stack.submit(_file(), name="succeeded.csv")
    succeeded.wait(timeout_s=TIMEOUT_S)
    second = f"arn:aws:s3:::{stack.outputs['SourceBucketName']}/jobs/*/chunks/000002.csv"
    with denied(stack, "ReadFileRole", "s3:GetObjectVersion", second):
        with pytest.warns(VersionWarning):
            halves = [stack.submit(_file(), name=name) for name in ("rerun.csv", "failed.csv")]
        for job in halves:
            job.wait(timeout_s=TIMEOUT_S, check=False)
    rerun, failed = halves
    rerun.rerun(dry_run=False)
    rerun.wait(timeout_s=TIMEOUT_S)
    readings = {job.id: Reading.of(job) for job in (succeeded, rerun, failed)}
    yield Earlier(dict(stack.outputs), succeeded, rerun, failed, readings)
    stack.destroy(dry_run=False)


@pytest.fixture(scope="module")
def updated(engine: LocalEngine, earlier: Earlier) -> Stack:
    """The same stack, deployed again from the present sources."""
    stack = Stack(NAME, engine=engine)
    stack.deploy()
    return stack


def test_earlier_stack_is_one_that_does_not_say_its_version(earlier: Earlier) -> None:
    assert not {"Version", "LedgerFormat"} & earlier.outputs.keys()


def test_earlier_stack_tells_how_it_stands(engine: LocalEngine, earlier: Earlier) -> None:
    found = Stack(NAME, engine=engine)
    status = found.status()
    assert status.deployed
    assert status.parameters["FileChunkSize"] == str(CHUNK_ROWS)
    assert "deploy it to bring it up to date" in str(status)
    assert {"JobTable", "ErrorTable"} <= set(found.resources()["logical_id"])
    with pytest.warns(VersionWarning):
        listed = found.jobs()
    assert set(listed["job"]) == earlier.readings.keys()


def test_job_of_an_earlier_stack_is_read(earlier: Earlier) -> None:
    read = earlier.readings[earlier.succeeded.id]
    assert read.status == "SUCCEEDED"
    assert read.holds
    assert list(read.errors["source_row"]) == BAD_ROWS
    assert list(read.errors["stage"]) == ["validate", "enrich"]
    assert read.rejects is not None
    assert list(read.rejects["source_row"].astype(int)) == BAD_ROWS
    assert list(read.chunks["rows"]) == [30, 30, 20]
    assert list(read.lineage["kind"]) == ["start"]


def test_rerun_on_an_earlier_stack_is_read(earlier: Earlier) -> None:
    read = earlier.readings[earlier.rerun.id]
    assert read.status == "SUCCEEDED"
    assert read.holds
    assert list(read.errors["source_row"]) == BAD_ROWS
    assert list(read.chunks["attempt"]) == [1, 2, 1]
    assert list(read.lineage["status"]) == ["FAILED", "SUCCEEDED"]


def test_failed_job_of_an_earlier_stack_is_read(earlier: Earlier) -> None:
    read = earlier.readings[earlier.failed.id]
    assert read.status == "FAILED"
    assert list(read.chunks["status"]) == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert list(read.chunks["failed_step"].dropna()) == ["Read File"]
    assert list(read.errors["source_row"]) == BAD_ROWS


def test_updated_stack_says_its_version_and_its_ledgers_format(
    earlier: Earlier, updated: Stack
) -> None:
    assert updated.outputs["LedgerFormat"] == str(items.LEDGER_FORMAT)
    assert updated.outputs["Version"]
    # Nothing that holds data was replaced.
    kept = ("SourceBucketName", "JobTableName", "ErrorTableName", "MainOrchestratorArn")
    assert {name: updated.outputs[name] for name in kept} == {
        name: earlier.outputs[name] for name in kept
    }


@pytest.mark.parametrize("which", ["succeeded", "rerun", "failed"])
def test_jobs_from_before_the_update_are_read_as_before(
    earlier: Earlier, updated: Stack, which: str
) -> None:
    job: Any = getattr(earlier, which)
    earlier.readings[job.id].assert_equal(Reading.of(updated.job(job.id)))


def _rows_in(stack: Stack, output: str) -> set[int]:
    """Return the rows of all jobs with errors in a table."""
    found = stack.client("dynamodb").scan(TableName=stack.outputs[output])["Items"]
    return {int(item["sourceRow"]["N"]) for item in found if "sourceRow" in item}


def test_job_that_failed_before_the_update_is_rerun_by_the_present_code(
    earlier: Earlier, updated: Stack
) -> None:
    copy = updated.submit(_file(), name="copy.csv")
    copy.wait(timeout_s=TIMEOUT_S)
    # What ran before the update stays where it was written.
    for output in ("ErrorTableName", "ErrorRangesTableName"):
        assert _rows_in(updated, output) == set(BAD_ROWS)
    job = updated.job(earlier.failed.id)
    plan = job.rerun(dry_run=False)
    assert [chunk.number for chunk in plan.chunks] == [2]
    assert plan.code_changed
    job.wait(timeout_s=TIMEOUT_S)
    read, expected = Reading.of(job), Reading.of(copy)
    assert read.status == "SUCCEEDED"
    assert read.holds
    assert list(read.chunks["attempt"]) == [1, 2, 1]
    assert list(read.lineage["kind"]) == ["start", "rerun"]
    assert list(read.errors["source_row"]) == list(expected.errors["source_row"]) == BAD_ROWS
    pd.testing.assert_frame_equal(job.output(), copy.output())
