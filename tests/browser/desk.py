"""Run notebooks in JupyterLab, and read off the page what people see."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from browser.executed import FIRST, Executed
from nbformat.reader import NotJSONError

from tools.lab import Server

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page

_SAVED_S = 600.0

# Chromium draws no higher picture.
_MAX_HEIGHT = 16_000
# What is out of sight is drawn when it comes into sight: every cell, one after the other.
_SHOW_ALL = """async () => {
    for (const cell of document.querySelectorAll('.jp-Cell')) {
        cell.scrollIntoView();
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    }
}"""
_DRAWN = """drawings => document.querySelectorAll('.jp-RenderedMermaid').length >= drawings
    && [...document.querySelectorAll('.jp-OutputArea-output img')]
        .every(image => image.complete && image.naturalWidth)"""
_HEIGHT = """() => {
    const outer = document.querySelector('.jp-WindowedPanel-outer');
    const last = [...document.querySelectorAll('.jp-Cell')].pop();
    outer.scrollTop = 0;
    return Math.ceil(last.getBoundingClientRect().bottom) + 60;
}"""
_READ = """() => {
    const all = selector => [...document.querySelectorAll(selector)];
    const start = element => element.innerText.slice(0, 300);
    const cut = all('.jp-OutputArea-output, .jp-OutputArea-output *, .jp-CodeCell .cm-scroller')
        .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
        .filter(e => e.matches('.jp-OutputArea-output')
            || getComputedStyle(e).overflowX != 'visible')
        // A grid scrolls sideways on purpose; its head moves along.
        .filter(e => !e.matches('.dt-scroll-head, .dt-scroll-body'));
    return {
        text: document.querySelector('.jp-Notebook').innerText,
        unrun: all('.jp-CodeCell .jp-InputPrompt').filter(e => !/\\d/.test(e.textContent)).length,
        wrong: all('[data-mime-type="application/vnd.jupyter.error"], .jp-mod-warning, ' +
            '[data-mime-type="application/vnd.jupyter.stderr"], .jupyter-widgets-error-widget')
            .map(start),
        cut: cut.map(e => `${e.scrollWidth} of ${e.clientWidth}: ${start(e)}`),
        dialogs: all('.jp-Dialog').map(start),
        plots: all('.jp-OutputArea-output[data-mime-type="text/html"] svg [id^="axes_"]').length,
        drawings: all('.jp-RenderedMermaid img').map(image => {
            const svg = decodeURIComponent(image.src.slice(image.src.indexOf(',') + 1));
            return image.clientWidth / Number(/viewBox="[-\\d.]+ [-\\d.]+ ([\\d.]+)/.exec(svg)[1]);
        }),
        widgets: all('.jp-OutputArea-output .jupyter-widgets').length,
    };
}"""


@dataclass(frozen=True)
class Shown:
    """A notebook after its run, as the page has it.

    Attributes
    ----------
    text : str
        All that can be read.
    unrun : int
        Code cells without a number: an error kept them from running.
    wrong, cut, dialogs : list of str
        How each begins: errors, warnings and what went to the standard error; what is wider than
        its place; dialogs.
    plots, widgets : int
        How many there are.
    drawings : list of float
        Of each drawing of Mermaid's, how much smaller it is than Mermaid made it: 1.0 is as large.
    console : list of str
        Errors that the browser told.
    picture : Path
        The whole page.
    executed : Executed
        The notebook with its outputs, as JupyterLab saved it.
    """

    text: str
    unrun: int
    wrong: list[str]
    cut: list[str]
    dialogs: list[str]
    plots: int
    drawings: list[float]
    widgets: int
    console: list[str]
    picture: Path
    executed: Executed


@dataclass
class Desk:
    """Runs the notebooks of one JupyterLab, each once, after the first of them.

    They are opened in one page, one after the other; after a failure in another.
    """

    lab: Server
    context: BrowserContext
    folder: Path
    _done: dict[str, Shown] = field(default_factory=dict)
    _page: Page | None = None

    def run(self, name: str, *, drawings: int = 0, wait_for: str = "") -> Shown:
        """Return what a notebook shows that was opened and run by the menu.

        Parameters
        ----------
        name
            The notebook.
        drawings
            How many drawings of Mermaid's it has, which come after the cells are through.
        wait_for
            A text that comes after the cells are through, as that of widgets does.
        """
        if name != FIRST:
            self.run(FIRST)
        if name not in self._done:
            page, self._page = self._page or self.context.new_page(), None
            size = page.viewport_size
            assert size is not None
            self._done[name] = self._run(page, name, drawings, wait_for)
            self.lab.close_notebooks(page)
            page.set_viewport_size(size)
            self._page = page
        return self._done[name]

    def _run(self, page: Page, name: str, drawings: int, wait_for: str) -> Shown:
        told: list[str] = []

        def note_line(line: ConsoleMessage) -> None:
            if line.type == "error":
                told.append(line.text)

        def note_error(error: Error) -> None:
            told.append(str(error))

        page.on("console", note_line)
        page.on("pageerror", note_error)
        self.lab.open_notebook(page, f"{name}.ipynb")
        self.lab.run_all(page)
        if wait_for:
            page.locator(".jp-OutputArea-output").get_by_text(wait_for).first.wait_for()
        show_whole(page, drawings)
        picture = self.folder / f"{name}.png"
        page.screenshot(path=picture)
        shown: dict[str, Any] = page.evaluate(_READ)
        executed = save(page, self.lab.root / f"{name}.ipynb")
        page.remove_listener("console", note_line)
        page.remove_listener("pageerror", note_error)
        return Shown(**shown, console=told, picture=picture, executed=executed)


def show_whole(page: Page, drawings: int) -> None:
    """Have everything drawn, and make the window as high as the notebook."""
    page.evaluate(_SHOW_ALL)
    page.wait_for_function(_DRAWN, arg=drawings)
    size = page.viewport_size
    assert size is not None
    height = min(max(size["height"], page.evaluate(_HEIGHT)), _MAX_HEIGHT)
    page.set_viewport_size({"width": size["width"], "height": height})


def save(page: Page, path: Path) -> Executed:
    """Save the notebook that is open, and return it as it then is."""
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Save Notebook(?! As)")).click()
    deadline = time.monotonic() + _SAVED_S
    while True:
        # It is not there at once, nor whole as soon as it is there.
        with suppress(NotJSONError):
            notebook = nbformat.read(path, as_version=4)
            if any(cell.get("execution_count") for cell in notebook.cells):
                return Executed(notebook)
        assert time.monotonic() < deadline, f"{path} was not saved"
        page.wait_for_timeout(100)
