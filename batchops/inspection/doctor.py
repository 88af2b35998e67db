"""Check what a deployment or a job needs, and say what to do about what is missing."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from batchcore.texts import number_of

from batchops.core.config import find_config, load_config
from batchops.core.errors import InputError
from batchops.core.project import Project, state_home
from batchops.core.stack_ref import MAX_NAME_CHARACTERS
from batchops.inspection.checks import Check, Diagnosis, run_check, stack_checks
from batchops.inspection.doctor_aws import aws_checks
from batchops.local import engine_env
from batchops.local.engine import LocalEngine, check_system

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

# Measured while `batchops demo` ran in an empty folder for state: 475 MB of functions, each with
# its layer, 85 MB of the engine's packages, 28 MB of builds, 25 MB of state, uploads and results.
_DEMO_BYTES = 620_000_000
# Of the engine and its functions at most, while two small jobs ran on two cores; measured (USS).
_DEMO_MEMORY_BYTES = 1_000_000_000
_FREE_BYTES = 1_000_000_000  # the rest is for files


def run_doctor(stack: StackRef, *, project: str | Path | None = None) -> Diagnosis:
    """Check everything that a deployment or a job needs; nothing is started or changed.

    Parameters
    ----------
    stack
        The stack, deployed or not.
    project
        The folder with the template; by default what `Project.find` finds.

    Returns
    -------
    Diagnosis
        A check that fails, or is not allowed, gives a line and raises no error.
    """
    checks = [
        run_check("Python", check_python),
        run_check("packages", check_packages),
        run_check("project", partial(check_project, project)),
        *_config_checks(),
        run_check("disk", check_disk),
        Check("stack's name", True, f"{len(stack.name)} of {MAX_NAME_CHARACTERS} characters"),
        *(_engine_checks(stack) if stack.target.local else aws_checks(stack)),
    ]
    return Diagnosis(stack.name, tuple(checks))


# ---------------------------------------------------------------------------- this computer


def check_python() -> Check:
    """Check that this Python can build layers and environments."""
    found = f"{platform.python_version()} ({sys.executable})"
    lacking = [name for name in ("pip", "venv") if importlib.util.find_spec(name) is None]
    if lacking:
        advice = (
            "they install layers and the local engine: install this Python's venv module and pip"
        )
        return Check("Python", False, f"{found}, without {' and '.join(lacking)}", advice)
    return Check("Python", True, found)


def check_packages() -> Check:
    """Check that the packages that batchops depends on are installed."""
    try:
        wanted = [line for line in requires("batchops") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return Check(
            "packages", None, "batchops is not installed", "pip install -e . in a checkout"
        )
    found, lacking = [], []
    for line in wanted:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lacking.append(line)
    if lacking:
        found_none = f"not installed: {', '.join(lacking)}"
        return Check("packages", False, found_none, "install batchops again")
    return Check("packages", True, ", ".join(found))


def check_project(root: str | Path | None) -> Check:
    """Check that there is a template to deploy."""
    return Check("project", True, str(Project.find(root).root))


def _config_checks() -> Iterator[Check]:
    path = find_config(Path.cwd())
    if path is not None:
        yield run_check("configuration", partial(check_config, path))


def check_config(path: Path) -> Check:
    """Check a configuration file, and that the files that it names are there."""
    environments = load_config(path)
    for each in environments.values():
        for file in filter(None, (each.schema, each.reference)):
            if not file.is_file():
                found = f"{path}: environment {each.name} names {file}, which is not there"
                return Check("configuration", False, found, "name a file that is there")
    return Check("configuration", True, f"{path}: {', '.join(environments) or 'no environment'}")


def check_disk() -> Check:
    """Check that there is space for builds and for the local engine's state."""
    folder = state_home()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:,.1f} GB free for {state_home()}; a demo takes {_DEMO_BYTES / 1e9:.1f} GB"
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        wrong = "is not writable" if folder.is_dir() else "is no folder"
        return Check("disk", False, f"{folder} {wrong}", "set BATCHOPS_HOME to a folder")
    advice = "" if free >= _FREE_BYTES else "free some space, or set BATCHOPS_HOME to another disk"
    return Check("disk", free >= _FREE_BYTES, found, advice)


def check_memory() -> Check:
    """Check that there is memory for the local engine and its functions."""
    free = psutil.virtual_memory().available
    found = f"{free / 1e9:,.1f} GB available; a demo takes {_DEMO_MEMORY_BYTES / 1e9:.1f} GB"
    ok = free >= _DEMO_MEMORY_BYTES
    advice = "" if ok else "end other programs, or the system may kill the local engine at work"
    return Check("memory", ok, found, advice)


# --------------------------------------------------------------------------------- the engine


def _engine_checks(stack: StackRef) -> Iterator[Check]:
    system = run_check("system", check_platform)
    yield system
    if not system.ok:
        return
    engine = stack.target.engine
    if isinstance(engine, LocalEngine):
        yield run_check("memory", check_memory)
        yield run_check("engine's packages", partial(check_engine_packages, engine))
        yield from check_engine(engine)
    yield from stack_checks(stack)[0]


def check_platform() -> Check:
    """Check that the engine runs on this system."""
    check_system()
    return Check("system", True, platform.platform(terse=True))


def check_engine_packages(engine: LocalEngine) -> Check:
    """Check that the engine's own Python environment is installed."""
    if engine_env.is_installed(engine.env_home):
        return Check(
            "engine's packages",
            True,
            f"{number_of(len(engine_env.pins()), 'package')}, by their hashes",
        )
    advice = "batchops engine install, or a deployment, which does it once"
    return Check("engine's packages", None, "not installed yet", advice)


def check_engine(engine: LocalEngine) -> Iterator[Check]:
    """Check that the engine runs, and that only this computer can reach it."""
    try:
        info = engine.find()
    except InputError as error:
        yield Check("engine", False, str(error), "set BATCHOPS_HOME to a folder of your own")
        return
    if info is None and (silent := engine.silent):
        yield Check("engine", None, silent, "look again in a moment")
        return
    if info is None:
        found = f"does not run; {engine.kept}" if engine.kept else "does not run"
        start = "batchops engine start, or a deployment, starts it"
        advice = f"{start} with the state that it kept" if engine.kept else start
        yield Check("engine", None, found, advice)
        return
    trouble = f"; {engine.trouble}" if engine.trouble else ""
    advice = "free some space: batchops engine logs has the error" if trouble else ""
    found = f"{info.endpoint_url}, process {info.pid}{trouble}"
    yield Check("engine", not trouble, found, advice)
    try:
        sockets = psutil.Process(info.pid).net_connections(kind="inet")
    except psutil.Error as error:
        yield Check("engine's ports", None, f"this system does not say ({error})")
        return
    listening = {(s.laddr.ip, s.laddr.port) for s in sockets if s.status == psutil.CONN_LISTEN}
    found = ", ".join(f"{ip}:{port}" for ip, port in sorted(listening))
    private = all(ip.startswith("127.") or ip == "::1" for ip, _ in listening)
    advice = "" if private else "anybody on the network can reach it: batchops engine stop"
    yield Check("engine's ports", private, found, advice)
