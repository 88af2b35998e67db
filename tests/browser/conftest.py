"""One JupyterLab in the machine's own Chromium, with one home and engine for all tests in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser.required import required_browser
from unsaved_engine import discard

from batchops.local.engine import LocalEngine
from tools.lab import LAB, TIMEOUT_MS, Server, StartServer, launched, make_home, servers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

# Where pictures of the notebooks go; by default into pytest's own temporary folder.
SCREENSHOTS_VARIABLE = "BATCHOPS_SCREENSHOTS"
# JupyterLab's side bar and a notebook beside it.
WIDTH, HEIGHT = 1200, 1000


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Give a headless Chromium."""
    with launched(required_browser()) as browser:
        yield browser


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give what all pages share, their cache above all: JupyterLab is several megabytes."""
    size = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(viewport=size, accept_downloads=True)
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder for kernels, with an engine of its own: a notebook stops it."""
    home = make_home(tmp_path_factory.mktemp("home"))
    yield home
    discard(LocalEngine(home / "engine", home))


@pytest.fixture(scope="package")
def start_server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Give a function that starts a Jupyter server; all are stopped in the end."""
    with servers(home, lambda: tmp_path_factory.mktemp("jupyter")) as start:
        yield start


@pytest.fixture(scope="package")
def lab(start_server: StartServer) -> Server:
    """A JupyterLab without settings, news or notebooks of anybody."""
    return start_server(*LAB, health="/api/status")


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for pictures of the notebooks."""
    named = os.environ.get(SCREENSHOTS_VARIABLE)
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
