"""What the tools of the section ``alternatives`` share: the files, the rules, and what is counted.

Each tool takes ``orders.csv`` and ``reference.csv`` of a folder, holds every row against every rule
of the sample's schema, adds the reference data's columns, and writes good rows into one file and
bad ones, with their reasons, into another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchcore.schema import RecordSchema

from batchops.core.project import checkout_root

COMPARED = "x-compare"
# The format of the schema's dates as strptime writes it, for tools that read it with one or two
# digits.
DATE_FORMAT = "%m/%d/%y"


@dataclass(frozen=True)
class Files:
    """The files of one tool."""

    orders: Path
    reference: Path
    good: Path
    bad: Path
    counts: Path

    @classmethod
    def of(cls, folder: Path, tool: str) -> Files:
        """Return the files of a tool in a folder."""
        own = [folder / f"{tool}.{name}" for name in ("good.csv", "bad.csv", "counts.json")]
        return cls(folder / "orders.csv", folder / "reference.csv", *own)

    def count(self, good: int, bad: int) -> None:
        """Note how many rows a tool took and how many it rejected."""
        self.counts.write_text(json.dumps({"good": good, "bad": bad}), encoding="utf-8")


def shipped_schema() -> RecordSchema:
    """Return the sample's schema."""
    return RecordSchema.load(checkout_root() / "source" / "schema" / "record.schema.json")


def rules_of(schema: RecordSchema) -> Iterator[tuple[str, str, Any]]:
    """Yield each rule of a column: the column, the keyword and what it allows."""
    for column, rules in schema.properties.items():
        for keyword, limit in rules.items():
            if keyword != "type":
                yield column, keyword, limit
