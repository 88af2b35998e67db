"""The panels of the job's chunks: by state, and how long they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from batchops.plots.chunk_plots import chunk_timeline, step_durations
from batchops.show import markup
from batchops.show.pictures import Picture, draw_picture

if TYPE_CHECKING:
    import pandas as pd

    from batchops.inspection.chunk_grid import ChunkGrid
    from batchops.job import Job
    from batchops.widgets.background import Background


class ChunkGridPanel:
    """The panel with the job's `ChunkGrid`."""

    def __init__(self) -> None:
        self.root = widgets.HTML()

    def show(self, grid: ChunkGrid) -> None:
        """Show a reading; an unchanged one is not sent to the browser."""
        # The progress panel above has the legend of the marks.
        note = markup.paragraph(grid.scale.removeprefix("; ")) if grid.scale else ""
        self.root.value = grid.cells_html() + note if grid.cells else ""

    def clear(self) -> None:
        """Show nothing."""
        self.root.value = ""


def draw_timings(chunks: pd.DataFrame) -> tuple[Picture, Picture]:
    """Return the plots of the chunks over time and of the durations of their steps."""
    return (
        draw_picture(lambda ax: chunk_timeline(chunks, ax=ax)),
        draw_picture(lambda ax: step_durations(chunks, ax=ax)),
    )


class TimingsPanel:
    """Plots of the chunks' times, read on demand: 20,000 chunks take ten queries."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._job: Job | None = None
        self.draw = widgets.Button(
            description="Draw timings",
            tooltip="Read the chunks' times and draw them",
            icon="bar-chart",
        )
        self.plots = widgets.HTML()
        self.plots.add_class("batchops-pictures")
        self.root = widgets.VBox([self.draw, self.plots])
        self.draw.on_click(lambda _: self.load())

    def show(self, job: Job | None) -> None:
        """Switch to another job; nothing is read yet."""
        self._background.forget("timings")
        self._job, self.plots.value = job, ""

    def load(self) -> None:
        """Read the chunks and draw the plots."""
        job = self._job
        if job is None:
            self.plots.value = markup.paragraph("Pick a job first.")
            return
        self._background.run(
            lambda: timings_html(job.chunks()),
            self._take,
            doing="drawing the timings",
            key="timings",
            busy=[self.draw],
        )

    def _take(self, content: str) -> None:
        self.plots.value = content


def timings_html(chunks: pd.DataFrame) -> str:
    """Return the plots as HTML of limited size."""
    return "".join(p._repr_html_() for p in draw_timings(chunks))
