"""One engine and one stack for all tests of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from e2e.jobs import TIMEOUT_S
from unsaved_engine import discard

from batchops.cli import main
from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine
from batchops.samples.sample import make_sample
from batchops.stack import Stack

ROWS = 1_500


@dataclass(frozen=True)
class Shell:
    """A shell in a working folder that is the state folder too."""

    home: Path

    @classmethod
    def new(cls, home: Path) -> Shell:
        """Return a shell in an empty folder, with the project's engine environment in it."""
        for path in (checkout_root() / ".batchops").glob("engine-env-*"):
            (home / path.name).symlink_to(path)
        return cls(home)

    @property
    def engine(self) -> LocalEngine:
        """The engine that its commands use."""
        return LocalEngine(self.home / "engine", self.home)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command in this process, and return what it wrote."""
        done = self._invoke(arguments, code)
        return done.output

    def refusal(self, *arguments: str) -> str:
        """Run a command that fails, and return its message, the last thing that it wrote."""
        told = str(self._invoke(arguments, 1).stderr)
        assert told.startswith("error: ")
        assert len(told.splitlines()) <= 2
        return told

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with ``--json``, and return the document that is its standard output."""
        return json.loads(self._invoke([*arguments, "--json"], code).stdout)

    def process(self, *arguments: str, code: int = 0) -> str:
        """Run a command in a process of its own, and return what it wrote."""
        done = subprocess.run(
            [sys.executable, "-m", "batchops", *arguments],
            env={**os.environ, "BATCHOPS_HOME": str(self.home)},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def _invoke(self, arguments: Any, code: int) -> Any:
        with pytest.MonkeyPatch.context() as patched:
            patched.chdir(self.home)
            settings = {"BATCHOPS_HOME": str(self.home)}
            done = CliRunner().invoke(main, arguments, env=settings)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, done.output
        return done


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The shell whose engine and stack all tests share."""
    shell = Shell.new(tmp_path_factory.mktemp("home"))
    yield shell
    discard(shell.engine)


@pytest.fixture(scope="session")
def stack(shell: Shell) -> Stack:
    """The stack that the shell's commands mean."""
    files = make_sample(ROWS).write(shell.home)
    stack = Stack("batchops", engine=shell.engine)
    stack.deploy(reference_data=files.reference, FileChunkSize=500)
    return stack
