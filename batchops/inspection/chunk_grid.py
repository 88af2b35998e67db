"""The state of each chunk of a job, as a picture of at most 300 cells."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore.texts import number_of, printable

from batchops.inspection.status import StatusReader
from batchops.show import markup
from batchops.show.marks import COLOURS, INK_ON, MARKS, mark_html
from batchops.show.numbers import number_ranges
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.inspection.status import JobStatus
    from batchops.inspection.tally import ChunkTally

# This many cells fill six lines of a notebook and take less than 100 KB.
MAX_CELLS = 300
# A cell of several chunks has the mark of the first of these states that one of them is in.
STATES = ("failed", "running", "waiting", "done")
_CELL = (
    "display:inline-block;width:1.35em;height:1.35em;line-height:1.35em;margin:1px;"
    "text-align:center;font-size:11px;font-weight:bold;border-radius:2px;"
)
_WAITING = "transparent"
_FIRST_PERCENT = 75.0


@dataclass(frozen=True, slots=True)
class GridCell:
    """Some consecutive chunks, with their number in each state."""

    first: int
    last: int
    done: int
    failed: int
    running: int
    waiting: int

    @property
    def counts(self) -> dict[str, int]:
        """Chunks by state, the most urgent state first; states without chunks are left out."""
        return {state: count for state in STATES if (count := getattr(self, state))}

    @property
    def state(self) -> str:
        """The state whose mark the cell has."""
        return next(iter(self.counts))

    def __str__(self) -> str:
        """Say it in a line."""
        which = f"chunk {self.first:,}" if self.first == self.last else _span(self)
        counts = self.counts
        if self.first == self.last:
            return f"{which}: {self.state}"
        return f"{which}: " + ", ".join(f"{count:,} {state}" for state, count in counts.items())


@dataclass(frozen=True)
class ChunkGrid(Shown):
    """The states of a job's chunks.

    Attributes
    ----------
    job_id : str
        The job.
    cells : tuple of GridCell
        At most 300 cells, each of the same number of chunks; empty until the file is split.
    failed : tuple of int
        The chunks that failed.
    """

    job_id: str
    cells: tuple[GridCell, ...]
    failed: tuple[int, ...] = ()

    @property
    def chunks_by_state(self) -> dict[str, int]:
        """The number of chunks in each state."""
        return {state: sum(getattr(cell, state) for cell in self.cells) for state in STATES}

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return self.cells[-1].last if self.cells else 0

    @property
    def chunks_per_cell(self) -> int:
        """The number of chunks in a cell; the last cell may have fewer."""
        return self.cells[0].last if self.cells else 0

    @property
    def scale(self) -> str:
        """Say how many chunks a cell is, to be added to a sentence; empty if it is one."""
        each = self.chunks_per_cell
        return f"; a cell is {number_of(each, 'chunk')}" if each > 1 else ""

    def _title(self) -> str:
        if not self.cells:
            return f"job {self.job_id}: no chunks yet"
        counts = ", ".join(f"{n:,} {state}" for state, n in self.chunks_by_state.items() if n)
        return f"{number_of(self.chunks, 'chunk')}: {counts}{self.scale}"

    def _blocks(self) -> Iterator[Block]:
        yield Block(self._text(), self._html())

    def _text(self) -> str:
        """Return a mark per cell, and the numbers of the chunks that failed."""
        marks = "".join(MARKS[cell.state] for cell in self.cells)
        lines = [printable(self._title()), *(marks[i : i + 100] for i in range(0, len(marks), 100))]
        if self.failed:
            lines.append(f"failed: {number_ranges(self.failed)}")
        return "\n".join(lines)

    def cells_html(self) -> str:
        """Return the cells without the legend; a tooltip describes each."""
        title, cells = markup.one_line(self._title()), "".join(map(_draw_cell, self.cells))
        failed = f"<div>failed: {number_ranges(self.failed)}</div>" if self.failed else ""
        style = "line-height:1.2;max-width:60em"
        return f'<div role="img" aria-label="{title}" style="{style}">{cells}</div>{failed}'

    def _html(self) -> str:
        """Return the cells in colours and marks, and a legend below."""
        legend = ", ".join(
            f"{mark_html(state)} {count:,} {state}" for state, count in self.chunks_by_state.items()
        )
        if not self.cells:
            return f"<div>{markup.one_line(self._title())}</div>"
        count = number_of(self.chunks, "chunk")
        return f"{self.cells_html()}<div>{count}: {legend}{self.scale}</div>"


def chunk_grid(job: JobRef) -> ChunkGrid:
    """Read the states of a job's chunks once.

    Raises
    ------
    AwsError, EngineError
    """
    reader = StatusReader(job)
    return grid_of(job.id, reader.read(), reader.tally)


def grid_of(job_id: str, status: JobStatus, tally: ChunkTally | None) -> ChunkGrid:
    """Return the grid for a status and the chunks that were read with it."""
    if tally is None:
        # After a merge no chunk is read: all are done.
        return summarize_chunks(job_id, status.chunks_done)
    chunks = max(status.chunks, tally.highest)
    waiting = {*(tally.open - tally.running), *range(tally.highest + 1, chunks + 1)}
    return summarize_chunks(
        job_id, chunks, failed=tally.failures, running=tally.running, waiting=waiting
    )


def summarize_chunks(
    job_id: str,
    chunks: int,
    *,
    failed: Collection[int] = (),
    running: Collection[int] = (),
    waiting: Collection[int] = (),
    max_cells: int = MAX_CELLS,
) -> ChunkGrid:
    """Return a grid of at most `max_cells` cells; chunks in no other state are done.

    Parameters
    ----------
    chunks
        The number of chunks; they are numbered from 1.
    failed, running, waiting
        The numbers of the chunks in these states; a number may be in one of them only.
    """
    each = cell_size(chunks, max_cells=max_cells)
    others = {"failed": failed, "running": running, "waiting": waiting}
    counts = {state: _count(numbers, each) for state, numbers in others.items()}
    cells = []
    for place, first in enumerate(range(1, chunks + 1, each)):
        last = min(first + each - 1, chunks)
        found = {state: count.get(place, 0) for state, count in counts.items()}
        done = last - first + 1 - sum(found.values())
        cells.append(GridCell(first, last, done=done, **found))
    return ChunkGrid(job_id, tuple(cells), tuple(sorted(failed)))


def cell_size(chunks: int, *, max_cells: int) -> int:
    """Return the number of chunks in a cell: the least 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for size in (power, 2 * power, 5 * power):
            if size * max_cells >= chunks:
                return size
        power *= 10


