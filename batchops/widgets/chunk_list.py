"""The list of a job's chunks: one that is picked shows all that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from batchcore import workflow
from batchcore.texts import number_of, printable

from batchops.inspection.frames import chunks_frame
from batchops.show import markup
from batchops.show.terminal import shorten
from batchops.show.wording import for_console
from batchops.widgets.errors_panel import parse_range
from batchops.widgets.grid import Grid, number_texts, status_text
from batchops.widgets.theme import make_row

if TYPE_CHECKING:
    import pandas as pd

    from batchops.inspection.chunk_detail import ChunkDetail
    from batchops.job import Job
    from batchops.widgets.background import Background

# Those that a browser draws at once.
MOST_CHUNKS = 500
ANY, FAILED, RUNNING, REJECTING = "any", "not succeeded", "running", "with rejected rows"
_HOW = "Pick a chunk to see its rows, errors, log, input and output."
_MAX_REASON = 200


def choose_chunks(
    chunks: pd.DataFrame, *, state: str = ANY, numbers: tuple[int | None, int | None] = (None, None)
) -> pd.DataFrame:
    """Return the chunks of a state, and of a range of numbers, both ends included.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it.
    """
    first, last = numbers
    found = chunks
    if first is not None:
        found = found[found["chunk"] >= first]
    if last is not None:
        found = found[found["chunk"] <= last]
    if state == FAILED:
        return found[found["end"].notna() & (found["status"] != workflow.SUCCEEDED)]
    if state == RUNNING:
        return found[found["status"] == workflow.RUNNING]
    if state == REJECTING:
        return found[found["rejected"].fillna(0) > 0]
    return found


def chunks_grid(chunks: pd.DataFrame) -> pd.DataFrame:
    """Return chunks as the texts that the grid shows, one line each.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it, and ``reason`` (str).
    """
    import pandas as pd

    seconds = (chunks["end"] - chunks["start"]).dt.total_seconds()
    texts = {
        "Chunk": number_texts(chunks["chunk"]),
        "Status": [status_text(status) for status in chunks["status"]],
        "Rows": number_texts(chunks["rows"]),
        "Accepted": number_texts(chunks["valid"]),
        "Rejected": number_texts(chunks["rejected"]),
        "Errors": number_texts(chunks["errors"]),
        "Seconds": number_texts(seconds, ",.1f"),
        "Attempt": number_texts(chunks["attempt"]),
        "Failed step": _texts(chunks["failed_step"]),
        "Reason": _texts(chunks["reason"]),
    }
    return pd.DataFrame(texts, dtype="str")


def _texts(values: pd.Series[Any]) -> list[str]:
    return [printable(shorten(text, _MAX_REASON)) for text in values.fillna("").astype(str)]


class ChunkList:
    """The grid of chunks, and below it the one that is picked.

    Parameters
    ----------
    background
        Reads the chunks.
    """

    def __init__(self, background: Background) -> None:
        self._background = background
        self._job: Job | None = None
        self.state = widgets.Dropdown(
            options=(ANY, FAILED, RUNNING, REJECTING),
            description="Status",
            tooltip="Show only these chunks",
            layout=widgets.Layout(width="230px"),
        )
        self.numbers = widgets.Text(
            description="Chunks",
            placeholder="7 or 2-600",
            tooltip="Show only chunks of these numbers",
            continuous_update=False,
            layout=widgets.Layout(width="190px"),
        )
        self.note = widgets.HTML()
        self.grid = Grid("chunks", height="230px", several=False, on_pick=self._picked)
        self.detail = widgets.HTML()
        self.detail.add_class("batchops-detail")
        self.detail.add_class("batchops-pictures")
        self.root = widgets.VBox(
            [make_row(self.state, self.numbers, self.note), self.grid.root, self.detail]
        )
        for each in (self.state, self.numbers):
            each.observe(lambda _: self.load(), "value")

    def show(self, job: Job | None) -> None:
        """Switch to another job; nothing is read yet."""
        for key in ("chunks", "chunk"):
            self._background.forget(key)
        self._job, self.note.value = job, ""
        self.grid.clear()
        self.detail.value = ""

    def load(self) -> None:
        """Read the chunks that the controls choose."""
        job = self._job
        if job is None:
            self.note.value = "Pick a job first."
            return
        self._background.run(
            lambda: self._read(job),
            self._take,
            doing="reading the chunks",
            key="chunks",
            # What another filter found must not stand under one that was refused.
            on_error=lambda: self._fill(None),
        )

    def _read(self, job: Job) -> pd.DataFrame:
        numbers = parse_range(self.numbers.value, "chunks")
        entries = list(job.chunk_entries())
        chunks = chunks_frame(entries).assign(reason=[each.reason for each in entries])
        return choose_chunks(chunks, state=self.state.value, numbers=numbers)

    def _take(self, chunks: pd.DataFrame) -> None:
        shown = chunks.head(MOST_CHUNKS)
        said = number_of(len(chunks), "chunk")
        if len(chunks) > len(shown):
            said = f"the first {len(shown):,} of {said}: choose others by their numbers"
        self.note.value = said
        self._fill(shown)

    def _fill(self, chunks: pd.DataFrame | None) -> None:
        if chunks is None:
            self.grid.clear()
            self.note.value = ""
        else:
            keys = [str(number) for number in chunks["chunk"]]
            self.grid.fill(chunks_grid(chunks), keys, self.grid.picked)
        self._picked(self.grid.picked)

    def _picked(self, numbers: tuple[str, ...]) -> None:
        job = self._job
        if job is None or not numbers:
            self._background.forget("chunk")
            self.detail.value = markup.paragraph(_HOW) if self.grid.keys else ""
            return
        number = int(numbers[-1])
        self._background.run(
            lambda: job.chunk(number),
            self._show_chunk,
            doing=f"reading chunk {number:,}",
            key="chunk",
            on_error=lambda: setattr(self.detail, "value", ""),
        )

    def _show_chunk(self, chunk: ChunkDetail) -> None:
        self.detail.value = for_console(chunk._repr_html_())
