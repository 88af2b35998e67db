"""The results of a section: tables and goals, stored as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchops.core.project import checkout_root

# Not in the repository (.gitignore): figures belong to the machine that they were taken on.
FOLDER = checkout_root() / "bench-results"


@dataclass(frozen=True)
class Table:
    """A table whose cells are text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """What was wanted, what was found, and whether that is good enough."""

    name: str
    wanted: str
    found: str
    reached: bool


@dataclass(frozen=True)
class Section:
    """The results of a section.

    Attributes
    ----------
    name : str
        Its name on the command line.
    mode : str
        The sizes that it ran with: tiny, quick or full.
    machine : str
        The machine that it ran on, in a sentence.
    tables : tuple of Table
    goals : tuple of Goal
    data : dict
        Plain figures for the sections that build on this one.
    headline : str
        Its sentence in the README; may be empty.
    date : str
        The day, in UTC.
    """

    name: str
    mode: str
    machine: str
    tables: tuple[Table, ...]
    goals: tuple[Goal, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    headline: str = ""
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())

    def save(self, folder: Path = FOLDER) -> Path:
        """Write the section to its file, and return the path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        return path


def load(name: str, folder: Path = FOLDER) -> Section | None:
    """Return the last results of a section; None if it never ran."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    tables = tuple(
        Table(t["title"], tuple(t["columns"]), tuple(map(tuple, t["rows"])), t["note"])
        for t in document.pop("tables")
    )
    goals = tuple(Goal(**goal) for goal in document.pop("goals"))
    return Section(tables=tables, goals=goals, **document)
