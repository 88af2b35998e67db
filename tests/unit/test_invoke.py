"""Calling one function: in this process, which must be as before afterwards, and on the target."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from support import stack_ref

from batchops.core.errors import BatchOpsError, FunctionFailedError, InputError
from batchops.core.project import Project
from batchops.core.stack_ref import StackRef
from batchops.inspection.invoke import invoke_target
from batchops.inspection.invoke_here import LocalContext, invoke_here

ECHO = """
import os, sys
import boto3

def lambda_handler(event, context):
    event["seen"] = True
    return {
        "event": event,
        "name": context.function_name,
        "variable": os.environ.get("COLOUR"),
        "path": sys.path[:2],
        "module": __name__ in sys.modules,
        "region": boto3.client("s3").meta.region_name,
    }
"""
FAIL = """
def lambda_handler(event, context):
    raise KeyError(event["wanted"])
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "template.yaml").touch()
    for name, code in {"echo-it": ECHO, "fail": FAIL}.items():
        folder = tmp_path / "source" / name
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(code, encoding="utf-8")
    return Project.find(tmp_path)


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def test_handler_gets_event_context_environment_and_layers(project: Project) -> None:
    answer = invoke_here(project, "echo-it", {"rows": 3}, environment={"COLOUR": "red"})
    assert answer["event"] == {"rows": 3, "seen": True}
    assert answer["name"] == "echo-it"
    assert answer["variable"] == "red"
    assert answer["module"]
    layers = [project.source / "schema", project.source / "reference"]
    assert answer["path"] == [str(folder) for folder in layers]


def test_function_s_clients_are_not_the_session_s_that_the_caller_has(project: Project) -> None:
    boto3.client("s3")
    before = boto3.DEFAULT_SESSION
    answer = invoke_here(project, "echo-it", {}, environment={"AWS_DEFAULT_REGION": "eu-north-1"})
    assert answer["region"] == "eu-north-1"
    assert boto3.DEFAULT_SESSION is before


def test_process_is_as_before_afterwards(project: Project) -> None:
    environment, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    invoke_here(project, "echo-it", {}, environment={"COLOUR": "red"})
    # What a handler raises comes through as it is.
    with pytest.raises(KeyError, match="x"):
        invoke_here(project, "fail", {"wanted": "x"}, environment={"COLOUR": "red"})
    assert dict(os.environ) == environment
    assert sys.path == path
    assert not [name for name in set(sys.modules) - modules if name.endswith("_app")]


def test_event_is_handed_over_as_a_copy(project: Project) -> None:
    event = {"rows": [1, 2]}
    invoke_here(project, "echo-it", event)
    assert event == {"rows": [1, 2]}


def test_event_may_be_a_file(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"rows": 4}', encoding="utf-8")
    assert invoke_here(project, "echo-it", path)["event"]["rows"] == 4
    assert invoke_here(project, "echo-it", str(path))["event"]["rows"] == 4


def test_edits_count_from_the_next_call_on(project: Project) -> None:
    app = project.source / "echo-it" / "app.py"
    invoke_here(project, "echo-it", {})
    app.write_text("def lambda_handler(event, context):\n    return 'edited'\n", encoding="utf-8")
    assert invoke_here(project, "echo-it", {}) == "edited"


@pytest.mark.parametrize(
    ("function", "event", "says"),
    [
        ("nothing", {}, "no function 'nothing': source/ has echo-it, fail"),
        ("enrich", {}, r"'enrich' \(the step Get Financial Data is the function enrich-data\): "),
        ("merge all files", {}, r"\(the step Merge all Files is the function merge-s3-files\): "),
        ("echo-it", {"rows": {1, 2}}, "the event is not JSON"),
        ("echo-it", "nowhere.json", "nowhere.json cannot be read"),
    ],
)
def test_wrong_arguments_are_answered_with_what_to_do(
    project: Project, function: str, event: Any, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        invoke_here(project, function, event)


def test_event_file_must_hold_an_object(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    for text, says in (("[1]", "an object is wanted"), ("{", "not JSON")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=says):
            invoke_here(project, "echo-it", path)


def test_time_at_a_breakpoint_does_not_count() -> None:
    context = LocalContext("echo-it")
    assert context.get_remaining_time_in_millis() == context.get_remaining_time_in_millis() > 0
    assert context.aws_request_id != LocalContext("echo-it").aws_request_id


# ---------------------------------------------------------------------------------- the target


def _stack(**clients: Any) -> StackRef:
    return stack_ref("demo", outputs={}, **clients)


def _client(service: str) -> Any:
    return boto3.Session(region_name="eu-west-1").client(service)


def _payload(value: Any) -> StreamingBody:
    body = json.dumps(value).encode()
    return StreamingBody(io.BytesIO(body), len(body))


def test_target_s_answer_is_returned() -> None:
    client = _client("lambda")
    stack = _stack(**{"lambda": client})
    with Stubber(client) as stub:
        expected = {
            "FunctionName": "demo-get-data",
            "Payload": b'{"uuids": []}',
            "LogType": "Tail",
        }
        stub.add_response("invoke", {"StatusCode": 200, "Payload": _payload({"a": 1})}, expected)
        assert invoke_target(stack, "get-data", {"uuids": []}) == {"a": 1}


def test_function_s_error_shows_type_message_and_the_end_of_its_log() -> None:
    client = _client("lambda")
    stack = _stack(**{"lambda": client})
    answer = {
        "StatusCode": 200,
        "FunctionError": "Unhandled",
        "Payload": _payload({"errorType": "KeyError", "errorMessage": "'key'"}),
        "LogResult": base64.b64encode(b"START\nKeyError: 'key'\nEND\n").decode(),
    }
    with Stubber(client) as stub:
        stub.add_response("invoke", answer)
        with pytest.raises(BatchOpsError) as caught:
            invoke_target(stack, "validate-data", {})
    error = caught.value
    assert isinstance(error, FunctionFailedError)
    assert (error.function, error.error_type) == ("validate-data", "KeyError")
    assert str(error).startswith("validate-data failed with KeyError: 'key'")
    assert str(error).endswith("KeyError: 'key'\nEND")


def test_function_s_message_does_not_end_twice() -> None:
    client = _client("lambda")
    payload = _payload({"errorType": "NoSuchKey", "errorMessage": "It does not exist."})
    with Stubber(client) as stub:
        answer = {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload}
        stub.add_response("invoke", answer)
        with pytest.raises(FunctionFailedError, match="It does not exist; to debug it"):
            invoke_target(_stack(**{"lambda": client}), "validate-data", {})


def test_function_that_died_without_words_is_told_too() -> None:
    client = _client("lambda")
    stack = _stack(**{"lambda": client})
    answer = {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": _payload(None)}
    with Stubber(client) as stub:
        stub.add_response("invoke", answer)
        with pytest.raises(FunctionFailedError, match="failed with Unhandled"):
            invoke_target(stack, "validate-data", {})
