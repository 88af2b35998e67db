"""What all plots share: Axes, colours, titles, units and legends.

A plot takes the Axes to draw on, or makes a figure as wide as a notebook, and returns the Axes.
Text and lines have a grey that reads on white and on black, the background is clear, and words or a
mark say what a colour says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchops.core.extras import from_extra
from batchops.show.marks import BLUE, GREEN, PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Its contrast is about 4.3 on white and on JupyterLab's black, #111111; no grey has more on both.
INK = "#797979"
# The inline backend puts white behind a transparent picture if all its tick labels are darker than
# the middle grey, which glares in a dark notebook, and black if all are lighter. So one axis is
# darker and one is lighter.
X_TICKS, Y_TICKS = "#7C7C7C", "#828282"
# The colours of parts, in order; all stand out on white and on black.
PART_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, INK)
_SIZE_INCHES = (9.0, 4.0)
_LABEL_LENGTH = 40


def make_axes(ax: Axes | None) -> Axes:
    """Return the given Axes, or those of a new figure with a transparent background."""
    if ax is not None:
        return ax
    with from_extra("lab", needed_for="a plot"):
        import matplotlib.pyplot as plt

    # Made by pyplot, so that notebooks show the figure and plt.show() finds it.
    figure, made = plt.subplots(figsize=_SIZE_INCHES, layout="constrained")
    figure.patch.set_alpha(0)
    made.patch.set_alpha(0)
    return made


def say_why_empty(ax: Axes, title: str, text: str) -> Axes:
    """Write in place of the plot why there is nothing to draw."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=INK, size=13)
    ax.set_xticks([])
    ax.set_yticks([])
    return finish(ax, title, "")


def finish(
    ax: Axes, title: str, x_label: str, *, legend: bool = False, counts: bool = False
) -> Axes:
    """Set title, unit, legend and the colours for any background, and return the Axes."""
    # As text, not as a formula: a name in it may have dollar signs.
    ax.set_title(title, color=INK, loc="left", fontweight="bold", parse_math=False)
    ax.set_xlabel(x_label, parse_math=False)
    if counts:
        count_on(ax.xaxis)
    ax.tick_params(axis="x", color=INK, labelcolor=X_TICKS)
    ax.tick_params(axis="y", color=INK, labelcolor=Y_TICKS)
    ax.xaxis.label.set_color(INK)
    ax.yaxis.label.set_color(INK)
    for side, spine in ax.spines.items():
        spine.set_color(INK)
        spine.set_visible(side in ("left", "bottom"))
    if legend:
        options: dict[str, Any] = {"frameon": False, "labelcolor": INK}
        for text in ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), **options).get_texts():
            text.set_parse_math(False)
    return ax


def count_on(axis: Axis) -> None:
    """Set ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_major_formatter("{x:,.0f}")


def fit_label(text: str, length: int = _LABEL_LENGTH) -> str:
    """Return a text that fits a label: one printable line, with its middle left out if long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= length:
        return line
    head = (length - 1) // 2
    return f"{line[:head]}\N{HORIZONTAL ELLIPSIS}{line[-(length - 1 - head) :]}"


def round_up(value: float) -> int:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step >= value:
                return step
        power *= 10
