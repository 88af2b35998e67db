"""Run the story on LocalStack: ``python -m tools.conform PYTHON``; see `make conform`.

Exit codes: 0 everything held; 1 LocalStack did not start; 2 the command was not understood;
3 something did not hold, which is printed with the chapter.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from batchops.core.errors import BatchOpsError, EngineError
from batchops.core.project import HOME_VARIABLE, checkout_root
from batchops.stack import Stack
from tools.conform.engine import serving
from tools.conform.story import DiffersError, Story

DIFFERS = 3


@click.command()
@click.argument("python", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def main(python: Path) -> None:
    """Deploy, run, break, rerun, repair, update and delete a stack on LocalStack.

    PYTHON is the interpreter of LocalStack's environment.
    """
    with TemporaryDirectory(prefix="conform-") as folder:
        try:
            with serving(python.absolute(), Path(folder)) as variables:
                os.environ.update(variables)
                os.environ[HOME_VARIABLE] = f"{folder}/home"
                os.environ.pop("AWS_PROFILE", None)
                kept = tell(Path(folder))
        except EngineError as error:
            raise click.ClickException(str(error)) from error
    if not kept:
        sys.exit(DIFFERS)


def tell(folder: Path) -> bool:
    """Tell the story chapter by chapter, up to the first that does not hold."""
    story = Story(Stack("conform", target="aws", project=checkout_root()), folder)
    for chapter in story.chapters:
        name, began = chapter.__name__.replace("_", " "), time.monotonic()
        try:
            chapter()
        except (BatchOpsError, DiffersError) as error:
            click.echo(f"FAILED  {name}: {error}")
            return False
        click.echo(f"ok      {name}, {time.monotonic() - began:.1f} s")
    return True


if __name__ == "__main__":
    main()
