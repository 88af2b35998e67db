"""Which browser the tests of the notebooks take, and what is done without one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from browser.required import REQUIRE_VARIABLE, required_browser
from support import ROOT

from tools.lab import BROWSER_VARIABLE, BROWSERS


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that programs are looked for in; empty."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(BROWSER_VARIABLE, raising=False)
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", BROWSERS)
def test_each_browser_is_found_by_its_name(path: Path, name: str) -> None:
    (path / name).touch(mode=0o755)
    assert required_browser() == str(path / name)


def test_named_browser_comes_before_those_on_the_path(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path / BROWSERS[0]).touch(mode=0o755)
    monkeypatch.setenv(BROWSER_VARIABLE, "/opt/chrome")
    assert required_browser() == "/opt/chrome"


def test_without_a_browser_tests_are_skipped_with_the_reason(path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="no browser: none of chromium"):
        required_browser()


def test_without_a_browser_tests_fail_where_one_is_required(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match=f"{REQUIRE_VARIABLE}=1 wants one"):
        required_browser()


def test_ci_requires_one_of_the_same_browsers() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert f"export {REQUIRE_VARIABLE}=1" in script
    assert f"browsers=({' '.join(BROWSERS)})" in script


def test_make_lab_lets_root_in_and_no_other_machine() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "lab"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    command = shown.stdout.splitlines()[-1]
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--notebook-dir . " in command
    assert ("--allow-root" in command) == (os.getuid() == 0)
