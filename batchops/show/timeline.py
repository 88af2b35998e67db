"""The timeline of a job's chunks, as SVG and as text.

`batchops.plots.chunk_plots` draws the same bars with matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchcore.texts import number_of, printable

from batchops.show import markup
from batchops.show.chunk_bars import (
    AXIS,
    BETWEEN,
    BROKEN,
    COLD,
    KINDS,
    MAX_BARS,
    RUNNING,
    STEP_COLOURS,
    TURN,
    Bar,
    chunk_bars,
    run_on,
)
from batchops.show.marks import MARKS
from batchops.show.shown import Block, Shown
from batchops.show.stretches import round_up

if TYPE_CHECKING:
    import pandas as pd

# By kind, the character that stands for it in a terminal.
LETTERS = {
    TURN: MARKS["waiting"],
    COLD: "\N{LIGHT SHADE}",
    BETWEEN: "-",
    **{name: name[0] for name in STEP_COLOURS},
    RUNNING: MARKS["running"],
    BROKEN: MARKS["failed"],
}

# Sizes in pixels.
_WIDTH, _LEFT, _LEGEND, _AXIS = 900, 46, 24, 30
_TICKS = 8


@dataclass(frozen=True)
class Timeline(Shown):
    """When each chunk ran, step by step.

    Attributes
    ----------
    bars : tuple of Bar
        Those to draw, in the order of their chunks.
    chunks : int
        The number of chunks, of which the first `MAX_BARS` at most are drawn.
    """

    bars: tuple[Bar, ...]
    chunks: int = 0
    job_id: str = field(default="", compare=False)

    @classmethod
    def of(cls, chunks: pd.DataFrame, *, job_id: str = "", most: int = MAX_BARS) -> Timeline:
        """Return the timeline of chunks, as ``Job.chunks()`` returns them."""
        bars = chunk_bars(chunks)
        return cls(tuple(bars[:most]), len(bars), job_id)

    def grown(self, waited_s: float) -> Timeline:
        """Return the timeline `waited_s` after the latest time known; running chunks grow."""
        end = self.seconds + waited_s
        bars = [run_on(bar, end) if waited_s > 0 else bar for bar in self.bars]
        return replace(self, bars=tuple(bars))

    @property
    def seconds(self) -> float:
        """The seconds from the start of the first chunk to the latest time known."""
        return max((bar.end_s for bar in self.bars), default=0.0)

    @property
    def kinds(self) -> list[str]:
        """The kinds of parts that there are, in the order of the legend."""
        there = {span.kind for bar in self.bars for span in bar.spans}
        return [kind for kind in KINDS if kind in there]

    @property
    def left_out(self) -> str:
        """How many chunks are not drawn; empty if all are."""
        more = self.chunks - len(self.bars)
        return (
            f"and {number_of(more, 'chunk')} more: the plot of concurrency has them"
            if more > 0
            else ""
        )

    def lines(self, *, width: int) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """Yield each bar as its chunk and its runs of letters, each with its kind."""
        scale = width / self.seconds if self.seconds else 0.0
        for bar in self.bars:
            cells: list[str] = []
            for span in bar.spans:
                # A part that is too short for a letter of its own still gets one.
                until = max(round(span.end_s * scale), len(cells) + (span.kind in STEP_COLOURS))
                cells += [span.kind] * (until - len(cells))
            runs: list[tuple[str, str]] = []
            for kind in cells[: width + len(STEP_COLOURS)]:
                if runs and runs[-1][0] == kind:
                    runs[-1] = (kind, runs[-1][1] + LETTERS[kind])
                else:
                    runs.append((kind, LETTERS[kind]))
            yield bar.chunk, runs

    def legend(self) -> str:
        """Say what the letters mean."""
        return ", ".join(f"{LETTERS[kind]} {KINDS[kind]}" for kind in self.kinds)

    def _blocks(self) -> Iterator[Block]:
        if not self.bars:
            yield Block.line(f"job {self.job_id}: no chunk has started")
            return
        lines = [f"job {self.job_id}: {self.seconds:.1f} s of chunks"]
        for chunk, runs in self.lines(width=60):
            lines.append(f"{chunk:>6} {''.join(text for _, text in runs)}")
        yield Block("\n".join(map(printable, [*lines, self.legend()])), self.to_svg())
        if self.left_out:
            yield Block.line(self.left_out)

    def to_svg(self) -> str:
        """Return the picture as SVG; its ink is the page's colour of text."""
        row = 18 if len(self.bars) <= 24 else 9
        bottom = _LEGEND + row * len(self.bars)
        size = f'viewBox="0 0 {_WIDTH} {bottom + _AXIS}"'
        return "".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
                f'font-size="11" role="img" style="width:100%;max-width:{_WIDTH}px;height:auto" '
                'fill="currentColor"><title>',
                markup.one_line(
                    f"{number_of(self.chunks, 'chunk')} over {self.seconds:.1f} seconds"
                ),
                "</title>",
                *self._svg_legend(),
                *(p for n, bar in enumerate(self.bars) for p in self._svg_bar(n, bar, row)),
                *self._svg_axis(bottom),
                "</svg>",
            ]
        )

    def _svg_legend(self) -> Iterator[str]:
        at = float(_LEFT)
        for kind in self.kinds:
            yield _svg_span(kind, at, 3, 22, 10)
            yield f'<text x="{at + 27:.0f}" y="12">{markup.one_line(KINDS[kind])}</text>'
            at += 44 + 6.2 * len(KINDS[kind])

    def _svg_bar(self, number: int, bar: Bar, row: int) -> Iterator[str]:
        top, scale = _LEGEND + number * row, (_WIDTH - _LEFT - 24) / max(self.seconds, 0.001)
        yield f"<g><title>{markup.one_line(bar)}</title>"
        every = 1 if row > 10 else 5
        if number % every == 0:
            yield f'<text x="{_LEFT - 6}" y="{top + row - 5}" text-anchor="end">{bar.chunk}</text>'
        for span in bar.spans:
            left, width = _LEFT + span.start_s * scale, (span.end_s - span.start_s) * scale
            yield _svg_span(span.kind, left, top + 1, max(width, 0.6), row - 3)
        if bar.broke:
            place = f'x="{_LEFT + bar.end_s * scale + 3:.1f}" y="{top + row - 5}"'
            yield f'<text {place} font-weight="bold">{MARKS["failed"]}</text>'
        yield "</g>"

    def _svg_axis(self, bottom: int) -> Iterator[str]:
        scale = (_WIDTH - _LEFT - 24) / max(self.seconds, 0.001)
        yield f'<path d="M{_LEFT} {bottom}H{_WIDTH - 24}" stroke="currentColor"/>'
        for second in _ticks(self.seconds):
            x = _LEFT + second * scale
            yield f'<path d="M{x:.1f} {bottom}v4" stroke="currentColor"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{second:g}</text>'
        yield f'<text x="{_LEFT}" y="{bottom + 28}">{AXIS}</text>'


def _ticks(seconds: float) -> Iterator[float]:
    """Yield the seconds to name: multiples of 1, 2 or 5 times a power of ten."""
    step_ms = round_up(max(seconds, 0.001) * 1000 / _TICKS)
    for at in range(0, int(seconds * 1000) + 1, step_ms):
        yield at / 1000


def _svg_span(kind: str, x: float, y: float, width: float, height: float) -> str:
    box = f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}"'
    if kind in STEP_COLOURS:
        return f'<rect {box} fill="{STEP_COLOURS[kind]}"/>'
    if kind in (TURN, BETWEEN):
        dots = ' stroke-dasharray="1 4"' if kind == TURN else ""
        middle = y + height / 2
        return f'<path d="M{x:.1f} {middle}h{width:.1f}" stroke="currentColor"{dots}/>'
    look = {
        COLD: 'fill="currentColor" fill-opacity="0.15" stroke="currentColor"',
        RUNNING: 'fill="currentColor" fill-opacity="0.4"',
        BROKEN: 'fill="none" stroke="currentColor" stroke-dasharray="3 2"',
    }[kind]
    return f"<rect {box} {look}/>"
