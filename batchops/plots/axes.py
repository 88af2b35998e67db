"""What all plots share: Axes, colours, titles, units and legends.

A plot takes the Axes to draw on, or makes a figure as wide as a notebook, and returns the Axes.
Words or a mark say what a colour says. A notebook shows a figure in the page's own colour of text,
whatever the theme; elsewhere it has a white ground, see `PageFigure`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from batchops.core.extras import from_extra
from batchops.show.marks import BLUE, GREEN, INK, PURPLE, VERMILLION
from batchops.show.markup import without_formulas
from batchops.show.pictures import figure_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

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
    _, made = plt.subplots(
        FigureClass=page_figure(), figsize=_SIZE_INCHES, layout="constrained", facecolor="white"
    )
    made.patch.set_alpha(0)
    return made


@cache
def page_figure() -> type[Figure]:
    """Return the class of figures that a page shows in its own colour of text."""
    from matplotlib.figure import Figure

    class PageFigure(Figure):
        """A figure that notebooks show as SVG in the page's own colour of text."""

        def _repr_html_(self) -> str:
            return without_formulas(figure_svg(self))

    return PageFigure


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
    ax.tick_params(color=INK, labelcolor=INK, which="both")
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
