"""Verbs about a job's results: balance, why, errors, chunks, output, download, link, plots."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

import click
from batchcore.texts import visible
from batchcore.workflow import SUCCEEDED
from rich.progress import Progress

from batchops.cli.base import (
    NOT_WELL,
    POSITIVE,
    YES,
    as_commands,
    job_argument,
    keep_existing,
    main,
    screen,
    show,
    table_form,
    table_format,
    wants_json,
    with_stack,
    write_csv,
    write_table,
)
from batchops.cli.bulk import Choice, choosing, each_job, jobs_argument
from batchops.core.extras import from_extra
from batchops.inspection.links import HERE_ONLY
from batchops.inspection.result_files import whole_file
from batchops.inspection.spreadsheet_csv import write_frame_quoted

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job
    from batchops.stack import Stack

_REJECTED = click.option(
    "--rejected", is_flag=True, help="The rejected rows instead of the completed file."
)
_PARQUET = click.option(
    "--parquet", type=click.Path(path_type=Path), help="Store them at this path, as Parquet."
)
_SPREADSHEET = click.option(
    "--spreadsheet",
    is_flag=True,
    help="CSV that a spreadsheet opens right: an apostrophe stands in front of each value that it "
    "would run as a formula, or take for a number or date in another form.",
)
_CSV, _XLSX = "csv", "xlsx"
_PICTURES = (".png", ".svg")
_TIMELINE, _ERRORS, _DURATIONS, _GRAPH = "timeline", "errors", "durations", "graph"


@main.command()
@job_argument
@click.option("--deep", is_flag=True, help="Count the errors in the files and in the tables, too.")
@with_stack
def balance(stack: Stack, job_id: str, deep: bool) -> None:
    """Prove that each row of a job went out or was rejected, exactly once."""
    found = stack.job(job_id).balance(deep=deep)
    show(found)
    if not found.holds:
        sys.exit(NOT_WELL)


@main.command()
@job_argument
@with_stack
def why(stack: Stack, job_id: str) -> None:
    """Explain what went wrong with a job, by cause, and what to do next."""
    found = stack.job(job_id).why()
    told = [replace(each, next_call=as_commands(each.next_call, job_id)) for each in found.causes]
    show(replace(found, causes=tuple(told)), data=found)


@main.command()
@job_argument
@click.option("--limit", type=POSITIVE, help="Lines at most, of the first rows.")
@click.option("--column", help="Only errors of this column.")
@click.option("--rule", help="Only errors of this rule.")
@_PARQUET
@table_format
@with_stack
def errors(
    stack: Stack,
    job_id: str,
    limit: int | None,
    column: str | None,
    rule: str | None,
    parquet: Path | None,
) -> None:
    """Print every rule that any row of a job breaks, as CSV."""
    job = stack.job(job_id)
    if parquet is not None:
        if limit or column or rule:
            raise click.BadParameter("--parquet takes all errors: leave out --limit and filters")
        _stored(job.to_parquet(parquet, of="errors"))
        return
    if wants_json() or table_form() == "wide" or limit or column or rule:
        show(job.errors(limit=limit, column=column, rule=rule))
        return
    # Streamed, since there may be very many.
    for number, part in enumerate(job.iter_errors()):
        write_table(part, header=number == 0)


@main.command()
@job_argument
@click.option("--limit", type=click.IntRange(min=1), default=10_000, help="Rows to name at most.")
@with_stack
def duplicates(stack: Stack, job_id: str, limit: int) -> None:
    """Find the rows of a job's file that have the same key."""
    show(stack.job(job_id).duplicates(limit=limit))


@main.command()
@job_argument
@table_format
@with_stack
def chunks(stack: Stack, job_id: str) -> None:
    """Print a job's chunks with their times, as CSV."""
    show(stack.job(job_id).chunks())


@main.command()
@job_argument
@click.argument("number", type=POSITIVE)
@with_stack
def chunk(stack: Stack, job_id: str, number: int) -> None:
    """Show chunk NUMBER of a job: its rows, errors, log, input and output."""
    show(stack.job(job_id).chunk(number))


