"""The one loop that follows a job: read how it stands, now and then, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef

# An upload's event mostly comes within seconds, sometimes after minutes (Amazon S3 user guide);
# on the local engine it comes at once. `inspection.unseen` starts the job before this time is up.
UNSEEN_S = {"aws": 300.0, "local": 30.0}


class Standing(Protocol):
    """How a job stands at one moment."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""

    @property
    def seen(self) -> bool:
        """Whether the ledger knows the job."""


StandingT = TypeVar("StandingT", bound=Standing)


def follow(
    job: JobRef,
    read: Callable[[], StandingT],
    *,
    timeout_s: float,
    refresh_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[StandingT]:
    """Yield each reading of a job until it has ended, or the time is up.

    The last reading's `ended` tells which of the two it was.

    Parameters
    ----------
    job
        The job; its upload's event may still be on its way.
    read
        Reads how it stands.
    timeout_s
        Seconds after which there are no more readings.
    refresh_s
        Seconds between two readings; by default the target's.
    clock
        Returns seconds that only grow.
    sleep
        Lets some seconds pass. If it returns something true, as the `wait` of a `threading.Event`
        that is set does, there are no more readings.

    Raises
    ------
    JobNotFoundError
        If the ledger does not come to know the job.
    """
    pause_s = job.stack.target.poll_s if refresh_s is None else refresh_s
    started = clock()
    while True:
        reading = read()
        yield reading
        waited_s = clock() - started
        if reading.ended or waited_s >= timeout_s:
            return
        if not reading.seen and waited_s >= UNSEEN_S[job.stack.target.name]:
            job.ledger_entry()  # raises unless the job has come in between
        if sleep(pause_s):
            return
