"""Whatever proxy the environment names: what is sent to this computer goes nowhere else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, Received, Server

from batchops.core.loopback import NO_PROXY, open_local
from batchops.core.target import Target
from batchops.deployment.deployed import download_layer
from batchops.inspection.invoke_here import _variables
from batchops.local import engine_process
from batchops.local.mailbox import read_mailbox
from tools import lab
from tools.drill.rig import Rig

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
CALLER = b"""<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
# The files that may name urllib's own ways: ours, one that speaks to AWS, and tests that say why.
FREE = {
    "batchops/core/loopback.py",
    "batchops/deployment/deployed.py",
    "tests/unit/test_console_app.py",  # it must not follow where an answer leads
    "tests/unit/test_drill_proxy.py",  # in a process of its own
    "tests/unit/test_loopback.py",
}


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name a proxy at a port where nobody listens, in every variable that is read anywhere."""
    # urllib keeps the opener that it made first, with the proxies of then, such as another test's.
    monkeypatch.setattr(urllib.request, "_opener", None)
    # Bound all the while, and not listening, so that no server of a test gets the same port.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        for name in PROXIES:
            monkeypatch.setenv(name, address)
            monkeypatch.setenv(name.upper(), address)
        # One that leads elsewhere counts for more than a NO_PROXY in capitals.
        monkeypatch.setenv("no_proxy", "internal.example")
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield address


def answer(request: Received) -> tuple[int, bytes]:
    if request.path.startswith("/_ministack/ses"):
        return 200, b'{"messages": {}}'
    if b"GetCallerIdentity" in request.body:
        return 200, CALLER
    return 200, b"{}"


@dataclass(frozen=True)
class Engine:
    """An engine that runs at an address; also what it says of itself."""

    endpoint_url: str
    region: str = "us-east-1"
    access_key_id: str = "ours"
    secret_access_key: str = "secret"
    account_id: str = "000000000000"
    request_headers: dict[str, str] = field(default_factory=dict)
    silent: str = ""

    def find(self) -> Engine:
        return self

    def start(self) -> Engine:
        return self

    def moved(self, _: object) -> bool:
        return False


class Stack:
    """A stack on such an engine, with a layer to download."""

    def __init__(self, engine: Engine) -> None:
        self.name, self.url = "orders", engine.endpoint_url
        self.target = Target("local", engine=engine).connect()

    def client(self, _: str) -> Any:
        return self

    def get_layer_version_by_arn(self, **_: str) -> dict[str, Any]:
        return {"Content": {"Location": f"{self.url}/layer.zip"}}


def test_the_proxy_would_be_asked(closed: str) -> None:
    with Server(answer) as server, pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(server.url, timeout=10)


def test_no_request_to_this_computer_takes_a_proxy(tmp_path: Path) -> None:
    with Server(answer) as server:
        engine = Engine(server.url)
        with open_local(server.url, timeout_s=10) as got:
            assert got.status == 200
        assert engine_process.answers(int(server.url.rpartition(":")[2]), {})
        assert read_mailbox(engine) == []  # type: ignore[arg-type]
        assert download_layer(Stack(engine), "arn") == b"{}"  # type: ignore[arg-type]
        assert Target("local", engine=engine).account_id == "000000000000"
        rig = Rig.__new__(Rig)
        rig._info = engine  # type: ignore[assignment]
        rig.admit_hosts([])
        lab.Server(server.url, "token", tmp_path, tmp_path).end_kernels()
        assert len(server.received) == 7


def test_functions_and_programs_on_this_computer_take_no_proxy_either() -> None:
    with Server(answer) as server:
        configuration = {"FunctionName": "orders-echo", "MemorySize": 128}
        variables = _variables(Stack(Engine(server.url)), configuration)  # type: ignore[arg-type]
        assert variables.items() >= NO_PROXY.items()
        code = "import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=10)"
        subprocess.run(
            [sys.executable, "-c", code, server.url],
            env={**os.environ, **variables},
            check=True,
            timeout=60,
        )
        assert len(server.received) == 1


def test_nobody_opens_an_address_in_another_way() -> None:
    ways = ("urlopen(", "build_opener(", "ProxyHandler(", "OpenerDirector(")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("batchops", "tools", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if any(way in path.read_text(encoding="utf-8") for way in ways)
    }
    assert found == FREE
