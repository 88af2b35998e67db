"""Every notebook in JupyterLab, in their order: opened, run by the menu, and looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser.desk import Desk, Shown

from batchops.core.project import checkout_root
from tools.lab import LIGHT

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from tools.lab import Server

# What they look like: by default the light theme, "JupyterLab Dark" the other.
THEME_VARIABLE = "BATCHOPS_THEME"
BALANCE = "5,000 rows in = 4,850 out + 150 rejected, 150 rows with errors, 9 chunks: holds"
# Mermaid's text is 16 pixels high: what is smaller than 10 cannot be read.
READABLE = 10 / 16


@dataclass(frozen=True)
class Expected:
    """What a notebook has to show: texts, how many pictures, and what comes after its cells."""

    facts: tuple[str, ...]
    plots: int = 0
    drawings: int = 0
    wait_for: str = ""


# In this order: the first deploys the stack, and the last takes it away.
NOTEBOOKS = {
    "01-deploy": Expected(("nothing stands in the way", "CREATE_COMPLETE", "FinancialTable")),
    "02-submit": Expected(("planned: 150 rejected; job: 150 rejected", BALANCE), drawings=1),
    "03-timings": Expected(("between steps", "resources changed"), plots=4),
    "04-errors": Expected((BALANCE, "newly broken: 0 errors", "Marketplace"), plots=4),
    "05-outputs": Expected((BALANCE, "Rows rejected: 150", "source_row"), plots=3),
    "06-rerun": Expected(("AccessDenied", "same output: True", BALANCE), drawings=1),
    "07-debug-a-function": Expected(("validate-data failed with", "NoSuch", "'rejected': ")),
    "08-bring-your-own-file": Expected(("400 rows in = 397 out + 3 rejected", "M-9999"), plots=1),
    "09-scale-and-cost": Expected(("usd_per_million_rows", "memory for a chunk"), plots=1),
    "operations-console": Expected(
        ("Operations console", "succeeded", "orders.csv"), wait_for="182 in the job in all"
    ),
    "10-clean-up": Expected(("stack workshop is deleted", "NOT_DEPLOYED", "stopped: True")),
}


@pytest.fixture(scope="module")
def desk(lab: Server, context: BrowserContext, screenshots: Path) -> Desk:
    lab.choose_theme(os.environ.get(THEME_VARIABLE, LIGHT))
    return Desk(lab, context, screenshots)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_and_is_whole_in_jupyterlab(name: str, desk: Desk) -> None:
    expected = NOTEBOOKS[name]
    shown = desk.run(name, drawings=expected.drawings, wait_for=expected.wait_for)
    assert wrong_with(shown, name) == []
    assert [fact for fact in expected.facts if fact not in shown.text] == []
    assert (shown.plots, len(shown.drawings)) == (expected.plots, expected.drawings)
    assert all(scale >= READABLE for scale in shown.drawings), shown.drawings
    assert bool(shown.widgets) == (name == "operations-console")
    assert shown.picture.stat().st_size > 0


def wrong_with(shown: Shown, name: str) -> list[str]:
    """Return what nobody should see, and what should be seen and is not."""
    # There, what a function logs goes to the standard error, a line a call.
    logged = [text for text in shown.wrong if name.startswith("07") and '"level":' in text]
    found = [text for text in shown.wrong if text not in logged]
    for what in ("Error displaying widget", "Javascript Error"):
        found += [what] * (what in shown.text)
    found += [f"{shown.unrun} cells did not run"] * bool(shown.unrun)
    return [*found, *shown.cut, *shown.dialogs, *shown.console]


def test_every_notebook_is_looked_at() -> None:
    paths = (checkout_root() / "notebooks").glob("*.ipynb")
    assert sorted(NOTEBOOKS) == sorted(path.stem for path in paths)
