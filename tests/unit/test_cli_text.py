"""The command line speaks of its verbs, and refuses arguments that make no sense."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import batchops
from batchops.__main__ import main as started
from batchops.cli import main
from batchops.cli.base import as_commands, error_text
from batchops.cli.help import EXAMPLES, GROUPS
from batchops.core.errors import InputError
from batchops.deployment.deletion import Destruction
from batchops.deployment.holdings import Holdings
from batchops.inspection.status import StatusReader
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.planning.what_if import load_schema
from batchops.show.wording import in_verbs
from batchops.stack import Stack


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("pass region=..., or", "pass --region ..., or"),
        (
            "nothing is started yet (dry_run=False starts it)",
            "nothing is started yet (--yes starts it)",
        ),
        ("deploy with replace=True, which", "deploy with --replace, which"),
        ("by its name: accept={...}", "by its name: --accept KIND"),
        ("more such rows: see frame()", "more such rows: see --json"),
        ("more fields: see changes_frame()\nand", "more fields: see --json\nand"),
        ("or use target='local'", "or use --target local"),
        ("name one, sheet='May 26'", "name one, --sheet 'May 26'"),
        ("encoding='cp1252' says nothing of", "--encoding cp1252 says nothing of"),
        ("skip_rows=3 says nothing of", "--skip-rows 3 says nothing of"),
        ("is blank (reference_data='a b.csv'): it", "is blank (--reference-data 'a b.csv'): it"),
        ("unknown keyword (schema='s.json')", "unknown keyword (--schema s.json)"),
        ("give the path of a CSV file, bytes or a DataFrame", "give the path of a CSV file"),
        (
            "wait for them, or pass force=True, which",
            "wait for them, or pass --force, which",
        ),
    ],
)
def test_arguments_are_named_as_options(said: str, shown: str) -> None:
    assert in_verbs(said) == shown


@pytest.mark.parametrize(
    "text", ["no file dry_run=False.csv", "my_frame() is", "xforce=True ", "accept={...}x"]
)
def test_what_is_no_argument_stays_as_it_is(text: str) -> None:
    assert in_verbs(text) == text


REJECTS = "batchops rejects j-1 -o FILE.csv"
REPAIR = "batchops repair j-1 FILE.csv --yes"


@pytest.mark.parametrize(
    ("calls", "typed"),
    [
        (
            "bad = job.rejects()  # fix 'Land', then job.repair(bad, dry_run=False)",
            f"{REJECTS}  # fix 'Land', then {REPAIR}",
        ),
        (
            "bad = job.rejects()  # fix 'x.stack.logs(b c)', then job.repair(bad, dry_run=False)",
            f"{REJECTS}  # fix 'x.stack.logs(b c)', then {REPAIR}",
        ),
        (
            "stack.deploy(FileDelimiter=';'); job.rerun(dry_run=False)",
            "batchops deploy 'FileDelimiter=;'; batchops rerun j-1 --yes",
        ),
        (
            "stack.logs('read-file', job=job.id)  # then job.rerun()",
            "batchops logs read-file --job j-1  # then batchops rerun j-1",
        ),
        (
            "stack.submit('a (1).csv', name='x/a.csv')  # once it is fixed",
            "batchops submit 'a (1).csv' --name x/a.csv  # once it is fixed",
        ),
        ("stack.doctor()", "batchops doctor"),
        ("job.balance()", "batchops balance j-1"),
    ],
)
def test_next_calls_are_commands(calls: str, typed: str) -> None:
    assert as_commands(calls, "j-1") == typed


def test_dry_run_of_a_destruction_says_how_to_go_on() -> None:
    dry = Destruction("orders", deleted=False, holdings=Holdings({}, {}, 0, ()))
    assert "(--yes deletes it)" in in_verbs(str(dry))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jobs", "--status", "done"], "'done' is not one of"),
        (["plan", "a.csv", "--skip-rows", "-1"], "-1 is not in the range"),
        (["submit"], "Missing argument 'FILE...'"),
        (["plot", "job-1", "graph", "graph.png"], "graph.png is no .svg"),
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
        (["rerun", "job-1", "--chunks", "3-7"], "'3-7' is no list such as 3,7"),
        (["rerun", "job-1", "--chunks", "0"], "'0' is no list such as 3,7"),
        (["rerun", "job-1", "--chunks", ""], "'' is no list such as 3,7"),
        (["rerun", "job-1", "--chunks", "3", "--everything"], "not both"),
        (["jobs", "--limit", "0"], "'--limit'"),
        (["jobs", "--since", "2x"], "'2x' is no time ago such as"),
        (["jobs", "--since", "99999999999d"], "is no time ago such as"),
        (["logs", "read-file", "--since", "yesterday"], "is no time ago such as"),
        (["logs", "read-file", "--limit", "-1"], "'--limit'"),
        (["engine", "logs", "--lines", "0"], "'--lines'"),
        (["link", "job-1", "--expires", "999999999"], "'--expires'"),
        (["link", "job-1", "--expires", "0"], "'--expires'"),
        (["wait", "job-1", "--timeout", "0"], "'--timeout'"),
        (["wait", "job-1", "--timeout", "-5"], "'--timeout'"),
        (["wait", "job-1", "--timeout", "nan"], "'--timeout': nan is no number"),
        (["deploy", "--timeout", "inf"], "'--timeout': inf is no number"),
        (["sample", "9", "folder", "--bad-share", "nan"], "'--bad-share': nan is no number"),
        (["plot", "job-1", "timeline", "a.pdf"], "a.pdf is no .png and no .svg"),
        (["plot", "job-1", "errors", "timeline"], "timeline is no .png and no .svg"),
        (["--stack", "a b", "jobs"], "'a b' cannot be a stack's name"),
        (["--stack", "", "show", "job-1"], "'' cannot be a stack's name"),
        (["errors", "job-1", "--limit", "0"], "'--limit'"),
        (["demo", "--rows", "0"], "'--rows'"),
        (["sample", "0", "folder"], "'ROWS'"),
        (["sample", "9", "folder", "--bad-share", "2"], "'--bad-share'"),
    ],
)
def test_argument_that_makes_no_sense_is_refused_before_anything_is_asked(
    arguments: list[str], said: str
) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("verb", ["wait", "watch"])
def test_interrupt_leaves_the_job_alone_and_says_how_to_come_back(
    monkeypatch: pytest.MonkeyPatch, verb: str, form: list[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    # Where both verbs read the job.
    monkeypatch.setattr(StatusReader, "read", interrupted)
    done = CliRunner().invoke(main, ["--target", "aws", verb, "orders-1", *form])
    assert done.exit_code == 130
    assert "'batchops watch orders-1' follows it again" in done.stderr
    assert json.loads(done.stdout) == {"job": "orders-1"} if form else not done.stdout.strip()


def test_interrupt_of_another_verb_ends_as_shells_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stack, "jobs", interrupted)
    done = CliRunner().invoke(main, ["--target", "aws", "jobs"])
    assert done.exit_code == 130
    assert done.stderr == "interrupted\n"


@pytest.mark.parametrize(
    ("words", "where", "said"),
    [
        (["stop", "orders-1"], "stop", "'batchops show orders-1' says how the job stands now"),
        (["rerun", "orders-1", "--yes"], "rerun", "'batchops show orders-1' says how"),
        (["repair", "orders-1", "a.csv", "--yes"], "repair", "'batchops show orders-1' says how"),
        (["purge", "orders-1", "--yes"], "purge", "the same command completes it"),
    ],
    ids=["stop", "rerun", "repair", "purge"],
)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_interrupt_of_a_verb_that_changes_a_job_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, words: list[str], where: str, said: str, form: list[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def known(stack: Stack, job_id: str) -> Job:
        return Job(stack, job_id)

    monkeypatch.setattr(Stack, "job", known)
    monkeypatch.setattr(Job, where, interrupted)
    done = CliRunner().invoke(main, ["--target", "aws", *words, *form])
    assert done.exit_code == 130
    assert said in done.stderr
    assert done.stdout == ('{\n  "job": "orders-1"\n}\n' if form else "")


@pytest.mark.parametrize("verb", ["redeliver", "reconcile"])
def test_interrupt_of_a_verb_that_starts_jobs_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stack, verb, interrupted)
    done = CliRunner().invoke(main, ["--target", "aws", verb, "--yes"])
    assert (done.exit_code, done.stdout) == (130, "")
    assert "the same command completes it" in done.stderr


@pytest.mark.parametrize(("verb", "method"), [("start", "start"), ("stop", "stop")])
def test_interrupt_of_an_engine_says_how_to_see_whether_it_runs(
    monkeypatch: pytest.MonkeyPatch, verb: str, method: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalEngine, "install", lambda _: None)
    monkeypatch.setattr(LocalEngine, method, interrupted)
    done = CliRunner().invoke(main, ["engine", verb])
    assert done.exit_code == 130
    assert "'batchops engine status' says whether it runs" in done.stderr


def test_interrupt_while_modules_load_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "batchops.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "batchops.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        started()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def _in_a_shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which `batchops` is the command."""
    command = f'batchops() {{ {shlex.quote(sys.executable)} -m batchops "$@"; }}; {line}'
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize(
    ("words", "code"),
    [("--help", 1), ("engine env --json", 2), ("schema check none.json --json", 1)],
    ids=["help", "bad option", "document of an error"],
)
def test_output_that_cannot_be_written_is_told_without_a_traceback(
    tmp_path: Path, words: str, code: int
) -> None:
    done = _in_a_shell(f"batchops {words} > /dev/full", BATCHOPS_HOME=str(tmp_path))
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if code == 1:
        assert done.stderr == "error: what was to be printed: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [("engine status", 3), ("schema check none.json --json", 1), ("--version", 0)],
)
def test_closed_standard_output_is_no_fault(tmp_path: Path, words: str, code: int) -> None:
    done = _in_a_shell(f"batchops {words} >&-", BATCHOPS_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (code, "")


def test_folder_for_state_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = _in_a_shell("batchops engine start", BATCHOPS_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert "home cannot be made (Not a directory: " in done.stderr
    assert "set BATCHOPS_HOME to a folder of your own" in done.stderr


def test_errors_of_the_system_are_said_as_it_says_them() -> None:
    assert error_text(OSError(28, "No space left on device", "a.csv")) == (
        "a.csv: No space left on device"
    )
    assert error_text(OSError(28, "No space", "from", None, "to")) == "to: No space"
    assert error_text(OSError("nothing there")) == "nothing there"
    assert error_text(ValueError("3 is no name")) == "3 is no name"


def verbs(group: click.Group = main, before: str = "") -> dict[str, click.Command]:
    """Return every verb by its name, such as ``engine start``."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= verbs(command, f"{before}{name} ")
        else:
            found[f"{before}{name}"] = command
    return found


def test_every_verb_stands_in_one_group_of_the_help() -> None:
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(main.commands)
    shown = CliRunner().invoke(main, ["--help"]).output
    assert "..." not in shown.partition("Options:")[2]
    assert [shown.index(f"{title}:") for title in GROUPS] == sorted(
        shown.index(f"{title}:") for title in GROUPS
    )


@pytest.mark.parametrize("name", sorted(verbs()))
def test_help_of_a_verb_ends_with_an_example_that_it_understands(name: str) -> None:
    shown = CliRunner().invoke(main, [*name.split(), "--help"]).output
    assert shown.rstrip().endswith(f"Example:\n  batchops {EXAMPLES[name]}")
    words = shlex.split(EXAMPLES[name].partition(" > ")[0])
    context: click.Context | None = main.make_context("batchops", words)
    asked = ""
    while context is not None and isinstance(context.command, click.Group):
        arguments = [*context._protected_args, *context.args]
        asked, command, rest = context.command.resolve_command(context, arguments)  # type: ignore[assignment]
        assert command is not None
        context = command.make_context(asked, rest, parent=context)
    assert context is not None
    assert context.command is verbs()[name]


def test_examples_are_of_verbs_that_there_are() -> None:
    assert EXAMPLES.keys() == verbs().keys()


def test_schema_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no schema file .*mine\.json: give the path"):
        load_schema(tmp_path / "mine.json")


def test_version_is_the_packages() -> None:
    done = CliRunner().invoke(main, ["--version"])
    assert done.output == f"batchops, version {batchops.__version__}\n"
