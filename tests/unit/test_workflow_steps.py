"""The names of steps and statuses are those of the workflows, the template and the functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from asl import CHUNK, MAIN, definition, states
from batchcore import workflow
from support import SOURCE, function_of, resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchcore.workflow import WorkflowStep

STEPS = [
    *(pytest.param(MAIN, step, id=step.name) for step in workflow.JOB_STEPS),
    *(pytest.param(CHUNK, step, id=step.name) for step in workflow.CHUNK_STEPS),
]


def function_called(state: dict[str, Any]) -> str:
    """Return the logical id of the function that a state calls."""
    return str(state["Resource"]).rpartition(":function:")[2]


@pytest.mark.parametrize(("machine", "step"), STEPS)
def test_step_is_a_state_that_calls_its_function_and_keeps_the_result_under_its_name(
    machine: str, step: WorkflowStep
) -> None:
    state = definition(machine)["States"][step.state]
    camel = "".join(part.capitalize() for part in step.function.split("-"))
    assert function_called(state) == f"{camel}Function"
    assert function_of(step.function)["CodeUri"] == f"source/{step.function}"
    assert state["ResultPath"] == f"$.{step.name}"


def test_states_have_the_names_of_the_walkthrough() -> None:
    assert [step.state for step in workflow.JOB_STEPS] == [
        "Split Input File into chunks",
        "Merge all Files",
        "Email the file",
    ]
    assert [step.state for step in workflow.CHUNK_STEPS] == [
        "Read File",
        "Validate Data",
        "Get Financial Data",
        "Write output file",
    ]


def test_chunk_workflow_is_its_steps_in_order() -> None:
    found = definition(CHUNK)
    way, at = [], found["StartAt"]
    while found["States"][at]["Type"] in ("Task", "Choice"):
        way += [at] if found["States"][at]["Type"] == "Task" else []
        at = found["States"][at].get("Default") or found["States"][at]["Next"]
    assert way == [step.state for step in workflow.CHUNK_STEPS]
    tasks = {n for n, s in found["States"].items() if ":function:" in s.get("Resource", "")}
    assert tasks == set(way)


def test_without_look_up_the_chunk_workflow_leaves_that_step_out() -> None:
    states = definition(CHUNK)["States"]
    choice = states[states[workflow.VALIDATE.state]["Next"]]
    (without,) = choice["Choices"]
    step = states[without["Next"]]
    assert (step["Type"], step["Next"]) == ("Pass", workflow.WRITE.state)
    assert step["ResultPath"] == states[workflow.ENRICH.state]["ResultPath"]
    assert choice["Default"] == workflow.ENRICH.state


@pytest.mark.parametrize("step", workflow.CHUNK_STEPS, ids=lambda step: step.name)
def test_ledger_calls_the_failed_step_by_its_state(step: WorkflowStep) -> None:
    found = definition(CHUNK)["States"]
    (catch,) = found[step.state]["Catch"]
    noted = found[catch["Next"]]
    assert (noted["Result"], noted["ResultPath"]) == (step.state, "$.failedStep")


def test_last_step_gets_the_results_of_those_before_it() -> None:
    *before, last = workflow.CHUNK_STEPS
    given = states(CHUNK)[last.state]["Parameters"]
    for step in before:
        assert given[f"{step.name}.$"] == f"$.{step.name}"


def test_chunks_run_between_split_and_merge() -> None:
    found = definition(MAIN)["States"]
    chunks = found["Call Step function for each chunk"]  # so the walkthrough calls it
    assert (chunks["Type"], chunks["Label"]) == ("Map", workflow.CHUNKS_LABEL)
    assert chunks["ItemReader"]["Parameters"]["Key.$"] == f"$.{workflow.SPLIT.name}.manifestKey"
    assert chunks["Next"] == workflow.MERGE.state


def test_functions_are_the_folders_of_source() -> None:
    folders = {path.parent.name for path in SOURCE.glob("*/app.py")}
    assert len(set(workflow.JOB_FUNCTIONS)) == len(workflow.JOB_FUNCTIONS)
    assert set(workflow.JOB_FUNCTIONS) == folders - {workflow.NOTIFICATION, "custom-resource"}
    assert workflow.NOTIFICATION in folders


def test_functions_of_a_job_come_in_the_order_in_which_they_work() -> None:
    called = [
        *(step.function for step in (workflow.SPLIT, *workflow.CHUNK_STEPS)),
        *(step.function for step in (workflow.MERGE, workflow.EMAIL)),
    ]
    assert [name for name in workflow.JOB_FUNCTIONS if name != workflow.GET_DATA] == called
    # It answers the calls of the look-up.
    place = workflow.JOB_FUNCTIONS.index(workflow.GET_DATA)
    assert workflow.JOB_FUNCTIONS[place - 1] == workflow.ENRICH.function


def updates(machine: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each attribute that a workflow sets to a constant, with the constant."""
    for state in states(machine).values():
        if state.get("Resource", "").endswith("dynamodb:updateItem"):
            given = state["Parameters"]
            for name, value in re.findall(r"#(\w+) = (:\w+)", given["UpdateExpression"]):
                constant = given["ExpressionAttributeValues"][value].get("S")
                if constant is not None:
                    yield name, constant


def test_statuses_that_the_workflows_write_are_those_that_the_code_knows() -> None:
    assert set(updates(MAIN)) == {
        ("status", workflow.SUCCEEDED),
        ("status", workflow.FAILED),
        ("mailStatus", workflow.MAIL_PENDING),
        ("mailStatus", workflow.MAIL_FAILED),
    }
    assert set(updates(CHUNK)) == {("status", workflow.FAILED)}


def test_ends_that_no_workflow_can_write_are_those_that_the_topic_is_told_of() -> None:
    pattern = resource("StoppedJobRule")["Properties"]["EventPattern"]["detail"]
    assert set(pattern["status"]) == {workflow.ABORTED, workflow.TIMED_OUT}
    written = {value for name, value in updates(MAIN) if name == "status"}
    assert set(pattern["status"]) == workflow.ENDED - written


def test_status_of_a_job_means_that_it_has_ended_or_is_unfinished() -> None:
    assert not workflow.ENDED & workflow.UNFINISHED
    assert set(workflow.JOB_STATUSES) == workflow.ENDED | workflow.UNFINISHED


def test_names_are_what_ledgers_and_error_tables_have_held_ever_since() -> None:
    # Values on the wire and in tables: a change would make earlier jobs unreadable.
    assert [step.name for step in workflow.CHUNK_STEPS] == ["read", "validate", "enrich", "write"]
    assert [step.name for step in workflow.REJECTING_STEPS] == ["read", "validate", "enrich"]
    assert workflow.JOB_STATUSES == (
        "QUEUED",
        "SUBMITTED",
        "RUNNING",
        "SUCCEEDED",
        "FAILED",
        "ABORTED",
        "TIMED_OUT",
    )
    assert workflow.PENDING == "PENDING"
    mails = (workflow.MAIL_PENDING, workflow.MAIL_SENT, workflow.MAIL_FAILED)
    assert mails == ("PENDING", "SENT", "FAILED")
