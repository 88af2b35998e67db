"""Show how far a read has come, once it has taken a second: on a terminal, and in a notebook."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from batchops.show.displays import NotebookOutput, in_notebook

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.progress import Progress

_AFTER_S = 1.0
_EVERY_S = 0.2


class SlowRead:
    """Shows a count while data is read, and removes it at the end.

    In a notebook it stands in the cell's output, on a terminal on standard error. Elsewhere, in a
    pipe or a log or another thread than the main one, nothing is shown.

    Parameters
    ----------
    what
        What is read, such as ``errors``.
    after_s
        Seconds until it is shown.
    console
        The terminal; by default standard error.
    """

    def __init__(
        self, what: str, *, after_s: float = _AFTER_S, console: Console | None = None
    ) -> None:
        self._what = what
        self._due = time.monotonic() + after_s
        self._console = console
        self._output: NotebookOutput | None = None
        self._progress: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> SlowRead:
        """Begin to count the time."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the display."""
        if self._output is not None:
            self._output.show("", "")
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, done: int) -> None:
        """Say how much has been read so far."""
        now = time.monotonic()
        if now < self._due or threading.current_thread() is not threading.main_thread():
            return
        self._due = now + _EVERY_S
        text = f"{self._what}: {done:,} so far"
        if in_notebook():
            self._output = self._output or NotebookOutput()
            self._output.show(text, text)
            return
        if self._progress is None:
            self._start()
        if self._progress is not None:
            self._progress.update(self._task, description=text)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = self._console or Console(stderr=True)
        if console.is_terminal:
            self._progress = Progress(console=console, transient=True)
            self._task = self._progress.add_task(self._what, total=None)
            self._progress.start()
