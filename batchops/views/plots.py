"""Pictures of one job, from the DataFrames that ``Job.chunks()`` and ``Job.errors()`` give.

Each takes the Axes to draw on, or makes a figure as wide as a notebook, and returns the Axes. Text
and lines are of a grey that reads on white and on black, the ground is clear, the colours are Okabe
and Ito's (2008), and what a colour says is said in words or by a mark as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchcore import items

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    Floats = npt.NDArray[np.float64]

# Of contrast about 4.3 on white as on JupyterLab's black, #111111: more on both there is not.
INK = "#797979"
# The inline backend lays white under a clear picture whose tick labels are all darker than the
# middle grey, which glares in a dark notebook, and black if they are all lighter. So it gets both.
X_TICKS, Y_TICKS = "#7C7C7C", "#828282"
GREEN, VERMILLION, BLUE, PURPLE = "#009E73", "#D55E00", "#0072B2", "#CC79A7"
STATUS_COLOURS = {items.SUCCEEDED: GREEN, items.FAILED: VERMILLION, items.RUNNING: BLUE}
STAGE_COLOURS = {"read": PURPLE, "validate": BLUE, "enrich": VERMILLION}

# Above it a bar is thinner than the eye can follow in a picture 4 inches high.
MAX_BARS = 80
_SIZE_INCHES = (9.0, 4.0)
_LABEL_LENGTH = 40
_BINS = 50
_MOMENTS = 300
# So that one chunk is a bar, not a wall.
_MIN_BAR_PLACES = 8
_MAX_POINTS = 200


def chunk_timeline(chunks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw when each chunk ran and what came of it.

    One bar a chunk from its start to its end, or to the latest time known where it still runs. More
    than 80 chunks are drawn as the number in progress, see `concurrency`.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it; of its columns chunk, status, start and end.
    ax
        Where to draw; by default in a new figure.
    """
    if len(chunks) > MAX_BARS:
        return concurrency(chunks, ax=ax)
    ax = _axes(ax)
    spans = _spans(chunks)
    if spans.empty:
        return _say(ax, "Chunks over time", "no chunk has started")
    for status, group in spans.groupby("status"):
        ax.barh(
            group["chunk"],
            group["length"],
            left=group["start_s"],
            color=STATUS_COLOURS.get(str(status), INK),
            # Not by colour alone; the bars of running chunks have no end yet.
            hatch={items.FAILED: "xxxx", items.RUNNING: "...."}.get(str(status)),
            edgecolor="#FFFFFF" if status != items.SUCCEEDED else "none",
            linewidth=0,
            label=f"{str(status).lower()} ({len(group):,})",
        )
    _mark_failed(ax, spans, spans["chunk"])
    first, last = int(spans["chunk"].min()), int(spans["chunk"].max())
    every = _round_up((last - first + 1) / 10)
    ax.set_yticks(range(-(-first // every) * every, last + 1, every))
    ax.set_ylim(max(last, first + _MIN_BAR_PLACES - 1) + 0.6, first - 0.6)
    ax.set_ylabel("chunk")
    return _finish(ax, "Chunks over time", _SINCE_START, legend=True)


def concurrency(chunks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many chunks were in progress at each moment, and when chunks failed.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it; of its columns chunk, status, start and end.
    ax
        Where to draw; by default in a new figure.
    """
    import numpy as np

    ax = _axes(ax)
    spans = _spans(chunks)
    if spans.empty:
        return _say(ax, "Chunks in progress", "no chunk has started")
    starts = np.sort(spans["start_s"].to_numpy())
    ends = np.sort(spans["end_s"].to_numpy())
    # The mean of each moment: between a chunk and the next in its place there is a gap too short to
    # be drawn, and thousands of them would be all that is seen.
    edges = np.linspace(0, max(ends[-1], 0.001), _MOMENTS + 1)
    mean = np.diff(_time_before(edges, starts) - _time_before(edges, ends)) / np.diff(edges)
    label = f"in progress (up to {mean.max():,.0f})"
    ax.stairs(mean, edges, fill=True, color=BLUE, alpha=0.5)
    ax.stairs(mean, edges, color=BLUE, linewidth=1.5, label=label)
    failed = spans["status"] == items.FAILED
    _mark_failed(ax, spans, 0 * spans["chunk"], label=f"failed ({failed.sum():,})")
    ax.set_ylim(0, max(mean.max() * 1.1, 1.1))
    _count_on(ax.yaxis)
    ax.set_ylabel("chunks in progress")
    return _finish(ax, f"Chunks in progress, of {len(chunks):,}", _SINCE_START, legend=True)


def step_durations(chunks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how long each step takes a chunk: quartiles, the median in words, and every chunk.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it; of its columns those that end in ``_ms``.
    ax
        Where to draw; by default in a new figure. Of more than 200 chunks only those outside the
        whiskers (1.5 times the box) are drawn as points.
    """
    import numpy as np

    ax = _axes(ax)
    found = {
        name.removesuffix("_ms"): chunks[name] for name in chunks.columns if name.endswith("_ms")
    }
    steps = {name: ms.dropna().to_numpy(dtype="float64") for name, ms in found.items()}
    steps = {name: ms for name, ms in steps.items() if len(ms)}
    if not steps:
        return _say(ax, "Time a chunk takes, by step", "no chunk has ended")
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
            # Spread over the box's width, so that chunks that took the same time can be told apart.
            spread = np.linspace(-0.18, 0.18, len(ms)) if len(ms) > 1 else np.zeros(1)
            ax.plot(ms, place + spread, ".", color=BLUE, alpha=0.6, markersize=5)
        text = f"median {np.median(ms):,.0f} ms"
        at = (float(line.get_xdata()[0]), place + 0.27)
        ax.annotate(text, at, ha="left", va="top", color=VERMILLION)
    ax.set_yticks(range(1, len(steps) + 1), [f"{n} ({len(ms):,})" for n, ms in steps.items()])
    ax.set_ylim(len(steps) + 0.6, 0.4)
    ax.set_ylabel("step (chunks)")
    _scale_times(ax, np.concatenate(list(steps.values())))
    return _finish(ax, "Time a chunk takes, by step", "milliseconds inside the function")


def errors_by_rule(errors: pd.DataFrame, *, ax: Axes | None = None, top: int = 15) -> Axes:
    """Draw how often each rule of each column is broken, the most frequent on top.

    Parameters
    ----------
    errors
        As ``Job.errors()`` returns it; of its columns source_row, column, rule and stage.
    ax
        Where to draw; by default in a new figure.
    top
        Bars at most; the others are counted together in one more.
    """
    ax = _axes(ax)
    if errors.empty:
        return _say(ax, "Errors by rule", "no errors")
    counts = errors.groupby(["column", "rule", "stage"], sort=True).size()
    counts = counts.sort_values(ascending=False, kind="stable")
    shown, others = counts.iloc[:top], counts.iloc[top:]
    labels = [shorten(f"{column or '(row)'}: {rule}") for column, rule, _ in shown.index]
    stages = [str(stage) for _, _, stage in shown.index]
    for stage in dict.fromkeys(stages):
        at = [place for place, name in enumerate(stages) if name == stage]
        colour = STAGE_COLOURS.get(stage, INK)
        bars = ax.barh(at, shown.iloc[at], color=colour, label=f"found by {shorten(stage)}")
        ax.bar_label(bars, fmt="{:,.0f}", padding=3, color=INK)
    if len(others):
        labels.append(f"{len(others):,} other rules")
        rest = ax.barh([len(shown)], [others.sum()], color=INK, hatch="///", label="all others")
        ax.bar_label(rest, fmt="{:,.0f}", padding=3, color=INK)
    # As text, not as formulas: names may hold dollar signs.
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_ylabel("column: rule")
    ax.margins(x=0.1)
    rows = errors["source_row"].nunique()
    return _finish(
        ax, f"{len(errors):,} errors in {rows:,} rows, by rule", "errors", legend=True, counts=True
    )


def errors_by_position(errors: pd.DataFrame, *, rows: int, ax: Axes | None = None) -> Axes:
    """Draw where in the file the rejected rows are.

    Parameters
    ----------
    errors
        As ``Job.errors()`` returns it; of its columns source_row.
    rows
        Rows of the file, the header not counted.
    ax
        Where to draw; by default in a new figure.
    """
    import numpy as np

    ax = _axes(ax)
    if errors.empty:
        return _say(ax, "Rejected rows, by place in the file", "no errors")
    at = errors["source_row"].unique()
    # The header is row 1. Blank lines count, so the last row may come after `rows`.
    count = max(rows, int(at.max()) - 1)
    width = _round_up(count / _BINS)
    edges = 1.5 + width * np.arange(-(-count // width) + 1)
    ax.hist(at, bins=edges.tolist(), color=VERMILLION, edgecolor=INK, linewidth=0.5)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylabel("rejected rows" if width == 1 else f"rejected rows of each {width:,}")
    _count_on(ax.yaxis)
    title = f"{len(at):,} of {rows:,} rows rejected, by place in the file"
    return _finish(ax, title, "row of the file (the header is row 1)", counts=True)


def shorten(text: str, length: int = _LABEL_LENGTH) -> str:
    """Return text that fits a label: on one line, nothing unprintable, its middle left out."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= length:
        return line
    head = (length - 1) // 2
    return f"{line[:head]}\N{HORIZONTAL ELLIPSIS}{line[-(length - 1 - head) :]}"


# ------------------------------------------------------------------------------- helpers

_SINCE_START = "seconds since the first chunk started"


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    # With pyplot, so that notebooks show the figure and plt.show() finds it.
    figure, made = plt.subplots(figsize=_SIZE_INCHES, layout="constrained")
    figure.patch.set_alpha(0)
    made.patch.set_alpha(0)
    return made


def _spans(chunks: pd.DataFrame) -> pd.DataFrame:
    """Return chunk, status, start_s, end_s and length (seconds) of the chunks that have a time."""
    import pandas as pd

    # A chunk that failed before its first step has but an end; one that runs, but a start.
    starts, ends = chunks["start"].fillna(chunks["end"]), chunks["end"]
    latest = pd.concat([starts, ends]).max()
    spans = pd.DataFrame({"chunk": chunks["chunk"], "status": chunks["status"]})
    spans["start_s"] = (starts - starts.min()).dt.total_seconds()
    spans["end_s"] = (ends.fillna(latest) - starts.min()).dt.total_seconds()
    spans["length"] = (spans["end_s"] - spans["start_s"]).clip(lower=0)
    return spans[starts.notna()]


def _mark_failed(
    ax: Axes, spans: pd.DataFrame, heights: pd.Series[int], *, label: str = "_failed"
) -> None:
    failed = spans["status"] == items.FAILED
    if failed.any():
        ax.plot(
            spans.loc[failed, "end_s"],
            heights[failed],
            "X",
            color=VERMILLION,
            markeredgecolor="#FFFFFF",
            markersize=9,
            label=label,
            clip_on=False,
        )


def _scale_times(ax: Axes, ms: Floats) -> None:
    """Take a logarithmic scale where a linear one would press most of the times together."""
    import numpy as np

    if ms.max() > 20 * max(float(np.median(ms)), 1.0):
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(ms.min() / 2 if ms.min() > 1 else 0, ms.max() * 3)
    else:
        ax.set_xlim(0, max(ms.max() * 1.2, 1))
    ax.xaxis.set_major_formatter("{x:,.0f}")


def _count_on(axis: Axis) -> None:
    """Mark whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_major_formatter("{x:,.0f}")


def _time_before(moments: Floats, begins: Floats) -> Floats:
    """Return, for each moment, the seconds that have passed since each of `begins`, summed up.

    Both are sorted.
    """
    import numpy as np

    sums = np.concatenate([[0.0], begins.cumsum()])
    passed = np.searchsorted(begins, moments, side="right")
    found: Floats = passed * moments - sums[passed]
    return found


def _round_up(value: float) -> int:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step >= value:
                return step
        power *= 10


def _say(ax: Axes, title: str, text: str) -> Axes:
    """Say why there is nothing to draw, in place of the drawing."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=INK, size=13)
    ax.set_xticks([])
    ax.set_yticks([])
    return _finish(ax, title, "")


def _finish(
    ax: Axes, title: str, x_label: str, *, legend: bool = False, counts: bool = False
) -> Axes:
    """Give the Axes its title, unit, legend beside the data, and colours for any ground."""
    ax.set_title(title, color=INK, loc="left", fontweight="bold")
    ax.set_xlabel(x_label)
    if counts:
        _count_on(ax.xaxis)
    ax.tick_params(axis="x", color=INK, labelcolor=X_TICKS)
    ax.tick_params(axis="y", color=INK, labelcolor=Y_TICKS)
    ax.xaxis.label.set_color(INK)
    ax.yaxis.label.set_color(INK)
    for side, spine in ax.spines.items():
        spine.set_color(INK)
        spine.set_visible(side in ("left", "bottom"))
    if legend:
        options: dict[str, Any] = {"frameon": False, "labelcolor": INK}
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), **options)
    return ax
