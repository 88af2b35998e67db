"""What goes wrong on AWS is told in a sentence: what, which one, what to do next.

The command line runs in this process, against an endpoint that answers as CloudFormation would.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from support import Received, Server

from batchops.cli import main
from batchops.core.stack_states import DELETABLE

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
AWS = ("--target", "aws", "--stack", "orders")
SOMEWHERE = (*AWS, "--region", "eu-central-1")
JOB = "orders-0123456789ab"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a working folder with a file, and an environment that knows nothing of AWS."""
    (tmp_path / "orders.csv").write_text("a,b\n1,2\n")
    (tmp_path / "event.json").write_text("{}")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", *KEYS):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 1, **settings: str) -> str:
    """Run a command, and return what it wrote."""
    done = CliRunner().invoke(main, [*arguments], env=settings)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done.output


def refusal(*arguments: str, **settings: str) -> str:
    """Run a command that fails, and return its message, a line or two."""
    told = run(*arguments, **settings)
    assert told.startswith("error: ")
    assert len(told.splitlines()) <= 2
    return told


# ------------------------------------------------------------------ credentials and regions


def test_missing_credentials_are_told_with_the_ways_to_get_some() -> None:
    told = refusal(*SOMEWHERE, "jobs")
    assert "no AWS credentials" in told
    for way in ("profile", "aws configure", "aws sso login", "--target local"):
        assert way in told


def test_unknown_profile_is_told_by_its_name() -> None:
    told = refusal(*SOMEWHERE, "--profile", "workshop", "jobs")
    assert "workshop" in told
    assert "aws configure" in told


def test_half_of_the_credentials_is_told_as_such() -> None:
    told = refusal(*SOMEWHERE, "jobs", AWS_ACCESS_KEY_ID="AKIAEXAMPLE")
    assert "no AWS credentials" in told
    assert "AWS_SECRET_ACCESS_KEY" in told or "secret_key" in told


def test_missing_region_is_told_with_the_places_to_set_it() -> None:
    told = refusal(*AWS, "jobs", **KEYS)
    assert "no AWS region" in told
    assert "AWS_DEFAULT_REGION" in told
    # Each is one that is read.
    for name in re.findall(r"AWS_\w*REGION", told):
        with _refusing("AccessDenied", "no") as server:
            found = refusal(
                *AWS, "jobs", **KEYS, AWS_ENDPOINT_URL=server.url, **{name: "eu-west-1"}
            )
        assert "access denied" in found


def _refusing(code: str, message: str, *, status: int = 400) -> Server:
    """Return an endpoint at which CloudFormation answers every call with the same error."""
    body = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    ).encode()

    def answer(request: Received) -> tuple[int, bytes]:
        return status, body

    return Server(answer)


@pytest.mark.parametrize("verb", ["jobs", "status", "outputs", "preview", "deploy", "destroy"])
def test_expired_token_is_told_with_the_way_back(verb: str) -> None:
    with _refusing("ExpiredToken", "The security token included is expired", status=403) as server:
        told = refusal(*SOMEWHERE, verb, AWS_ENDPOINT_URL=server.url, **KEYS)
    assert server.received
    assert "expired" in told
    assert "aws sso login" in told
    assert "'orders'" in told


def test_unknown_access_key_is_told_with_what_to_check() -> None:
    with _refusing("InvalidClientTokenId", "The token is invalid", status=403) as server:
        told = refusal(*SOMEWHERE, "jobs", AWS_ENDPOINT_URL=server.url, **KEYS)
    assert "check the profile, the access key" in told


def test_stack_of_a_wrong_name_is_told_with_its_region() -> None:
    with _refusing("ValidationError", "Stack with id orders does not exist") as server:
        told = refusal(*SOMEWHERE, "jobs", AWS_ENDPOINT_URL=server.url, **KEYS)
    assert "no stack 'orders' in eu-central-1" in told
    assert "deploy it" in told


def test_name_that_no_stack_can_have_is_told_with_the_rule() -> None:
    told = run("--stack", "my orders", "jobs", code=2)
    assert "'my orders'" in told
    assert "letters, digits and dashes" in told


# ----------------------------------------------------------------------- half-made stacks


