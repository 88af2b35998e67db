"""The states that an execution visited, from its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from batchcore import workflow

from batchops.core.histories import state_visits

START = datetime(2026, 11, 23, tzinfo=UTC)


def _history(*events: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events of (type, details), one a second."""
    return [
        {"type": kind, "timestamp": START + timedelta(seconds=n), **details}
        for n, (kind, details) in enumerate(events)
    ]


def _entered(name: str, kind: str = "Task") -> tuple[str, dict[str, Any]]:
    return f"{kind}StateEntered", {"stateEnteredEventDetails": {"name": name}}


def _exited(name: str, kind: str = "Task") -> tuple[str, dict[str, Any]]:
    return f"{kind}StateExited", {"stateExitedEventDetails": {"name": name}}


LAMBDA_DIED = ("LambdaFunctionFailed", {"lambdaFunctionFailedEventDetails": {"error": "KeyError"}})


def test_history_tells_status_and_time_of_each_state() -> None:
    split, chunks = state_visits(
        _history(
            ("ExecutionStarted", {}),
            _entered("Split"),
            ("TaskScheduled", {}),
            ("TaskSucceeded", {}),
            _exited("Split"),
            _entered("Chunks", "Map"),
            ("MapRunStarted", {}),
        )
    )
    assert (split.state, split.kind, split.status, split.ms) == ("Split", "Task", "SUCCEEDED", 3000)
    assert (chunks.state, chunks.kind, chunks.status, chunks.ms) == (
        "Chunks",
        "Map",
        "RUNNING",
        None,
    )
    assert (split.tries, chunks.tries) == (1, 1)


def test_state_that_was_retried_has_succeeded_and_names_its_last_error() -> None:
    (visit,) = state_visits(
        _history(
            ("ExecutionStarted", {}),
            _entered("Merge"),
            ("LambdaFunctionScheduled", {}),
            ("LambdaFunctionStarted", {}),
            LAMBDA_DIED,
            ("LambdaFunctionScheduled", {}),
            ("LambdaFunctionSucceeded", {}),
            _exited("Merge"),
        )
    )
    assert (visit.status, visit.tries, visit.error) == ("SUCCEEDED", 2, "KeyError")
    assert visit.end == START + timedelta(seconds=7)


def test_state_after_one_that_was_retried_has_not_failed() -> None:
    first, second = state_visits(
        _history(
            _entered("A"),
            ("TaskFailed", {}),
            ("TaskSucceeded", {}),
            _exited("A"),
            _entered("B"),
            _exited("B"),
        )
    )
    assert [first.status, second.status] == [workflow.SUCCEEDED, workflow.SUCCEEDED]


@pytest.mark.parametrize("kind", ["TaskFailed", "LambdaFunctionFailed", "TaskTimedOut"])
def test_state_that_is_left_by_its_catch_has_failed(kind: str) -> None:
    details = {f"{kind[0].lower()}{kind[1:]}EventDetails": {"error": "States.TaskFailed"}}
    first, second = state_visits(
        _history(
            _entered("Merge"),
            ("TaskScheduled", {}),
            (kind, details),
            _exited("Merge"),
            _entered("Job failed", "Fail"),
            ("ExecutionFailed", {"executionFailedEventDetails": {"error": "KeyError"}}),
        )
    )
    assert (first.status, first.error, first.ms) == ("FAILED", "States.TaskFailed", 3000)
    assert (second.kind, second.status) == ("Fail", "FAILED")
    assert second.end == START + timedelta(seconds=5)


def test_state_runs_until_it_ends_also_between_two_tries() -> None:
    (running,) = state_visits(_history(_entered("Chunks", "Map"), ("MapRunStarted", {})))
    assert (running.kind, running.status, running.end) == ("Map", "RUNNING", None)
    (waiting,) = state_visits(_history(_entered("Merge"), LAMBDA_DIED))
    assert (waiting.status, waiting.error) == ("RUNNING", "KeyError")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("ExecutionAborted", "ABORTED"),
        ("ExecutionTimedOut", "TIMED_OUT"),
        ("ExecutionFailed", "FAILED"),
    ],
)
def test_execution_that_ends_within_a_state_ends_the_state(kind: str, status: str) -> None:
    (visit,) = state_visits(_history(_entered("Chunks", "Map"), (kind, {})))
    assert (visit.status, visit.ms) == (status, 1000)


def test_execution_s_end_changes_no_state_that_has_ended() -> None:
    (visit,) = state_visits(
        _history(
            _entered("Done", "Succeed"), _exited("Done", "Succeed"), ("ExecutionSucceeded", {})
        )
    )
    assert (visit.status, visit.ms) == ("SUCCEEDED", 1000)
