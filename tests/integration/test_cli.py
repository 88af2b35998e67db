"""The command line as a person types it, against the local engine."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from integration.conftest import Shell

from batchops.stack import Stack


def test_a_file_goes_from_sample_to_download(shell: Shell) -> None:
    """In a stack of its own; what changes anything is a process of its own."""

    def batchops(*arguments: str, code: int = 0) -> str:
        return shell.process("--stack", "cli", *arguments, code=code)

    def look(*arguments: str, code: int = 0) -> str:
        return shell("--stack", "cli", *arguments, code=code)

    assert "200 rows" in batchops("sample", "200", "data")
    deployed = batchops("deploy", "FileChunkSize=50", "--reference-data", "data/reference.csv")
    assert "CREATE_COMPLETE" in deployed
    assert "FileChunkSize = 50" in deployed
    job = batchops("submit", "data/orders.csv").strip()
    waited = batchops("wait", job)
    assert "4/4 chunks, 200/200 rows, 6 rejected" in waited
    assert waited.endswith(f"{job} SUCCEEDED\n")
    assert "holds" in look("balance", job)
    titled = b"Report\n" + (shell.home / "data/orders.csv").read_bytes().replace(b",", b";")
    for month in ("may", "june"):
        (shell.home / f"{month}.csv").write_bytes(titled.decode().encode("utf-16"))
    read = ("--encoding", "utf-16", "--skip-rows", "1")
    assert "delimited by ';'" in look("plan", "may.csv", *read)
    both = json.loads(batchops("submit", "may.csv", "j*.csv", *read, "--wait", "--json"))["jobs"]
    assert [(each["status"], each["rows"]) for each in both] == [("SUCCEEDED", 200)] * 2
    assert "--name is for a single file" in look("submit", "*.csv", "--name", "x.csv", code=2)
    expected = (shell.home / "data/expected.csv").read_text().splitlines()
    found = list(csv.reader(io.StringIO(look("errors", job))))
    assert len(found) == len(expected)
    assert len(look("chunks", job).splitlines()) == 5
    assert job in look("jobs")
    where, address = look("link", job).splitlines()
    assert "on this computer only" in where  # on standard error
    assert address.startswith("http://127.0.0.1:")
    batchops("download", job, "out.csv")
    look("download", job, "bad.csv", "--rejected")
    assert len((shell.home / "out.csv").read_bytes().splitlines()) > 190
    assert "6 rejected rows stored as bad.xlsx" in look("rejects", job, "-o", "bad.xlsx")
    look("rejects", job, "--spreadsheet", "-o", "quoted.csv")
    assert (shell.home / "quoted.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    look("download", job, "out-quoted.csv", "--spreadsheet")
    assert (shell.home / "out-quoted.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    for file in ("bad.csv", "bad.xlsx", "quoted.csv"):
        assert "6 unchanged" in look("repair", job, file)
    assert "would be deleted" in look("destroy")
    assert json.loads(batchops("destroy", "--yes", "--json"))["deleted"]
    assert "no stack 'cli'" in look("jobs", code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("deploy", "FileChunkSize"), 2, "is not NAME=VALUE"),
        (("deploy", "NoSuch=1"), 1, "NoSuch"),
        (("deploy", "--schema", "nowhere.json"), 1, "nowhere.json"),
        (("sample", "0", "data"), 2, "'ROWS'"),
        (("frobnicate",), 2, "No such command"),
    ],
)
def test_wrong_arguments_are_answered_with_what_to_do(
    shell: Shell, stack: Stack, arguments: tuple[str, ...], code: int, says: str
) -> None:
    assert says in shell(*arguments, code=code)


def test_unknown_job_and_failed_job_have_their_exit_codes(shell: Shell, stack: Stack) -> None:
    assert "no job 'nothing'" in shell.process("balance", "nothing", code=1)
    (shell.home / "empty.csv").write_bytes(b"")
    assert "EmptyFileError" in shell.process("submit", "empty.csv", "--wait", code=3)
    assert "no file" in shell.process("submit", "nowhere.csv", code=1)


def test_engine_is_started_found_and_stopped(tmp_path: Path) -> None:
    shell = Shell.new(tmp_path)
    address = shell("engine", "start").strip()
    assert address in shell("engine", "status")
    assert f"AWS_ENDPOINT_URL={address}" in shell("engine", "env")
    assert f"[profile mine]\nendpoint_url = {address}\n" in shell(
        "engine", "env", "--profile", "mine"
    )
    kept = f"its state is kept in {shell.engine.home}"
    assert shell("engine", "stop") == f"stopped; {kept}\n"
    assert shell("engine", "status", code=3) == f"the engine does not run; {kept}\n"
    assert "'batchops engine start' starts it" in shell.refusal("engine", "env")
    assert "would delete" in shell("engine", "reset")
    assert "deleted" in shell("engine", "reset", "--yes")
