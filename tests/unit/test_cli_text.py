"""The command line speaks of its verbs, and refuses arguments that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import batchops
from batchops.cli import main
from batchops.cli.base import in_verbs
from batchops.core.errors import InputError
from batchops.deployment.deletion import Destruction
from batchops.deployment.holdings import Holdings
from batchops.planning.what_if import load_schema


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("run Stack.deploy() first", "run 'batchops deploy' first"),
        ("stack.jobs() lists them", "'batchops jobs' lists them"),
        ("pass region=..., or", "pass --region ..., or"),
        ("wait() for its end, or stop() it", "'batchops wait' for its end, or 'batchops stop' it"),
        (
            "nothing is started yet (dry_run=False starts it)",
            "nothing is started yet (--yes starts it)",
        ),
        ("rerun(dry_run=False) starts it", "'batchops rerun JOB --yes' starts it"),
        ("deploy(MaxConcurrency=8), or", "'batchops deploy MaxConcurrency=8', or"),
        ("deploy with replace=True, which", "deploy with --replace, which"),
        ("by its name: accept={...}", "by its name: --accept KIND"),
        ("more such rows: see frame()", "more such rows: see --json"),
        ("more fields: see changes_frame()\nand", "more fields: see --json\nand"),
        ("or use target='local'", "or use --target local"),
        (
            "as with stack.latest().wait(), or pass force=True, which",
            "as with 'batchops wait', or pass --force, which",
        ),
    ],
)
def test_methods_are_named_as_verbs(said: str, shown: str) -> None:
    assert in_verbs(said) == shown


@pytest.mark.parametrize(
    "text", ["no file wait().csv", "call job.frobnicate()", "stack.submit('a.csv')", "x.stop()"]
)
def test_what_is_no_verb_stays_as_it_is(text: str) -> None:
    assert in_verbs(text) == text


def test_dry_run_of_a_destruction_says_how_to_go_on() -> None:
    dry = Destruction("orders", deleted=False, holdings=Holdings({}, {}, 0, ()))
    assert "(--yes deletes it)" in in_verbs(str(dry))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jobs", "--status", "done"], "'done' is not one of"),
        (["plot", "job-1", "graph", "graph.png"], "graph.png is no .svg"),
        (["rerun", "job-1", "--chunks", "3-7"], "--chunks '3-7' is no list such as 3,7"),
        (
            ["repair", "job-1", "a.csv", "--accept", "zeros"],
            "'zeros' is not one of 'leading-zeros'",
        ),
        (["rejects", "job-1", "-o", "a.xlsx", "--spreadsheet"], "a workbook needs no quotes"),
        (["rejects", "job-1", "-o", "a.csv", "--format", "xlsx"], "does not fit the name a.csv"),
        (["rejects", "job-1", "-o", "a.xlsx", "--format", "csv"], "does not fit the name a.xlsx"),
        (["rejects", "job-1", "--spreadsheet", "--json"], "two forms of the same rows"),
        (["rejects", "job-1", "--format", "xlsx", "--json"], "two forms of the same rows"),
        (["output", "job-1", "--spreadsheet", "--json"], "two forms of the same rows"),
    ],
)
def test_argument_that_makes_no_sense_is_refused_before_anything_is_asked(
    arguments: list[str], said: str
) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_schema_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no schema file .*mine\.json: give the path"):
        load_schema(tmp_path / "mine.json")


def test_version_is_the_packages() -> None:
    done = CliRunner().invoke(main, ["--version"])
    assert done.output == f"batchops, version {batchops.__version__}\n"
