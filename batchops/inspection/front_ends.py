"""The displays of a job's progress: in a notebook, in a terminal, as lines of a log."""

from __future__ import annotations

import html
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from batchcore.texts import number_of, visible
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batchops.inspection.progress import Meter, Progress
from batchops.show.chunk_bars import STEP_COLOURS
from batchops.show.displays import NotebookOutput, in_notebook
from batchops.show.marks import COLOURS

if TYPE_CHECKING:
    from batchops.inspection.live import LivePicture
    from batchops.inspection.status import JobStatus


class View(Protocol):
    """A display of progress.

    Attributes
    ----------
    draws : bool
        Whether it shows the picture of a progress.
    """

    draws: bool

    def show(self, progress: Progress) -> None:
        """Show the job's progress now."""

    def close(self, note: str = "") -> None:
        """Keep the last state on display, with a note below."""


class NotebookView:
    """One output of a notebook cell, updated in place."""

    draws = True

    def __init__(self) -> None:
        self._output = NotebookOutput()
        self._last: Progress | None = None

    def show(self, progress: Progress) -> None:
        """Replace the display with the progress."""
        self._last = progress
        self._display(progress, "")

    def close(self, note: str = "") -> None:
        """Add the note, if there is one."""
        if note and self._last is not None:
            self._display(self._last, note)

    def _display(self, progress: Progress, note: str) -> None:
        below = f"<div><i>{html.escape(visible(note))}</i></div>" if note else ""
        self._output.show(
            progress._repr_html_() + below, "\n".join(filter(None, (str(progress), note)))
        )


class TerminalView:
    """A few lines at the bottom of a terminal, updated in place."""

    draws = True

    def __init__(self, console: Console) -> None:
        self._console = console
        # Each reading refreshes it, no thread does.
        self._live = Live(console=console, auto_refresh=False)

    def show(self, progress: Progress) -> None:
        """Replace the display with the progress."""
        self._live.start()
        self._live.update(self._draw(progress), refresh=True)

    def close(self, note: str = "") -> None:
        """Keep the display, and print the note."""
        self._live.stop()
        if note:
            self._console.print(visible(note), markup=False)

    def _draw(self, progress: Progress) -> Table:
        # Without markup: ids and reasons may have square brackets.
        head = Text.assemble(
            (visible(progress.phase), "bold"), " ", (visible(progress.job_id), "dim")
        )
        status = progress.status
        bar = ProgressBar(
            # Without a total, until the chunks are known, the bar shows activity.
            total=status.chunks or (1 if status.ended else None),
            completed=progress.chunks_ended,
            width=min(60, self._console.width),
        )
        chunks = Text(f"{number_of(status.chunks, 'chunk')}: ")
        for state, count in progress.chunks_by_state.items():
            chunks.append("\N{BLACK SQUARE} ", style=COLOURS[state])
            chunks.append(f"{count:,} {state}  ")
        lines = Table.grid()
        for part in (head, bar, Text(", ".join(progress.facts)), chunks):
            lines.add_row(part)
        if status.reason:
            lines.add_row(Text(visible(status.reason), style="red"))
        for part in self._pictures(progress.picture):
            lines.add_row(part)
        return lines

    def _pictures(self, picture: LivePicture | None) -> Iterator[Text]:
        """Yield the lines of the pictures, as many as there is room for."""
        if picture is None:
            return
        if picture.grid:
            yield Text(str(picture.grid))
        if picture.graph:
            yield Text(str(picture.graph))
        if picture.timeline and picture.timeline.bars:
            above = str(picture.graph).count("\n") if picture.graph else 0
            room = max(self._console.height - above - 9, 3)
            width = max(1, min(80, self._console.width - 12))
            bars = list(picture.timeline.lines(width=width))
            for chunk, runs in bars[-room:]:
                yield Text.assemble(
                    f"{chunk:>6} ", *((text, STEP_COLOURS.get(kind, "dim")) for kind, text in runs)
                )
            yield Text(picture.timeline.legend(), style="dim")


class LineView:
    """One line per phase and per tenth of the chunks, for logs and pipes."""

    draws = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ("", -1)

    def show(self, progress: Progress) -> None:
        """Print a line if the phase or the tenth has changed."""
        if (progress.phase, progress.tenth) != self._last:
            self._last = (progress.phase, progress.tenth)
            self._print(f"  {progress}")

    def close(self, note: str = "") -> None:
        """Print the note, if there is one."""
        if note:
            self._print(f"  {visible(note)}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def pick_view(console: Console | None = None) -> View:
    """Return the display for a console; without one that of a notebook or of standard output."""
    if console is None and in_notebook():
        return NotebookView()
    console = console or Console()
    return TerminalView(console) if console.is_terminal else LineView(console)


class JobProgress:
    """Shows each status of a job as it is read, for ``job.wait(on_status=...)``.

    Parameters
    ----------
    console
        Where to show it; by default the notebook's output, or standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._view = pick_view(console)
        self._meter = Meter()

    def __enter__(self) -> JobProgress:
        """Return the display itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the last state on display."""
        self._view.close()

    def __call__(self, status: JobStatus) -> None:
        """Show a status."""
        self._view.show(self._meter.take(status))
