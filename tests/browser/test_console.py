"""The console in JupyterLab and as an app: its buttons pressed in a browser.

Opening JupyterLab takes far longer than pressing a button. So there is one page of each kind, which
the tests use one after the other, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from e2e.jobs import TIMEOUT_S

import batchops as bo
from batchops.local.engine import LocalEngine
from tools.lab import DARK, LIGHT, VOILA, Server, StartServer

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

NOTEBOOK = "operations-console.ipynb"
ROWS = 300
NARROW, WIDE, HEIGHT = 700, 1920, 1000


@pytest.fixture(scope="module")
def orders(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file whose job has run in the stack that the notebook names."""
    stack = bo.Stack("workshop", engine=LocalEngine(home / "engine", home))
    files = bo.make_sample(ROWS, bad_share=0.1).write(tmp_path_factory.mktemp("orders"))
    stack.deploy(reference_data=files.reference, FileChunkSize=50)
    stack.submit(files.orders).wait(timeout_s=TIMEOUT_S)
    yield files.orders
    stack.destroy(dry_run=False, force=True)


@pytest.fixture(scope="module")
def page(context: BrowserContext, lab: Server, orders: Path) -> Iterator[Page]:
    """Give the notebook with the console, open in JupyterLab and run, on a light ground."""
    lab.choose_theme(LIGHT)
    page = context.new_page()
    lab.open_notebook(page, NOTEBOOK)
    lab.run_all(page)
    yield page
    page.close()
    lab.end_kernels()


@pytest.fixture(scope="module")
def app(context: BrowserContext, start_server: StartServer, orders: Path) -> Iterator[Page]:
    """Give the console as an app, in a narrow window."""
    server = start_server(*VOILA, health="/voila/static/")
    page = context.new_page()
    page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    page.goto(f"{server.url}/?token={server.token}")
    yield page
    page.close()


def console_of(page: Page) -> Any:
    """Return the console, once it has read the errors of the job."""
    console = page.locator(".batchops-console")
    console.locator("td", has_text="Order Date").first.wait_for()
    return console


def press(console: Any, name: str) -> None:
    # Not exactly so: a button's symbol, which the style sheet adds, counts as part of its name.
    console.get_by_role("button", name=name).click()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_console_shows_the_job_on_any_ground(lab: Server, page: Page, theme: str) -> None:
    lab.change_theme(page, theme)
    console = console_of(page)
    assert "succeeded" in console.inner_text()
    press(console, "Summary")
    graph = console.locator("svg", has_text="Split Input File").first
    graph.wait_for()
    said = graph.get_by_text("not reached").first  # on the page's own ground
    assert said.evaluate("e => getComputedStyle(e).fill") == console.evaluate(
        "e => getComputedStyle(e).color"
    )
    press(console, "Errors")
    console_of(page)
    ink, ground = page.evaluate(
        """() => [document.querySelector('.batchops-console td'), document.body].map(
            (e, i) => getComputedStyle(e)[i ? 'backgroundColor' : 'color'])"""
    )
    assert ink != ground
    box = console.bounding_box()
    # Nothing sticks out of the console, so no line of it is cut.
    widest = console.evaluate(
        "e => Math.max(...[...e.querySelectorAll('button, select, input, td, .batchops-grid')]"
        ".filter(x => !x.parentElement.closest('.batchops-grid'))"  # which scrolls
        ".map(x => x.getBoundingClientRect().right))"
    )
    assert widest <= box["x"] + box["width"] + 1


def test_actions_work_by_keyboard_alone(page: Page) -> None:
    console = console_of(page)
    console.get_by_label("Status").focus()
    reached = []
    for _ in range(60):  # each column of the grid has its order and its filter
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.innerText.trim()"))
        if reached[-1] == "Link":
            break
    wanted = ["Repair from file", "Link"]  # Rerun and Stop are off: the job has succeeded
    assert [text for text in reached if text in wanted] == wanted
    page.keyboard.press("Enter")
    console.get_by_role("button", name="Make the link").wait_for()
    # The keyboard is at the button that does nothing, one step from the one that does it.
    page.wait_for_function("() => document.activeElement.innerText.trim() == 'Cancel'")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    console.get_by_role("link", name="open it").wait_for()


def test_rows_of_a_grid_are_picked_by_keyboard_and_jupyterlab_takes_no_key(
    page: Page,
) -> None:
    console = console_of(page)
    errors = console.locator(".batchops-grid").nth(1).locator("tbody tr")
    errors.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    console.locator(".batchops-grid").nth(1).locator("tr.selected").wait_for()
    assert page.evaluate("() => document.activeElement.matches('.batchops-grid tr.selected')")
    kept = page.evaluate(
        "() => Object.keys(sessionStorage)"
    )  # each grid its own order and searches
    assert {"batchops-jobs", "batchops-errors"} <= set(kept)
    assert not [key for key in kept if key.startswith("DataTables")]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")  # in place of the other
    page.wait_for_function("() => document.activeElement.matches('.batchops-grid tr.selected')")
    assert console.locator(".batchops-grid").nth(1).locator("tr.selected").count() == 1
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")  # beside it
    page.wait_for_function(
        "() => document.querySelectorAll('.batchops-grid')[1]"
        ".querySelectorAll('tr.selected').length == 2"
    )
    console.get_by_label("Value").fill("x")
    set_value = console.get_by_role("button", name="Set", exact=False).first
    set_value.click()
    console.get_by_text("new value").wait_for()


def test_a_file_is_checked_submitted_and_followed_in_the_browser(page: Page, orders: Path) -> None:
    console = console_of(page)
    press(console, "Upload")
    with page.expect_file_chooser() as chooser:
        console.get_by_role("button", name="Choose CSV").click()
    chooser.value.set_files(orders)
    console.get_by_text("can be submitted").wait_for()
    press(console, "Submit")
    console.get_by_text("the file is submitted").wait_for()
    page.wait_for_function(
        "() => document.querySelector('.batchops-grid').querySelectorAll('tbody tr').length == 2"
    )
    console.get_by_text(f"{ROWS}/{ROWS} rows").wait_for()


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_console_is_read_in_narrow_and_wide_windows(app: Page, width: int) -> None:
    app.set_viewport_size({"width": width, "height": HEIGHT})
    console_of(app)
    assert app.evaluate("() => document.documentElement.scrollWidth") <= width


def test_console_runs_as_an_app(app: Page) -> None:
    console = console_of(app)
    press(console, "Chunks")
    chunks = console.locator(".batchops-grid").nth(1).locator("tbody tr")
    chunks.nth(1).click()
    console.get_by_text("rows 52 to 101 of the file").wait_for()
    press(console, "Timings")
    console.get_by_role("img", name="Chunks over time").wait_for()
    assert "import batchops" not in app.inner_text("body")  # no code is shown