@main.command()
@job_argument
@table_format
@with_stack
def steps(stack: Stack, job_id: str) -> None:
    """Print the states that a job's main workflow went through, as CSV."""
    show(stack.job(job_id).steps())


@main.command()
@job_argument
@table_format
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
@click.option("--source-row", is_flag=True, help="Add each row's number in the uploaded file.")
@click.option("--typed", is_flag=True, help="With --parquet: types of the schema, not text.")
@_PARQUET
@_SPREADSHEET
@with_stack
def output(
    stack: Stack,
    job_id: str,
    source_row: bool,
    typed: bool,
    parquet: Path | None,
    spreadsheet: bool,
) -> None:
    """Print a job's completed rows, as CSV with the job's delimiter."""
    if spreadsheet:
        _refuse_json("--spreadsheet")
    job = stack.job(job_id)
    if parquet is not None:
        if spreadsheet:
            raise click.BadParameter("--spreadsheet is for CSV: leave it out with --parquet")
        _stored(job.to_parquet(parquet, typed=typed, source_row=source_row))
        return
    if typed:
        raise click.BadParameter("--typed takes --parquet PATH: what is printed is text")
    _write_rows(job, job.output(source_row=source_row), sys.stdout, quoted=spreadsheet)


@main.command()
@job_argument
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Store them in this file; a workbook if it ends in .xlsx.",
)
@click.option("--format", "form", type=click.Choice([_CSV, _XLSX]), help="By default csv.")
@_SPREADSHEET
@with_stack
def rejects(
    stack: Stack, job_id: str, path: Path | None, form: str | None, spreadsheet: bool
) -> None:
    """Print a job's rejected rows with row number and reasons, as CSV with the job's delimiter.

    For a spreadsheet take a workbook, in which every cell is text: -o FILE.xlsx.
    """
    form = form or (_XLSX if path is not None and path.suffix.lower() == ".xlsx" else _CSV)
    if form == _XLSX and spreadsheet:
        raise click.BadParameter("--spreadsheet is for CSV: a workbook needs no quotes")
    if path is not None and (form == _XLSX) != (path.suffix.lower() == ".xlsx"):
        raise click.BadParameter(f"--format {form} does not fit the name {path}")
    if path is None and (form == _XLSX or spreadsheet):
        _refuse_json("--format xlsx" if form == _XLSX else "--spreadsheet")
    job = stack.job(job_id)
    if form == _XLSX:
        _give_workbook(job, path)
    elif path is None:
        _write_rows(job, job.rejects(), sys.stdout, quoted=spreadsheet, marked=True)
    else:
        rows = job.rejects()
        with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            _write_rows(job, rows, file, quoted=spreadsheet, marked=True)
        _stored(path)


def _stored(path: Path) -> None:
    show(path, data={"path": str(path)})


def _refuse_json(option: str) -> None:
    if wants_json():
        raise click.BadParameter(f"{option} and --json are two forms of the same rows: give one")


def _give_workbook(job: Job, path: Path | None) -> None:
    """Store the workbook of the rejects, or write it to a pipe."""
    if path is not None:
        show(job.rejects_workbook(path))
        return
    if sys.stdout.isatty():
        raise click.BadParameter("a workbook is no text for a terminal: give -o FILE.xlsx")
    with TemporaryDirectory() as folder:
        stored = job.rejects_workbook(Path(folder, "rejects.xlsx"))
        click.echo(stored.path.read_bytes(), nl=False)
    if stored.left_out:
        click.echo(visible(str(stored).split("\n", 1)[1]), err=True)


