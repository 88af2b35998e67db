"""Small inputs that once went wrong in silence, each with what must happen to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from batchops.core.errors import InputError
from batchops.core.project import Project
from batchops.deployment.delivery import Order, check_files

CASES = ROOT / "tests" / "data" / "cases"


def deploy_check(case: str) -> None:
    """Check the case's files as preview and deploy do."""
    folder = CASES / case
    order = Order(schema=folder / "schema.json", reference_data=folder / "reference.csv")
    check_files(Project(ROOT), order, kept={})


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("ref-open-quote", r"reference\.csv: the record in row 4 has a quoted field .* open"),
        ("ref-too-many-fields", r"reference\.csv, row 3: too many fields: 4 with the key '000003'"),
    ],
)
def test_reference_data_that_is_askew_is_refused_at_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, message: str
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    with pytest.raises(InputError, match=message):
        deploy_check(case)


@pytest.mark.parametrize("case", [folder.name for folder in CASES.iterdir()])
def test_other_cases_are_refused_for_nothing_at_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    if not case.startswith("ref-"):
        deploy_check(case)
