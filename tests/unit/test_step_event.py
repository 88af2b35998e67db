"""The event of a step: what the function got in the job, by the execution's history."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
import support
from batchcore import items, workflow
from botocore.stub import Stubber

import batchops as bo
from batchops.core.job_ref import JobRef
from batchops.inspection.step_event import step_event

ARN = f"{support.MACHINE_ARN}-chunk:orders-1-3-a1".replace(":stateMachine:", ":execution:")


_TIME = datetime.fromisoformat(support.START_TIME)


def history(*states: tuple[str, Any]) -> dict[str, Any]:
    """Return a history in which the states were entered, each with its input."""
    began = {
        "timestamp": _TIME,
        "type": "ExecutionStarted",
        "id": 1,
    }
    entered = [
        {
            "timestamp": _TIME,
            "type": "TaskStateEntered",
            "id": number,
            "stateEnteredEventDetails": {"name": state, "input": json.dumps(value)},
        }
        for number, (state, value) in enumerate(states, 2)
    ]
    return {"events": [began, *entered]}


@pytest.fixture
def job(account: support.Account) -> JobRef:
    job_id = "orders-1"
    account.put_entry(job_id, items.JOB_ENTRY, status=workflow.SUCCEEDED, attempt=1)
    chunk = {"status": workflow.SUCCEEDED, "attempt": 1, "executionArn": ARN}
    account.put_entry(job_id, items.chunk_entry(3), **chunk)
    outputs = {"JobTableName": support.JOB_TABLE, "MainOrchestratorArn": support.MACHINE_ARN}
    client = support.SESSION.client("stepfunctions")
    clients = {"dynamodb": account.dynamodb, "stepfunctions": client}
    return JobRef(support.stack_ref(outputs=outputs, **clients), job_id)


def stub(job: JobRef, answer: dict[str, Any]) -> Stubber:
    stubber = Stubber(job.stack.client("stepfunctions"))
    stubber.add_response("get_execution_history", answer)
    return stubber


def test_the_last_call_of_a_chunks_function_counts(job: JobRef) -> None:
    states = [("Read File", {"a": 1}), ("Validate Data", {"a": 2}), ("Validate Data", {"a": 3})]
    with stub(job, history(*states)):
        event = step_event(job, "validate-data", chunk=3)
    assert event["a"] == 3
    assert event["executionArn"] == ARN
    assert event["startTime"]


def test_a_function_of_the_main_workflow_takes_no_chunk(job: JobRef) -> None:
    with stub(job, history(("Email the file", {"jobId": "orders-1"}))):
        assert step_event(job, "send-email") == {"jobId": "orders-1"}


@pytest.mark.parametrize(
    ("function", "chunk", "said"),
    [
        ("validate-data", None, "name the chunk"),
        ("send-email", 1, "leave the chunk out"),
        ("get-data", None, "no workflow calls 'get-data'"),
        ("nothing", 1, "choose one of split-ip-file"),
    ],
)
def test_what_has_no_event_is_refused(
    job: JobRef, function: str, chunk: int | None, said: str
) -> None:
    with pytest.raises(bo.InputError, match=said):
        step_event(job, function, chunk=chunk)


def test_a_chunk_that_never_ran_is_told(job: JobRef) -> None:
    with pytest.raises(bo.JobError, match="chunk 4 of job orders-1 has not run"):
        step_event(job, "read-file", chunk=4)


def test_a_step_that_was_not_reached_is_told(job: JobRef) -> None:
    with (
        stub(job, history(("Read File", {}))),
        pytest.raises(bo.JobError, match="no call of enrich-data"),
    ):
        step_event(job, "enrich-data", chunk=3)
