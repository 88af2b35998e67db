"""A workflow's definition with a mistake in it does not pass `make lint`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from asl import MACHINES, definition_text
from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LINT = (ROOT / "Makefile").read_text(encoding="utf-8")


def mistakes(text: str) -> list[str]:
    from tools.definitions import mistakes  # not above: cfn-lint and moto's grammar take a second

    return mistakes(text)


def workflow(**changed: Any) -> dict[str, Any]:
    """Return a definition, with what is changed in its first state."""
    task = {"Type": "Task", "Resource": "${WorkFunction}", "Next": "Each", **changed}
    inner = {"StartAt": "One", "States": {"One": {"Type": "Succeed"}}}
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": inner, "Next": "Done"}
    states = {"Work": task, "Each": each, "Done": {"Type": "Succeed"}}
    return {"StartAt": "Work", "States": states}


def in_map(**changed: Any) -> dict[str, Any]:
    found = workflow()
    found["States"]["Each"]["ItemProcessor"] |= changed
    return found


@pytest.mark.parametrize("machine", MACHINES)
def test_workflow_has_no_mistake(machine: str) -> None:
    assert mistakes(definition_text(machine)) == []


def test_definition_without_a_mistake_passes() -> None:
    assert mistakes(json.dumps(workflow())) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param(workflow(Type="Tusk"), "'Tusk' is not one of", id="type"),
        pytest.param(workflow(TimeoutSecond=3), "Did you mean 'TimeoutSeconds'", id="field"),
        pytest.param(workflow(Catch=[{"Next": "Done"}]), "'ErrorEquals'", id="catch of nothing"),
        pytest.param(workflow(ResultPath="result"), "interpreted", id="path"),
        pytest.param(
            workflow(Parameters={"x.$": "States.Formt('a')"}),
            "interpreted",
            id="intrinsic function",
        ),
        pytest.param(workflow(Next="Dome"), "has no state 'Dome'", id="next state"),
        pytest.param(workflow(Next="Done"), "leads to the state 'Each'", id="unreachable state"),
        pytest.param(
            workflow(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Dome"}]),
            "has no state 'Dome'",
            id="state of a catch",
        ),
        pytest.param(
            in_map(StartAt="Two"), "the Map 'Each' has no state 'Two'", id="start of a map"
        ),
    ],
)
def test_mistake_is_found_and_named(broken: dict[str, Any], said: str) -> None:
    assert said in "\n".join(mistakes(json.dumps(broken)))


def test_text_that_is_no_json_is_said_to_be_none() -> None:
    (found,) = mistakes('{"StartAt": }')
    assert "no JSON" in found


def test_lint_fails_on_a_file_with_a_mistake_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tools.definitions import main

    good, bad = tmp_path / "good.asl.json", tmp_path / "bad.asl.json"
    good.write_text(json.dumps(workflow()), encoding="utf-8")
    bad.write_text(json.dumps(workflow(Next="Dome")), encoding="utf-8")
    assert main([str(good), str(bad)]) == 1
    assert {line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()} == {str(bad)}
    assert main([str(good)]) == 0


def test_make_lint_checks_the_definitions() -> None:
    assert "-m tools.definitions source/statemachine/*.asl.json" in LINT
