"""Verbs about record schemas."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchops.cli.base import NOT_WELL, main, show, with_stack

if TYPE_CHECKING:
    from batchops.stack import Stack


@main.group()
def schema() -> None:
    """Work on record schemas."""


@schema.command()
@click.argument("file", type=click.Path(path_type=Path))
@with_stack
def check(_stack: Stack, file: Path) -> None:
    """Check the record schema in FILE; exit code 3 if it has mistakes."""
    from batchops.planning.schema_report import check_schema_file

    found = check_schema_file(file)
    show(found)
    if not found.ok:
        sys.exit(NOT_WELL)
