"""Events, names and versions: one job per object version, whatever happens around it."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e.conftest import SMALL_CHUNK_ROWS
from e2e.jobs import TIMEOUT_S, completed, deliver, finished, put, stored, wait_until
from e2e.permissions import with_variables
from e2e.rows import COMPLETED_HEADER, enriched, order, to_csv

from batchops.core.errors import InputError
from batchops.job import Job
from batchops.recovery.redelivery import WaitingUpload
from batchops.stack import Stack

NAMES = (
    "spaces, plus+sign & ampersand=1, [1] (2) {3}, percent%2Fencoded, many.dots.csv",
    " leading and trailing .csv ",
    "+++.csv",
    "ünïcode 文件 🐘.csv",
    unicodedata.normalize("NFC", "é.csv"),
    unicodedata.normalize("NFD", "é.csv"),
    "..hidden.csv",
    "tab\tand quote\"'.csv",
    "~!@$&*()=:,;?",  # also one without an extension
    "a/name.csv",
    "b/name.csv",
    "data/",
    "x" * 900,
)


@pytest.fixture(scope="module")
def named(stack: Stack) -> dict[str, Job]:
    """Put there by whoever may, in part under names that `Stack.submit` refuses."""

    def finish(place: int) -> Job:
        job = put(stack, NAMES[place], to_csv([order(place)]))
        job.wait(timeout_s=TIMEOUT_S)
        return job

    with ThreadPoolExecutor(2) as pool:
        jobs = dict(zip(NAMES, pool.map(finish, range(len(NAMES))), strict=True))
    assert len({job.id for job in jobs.values()}) == len(NAMES)
    return jobs


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:40])
def test_file_of_any_name_is_processed_and_archived_under_its_path(
    name: str, named: dict[str, Job]
) -> None:
    job, place = named[name], NAMES.index(name)
    line = enriched(",".join(order(place)), place)
    assert completed(job) == f"{COMPLETED_HEADER}\n{line}\n".encode()
    assert list(job.output()["uuid"]) == order(place)[:1]
    assert job.entry()["archiveKey"] == f"input_archive/{name}"
    assert stored(job, f"input_archive/{name}") == to_csv([order(place)])


def test_name_whose_results_could_not_be_stored_is_refused_at_once(stack: Stack) -> None:
    name = "n" * 1_018
    job = put(stack, name, to_csv([order(0)]))
    status = job.wait(timeout_s=TIMEOUT_S, check=False)
    assert status.reason.startswith("NameTooLongError: ")
    assert "63 bytes shorter" in status.reason
    assert stored(job, f"input/{name}") == to_csv([order(0)])


def test_folder_marker_starts_no_job(stack: Stack, bucket: str) -> None:
    answer = stack.client("s3").put_object(Bucket=bucket, Key="input/folder/")
    entry = {"key": "input/folder/", "versionId": answer["VersionId"], "bucket": bucket}
    assert deliver(stack, {**entry, "sizeBytes": 0})["jobs"] == 0


def test_file_of_many_small_chunks_keeps_its_order(small: Stack) -> None:
    rows = [order(place % 50) for place in range(SMALL_CHUNK_ROWS * 11 + 1)]
    for number, row in enumerate(rows):
        row[1] = f"Country {number}"
    job = finished(small, to_csv(rows), "twelve chunks.csv")
    assert len(job.chunks()) == 12
    assert list(job.output()["Country"]) == [row[1] for row in rows]


def test_upload_that_no_job_can_be_started_for_waits_until_it_can(
    stack: Stack,
) -> None:
    def waiting(*, dry_run: bool = True) -> list[WaitingUpload]:
        # Events of other tests' jobs may fail meanwhile as well.
        found = stack.redeliver(dry_run=dry_run)
        assert not dry_run or not found.uploads or "nothing is started yet" in str(found)
        return [upload for upload in found.uploads if upload.file == "input/waits for me.csv"]

    nowhere = stack.outputs["MainOrchestratorArn"] + "-no-more"
    with with_variables(stack, "s3-lambda-notification", STATE_MACHINE_ARN=nowhere):
        job = stack.submit(to_csv([order(8)]), name="waits for me.csv")
        wait_until(lambda: bool(waiting()))
        (still,) = waiting(dry_run=False)
        assert still.outcome.startswith("fails again: s3-lambda-notification failed")
    (started,) = waiting(dry_run=False)
    assert started.outcome == "started"
    job.wait(timeout_s=TIMEOUT_S)
    assert list(job.output()["uuid"]) == order(8)[:1]
    assert waiting() == []


def test_dataframe_and_path_are_uploaded_like_bytes(stack: Stack, tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "from a path.csv"
    path.write_bytes(to_csv([order(4)]))
    by_path = stack.submit(path)
    by_frame = stack.submit(pd.read_csv(path, dtype=str), name="frame.csv")
    by_path.wait(timeout_s=TIMEOUT_S)
    by_frame.wait(timeout_s=TIMEOUT_S)
    assert by_path.output().equals(by_frame.output())


def test_object_of_another_place_is_submitted_by_its_address(stack: Stack, bucket: str) -> None:
    stack.client("s3").put_object(Bucket=bucket, Key="elsewhere/x.csv", Body=to_csv([order(6)]))
    job = stack.submit(f"s3://{bucket}/elsewhere/x.csv", name="copied.csv")
    job.wait(timeout_s=TIMEOUT_S)
    assert list(job.output()["uuid"]) == order(6)[:1]
    with pytest.raises(InputError, match="s3://bucket/key"):
        stack.submit("s3://only-a-bucket")


def test_jobs_are_found_by_status_time_and_name(stack: Stack) -> None:
    job = finished(stack, to_csv([order(7)]), "found by name.csv")
    assert list(stack.jobs(name="found by")["job"]) == [job.id]
    assert job.id in set(stack.jobs(status="SUCCEEDED", since="10m")["job"])
    assert stack.jobs(status="NONE").empty
    assert stack.latest().id == stack.jobs(limit=1)["job"].item() == stack.job(job.id).id


def test_errors_come_in_parts_that_make_up_the_whole(stack: Stack) -> None:
    import pandas as pd

    rows = [order(n, **({} if n == 7 else {"Order_Priority": "X"})) for n in range(8)]
    job = finished(stack, to_csv(rows), "parts.csv")
    parts = list(job.iter_errors(lines=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), job.errors())
