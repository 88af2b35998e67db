"""Verbs that start jobs and follow them: plan, submit, jobs, show, watch, wait."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from batchcore.texts import printable
from batchcore.workflow import JOB_STATUSES, SUCCEEDED
from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from batchops.cli.base import (
    NOT_WELL,
    POSITIVE,
    TIMEOUT,
    job_argument,
    leaving,
    main,
    print_whole,
    reading_options,
    screen,
    show,
    table_form,
    table_format,
    time_ago,
    wants_json,
    with_stack,
)
from batchops.core.errors import AccessDeniedError, BatchOpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from batchops.inspection.status import JobStatus
    from batchops.job import Job
    from batchops.stack import Stack

# The columns of `Stack.jobs`; to ask a DataFrame for them would slow --help.
SORTED = (
    *("job", "status", "file", "start", "end", "rows_in", "rows_out", "rows_rejected"),
    *("chunks", "attempt", "chunk_rows", "seconds", "rows_per_s", "mail", "error"),
)
_MAY_HAVE_STARTED = (
    "what is uploaded goes on, and nothing else was started: look at 'batchops jobs' before you "
    "submit again"
)
WAIT = click.option("--wait", "waits", is_flag=True, help="Wait until the job ends.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@reading_options
@click.option("--check-keys", is_flag=True, help="Look every key up in the reference data too.")
@with_stack
def plan(
    stack: Stack,
    file: Path,
    sheet: str | None,
    encoding: str | None,
    skip_rows: int,
    check_keys: bool,
) -> None:
    """Predict the job of FILE: rejects, limits, cost, time. Nothing is uploaded."""
    found = stack.plan(
        file, sheet=sheet, encoding=encoding, skip_rows=skip_rows, check_keys=check_keys
    )
    show(found)
    if not found.can_succeed:
        sys.exit(NOT_WELL)


@main.command()
@click.argument("file", nargs=-1, required=True, metavar="FILE...")
@click.option("--name", help="Name to upload a single file under; it may have folders.")
@reading_options
@WAIT
@TIMEOUT
@with_stack
def submit(
    stack: Stack,
    file: tuple[str, ...],
    name: str | None,
    sheet: str | None,
    encoding: str | None,
    skip_rows: int,
    waits: bool,
    timeout_s: float,
) -> None:
    """Upload each FILE, which starts its job, and print the jobs' ids.

    FILE is a path, a pattern such as 'in/*.csv', or s3://bucket/key.
    """
    from batchops.planning.submission import matching_files

    single = matching_files(file) == list(file) and len(file) == 1
    if name is not None and not single:
        raise click.UsageError("--name is for a single file, and not for a pattern")
    reading: Any = {"sheet": sheet, "encoding": encoding, "skip_rows": skip_rows}
    known: dict[str, list[Any]] = {"jobs": []}

    def on_job(job: Job) -> None:
        known["jobs"].append({"job": job.id, "notes": job.notes})
        _print_job(job)

    with leaving(_MAY_HAVE_STARTED, data=known):
        if single:
            jobs = [stack.submit(file[0], name=name, **reading)]
            on_job(jobs[0])
        else:
            try:
                jobs = stack.submit_all(*file, **reading, on_job=on_job)
            except BatchOpsError:
                if wants_json() and known["jobs"]:  # whose document is that of the error
                    before = ", ".join(each["job"] for each in known["jobs"])
                    click.echo(f"submitted before it: {before}", err=True)
                raise
    ids = [job.id for job in jobs]
    if waits:
        with uploaded(ids):
            if single:
                wait_for(stack, ids[0], timeout_s)
            else:
                wait_for_all(stack, ids, timeout_s)
    elif wants_json():
        show("", data=known["jobs"][0] if single else known)


def _print_job(job: Job) -> None:
    """Print a job's id, and to standard error what was uploaded if it was made of something."""
    if not wants_json():
        click.echo(job.id)
        for note in job.notes:
            click.echo(f"  {printable(note)}", err=True)


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
@click.option("--sort", type=click.Choice(SORTED), help="Order these by a column.")
@click.option("--descending", is_flag=True, help="With --sort: the largest first.")
@click.option("--watch", "watches", is_flag=True, help="Show them again and again until Ctrl-C.")
@table_format
@with_stack
def jobs(
    stack: Stack,
    status: str | None,
    since: str | None,
    name: str | None,
    limit: int,
    sort: str | None,
    descending: bool,
    watches: bool,
) -> None:
    """List the jobs, the last started first."""
    if descending and sort is None:
        raise click.UsageError("--descending goes with --sort COLUMN")

    def read() -> pd.DataFrame:
        found = stack.jobs(status=status, since=since, name=name, limit=limit)
        if sort is None:
            return found
        return found.sort_values(sort, ascending=not descending, kind="stable")

    if watches:
        _watch_jobs(stack, read)
        return
    found = read()
    if wants_json() or table_form() is not None:
        show(found)
    elif found.empty:
        chosen = status or since or name
        show("no such jobs" if chosen else "no jobs yet: 'batchops submit FILE' starts one")
    elif screen.is_terminal:
        screen.print(_jobs_table(found), soft_wrap=False)
    else:
        print_whole(_jobs_table(found))


