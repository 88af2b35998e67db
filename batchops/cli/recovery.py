"""Verbs that put jobs right: stop, rerun, repair, redeliver, reconcile, compare, what-if."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from batchcore.workflow import ABORTED, FAILED, TIMED_OUT, UNFINISHED

from batchops.cli.base import (
    TIMEOUT,
    YES,
    job_argument,
    leaving,
    main,
    show,
    time_ago,
    wants_json,
    with_stack,
)
from batchops.cli.bulk import Choice, choosing, each_job, jobs_argument
from batchops.cli.jobs import WAIT, wait_for, wait_for_all
from batchops.recovery.damage import KINDS

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.recovery.rerun_plan import RerunPlan
    from batchops.stack import Stack

_UNSUCCESSFUL = (FAILED, ABORTED, TIMED_OUT)
_COMPLETES = "interrupted; what is done stays done, and the same command completes it"


def _repeatable(job_id: str) -> AbstractContextManager[None]:
    """On Ctrl-C say how to see what became of a job."""
    says = f"interrupted: 'batchops show {job_id}' says how the job stands now"
    return leaving(says, data={"job": job_id})


@main.command()
@jobs_argument
@choosing
@YES
@with_stack
def stop(stack: Stack, choice: Choice, yes: bool) -> None:
    """Stop a job, or several; a rerun resumes them.

    Jobs that are named are stopped at once. Those chosen by --status, --since or --name are listed;
    add --yes to stop them.
    """
    choice.check()
    if choice.single is not None:
        with _repeatable(choice.single):
            stopped = stack.job(choice.single).stop()
        show(stopped, advises=True)
        return
    dry_run = choice.chooses and not yes
    unfinished = choice.ids(stack, among=sorted(UNFINISHED))
    done = each_job(stack, unfinished, lambda job: job.stop(dry_run=dry_run))
    done.end(then="nothing is stopped yet (--yes stops them)" if dry_run else "")


def _chunk_numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise click.BadParameter(f"{text!r} is no list such as 3,7", param_hint="--chunks")
    return [int(part) for part in parts]


@main.command()
@jobs_argument
@choosing
@click.option("--chunks", help="Chunks to run, such as 3,7; by default those without a result.")
@click.option("--everything", is_flag=True, help="Run every chunk.")
@click.option("--engine", type=click.Choice(["resume", "redrive"]), default="resume")
@YES
@WAIT
@TIMEOUT
@with_stack
def rerun(
    stack: Stack,
    choice: Choice,
    chunks: str | None,
    everything: bool,
    engine: Any,
    yes: bool,
    waits: bool,
    timeout_s: float,
) -> None:
    """Show what a rerun would run and reuse; with --yes, start it.

    Several jobs are named, or chosen by --status, --since or --name.
    """
    choice.check()
    if chunks is not None and everything:
        raise click.UsageError("give --chunks or --everything, not both")
    if chunks is not None and choice.single is None:
        raise click.UsageError("--chunks is for a single job: name one")
    numbers = None if chunks is None else _chunk_numbers(chunks)

    def plan(job: Job) -> RerunPlan:
        return job.rerun(chunks=numbers, everything=everything, dry_run=not yes, engine=engine)

    if choice.single is not None:
        job_id = choice.single
        with _repeatable(job_id):
            found = plan(stack.job(job_id))
        _started(stack, job_id, found, waits=waits and found.started, timeout_s=timeout_s)
        return
    bulk = each_job(stack, choice.ids(stack, among=_UNSUCCESSFUL), plan)
    begun = [job_id for job_id, found in bulk.done.items() if found.started]
    if waits and begun:
        wait_for_all(stack, begun, timeout_s, failed=bulk.failed)
        bulk.check()
    else:
        bulk.end(then="" if yes else "nothing is started yet (--yes starts them)")


@main.command()
@job_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--schema", type=click.Path(path_type=Path), help="Check against this schema.")
@click.option(
    "--accept",
    multiple=True,
    type=click.Choice(list(KINDS)),
    help="A kind of damage to let through; for several, give it several times.",
)
@YES
@WAIT
@TIMEOUT
@with_stack
def repair(
    stack: Stack,
    job_id: str,
    file: Path,
    schema: Path | None,
    accept: tuple[str, ...],
    yes: bool,
    waits: bool,
    timeout_s: float,
) -> None:
    """Show what the edited rejects in FILE would change in a job; with --yes, put them in.

    FILE is a workbook or a CSV. Rows that look like the damage of a spreadsheet are held until each
    kind of it is accepted.
    """
    with _repeatable(job_id):
        found = stack.job(job_id).repair(file, schema=schema, accept=accept, dry_run=not yes)
    _started(stack, job_id, found, waits=waits and found.started, timeout_s=timeout_s)


@main.command()
@YES
@with_stack
def redeliver(stack: Stack, yes: bool) -> None:
    """List the uploads whose jobs could not be started; with --yes, start them."""
    with leaving(_COMPLETES):
        found = stack.redeliver(dry_run=not yes)
    show(found, advises=True)


@main.command()
@YES
@click.option(
    "--since", callback=time_ago, help="Only jobs since 2h, 1d ago; by default 30d. All uploads."
)
@with_stack
def reconcile(stack: Stack, yes: bool, since: str | None) -> None:
    """List uploads without a job, jobs without an end, results that are gone; --yes starts jobs."""
    with leaving(_COMPLETES):
        found = stack.reconcile(since=since, dry_run=not yes)
    show(found, advises=True)


@main.command()
@job_argument
@YES
@with_stack
def purge(stack: Stack, job_id: str, yes: bool) -> None:
    """List what the stack holds of a job that has ended; with --yes, delete it for good."""
    with leaving(_COMPLETES, data={"job": job_id}):
        found = stack.job(job_id).purge(dry_run=not yes)
    show(found, advises=True)


def _started(stack: Stack, job_id: str, found: Any, *, waits: bool, timeout_s: float) -> None:
    if not (waits and wants_json()):
        show(found, advises=True)
    if waits:
        wait_for(stack, job_id, timeout_s)


@main.command()
@click.argument("job_a")
@click.argument("job_b")
@click.option(
    "--by", default="source_row", show_default=True, help="Or the name of the key's column."
)
@with_stack
def compare(stack: Stack, job_a: str, job_b: str, by: str) -> None:
    """Compare the errors of two jobs: fixed, newly broken, same."""
    from batchops.inspection.compare import compare as compare_jobs

    show(compare_jobs(stack.job(job_a), stack.job(job_b), by=by))


@main.command("what-if")
@job_argument
@click.argument("schema", type=click.Path(path_type=Path))
@with_stack
def what_if(stack: Stack, job_id: str, schema: Path) -> None:
    """Show which rows of a job the schema in SCHEMA would newly reject or accept."""
    show(stack.job(job_id).what_if(schema))
