"""Plots as pictures in HTML, drawn without pyplot, so that threads may draw them."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore.texts import printable

from batchops.show import markup
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 110
_SIZE_INCHES = (8.6, 3.4)
# Matplotlib draws in any thread, but only in one at a time (its FAQ, "Work with threads").
_lock = threading.Lock()


@dataclass(frozen=True)
class Picture(Shown):
    """A plot as PNG, with its title, which is also its text."""

    title: str
    png: bytes = field(repr=False)

    def _blocks(self) -> Iterator[Block]:
        data = base64.b64encode(self.png).decode()
        style = "max-width:100%;height:auto"
        alt = markup.one_line(self.title)
        html = f'<img alt="{alt}" style="{style}" src="data:image/png;base64,{data}">'
        yield Block(printable(self.title), html)


def draw_picture(draw: Callable[[Axes], Axes]) -> Picture:
    """Return a plot as a picture with a transparent background.

    Parameters
    ----------
    draw
        A function that draws on Axes, such as ``lambda ax: chunk_timeline(chunks, ax=ax)``.
    """
    from matplotlib.figure import Figure

    with _lock:
        figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
        figure.patch.set_alpha(0)
        ax = figure.add_subplot()
        ax.patch.set_alpha(0)
        draw(ax)
        file = io.BytesIO()
        figure.savefig(file, format="png")
        return Picture(ax.get_title(loc="left"), file.getvalue())
