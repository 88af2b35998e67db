"""Run JupyterLab in the machine's own Chromium, for the tests in a browser and for the pictures.

No configuration of the user is read, and nothing in the checkout is written: notebooks are served
from a copy, and the caller gives the state folder.
"""

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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from batchops.core.loopback import open_local
from batchops.core.project import HOME_VARIABLE, checkout_root, make_private

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The browser, where it is none of those that are looked for.
BROWSER_VARIABLE = "BATCHOPS_CHROMIUM"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
# Pages of a busy machine take their time.
TIMEOUT_MS = 180_000
_RUN_TIMEOUT_MS = 600_000
_START_S = 180.0

# No cell waits or runs any more, and one at least has run.
_THROUGH = """() => {
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
        .map(prompt => prompt.textContent);
    return !prompts.some(text => text.includes('*')) && prompts.some(text => /\\d/.test(text));
}"""

# In a page that has JupyterLab already: closes what is open, saved or not; opens another notebook.
_CLOSE = "() => [...window.jupyterapp.shell.widgets('main')].forEach(widget => widget.dispose())"
_OPEN = "path => { window.jupyterapp.commands.execute('docmanager:open', {path}); }"
_CHOOSE = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"

# What starts a server that serves a folder: options with {port}, {root} and {token}.
LAB = (
    "jupyterlab",
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port={port}",
    "--ServerApp.port_retries=0",
    "--ServerApp.root_dir={root}",
    "--IdentityProvider.token={token}",
    "--LabApp.expose_app_in_browser=True",
)
VOILA = (
    "voila",
    "{root}/operations-console.ipynb",
    "--no-browser",
    "--port={port}",
    "--Voila.ip=127.0.0.1",
    "--token={token}",
)
# What starts a server that runs until the block ends, in which it was asked for.
StartServer = Callable[..., "Server"]


def find_browser() -> str | None:
    """Return the path of a Chromium, or None if there is none."""
    named = os.environ.get(BROWSER_VARIABLE)
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Launch that browser, headless."""
    with sync_playwright() as playwright:
        # A sandbox of its own it cannot make where it runs as root.
        options = [] if os.getuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


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

    def choose_theme(self, theme: str) -> None:
        """Set the theme, light or dark, of pages that are opened from now on."""
        self._write("@jupyterlab/apputils-extension/themes", {"theme": theme})

    def change_theme(self, page: Page, theme: str) -> None:
        """Change the theme of a page that is open."""
        page.evaluate(_CHOOSE, theme)
        page.wait_for_function("theme => document.body.dataset.jpThemeName == theme", arg=theme)

    def set_up(self) -> None:
        """Close whatever opens by itself and would take the clicks."""
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
        """Open a notebook, and wait until its kernel is ready.

        A page in which the one before was closed has JupyterLab already, which takes seconds.
        """
        if page.url.startswith(self.url):
            page.evaluate(_OPEN, name)
        else:
            page.goto(f"{self.url}/lab/tree/{name}?token={self.token}&reset")
        page.locator(".jp-Notebook").wait_for()
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def run_all(self, page: Page) -> None:
        """Run all cells of the open notebook, and wait until they have run."""
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(_THROUGH, timeout=_RUN_TIMEOUT_MS)
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def close_notebooks(self, page: Page) -> None:
        """Close what is open, and end the kernels."""
        page.evaluate(_CLOSE)
        self.end_kernels()

    def end_kernels(self) -> None:
        """Shut all kernels down, so that the next page starts with a new one."""
        for session in json.loads(self._ask("GET", "sessions")):
            self._ask("DELETE", f"sessions/{session['id']}")

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(  # noqa: S310  (its own address)
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with open_local(request, timeout_s=_START_S) as answer:
            return answer.read()


def make_home(folder: Path) -> Path:
    """Create a state folder that shares only what takes long to build with the checkout's.

    That is the engine's Python environment and what was built of the sources, each under a name
    that tells what it was made from.
    """
    shared = checkout_root() / ".batchops"
    make_private(shared / "build")
    for path in [*shared.glob("engine-env-*"), shared / "build"]:
        (folder / path.name).symlink_to(path)
    return folder


@contextmanager
def servers(home: Path, new_folder: Callable[[], Path]) -> Iterator[StartServer]:
    """Yield a function that starts a Jupyter server, and stop all servers at the end.

    Parameters
    ----------
    home
        The state folder in which kernels find stacks and engine.
    new_folder
        What gives an empty folder for each server: its notebooks, settings and log.
    """
    with ExitStack() as stack:

        def start(*command: str, health: str) -> Server:
            return stack.enter_context(_started(command, health, home, new_folder()))

        yield start


@contextmanager
def _started(command: tuple[str, ...], health: str, home: Path, folder: Path) -> Iterator[Server]:
    root = Path(shutil.copytree(checkout_root() / "notebooks", folder / "notebooks"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", secrets.token_hex(16), root, folder / "settings")
    server.set_up()
    values = {"port": port, "root": root, "token": server.token}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(**values) for part in command)],
            cwd=root,
            env=_environment(folder, home),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_up(process, f"{server.url}{health}?token={server.token}", folder)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(folder: Path, home: Path) -> dict[str, str]:
    """Return an environment without the user's configuration."""
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
    while time.monotonic() < deadline and process.poll() is None:
        try:
            open_local(url, timeout_s=5).close()
        except urllib.error.HTTPError as answer:  # whatever it says, it is up
            answer.close()
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not start:\n{(folder / 'server.log').read_text()}")
