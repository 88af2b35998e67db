"""What is not there, be it a system or a package, is missed only by what needs it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchops.core.errors import EngineError, MissingExtraError
from batchops.core.extras import from_extra
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path


def run_without(modules: list[str], code: str) -> str:
    """Run code in a new Python in which the modules cannot be imported; return what it printed."""
    # psutil imports what its own system has.
    hidden = f"import psutil, sys; sys.modules.update(dict.fromkeys({modules!r}))\n"
    done = subprocess.run(
        [sys.executable, "-c", hidden + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


UNIX_ONLY = ["fcntl", "grp", "pwd", "resource", "termios"]
LAB = ["ipywidgets", "IPython", "jupyterlab", "jupyter_server", "matplotlib", "tornado"]


@pytest.mark.parametrize(
    ("modules", "code"),
    [
        (UNIX_ONLY, "import batchops.stack, batchops.cli, batchops.local.engine"),
        (LAB, "import batchops as bo; bo.Stack('a').job; import batchops.samples.demo"),
    ],
    ids=["unix", "lab"],
)
def test_package_is_imported_without(modules: list[str], code: str) -> None:
    run_without(modules, code)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("bo.console()", "the operations console needs the package ipywidgets"),
        (
            "bo.plot_totals(pd.DataFrame({'a': [1]}), by='a', value='a')",
            "a plot needs the package matplotlib",
        ),
    ],
    ids=["console", "plot"],
)
def test_missing_extra_is_named_where_it_is_needed(code: str, message: str) -> None:
    tried = f"""
import batchops as bo, pandas as pd
try:
    {code}
except bo.MissingExtraError as error:
    print(error)
"""
    assert (
        run_without(LAB, tried).strip()
        == f"{message}: install 'batchops[lab]' in place of 'batchops'"
    )


def test_other_errors_of_an_import_pass_through() -> None:
    with pytest.raises(ValueError, match="other"), from_extra("lab", needed_for="a plot"):
        raise ValueError("other")
    with pytest.raises(MissingExtraError) as raised, from_extra("lab", needed_for="a plot"):
        import no_such_package_at_all  # type: ignore[import-not-found]  # noqa: F401
    assert raised.value.name == "no_such_package_at_all"


def test_local_engine_is_refused_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(tmp_path / "engine", tmp_path / "env")
    monkeypatch.setattr(sys, "platform", "win32")
    for call in (engine.find, engine.start, engine.install):
        with pytest.raises(EngineError, match=r"not on Windows: install .* WSL.*target='aws'"):
            call()
    diagnosis = Stack("new", engine=engine).doctor()
    told = next(check for check in diagnosis.checks if check.name == "system")
    assert told.ok is False
    assert "WSL" in told.advice
    assert not [check for check in diagnosis.checks if check.name.startswith("engine")]
    assert not list(tmp_path.iterdir())
