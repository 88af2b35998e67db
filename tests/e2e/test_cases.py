"""Small inputs that once went wrong in silence, through a deployed stack."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from e2e.jobs import TIMEOUT_S, finished
from support import ROOT

from batchops.core.errors import InputError
from batchops.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchops.job import Job
    from batchops.local.engine import LocalEngine

CASES = ROOT / "tests" / "data" / "cases"
SHIPMENT = CASES / "readme-repair-recipe-semicolon"


@pytest.fixture(scope="module")
def stack(engine: LocalEngine) -> Iterator[Stack]:
    stack = Stack("cases", engine=engine)
    stack.deploy(
        schema=SHIPMENT / "schema.json",
        reference_data=SHIPMENT / "reference.csv",
        FileDelimiter="semicolon",
    )
    yield stack
    stack.destroy(dry_run=False)


def _run(stack: Stack, case: str, *, check: bool = True) -> Job:
    data = (CASES / case / "input.csv").read_bytes().replace(b",", b";")
    return finished(stack, data, f"{case}.csv", check=check)


def _batchops(engine: LocalEngine, folder: Path, *arguments: str) -> bytes:
    """Return what a command writes to a pipe; it finds the engine under the folder."""
    home = folder / "engine"
    if not home.exists():
        home.symlink_to(engine.home)
    done = subprocess.run(
        [sys.executable, "-m", "batchops", *arguments],
        env={**os.environ, "BATCHOPS_HOME": str(folder), "BATCHOPS_STACK": "cases"},
        cwd=folder,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return done.stdout


def test_rejects_of_the_command_line_are_repaired_by_it(
    stack: Stack, engine: LocalEngine, tmp_path: Path
) -> None:
    job = _run(stack, SHIPMENT.name, check=False)
    assert "TooManyRejectsError" in job.status().reason  # its only row
    rejects = _batchops(engine, tmp_path, "rejects", job.id)
    (tmp_path / "fixed.csv").write_bytes(rejects.replace(b";ten;", b";10;"))
    _batchops(engine, tmp_path, "repair", job.id, "fixed.csv", "--yes", "--wait")
    assert job.output()["qty"].tolist() == ["10"]
    assert job.rejects().empty


DAMAGE = {"leading-zeros": 2, "trailing-zeros": 1, "missing-values": 1}


def test_what_a_spreadsheet_did_to_other_columns_is_put_through_by_its_names_only(
    stack: Stack, engine: LocalEngine, tmp_path: Path
) -> None:
    job = _run(stack, "repair-silent-damage", check=False)
    edited = CASES / "repair-silent-damage" / "edited.csv"
    plan = job.repair(edited, dry_run=False)
    assert (plan.held, plan.fixed, plan.started) == ((2,), (), False)
    assert plan.damage == DAMAGE
    assert plan.changes_frame()["column"].tolist() == [
        *("qty", "postcode", "region", "ean", "ratio")
    ]
    (tmp_path / "edited.csv").write_bytes(edited.read_bytes())
    said = _batchops(engine, tmp_path, "repair", job.id, "edited.csv", "--yes").decode()
    assert "'0012345678905'" in said
    assert "accept each kind by its name: --accept KIND" in said
    accepted = job.repair(edited, accept=set(DAMAGE))
    assert (accepted.fixed, accepted.accepted) == ((2,), tuple(DAMAGE))

    book = job.rejects_workbook(tmp_path / "rejects.xlsx")
    (row,) = job.repair(book.path).rows
    assert row.outcome == "unchanged"
    quoted = job.download(tmp_path / "quoted.csv", rejected=True, spreadsheet=True)
    quoted.write_bytes(quoted.read_bytes().replace(b";ten;", b";10;"))
    assert [change.column for change in job.repair(quoted).changes] == ["qty"]
    assert job.repair(quoted, dry_run=False).started
    job.wait()
    (fixed,) = job.output().to_dict("records")
    assert (fixed["qty"], fixed["postcode"], fixed["ratio"]) == ("10", "01069", "1.50")
    completed = job.download(tmp_path / "completed.csv", spreadsheet=True).read_text("utf-8-sig")
    assert ";'01069;NA;'0012345678905;'1.50;" in completed


def test_stray_quotes_are_rejected_and_their_bytes_kept(stack: Stack, tmp_path: Path) -> None:
    job = _run(stack, "stray-quotes-accepted")
    errors = job.errors()
    assert list(zip(errors["source_row"], errors["rule"], strict=True)) == [
        (2, "quoting"),
        (3, "quoting"),
    ]
    assert job.rejects().merge(errors, on="source_row")["rule"].tolist() == ["quoting"] * 2
    assert b'\n"000"001;"Ada" Inc;' in job.download(tmp_path, rejected=True).read_bytes()
    assert not job.repair(job.rejects()).needed
    with pytest.raises(InputError, match=r"no column 'Nope' .* others are 'order_id'"):
        job.errors(column="Nope")


def test_rules_that_were_not_applied_are_said_by_the_job(stack: Stack) -> None:
    job = _run(stack, "optional-header-other-case")
    (warning,) = job.status().warnings
    assert "'Unit_Price' looks like 'unit_price', 'ship date' looks like 'ship_date'" in warning
    assert warning in str(job.why())
    assert warning in job.email().text


def test_columns_of_an_earlier_result_are_told_apart(stack: Stack) -> None:
    job = _run(stack, "reupload-completed")
    assert "'warehouse', 'rep'" in str(job.status())
    found = job.output()
    assert found["warehouse"].tolist() == ["North"]
    assert found["warehouse (uploaded)"].tolist() == ["OLD"]