def _in_state(status: str) -> Server:
    """Return an endpoint at which CloudFormation has a stack in a state, without any outputs."""
    arn = "arn:aws:cloudformation:eu-central-1:123456789012:stack/orders/1"
    described = (
        f"<member><StackName>orders</StackName><StackId>{arn}</StackId>"
        f"<CreationTime>2026-11-23T06:00:00Z</CreationTime><StackStatus>{status}</StackStatus>"
        "</member>"
    )

    def answer(request: Received) -> tuple[int, bytes]:
        if b"Action=DescribeStacks" in request.body:
            return 200, (
                "<DescribeStacksResponse><DescribeStacksResult><Stacks>"
                f"{described}</Stacks></DescribeStacksResult></DescribeStacksResponse>"
            ).encode()
        if b"Action=ListStackResources" in request.body:
            return 200, (
                b"<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries/>"
                b"</ListStackResourcesResult></ListStackResourcesResponse>"
            )
        return 400, b"<ErrorResponse><Error><Code>Unexpected</Code></Error></ErrorResponse>"

    return Server(answer)


VALUES = {
    "job_id": JOB,
    "job_ids": JOB,
    "job_a": JOB,
    "job_b": JOB,
    "file": "orders.csv",
    "path": "result.png",
    "function": "read-file",
    "event": "event.json",
    "schema": "schema.json",
    "what": "timeline",
    "number": "1",
}
OPTIONS = {"--to": "report.html"}
# Verbs that need no stack, and those that tell about one whatever its state.
OTHERS = {"demo", "sample", "init", "notebooks", "engine", "schema"}
OTHERS |= {"doctor", "status", "resources", "destroy", "policy"}
UNUSABLE = sorted({*DELETABLE, "CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"})


def _arguments(verb: str) -> list[str]:
    """Return a verb with a value for each argument and option that it must have."""
    needed = [p for p in main.commands[verb].params if p.required or p.name == "job_ids"]
    values = [VALUES[str(p.name)] for p in needed if isinstance(p, click.Argument)]
    options = [p for p in needed if isinstance(p, click.Option)]
    return [verb, *values, *(word for p in options for word in (p.opts[-1], OPTIONS[p.opts[-1]]))]


VERBS = sorted(set(main.commands) - OTHERS)
# Every verb meets one such stack, and every state a verb that reads, one that writes and a maker.
MEETINGS = [("ROLLBACK_COMPLETE", verb) for verb in VERBS] + [
    (status, verb)
    for status in UNUSABLE
    if status != "ROLLBACK_COMPLETE"
    for verb in ("jobs", "submit", "deploy")
]


@pytest.mark.parametrize(("status", "verb"), MEETINGS)
def test_stack_that_cannot_be_used_is_told_with_its_state_and_the_way_on(
    status: str, verb: str
) -> None:
    with _in_state(status) as server:
        told = refusal(*SOMEWHERE, *_arguments(verb), AWS_ENDPOINT_URL=server.url, **KEYS)
    assert f"the stack 'orders' is in {status}: " in told
    assert "--replace" in told if status in DELETABLE else "wait until" in told
    assert "=True" not in told


@pytest.mark.parametrize("verb", ["jobs", "plan", "submit", "rerun", "destroy"])
def test_stack_of_a_change_set_alone_is_no_stack_yet(verb: str) -> None:
    with _in_state("REVIEW_IN_PROGRESS") as server:
        told = refusal(*SOMEWHERE, *_arguments(verb), AWS_ENDPOINT_URL=server.url, **KEYS)
    assert "no stack 'orders' in eu-central-1: deploy it first" in told


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_IN_PROGRESS"])
def test_state_of_a_half_made_stack_can_be_looked_at(status: str) -> None:
    with _in_state(status) as server:
        settings = {"AWS_ENDPOINT_URL": server.url, **KEYS}
        told = run(*SOMEWHERE, "status", code=0, **settings)
        assert f"stack orders: {status}" in told
        run(*SOMEWHERE, "resources", code=0, **settings)
        told = run(*SOMEWHERE, "destroy", code=0, **settings)
        assert "stack orders would be deleted (--yes deletes it)" in told


def test_busy_stack_is_not_deleted_nor_are_its_buckets_emptied() -> None:
    with _in_state("UPDATE_IN_PROGRESS") as server:
        told = refusal(*SOMEWHERE, "destroy", "--yes", AWS_ENDPOINT_URL=server.url, **KEYS)
        assert {request.path for request in server.received} == {"/"}
    assert "the stack 'orders' is in UPDATE_IN_PROGRESS: wait until that has ended" in told
