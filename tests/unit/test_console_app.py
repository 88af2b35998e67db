"""The console as an app, as `make console` starts it: who gets in, and what its page may load."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import ROOT

TIMEOUT_S = 120.0
# What the notebook's kernel would do if somebody got it to run.
MARK = "from pathlib import Path; Path('ran').touch(); print('it ran')"


def make_command() -> list[str]:
    """Return the words with which `make console` starts Voila."""
    shown = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "console"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    folder, _, command = shown.stdout.splitlines()[-1].partition(" && ")
    assert folder == "cd notebooks"
    return shlex.split(command)


def page_policy() -> str:
    """Return what the app's page may load, as `voila.json` says."""
    settings = json.loads((ROOT / "notebooks" / "voila.json").read_text())["Voila"]
    return str(settings["tornado_settings"]["headers"]["Content-Security-Policy"])


class App:
    """An app that runs, and what it has written to its terminal."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log
        self.policy: str | None = None  # of the page that was asked for last
        self.url, self.token = self._wait_for(
            lambda text: re.search(r"(http://127\.0\.0\.1:\d+)/\?token=([0-9a-f]{32,})", text)
        ).groups()

    @property
    def said(self) -> str:
        return self._log.read_text()

    def _wait_for(self, find: Callable[[str], re.Match[str] | None]) -> re.Match[str]:
        deadline = time.monotonic() + TIMEOUT_S
        while (found := find(self.said)) is None:
            assert time.monotonic() < deadline, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.1)
        return found

    def ask(self, path: str, **headers: str) -> tuple[int, str]:
        """Return the status of an answer, and where it leads."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: object) -> None:
                return None

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay())
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                self.policy = answer.headers["Content-Security-Policy"]
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("Location", "")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Start the app on a notebook of the same name that leaves a mark when it runs."""
    import nbformat

    folder = tmp_path_factory.mktemp("app")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(MARK)])
    nbformat.write(notebook, folder / "operations-console.ipynb")
    (folder / "voila.json").write_text((ROOT / "notebooks" / "voila.json").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _, *words = make_command()
    own = {name: str(folder / name.lower()) for name in ("HOME", "IPYTHONDIR")}
    own |= {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "voila", *words, "--no-browser", f"--port={port}"],
            cwd=folder,
            env={**os.environ, **own},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield App(process, log)
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def test_the_page_loads_nothing_from_other_hosts() -> None:
    rules = dict(rule.split(maxsplit=1) for rule in page_policy().split("; "))
    assert "default-src" in rules  # for whatever has no rule of its own
    # Not every browser counts a WebSocket to the page's own server as 'self'.
    assert rules.pop("connect-src") == "'self' ws://127.0.0.1:* ws://localhost:*"
    own = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    assert {source for sources in rules.values() for source in sources.split()} <= own


@pytest.mark.slow
def test_nobody_gets_the_console_without_its_token(app: App) -> None:
    for path, headers in (
        ("/", {}),
        ("/?token=", {}),
        ("/?token=" + "0" * len(app.token), {}),
        ("/", {"Authorization": "token " + "0" * len(app.token)}),
        ("/", {"Host": "attacker.example"}),
        ("/voila/render/operations-console.ipynb", {}),
    ):
        status, place = app.ask(path, **headers)
        assert status == 302, path
        assert place.startswith("/login?"), path
    assert app.ask("/api/kernels/12345678-1234-1234-1234-123456789012")[0] in (302, 403)
    assert not list(Path(app._log.parent).rglob("ran"))


@pytest.mark.slow
def test_the_token_is_in_the_address_that_is_printed_and_nowhere_else(app: App) -> None:
    status, page = app.ask(f"/?token={app.token}")
    assert status == 200
    assert "it ran" in page
    assert app.policy == page_policy()
    # Requests that fail are logged by default, with their whole address.
    assert app.ask(f"/voila/files/operations-console.ipynb?token={app.token}")[0] == 403
    kernel = "12345678-1234-1234-1234-123456789012"
    assert app.ask(f"/api/kernels/{kernel}?token={app.token}")[0] == 404
    assert kernel in app.said
    assert app.said.count(app.token) == 1
    command = Path(f"/proc/{app.process.pid}/cmdline")
    if command.exists():
        assert app.token.encode() not in command.read_bytes()
