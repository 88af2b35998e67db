"""Plots as pictures in HTML, in the page's own colour of text; threads may draw them."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from batchcore.texts import printable

from batchops.show import markup
from batchops.show.marks import INK
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE_INCHES = (8.6, 3.4)
_STYLE = "max-width:100%;height:auto;stroke-linejoin:round;stroke-linecap:butt"
_NO_METADATA: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
# Matplotlib draws in any thread, but only in one at a time (its FAQ, "Work with threads").
_lock = threading.Lock()


@dataclass(frozen=True)
class Picture(Shown):
    """A plot as SVG, with its title, which is also its text."""

    title: str
    svg: str = field(repr=False)

    def _blocks(self) -> Iterator[Block]:
        label = markup.one_line(self.title)
        html = f'<div role="img" aria-label="{label}">{self.svg}</div>'
        yield Block(printable(self.title), html)


def draw_picture(draw: Callable[[Axes], Axes]) -> Picture:
    """Return a plot as a picture, drawn without pyplot.

    Parameters
    ----------
    draw
        A function that draws on Axes, such as ``lambda ax: chunk_timeline(chunks, ax=ax)``.
    """
    from matplotlib.figure import Figure

    with _lock:
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        ax = figure.add_subplot()
        draw(ax)
        return Picture(ax.get_title(loc="left"), figure_svg(figure))


def figure_svg(figure: Figure) -> str:
    """Return a figure as SVG to stand in a page: on no ground, in the page's colour of text."""
    import matplotlib as mpl

    file = io.StringIO()
    # Names of its parts that no other picture of the page has; text stays text.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": token_hex(8)}):
        figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    _, start, drawn = file.getvalue().partition("<svg ")
    inked = re.sub(rf"{INK}(?=[;\"])", "currentColor", drawn, flags=re.IGNORECASE)
    # Its sheet of styles would hold for the whole page.
    bare = re.sub(r"<style\b.*?</style>", "", inked, flags=re.DOTALL)
    return f'{start}style="{_STYLE}" {bare}'
