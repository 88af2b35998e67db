"""A deployment's events as they come: one display in a notebook, lines elsewhere."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from rich.console import Console

from batchops.show import markup
from batchops.show.displays import NotebookOutput, in_notebook

if TYPE_CHECKING:
    from batchops.deployment.stack_state import StackEvent

_COLUMNS = ("time (UTC)", "status", "resource", "type")
_SHOWN = 8


class StackEvents:
    """Shows the events of a deployment: ``stack.deploy(on_event=StackEvents())``.

    In a notebook one display is kept up to date: how many resources are in which state, the last
    events, and every failure. Elsewhere each event is a line.

    Parameters
    ----------
    console
        Where to print the lines; by default the notebook's output, or the standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = None if console is None and in_notebook() else console or Console()
        self._output = NotebookOutput()
        self._last: deque[StackEvent] = deque(maxlen=_SHOWN)
        self._failures: list[StackEvent] = []
        self._states: dict[str, str] = {}

    def __call__(self, event: StackEvent) -> None:
        """Show an event."""
        self._last.append(event)
        self._states[event.logical_id] = event.status
        if event.failed:
            self._failures.append(event)
        if self._console is not None:
            line = f"  {event}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            self._output.show(self._repr_html_(), str(self))

    def __str__(self) -> str:
        """Say how many resources are in which state."""
        counts = Counter(self._states.values()).most_common()
        return ", ".join(f"{count:,} {status}" for status, count in counts) or "no events yet"

    def _repr_html_(self) -> str:
        rows = [
            (f"{event.time:%H:%M:%S}", event.status, event.logical_id, event.resource_type)
            for event in self._last
        ]
        return (
            markup.paragraph(self) + markup.table(_COLUMNS, rows) + markup.bullets(self._failures)
        )
