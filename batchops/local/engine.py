"""Run the local engine: MiniStack, an emulator of AWS, as a separate process on this computer.

It outlives the command that starts it and is found again through a record in its home folder, by
process id and start time. Its home holds everything it writes: state, objects, logs, temporary
files. Stopping it in order keeps the state; a killed engine loses what it did in its last seconds.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from batchops.core.errors import EngineError, EngineStartError
from batchops.core.project import check_private, make_private, state_home
from batchops.local import engine_env, engine_process, gate
from batchops.local.engine_state import (
    KEPT_WHOLE,
    check_space,
    jobs_cut_short,
    kept_in_words,
    loss_in_words,
    move_addresses,
    trouble_in_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchops.core.target import Endpoint

HOST = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
_ACCESS_KEY_ID = "BATCHOPSLOCAL"
_PORT_ATTEMPTS = 4
_LOG_LIMIT_BYTES = 5_000_000


@dataclass(frozen=True)
class EngineInfo:
    """A running engine, and what a client needs to talk to it."""

    endpoint_url: str
    pid: int
    port: int
    access_key_id: str
    secret_access_key: str = field(repr=False)
    request_headers: Mapping[str, str] = field(repr=False)
    region: str = REGION
    account_id: str = ACCOUNT_ID


class LocalEngine:
    """The local engine in a home folder; objects with the same home are the same engine.

    Parameters
    ----------
    home
        Folder of its state; by default ``engine`` in the project's state folder.
    env_home
        Folder in which its Python environment is made; by default the project's state folder.
    """

    def __init__(self, home: Path | None = None, env_home: Path | None = None) -> None:
        self.home = home if home is not None else state_home() / "engine"
        self.env_home = env_home if env_home is not None else state_home()

    def __repr__(self) -> str:
        """Name the engine by its home."""
        return f"LocalEngine(home={str(self.home)!r})"

    @property
    def log_file(self) -> Path:
        """The file with all that the engine writes."""
        return self.home / "engine.log"

    @property
    def kept(self) -> str:
        """How much of its state is kept, in words; empty where there is none."""
        return kept_in_words(self.home / "state")

    @property
    def silent(self) -> str:
        """That its process runs and does not answer, in words; empty otherwise."""
        process = self._process()
        if process is None or engine_process.answers(process.port, self._headers()):
            return ""
        return (
            f"the local engine (process {process.pid}) does not answer: it is starting, stopping "
            "or busy"
        )

    @property
    def trouble(self) -> str:
        """What is wrong with the saving of a running engine, in words; empty where nothing is."""
        return trouble_in_words(self.home / "state")

    @property
    def cut_short(self) -> tuple[str, ...]:
        """The jobs that ran when the engine was stopped; they have failed when it runs again."""
        return jobs_cut_short(self.home / "state")

    @property
    def _record_file(self) -> Path:
        return self.home / "engine.json"

    def install(self) -> None:
        """Install the engine into a Python environment of its own, unless that is there.

        Raises
        ------
        EngineError
            The engine does not run on this system.
        EngineInstallError
            The packages could not be installed.
        EngineStartError
            The disk is full.
        """
        check_system()
        if not engine_env.is_installed(self.env_home):
            check_space(self.env_home)
        engine_env.install(self.env_home)

    def find(self) -> EngineInfo | None:
        """Return the running engine; None if none runs and answers.

        Raises
        ------
        EngineError
            The engine does not run on this system.
        """
        check_system()
        process = self._process()
        if process is not None:
            check_private(self.home)  # or the record and the key are whoever's who could write them
        if process is None or not engine_process.answers(process.port, self._headers()):
            return None
        return self._info(process)

    def moved(self, endpoint: Endpoint) -> bool:
        """Return whether the engine was last started at another address than this one."""
        last = engine_process.last_port(self._record_file)
        return last is not None and endpoint.endpoint_url != f"http://{HOST}:{last}"

    def start(self, *, timeout_s: float = 60) -> EngineInfo:
        """Start the engine unless it runs already.

        Warns of what was lost where the last one was not stopped in order.

        Raises
        ------
        EngineInstallError
            Its environment could not be made.
        EngineStartError
            It did not come up in time, and the error holds the last lines of its log; or the
            disk is full.
        """
        found = self.find()
        if found is not None:
            return found
        self.install()
        check_space(self.home)
        deadline = time.monotonic() + timeout_s
        with self._locked(timeout_s):
            process = self._process()
            # A process without an answer is one whose starter was killed, or one that is busy. A
            # second engine on the same state would destroy it, so this one is waited for.
            if process and not engine_process.wait_until_ready(
                process, self._headers(), deadline=deadline
            ):
                if engine_process.is_alive(process):
                    raise EngineStartError(
                        f"the local engine (process {process.pid}) does not answer after "
                        f"{timeout_s:.0f} s: stop it and start it again",
                        log=self.logs(lines=20),
                    )
                process = None  # it was ending
            if process is None:
                lost = loss_in_words(self.home / "state", self.log_file)
                process = self._launch(deadline)
                if lost:
                    warnings.warn(lost, stacklevel=2)
            return self._info(process)

    def stop(self, *, timeout_s: float = 30) -> bool:
        """Stop the engine, keeping its state, and return whether one was running.

        An engine that has not ended when the time is up is killed.

        Raises
        ------
        EngineError
            It has ended, and could not save all of its state: the disk is full, or it was killed.
        """
        with self._locked(timeout_s):
            stopped = self._stop(timeout_s)
            if stopped and self.kept not in ("", KEPT_WHOLE):
                raise EngineError(f"the local engine is stopped: {self.kept}")
            return stopped

    def reset(self) -> None:
        """Stop the engine and delete its state: the emulated account is empty afterwards."""
        with self._locked(30):
            self._stop(30)
            for name in ("state", "s3", "tmp"):
                shutil.rmtree(self.home / name, ignore_errors=True)

    def logs(self, *, lines: int = 100) -> str:
        """Return the last lines that the engine wrote."""
        try:
            with self.log_file.open("rb") as handle:
                handle.seek(max(0, self.log_file.stat().st_size - 400 * lines))
                text = handle.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    @contextmanager
    def _locked(self, timeout_s: float) -> Iterator[None]:
        # Also one that was there: the secret key, uploads and mails are in it.
        make_private(self.home).chmod(0o700)
        try:
            with FileLock(self.home / "engine.lock", timeout=timeout_s):
                yield
        except TimeoutError as error:
            raise EngineError(
                f"another process is starting or stopping the engine in {self.home}: try again"
            ) from error

    def _process(self) -> engine_process.EngineProcess | None:
        return engine_process.read_record(self._record_file)

    def _info(self, process: engine_process.EngineProcess) -> EngineInfo:
        return EngineInfo(
            endpoint_url=f"http://{HOST}:{process.port}",
            pid=process.pid,
            port=process.port,
            access_key_id=_ACCESS_KEY_ID,
            secret_access_key=self._secret(),
            request_headers=self._headers(),
        )

    def _launch(self, deadline: float) -> engine_process.EngineProcess:
        # Left over from functions of an engine that was not stopped.
        shutil.rmtree(self.home / "tmp", ignore_errors=True)
        for name in ("state", "s3", "tmp"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        last = engine_process.last_port(self._record_file)
        for attempt in range(_PORT_ATTEMPTS):
            # The last port again, where it is free: clients and URLs made before a restart live on.
            port = last if attempt == 0 and last and _is_free(last) else _free_port()
            if last and port != last:
                move_addresses(self.home / "state", old_port=last, new_port=port)
                last = port
            process = engine_process.launch(
                self._command(port),
                port=port,
                env=self._environment(port),
                log_file=self.log_file,
                record_file=self._record_file,
            )
            if engine_process.wait_until_ready(process, self._headers(), deadline=deadline):
                return process
            if engine_process.is_alive(process) or _is_free(port):
                break  # too slow, or broken: another port would not help
        engine_process.end(process, timeout_s=5, scratch=self.home / "tmp")
        raise EngineStartError(
            f"the local engine did not start; its log is {self.log_file}", log=self.logs(lines=20)
        )

    def _command(self, port: int) -> list[str]:
        # -P: the folder of the gate is not searched for modules.
        python = str(engine_env.env_python(self.env_home))
        return [python, "-P", gate.__file__, "--host", HOST, "--port", str(port)]

    def _headers(self) -> dict[str, str]:
        return {gate.SECRET_HEADER: gate.gate_secret(self._secret())}

    def _stop(self, timeout_s: float) -> bool:
        process = self._process()
        if process is not None:
            engine_process.end(process, timeout_s=timeout_s, scratch=self.home / "tmp")
            # Copies of the functions, each with its layer: 470 MB after the demo, of no use now.
            shutil.rmtree(self.home / "tmp", ignore_errors=True)
        return process is not None

    def _secret(self) -> str:
        """Return this home's secret key, which is made on first use and kept."""
        path = self.home / "secret"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return path.read_text(encoding="ascii")
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(secrets.token_hex(20))
        return path.read_text(encoding="ascii")

    def _environment(self, port: int) -> dict[str, str]:
        """Return the whole environment of the engine's process and of the functions that it runs.

        Nothing else is inherited: a profile, a proxy or an endpoint of the caller's shell must not
        reach a function.
        """
        kept = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"]
        # MiniStack's own setting: it shortens the pauses between a workflow's retries, for tests.
        kept += ["SFN_WAIT_SCALE"]
        inherited = {name: os.environ[name] for name in kept if name in os.environ}
        return inherited | {
            "GATEWAY_PORT": str(port),
            # Where it listens. The emulator's own default is every interface.
            "BIND_HOST": HOST,
            # The host in URLs that it makes (queues, a custom resource's answer). An address rather
            # than "localhost": no resolver is asked, and boto3 keeps to path-style S3 by itself.
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            # IAM policies are enforced: a run here shows that the template grants enough.
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": self._secret(),
            # Listeners that nobody here needs, on ports that somebody else may.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.home / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.home / "s3"),
            "TMPDIR": str(self.home / "tmp"),
            # No ~/.aws and no instance metadata for functions that look for credentials; UTC as in
            # the Lambda runtime.
            "HOME": str(self.home / "tmp"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "TZ": "UTC",
            "LOG_LEVEL": "INFO",
        }


def check_system() -> None:
    """Refuse Windows, on which the engine's processes and permissions do not work.

    Raises
    ------
    EngineError
    """
    if sys.platform == "win32":
        raise EngineError(
            "the local engine runs on Linux and macOS, not on Windows: install batchops in WSL "
            "(Windows Subsystem for Linux) and run it there, or use target='aws'"
        )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the engine itself will bind: connections that linger from the last run do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
