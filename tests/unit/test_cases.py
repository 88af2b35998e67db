"""Small inputs that once went wrong in silence, each with what must happen to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from batchcore.reference import read_reference
from batchcore.schema import RecordSchema
from support import ROOT

from batchops.core.errors import InputError
from batchops.core.project import Project
from batchops.deployment.delivery import Order, check_files
from batchops.deployment.settings import shipped_settings
from batchops.planning.planner import plan_file

if TYPE_CHECKING:
    from pathlib import Path

    from batchops.planning.plan import Plan

CASES = ROOT / "tests" / "data" / "cases"


def plan_of(case: str, *, delimiter: str = ",") -> Plan:
    """Plan the case's upload for a stack with the case's schema and reference data."""
    folder = CASES / case
    schema = RecordSchema.load(folder / "schema.json")
    known = dict(read_reference(folder / "reference.csv", schema))
    return plan_file(
        folder / "input.csv",
        schema=schema,
        settings=replace(shipped_settings(), delimiter=delimiter, chunk_rows=600),
        known_keys=lambda keys: known.keys() & set(keys),
    )


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


def test_text_after_a_closing_quote_is_rejected_and_planned() -> None:
    found = plan_of("stray-quotes-accepted")
    assert (found.rows, found.rejected) == (3, 2)
    (rule,) = found.rules
    assert (rule.stage, rule.column, rule.rule, rule.rows, rule.source_row) == (
        "read",
        "",
        "quoting",
        2,
        2,
    )
    assert "text after the closing quote of field 1" in rule.message
