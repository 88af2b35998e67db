"""The names of the ledger's attributes stand in the ledger's package, and nowhere else."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "batchops"
CORE = PACKAGE / "core"
# The items of a manifest and the input of an execution have attributes of the same names.
THEIR_PLACES = (CORE / "ledger", CORE / "manifest.py", CORE / "execution_input.py")

# The ledger's modules that read attributes.
NAMING = ("entries", "job_items", "chunk_items", "error_items", "error_table")

# The same names in JSON of another kind, by module.
ELSEWHERE = {
    # Arguments of Step Functions, and what the workflows add to the event of a chunk's step.
    "core/executions.py": {"executionArn"},
    "inspection/step_event.py": {"executionArn", "startTime"},
    # Arguments of CloudWatch Logs' FilterLogEvents.
    "inspection/logs.py": {"startTime", "endTime"},
    # In the event of an upload, as S3 sends it.
    "inspection/unseen.py": {"versionId"},
}

_CAMEL = re.compile(r"[a-z]+(?:[A-Z][a-z0-9]*)+")


def camel_names(path: Path) -> Iterator[str]:
    """Yield the string literals of a module that are names in camelCase."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _CAMEL.fullmatch(text):
            yield text


def test_attributes_of_entries_are_named_in_the_ledger_s_package_only() -> None:
    modules = (CORE / "ledger" / f"{name}.py" for name in NAMING)
    names = {name for module in modules for name in camel_names(module)}
    assert {"startTime", "sourceRow", "stepMs", "rowsIn"} <= names
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if not any(path.is_relative_to(place) for place in THEIR_PLACES):
            said = names.intersection(camel_names(path))
            if said:
                found[path.relative_to(PACKAGE).as_posix()] = said
    assert found == ELSEWHERE
