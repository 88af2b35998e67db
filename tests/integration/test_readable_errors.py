"""What goes wrong for people is told in a sentence: what, which one, what to do next.

As a person meets it: through the command line in a process of its own, where a traceback would
show, and through handles that outlive their engine.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import Received, Server

from batchops.core.errors import EngineNotRunningError, JobNotFoundError, JobRunningError
from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine
from batchops.samples.sample import make_sample
from batchops.stack import Stack

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
AWS = ("--target", "aws", "--stack", "orders")
SOMEWHERE = (*AWS, "--region", "eu-central-1")


@dataclass(frozen=True)
class Shell:
    """A shell whose environment knows nothing of AWS."""

    home: Path

    def __call__(self, *arguments: str, code: int, **settings: str) -> str:
        """Run a command and return what it wrote to standard error."""
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "BATCHOPS_"))}
        nothing = str(self.home / "nothing")
        own = {
            "HOME": str(self.home),
            "BATCHOPS_HOME": str(self.home),
            "AWS_CONFIG_FILE": nothing,
            "AWS_SHARED_CREDENTIALS_FILE": nothing,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        done = subprocess.run(
            [sys.executable, "-m", "batchops", *arguments],
            env={**kept, **own, **settings},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code in (1, 2) else done.stdout + done.stderr

    def refusal(self, *arguments: str, **settings: str) -> str:
        """Run a command that fails, and return its message, a line or two."""
        told = self(*arguments, code=1, **settings)
        assert told.startswith("error: ")
        assert len(told.splitlines()) <= 2
        return told


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    home = tmp_path_factory.mktemp("shell")
    for path in (checkout_root() / ".batchops").glob("engine-env-*"):
        (home / path.name).symlink_to(path)
    (home / "picture.png").write_bytes(PNG)
    yield Shell(home)
    LocalEngine(home / "engine", home).stop()


# ------------------------------------------------------------------------------ AWS


def test_missing_credentials_are_told_with_the_ways_to_get_some(shell: Shell) -> None:
    told = shell.refusal(*SOMEWHERE, "jobs")
    assert "no AWS credentials" in told
    for way in ("profile", "aws configure", "aws sso login", "target='local'"):
        assert way in told


def test_unknown_profile_is_told_by_its_name(shell: Shell) -> None:
    told = shell.refusal(*SOMEWHERE, "--profile", "workshop", "jobs")
    assert "workshop" in told
    assert "aws configure" in told


def test_half_of_the_credentials_is_told_as_such(shell: Shell) -> None:
    told = shell.refusal(*SOMEWHERE, "jobs", AWS_ACCESS_KEY_ID="AKIAEXAMPLE")
    assert "no AWS credentials" in told
    assert "AWS_SECRET_ACCESS_KEY" in told or "secret_key" in told


def test_missing_region_is_told_with_the_places_to_set_it(shell: Shell) -> None:
    told = shell.refusal(*AWS, "jobs", **KEYS)
    assert "no AWS region" in told
    assert "AWS_REGION" in told


def _refuse(code: str, message: str, *, status: int = 400) -> Server:
    """Return an endpoint at which CloudFormation answers every call with the same error."""
    body = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    ).encode()

    def answer(request: Received) -> tuple[int, bytes]:
        return status, body

    return Server(answer)


VERBS = [("jobs",), ("status",), ("outputs",), ("preview",), ("deploy",), ("destroy",)]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_expired_token_is_told_with_the_way_back(shell: Shell, verb: tuple[str, ...]) -> None:
    with _refuse("ExpiredToken", "The security token included is expired", status=403) as server:
        told = shell.refusal(
            *SOMEWHERE, *verb, AWS_ENDPOINT_URL=server.url, AWS_SESSION_TOKEN="old", **KEYS
        )
    assert server.received
    assert "expired" in told
    assert "aws sso login" in told
    assert "'orders'" in told


def test_unknown_access_key_is_told_with_what_to_check(shell: Shell) -> None:
    with _refuse("InvalidClientTokenId", "The token is invalid", status=403) as server:
        told = shell.refusal(*SOMEWHERE, "jobs", AWS_ENDPOINT_URL=server.url, **KEYS)
    assert "check the profile, the access key" in told


def test_stack_of_a_wrong_name_is_told_with_its_region(shell: Shell) -> None:
    message = "Stack with id orders does not exist"
    with _refuse("ValidationError", message) as server:
        told = shell.refusal(*SOMEWHERE, "jobs", AWS_ENDPOINT_URL=server.url, **KEYS)
    assert "no stack 'orders' in eu-central-1" in told
    assert "deploy" in told


def test_name_that_no_stack_can_have_is_told_with_the_rule(shell: Shell) -> None:
    told = shell.refusal("--stack", "my orders", "jobs")
    assert "'my orders'" in told
    assert "letters, digits and dashes" in told


# ------------------------------------------------------------------- a stack of its own


@pytest.fixture(scope="module")
def stack(shell: Shell) -> Stack:
    """A stack for the shell's commands, which does one chunk at a time."""
    files = make_sample(1_500).write(shell.home)
    stack = Stack("batchops", engine=LocalEngine(shell.home / "engine", shell.home))
    stack.deploy(reference_data=files.reference, FileChunkSize=50, MaxConcurrency=1)
    return stack


@pytest.fixture(scope="module")
def ended(stack: Stack, shell: Shell) -> str:
    """The id of a job that has its results, one of its rows rejected."""
    header, row, *_ = (shell.home / "orders.csv").read_bytes().splitlines(keepends=True)
    job = stack.submit(header + row + b"too few fields\n", name="few.csv")
    job.wait(timeout_s=120)
    return job.id


