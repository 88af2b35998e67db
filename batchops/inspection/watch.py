"""Watch a job, reading only the part of the ledger that may have changed.

The requests for a job of 20,000 chunks, up to 100 of them in progress, read every 2 s on AWS:

==================  =============  =============================================================
request             how often      quota (AWS service quotas, November 2026)
==================  =============  =============================================================
GetItem,            0.5 a second   none on requests; 3,000 read units a second per partition,
BatchGetItem,       each           12,000 on a new on-demand table. A poll takes at most some 100,
Query                              and each ended chunk is read once: 2,000 in all. Reading all
                                   chunks would take as many for every poll.
DescribeExecution   0.1 a second   bucket of 300, refilled by 15 a second
GetExecutionHistory 0.25 a second  of the main workflow only, where a display draws it: bucket of
                                   400, refilled by 20 a second
DescribeMapRun      never          1 a second; and it has no rows
==================  =============  =============================================================

With more than 100 chunks in progress, one Query from the first of them replaces BatchGetItem.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from batchops.core.errors import InputError
from batchops.core.following import follow
from batchops.inspection.front_ends import pick_view
from batchops.inspection.live import LivePictures
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
    interrupt_returns: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> JobStatus:
    """Show a job's progress until it has ended, and return its last status.

    A notebook and a terminal show the workflow as it lights up, and the chunks' timeline as it
    grows; of more than 80 chunks, the state of each.

    Ctrl-C (in a notebook: interrupt the kernel) and the end of `timeout_s` stop the display, not
    the job. A job that fails is shown as failed; that raises no error.

    Parameters
    ----------
    job
        The job.
    timeout_s
        The longest time to watch, in seconds.
    refresh_s
        Seconds between two readings; by default 2 on AWS and 0.2 on the local engine.
    console
        Where to show it. By default an output of the notebook, or standard output: lines that are
        updated in a terminal, elsewhere a line per tenth of the chunks.
    interrupt_returns
        Whether Ctrl-C returns the last status. Otherwise it raises KeyboardInterrupt as ever, once
        the display is closed.
    clock, sleep
        A function that returns seconds that only increase, and one that waits for some seconds.

    Raises
    ------
    InputError
        If `refresh_s` is not positive.
    JobNotFoundError
        If the job does not appear in the ledger.
    AwsError, EngineError
        If the status cannot be read.
    """
    if refresh_s is not None and refresh_s <= 0:
        raise InputError(f"refresh_s={refresh_s!r}: give seconds above 0, or leave it out")
    reader, view = StatusReader(job, clock=clock), pick_view(console)
    meter, status, note = Meter(job.id, clock=clock), JobStatus(WAITING), ""
    pictures = LivePictures(job, clock=clock)
    try:
        for status in follow(
            job, reader.read, timeout_s=timeout_s, refresh_s=refresh_s, clock=clock, sleep=sleep
        ):
            progress = meter.take(status, chunks_running=reader.running)
            if view.draws:
                progress = replace(progress, picture=pictures.read(status, reader.tally))
            view.show(progress)
        if view.draws and status.ended:
            for picture in pictures.last_reads(status, reader.tally, sleep):
                view.show(replace(progress, picture=picture))
        if not status.ended:
            note = f"no longer watched after {timeout_s:g} s; the job goes on"
    except KeyboardInterrupt:
        if not interrupt_returns:
            raise
        note = "no longer watched; the job goes on: watch() shows it again"
    finally:
        view.close(note)
    return status
