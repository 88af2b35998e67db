"""The panel of the job's progress: a bar with the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

if TYPE_CHECKING:
    from batchops.inspection.progress import Progress

NOTHING = "<p>No job is picked.</p>"


class ProgressPanel:
    """The panel with the job's `Progress`."""

    def __init__(self) -> None:
        self.root = widgets.HTML(NOTHING)
        self.last: Progress | None = None

    def show(self, progress: Progress) -> None:
        """Show a reading; an unchanged one is not sent to the browser."""
        self.last = progress
        self.root.value = progress._repr_html_()

    def clear(self) -> None:
        """Show that no job is picked."""
        self.last, self.root.value = None, NOTHING
