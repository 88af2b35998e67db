"""`sam build && sam deploy` on the same template, as the first notebook has it.

They take the project's own samconfig.toml.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from e2e.jobs import TIMEOUT_S

import batchops as bo
from batchops.core.loopback import NO_PROXY
from batchops.core.project import HOME_VARIABLE, checkout_root
from batchops.local.engine import LocalEngine

SAM = checkout_root() / ".tools" / "sam" / "bin" / "sam"


class Shell:
    """What runs the cells of a notebook, for cells of bash alone."""

    def __init__(self) -> None:
        self.printed = ""

    def run_cell_magic(self, magic: str, line: str, cell: str) -> None:
        """Run a cell, and keep what it prints."""
        assert (magic, line) == ("bash", "")
        done = subprocess.run(
            ["bash"], input=cell, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        self.printed = done.stdout + done.stderr
        assert done.returncode == 0, self.printed


@pytest.fixture
def stack(engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bo.Stack:
    """The stack of a copy of the project, with the SAM CLI and the engine at hand."""
    root = checkout_root()
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(root / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "source", tmp_path / "source", ignore=ignored)
    settings = {
        **NO_PROXY,
        HOME_VARIABLE: str(engine.home.parent),
        "PATH": f"{SAM.parent}{os.pathsep}{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.1",  # seconds; the engine is next door
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return bo.Stack("by-sam", engine=engine, project=tmp_path)


def _cell() -> str:
    """Return the first notebook's cell that runs the SAM CLI, asked to run it."""
    notebook = json.loads((checkout_root() / "notebooks" / "01-deploy.ipynb").read_text("utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    (found,) = [source for source in sources if "sam build" in source and "commands =" in source]
    return found.replace("with_sam = False", "with_sam = True")


@pytest.mark.skipif(not SAM.exists(), reason="SAM CLI is set up by `make test` in .tools/sam")
def test_cell_of_the_first_notebook_deploys_a_stack_that_runs(
    stack: bo.Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell()
    given = {"stack": stack, "bo": bo, "get_ipython": lambda: shell}
    exec(_cell(), {**given})
    assert "Successfully created" in shell.printed
    assert "CREATE_COMPLETE" in capsys.readouterr().out
    exec(_cell(), {**given})
    assert "No changes to deploy" in shell.printed

    (sender,) = re.findall(r"SESSender=(\S+)", _cell())
    stack.client("ses").verify_email_identity(EmailAddress=sender)
    # The shipped reference data serves samples of up to 1,000 rows.
    job = stack.submit(bo.make_sample(100).csv)
    job.wait(timeout_s=TIMEOUT_S)
    assert job.balance().holds
    assert len(job.output()) == 97
    stack.destroy(dry_run=False)


def test_commands_of_the_walkthrough_are_those_of_the_cell() -> None:
    page = (checkout_root() / "docs" / "walkthrough.md").read_text("utf-8")
    page = " ".join(page.replace("\\\n", " ").split())
    for line in ("sam build --no-cached", "sam deploy --stack-name by-sam --parameter-overrides"):
        assert line in page
        assert line in _cell()
    parameters = r"(?:LocalEngine|MaxConcurrency|SES\w+)=\S+"
    (local,) = re.findall(r"by-sam --parameter-overrides (.*?) batchops", page)
    assert set(re.findall(parameters, local)) == set(re.findall(parameters, _cell()))
