"""The console on the deployed stack: one file from its upload to its repair, by buttons alone."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batchcore.csvtext import iter_records
from e2e.jobs import TIMEOUT_S
from support import hand_over

import batchops as bo
from batchops.core.loopback import open_local
from batchops.local.engine import LocalEngine
from batchops.widgets.background import THREAD_PREFIX
from batchops.widgets.console import Console

ROWS = 400
NAME = "console"


@pytest.fixture(scope="module")
def sample() -> bo.Sample:
    return bo.make_sample(ROWS, bad_share=0.05)


@pytest.fixture(scope="module")
def stack(
    engine: LocalEngine, sample: bo.Sample, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[bo.Stack]:
    files = sample.write(tmp_path_factory.mktemp("console"))
    stack = bo.Stack(NAME, engine=engine)
    stack.deploy(reference_data=files.reference, FileChunkSize=40)
    yield stack
    stack.destroy(dry_run=False, force=True)


@pytest.fixture
def open_console(
    stack: bo.Stack, engine: LocalEngine, tmp_path: Path
) -> Iterator[Callable[[], Console]]:
    """Give a function that opens a console, which closes the one before; nothing may be left."""
    consoles: list[Console] = []

    def open_one() -> Console:
        consoles.append(bo.console(NAME, engine=engine, root=tmp_path))
        assert consoles[-1].settle(TIMEOUT_S)
        return consoles[-1]

    yield open_one
    for console in consoles:
        console.close()
    for thread in threading.enumerate():
        if thread.name.startswith(THREAD_PREFIX):
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()


def wait_for(condition: Callable[[], bool], console: Console) -> None:
    """Wait for what the console is to come to by itself."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, str(console)
        time.sleep(0.05)


def status(console: Console) -> str:
    return console.progress.last.status.status if console.progress.last else ""


def agree(console: Console, part: Any) -> str:
    """Confirm what is proposed, and return what it said."""
    assert console.settle(TIMEOUT_S)
    said = str(part.confirmation.text.value)
    assert part.confirmation.open, console.messages.text
    part.confirmation.confirm.click()
    assert console.settle(TIMEOUT_S)
    return said


def test_a_file_goes_from_upload_through_stop_and_rerun_to_repair(
    open_console: Callable[[], Console], sample: bo.Sample, tmp_path: Path
) -> None:
    console = open_console()
    assert console.jobs.note.value == "no jobs"

    wrong = sample.csv.replace(b"Region,", b"", 1)
    hand_over(console.upload.file, "wrong.csv", wrong)
    assert console.settle(TIMEOUT_S)
    assert "columns missing: Region" in console.upload.confirmation.text.value
    assert console.upload.confirmation.confirm.layout.display == "none"
    console.upload.confirmation.cancel.click()

    hand_over(console.upload.file, "orders.csv", sample.csv, pieces=3)
    assert f"{ROWS:,} rows, 10 chunks" in agree(console, console.upload)
    job = console.job
    assert job is not None
    wait_for(lambda: bool(console.grid.root.value), console)
    console.actions.stop.click()
    assert "nothing is stopped yet" in agree(console, console.actions)
    wait_for(lambda: status(console) == "ABORTED", console)
    assert "is ABORTED" in console.messages.text

    console.actions.rerun.click()
    assert "as attempt 2; before, it ended ABORTED" in agree(console, console.actions)
    assert job.entry()["attempt"] == 2
    # As after a restart of the kernel: a new console shows the same job, live.
    console = open_console()
    assert console.job is not None
    assert console.job.id == job.id
    wait_for(lambda: status(console) == "SUCCEEDED", console)
    assert console.settle(TIMEOUT_S)
    assert console.grid.root.value.count("<span") == 10
    assert f"the job has {len(sample.bad)}" in console.errors.table.value

    _repair(console, tmp_path)
    _fetch(console, tmp_path)
    console.view.value = "Timings"
    assert console.settle(TIMEOUT_S)
    assert console.timings.plots.value.count('role="img" aria-label=') == 2
    console.view.value = "Logs"
    console.logs.function.value = "merge-s3-files"
    console.logs.read.click()
    assert console.settle(TIMEOUT_S)
    assert "the last" in console.logs.lines.value
    assert console.messages.text.startswith("a link to")


def _repair(console: Console, folder: Path) -> None:
    """Put the rows of the clean sample in for those that were rejected."""
    assert console.job is not None
    clean = list(iter_records(bo.make_sample(ROWS, bad_share=0).csv, delimiter=","))
    rejects = console.job.download(folder / "rejected.csv", rejected=True).read_bytes()
    header = rejects.partition(b"\n")[0]
    rows = [int(row) for row in console.job.rejects()["source_row"]]
    lines = [clean[row - 1].rstrip(b"\r\n") + b",%d,," % row for row in rows]
    part = console.actions.confirmation
    rules = console.job.rejects()["rules"].tolist()
    place = rules.index("Sales Channel: enum")
    damaged = list(lines)
    damaged[place] = damaged[place].replace(b",", b" ,", 2).replace(b" ,", b",", 1)
    hand_over(console.actions.repair, "damaged.csv", b"\n".join([header, *damaged, b""]))
    assert console.settle(TIMEOUT_S)
    assert f"{len(rows) - 1} fixed, 1 held" in part.text.value
    (box,) = part.choices.children
    assert box.description.startswith("Accept whitespace (fields: 1)")
    box.value = True
    assert console.settle(TIMEOUT_S)
    assert f"{len(rows)} fixed" in part.text.value
    part.cancel.click()

    hand_over(console.actions.repair, "fixed.csv", b"\n".join([header, *lines, b""]))
    assert f"{len(rows)} fixed" in agree(console, console.actions)
    wait_for(lambda: status(console) == "SUCCEEDED", console)
    assert console.settle(TIMEOUT_S)
    balance = console.job.balance(deep=True)
    assert balance.holds
    assert balance.rows_rejected == 0


def _fetch(console: Console, folder: Path) -> None:
    """Download the completed file, have a link made and the file handed over; all have each row."""
    console.actions.folder.value = str(folder)
    console.actions.download.click()
    assert "a new file" in agree(console, console.actions)
    stored = (folder / "orders.csv").read_bytes()
    assert len(list(iter_records(stored, delimiter=","))) == ROWS + 1
    console.actions.link.click()
    agree(console, console.actions)
    address, data = (part.split('"')[0] for part in console.messages.root.value.split('href="')[1:])
    address = address.replace("&amp;", "&")
    assert base64.b64decode(data.removeprefix("data:text/csv;base64,")) == stored
    with open_local(address, timeout_s=TIMEOUT_S) as answer:
        assert answer.read() == stored
