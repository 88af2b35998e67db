"""Show a job's progress in a terminal, or line by line where there is none."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rich.console import Console

    from batchops.job import JobStatus

_TENTHS = 10


class JobProgress:
    """Takes a job's statuses as they are read, for ``job.wait(on_status=...)``.

    In a terminal one bar is kept up to date; elsewhere a line is printed per tenth of the chunks.

    Parameters
    ----------
    console
        Where to show it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ("", -1)
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} chunks"),
                TextColumn("{task.fields[rows]}"),
                TimeElapsedColumn(),
                console=console,
            )
            self._task = self._bar.add_task("waiting", total=None, rows="")

    def __enter__(self) -> JobProgress:
        """Start the bar, if there is one."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, status: JobStatus) -> None:
        """Show a status."""
        rows = f"{status.rows_done:,}/{status.rows:,} rows, {status.rows_rejected:,} rejected"
        if self._bar is not None:
            self._bar.update(
                self._task,
                description=status.status.lower(),
                completed=status.chunks_done + status.chunks_failed,
                total=status.chunks or None,
                rows=rows,
            )
            return
        done = status.chunks_done + status.chunks_failed
        tenth = done * _TENTHS // status.chunks if status.chunks else 0
        if (status.status, tenth) != self._last:
            self._last = (status.status, tenth)
            self._console.print(
                f"  {status.status.lower():<10} {done}/{status.chunks} chunks, {rows}"
            )
