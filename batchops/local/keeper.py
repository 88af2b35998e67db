"""Save the local engine's state while it runs, so that an engine that is killed loses seconds.

MiniStack writes its state when it is stopped in order, and only then. Here a copy of the process
writes it, now and then while there is something new, and at once when a deployment or a job has
begun or ended: a copy, because it holds all services as they were at one moment, and stops nobody
while it writes. Files are replaced when all are written, so what is there is always whole.

How far it has come stands in `KEPT`, which also says whether anything has changed since. Where no
engine runs, that is what was lost with the last one.

It runs in the engine's environment, where batchops is not installed: it imports nothing of it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

# In the folder of the engine's state.
KEPT = "kept.json"
# So large, always: on a full disk it is written in place, where a longer one could not be.
_KEPT_BYTES = 4096
_MOST_JOBS = 8

_LOOK_S = 0.2
_LEAST_PAUSE_S = 3.0
# Of the time at most so much is spent saving: a tenth, and a third where a job has begun or ended.
_PAUSE_PER_SAVE = 10
_PAUSE_PER_TURN = 2
_SAVE_TIMEOUT_S = 60.0

# What operations are called that change nothing.
_READS = (b"Get", b"List", b"Describe", b"Query", b"Scan", b"BatchGet", b"Filter")
# What becomes of a stack whose engine ended before it was done. An update is deployed again.
_BROKEN_OFF = {
    "CREATE": "CREATE_FAILED",
    "ROLLBACK": "ROLLBACK_FAILED",
    "DELETE": "DELETE_FAILED",
}

_logger = logging.getLogger("batchops.keeper")


@dataclass(frozen=True)
class Kept:
    """How far the state in a folder has come."""

    saved: str  # ISO 8601
    whole: bool  # nothing has changed since
    running: tuple[str, ...] = ()  # jobs that ran when it was saved
    trouble: str = ""  # why the last attempt to save failed

    @classmethod
    def read(cls, state: Path) -> Kept | None:
        """Return what a folder of state says; None where no engine has kept anything in it."""
        try:
            found = json.loads((state / KEPT).read_text(encoding="utf-8"))
            return cls(**{**found, "running": tuple(found["running"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, state: Path) -> None:
        """Write it over what is there."""
        running = tuple(job[:200] for job in self.running[:_MOST_JOBS])
        cut = replace(self, running=running, trouble=self.trouble[:300])
        line = json.dumps(asdict(cut)).encode().ljust(_KEPT_BYTES)
        with os.fdopen(os.open(state / KEPT, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(line)


@dataclass(frozen=True)
class Services:
    """What is kept of the emulator.

    Parameters
    ----------
    files
        Return a function for each file of state, by its name without ``.json``; it returns the
        file's bytes, or None where the file is to stay as it is.
    jobs
        Return the jobs that run.
    deployments
        Return the stacks that are being deployed or deleted.
    tidy
        Delete what no file of state names any more.
    settle
        End what the emulator says is under way right after its start, and nobody does any more.
    """

    files: Callable[[], dict[str, Callable[[], bytes | None]]]
    jobs: Callable[[], set[str]]
    deployments: Callable[[], set[str]]
    tidy: Callable[[], None]
    settle: Callable[[], None]


class Keeper:
    """Saves the state of services into a folder, in a thread of its own."""

    def __init__(self, services: Services, state: Path) -> None:
        self._services = services
        self._state = state
        self._changed = threading.Event()
        self._noting = threading.Lock()
        self._stopped = threading.Event()
        self._saving = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="batchops-keeper", daemon=True)

    def start(self) -> None:
        """Begin to save, once the emulator has read its state."""
        self._services.settle()
        Kept(_now(), whole=True).write(self._state)
        self._thread.start()

    def note_change(self) -> None:
        """Note that there is something to save."""
        if self._changed.is_set():
            return
        with self._noting:
            self._changed.set()
            kept = Kept.read(self._state)
            if kept is not None and kept.whole:
                replace(kept, whole=False).write(self._state)

    def save_last(self, *_: Any) -> None:
        """Save what there is at the end of an engine that is stopped in order."""
        self._stopped.set()
        with self._saving:  # a copy that still writes would replace newer files
            running = self._services.jobs()
            if self._write():
                Kept(_now(), whole=True, running=tuple(sorted(running))).write(self._state)

    def _run(self) -> None:
        under_way: set[str] = set()
        pause_s, turned_pause_s, last = _LEAST_PAUSE_S, 0.0, time.monotonic()
        turned = False
        while not self._stopped.wait(_LOOK_S):
            now = self._services.jobs() | self._services.deployments()
            turned = turned or now != under_way
            under_way = now
            since = time.monotonic() - last
            due = since >= turned_pause_s if turned else self._changed.is_set() and since >= pause_s
            if not due:
                continue
            turned = False
            started = time.monotonic()
            self.save()
            last = time.monotonic()
            pause_s = max(_LEAST_PAUSE_S, _PAUSE_PER_SAVE * (last - started))
            turned_pause_s = _PAUSE_PER_TURN * (last - started)

    def save(self) -> bool:
        """Have a copy of this process write the state, and return whether it did."""
        with self._saving, warnings.catch_warnings():
            if self._stopped.is_set():
                return True
            # Of a fork in a process with threads: the copy has this one only, takes no lock that
            # is not reset in it, and is ended when it does not end.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._changed.clear()
            running, now, parent = self._services.jobs(), _now(), os.getpid()
            try:
                child = os.fork()
            except OSError as error:  # as where memory is short
                _logger.warning("the state could not be saved: %s", error)
                self._note_trouble(f"no copy of the engine could be made: {error.strerror}")
                self._changed.set()
                return False
            if child == 0:
                self._write_as_copy(parent)
            status = _wait_for(child, time.monotonic() + _SAVE_TIMEOUT_S)
            if os.WIFSIGNALED(status):
                self._note_trouble("what writes it was killed, or took too long")
            if status == 0:
                with self._noting, contextlib.suppress(OSError):
                    whole = not running and not self._changed.is_set()
                    Kept(now, whole, tuple(sorted(running))).write(self._state)
            else:
                self._changed.set()
            return status == 0

    def _write_as_copy(self, parent: int) -> None:
        code = 1
        try:
            # Or the port would stay taken when the original is killed.
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            # Or a signal to the copy would arrive in the loop of the original.
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            code = 0 if self._write(parent) else 1
        finally:
            os._exit(code)

    def _write(self, parent: int | None = None) -> bool:
        new: list[Path] = []
        try:
            for name, content in self._services.files().items():
                new += _write_beside(self._state / f"{name}.json", content())
            if parent is not None and os.getppid() != parent:
                return False  # killed meanwhile; another engine may read the files already
            for path in new:
                path.replace(path.with_suffix(""))
            self._services.tidy()
        except Exception as error:
            _logger.exception("the state could not be saved")
            for path in new:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            self._note_trouble(str(error) or type(error).__name__)
            return False
        return True

    def _note_trouble(self, said: str) -> None:
        before = Kept.read(self._state) or Kept(_now(), whole=False)
        with contextlib.suppress(OSError):
            replace(before, whole=False, trouble=said).write(self._state)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_beside(path: Path, content: bytes | None) -> Iterable[Path]:
    """Write what has changed beside the file that it is to replace, and return where."""
    if content is None:
        return
    with contextlib.suppress(OSError):
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            return
    new = path.with_suffix(".json.new")
    try:
        new.write_bytes(content)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    yield new


def _wait_for(child: int, deadline: float) -> int:
    """Wait for a copy of this process, killed when the time is up; return how it ended."""
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        if time.monotonic() >= deadline:
            _logger.warning("saving the state took more than %.0f s", _SAVE_TIMEOUT_S)
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


def ministack_services() -> Services:
    """Return what is kept of MiniStack, and have it leave the rest to the keeper."""
    from ministack import app
    from ministack.core import persistence
    from ministack.services import cloudformation, lambda_svc, stepfunctions

    referenced: set[str] = set()
    prune = lambda_svc._prune_orphan_code_blobs
    # It would delete code that the files of the last time still name.
    lambda_svc._prune_orphan_code_blobs = referenced.update

    def content(service: str, get_state: Callable[[], Any]) -> bytes | None:
        state = get_state()
        if state is None:
            return None
        document = {
            "__ministack_format__": persistence._state_format_version(service),
            "payload": state,
        }
        return json.dumps(document, default=persistence._json_default).encode()

    def files() -> dict[str, Callable[[], bytes | None]]:
        referenced.clear()
        found = app._build_persistence_save_dict()
        return {name: partial(content, name, get_state) for name, get_state in found.items()}

    def jobs() -> set[str]:
        # A list of the values is made at once; threads add to the executions meanwhile.
        return {
            execution["name"]
            for execution in list(stepfunctions._executions._data.values())
            if execution.get("status") == "RUNNING"
            and execution["stateMachineArn"].endswith("-main-orchestrator")
        }

    def deployments() -> set[str]:
        return {
            stack["StackName"]
            for stack in list(cloudformation._stacks._data.values())
            if stack.get("StackStatus", "").endswith("_IN_PROGRESS")
        }

    def settle() -> None:
        for stack in list(cloudformation._stacks._data.values()):
            status = stack.get("StackStatus", "")
            if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
                action = status.partition("_")[0]
                stack["StackStatus"] = _BROKEN_OFF.get(action, "UPDATE_ROLLBACK_COMPLETE")
                stack["StackStatusReason"] = "the local engine ended while this was under way"

    return Services(files, jobs, deployments, lambda: prune(referenced), settle)


def keep(application: Any, keeper: Keeper) -> Any:
    """Return an ASGI application that tells the keeper when its emulator is up, and is changed."""

    async def kept(scope: Any, receive: Any, send: Any) -> None:
        async def starting(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                keeper.start()
            await send(message)

        if scope["type"] == "lifespan":
            await application(scope, receive, starting)
            return
        changes = _may_change(scope)
        if changes:  # before, or an engine that is killed now would be taken for whole
            keeper.note_change()
        try:
            await application(scope, receive, send)
        finally:
            if changes:  # what was saved meanwhile may lack it
                keeper.note_change()

    return kept


def _may_change(scope: Any) -> bool:
    target = next((value for name, value in scope["headers"] if name == b"x-amz-target"), b"")
    reads = target.rpartition(b".")[2].startswith(_READS) if target else False
    return not reads and scope["method"] not in ("GET", "HEAD")
