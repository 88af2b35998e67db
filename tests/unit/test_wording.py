"""What the command line and the console say is no Python: the sources of all messages are read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from batchcore.texts import number_of
from support import ROOT

from batchops.cli import main
from batchops.job import Job
from batchops.show.wording import for_console, in_verbs
from batchops.stack import Stack
from batchops.widgets.next_steps import next_step

# What is shown in Python only: plots, DataFrames, and calls that the command line and the console
# check, or say in their own words.
PYTHON_ONLY = {
    "batchops/inspection/compare.py",  # "give a job, or a DataFrame"
    "batchops/inspection/links.py",  # how a link shows itself in a notebook
    "batchops/inspection/watch.py",  # the end of watching in a notebook
    "batchops/inspection/why.py",  # the next calls; the command line writes them as commands
    "batchops/local/engine_process.py",  # a program that is run
    "batchops/planning/frame_text.py",  # DataFrames
    "batchops/plots/data_plots.py",
    "batchops/widgets/next_steps.py",  # reads the next calls
}
# Messages about objects of Python, which neither the command line nor the console can hand over.
ABOUT_OBJECTS = ("cannot upload a 'v'", "cannot repair from a 'v'", "a DataFrame")
SOURCES = [
    path
    for path in sorted([*ROOT.glob("batchops/**/*.py"), *ROOT.glob("source/**/*.py")])
    if path.relative_to(ROOT).as_posix() not in PYTHON_ONLY
]
METHODS = {name for kind in (Job, Stack) for name in dir(kind) if not name.startswith("_")}
# A call of a method, or an argument as Python writes it.
CALL = re.compile(rf"\b(?:{'|'.join(sorted(METHODS))}|frame|changes_frame|console)\(")
ARGUMENT = re.compile(r"\b[a-z_]{2,}=(?:True|False|None|\.\.\.|\{\.\.\.\}|'[^']*'$)")
WORD = re.compile(r"\bDataFrame\b|\bbo\.")


def messages(path: Path) -> list[str]:
    """Return the texts of a module with a blank in them, values left out; no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(id(node.value))  # a docstring
        elif isinstance(node, ast.FunctionDef) and node.name == "__repr__":
            inside |= {id(part) for part in ast.walk(node)}
        elif isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in ast.walk(node) if part is not node}
    found = [text(node) for node in ast.walk(tree) if id(node) not in inside]
    return [each for each in found if " " in each and not each.startswith(("<", *ABOUT_OBJECTS))]


def text(node: ast.AST) -> str:
    """Return the text of a literal; a value that is put into one is ``'v'``, as `!r` would be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "'v'" for part in node.values
        )
    return ""


def python_in(said: str) -> list[str]:
    return [match[0] for each in (CALL, ARGUMENT, WORD) for match in each.finditer(said)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_message_speaks_python(path: Path) -> None:
    if path.name == "wording.py":
        return  # the words that are replaced
    for message in messages(path):
        assert (message, python_in(in_verbs(message))) == (message, [])
        assert (message, python_in(for_console(message))) == (message, [])


PLURAL = re.compile(
    r" (?:accepted |good |rejected |blank )?(?:artifacts|bytes|causes|changes|characters|chunks|"
    r"columns|deletions|entries|errors|fields|files|items|jobs|keys|levels|lines|mails|mistakes|"
    r"objects|others|outputs|packages|parts|records|resources|rows|rules|sheets|uploads|values|"
    r"versions|violations|ways)\b(?!/)"
)


def plurals(path: Path) -> list[str]:
    """Return what stands after numbers in the f-strings of a module, if it is a plural."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, after in pairwise(parts):
            said = text(after)
            if isinstance(value, ast.FormattedValue) and PLURAL.match(said):
                names = [n.id for n in ast.walk(value) if isinstance(n, ast.Name)]
                names += [n.attr for n in ast.walk(value) if isinstance(n, ast.Attribute)]
                if value.conversion == -1 and not any(name.isupper() for name in names):
                    found.append(f"{ast.unparse(value.value)}: {said}")
    return found


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (2, "rejected row", "2 rejected rows"),
        (1_000, "entry", "1,000 entries"),
        (2, "key", "2 keys"),
        (1, "entry", "1 entry"),
    ],
)
def test_a_noun_follows_its_number(count: int, noun: str, said: str) -> None:
    assert number_of(count, noun) == said


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_number_stands_with_its_noun_by_number_of(path: Path) -> None:
    assert plurals(path) == []


def test_files_that_are_left_out_are_there_and_speak_python() -> None:
    for name in PYTHON_ONLY:
        assert any(python_in(message) for message in messages(ROOT / name)), name


@pytest.mark.parametrize(
    "said",
    [
        "run Stack.deploy() first",
        "job.rerun() takes it up again",
        "see why(), then",
        "deploy(MaxConcurrency=8), or",
        "or pass check=False",
        "give a DataFrame",
    ],
)
def test_python_is_found(said: str) -> None:
    assert python_in(in_verbs(said))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("nothing is started yet (dry_run=False starts it)", "(the button below starts it)"),
        ("accept each kind by its name: accept={...}</p>", "tick it below</p>"),
        ("more fields: see changes_frame()", "see 'batchops repair --json'"),
        ("pass region=..., or set", "pass a region, or set"),
        ("unknown keyword (schema='s.json')", "(--schema s.json)"),
        ("a file named dry_run=False.csv", "a file named dry_run=False.csv"),
    ],
)
def test_console_names_what_it_has(said: str, shown: str) -> None:
    assert for_console(said).endswith(shown)


@pytest.mark.parametrize(
    ("calls", "pressed"),
    [
        ("job.rerun()", "press Rerun"),
        (
            "stack.deploy(FileDelimiter='tab'); job.rerun(dry_run=False)",
            "deploy the stack with FileDelimiter=tab, then press Rerun",
        ),
        (
            "stack.deploy(FileChunkSize=0); job.rerun(dry_run=False)  # a size that fits the file",
            "deploy the stack with FileChunkSize=0, then press Rerun",
        ),
        (
            "stack.logs('enrich-data', job=job.id)  # then job.rerun()",
            "read the log of enrich-data under Logs, then press Rerun",
        ),
        (
            "bad = job.rejects()  # fix 'a, then b', then job.repair(bad, dry_run=False)",
            "fix 'a, then b': set values under Errors and press Repair rows; or download the "
            "rejected rows, and hand the fixed file to Repair from file",
        ),
        (
            "stack.submit('a.csv', name='2026/a.csv')  # once it is fixed",
            "fix 'a.csv', and submit it under Upload",
        ),
        ("job.errors()", "see the rows under Errors"),
        ("job.balance()", "see the balance under Summary"),
        ("job.email()", "see the mail under Summary"),
        ("stack.doctor()", "run 'batchops doctor' in a terminal"),
    ],
)
def test_console_says_what_to_press_next(calls: str, pressed: str) -> None:
    assert next_step(calls) == pressed
    assert python_in(pressed) == []


def helps(group: click.Group) -> Iterator[tuple[str, str]]:
    """Yield each verb with its help and that of its options."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from helps(command)
        options = [getattr(each, "help", None) or "" for each in command.params]
        yield name, "\n".join([command.help or "", *options])


@pytest.mark.parametrize(("verb", "said"), list(helps(main)))
def test_no_help_speaks_python(verb: str, said: str) -> None:
    assert said.strip()
    assert (verb, python_in(said)) == (verb, [])
