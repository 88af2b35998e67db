"""docs/security.md names tests that there are; what bounds an uploader's spending is as it says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from asl import MACHINES, definition_text, states
from batchcore import csvtext, gzipped, intake, items, sizing
from support import ROOT, SOURCE

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(?:tests/)?(?:[\w/]*/)?(test_\w+(?:\.py)?)`", TEXT)))


@cache
def known_tests() -> set[str]:
    """Return the names of all test files and test functions."""
    paths = list((ROOT / "tests").rglob("test_*.py"))
    found = {path.name for path in paths}
    for path in paths:
        found.update(re.findall(r"^ *def (test_\w+)\(", path.read_text(encoding="utf-8"), re.M))
    return found


@pytest.mark.parametrize("name", NAMED)
def test_tests_that_the_page_names_are_there(name: str) -> None:
    assert name in known_tests()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its header."""
    section = re.split(r"^## ", TEXT, flags=re.M)
    (found,) = [part for part in section if part.startswith(f"{heading}\n")]
    lines = [line for line in found.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[1:]]


@pytest.mark.parametrize(
    "heading",
    ["Threats", "What an uploader can make a stack spend", "What cdk-nag's packs find"],
)
def test_each_line_names_the_test_that_holds_it(heading: str) -> None:
    found = rows(heading)
    titles = [row[0] for row in found]
    found = found[: titles.index("actor") if "actor" in titles else None]
    assert len(found) > 10
    for row in found:
        assert len(row) == 3, row
        assert "test_" in row[2] or row[2].startswith("the same"), row


def test_page_says_of_every_actor_what_holds_and_what_is_left() -> None:
    named = [row[0] for row in rows("What is protected, and from whom") if len(row) == 3]
    named = named[named.index("actor") + 1 :]
    told = [row for row in rows("Threats") if len(row) == 3]
    told = told[[row[0] for row in told].index("actor") + 1 :]
    assert len(named) == len(told) > 8
    for actor, (subject, holds, left) in zip(named, told, strict=True):
        assert actor.startswith(subject.split(",")[0])
        assert "test_" in holds
        assert left


# ------------------------------------------------------------------ what an uploader spends


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    bounds = dict(row[:2] for row in rows("What an uploader can make a stack spend"))
    assert f"{sizing.MAX_CHUNKS:,}" in bounds["chunks of a file"]
    assert f"{csvtext.MAX_CHUNK_BYTES // 1024**2} MiB" in bounds["what a call holds"]
    assert f"{sizing.MAX_CHUNK_ROWS:,} rows" in bounds["what a call holds"]
    assert f"{intake.MAX_COLUMNS:,}, in a header" in bounds["columns"]
    assert f"at most {intake.MAX_HEADER_BYTES // 1024**2} MiB" in bounds["columns"]
    unpacked = bounds["what a gzip file unpacks to"]
    assert f"{gzipped.MAX_UNPACKED_BYTES // 1024**3} GiB" in unpacked
    assert f"{gzipped.MAX_RATIO} times" in unpacked
    assert f"{gzipped.RATIO_FROM_BYTES // 1024**2} MiB" in unpacked
    assert f"{items.MAX_VALUE_CHARACTERS:,} characters of the value" in bounds["errors"]
    assert f"{items.MAX_RAW_CHARACTERS:,} of the row" in bounds["errors"]


def test_every_map_runs_as_many_at_a_time_as_the_parameter_says() -> None:
    for machine in MACHINES:
        maps = [state for state in states(machine).values() if state["Type"] == "Map"]
        given = re.findall(r'"MaxConcurrency": (.*),', definition_text(machine))
        assert given == ["${MaxConcurrency}"] * len(maps)


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_no_function_logs_a_line_for_each_row(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loops = ast.For | ast.While | ast.comprehension | ast.ListComp | ast.GeneratorExp
    for loop in (node for node in ast.walk(tree) if isinstance(node, loops)):
        for node in ast.walk(loop):
            assert not (isinstance(node, ast.Name) and node.id in {"logger", "print"})
