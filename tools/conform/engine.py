"""LocalStack as a process of this computer, on the loopback address only."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchops.core.errors import EngineError
from batchops.core.loopback import open_local
from batchops.core.project import checkout_root

_START_S = 120.0
_STOP_S = 5.0  # a second more or less: nothing of it is kept
# LocalStack takes the number of an account for a key's id.
ACCOUNT = "000000000000"
REGION = "us-east-1"


@contextmanager
def serving(python: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Run LocalStack, and give the environment variables that lead boto3 to it, and nowhere else.

    Parameters
    ----------
    python
        The Python of LocalStack's environment.
    folder
        Where it keeps what it unpacks, and its log.

    Raises
    ------
    EngineError
        It did not start.
    """
    address = f"127.0.0.1:{_free_port()}"
    log = folder / "localstack.log"
    settings = {
        # By default it listens on all addresses, asks its makers for news, and answers names.
        "GATEWAY_LISTEN": address,
        "LOCALSTACK_HOST": address,
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(checkout_root()),
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
    }
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [python, "-m", "tools.conform.server"], env=settings, stdout=sink, stderr=sink
        )
    try:
        _wait_until_ready(process, f"http://{address}/_localstack/health", log)
        yield {
            "AWS_ENDPOINT_URL": f"http://{address}",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "conform",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            open_local(url, timeout_s=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    last = log.read_text(errors="replace").splitlines()[-20:]
    raise EngineError("LocalStack did not start:\n" + "\n".join(last))
