"""Verbs about record schemas."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from batchcore import jobs
from batchcore.texts import printable

from batchops.cli.base import NOT_WELL, keep_existing, main, show, wants_json, with_stack

if TYPE_CHECKING:
    from batchops.stack import Stack


def _read_delimiter(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    try:
        return None if text is None else jobs.parse_delimiter(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_DELIMITER = click.option(
    "--delimiter",
    callback=_read_delimiter,
    help="What delimits the fields; by default it is found.",
)


@main.group()
def schema() -> None:
    """Work on record schemas."""


@schema.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="A CSV file whose rows are judged by the schema.",
)
@_DELIMITER
@with_stack
def check(_stack: Stack, file: Path, against: Path | None, delimiter: str | None) -> None:
    """Check the record schema in FILE; exit code 3 if it has mistakes.

    With --against it is 3 as well if a row of that file would be rejected. No stack is asked.
    """
    from batchops.planning.schema_report import check_schema_file

    found = check_schema_file(file, against=against, delimiter=delimiter)
    show(found)
    if not found.ok or not (found.against is None or found.against.ok):
        sys.exit(NOT_WELL)


@schema.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the draft to this file; without it, to standard output.",
)
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@click.option("--rows", type=click.IntRange(min=1), help="Read the first so many rows only.")
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="Reference data to look rows up in, for x-key and x-enrichment.",
)
@_DELIMITER
@with_stack
def infer(
    _stack: Stack,
    file: Path,
    output: Path | None,
    force: bool,
    rows: int | None,
    reference: Path | None,
    delimiter: str | None,
) -> None:
    """Draft a record schema from the CSV file FILE, and say what is unsure of it."""
    from batchops.planning.schema_draft import infer_schema

    if output is not None:
        keep_existing(output, force=force)
    draft = infer_schema(file, delimiter=delimiter, rows=rows, reference_data=reference)
    if output is not None:
        draft.write(output, replace=force)
    if wants_json() or output is not None:
        show(draft)
        return
    show(draft.to_json().removesuffix("\n"))
    for note in draft.notes:
        said = f"{note.column}: {note.text}" if note.column else note.text
        click.echo(printable(said), err=True)


@schema.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@with_stack
def explain(stack: Stack, file: Path | None) -> None:
    """Say what a schema asks of each column, with a value that passes and one that fails.

    Without FILE it is the deployed schema.
    """
    from batchops.deployment.deployed import deployed_schema
    from batchops.planning.schema_explain import explain_loaded, explain_schema

    if file is None:
        show(explain_loaded(deployed_schema(stack), name=f"the schema of stack {stack.name}"))
    else:
        show(explain_schema(file))
