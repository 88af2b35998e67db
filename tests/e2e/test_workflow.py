"""Failure, resumption, payload sizes and permissions of the deployed workflows."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.inbox import Inbox
from e2e.permissions import without_permission
from e2e.rows import order, to_csv

from batchops.job import Job
from batchops.samples.sample import Sample
from batchops.stack import Stack

PAYLOAD_LIMIT = 256 * 1024


def test_failed_chunks_fail_the_job_and_a_rerun_completes_it(stack: Stack, inbox: Inbox) -> None:
    rows = [order(place % 50) for place in range(1_500)]
    rows[700] = order(0, Order_Priority="X")
    with without_permission(stack, "EnrichDataRole", "Api"):
        job = stack.submit(to_csv(rows), name="resumed.csv")
        status = job.wait(timeout_s=240, check=False)
    assert status.status == "FAILED"
    assert status.reason.startswith("ChunksFailedError: 3 of 3 chunks have no result: 1, 2, 3")
    assert len(inbox.about(job.id)) == 1
    chunks = job.chunks()
    assert set(chunks["failed_step"]) == {"Get Financial Data"}
    assert chunks["cause"].str.contains("403").all()
    assert not job.balance().holds

    assert job.rerun(dry_run=False).started
    job.wait(timeout_s=240)
    assert job.balance().holds
    assert list(job.output()["uuid"]) == [row[0] for n, row in enumerate(rows) if n != 700]
    assert list(job.errors()["source_row"]) == [702]
    assert set(job.errors()["attempt"]) == {2}
    assert "error" not in job.entry()


def test_mail_that_cannot_be_sent_does_not_fail_the_job(stack: Stack) -> None:
    with without_permission(stack, "SendEmailRole", "Mail"):
        job = stack.submit(to_csv([order(0)]), name="unmailed.csv")
        status = job.wait(timeout_s=120)
    assert status.mail == "FAILED"
    assert "SendEmail" in job.entry()["mailCause"]
    assert len(job.output()) == 1


def test_state_payloads_stay_far_below_the_limit_at_20_000_rows_a_chunk(
    engine: Any, sample: Sample, tmp_path: Any
) -> None:
    """The emulator does not hold payloads to 256 KiB, so the history is measured."""
    files = sample.write(tmp_path)
    stack = Stack("large-chunks", engine=engine)
    stack.deploy(reference_data=files.reference, FileChunkSize=20_000)
    header, *rows = sample.csv.splitlines(keepends=True)
    # Two chunks, 3 % of the rows bad; the sample's keys are known, however often they come.
    job = stack.submit(header + b"".join(rows * 5), name="large.csv")
    job.wait(timeout_s=300)
    assert job.chunks()["rows"].iloc[0] == 20_000
    assert job.balance().holds
    largest = max(_payload_sizes(stack, job))
    assert largest < PAYLOAD_LIMIT / 10
    stack.destroy(dry_run=False)


def _payload_sizes(stack: Stack, job: Job) -> Iterator[int]:
    states = stack.client("stepfunctions")
    for machine in ("MainOrchestratorArn", "ProcessChunkArn"):
        pages = states.get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=stack.outputs[machine]):
            for execution in page["executions"]:
                if not execution["name"].startswith(job.id):
                    continue
                history = states.get_paginator("get_execution_history")
                for part in history.paginate(executionArn=execution["executionArn"]):
                    yield from (len(json.dumps(e, default=str)) for e in part["events"])


def test_api_refuses_unsigned_calls(stack: Stack) -> None:
    info = stack.target.engine_info
    assert info is not None
    url = f"{info.endpoint_url}/_aws/execute-api/{stack.outputs['ApiId']}/v1/financials"
    request = urllib.request.Request(url, data=b'{"uuids": ["123456789"]}', method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value:
        assert caught.value.code == 403


def test_redeploying_the_same_is_unchanged_and_uploads_nothing(
    stack: Stack, sample: Sample, tmp_path: Any
) -> None:
    deployment = stack.deploy(reference_data=sample.write(tmp_path).reference)
    assert not deployment.changed
    assert deployment.uploaded == 0
