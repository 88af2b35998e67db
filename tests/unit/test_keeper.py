"""The engine's state is saved while it runs; what was lost, and where it lies, is told."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from batchops.core.errors import EngineStartError
from batchops.local import engine_process
from batchops.local.engine import LocalEngine
from batchops.local.engine_state import (
    KEPT_WHOLE,
    check_space,
    kept_in_words,
    loss_in_words,
    move_addresses,
)
from batchops.local.keeper import KEPT, Keeper, Kept, Services, keep

if TYPE_CHECKING:
    from collections.abc import Callable

SAVED = "2026-03-04T05:06:07+00:00"


class Emulator:
    """What a keeper keeps: files of state, jobs and deployments that a test sets."""

    def __init__(self) -> None:
        self.content: dict[str, bytes | None] = {"sqs": b"one"}
        self.running: set[str] = set()
        self.deploying: set[str] = set()
        self.settled = False

    def services(self) -> Services:
        return Services(
            files=lambda: {name: self._read(name) for name in self.content},
            jobs=lambda: self.running,
            deployments=lambda: self.deploying,
            tidy=lambda: None,
            settle=lambda: setattr(self, "settled", True),
        )

    def _read(self, name: str) -> Callable[[], bytes | None]:
        return lambda: self.content[name]


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


def wait_for(state: Path, content: bytes) -> None:
    deadline = time.monotonic() + 20
    while not (state / "sqs.json").exists() or (state / "sqs.json").read_bytes() != content:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_saved_is_whole_until_something_changes(tmp_path: Path, emulator: Emulator) -> None:
    keeper = Keeper(emulator.services(), tmp_path)
    assert keeper.save()
    assert (tmp_path / "sqs.json").read_bytes() == b"one"
    assert kept_in_words(tmp_path) == KEPT_WHOLE
    keeper.note_change()
    assert "ended without being stopped" in kept_in_words(tmp_path)
    keeper.save_last()
    assert kept_in_words(tmp_path) == KEPT_WHOLE
    assert loss_in_words(tmp_path, tmp_path / "log") == ""


def test_a_service_without_state_leaves_its_file_alone(tmp_path: Path, emulator: Emulator) -> None:
    (tmp_path / "sqs.json").write_bytes(b"before")
    emulator.content = {"sqs": None}
    assert Keeper(emulator.services(), tmp_path).save()
    assert (tmp_path / "sqs.json").read_bytes() == b"before"


@pytest.mark.slow
def test_saving_is_tried_again_where_memory_is_short(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork, tried = os.fork, []

    def fork_later() -> int:
        tried.append(Kept.read(tmp_path))
        if len(tried) < 3:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return fork()

    monkeypatch.setattr(os, "fork", fork_later)
    keeper = Keeper(emulator.services(), tmp_path)
    keeper.start()
    emulator.running = {"a-job"}  # its begin is to be saved at once
    deadline = time.monotonic() + 20
    while len(tried) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    after_one = tried[1]
    assert after_one is not None
    assert (after_one.whole, after_one.trouble) == (
        False,
        "no copy of the engine could be made: Cannot allocate memory",
    )
    wait_for(tmp_path, b"one")
    keeper.save_last()


def test_a_change_is_saved_by_itself(tmp_path: Path, emulator: Emulator) -> None:
    keeper = Keeper(emulator.services(), tmp_path)
    keeper.start()
    assert emulator.settled
    keeper.note_change()
    wait_for(tmp_path, b"one")
    keeper.save_last()


@pytest.mark.parametrize("kind", ["running", "deploying"])
def test_what_begins_and_ends_is_saved_at_once(
    tmp_path: Path, emulator: Emulator, kind: str
) -> None:
    keeper = Keeper(emulator.services(), tmp_path)
    started = time.monotonic()
    keeper.start()
    setattr(emulator, kind, {"orders"})
    wait_for(tmp_path, b"one")
    emulator.content = {"sqs": b"two"}
    setattr(emulator, kind, set())
    wait_for(tmp_path, b"two")
    keeper.save_last()
    assert time.monotonic() - started < 3  # the pause where nothing begins or ends


def test_jobs_that_run_are_never_all_that_there_is(tmp_path: Path, emulator: Emulator) -> None:
    emulator.running = {"orders-1"}
    assert Keeper(emulator.services(), tmp_path).save()
    kept = Kept.read(tmp_path)
    assert kept is not None
    assert (kept.whole, kept.running) == (False, ("orders-1",))
    assert "orders-1" in loss_in_words(tmp_path, tmp_path / "log")


@pytest.mark.parametrize("last", [False, True], ids=["under way", "at the end"])
def test_a_save_that_fails_leaves_the_last_and_is_told(
    tmp_path: Path, emulator: Emulator, last: bool
) -> None:
    keeper = Keeper(emulator.services(), tmp_path)
    assert keeper.save()
    emulator.content = {"sqs": b"two", "kms": b"key"}
    (tmp_path / "kms.json.new").mkdir()  # where a file is to be written
    if last:
        keeper.save_last()
    else:
        assert not keeper.save()
    assert (tmp_path / "sqs.json").read_bytes() == b"one"
    assert [path.name for path in tmp_path.glob("sqs.json.*")] == []
    assert "could not save all of its state ([Errno" in kept_in_words(tmp_path)
    assert "its last save failed: [Errno" in loss_in_words(tmp_path, tmp_path / "log")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"saved": 1}', '{"running": null}'])
def test_what_says_nothing_is_no_loss(tmp_path: Path, content: str) -> None:
    (tmp_path / KEPT).write_text(content, encoding="utf-8")
    assert Kept.read(tmp_path) is None
    assert kept_in_words(tmp_path) == loss_in_words(tmp_path, tmp_path / "log") == ""


def test_the_record_keeps_its_size_so_that_a_full_disk_takes_it(tmp_path: Path) -> None:
    short = Kept(SAVED, whole=True)
    long = Kept(SAVED, whole=False, running=("j" * 300,) * 50, trouble="\u00e9" * 5_000)
    sizes = set()
    for kept in (short, long, short):
        kept.write(tmp_path)
        sizes.add((tmp_path / KEPT).stat().st_size)
    assert len(sizes) == 1
    assert Kept.read(tmp_path) == short


def test_a_loss_is_told_in_seconds(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.touch()
    Kept(SAVED, whole=False, running=("orders-1", "orders-2")).write(tmp_path)
    last = 1_772_600_771  # 4 s later
    os.utime(log, (last, last))
    said = loss_in_words(tmp_path, log)
    assert "state of 2026-03-04 05:06:07 UTC, 4 s before its last sign of life" in said
    assert said.endswith("rerun them: orders-1, orders-2")


def test_addresses_move_with_the_engine(tmp_path: Path) -> None:
    text = '{"a": "http://127.0.0.1:4000/q", "b": "127.0.0.1:40001"}'
    for name in ("sqs", "dynamodb", "cloudwatch_logs"):
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    move_addresses(tmp_path, old_port=4000, new_port=5000)
    moved = json.loads((tmp_path / "sqs.json").read_text(encoding="utf-8"))
    assert moved["a"] == "http://127.0.0.1:5000/q"
    assert moved["b"] == "127.0.0.1:40001"
    assert (tmp_path / "dynamodb.json").read_text(encoding="utf-8") == text  # rows are somebody's


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "there")
    with pytest.raises(EngineStartError, match=r"are free for .*set BATCHOPS_HOME"):
        check_space(tmp_path, least_bytes=10**18)


@pytest.mark.parametrize("when", ["launched", "written"])
def test_an_engine_whose_start_is_interrupted_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    record, left = tmp_path / "engine.json", iter([KeyboardInterrupt()])
    owner, name = {
        "launched": (subprocess.Popen, "communicate"),
        "written": (Path, "replace"),
    }[when]
    real = getattr(owner, name)

    def interrupted_once(*given: Any, **options: Any) -> Any:
        if (error := next(left, None)) is not None:
            raise error
        return real(*given, **options)

    monkeypatch.setattr(owner, name, interrupted_once)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(KeyboardInterrupt):
        engine_process.launch(
            command, port=1, env={}, log_file=tmp_path / "log", record_file=record
        )
    process = engine_process.read_record(record)
    assert process is not None
    engine_process.end(process, timeout_s=10, scratch=tmp_path / "none")
    assert engine_process.read_record(record) is None


def test_a_full_disk_is_told_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(total=10**9, used=10**9, free=5_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    with pytest.raises(EngineStartError, match=r"needs 100 MB of disk, and 5 MB are free for"):
        LocalEngine(tmp_path / "engine", tmp_path / "env").install()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("method", "target", "changes"),
    [
        ("GET", "", False),
        ("HEAD", "", False),
        ("PUT", "", True),
        ("DELETE", "", True),
        ("POST", "", True),
        ("POST", "DynamoDB_20120810.GetItem", False),
        ("POST", "DynamoDB_20120810.Query", False),
        ("POST", "DynamoDB_20120810.PutItem", True),
        ("POST", "AWSStepFunctions.DescribeExecution", False),
        ("POST", "AWSStepFunctions.StartExecution", True),
    ],
)
def test_only_calls_that_change_something_are_noted(
    tmp_path: Path, emulator: Emulator, method: str, target: str, changes: bool
) -> None:
    keeper = Keeper(emulator.services(), tmp_path)
    assert keeper.save()
    headers = [(b"x-amz-target", target.encode())] if target else []
    said: list[Kept | None] = []

    async def application(*_: Any) -> None:
        said.append(Kept.read(tmp_path))
        keeper.save()  # of a moment before the change
        said.append(Kept.read(tmp_path))

    scope = {"type": "http", "method": method, "headers": headers}
    # In a thread of its own: where tests drive a browser, this one has a loop that runs.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, keep(application, keeper)(scope, None, None)).result()
    said.append(Kept.read(tmp_path))
    assert [kept is not None and kept.whole for kept in said] == [not changes, True, not changes]
