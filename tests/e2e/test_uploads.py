"""Events, names and versions: one job per object version, whatever happens around it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from e2e.rows import order, to_csv

from batchops.core.errors import InputError
from batchops.job import Job
from batchops.recovery.redelivery import Redelivery
from batchops.stack import Stack

NAMES = (
    "with spaces.csv",
    "plus+sign & ampersand=1.csv",
    "ünïcode 文件 🐘.csv",
    "many.dots.in.it.csv",
    "brackets [1] (2) {3}.csv",
    "percent%2Fencoded.csv",
    "no-extension",
    "a/name.csv",
    "b/name.csv",
)


@pytest.fixture(scope="module")
def named(stack: Stack) -> dict[str, Job]:
    jobs = {
        name: stack.submit(to_csv([order(place)]), name=name) for place, name in enumerate(NAMES)
    }
    for job in jobs.values():
        job.wait(timeout_s=180)
    return jobs


@pytest.mark.parametrize("name", NAMES)
def test_file_of_any_name_is_processed_and_archived_under_its_path(
    name: str, named: dict[str, Job], stack: Stack, bucket: str
) -> None:
    job, place = named[name], NAMES.index(name)
    assert list(job.output()["uuid"]) == order(place)[:1]
    assert job.entry()["archiveKey"] == f"input_archive/{name}"
    stack.client("s3").head_object(Bucket=bucket, Key=f"input_archive/{name}")


def test_event_delivered_twice_starts_one_job(stack: Stack, bucket: str) -> None:
    job = stack.submit(to_csv([order(0)]), name="delivered twice.csv")
    job.wait(timeout_s=120)
    entry = job.entry()
    answers = [_deliver(stack, entry) for _ in range(3)]
    assert [answer["started"] for answer in answers] == [0, 0, 0]
    assert len(_executions(stack, job)) == 1
    assert job.entry() == entry


def test_folder_marker_starts_no_job(stack: Stack, bucket: str) -> None:
    answer = stack.client("s3").put_object(Bucket=bucket, Key="input/folder/")
    entry = {"key": "input/folder/", "versionId": answer["VersionId"], "bucket": bucket}
    assert _deliver(stack, {**entry, "sizeBytes": 0})["jobs"] == 0


def test_same_name_uploaded_again_while_the_first_runs_makes_two_jobs(stack: Stack) -> None:
    jobs = [stack.submit(to_csv([order(place)]), name="same.csv") for place in (1, 2, 3)]
    for job in jobs:
        job.wait(timeout_s=120)
    assert len({job.id for job in jobs}) == 3
    assert [list(job.output()["uuid"]) for job in jobs] == [order(p)[:1] for p in (1, 2, 3)]


def test_file_of_many_small_chunks_keeps_its_order(stack: Stack) -> None:
    rows = [order(place % 50) for place in range(600 * 11 + 1)]
    for number, row in enumerate(rows):
        row[1] = f"Country {number}"
    job = stack.submit(to_csv(rows), name="twelve chunks.csv")
    job.wait(timeout_s=240)
    assert len(job.chunks()) == 12
    assert list(job.output()["Country"]) == [row[1] for row in rows]


def test_upload_that_no_job_can_be_started_for_waits_until_it_can(
    stack: Stack,
) -> None:
    functions, name = stack.client("lambda"), "e2e-s3-lambda-notification"
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    broken = {**variables, "STATE_MACHINE_ARN": variables["STATE_MACHINE_ARN"] + "-no-more"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": broken})
    try:
        job = stack.submit(to_csv([order(8)]), name="waits for me.csv")
        waiting = _wait_for_waiting(stack)
        assert [upload.file for upload in waiting.uploads] == ["input/waits for me.csv"]
        assert "nothing is started yet" in str(waiting)
        (still,) = stack.redeliver(dry_run=False).uploads
        assert still.outcome.startswith("fails again: s3-lambda-notification failed")
    finally:
        whole = {"Variables": variables}
        functions.update_function_configuration(FunctionName=name, Environment=whole)
    (started,) = stack.redeliver(dry_run=False).uploads
    assert started.outcome == "started"
    job.wait(timeout_s=120)
    assert list(job.output()["uuid"]) == order(8)[:1]
    assert str(stack.redeliver()) == "no upload waits in stack e2e"


def _wait_for_waiting(stack: Stack) -> Redelivery:
    for _ in range(60):
        found = stack.redeliver()
        if found.uploads:
            return found
        time.sleep(0.5)
    raise AssertionError("the upload did not come into the queue")


def _deliver(stack: Stack, entry: dict[str, Any]) -> Any:
    """Hand the notification function the event that S3 made for an upload."""
    s3_object = {
        "key": quote_plus(entry["key"], safe="/"),
        "size": entry["sizeBytes"],
        "versionId": entry["versionId"],
    }
    event = {"Records": [{"s3": {"bucket": {"name": entry["bucket"]}, "object": s3_object}}]}
    answer = stack.client("lambda").invoke(
        FunctionName="e2e-s3-lambda-notification", Payload=json.dumps(event).encode()
    )
    return json.loads(answer["Payload"].read())


def _executions(stack: Stack, job: Job) -> list[Any]:
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    found = pages.paginate(stateMachineArn=stack.outputs["MainOrchestratorArn"])
    return [e for page in found for e in page["executions"] if e["name"].startswith(job.id)]


def test_dataframe_and_path_are_uploaded_like_bytes(stack: Stack, tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "from a path.csv"
    path.write_bytes(to_csv([order(4)]))
    by_path = stack.submit(path)
    by_frame = stack.submit(pd.read_csv(path, dtype=str), name="frame.csv")
    by_path.wait(timeout_s=120)
    by_frame.wait(timeout_s=120)
    assert by_path.output().equals(by_frame.output())


def test_object_of_another_place_is_submitted_by_its_address(stack: Stack, bucket: str) -> None:
    stack.client("s3").put_object(Bucket=bucket, Key="elsewhere/x.csv", Body=to_csv([order(6)]))
    job = stack.submit(f"s3://{bucket}/elsewhere/x.csv", name="copied.csv")
    job.wait(timeout_s=120)
    assert list(job.output()["uuid"]) == order(6)[:1]
    with pytest.raises(InputError, match="s3://bucket/key"):
        stack.submit("s3://only-a-bucket")


def test_jobs_are_found_by_status_time_and_name(stack: Stack) -> None:
    job = stack.submit(to_csv([order(7)]), name="found by name.csv")
    job.wait(timeout_s=120)
    assert list(stack.jobs(name="found by")["job"]) == [job.id]
    assert job.id in set(stack.jobs(status="SUCCEEDED", since="10m")["job"])
    assert stack.jobs(status="NONE").empty
    assert stack.latest().id == stack.jobs(limit=1)["job"].item() == stack.job(job.id).id


def test_errors_come_in_parts_that_make_up_the_whole(stack: Stack) -> None:
    import pandas as pd

    job = stack.submit(to_csv([order(n, Order_Priority="X") for n in range(7)]), name="parts.csv")
    job.wait(timeout_s=120)
    parts = list(job.iter_errors(lines=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), job.errors())
