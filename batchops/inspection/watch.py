"""Watch a job, reading no more of the ledger than what may have changed.

What it takes for a job of 20,000 chunks, up to 100 of them in progress, read every 2 s on AWS:

==================  =============  =============================================================
request             how often      quota (AWS service quotas, November 2026)
==================  =============  =============================================================
GetItem,            0.5 a second   none on requests; 3,000 read units a second on a partition,
BatchGetItem,       each           12,000 on a new on-demand table. A poll takes at most some 100,
Query                              and each chunk that has ended is read once: 2,000 in all,
                                   where reading all chunks takes as many on every poll.
DescribeExecution   0.1 a second   bucket of 300, refilled by 15 a second
DescribeMapRun      never          1 a second; and it knows nothing of rows
==================  =============  =============================================================

Where more than 100 chunks are in progress, one Query from the first of them takes the place of
BatchGetItem.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from batchops.core.errors import InputError
from batchops.core.following import follow
from batchops.inspection.front_ends import pick_view
from batchops.inspection.progress import Meter
from batchops.inspection.status import WAITING, JobStatus, StatusReader

if TYPE_CHECKING:
    from rich.console import Console

    from batchops.core.job_ref import JobRef


def watch(
    job: JobRef,
    *,
    timeout_s: float = 3600,
    refresh_s: float | None = None,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> JobStatus:
    """Show how a job comes along until it has ended, and return its last status.

    Ctrl-C (in a notebook: interrupt the kernel) stops the watching and leaves the job alone; so
    does the end of `timeout_s`. A job that fails is shown as failed, and raises nothing.

    Parameters
    ----------
    job
        The job.
    timeout_s
        Seconds to watch at most.
    refresh_s
        Seconds between two readings; by default 2 on AWS and 0.2 on the local engine.
    console
        Where to show it. By default one output of the notebook, or else the standard output: in
        a terminal lines that are kept up to date, elsewhere a line per tenth of the chunks.
    clock, sleep
        Seconds that only grow, and how to let some pass.

    Raises
    ------
    InputError
        If `refresh_s` is not positive.
    JobNotFoundError
        If the ledger does not come to know the job.
    AwsError, EngineError
        If the status cannot be read.
    """
    if refresh_s is not None and refresh_s <= 0:
        raise InputError(f"refresh_s={refresh_s!r}: give seconds above 0, or leave it out")
    reader, view = StatusReader(job, clock=clock), pick_view(console)
    meter, status, note = Meter(job.id, clock=clock), JobStatus(WAITING), ""
    try:
        for status in follow(
            job, reader.read, timeout_s=timeout_s, refresh_s=refresh_s, clock=clock, sleep=sleep
        ):
            view.show(meter.take(status, chunks_running=reader.running))
        if not status.ended:
            note = f"no longer watched after {timeout_s:g} s; the job goes on"
    except KeyboardInterrupt:
        note = "no longer watched; the job goes on: watch() shows it again"
    finally:
        view.close(note)
    return status
