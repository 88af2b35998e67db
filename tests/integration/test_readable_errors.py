"""What goes wrong for people is told in a sentence: what, which one, what to do next.

As a person meets it, through the command line and through handles that outlive their engine. What
AWS refuses is in ``tests/unit/test_readable_errors.py``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from e2e.jobs import TIMEOUT_S, wait_until
from e2e.permissions import unanswered
from integration.conftest import Shell

from batchops.core.errors import EngineNotRunningError, JobNotFoundError, JobRunningError
from batchops.stack import Stack

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture(scope="module")
def ended(stack: Stack, shell: Shell) -> str:
    """The id of a job that has its results, one of its rows rejected."""
    header, row, *_ = (shell.home / "orders.csv").read_bytes().splitlines(keepends=True)
    job = stack.submit(header + row + b"too few fields\n", name="few.csv")
    job.wait(timeout_s=TIMEOUT_S)
    return job.id


UNKNOWN = "orders-0123456789ab"


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", UNKNOWN),
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
    assert "look in the list of jobs" in told


def test_unknown_job_is_an_error_of_its_own_that_names_it(stack: Stack) -> None:
    with pytest.raises(JobNotFoundError, match="look in the list of jobs") as caught:
        stack.job(UNKNOWN)
    assert caught.value.job_id == UNKNOWN


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
    (shell.home / "picture.png").write_bytes(PNG)
    assert "export the data as CSV" in shell("plan", "picture.png", code=3)
    told = shell("submit", "picture.png", "--wait", code=3)
    assert "NotTextError" in told
    assert "as CSV" in told
    assert told.split()[0] in shell("jobs")


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
    with pytest.raises(EngineNotRunningError, match=r"engine start.*, or a deployment"):
        stack.jobs()
    told = shell.refusal("jobs")
    assert "the local engine does not run" in told
    assert "with the state that it kept" in told


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
        address = shell("engine", "start").strip()
        assert address.startswith("http://127.0.0.1:")
        assert not address.endswith(f":{old.port}")
        assert f"{ended} SUCCEEDED" in shell("show", ended)
        # Reads the deployed schema, whose address was kept with the old port.
        assert "uuid" in shell("schema", "explain")
        found = stack.target.connect().endpoint
        assert found is not None
        assert found.endpoint_url == address
        assert ended in set(stack.jobs()["job"])


# --------------------------------------------------------------------------- a job runs


@pytest.fixture(scope="module")
def running(stack: Stack, shell: Shell, ended: str) -> Iterator[str]:
    """The id of a job that runs as long as the tests of this file."""
    with unanswered(stack):
        job = stack.submit(shell.home / "orders.csv", name="many.csv")
        wait_until(lambda: job.status().status == "RUNNING")
        yield job.id


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
    assert "--force" in told
