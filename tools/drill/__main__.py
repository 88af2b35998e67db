"""Run the fault drill: ``python -m tools.drill``; ``make drill`` writes its report into the docs.

Exit codes: 0 every promise was kept; 1 the drill could not run, and why is on standard error;
2 the command was not understood; 3 a promise was broken.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from batchops.core.errors import BatchOpsError, InputError
from tools.drill.drill import Drill
from tools.drill.faults import KINDS, PLACES

# The report replaces what stands between these lines of a Markdown file.
BEGIN, END = "<!-- drill: begin -->", "<!-- drill: end -->"
BROKEN = 3


_KINDS = "\n".join(f"{kind.name:18} {kind.meaning}" for kind in KINDS.values())


@click.command(epilog=f"\b\nSteps: {', '.join(PLACES)}\n\n\b\nFaults:\n{_KINDS}")
@click.option("--steps", help="Only these functions, with commas between them.")
@click.option("--faults", help="Only these kinds of faults, with commas between them.")
@click.option("--seed", default=1, show_default=True, help="Decides what is struck.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A Markdown file whose marked part is replaced by the report.",
)
def main(steps: str | None, faults: str | None, seed: int, into: Path | None) -> None:
    """Make functions fail on purpose, and prove that every row still ends exactly once."""
    try:
        if into is not None:
            insert(into.read_text(encoding="utf-8"), "")  # before minutes are spent
        drill = Drill(seed=seed, steps=_names(steps), faults=_names(faults))
        report = drill.run(on_case=click.echo)
    except BatchOpsError as error:
        raise click.ClickException(str(error)) from error
    if into is not None:
        text = insert(into.read_text(encoding="utf-8"), report.to_markdown())
        into.write_text(text, encoding="utf-8")
    click.echo(report.summary)
    if not report.kept:
        sys.exit(BROKEN)


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text is not None else None


def insert(document: str, report: str) -> str:
    """Return a document with its marked part replaced by the report.

    Raises
    ------
    InputError
        If it has no marked part.
    """
    marked = re.compile(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.DOTALL)
    if not marked.search(document):
        raise InputError(f"no place for the report: the file needs the lines {BEGIN} and {END}")
    return marked.sub(lambda found: f"{found[1]}\n{report}\n\n{found[2]}", document)


if __name__ == "__main__":
    main()
