"""The command line as a person types it, against the local engine."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder of its own, with the project's engine environment in it."""
    home = tmp_path_factory.mktemp("home")
    for path in (checkout_root() / ".batchops").glob("engine-env-*"):
        (home / path.name).symlink_to(path)
    yield home
    LocalEngine(home / "engine", home).stop()


def _batchops(home: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "batchops", *arguments],
        env={**os.environ, "BATCHOPS_HOME": str(home), "BATCHOPS_STACK": "cli"},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_file_goes_from_sample_to_download(home: Path) -> None:
    assert "200 rows" in _batchops(home, "sample", "200", "data")
    deployed = _batchops(
        home, "deploy", "FileChunkSize=50", "--reference-data", "data/reference.csv"
    )
    assert "CREATE_COMPLETE" in deployed
    assert "FileChunkSize = 50" in deployed
    job = _batchops(home, "submit", "data/orders.csv").strip()
    waited = _batchops(home, "wait", job)
    assert "4/4 chunks, 200/200 rows, 6 rejected" in waited
    assert waited.endswith(f"{job} SUCCEEDED\n")
    assert "holds" in _batchops(home, "balance", job)
    expected = (home / "data/expected.csv").read_text().splitlines()
    found = list(csv.reader(io.StringIO(_batchops(home, "errors", job))))
    assert len(found) == len(expected)
    assert len(_batchops(home, "chunks", job).splitlines()) == 5
    assert job in _batchops(home, "jobs")
    assert _batchops(home, "link", job).startswith("http://127.0.0.1:")
    _batchops(home, "download", job, "out.csv")
    _batchops(home, "download", job, "bad.csv", "--rejected")
    assert len((home / "out.csv").read_bytes().splitlines()) > 190
    assert "would be deleted" in _batchops(home, "destroy")
    assert "deleted" in _batchops(home, "destroy", "--yes")
    assert "no stack 'cli'" in _batchops(home, "jobs", code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("deploy", "FileChunkSize"), 2, "is not NAME=VALUE"),
        (("deploy", "NoSuch=1"), 1, "NoSuch"),
        (("deploy", "--schema", "nowhere.json"), 1, "nowhere.json"),
        (("sample", "0", "data"), 1, "rows is 0"),
        (("frobnicate",), 2, "No such command"),
    ],
)
def test_wrong_arguments_are_answered_with_what_to_do(
    home: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    assert says in _batchops(home, *arguments, code=code)


def test_unknown_job_and_failed_job_have_their_exit_codes(home: Path) -> None:
    _batchops(home, "deploy")
    assert "no job 'nothing'" in _batchops(home, "balance", "nothing", code=1)
    (home / "empty.csv").write_bytes(b"")
    failed = _batchops(home, "submit", "empty.csv", "--wait", code=3)
    assert "EmptyFileError" in failed
    assert "no file" in _batchops(home, "submit", "nowhere.csv", code=1)


def test_engine_is_started_found_and_stopped(home: Path) -> None:
    address = _batchops(home, "engine", "start").strip()
    assert address in _batchops(home, "engine", "status")
    assert "stopped" in _batchops(home, "engine", "stop")
    assert "does not run" in _batchops(home, "engine", "status", code=3)
    assert "would delete" in _batchops(home, "engine", "reset")
    assert "deleted" in _batchops(home, "engine", "reset", "--yes")
