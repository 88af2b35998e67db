"""One chunk: its rows, errors, log, input and output, and what can no longer be read of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, keys, workflow
from failed_job import JOB, put_failed_job
from support import BUCKET, START_TIME, stack_ref

from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.inspection.chunk_detail import chunk_detail

if TYPE_CHECKING:
    from support import Account

LOG = (
    '{"level":"INFO","message":"done","timestamp":"t","correlation_id":"r1","job":"%s","chunk":%d}'
)


class Logs:
    """CloudWatch Logs with a line of chunk 1 and of chunk 2 from each function."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def filter_log_events(self, **request: Any) -> Any:
        self.asked.append(request)
        events = [{"timestamp": n, "message": LOG % (JOB, n), "logStreamName": "s"} for n in (1, 2)]
        return {"events": events}


@pytest.fixture
def logs() -> Logs:
    return Logs()


@pytest.fixture
def job(account: Account, logs: Logs) -> JobRef:
    found = put_failed_job(account)
    account.put_error(
        *(JOB, "0000000002#Order Priority#enum"),
        **{"sourceRow": 2, "stage": "validate", "column": "Order Priority", "rule": "enum"},
        **{"value": "X", "message": "no", "uuid": "k", "raw": "r", "limit": "", "attempt": 1},
        **{"time": START_TIME, "chunk": 1},
    )
    stack = found.job.stack
    names = ("s3", "dynamodb", "stepfunctions", "lambda", "cloudformation")
    clients: dict[str, Any] = {name: stack.client(name) for name in names[:3]}
    return JobRef(stack_ref(stack.name, outputs=stack.outputs, logs=logs, **clients), JOB)


def test_chunk_has_its_rows_errors_log_input_and_output(
    account: Account, job: JobRef, logs: Logs
) -> None:
    version = account.put(keys.output(JOB, 1), b"a,b\n")
    account.put_entry(
        JOB,
        items.chunk_entry(1),
        startTime="2026-11-23T06:00:00.000Z",
        endTime="2026-11-23T06:00:04.000Z",
        stepMs={"read": 1000},
        versions={"output": version},
    )
    found = chunk_detail(job, 1)
    assert (found.number, found.status, found.seconds) == (1, workflow.SUCCEEDED, 4)
    assert (found.first_row, found.last_row, found.rows) == (2, 2, 1)
    assert found.errors is not None
    assert found.errors.errors["source_row"].tolist() == [2]
    assert found.input.startswith(b"uuid,")
    assert found.output == b"a,b\n"
    assert found.log["chunk"].tolist() == [1] * len(workflow.CHUNK_STEPS)
    # No more of the log than the chunk's time, a minute around it.
    spans = {(each["endTime"] - each["startTime"]) / 1000 for each in logs.asked}
    assert spans == {124.0}
    text = str(found)
    for said in ("rows 2 to 2", "Order Priority", found.input_key, "uuid,Country", "done"):
        assert said in text
    assert "<svg" in found._repr_html_()
    assert found.to_dict()["first_row"] == 2


def test_chunk_that_failed_says_where_and_why(account: Account, job: JobRef) -> None:
    told = {"failedStep": "Validate Data", "error": "SchemaError", "cause": "broken"}
    account.put_entry(JOB, items.chunk_entry(2), startTime=START_TIME, **told)
    found = chunk_detail(job, 2)
    assert (found.status, found.failed_step) == (workflow.FAILED, "Validate Data")
    assert "failed in Validate Data: SchemaError" in str(found)
    assert "output: none" in str(found)
    assert found.output == b""


def test_what_has_expired_is_said_and_the_rest_is_there(account: Account, job: JobRef) -> None:
    for key in account.keys(f"jobs/{JOB}/chunks/"):
        for version in account.s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]:
            account.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version["VersionId"])
    found = chunk_detail(job, 1)
    assert found.input == b""
    assert any(each.startswith("input: ") and "gone" in each for each in found.missing)
    assert "not read: input" in str(found)
    assert found.first_row == 2


@pytest.mark.parametrize("number", [0, -1, 4, 10**9])
def test_chunk_that_there_is_none_of_is_refused_with_those_that_there_are(
    job: JobRef, number: int
) -> None:
    with pytest.raises(InputError, match=f"no chunk {number}: it has chunks 1 to 3"):
        chunk_detail(job, number)


def test_chunk_that_has_not_started_says_so(account: Account, job: JobRef) -> None:
    account.put_entry(JOB, items.JOB_ENTRY, chunks=5)
    found = chunk_detail(job, 5)
    assert "chunk 5 of job orders-0123456789ab: not started" in str(found)
    assert not len(found.log)
