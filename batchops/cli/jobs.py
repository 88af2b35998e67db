"""Verbs that start jobs and follow them: plan, submit, jobs, show, watch, wait."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from batchcore.texts import printable, visible
from batchcore.workflow import JOB_STATUSES, SUCCEEDED
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from batchops.cli.base import (
    INTERRUPTED,
    NOT_WELL,
    POSITIVE,
    TIMEOUT,
    job_argument,
    main,
    screen,
    show,
    time_ago,
    wants_json,
    with_stack,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from batchops.inspection.status import JobStatus
    from batchops.stack import Stack

WAIT = click.option("--wait", "waits", is_flag=True, help="Wait until the job ends.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check-keys", is_flag=True, help="Look every key up in the reference data too.")
@with_stack
def plan(stack: Stack, file: Path, check_keys: bool) -> None:
    """Predict the job of FILE: rejects, limits, cost, time. Nothing is uploaded."""
    found = stack.plan(file, check_keys=check_keys)
    show(found)
    if not found.can_succeed:
        sys.exit(NOT_WELL)


@main.command()
@click.argument("file")
@click.option("--name", help="Name to upload it under; it may have folders.")
@WAIT
@TIMEOUT
@with_stack
def submit(stack: Stack, file: str, name: str | None, waits: bool, timeout_s: float) -> None:
    """Upload FILE (a path, or s3://bucket/key), which starts its job, and print the job's id."""
    job = stack.submit(file, name=name)
    if not wants_json():
        click.echo(job.id)
    elif not waits:
        show(job.id, data={"job": job.id})
    if waits:
        wait_for(stack, job.id, timeout_s)


@main.command()
@click.option(
    "--status",
    metavar="STATUS",
    type=click.Choice(JOB_STATUSES, case_sensitive=False),
    help=f"Only jobs that are {', '.join(JOB_STATUSES)}.",
)
@click.option("--since", callback=time_ago, help="Only jobs started since: 30m, 2h, 1d ago.")
@click.option("--name", help="Only files whose name holds this.")
@click.option("--limit", type=POSITIVE, default=20, show_default=True, help="Jobs at most.")
@with_stack
def jobs(stack: Stack, status: str | None, since: str | None, name: str | None, limit: int) -> None:
    """List the jobs, the last started first."""
    found = stack.jobs(status=status, since=since, name=name, limit=limit)
    if wants_json():
        show(found)
    elif found.empty:
        chosen = status or since or name
        show("no such jobs" if chosen else "no jobs yet: 'batchops submit FILE' starts one")
    else:
        screen.print(_jobs_table(found), soft_wrap=False)


def _jobs_table(found: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, collapse_padding=True)
    # An id is there to be copied, so it is never shortened; a file's name may be folded.
    table.add_column("job", no_wrap=True, min_width=max(map(len, found["job"]), default=0))
    table.add_column("status", no_wrap=True, min_width=9)
    table.add_column("start (UTC)", no_wrap=True, min_width=11)
    for name in ("rows", "rejected"):
        table.add_column(name, no_wrap=True, justify="right", min_width=len(name))
    table.add_column("file", overflow="fold")
    for job in found.itertuples(index=False):
        counts = [_count(n) for n in (job.rows_in, job.rows_rejected)]
        start, file = f"{job.start:%m-%d %H:%M}", escape(visible(str(job.file)))
        table.add_row(str(job.job), str(job.status), start, *counts, file)
    return table


def _count(value: Any) -> str:
    # A count that is not known yet is pandas' NA, which is no integer.
    return f"{value:,}" if isinstance(value, Integral) else ""


@main.command("show")
@job_argument
@with_stack
def show_job(stack: Stack, job_id: str) -> None:
    """Show a job's status."""
    job = stack.job(job_id)
    found = job.status()
    show(f"{job_id} {found}", data={"job": job_id, **found.to_dict()})


@main.command()
@job_argument
@TIMEOUT
@with_stack
def watch(stack: Stack, job_id: str, timeout_s: float) -> None:
    """Show a job's progress until it ends; Ctrl-C leaves the job alone."""
    from batchops.job import Job

    # Standard output is the script's, where there is one.
    shown = Console(stderr=True) if wants_json() else screen
    # Not stack.job(): of a file submitted just now the ledger may not know yet.
    with _leaving(job_id):
        status = Job(stack, job_id).watch(timeout_s=timeout_s, console=shown)
    _end(job_id, status)


@main.command()
@job_argument
@TIMEOUT
@with_stack
def wait(stack: Stack, job_id: str, timeout_s: float) -> None:
    """Wait until a job ends."""
    wait_for(stack, job_id, timeout_s)


def wait_for(stack: Stack, job_id: str, timeout_s: float) -> None:
    """Wait until a job ends, and show how; end with exit code 3 unless it succeeded."""
    from batchops.inspection.front_ends import JobProgress
    from batchops.job import Job

    job = Job(stack, job_id)
    with _leaving(job_id):
        if wants_json():
            status = job.wait(timeout_s=timeout_s, check=False)
        else:
            with JobProgress(screen) as progress:
                status = job.wait(timeout_s=timeout_s, on_status=progress)
    _end(job_id, status)


@contextmanager
def _leaving(job_id: str) -> Iterator[None]:
    """On Ctrl-C say that the job goes on, and how to come back to it."""
    try:
        yield
    except KeyboardInterrupt:
        if wants_json():
            show(job_id, data={"job": job_id})
        click.echo(f"\nthe job goes on: 'batchops watch {job_id}' follows it again", err=True)
        sys.exit(INTERRUPTED)


def _end(job_id: str, status: JobStatus) -> None:
    lines = [f"{job_id} {status.status}", *map(printable, status.warnings)]
    show("\n".join(lines), data={"job": job_id, **status.to_dict()})
    if status.status != SUCCEEDED:
        sys.exit(NOT_WELL)
