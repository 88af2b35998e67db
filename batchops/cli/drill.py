"""The verb drill: make functions fail on purpose, and see that no row is lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from batchops.cli.base import NOT_WELL, Options, main, show, wants_json
from batchops.core.errors import InputError

# What stands between these lines of a Markdown file is replaced by the report.
_BEGIN, _END = "<!-- drill: begin -->", "<!-- drill: end -->"


@main.command()
@click.option("--steps", help="Only these functions, with commas between them.")
@click.option("--faults", help="Only these kinds of faults, with commas between them.")
@click.option("--seed", default=1, show_default=True, help="Decides what is struck.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A Markdown file whose marked part is replaced by the report.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")
@click.pass_obj
def drill(
    options: Options,
    steps: str | None,
    faults: str | None,
    seed: int,
    into: Path | None,
    as_json: bool,
) -> None:
    """Make functions fail on purpose, and prove that every row still ends exactly once."""
    from batchops.drill import CaseReport, Drill
    from batchops.drill.report import case_line

    options.as_json = as_json
    if options.target != "local":
        raise InputError(
            "the drill breaks what it runs on, so it works on the local engine only: leave "
            "--target out"
        )
    if into is not None:
        insert(into.read_text(encoding="utf-8"), "")  # before minutes are spent

    def tell(case: CaseReport) -> None:
        click.echo(case_line(case), err=wants_json())

    report = Drill(seed=seed, steps=_names(steps), faults=_names(faults)).run(on_case=tell)
    if into is not None:
        text = insert(into.read_text(encoding="utf-8"), report.to_markdown())
        into.write_text(text, encoding="utf-8")
    show(report.summary, data=report)
    if not report.kept:
        sys.exit(NOT_WELL)


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text is not None else None


def insert(document: str, report: str) -> str:
    """Return a document with its marked part replaced.

    Raises
    ------
    InputError
        If it has no marked part.
    """
    marked = re.compile(f"({re.escape(_BEGIN)}\n).*?({re.escape(_END)})", re.DOTALL)
    if not marked.search(document):
        raise InputError(f"no place for the report: the file needs the lines {_BEGIN} and {_END}")
    return marked.sub(lambda found: f"{found[1]}\n{report}\n\n{found[2]}", document)
