"""Verbs about what came of a job: balance, why, errors, chunks, output, download, link, plots."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import Progress

from batchops.cli.base import (
    NOT_WELL,
    POSITIVE,
    job_argument,
    main,
    screen,
    show,
    wants_json,
    with_stack,
    write_csv,
)
from batchops.core.extras import from_extra
from batchops.inspection.links import HERE_ONLY

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job
    from batchops.stack import Stack

_REJECTED = click.option(
    "--rejected", is_flag=True, help="The rejected rows instead of the completed file."
)
_TIMELINE, _ERRORS, _DURATIONS, _GRAPH = "timeline", "errors", "durations", "graph"


@main.command()
@job_argument
@with_stack
def balance(stack: Stack, job_id: str) -> None:
    """Prove that each row of a job went out or was rejected, exactly once."""
    found = stack.job(job_id).balance()
    show(found)
    if not found.holds:
        sys.exit(NOT_WELL)


@main.command()
@job_argument
@with_stack
def why(stack: Stack, job_id: str) -> None:
    """Explain what went wrong with a job, by cause, and what to do next."""
    show(stack.job(job_id).why())


@main.command()
@job_argument
@click.option("--limit", type=POSITIVE, help="Lines at most, of the first rows.")
@click.option("--column", help="Only errors of this column.")
@click.option("--rule", help="Only errors of this rule.")
@with_stack
def errors(
    stack: Stack, job_id: str, limit: int | None, column: str | None, rule: str | None
) -> None:
    """Print every rule that any row of a job breaks, as CSV."""
    job = stack.job(job_id)
    if wants_json() or limit or column or rule:
        show(job.errors(limit=limit, column=column, rule=rule))
        return
    # Streamed, since there may be very many.
    for number, part in enumerate(job.iter_errors()):
        write_csv(part, header=number == 0)


@main.command()
@job_argument
@with_stack
def chunks(stack: Stack, job_id: str) -> None:
    """Print a job's chunks with their times, as CSV."""
    show(stack.job(job_id).chunks())


@main.command()
@job_argument
@with_stack
def steps(stack: Stack, job_id: str) -> None:
    """Print the states that a job's main workflow went through, as CSV."""
    show(stack.job(job_id).steps())


@main.command()
@job_argument
@with_stack
def lineage(stack: Stack, job_id: str) -> None:
    """Print a job's attempts, as CSV."""
    show(stack.job(job_id).lineage())


@main.command()
@job_argument
@with_stack
def cost(stack: Stack, job_id: str) -> None:
    """Show what a job costs on AWS, as planned and as its ledger says."""
    show(stack.job(job_id).cost())


@main.command()
@job_argument
@with_stack
def output(stack: Stack, job_id: str) -> None:
    """Print a job's completed rows, as CSV with the job's delimiter."""
    job = stack.job(job_id)
    _show_rows(job, job.output())


@main.command()
@job_argument
@with_stack
def rejects(stack: Stack, job_id: str) -> None:
    """Print a job's rejected rows with row number and reasons, as CSV with the job's delimiter."""
    job = stack.job(job_id)
    _show_rows(job, job.rejects())


def _show_rows(job: Job, rows: pd.DataFrame) -> None:
    """Write rows of a job as a file that has the form of the upload, for `repair` and others."""
    if wants_json():
        show(rows)
    else:
        write_csv(rows, delimiter=job.ledger_entry().delimiter, line_end="\r\n")


@main.command()
@job_argument
@click.argument("path", type=click.Path(path_type=Path))
@_REJECTED
@with_stack
def download(stack: Stack, job_id: str, path: Path, rejected: bool) -> None:
    """Store a job's completed file at PATH."""
    job = stack.job(job_id)
    if not screen.is_terminal or wants_json():
        stored = job.download(path, rejected=rejected)
        show(stored, data={"path": str(stored)})
        return
    with Progress(console=screen, transient=True) as progress:
        task = progress.add_task("downloading", total=None)
        stored = job.download(
            path, rejected=rejected, on_bytes=lambda count: progress.advance(task, count)
        )
    show(stored)


@main.command()
@job_argument
@click.option(
    "--expires",
    "expires_s",
    type=click.IntRange(1, 604_800),  # Signature Version 4 allows seven days
    default=3600,
    show_default=True,
    help="Seconds.",
)
@_REJECTED
@with_stack
def link(stack: Stack, job_id: str, expires_s: int, rejected: bool) -> None:
    """Print an address that opens the completed file without credentials for a while."""
    address = stack.job(job_id).link(expires_s=expires_s, rejected=rejected)
    if address.here_only:
        click.echo(f"{HERE_ONLY} There: batchops download {job_id} PATH", err=True)
    show(str(address), data={"link": str(address)})


@main.command()
@job_argument
@with_stack
def email(stack: Stack, job_id: str) -> None:
    """Print the mail that a job sent, or tried to send."""
    show(stack.job(job_id).email())


@main.command()
@job_argument
@click.argument("what", type=click.Choice([_TIMELINE, _ERRORS, _DURATIONS, _GRAPH]))
@click.argument("path", type=click.Path(path_type=Path))
@with_stack
def plot(stack: Stack, job_id: str, what: str, path: Path) -> None:
    """Draw a job and store the picture at PATH: .png or .svg, the graph as .svg."""
    if what == _GRAPH and path.suffix.lower() != ".svg":
        raise click.BadParameter(f"{path} is no .svg, which is what a graph is stored as")
    job = stack.job(job_id)
    if what == _GRAPH:
        path.write_text(job.graph().to_svg(), encoding="utf-8")
    else:
        with from_extra("lab", needed_for="a plot"):
            import matplotlib as mpl

        # No window may be needed to write a file.
        mpl.use("agg")
        drawn = {
            _TIMELINE: job.timeline,
            _ERRORS: job.plot_errors,
            _DURATIONS: job.plot_durations,
        }
        figure = drawn[what]().get_figure(root=True)
        if figure is not None:
            figure.savefig(path, bbox_inches="tight", facecolor="white")
    show(path, data={"path": str(path)})
