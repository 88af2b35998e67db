"""Lock between processes by a file."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchops.core.project import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def file_lock(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock while the body runs; the system releases it if the process dies.

    Raises
    ------
    TimeoutError
        Another process, or another thread of this one, held it all the time.
    """
    make_private(path.parent)
    deadline = time.monotonic() + timeout_s
    with path.open("a") as handle:
        while not _try_lock(handle.fileno()):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path} was still locked after {timeout_s:.0f} s")
            time.sleep(0.05)
        # Closing the file lets the lock go. The file itself stays: removing it would let two
        # processes hold "the" lock, one on the old file and one on the new.
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