def _watch_jobs(stack: Stack, read: Callable[[], pd.DataFrame]) -> None:
    """Show the jobs in a terminal, and again whenever they may have changed."""
    if wants_json() or table_form() is not None or not screen.is_terminal:
        raise click.UsageError("--watch takes a terminal: for a program call jobs again")
    with (
        leaving("the jobs go on: 'batchops jobs' lists them"),
        Live(_jobs_table(read()), console=screen, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(max(1.0, stack.target.poll_s))
            live.update(_jobs_table(read()), refresh=True)


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
        start, file = f"{job.start:%m-%d %H:%M}", escape(printable(str(job.file)))
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
    from batchops.core.uploads import may_be_uploaded
    from batchops.job import Job

    job = Job(stack, job_id)
    found = job.status()
    if not found.seen and not may_be_uploaded(job):
        job.ledger_entry()  # raises, with what to do
    show(f"{job_id} {found}", data={"job": job_id, **found.to_dict()})


@main.command()
@job_argument
@TIMEOUT
@with_stack
def watch(stack: Stack, job_id: str, timeout_s: float) -> None:
    """Show a job's progress until it ends; Ctrl-C leaves the job alone."""
    from batchops.inspection.watch import watch as watch_job
    from batchops.job import Job

    # Standard output is the script's, where there is one.
    shown = Console(stderr=True) if wants_json() else screen
    # Not stack.job(): of a file submitted just now the ledger may not know yet.
    with leaving(_goes_on(job_id), data={"job": job_id}):
        job = Job(stack, job_id)
        status = watch_job(job, timeout_s=timeout_s, console=shown, interrupt_returns=False)
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
    with leaving(_goes_on(job_id), data={"job": job_id}):
        if wants_json():
            status = job.wait(timeout_s=timeout_s, check=False)
        else:
            with JobProgress(screen) as progress:
                status = job.wait(timeout_s=timeout_s, on_status=progress)
    _end(job_id, status)


def wait_for_all(
    stack: Stack, job_ids: Sequence[str], timeout_s: float, *, failed: Sequence[Any] = ()
) -> None:
    """Wait until all jobs end, as `wait_for` does for one.

    Parameters
    ----------
    failed
        What is told, in JSON, of others that could not be started.
    """
    from batchops.job import Job

    ended: list[dict[str, Any]] = []
    known = {"jobs": [{"job": job_id} for job_id in job_ids]}
    says = "the jobs go on: 'batchops jobs' lists them, 'batchops watch JOB' follows one again"
    with leaving(says, data=known):
        for number, job_id in enumerate(job_ids):
            status = Job(stack, job_id).wait(timeout_s=timeout_s, check=False)
            ended.append({"job": job_id, **status.to_dict()})
            known["jobs"][number] = ended[-1]
            if not wants_json():
                show(_ending(job_id, status))
    if wants_json():
        show("", data={"jobs": [*ended, *failed]})
    if any(each["status"] != SUCCEEDED for each in ended):
        sys.exit(NOT_WELL)


def _ending(job_id: str, status: JobStatus) -> str:
    return "\n".join([f"{job_id} {status.status}", *map(printable, status.warnings)])


def _goes_on(job_id: str) -> str:
    return f"the job goes on: 'batchops watch {job_id}' follows it again"


@contextmanager
def uploaded(job_ids: Sequence[str]) -> Iterator[None]:
    """Say of a refusal that the files are uploaded, so that nobody submits them once more."""
    try:
        yield
    except AccessDeniedError as error:
        raise AccessDeniedError(
            f"uploaded, but these credentials may not follow {', '.join(job_ids)}: {error}. Do not "
            "submit again, which would start another job: have somebody watch this one who may",
            code=error.code,
        ) from error


def _end(job_id: str, status: JobStatus) -> None:
    show(_ending(job_id, status), data={"job": job_id, **status.to_dict()})
    if status.status != SUCCEEDED:
        sys.exit(NOT_WELL)
