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

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from batchops.errors import InputError
from batchops.status import WAITING, JobStatus, StatusReader
from batchops.views.front_ends import pick_view
from batchops.views.progress import Meter, Progress

if TYPE_CHECKING:
    from rich.console import Console

    from batchops.job import Job
    from batchops.stack import Stack


def watch(
    job: Job,
    *,
    timeout_s: float = 3600,
    unseen_s: float = math.inf,
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
    unseen_s
        Seconds for which the ledger may not know the job, whose upload's event is on its way.
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
    pause_s = job.stack.target.poll_s if refresh_s is None else refresh_s
    if pause_s <= 0:
        raise InputError(f"refresh_s={refresh_s!r}: give seconds above 0, or leave it out")
    reader, view = StatusReader(job.stack, job.id, clock=clock), pick_view(console)
    meter, deadline = Meter(job.id, clock=clock), clock() + timeout_s
    unseen_until = clock() + unseen_s
    status, note = JobStatus(WAITING), ""
    try:
        while not status.ended:
            status = reader.read()
            view.show(meter.take(status, chunks_running=reader.running))
            if not status.ended:
                if clock() >= deadline:
                    note = f"no longer watched after {timeout_s:g} s; the job goes on"
                    break
                if status.status == WAITING and clock() >= unseen_until:
                    job.entry()
                sleep(pause_s)
    except KeyboardInterrupt:
        note = "no longer watched; the job goes on: watch() shows it again"
    finally:
        view.close(note)
    return status


def progress_of(stack: Stack, job_id: str) -> Progress:
    """Read once how a job comes along; of its speed one reading says nothing."""
    reader = StatusReader(stack, job_id)
    return Meter(job_id).take(reader.read(), chunks_running=reader.running)
