"""Reruns on the deployed stack: what runs again, what is reused, who may, and stopping."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from batchcore import keys
from e2e.conftest import SMALL_CHUNK_ROWS
from e2e.inbox import Inbox
from e2e.jobs import TIMEOUT_S, completed, finished, stored, wait_until
from e2e.permissions import denied, unanswered, without_permission
from e2e.rows import order, to_csv

from batchops.core.errors import InputError, JobError, JobRunningError
from batchops.core.executions import CLAIM_UNSTARTED_AFTER_S
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.recovery.lineage import lineage
from batchops.recovery.rerun import claim_planned, execute_rerun, rerun
from batchops.recovery.rerun_plan import plan_rerun
from batchops.recovery.stopping import stop
from batchops.stack import Stack


@pytest.fixture(scope="module")
def stack(small: Stack) -> Stack:
    return small


@pytest.fixture(scope="module")
def inbox(stack: Stack) -> Inbox:
    return Inbox(stack)


def _orders(rows: int = 150) -> list[list[str]]:
    found = [order(place % 40) for place in range(rows)]
    found[70] = order(0, Order_Priority="X")
    return found


def _submit(stack: Stack, name: str, rows: int = 150) -> Job:
    return stack.submit(to_csv(_orders(rows)), name=name)


def _finished(stack: Stack, name: str) -> Job:
    return finished(stack, to_csv(_orders()), name)


def _submit_and_wait_for_a_chunk(stack: Stack, name: str) -> Job:
    job = _submit(stack, name, rows=600)
    wait_until(lambda: job.status().chunks_done > 0)
    return job


def _running(job: Job) -> list[str]:
    """Return the names of the chunk executions that run."""
    machine = job.stack.outputs["ProcessChunkArn"]
    found = job.stack.client("stepfunctions").list_executions(
        stateMachineArn=machine, statusFilter="RUNNING"
    )
    return [execution["name"] for execution in found["executions"]]


def _assert_whole(job: Job) -> None:
    """Check that the job came to what it comes to if nothing goes wrong."""
    job.wait(timeout_s=TIMEOUT_S)
    assert job.balance(deep=True).holds
    rows = _orders(job.status().rows)
    assert list(job.output()["uuid"]) == [row[0] for n, row in enumerate(rows) if n != 70]
    assert list(job.errors()["source_row"]) == [72]


def _change_entry(job: Job, entry: str = "JOB", **values: Any) -> None:
    job.stack.client("dynamodb").update_item(
        TableName=job.stack.outputs["JobTableName"],
        Key={"jobId": {"S": job.id}, "entry": {"S": entry}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


# ------------------------------------------------------------- what runs, what is reused


@pytest.fixture(scope="module")
def half_failed(stack: Stack) -> Job:
    """A job whose second chunk of three failed."""
    chunk = f"arn:aws:s3:::{stack.outputs['SourceBucketName']}/jobs/*/chunks/000002.csv"
    with denied(stack, "ReadFileRole", "s3:GetObjectVersion", chunk):
        job = _submit(stack, "half.csv")
        job.wait(timeout_s=TIMEOUT_S, check=False)
    return job


def test_rerun_runs_what_failed_reuses_the_rest_and_completes_the_job(half_failed: Job) -> None:
    job = half_failed
    plan = rerun(job)
    assert [chunk.number for chunk in plan.chunks] == [2]
    assert plan.chunks[0].reason.startswith("failed at Read File (read-file): ")
    assert [(c.number, c.rows, c.attempt) for c in plan.reused] == [(1, 50, 1), (3, 50, 1)]
    assert plan.code_changed == ()
    assert keys.completed(job.id, "input/half.csv") in plan.merge
    assert not plan.started
    assert job.entry()["attempt"] == 1
    assert job.status().status == "FAILED"

    assert rerun(job, dry_run=False).started
    _assert_whole(job)
    assert list(job.chunks()["attempt"]) == [1, 2, 1]
    assert set(job.errors()["attempt"]) == {2}
    assert "error" not in job.entry()


def test_rerun_of_all_failed_chunks_completes_the_job(stack: Stack, inbox: Inbox) -> None:
    with without_permission(stack, "EnrichDataRole", "Api"):
        job = _submit(stack, "all failed.csv", rows=100)
        status = job.wait(timeout_s=TIMEOUT_S, check=False)
    assert (status.status, status.chunks_failed) == ("FAILED", 2)
    assert status.reason.startswith("ChunksFailedError: 2 of 2 chunks have no result: 1, 2")
    assert len(inbox.about(job.id)) == 1
    chunks = job.chunks()
    assert set(chunks["failed_step"]) == {"Get Financial Data"}
    assert chunks["cause"].str.contains("403").all()
    assert not job.balance(deep=True).holds
    rerun(job, dry_run=False)
    _assert_whole(job)
    assert set(job.errors()["attempt"]) == {2}
    assert "error" not in job.entry()
    found = lineage(job)
    assert list(found["status"]) == ["FAILED", "SUCCEEDED"]
    assert list(found["kind"]) == ["start", "rerun"]
    assert list(found["chunks"]) == [2, 2]
    assert found["error"].str.startswith("ChunksFailedError").tolist() == [True, False]
    assert (found["end"] >= found["start"]).all()


def test_rerun_after_a_failed_merge_runs_one_chunk_and_merges(stack: Stack) -> None:
    with without_permission(stack, "MergeS3FilesRole", "Ledger"):
        job = _submit(stack, "unmerged.csv")
        assert job.wait(timeout_s=TIMEOUT_S, check=False).status == "FAILED"
    plan = rerun(job, dry_run=False)
    assert len(plan.chunks) == 1
    assert "merge" in plan.chunks[0].reason
    _assert_whole(job)


def test_chunk_whose_result_is_gone_runs_again(stack: Stack) -> None:
    with without_permission(stack, "MergeS3FilesRole", "Ledger"):
        job = _submit(stack, "vanished.csv")
        job.wait(timeout_s=TIMEOUT_S, check=False)
    bucket = job.entry()["bucket"]
    key, s3 = keys.output(job.id, 3), stack.client("s3")
    version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
    # A deletion that leaves the version the result was written as leaves the result.
    s3.delete_object(Bucket=bucket, Key=key)
    assert "merge" in rerun(job).chunks[0].reason
    s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
    plan = rerun(job, dry_run=False)
    assert [chunk.number for chunk in plan.chunks] == [3]
    _assert_whole(job)


def test_job_that_succeeded_runs_again_only_where_chunks_or_everything_are_asked_for(
    stack: Stack,
) -> None:
    job = _finished(stack, "again.csv")
    plan = rerun(job, dry_run=False)
    assert not plan.needed
    assert not plan.started
    assert len(lineage(job)) == 1
    assert job.status().status == "SUCCEEDED"
    before, errors = completed(job), job.errors()
    plan = rerun(job, chunks=[3, 1], dry_run=False)
    assert {chunk.number: chunk.reason for chunk in plan.chunks} == {1: "named", 3: "named"}
    _assert_whole(job)
    assert completed(job) == before
    assert list(job.chunks()["attempt"]) == [2, 1, 2]
    assert len(rerun(job, everything=True, dry_run=False).chunks) == 3
    _assert_whole(job)
    assert completed(job) == before
    assert list(job.errors()["source_row"]) == list(errors["source_row"])
    with pytest.raises(InputError, match="no chunk 4"):
        rerun(job, chunks=[4])


# ----------------------------------------------------------------------- who may rerun


def test_job_that_runs_is_not_rerun(stack: Stack) -> None:
    with unanswered(stack):
        job = _submit(stack, "running.csv", rows=100)
        wait_until(lambda: job.status().status == "RUNNING")
        with pytest.raises(JobRunningError, match="stop"):
            rerun(job)
    job.wait(timeout_s=TIMEOUT_S)


def test_of_two_reruns_at_the_same_time_one_wins(stack: Stack) -> None:
    job = _finished(stack, "raced.csv")
    plans = [plan_rerun(job, chunks=[1]), plan_rerun(job, chunks=[2])]
    together = threading.Barrier(2)

    def execute(plan: Any) -> str:
        together.wait(timeout=TIMEOUT_S)
        try:
            execute_rerun(job, plan)
        except JobRunningError:
            return "refused"
        return "started"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(execute, plans)) == ["refused", "started"]
    _assert_whole(job)
    assert len(lineage(job)) == 2
    # A plan that was overtaken is not carried out later either.
    with pytest.raises(JobRunningError, match="plan again"):
        execute_rerun(job, plans[0])


def _entered(age_s: float) -> dict[str, Any]:
    """Return what the ledger says of an attempt whose starter died, so long ago."""
    when = datetime.now(UTC) - timedelta(seconds=age_s)
    return {
        "status": {"S": "RUNNING"},
        "attempt": {"N": "2"},
        "attemptTime": {"S": when.isoformat()},
    }


def test_attempt_that_was_claimed_and_never_started_is_taken_over_after_a_while(
    stack: Stack,
) -> None:
    job = _finished(stack, "claimed.csv")
    _change_entry(job, **_entered(0))
    with pytest.raises(JobRunningError, match="being started"):
        rerun(job)
    _change_entry(job, **_entered(CLAIM_UNSTARTED_AFTER_S + 1))
    # So would the dead process have marked a chunk that was to run.
    _change_entry(job, "CHUNK#000002", status={"S": "PENDING"}, attempt={"N": "2"})
    plan = rerun(job, dry_run=False)
    assert (plan.attempt, [chunk.number for chunk in plan.chunks]) == (3, [2])
    _assert_whole(job)
    assert lineage(job)["status"].isna().tolist() == [False, True, False]


def test_preparation_that_fails_leaves_a_job_that_can_be_rerun_at_once(stack: Stack) -> None:
    job = _finished(stack, "unprepared.csv")
    plan = plan_rerun(job, chunks=[2])
    with pytest.raises(OSError, match="no space"), claim_planned(job, plan):
        raise OSError("no space left")
    status = job.status()
    assert (status.status, status.reason) == ("FAILED", "NotStarted: OSError: no space left")
    plan = rerun(job, dry_run=False)
    assert [c.reason for c in plan.chunks] == ["was to run in attempt 2, and did not"]
    _assert_whole(job)


def test_redrive_is_refused_on_the_local_engine(half_failed: Job) -> None:
    with pytest.raises(JobError, match="local engine has no RedriveExecution"):
        rerun(half_failed, engine="redrive")


# ---------------------------------------------------------------------- from the start


def test_file_that_was_refused_is_split_anew_with_the_parameters_of_now(
    engine: LocalEngine, few_keys: Path, tmp_path: Path
) -> None:
    stack = Stack("rerun-refused", engine=engine)
    stack.deploy(reference_data=few_keys, FileChunkSize=600)
    job = stack.submit(to_csv(_orders(), delimiter=":").replace(b",", b":"), name="other.csv")
    assert job.wait(timeout_s=TIMEOUT_S, check=False).reason.startswith("WrongDelimiterError")
    plan = rerun(job)
    assert plan.from_start
    assert plan.settings == {"chunkRows": 600, "delimiter": ",", "archiveFolder": "input_archive"}
    with pytest.raises(InputError, match="never split"):
        rerun(job, chunks=[1])

    schema = tmp_path / "schema.json"
    shipped = Path(__file__).parents[2] / "source/schema/record.schema.json"
    schema.write_text(json.dumps({**json.loads(shipped.read_text()), "title": "Another"}))
    stack.deploy(
        reference_data=few_keys, schema=schema, FileChunkSize=SMALL_CHUNK_ROWS, FileDelimiter=":"
    )
    plan = rerun(job, dry_run=False)
    # The first attempt left no record of its code, so it is known by the time of the update.
    assert any("validate-data" in line for line in plan.code_changed)
    _assert_whole(job)
    assert len(job.chunks()) == 3
    stack.deploy(reference_data=few_keys, FileDelimiter=":", schema=shipped)
    (change,) = plan_rerun(job, chunks=[1]).code_changed
    assert change.startswith("layer rerun-refused-schema:")
    stack.destroy(dry_run=False)


def test_chunk_that_cannot_be_stored_fails_the_job_and_the_input_stays(stack: Stack) -> None:
    data = to_csv(_orders())
    bucket = stack.outputs["SourceBucketName"]
    chunk = f"arn:aws:s3:::{bucket}/jobs/*/chunks/000002.csv"
    with denied(stack, "SplitIpFileRole", "s3:PutObject", chunk):
        job = finished(stack, data, "half stored.csv", check=False)
    status = job.status()
    assert status.status == "FAILED"
    assert "PutObject" in status.reason
    assert stored(job, "input/half stored.csv") == data
    assert job.chunks().empty

    assert job.rerun(dry_run=False).from_start
    _assert_whole(job)


def _remove(job: Job, prefix: str) -> None:
    s3, bucket = job.stack.client("s3"), job.entry()["bucket"]
    for item in s3.list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]:
        s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


def test_job_whose_chunks_expired_is_split_again_as_long_as_its_input_is_there(
    stack: Stack,
) -> None:
    job = _submit_and_wait_for_a_chunk(stack, "expired.csv")
    stop(job)
    _remove(job, f"jobs/{job.id}/")
    plan = rerun(job)
    assert plan.from_start
    assert "the list of chunks is gone" in str(plan)
    with claim_planned(job, plan) as attempt:
        assert attempt.number == 2
        # What the first attempt came to counts no more.
        assert set(job.chunks()["status"]) == {"PENDING"}
        status = job.status()
        assert status.chunks_done == status.chunks_failed == 0
    attempt.start(by="rerun")
    _assert_whole(job)
    assert list(lineage(job)["kind"]) == ["start", "start"]


def test_job_whose_chunks_and_input_are_gone_is_refused_and_says_what(stack: Stack) -> None:
    job = _finished(stack, "gone.csv")
    gone = {"output/000000": "headers", "chunks/000002": "chunks 2 are gone", "manifest": "list"}
    for folder, what in gone.items():
        _remove(job, f"jobs/{job.id}/{folder}")
        with pytest.raises(JobError, match=f"{what}.*input_archive/gone.csv"):
            rerun(job, everything=True)


# ---------------------------------------------------------------------------- stopping


def test_stopped_job_runs_no_more_and_a_rerun_takes_it_up(stack: Stack) -> None:
    job = _submit_and_wait_for_a_chunk(stack, "stopped.csv")
    assert stop(job).status == "ABORTED"
    assert job.entry()["endTime"] > job.entry()["startTime"]
    assert not set(job.chunks()["status"]) & {"RUNNING", "PENDING"}
    assert _running(job) == []
    with pytest.raises(JobError, match="ended ABORTED"):
        stop(job)

    plan = rerun(job, dry_run=False)
    assert plan.reused
    assert len(plan.chunks) + len(plan.reused) == 12
    _assert_whole(job)
    assert list(lineage(job)["status"]) == ["ABORTED", "SUCCEEDED"]


def test_job_stopped_outside_of_batchops_is_taken_up_too(stack: Stack) -> None:
    job = _submit_and_wait_for_a_chunk(stack, "killed.csv")
    arn = stack.outputs["MainOrchestratorArn"].replace(":stateMachine:", ":execution:")
    stack.client("stepfunctions").stop_execution(executionArn=f"{arn}:{job.id}")
    assert job.entry()["status"] == "RUNNING"
    rerun(job, dry_run=False)
    # The engine would have gone on with chunks of the first attempt beside the second.
    assert not [name for name in _running(job) if name.endswith("-a1")]
    _assert_whole(job)


def test_job_that_has_ended_cannot_be_stopped(half_failed: Job) -> None:
    with pytest.raises(JobError, match="nothing to stop"):
        stop(half_failed)
