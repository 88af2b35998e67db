"""S3 tells of an upload: one job per object version, whatever the event looks like.

EventBridge tells of the end of a job: the next one starts.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from batchcore import items, jobs, queueing, tickets, workflow
from batchcore.errors import TransientError, VersionMissingError
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import BUCKET, JOB_TABLE, MACHINE_ARN, context

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("s3-lambda-notification")


def record(key: str, version: str = "v1", size: int = 100) -> dict[str, Any]:
    """Return what S3 says of one upload; it encodes keys as in a query."""
    s3_object = {"key": quote_plus(key, safe="/"), "versionId": version, "size": size}
    return {"s3": {"bucket": {"name": BUCKET}, "object": s3_object}}


def event(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def input_of(account: Account, name: str) -> Any:
    (arn,) = [e["executionArn"] for e in account.executions() if e["name"] == name]
    return json.loads(account.states.describe_execution(executionArn=arn)["input"])


def test_upload_without_a_version_starts_nothing_and_says_why(
    app: ModuleType, account: Account
) -> None:
    unversioned = record("input/orders.csv")
    del unversioned["s3"]["object"]["versionId"]
    with pytest.raises(VersionMissingError, match=r"orders\.csv was stored without a"):
        app.lambda_handler(event(unversioned), context())
    assert account.executions() == []


# -------------------------------------------------------------------------------- start


def test_upload_starts_a_job_under_its_id(app: ModuleType, account: Account) -> None:
    assert app.lambda_handler(event(record("input/orders.csv")), context()) == {
        "jobs": 1,
        "started": 1,
    }
    job = jobs.job_id(BUCKET, "input/orders.csv", "v1")
    assert [execution["name"] for execution in account.executions()] == [job]
    assert input_of(account, job) == {
        "jobId": job,
        "attempt": 1,
        "bucket": BUCKET,
        "key": "input/orders.csv",
        "versionId": "v1",
        "sizeBytes": 100,
        "parameters": {"chunkRows": 0, "delimiter": ",", "archiveFolder": "input_archive"},
    }


def test_ledger_knows_the_job_from_the_start(app: ModuleType, account: Account) -> None:
    app.lambda_handler(event(record("input/orders.csv")), context())
    job = jobs.job_id(BUCKET, "input/orders.csv", "v1")
    entry = account.entry(job)
    assert entry.pop("startTime") <= entry.pop("attemptTime")
    assert entry == {
        "jobId": job,
        "entry": "JOB",
        "listed": items.LISTED,
        "status": workflow.SUBMITTED,
        "attempt": 1,
        "bucket": BUCKET,
        "key": "input/orders.csv",
        "versionId": "v1",
        "sizeBytes": 100,
        "chunkRows": 0,
        "delimiter": ",",
        "archiveFolder": "input_archive",
        "ledgerFormat": items.LEDGER_FORMAT,
    }


def test_stacks_parameters_travel_with_the_job(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILE_CHUNK_SIZE", "7")
    monkeypatch.setenv("FILE_DELIMITER", "tab")
    monkeypatch.setenv("INPUT_ARCHIVE_FOLDER", "done")
    (job,) = app.uploads(event(record("input/a.csv")))
    assert job["parameters"] == {"chunkRows": 7, "delimiter": "\t", "archiveFolder": "done"}


# --------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("input/my+orders.csv", "input/my orders.csv"),
        ("input/a%2Bb.csv", "input/a+b.csv"),
        ("input/Bestellungen+M%C3%A4rz.csv", "input/Bestellungen März.csv"),
        ("input/2026/%E6%B3%A8%E6%96%87+%281%29.v2.csv", "input/2026/注文 (1).v2.csv"),
        ("input/100%2525.csv", "input/100%25.csv"),
    ],
)
def test_keys_are_decoded(app: ModuleType, account: Account, encoded: str, key: str) -> None:
    told = record("input/x")
    told["s3"]["object"]["key"] = encoded
    app.lambda_handler(event(told), context())
    assert input_of(account, jobs.job_id(BUCKET, key, "v1"))["key"] == key
    assert account.entry(jobs.job_id(BUCKET, key, "v1"))["key"] == key


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=30).filter(lambda name: not name.endswith("/")))
def test_any_name_comes_back_as_it_was(app: ModuleType, name: str) -> None:
    (job,) = app.uploads(event(record(f"input/{name}")))
    assert job["key"] == f"input/{name}"
    assert jobs.JOB_ID.fullmatch(job["jobId"])


@pytest.mark.parametrize(
    "key", ["input/", "input/2026/", "input/a+b/", "jobs/x", "input_archive/a"]
)
def test_folder_markers_and_other_folders_are_no_uploads(
    app: ModuleType, account: Account, key: str
) -> None:
    told = event(record(key, size=0))
    assert app.lambda_handler(told, context()) == {"jobs": 0, "started": 0}
    assert account.executions() == []


def test_object_in_another_folder_is_no_upload(app: ModuleType) -> None:
    assert app.uploads(event(record("jobs/x.csv"), record("input_archive/a.csv"))) == []


def test_object_that_is_called_like_a_folder_and_holds_data_is_an_upload(app: ModuleType) -> None:
    (job,) = app.uploads(event(record("input/2026/", size=100)))
    assert job["key"] == "input/2026/"
    assert job["jobId"].startswith("2026-")


def test_test_event_of_s3_is_no_upload(app: ModuleType) -> None:
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}
    assert app.lambda_handler(told, context()) == {"jobs": 0, "started": 0}


def test_empty_file_is_a_job_too(app: ModuleType, account: Account) -> None:
    app.lambda_handler(event(record("input/empty.csv", size=0)), context())
    assert len(account.executions()) == 1


# --------------------------------------------------------------------------------- once


def test_event_delivered_twice_starts_one_job(app: ModuleType, account: Account) -> None:
    told = event(record("input/orders.csv"))
    app.lambda_handler(told, context())
    job = jobs.job_id(BUCKET, "input/orders.csv", "v1")
    account.put_entry(job, items.JOB_ENTRY, status=workflow.RUNNING, rowsIn=5)
    before = account.entry(job)
    app.lambda_handler(told, context())
    assert len(account.executions()) == 1
    # What the job wrote in the meantime is not overwritten.
    assert account.entry(job) == before


def test_job_that_has_ended_is_not_started_again(app: ModuleType, account: Account) -> None:
    told = event(record("input/orders.csv"))
    app.lambda_handler(told, context())
    end(account, "input/orders.csv")
    assert app.lambda_handler(told, context()) == {"jobs": 1, "started": 0}
    assert len(account.executions()) == 1


def test_job_whose_execution_has_ended_and_whose_ticket_is_back_is_not_started_again(
    app: ModuleType, account: Account
) -> None:
    app.lambda_handler(event(record("input/orders.csv")), context())
    job = jobs.job_id(BUCKET, "input/orders.csv", "v1")
    queue = queue_of(account)
    tickets.put_ticket(queue, tickets.Ticket(job, 1, account.entry(job)["startTime"], "{}"))
    with Stubber(app.states) as stub:
        stub.add_client_error("start_execution", "ExecutionAlreadyExists")
        stub.add_response("describe_execution", described("SUCCEEDED"))
        app.lambda_handler(ended(job), context())
    assert queueing.standing(queue) == queueing.Standing((), ())


# --------------------------------------------------------------------------------- queue


def queue_of(account: Account, limit: int = 10) -> tickets.Queue:
    return tickets.Queue(account.dynamodb, account.states, JOB_TABLE, MACHINE_ARN, limit)


def described(status: str) -> dict[str, Any]:
    return {
        "executionArn": "arn:aws:states:us-east-1:123456789012:execution:main:job",
        "stateMachineArn": MACHINE_ARN,
        "status": status,
        "startDate": datetime(2026, 11, 28, tzinfo=UTC),
    }


def ended(name: str, status: str = "SUCCEEDED") -> dict[str, Any]:
    """Return what EventBridge tells of the end of an execution."""
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"name": name, "status": status, "stateMachineArn": MACHINE_ARN},
    }


def announced(name: str) -> dict[str, Any]:
    """Return what EventBridge tells of an end that the workflow itself has announced."""
    return {**ended(name), "source": "batchops", "detail-type": "Batch Job Ended"}


def end(account: Account, key: str) -> str:
    """End the job of an upload as its workflow does, and return the execution's name."""
    job = jobs.job_id(BUCKET, key, "v1")
    account.put_entry(
        job, items.JOB_ENTRY, status=workflow.SUCCEEDED, endTime="2026-11-28T00:00:00.000Z"
    )
    return job


