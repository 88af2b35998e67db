"""What the local engine has kept: how far it came, and the addresses in it."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from batchops.core.errors import EngineStartError
from batchops.local.keeper import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

# State, objects and functions of a small job. With less, what fails first is anybody's guess.
LEAST_FREE_BYTES = 100_000_000
KEPT_WHOLE = "its state is kept"
_KILLED = "it ended without being stopped"
# What is somebody's text, in which an address is none of the engine's.
_OTHERS_TEXT = {"dynamodb", "cloudwatch_logs", "kept"}


def kept_in_words(state: Path) -> str:
    """Return how much of the state in a folder was kept; empty where no engine ran in it."""
    kept = Kept.read(state)
    if kept is None:
        return ""
    if kept.whole:
        return KEPT_WHOLE
    ended = f"it could not save all of its state ({kept.trouble})" if kept.trouble else _KILLED
    return f"{ended}; what is kept is {_as_of(kept)}"


def trouble_in_words(state: Path) -> str:
    """Return why the state was not saved the last time, in words; empty where it was."""
    kept = Kept.read(state)
    if kept is None or not kept.trouble:
        return ""
    return f"the state could not be saved ({kept.trouble}); what is kept is {_as_of(kept)}"


def jobs_cut_short(state: Path) -> tuple[str, ...]:
    """Return the jobs that ran when the state was saved for the last time."""
    kept = Kept.read(state)
    return () if kept is None else kept.running


def loss_in_words(state: Path, log_file: Path) -> str:
    """Return what was lost with the last engine that used a folder; empty where nothing was."""
    kept = Kept.read(state)
    if kept is None or kept.whole:
        return ""
    why = f"its last save failed: {kept.trouble}" if kept.trouble else "killed, or out of memory?"
    said = (
        f"the local engine was not stopped in order ({why}): it starts with its state "
        f"{_as_of(kept)}{_last_sign(kept, log_file)}, and what was done after that is lost"
    )
    if kept.running:
        jobs = ", ".join(kept.running)
        said += f". Jobs that ran then have failed; rerun them: {jobs}"
    return said


def _as_of(kept: Kept) -> str:
    return f"of {datetime.fromisoformat(kept.saved):%Y-%m-%d %H:%M:%S} UTC"


def _last_sign(kept: Kept, log_file: Path) -> str:
    try:
        last = datetime.fromtimestamp(log_file.stat().st_mtime, UTC)
        seconds = (last - datetime.fromisoformat(kept.saved)).total_seconds()
    except (OSError, ValueError):
        return ""
    return f", {seconds:,.0f} s before its last sign of life" if seconds >= 1 else ""


def move_addresses(state: Path, *, old_port: int, new_port: int) -> None:
    """Put the port that an engine will have in the place of the one that it had.

    Addresses of layers, queues and APIs are kept with the port. Some other program may listen at
    the old one by now, another engine for one.
    """
    old = re.compile(rf"((?:127\.0\.0\.1|localhost):){old_port}(?!\d)".encode())
    for path in _files(state):
        content = path.read_bytes()
        moved = old.sub(rb"\g<1>" + str(new_port).encode(), content)
        if moved != content:
            new = path.with_suffix(".json.new")
            new.write_bytes(moved)
            new.replace(path)


def _files(state: Path) -> Iterator[Path]:
    return (path for path in state.glob("*.json") if path.stem not in _OTHERS_TEXT)


def check_space(home: Path, *, least_bytes: int = LEAST_FREE_BYTES) -> None:
    """Refuse to start an engine that could not write.

    Raises
    ------
    EngineStartError
    """
    folder = home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < least_bytes:
        raise EngineStartError(
            f"the local engine needs {least_bytes / 1e6:,.0f} MB of disk, and "
            f"{free / 1e6:,.0f} MB are free for {home}: free some, or set BATCHOPS_HOME to a "
            "folder on another disk"
        )