@pytest.fixture(scope="module")
def running(stack: Stack, shell: Shell, ended: str) -> str:
    """The id of a job that has thirty chunks before it, one at a time; it is never waited for."""
    job = stack.submit(shell.home / "orders.csv")
    deadline = time.monotonic() + 60
    while job.status().status != "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.05)
    return job.id


UNKNOWN = "orders-0123456789ab"


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", UNKNOWN),
        ("wait", UNKNOWN, "--timeout", "150"),
        ("errors", UNKNOWN),
        ("rerun", UNKNOWN),
        ("download", UNKNOWN, "result.csv"),
        ("logs", "read-file", "--job", UNKNOWN),
    ],
    ids=" ".join,
)
def test_unknown_job_is_told_with_where_to_look(
    stack: Stack, shell: Shell, arguments: tuple[str, ...]
) -> None:
    told = shell.refusal(*arguments)
    assert f"stack 'batchops' has no job '{UNKNOWN}'" in told
    assert "'batchops jobs' lists them" in told


def test_unknown_job_is_an_error_of_its_own_that_names_it(stack: Stack) -> None:
    with pytest.raises(JobNotFoundError, match=r"stack\.jobs\(\) lists them") as caught:
        stack.job(UNKNOWN)
    assert caught.value.job_id == UNKNOWN


@pytest.mark.parametrize("verb", ["output", "rejects", "download", "link", "email"])
def test_result_of_a_running_job_is_told_to_come(shell: Shell, running: str, verb: str) -> None:
    rest = ["result.csv"] if verb == "download" else []
    told = shell.refusal(verb, running, *rest)
    assert f"job {running} is RUNNING" in told
    assert "wait" in told
    assert not (shell.home / "result.csv").exists()


def test_running_job_cannot_be_run_again_or_repaired(
    stack: Stack, shell: Shell, running: str
) -> None:
    with pytest.raises(JobRunningError, match=running):
        stack.job(running).rerun(dry_run=False)
    assert running in shell.refusal("rerun", running, "--yes")
    assert running in shell.refusal("repair", running, "orders.csv", "--yes")


def test_waiting_too_short_is_told_with_what_goes_on(shell: Shell, running: str) -> None:
    told = shell.refusal("wait", running, "--timeout", "0.5")
    assert f"job {running} is still" in told
    assert "it goes on" in told


def test_stack_with_running_jobs_is_not_deleted(shell: Shell, running: str) -> None:
    told = shell.refusal("destroy", "--yes")
    assert running in told
    assert "force" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "nowhere.csv"),
        ("submit", "nowhere.csv"),
        ("invoke", "read-file", "nowhere.csv"),
        ("deploy", "--schema", "nowhere.csv"),
        ("deploy", "--reference-data", "nowhere.csv"),
        ("repair", "JOB", "nowhere.csv"),
    ],
    ids=" ".join,
)
def test_missing_file_is_told_by_its_name(
    shell: Shell, ended: str, arguments: tuple[str, ...]
) -> None:
    told = shell.refusal(*(ended if word == "JOB" else word for word in arguments))
    assert "nowhere.csv" in told


def test_folder_in_place_of_a_file_is_told(stack: Stack, shell: Shell) -> None:
    (shell.home / "folder.csv").mkdir(exist_ok=True)
    for arguments in (("plan", "folder.csv"), ("submit", "folder.csv")):
        assert "folder.csv" in shell.refusal(*arguments)
    assert "folder.csv" in shell.refusal("deploy", "--schema", "folder.csv")
    assert "folder.csv" in shell.refusal("deploy", "--reference-data", "folder.csv")


def test_what_is_not_csv_is_told_before_and_after_it_is_submitted(
    stack: Stack, shell: Shell
) -> None:
    assert "export CSV" in shell("plan", "picture.png", code=3)
    told = shell("submit", "picture.png", "--wait", code=3)
    assert "NotTextError" in told
    assert "export CSV" in told
    assert told.split()[0] in shell("jobs", code=0)


def test_result_for_a_folder_that_is_missing_is_told(shell: Shell, ended: str) -> None:
    told = shell.refusal("download", ended, "no/such/folder/result.csv")
    assert "no/such/folder" in told


# ----------------------------------------------------------------- the engine goes away


def test_engine_that_is_gone_is_told_by_an_old_handle_and_by_the_next_command(
    stack: Stack, shell: Shell, ended: str
) -> None:
    assert ended in set(stack.jobs()["job"])
    engine = stack.target.engine
    assert engine is not None
    assert engine.stop()
    with pytest.raises(EngineNotRunningError, match="deploy the stack"):
        stack.jobs()
    told = shell.refusal("jobs")
    assert "the local engine does not run" in told
    assert "its state is kept" in told


def test_engine_whose_port_was_taken_comes_up_at_another_with_its_stack(
    stack: Stack, shell: Shell, ended: str
) -> None:
    engine = stack.target.engine
    assert engine is not None
    old = engine.start()
    assert engine.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", old.port))
        other.listen()
        address = shell("engine", "start", code=0).strip()
        assert address.startswith("http://127.0.0.1:")
        assert not address.endswith(f":{old.port}")
        assert f"{ended} SUCCEEDED" in shell("show", ended, code=0)
        found = stack.target.connect().engine_info
        assert found is not None
        assert found.endpoint_url == address
        assert ended in set(stack.jobs()["job"])
