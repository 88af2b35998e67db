"""Plots of time, cost and speed by the size of the chunks, as planned and as measured."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from batchcore.texts import number_of

from batchops.plots.axes import finish, make_axes, say_why_empty
from batchops.show.marks import BLUE, INK, VERMILLION

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_ROWS = "rows a chunk"
# The distance of a cost from its point.
_COST_ABOVE, _COST_BELOW = (4, 5), (-4, -13)
# So few sizes are the ticks themselves.
_SIZE_TICKS = 6


def planned_sizes(
    sizes: pd.DataFrame, *, current: int, suggested: int, ax: Axes | None = None
) -> Axes:
    """Draw the estimated time of a file by chunk size, and write the cost of each size.

    Parameters
    ----------
    sizes
        As ``Plan.sizes()`` returns it.
    current, suggested
        The chunk size of the stack, and the one that the plan suggests, in rows.
    ax
        The Axes to draw on; by default those of a new figure.
    """
    from batchops.show.numbers import usd_text

    ax, title = make_axes(ax), "Time and cost on AWS by chunk size, estimated"
    if sizes.empty:
        return say_why_empty(ax, title, "no chunk size is safe for this file")
    rows, low, high = (sizes[name].to_numpy() for name in ("chunk_rows", "low_s", "high_s"))
    ax.fill_between(rows, low, high, color=BLUE, alpha=0.25, label="between best and worst")
    middle = (low * high) ** 0.5
    ax.plot(rows, middle, "o-", color=BLUE, label="in between, with its cost")
    last = None
    for place, usd in zip(zip(rows, middle, strict=True), sizes["usd"], strict=True):
        # The costs of close sizes would overlap.
        if last is None or place[0] > 1.6 * last:
            # A line at a chunk size would go through a cost that is to the left of it.
            crossed = any(place[0] < line < 1.6 * place[0] for line in (current, suggested))
            ax.annotate(
                usd_text(usd),
                place,
                xytext=_COST_BELOW if crossed else _COST_ABOVE,
                textcoords="offset points",
                ha="right" if crossed else "left",
                color=INK,
            )
            last = place[0]
    ax.axvline(current, color=INK, linestyle="--", label=f"as deployed: {current:,}")
    if suggested != current:
        ax.axvline(suggested, color=VERMILLION, linestyle=":", label=f"suggested: {suggested:,}")
    _scale(ax)
    ax.set_yscale("log")
    _number(ax.yaxis)
    ax.set_ylabel("seconds")
    return finish(ax, title, _ROWS, legend=True)


def measured_sizes(speeds: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the speed of jobs by chunk size: each job, the median of each size, and the spread.

    Sizes with one job have no spread; repeat them before you tell sizes apart by it.

    Parameters
    ----------
    speeds
        As ``Stack.speeds()`` returns it; the columns chunk_rows and rows_per_s.
    ax
        The Axes to draw on; by default those of a new figure.
    """
    ax, title = make_axes(ax), "Speed of jobs by chunk size"
    if speeds.empty:
        return say_why_empty(ax, title, "no job has succeeded at its first attempt")
    chunk_rows = speeds["chunk_rows"].astype("float64")
    ax.plot(chunk_rows, speeds["rows_per_s"], "o", color=BLUE, label="a job")
    by_size = speeds.groupby(chunk_rows)["rows_per_s"]
    medians, low, high = by_size.median(), by_size.min(), by_size.max()
    spread = low[high > low].index
    if len(spread):
        ax.vlines(
            spread,
            low[spread],
            high[spread],
            colors=VERMILLION,
            linewidth=6,
            alpha=0.5,
            label="slowest to fastest",
        )
    ax.plot(medians.index, medians, "_-", color=VERMILLION, markersize=14, label="median of a size")
    _scale(ax)
    sizes = list(medians.index)
    if 1 < len(sizes) <= _SIZE_TICKS and all(b >= 1.5 * a for a, b in pairwise(sizes)):
        ax.set_xticks(sizes)
    ax.set_ylim(0, float(speeds["rows_per_s"].max()) * 1.15)
    ax.yaxis.set_major_formatter("{x:,.6g}")
    ax.set_ylabel("rows a second, upload to mail")
    # A size that is tried once says little.
    repeats = f", {by_size.size().min():,} or more of each size" if len(medians) > 1 else ""
    return finish(ax, f"{title}: {number_of(len(speeds), 'job')}{repeats}", _ROWS, legend=True)


def _scale(ax: Axes) -> None:
    """Set a logarithmic scale of rows."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    if high < 4 * low:  # for one size the scale might have no number
        ax.set_xlim(low / 2, high * 2)
    _number(ax.xaxis)


def _number(axis: Axis) -> None:
    """Set ticks at round numbers only, on a logarithmic scale."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:,.6g}")
