"""Make the pictures of README and docs from the notebooks, run on a local engine; `make pictures`.

Each picture is a part of a JupyterLab page in a browser, reduced to a palette, which keeps it
small. Nothing is drawn by hand: a picture shows what a job did.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from batchops.local.engine import LocalEngine
from tools.lab import BROWSERS, LAB, TIMEOUT_MS, find_browser, launched, make_home, servers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, ViewportSize

    from tools.lab import Server

_VIEWPORT: ViewportSize = {"width": 1200, "height": 860}
# What is higher than the window would come out with the window's frame across it.
_HIGH: ViewportSize = {"width": 1200, "height": 1600}
_COLOURS = 128
# A figure of matplotlib's; icons are SVG, too.
_PLOT = "svg:has(#axes_1)"


@dataclass(frozen=True)
class Shot:
    """A part of a notebook.

    Attributes
    ----------
    cell : str
        What the source of its cell holds; the cell's output is meant.
    part : str
        The part of that output, as a CSS selector; empty for the window with the cell on top.
    """

    cell: str
    part: str = ""


# In this order: the first deploys the stack. Errors are drawn before they are repaired, and a
# repaired sample has the next notebook run a new job, whose functions need not be started again.
NOTEBOOKS = {
    "01-deploy": {"deploy": Shot("stack.deploy(")},
    "02-submit": {"graph": Shot("job.graph()", ".jp-RenderedMermaid img")},
    "04-errors": {"errors": Shot("job.plot_errors();", _PLOT)},
    "03-timings": {"timeline": Shot("job.timeline();", _PLOT)},
    "06-rerun": {},
    "operations-console": {"console": Shot("bo.console(", ".batchops-console")},
}


def main(folder: Path) -> int:
    """Run the notebooks and make the pictures in a folder; return the exit code."""
    path = find_browser()
    if path is None:
        sys.stderr.write(f"no browser: install one of {', '.join(BROWSERS)}\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="batchops-pictures-") as place:
        home = Path(place) / "home"
        home.mkdir()
        engine = LocalEngine(make_home(home) / "engine", home)
        try:
            with launched(path) as browser, servers(home, lambda: _subfolder(place)) as start:
                for picture in make_pictures(browser, start(*LAB, health="/api/status"), folder):
                    sys.stdout.write(f"{picture}: {picture.stat().st_size / 1000:.0f} KB\n")
        finally:
            engine.stop()
    return 0


def make_pictures(browser: Browser, lab: Server, folder: Path) -> Iterator[Path]:
    """Run each notebook, and yield its pictures."""
    context = browser.new_context(viewport=_VIEWPORT, device_scale_factor=1)
    context.set_default_timeout(TIMEOUT_MS)
    for name, shots in NOTEBOOKS.items():
        page = context.new_page()
        lab.open_notebook(page, f"{name}.ipynb")
        lab.run_all(page)
        for stem, shot in shots.items():
            cell = page.locator(".jp-CodeCell").filter(has_text=shot.cell).first
            picture = folder / f"{stem}.png"
            take(cell, shot, picture)
            reduce_colours(picture)
            yield picture
        page.close()
        lab.end_kernels()


def take(cell: Locator, shot: Shot, picture: Path) -> None:
    """Take a picture of a cell's output once it is drawn."""
    cell.page.mouse.move(0, 0)  # or the line under it is another colour
    cell.page.set_viewport_size(_HIGH if shot.part else _VIEWPORT)
    cell.evaluate("cell => cell.scrollIntoView()")
    if not shot.part:
        cell.page.screenshot(path=picture)
        return
    part = cell.locator(f".jp-OutputArea {shot.part}").first
    if shot.part == ".batchops-console":
        part.locator("td", has_text="Order Date").first.wait_for()
    # The text cursor would blink.
    part.screenshot(path=picture, animations="disabled", caret="hide")


def reduce_colours(picture: Path) -> None:
    """Reduce a stored picture to a palette."""
    with Image.open(picture) as full:
        small = full.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)


def _subfolder(place: str) -> Path:
    return Path(tempfile.mkdtemp(dir=place))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
