"""Make the Python environment that the local engine runs in, once."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from batchops.core.errors import EngineInstallError
from batchops.core.project import check_owner, make_private

REQUIREMENTS = Path(__file__).with_name("engine-requirements.txt")
_INSTALL_TIMEOUT_S = 900.0
_DONE = "complete"
_PIN = re.compile(r"^[\w.-]+==[\w.]+", re.MULTILINE)
# Settings of the caller's shell that would send pip or the interpreter somewhere else. What says
# where packages come from (index, proxy, certificates) is kept: the user's choice holds here too.
_MISLEADING = {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "VIRTUAL_ENV"}
_MISLEADING |= {"PYTHONPATH", "PYTHONHOME"}


def pins() -> list[str]:
    """Return the pinned requirements of the engine, such as ``boto3==1.43.106``."""
    return _PIN.findall(REQUIREMENTS.read_text(encoding="utf-8"))


def env_folder(env_home: Path) -> Path:
    """Return where the environment for these pins and this interpreter lies."""
    pinned = REQUIREMENTS.read_text(encoding="utf-8")
    named = "\n".join([pinned, sys.implementation.cache_tag or "", sys.base_prefix])
    return env_home / f"engine-env-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


def env_python(env_home: Path) -> Path:
    """Return the environment's interpreter."""
    return env_folder(env_home) / "bin" / "python"


def is_installed(env_home: Path) -> bool:
    """Return whether the environment is there and complete."""
    return (env_folder(env_home) / _DONE).exists() and env_python(env_home).exists()


def install(env_home: Path) -> Path:
    """Make the environment unless it is there, and return its interpreter.

    Of two processes at once, one makes it. One that was begun and not finished is made again.

    Raises
    ------
    EngineInstallError
        venv or pip failed, or took too long.
    InputError
        The folder belongs to another user, or others may write to it.
    """
    make_private(env_home)
    folder = env_folder(env_home)
    if is_installed(env_home):
        check_owner(folder)
        return env_python(env_home)
    try:
        with FileLock(env_home / f"{folder.name}.lock", timeout=_INSTALL_TIMEOUT_S):
            if not is_installed(env_home):
                _make(folder)
    except TimeoutError as error:
        raise EngineInstallError(
            f"another process is still installing the engine into {folder}: wait, or end it"
        ) from error
    return env_python(env_home)


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    # Installed by the caller's pip, so that the environment has none of its own, nor a setuptools:
    # Python brings old ones. Wheels only, since what builds another package has no hash here.
    _run([sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)])
    options = ["--disable-pip-version-check", "--no-input", "--quiet"]
    strict = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)]
    _run([sys.executable, "-I", "-m", "pip", "--python", python, "install", *options, *strict])
    # Written last: its presence says that nothing was cut off half way.
    (folder / _DONE).write_text("\n".join(pins()) + "\n", encoding="utf-8")


def _run(command: list[str]) -> None:
    env = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    # Compiled modules are half of a quick cold start, so pip must be free to write them.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        done = subprocess.run(
            command,
            env=env,
            capture_output=True,
            text=True,
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineInstallError(f"installing the local engine failed: {error}") from error
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise EngineInstallError(
            "installing the local engine failed: see that this computer reaches its package index "
            f"and that Python's venv module and pip are there, then repeat\n{said}"
        )