@pytest.fixture
def one_at_a_time(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_JOBS", "1")


@pytest.mark.usefixtures("one_at_a_time")
def test_upload_waits_while_as_many_jobs_run_as_may(app: ModuleType, account: Account) -> None:
    for name in ("a", "b"):
        app.lambda_handler(event(record(f"input/{name}.csv")), context())
    first, second = (jobs.job_id(BUCKET, f"input/{name}.csv", "v1") for name in ("a", "b"))
    assert [execution["name"] for execution in account.executions()] == [first]
    assert account.entry(second)["status"] == workflow.QUEUED
    assert queueing.standing(queue_of(account)) == queueing.Standing((first,), (second,))


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"])
def test_end_of_a_job_starts_the_next_one_however_it_ended(
    app: ModuleType, account: Account, status: str
) -> None:
    for name in ("a", "b", "c"):
        app.lambda_handler(event(record(f"input/{name}.csv")), context())
    first, second, third = (
        jobs.job_id(BUCKET, f"input/{name}.csv", "v1") for name in ("a", "b", "c")
    )
    assert app.lambda_handler(ended(first, status), context()) == {"jobs": 0, "started": 0}
    assert queueing.standing(queue_of(account)) == queueing.Standing((second,), (third,))
    # The event comes again: the second goes on, and the third waits.
    app.lambda_handler(ended(first, status), context())
    assert queueing.standing(queue_of(account)) == queueing.Standing((second,), (third,))


@pytest.mark.usefixtures("one_at_a_time")
def test_next_job_starts_while_the_mail_of_the_first_is_still_tried(
    app: ModuleType, account: Account
) -> None:
    for name in ("a", "b", "c"):
        app.lambda_handler(event(record(f"input/{name}.csv")), context())
    first, second, third = (
        jobs.job_id(BUCKET, f"input/{name}.csv", "v1") for name in ("a", "b", "c")
    )
    app.lambda_handler(announced(first), context())  # its execution is RUNNING
    assert queueing.standing(queue_of(account)) == queueing.Standing((second,), (third,))
    app.lambda_handler(ended(first), context())
    assert queueing.standing(queue_of(account)) == queueing.Standing((second,), (third,))


@pytest.mark.usefixtures("one_at_a_time")
def test_upload_whose_ticket_was_lost_gets_it_from_a_repeated_event(
    app: ModuleType, account: Account
) -> None:
    for name in ("a", "b"):
        app.lambda_handler(event(record(f"input/{name}.csv")), context())
    second = jobs.job_id(BUCKET, "input/b.csv", "v1")
    ticket = tickets.Ticket(second, 1, account.entry(second)["startTime"])
    tickets.delete_ticket(queue_of(account), ticket)
    told = event(record("input/b.csv"))
    assert app.lambda_handler(told, context()) == {"jobs": 1, "started": 1}
    assert app.lambda_handler(told, context()) == {"jobs": 1, "started": 0}
    assert tickets.find_ticket(queue_of(account), arrived=ticket.arrived, name=ticket.name)


def test_each_version_of_a_name_is_a_job(app: ModuleType, account: Account) -> None:
    app.lambda_handler(event(record("input/a.csv", "v1"), record("input/a.csv", "v2")), context())
    names = {execution["name"] for execution in account.executions()}
    assert names == {jobs.job_id(BUCKET, "input/a.csv", version) for version in ("v1", "v2")}


def test_same_name_in_two_folders_is_two_jobs(app: ModuleType, account: Account) -> None:
    app.lambda_handler(event(record("input/a/x.csv"), record("input/b/x.csv")), context())
    assert len(account.executions()) == 2


def test_upload_that_cannot_be_started_is_in_the_ledger_and_started_by_a_retry(
    app: ModuleType, account: Account
) -> None:
    told = event(record("input/orders.csv"))
    with Stubber(app.states) as stub:
        stub.add_client_error("start_execution", "ThrottlingException")
        with pytest.raises(TransientError):
            app.lambda_handler(told, context())
    job = jobs.job_id(BUCKET, "input/orders.csv", "v1")
    assert account.entry(job)["status"] == workflow.SUBMITTED
    assert app.lambda_handler(told, context())["started"] == 1


def test_log_names_the_job_but_not_the_file(app: ModuleType, log: Any) -> None:
    app.lambda_handler(event(record("input/jane.doe.csv")), context())
    app.lambda_handler(event(record("input/jane.doe.csv")), context())
    assert {line["message"] for line in log()} >= {"done", "already entered"}
    assert "input/jane" not in json.dumps(log())