def _count(numbers: Iterable[int], each: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for number in numbers:
        place = (number - 1) // each
        found[place] = found.get(place, 0) + 1
    return found


def _span(cell: GridCell) -> str:
    return f"chunks {cell.first:,} to {cell.last:,}"


def _draw_cell(cell: GridCell) -> str:
    style = _CELL + _fill(cell.counts)
    return f'<span title="{cell}" style="{style}">{MARKS[cell.state]}</span>'


def _fill(counts: dict[str, int]) -> str:
    """Return the background of a cell: the colours of its states, with the first below the mark.

    The first state takes three quarters, however few its chunks are, because it is the most urgent
    and its mark must be readable on it; the others share the rest.
    """
    first, *others = counts
    # Waiting chunks have no background, so that they look empty on every page.
    edge = f"box-shadow:inset 0 0 0 1px {COLOURS['waiting']};" if "waiting" in counts else ""
    ink = f"color:{INK_ON.get(first, 'inherit')};"
    if not others:
        ground = _WAITING if first == "waiting" else COLOURS[first]
        return f"background:{ground};{ink}{edge}"
    total, at = sum(counts[state] for state in others), _FIRST_PERCENT
    colours = {**COLOURS, "waiting": _WAITING}
    stops = [f"{colours[first]} 0% {at:.0f}%"]
    for state in others:
        to = at + (100 - _FIRST_PERCENT) * counts[state] / total
        stops.append(f"{colours[state]} {at:.0f}% {to:.0f}%")
        at = to
    return f"background:linear-gradient(90deg,{','.join(stops)});{ink}{edge}"
