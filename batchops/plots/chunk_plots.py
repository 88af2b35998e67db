"""Plots of a job's chunks, from the DataFrame that ``Job.chunks()`` returns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from batchcore import workflow

from batchops.plots.axes import (
    count_on,
    finish,
    fit_label,
    make_axes,
    say_why_empty,
)
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
    Span,
    chunk_bars,
)
from batchops.show.marks import BLUE, INK, VERMILLION
from batchops.show.stretches import round_up

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes

    Floats = npt.NDArray[np.float64]

_MOMENTS = 300
# Leaves space, so that a single bar does not fill the figure.
_MIN_BAR_PLACES = 8
_MAX_POINTS = 200


def chunk_timeline(chunks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw when each chunk ran, step by step.

    Each chunk is a bar with a part for each step. What is not the work of a step is told apart: the
    wait for its turn (dotted), cold starts of functions (hatched), and the time between steps (a
    line). A running chunk ends at the latest time in the data. More than 80 chunks are drawn as the
    number in progress, see `concurrency`.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it.
    ax
        The Axes to draw on; by default those of a new figure.
    """
    if len(chunks) > MAX_BARS:
        return concurrency(chunks, ax=ax)
    ax = make_axes(ax)
    bars = chunk_bars(chunks)
    if not bars:
        return say_why_empty(ax, "Chunks over time", "no chunk has started")
    for kind, name in KINDS.items():
        spans = [(bar.chunk, span) for bar in bars for span in bar.spans if span.kind == kind]
        if spans:
            _draw_kind(ax, kind, name, spans)
    failed = [bar for bar in bars if bar.broke]
    _mark_failed(ax, [bar.end_s for bar in failed], [bar.chunk for bar in failed])
    first, last = bars[0].chunk, bars[-1].chunk
    every = round_up((last - first + 1) / 10)
    ax.set_yticks(range(-(-first // every) * every, last + 1, every))
    ax.set_ylim(max(last, first + _MIN_BAR_PLACES - 1) + 0.6, first - 0.6)
    ax.set_xlim(0, max(bar.end_s for bar in bars) * 1.02 or 1)
    ax.set_ylabel("chunk")
    counts = Counter(bar.status.lower() for bar in bars)
    said = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
    _, labels = ax.get_legend_handles_labels()
    return finish(ax, fit_label(f"Chunks over time: {said}", 80), AXIS, legend=bool(labels))


def _draw_kind(ax: Axes, kind: str, name: str, spans: list[tuple[int, Span]]) -> None:
    """Draw the parts of one kind: steps in their colours, all else without one."""
    lines = {TURN: (1.0, "dotted"), BETWEEN: (2.0, "solid")}
    label = f"{name} ({len(spans):,})"
    if kind in lines:
        width, style = lines[kind]
        places = [chunk for chunk, _ in spans]
        starts, ends = [span.start_s for _, span in spans], [span.end_s for _, span in spans]
        ax.hlines(places, starts, ends, colors=INK, linewidth=width, linestyle=style, label=label)
        return
    looks: dict[str, dict[str, Any]] = {
        COLD: {"facecolor": "none", "edgecolor": INK, "hatch": "/////"},
        RUNNING: {"facecolor": "none", "edgecolor": INK, "hatch": "...."},
        BROKEN: {"facecolor": "none", "edgecolor": INK, "hatch": "xxxx"},
    }
    look = looks.get(kind) or {"color": STEP_COLOURS[kind]}
    ax.barh(
        [chunk for chunk, _ in spans],
        [span.end_s - span.start_s for _, span in spans],
        left=[span.start_s for _, span in spans],
        linewidth=0.5 if "hatch" in look else 0,
        label=label,
        **look,
    )


def concurrency(chunks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many chunks were in progress at each moment, and when chunks failed.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it; the columns chunk, status, start and end.
    ax
        The Axes to draw on; by default those of a new figure.
    """
    import numpy as np

    ax = make_axes(ax)
    spans = _spans(chunks)
    if spans.empty:
        return say_why_empty(ax, "Chunks in progress", "no chunk has started")
    starts = np.sort(spans["start_s"].to_numpy())
    ends = np.sort(spans["end_s"].to_numpy())
    # Means of equal intervals for many chunks: between one chunk and the next there is a gap too
    # short to draw, and thousands of these gaps would hide everything else.
    edges = np.unique([0, *starts, *ends, 0.001])
    if len(edges) > _MOMENTS:
        edges = np.linspace(0, edges[-1], _MOMENTS + 1)
    mean = np.diff(_time_before(edges, starts) - _time_before(edges, ends)) / np.diff(edges)
    label = f"in progress (up to {mean.max():,.0f})"
    ax.stairs(mean, edges, fill=True, color=BLUE, alpha=0.5)
    ax.stairs(mean, edges, color=BLUE, linewidth=1.5, label=label)
    failed = spans["status"] == workflow.FAILED
    at = spans.loc[failed, "end_s"].tolist()
    _mark_failed(ax, at, [0] * len(at), label=f"failed ({len(at):,})")
    ax.set_ylim(0, max(mean.max() * 1.1, 1.1))
    count_on(ax.yaxis)
    ax.set_ylabel("chunks in progress")
    return finish(ax, f"Chunks in progress, of {len(chunks):,}", AXIS, legend=True)


def step_durations(chunks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how long each step takes: quartiles, the median in words, and every chunk.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it; the columns that end in ``_ms``, except ``queue_ms``.
    ax
        The Axes to draw on; by default those of a new figure. With more than 200 chunks only those
        outside the whiskers (1.5 times the box) are drawn as points.
    """
    import numpy as np

    ax = make_axes(ax)
    # Time in the queue is not time of a step.
    names = [name for name in chunks.columns if name.endswith("_ms") and name != "queue_ms"]
    found = {name.removesuffix("_ms"): chunks[name] for name in names}
    steps = {name: ms.dropna().to_numpy(dtype="float64") for name, ms in found.items()}
    steps = {name: ms for name, ms in steps.items() if len(ms)}
    if not steps:
        return say_why_empty(ax, "Time a chunk takes, by step", "no chunk has ended")
    several = max(map(len, steps.values())) > _MAX_POINTS
    lines = {"color": INK}
    boxes = ax.boxplot(
        list(steps.values()),
        orientation="horizontal",
        widths=0.5,
        showfliers=several,
        patch_artist=True,
        boxprops={"facecolor": "none", "edgecolor": INK},
        medianprops={"color": VERMILLION, "linewidth": 2},
        whiskerprops=lines,
        capprops=lines,
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": BLUE},
    )
    for place, (line, ms) in enumerate(zip(boxes["medians"], steps.values(), strict=True), 1):
        if not several:
            # Spread over the width of the box, so that equal times do not cover each other.
            spread = np.linspace(-0.18, 0.18, len(ms)) if len(ms) > 1 else np.zeros(1)
            ax.plot(ms, place + spread, ".", color=BLUE, markersize=5)
        text = f"median {np.median(ms):,.0f} ms"
        at = (float(line.get_xdata()[0]), place + 0.31)
        ax.annotate(text, at, ha="left", va="top", color=INK)
    ax.set_yticks(range(1, len(steps) + 1), [f"{n} ({len(ms):,})" for n, ms in steps.items()])
    ax.set_ylim(len(steps) + 0.6, 0.4)
    ax.set_ylabel("step (chunks)")
    _scale_times(ax, np.concatenate(list(steps.values())))
    return finish(ax, "Time a chunk takes, by step", "milliseconds inside the function")


# ------------------------------------------------------------------------------- helpers


def _spans(chunks: pd.DataFrame) -> pd.DataFrame:
    """Return status, start_s and end_s (seconds) of the chunks that have a time."""
    import pandas as pd

    bars = [(bar.status, bar.start_s, bar.end_s) for bar in chunk_bars(chunks)]
    return pd.DataFrame(bars, columns=["status", "start_s", "end_s"])


def _mark_failed(ax: Axes, at: list[float], heights: list[int], *, label: str = "_failed") -> None:
    if at:
        ax.plot(
            at,
            heights,
            "X",
            color=VERMILLION,
            markeredgecolor="#FFFFFF",
            markersize=9,
            label=label,
            clip_on=False,
        )


def _scale_times(ax: Axes, ms: Floats) -> None:
    """Set a logarithmic scale if a linear one would squeeze most of the times."""
    import numpy as np

    if ms.max() > 20 * max(float(np.median(ms)), 1.0):
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(ms.min() / 2 if ms.min() > 1 else 0, ms.max() * 3)
    else:
        ax.set_xlim(0, max(ms.max() * 1.2, 1))
    ax.xaxis.set_major_formatter("{x:,.0f}")


def _time_before(moments: Floats, begins: Floats) -> Floats:
    """Return for each moment the sum of the seconds since each of `begins`; both are sorted."""
    import numpy as np

    sums = np.concatenate([[0.0], begins.cumsum()])
    passed = np.searchsorted(begins, moments, side="right")
    found: Floats = passed * moments - sums[passed]
    return found
