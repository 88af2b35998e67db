"""Start the local engine's process, find it again, and end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import psutil

from batchops.core.errors import EngineStartError
from batchops.core.loopback import open_local

if TYPE_CHECKING:
    from pathlib import Path

# Starts the engine and ends at once, so that the engine is nobody's child: it outlives whoever
# started it, and never stays behind as a zombie of a notebook.
_LAUNCHER = """
import subprocess, sys
with open(sys.argv[1], "ab") as log:
    engine = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log,
                              stderr=subprocess.STDOUT, start_new_session=True)
print(engine.pid)
engine.returncode = 0
"""
_HEALTH = "/_ministack/health"
# Boot time is told in whole seconds, and may be told otherwise between two readings.
_SAME_START_S = 1.5


@dataclass(frozen=True)
class EngineProcess:
    """A process that runs, or ran, the engine; the start time tells it from a reused id."""

    pid: int
    port: int
    started_s: float


def read_record(path: Path) -> EngineProcess | None:
    """Return the recorded process if it is alive."""
    try:
        process = EngineProcess(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return process if is_alive(process) else None


def last_port(path: Path) -> int | None:
    """Return the port of the last engine recorded, alive or not."""
    try:
        port: int = json.loads(path.read_text(encoding="utf-8"))["port"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return port


def launch(
    command: list[str], *, port: int, env: dict[str, str], log_file: Path, record_file: Path
) -> EngineProcess:
    """Start the command as a process of its own and record it.

    An interrupt waits for the record: of an engine that nobody knows, a second one would be started
    on the same state.
    """
    launcher = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(log_file), *command],
        env=env,
        cwd=record_file.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that Ctrl-C does not reach it
    )
    try:
        return _record(launcher, port=port, record_file=record_file)
    except KeyboardInterrupt:
        _record(launcher, port=port, record_file=record_file)
        raise


def _record(launcher: subprocess.Popen[str], *, port: int, record_file: Path) -> EngineProcess:
    """Record what a launcher has started."""
    said, complaint = launcher.communicate(timeout=30)
    if launcher.returncode != 0:
        raise EngineStartError("the local engine could not be executed", log=complaint.strip())
    pid = int(said)
    try:
        started_s = _started_s(psutil.Process(pid))
    except psutil.NoSuchProcess:
        started_s = 0.0  # gone already: whoever waits for it will see that
    process = EngineProcess(pid=pid, port=port, started_s=started_s)
    scratch = record_file.with_suffix(".new")
    scratch.write_text(json.dumps(asdict(process)), encoding="utf-8")
    scratch.replace(record_file)
    return process


def is_alive(process: EngineProcess) -> bool:
    """Return whether this process still runs."""
    return _find(process) is not None


def _started_s(process: psutil.Process) -> float:
    """Return when a process started, in seconds since boot.

    Not by the clock: psutil adds the boot time that the clock implies. Where the clock is set, as
    virtual machines do when they resume, the same process would seem to be another.
    """
    return process.create_time() - psutil.boot_time()


def _find(process: EngineProcess) -> psutil.Process | None:
    try:
        found = psutil.Process(process.pid)
        same = abs(_started_s(found) - process.started_s) < _SAME_START_S
        # A zombie is a process that has ended; only its parent has not asked yet.
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def answers(port: int, headers: Mapping[str, str], *, timeout_s: float = 5) -> bool:
    """Return whether the engine that takes these headers answers at the port."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{_HEALTH}", headers=dict(headers))
    try:
        with open_local(request, timeout_s=timeout_s) as response:
            status: int = response.status
    except (OSError, urllib.error.URLError):
        return False
    return status == 200


def wait_until_ready(
    process: EngineProcess, headers: Mapping[str, str], *, deadline: float
) -> bool:
    """Wait until the process answers; False when it has ended, or the time is up."""
    while is_alive(process):
        # The port may be another engine's, taken in the same moment: only its owner counts.
        if answers(process.port, headers) and _listens(process):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return False


def _listens(process: EngineProcess) -> bool:
    found = _find(process)
    if found is None:
        return False
    try:
        connections = found.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return True  # some systems do not tell; the port was free a moment ago
    return any(
        item.status == psutil.CONN_LISTEN and item.laddr.port == process.port
        for item in connections
    )


def end(process: EngineProcess, *, timeout_s: float, scratch: Path) -> None:
    """End the engine, and the functions that it runs out of the scratch folder.

    It is asked first, since only an engine that ends in order writes its state; it is killed when
    the time is up.
    """
    deadline = time.monotonic() + timeout_s
    found = _find(process)
    if found is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.terminate()
        # It writes its state, then waits for calls under way. Those are cut short, or a function
        # that has minutes left would keep it.
        if not _wait_gone(process, min(deadline, time.monotonic() + min(5, timeout_s / 3))):
            _end_workers(scratch)
        if not _wait_gone(process, deadline):
            with contextlib.suppress(psutil.NoSuchProcess):
                found.kill()
            _wait_gone(process, time.monotonic() + 5)
    _end_workers(scratch)


def _wait_gone(process: EngineProcess, deadline: float) -> bool:
    while is_alive(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def _end_workers(scratch: Path) -> None:
    """End the processes whose program lies in the scratch folder: the engine's functions."""
    prefix = f"{scratch}{os.sep}"
    workers = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(argument.startswith(prefix) for argument in process.info["cmdline"] or [])
    ]
    for worker in workers:
        with contextlib.suppress(psutil.Error):
            worker.terminate()
    _, stubborn = psutil.wait_procs(workers, timeout=2)
    for worker in stubborn:
        with contextlib.suppress(psutil.Error):
            worker.kill()
