"""The progress of a job: phase, chunks by state, speed and time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.texts import number_of, printable

from batchops.show import markup
from batchops.show.marks import COLOURS, mark_html
from batchops.show.numbers import format_duration
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.inspection.live import LivePicture
    from batchops.inspection.status import JobStatus

# Long enough to even out chunks that end together, short enough to notice a stall.
WINDOW_S = 60.0
_TENTHS = 10


@dataclass(frozen=True)
class Progress(Shown):
    """The progress of a job at one moment.

    Attributes
    ----------
    status : JobStatus
        The status that was read.
    elapsed_s : float
        Seconds since the watching began.
    chunks_running : int or None
        Chunks in progress; None if they were not counted.
    rows_per_s, eta_s : float or None
        Recent rows per second, and the seconds until the last chunk ends at that rate; after the
        job's end, the rate over the whole time watched. None if not known.
    job_id : str
        The job.
    picture : LivePicture or None
        Its workflow and its chunks, for displays that draw them.
    """

    status: JobStatus
    elapsed_s: float = 0.0
    chunks_running: int | None = None
    rows_per_s: float | None = None
    eta_s: float | None = None
    job_id: str = ""
    picture: LivePicture | None = field(default=None, repr=False, compare=False)

    @property
    def chunks_ended(self) -> int:
        """Chunks that succeeded or failed."""
        return self.status.chunks_done + self.status.chunks_failed

    @property
    def tenth(self) -> int:
        """The tenths of the chunks that have ended, 0 to 10."""
        chunks = self.status.chunks
        return self.chunks_ended * _TENTHS // chunks if chunks else 0

    @property
    def phase(self) -> str:
        """The status in lower case; of a running job splitting, running or merging."""
        status = self.status
        if status.ended or status.status not in (workflow.SUBMITTED, workflow.RUNNING):
            return status.status.lower()
        if not status.chunks:
            return "splitting"
        return "merging" if self.chunks_ended == status.chunks else "running"

    @property
    def chunks_by_state(self) -> dict[str, int]:
        """Chunks done, failed, running and waiting; running ones as waiting if not counted."""
        status = self.status
        found = {"done": status.chunks_done, "failed": status.chunks_failed}
        left = max(status.chunks - self.chunks_ended, 0)
        if self.chunks_running is None:
            return {**found, "waiting": left}
        running = min(self.chunks_running, left)
        return {**found, "running": running, "waiting": left - running}

    @property
    def facts(self) -> list[str]:
        """Rows, rejected rows, speed and times, each as a text."""
        status = self.status
        found = [
            f"{status.rows_done:,}/{number_of(status.rows, 'row')}",
            f"{status.rows_rejected:,} rejected",
        ]
        if self.rows_per_s is not None:
            found.append(f"{self.rows_per_s:,.0f} rows/s")
        if self.eta_s is not None:
            found.append(f"{format_duration(self.eta_s)} left")
        return [*found, f"after {format_duration(self.elapsed_s)}"]

    def _blocks(self) -> Iterator[Block]:
        yield Block(self._line(), self._bar() + (self.picture.html() if self.picture else ""))

    def _line(self) -> str:
        counts = ", ".join(
            f"{n:,} {self._word(state)}" for state, n in self.chunks_by_state.items() if n
        )
        chunks = f"{self.phase:<9} {self.chunks_ended:,}/{number_of(self.status.chunks, 'chunk')}"
        text = ", ".join([chunks, *self.facts])
        if counts:
            text += f"; chunks: {counts}"
        return printable(f"{text}: {self.status.reason}") if self.status.reason else text

    def _word(self, state: str) -> str:
        if state == "failed":
            return self.status.failed_word
        # Nothing waits any more in a job that has ended.
        return "not done" if state == "waiting" and self.status.ended else state

    def _bar(self) -> str:
        """Return a bar of the chunks by state, with the numbers below, as HTML."""
        states = self.chunks_by_state
        total = max(self.status.chunks, 1)
        bar = "".join(
            f'<span style="width:{100 * count / total:.2f}%;background:{COLOURS[state]}"></span>'
            for state, count in states.items()
            if count and state != "waiting"
        )
        counts = ", ".join(
            f"{mark_html(state)} {count:,} {self._word(state)}" for state, count in states.items()
        )
        reason = f"<div>{markup.one_line(self.status.reason)}</div>" if self.status.reason else ""
        return (
            '<div class="batchops-progress" style="max-width:56em;line-height:1.6">'
            f"<div><b>{markup.one_line(self.phase)}</b> {markup.one_line(self.job_id)}</div>"
            f'<div role="progressbar" aria-valuemin="0" aria-valuemax="{self.status.chunks}" '
            f'aria-valuenow="{self.chunks_ended}" style="display:flex;height:0.8em;'
            f'background:rgba(128,128,128,0.3)">{bar}</div>'
            f"<div>{' &middot; '.join(map(markup.one_line, self.facts))}</div>"
            f"<div>{number_of(self.status.chunks, 'chunk')}: {counts}</div>{reason}</div>"
        )


class Meter:
    """Turns the statuses of one job, as they are read, into its progress.

    Parameters
    ----------
    job_id
        The job's id, for the display.
    clock
        Returns seconds that only increase.
    """

    def __init__(self, job_id: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._job_id = job_id
        self._clock = clock
        self._started = clock()
        self._first: tuple[float, int] | None = None
        self._samples: deque[tuple[float, int]] = deque()

    def take(self, status: JobStatus, *, chunks_running: int | None = None) -> Progress:
        """Return the progress for a status that was just read."""
        now = self._clock()
        if status.chunks:  # the time of the split says nothing about the speed of chunks
            sample = (now, status.rows_done)
            self._first = self._first or sample
            # Nor does the time until the first chunk has ended: functions start cold in it.
            if status.rows_done:
                self._samples.append(sample)
            while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW_S:
                self._samples.popleft()
        if status.ended:
            rate = row_rate(filter(None, (self._first, (now, status.rows_done))))
        else:
            rate = row_rate(self._samples)
        return Progress(
            status=status,
            elapsed_s=now - self._started,
            chunks_running=chunks_running,
            rows_per_s=rate,
            eta_s=None if status.ended else remaining_s(status, rate),
            job_id=self._job_id,
        )


def row_rate(samples: Iterable[tuple[float, int]]) -> float | None:
    """Return rows per second between the first and the last sample of (seconds, rows done).

    None if it is not known: there is one sample, or no progress in less than a window.
    """
    found = list(samples)
    if len(found) < 2:
        return None
    (first_s, first_rows), (last_s, last_rows) = found[0], found[-1]
    seconds, rows = last_s - first_s, last_rows - first_rows
    if seconds <= 0 or (rows <= 0 and seconds < WINDOW_S):
        return None
    return max(rows, 0) / seconds


def remaining_s(status: JobStatus, rows_per_s: float | None) -> float | None:
    """Return the seconds until the last chunk ends; None if that is not known."""
    not_done = status.chunks - status.chunks_done
    unfinished = not_done - status.chunks_failed
    if not rows_per_s or unfinished <= 0:
        return None
    # The rows of failed chunks will not come; they are not counted, so this subtracts their share.
    return (status.rows - status.rows_done) * unfinished / not_done / rows_per_s
