"""The conformance run: how functions are run for LocalStack, and what is said where it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from support import ROOT

from tools.conform.__main__ import main
from tools.conform.story import DiffersError, expect

if TYPE_CHECKING:
    from pathlib import Path

WORKER = ROOT / "tools" / "conform" / "worker.py"
APP = """
import json, shared

def lambda_handler(event, context):
    print("a line of the log")
    if event == "die":
        raise SystemExit(3)
    if event == "raise":
        raise KeyError("gone")
    return {"event": event, "json": json.__name__, "shared": shared.VALUE,
            "left": context.get_remaining_time_in_millis() > 0}
"""


def answers(folder: Path, *events: Any) -> list[Any]:
    """Run a function with a layer; return what its process answers to each event."""
    code, layer = folder / "code", folder / "layer"
    (layer / "python").mkdir(parents=True)
    code.mkdir()
    (code / "app.py").write_text(APP, encoding="utf-8")
    (layer / "python" / "shared.py").write_text("VALUE = 7\n", encoding="utf-8")
    # What the environment has comes before the layer's.
    (layer / "python" / "json.py").write_text("raise ImportError\n", encoding="utf-8")
    found = subprocess.run(
        [sys.executable, WORKER, "app.lambda_handler", code, layer],
        input=b"".join(json.dumps(event).encode() + b"\n" for event in events),
        capture_output=True,
        check=False,
    )
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_process_answers_call_after_call_and_its_log_goes_elsewhere(tmp_path: Path) -> None:
    result = {"json": "json", "shared": 7, "left": True}
    assert answers(tmp_path, 1, "raise", 2) == [
        {"result": {"event": 1, **result}},
        {"error": {"errorType": "KeyError", "errorMessage": "'gone'"}},
        {"result": {"event": 2, **result}},
    ]


def test_process_that_dies_answers_nothing(tmp_path: Path) -> None:
    assert answers(tmp_path, "die", 1) == []


def test_what_is_not_as_it_has_to_be_is_said() -> None:
    expect("rows", 3, 3)
    with pytest.raises(DiffersError, match=r"^rows: 2, not 3$"):
        expect("rows", 2, 3)


def test_localstack_that_does_not_start_is_said_with_the_end_of_its_log() -> None:
    # The interpreter of the tests has no LocalStack.
    found = CliRunner().invoke(main, [sys.executable])
    assert found.exit_code == 1
    assert "LocalStack did not start" in found.output
    assert "No module named 'localstack'" in found.output
