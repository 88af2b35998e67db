"""What the command line and the console say is no Python: the sources of all messages are read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support import ROOT

from batchops.cli import main
from batchops.job import Job
from batchops.show.wording import for_console, in_verbs
from batchops.stack import Stack

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
