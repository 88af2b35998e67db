"""Follow one job in a thread until it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchops.core.following import follow
from batchops.inspection.chunk_grid import ChunkGrid, grid_of
from batchops.inspection.progress import Meter, Progress
from batchops.inspection.status import WAITING, JobStatus, StatusReader
from batchops.widgets.background import THREAD_PREFIX, describe_error

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef

# What a browser can draw and a person can follow; AWS is read every 2 s at most, see
# `batchops.inspection.watch`.
MIN_REFRESH_S = 1.0
# A failed reading is repeated after twice the time; this many in a row end the following.
MAX_FAILURES = 5
_MAX_PAUSE_S = 60.0

OnRead = Callable[[Progress, ChunkGrid], None]


class Follower:
    """Reads a job's status until the job has ended, or the follower is stopped.

    Parameters
    ----------
    job
        The job, which need not be in the ledger yet.
    on_read
        Called with each reading, from the follower's thread.
    on_end
        Called when the job has ended.
    on_trouble
        Called with a message when a reading fails, and when the follower gives up.
    refresh_s
        Seconds between two readings.
    timeout_s
        The longest time to follow the job, in seconds.
    """

    def __init__(
        self,
        job: JobRef,
        *,
        on_read: OnRead,
        on_end: Callable[[], None],
        on_trouble: Callable[[str], None],
        refresh_s: float,
        timeout_s: float,
    ) -> None:
        self._job = job
        self._on_read, self._on_end, self._on_trouble = on_read, on_end, on_trouble
        self._refresh_s, self._timeout_s = refresh_s, timeout_s
        self._reader, self._meter = StatusReader(job), Meter(job.id)
        self._status, self._failures = JobStatus(WAITING), 0
        self._stopped = threading.Event()
        # A daemon, so that a kernel that is shut down does not wait for it.
        self._thread = threading.Thread(
            target=self._follow, name=f"{THREAD_PREFIX}-follower", daemon=True
        )

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; a reading in progress is not passed on."""
        self._stopped.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; return False if it still runs."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _follow(self) -> None:
        options: Any = {"timeout_s": self._timeout_s, "refresh_s": self._refresh_s}
        try:
            for _ in follow(self._job, self._read, sleep=self._pause, **options):
                if self._stopped.is_set() or self._failures == MAX_FAILURES:
                    break
        except Exception as error:  # such as a job that does not appear in the ledger
            self._failures = MAX_FAILURES
            self._tell(describe_error(error, f"following job {self._job.id}"))
        if self._failures == MAX_FAILURES:
            self._tell(f"gave up following job {self._job.id}: press Refresh to go on")
        elif not self._status.ended:
            self._tell(
                f"job {self._job.id} is followed no longer, after {self._timeout_s:g} s: it goes "
                "on; press Refresh to go on following it"
            )
        elif not self._stopped.is_set():
            self._on_end()

    def _read(self) -> JobStatus:
        """Read the status and pass it on; if that fails, return the previous one."""
        try:
            self._status = self._read_once()
            self._failures = 0
        except Exception as error:  # shown where people look, not in a thread's traceback
            self._failures += 1
            self._tell(describe_error(error, f"following job {self._job.id}"))
        return self._status

    def _read_once(self) -> JobStatus:
        reader = self._reader
        status = reader.read()
        if not self._stopped.is_set():
            progress = self._meter.take(status, chunks_running=reader.running)
            if reader.age_s is not None:  # the job may be older than the console
                progress = replace(progress, elapsed_s=reader.age_s)
            self._on_read(progress, grid_of(self._job.id, status, reader.tally))
        return status

    def _pause(self, seconds: float) -> bool:
        """Wait, longer after failed readings; return whether to stop."""
        return self._stopped.wait(min(seconds * 2**self._failures, _MAX_PAUSE_S))

    def _tell(self, text: str) -> None:
        if not self._stopped.is_set():
            self._on_trouble(text)
