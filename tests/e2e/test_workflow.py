"""The deployed workflows: a mail that cannot be sent, the size of payloads, an unchanged stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from e2e.jobs import TIMEOUT_S, finished
from e2e.permissions import with_variables, without_permission
from e2e.rows import order, to_csv

from batchops.inspection.email import wait_for_mail
from batchops.job import Job
from batchops.samples.sample import Sample
from batchops.stack import Stack

PAYLOAD_LIMIT = 256 * 1024


def test_mail_that_cannot_be_sent_does_not_fail_the_job(stack: Stack) -> None:
    with without_permission(stack, "SendEmailRole", "Mail"):
        job = stack.submit(to_csv([order(0)]), name="unmailed.csv")
        status = job.wait(timeout_s=TIMEOUT_S)
        entry = wait_for_mail(job, timeout_s=TIMEOUT_S)
    assert status.mail in ("PENDING", "FAILED")  # the job's end does not wait for it
    assert entry.mail_status == "FAILED"
    assert "SendEmail" in entry.mail_reason
    assert len(job.output()) == 1


def test_state_payloads_stay_far_below_the_limit_at_20_000_rows_a_chunk(
    stack: Stack, sample: Sample
) -> None:
    """The emulator does not hold payloads to 256 KiB, so the history is measured."""
    header, *rows = sample.csv.splitlines(keepends=True)
    # 3 % of the rows are bad; the sample's keys are known, however often they come.
    data = header + b"".join(rows * 4)
    with with_variables(stack, "s3-lambda-notification", FILE_CHUNK_SIZE="20000"):
        job = finished(stack, data, "large.csv")
    assert job.chunks()["rows"].iloc[0] == 20_000
    assert job.balance(deep=True).holds
    largest = max(_payload_sizes(stack, job))
    assert largest < PAYLOAD_LIMIT / 10


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


def test_redeploying_the_same_is_unchanged_and_uploads_nothing(
    stack: Stack, reference: Path
) -> None:
    deployment = stack.deploy(reference_data=reference)
    assert not deployment.changed
    assert deployment.uploaded == 0