def _write_rows(
    job: Job, rows: pd.DataFrame, file: TextIO, *, quoted: bool, marked: bool = False
) -> None:
    """Write rows of a job as a file that has the form of the upload, for `repair` and others."""
    delimiter = job.ledger_entry().delimiter
    if quoted and file.isatty():
        text = io.StringIO(newline="")
        write_frame_quoted(rows, text, delimiter=delimiter, marked=marked)
        click.echo(visible(text.getvalue().replace("\r\n", "\n")), nl=False)
    elif quoted:
        write_frame_quoted(rows, file, delimiter=delimiter, marked=marked)
    elif file is not sys.stdout:
        rows.to_csv(file, index=False, sep=delimiter, lineterminator="\r\n")
    elif wants_json():
        show(rows)
    else:
        write_csv(rows, delimiter=delimiter, line_end="\r\n")


@main.command()
@jobs_argument
@click.argument("path", type=click.Path(path_type=Path))
@choosing
@_REJECTED
@_SPREADSHEET
@YES
@with_stack
def download(
    stack: Stack, choice: Choice, path: Path, rejected: bool, spreadsheet: bool, yes: bool
) -> None:
    """Store a job's completed file at PATH, byte for byte.

    Of several jobs, named or chosen by --status, --since or --name, PATH is the folder in which
    each gets one of its own; for chosen ones add --yes.

    A spreadsheet runs values that begin with = + - @ as formulas, and takes others for numbers or
    dates: for one add --spreadsheet.
    """
    choice.check()
    options: Any = {"rejected": rejected, "spreadsheet": spreadsheet}
    if choice.single is None:
        _download_all(stack, choice, path, options, dry_run=choice.chooses and not yes)
        return
    fetch = partial(stack.job(choice.single).download, path, **options)
    if not screen.is_terminal or wants_json():
        _stored(fetch())
        return
    with Progress(console=screen, transient=True) as progress:
        task = progress.add_task("downloading", total=None)
        stored = fetch(on_bytes=lambda count: progress.advance(task, count))
    show(stored)


def _download_all(
    stack: Stack, choice: Choice, folder: Path, options: Any, *, dry_run: bool
) -> None:
    def fetch(job: Job) -> Path:
        place = folder / job.id
        if dry_run:
            return place
        place.mkdir(parents=True, exist_ok=True)
        stored: Path = job.download(place, **options)
        return stored

    done = each_job(stack, choice.ids(stack, among=[SUCCEEDED]), fetch)
    done.end(then="nothing is stored yet (--yes stores them)" if dry_run else "")


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
@click.option(
    "-o",
    "--output",
    "--to",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Store it in this file; its name ends in .html.",
)
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@click.option(
    "--plan",
    "planned",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file that was uploaded: it is planned again, and set beside the job.",
)
@with_stack
def report(stack: Stack, job_id: str, path: Path, force: bool, planned: Path | None) -> None:
    """Store a job's report to hand on: one HTML file, which needs no server and no network.

    It shows values of rejected rows: hand it to people who may see them.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{path} does not end in .html, which a report is called")
    keep_existing(path, force=force)
    job = stack.job(job_id)
    plan = None if planned is None else stack.plan(planned)
    show(job.report(path, plan=plan, replace=force))


@main.command()
@job_argument
@click.argument("what", type=click.Choice([_TIMELINE, _ERRORS, _DURATIONS, _GRAPH]))
@click.argument("path", type=click.Path(path_type=Path))
@with_stack
def plot(stack: Stack, job_id: str, what: str, path: Path) -> None:
    """Draw a job and store the picture at PATH: .png or .svg, the graph as .svg."""
    if what == _GRAPH and path.suffix.lower() != ".svg":
        raise click.BadParameter(f"{path} is no .svg, which is what a graph is stored as")
    if path.suffix.lower() not in _PICTURES:
        raise click.BadParameter(f"{path} is no {' and no '.join(_PICTURES)}, as a picture is")
    job = stack.job(job_id)
    if what == _GRAPH:
        with whole_file(path) as part:
            part.write_text(job.graph().to_svg(), encoding="utf-8")
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
            form = path.suffix.lower().removeprefix(".")
            with whole_file(path) as part:
                figure.savefig(part, format=form, bbox_inches="tight", facecolor="white")
    show(path, data={"path": str(path)})
