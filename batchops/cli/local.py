"""Verbs that need no stack: demo, sample, init, notebooks."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from batchcore.texts import number_of

from batchops.cli.base import NOT_WELL, POSITIVE, Number, leaving, main, screen


@main.command()
@click.option(
    "--rows", type=POSITIVE, default=5_000, show_default=True, help="Rows of the sample file."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Where the sample and the results go.",
)
def demo(rows: int, folder: Path) -> None:
    """Run a sample file through the whole stack on the local engine, and check the result."""
    from batchops.samples.demo import run_demo

    with leaving("interrupted; what has started goes on: 'batchops engine stop' ends all of it"):
        well = run_demo(folder, rows=rows, console=screen)
    if not well:
        sys.exit(NOT_WELL)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Lay out template, functions, schema, events, notebooks and docs in DIR, to be changed there.

    In DIR, 'batchops deploy' deploys what lies there.
    """
    from batchops.core.project import Project

    click.echo(f"{Project.shipped().lay_out(folder)}: change it, and deploy from there")


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def notebooks(folder: Path) -> None:
    """Copy the notebooks into DIR, with the docs that they link."""
    from batchops.core.project import Project

    click.echo(f"{Project.shipped().lay_out_notebooks(folder)}: open 01-deploy.ipynb in JupyterLab")


@main.command()
@click.argument("rows", type=POSITIVE)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--bad-share",
    type=Number(0, 1),
    default=0.03,
    show_default=True,
    help="Share of bad rows, 0 to 1.",
)
@click.option("--seed", default=1, show_default=True, help="Decides which rows are bad, and how.")
@click.option("--delimiter", default=",", show_default=True)
def sample(rows: int, folder: Path, bad_share: float, seed: int, delimiter: str) -> None:
    """Write a sales-order file of ROWS rows into FOLDER, and which of them are bad and why."""
    from batchcore.jobs import parse_delimiter

    from batchops.samples.sample import write_sample

    files = write_sample(
        folder, rows, bad_share=bad_share, seed=seed, delimiter=parse_delimiter(delimiter)
    )
    click.echo(f"{files.orders}: {number_of(rows, 'row')}, to be submitted")
    click.echo(f"{files.reference}: their reference data, for deploy --reference-data")
    click.echo(f"{files.expected}: which rows are bad, column by column, rule by rule")
