"""JupyterLab in the machine's own Chromium, with a home of its own, on the local engine."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from batchops.project import HOME_VARIABLE, checkout_root

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from batchops.local.engine import LocalEngine

# The browser, where it is none of those that are looked for.
BROWSER_VARIABLE = "BATCHOPS_CHROMIUM"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_START_S = 60.0
# Pages of a busy machine take their time.
TIMEOUT_MS = 60_000
Theme = str
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"


def find_browser() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    named = os.environ.get(BROWSER_VARIABLE)
    return named or next(filter(None, map(shutil.which, _BROWSERS)), None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Give a headless Chromium."""
    path = find_browser()
    if path is None:
        names = ", ".join(_BROWSERS)
        pytest.skip(f"no browser: none of {names} is on PATH, and {BROWSER_VARIABLE} is not set")
    with sync_playwright() as playwright:
        # A sandbox of its own it cannot make where tests run as root.
        options = [] if os.getuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give an empty page; files that it is to download are kept."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


@dataclass(frozen=True)
class Server:
    """A server that runs, and the folder that it serves notebooks from.

    Attributes
    ----------
    url, token : str
        Its address and what it lets people in by.
    root : Path
        Its notebooks, copies of the project's.
    settings : Path
        JupyterLab's settings of the user.
    """

    url: str
    token: str
    root: Path
    settings: Path

    def choose_theme(self, theme: Theme) -> None:
        """Have pages that are opened from now on look light or dark."""
        self._write("@jupyterlab/apputils-extension/themes", {"theme": theme})

    def set_up(self) -> None:
        """Keep away whatever opens by itself and takes the clicks."""
        self._write(
            "@jupyterlab/apputils-extension/notification",
            {"fetchNews": "false", "checkForUpdates": False},
        )
        # Or it asks which kernel, where a cell is run before the kernel has come.
        self._write("@jupyterlab/notebook-extension/tracker", {"autoStartDefaultKernel": True})
        self.choose_theme(LIGHT)

    def _write(self, plugin: str, values: dict[str, Any]) -> None:
        path = self.settings / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    def open_notebook(self, page: Page, name: str) -> None:
        """Open a notebook and wait until its kernel is there."""
        page.goto(f"{self.url}/lab/tree/{name}?token={self.token}&reset")
        page.locator(".jp-Notebook").wait_for()
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def run_all(self, page: Page) -> None:
        """Run all cells of the notebook that is open, and wait until the last one is through."""
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        last = page.locator(".jp-CodeCell .jp-InputPrompt").last
        page.wait_for_function("e => /\\[\\d+\\]/.test(e.textContent)", arg=last.element_handle())


@pytest.fixture(scope="package")
def home(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder in which kernels find the tests' engine, with its environment."""
    home = tmp_path_factory.mktemp("home")
    for path in (checkout_root() / ".batchops").glob("engine-env-*"):
        (home / path.name).symlink_to(path)
    (home / "engine").symlink_to(engine.home)
    return home


@pytest.fixture(scope="package")
def start_server(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Give a function that starts a Jupyter server; all are stopped in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str, health: str) -> Server:
        folder = tmp_path_factory.mktemp("jupyter")
        root = Path(shutil.copytree(checkout_root() / "notebooks", folder / "notebooks"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Server(
            f"http://127.0.0.1:{port}", secrets.token_hex(16), root, folder / "settings"
        )
        server.set_up()
        log = (folder / "server.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(port=port, server=server) for part in command)],
            cwd=root,
            env=_environment(folder, home),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        started.append(process)
        _wait_until_up(process, f"{server.url}{health}?token={server.token}", folder)
        return server

    yield start
    for process in started:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="package")
def lab(start_server: Callable[..., Server]) -> Server:
    """A JupyterLab without settings, news or notebooks of anybody."""
    return start_server(
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.root_dir={server.root}",
        "--IdentityProvider.token={server.token}",
        health="/api/status",
    )


def _environment(folder: Path, home: Path) -> dict[str, str]:
    """Return an environment in which nothing is read that people have configured."""
    own = {
        "HOME": folder,
        "IPYTHONDIR": folder / "ipython",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        HOME_VARIABLE: home,
    }
    root = checkout_root()
    modules = os.pathsep.join([str(root), str(root / "source" / "common")])
    return {**os.environ, "PYTHONPATH": modules, **{name: str(v) for name, v in own.items()}}


def _wait_until_up(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and process.poll() is None:
        try:
            opener.open(url, timeout=5).close()
        except urllib.error.HTTPError as answer:  # whatever it says, it is up
            answer.close()
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not start:\n{(folder / 'server.log').read_text()}")
