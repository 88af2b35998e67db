"""The command line: ``batchops VERB``.

Exit codes: 0 done; 1 it failed, and why is on standard error; 2 the command was not understood;
3 the job ended without success, or its balance does not hold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from batchops.errors import BatchOpsError, JobFailedError

if TYPE_CHECKING:
    from batchops.stack import Stack
    from batchops.stack_state import StackEvent

NOT_WELL = 3

# Lines are for people and for pipes alike, so only tables are fitted to the width.
console = Console(soft_wrap=True)


class _Group(click.Group):
    """Shows errors that are raised on purpose as a message, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except JobFailedError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(NOT_WELL)
        except (BatchOpsError, ValueError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--stack", "name", default="batchops", envvar="BATCHOPS_STACK", show_default=True)
@click.option(
    "--target",
    type=click.Choice(["local", "aws"]),
    default="local",
    envvar="BATCHOPS_TARGET",
    show_default=True,
    help="The embedded engine, or an AWS account.",
)
@click.option("--region", help="AWS region; by default the profile's.")
@click.option("--profile", help="Profile of the AWS configuration.")
@click.version_option(package_name="batchops")
@click.pass_context
def main(
    ctx: click.Context, name: str, target: str, region: str | None, profile: str | None
) -> None:
    """Deploy, run, watch and repair a serverless CSV batch stack."""
    ctx.obj = {"name": name, "target": target, "region": region, "profile": profile}


def _with_stack(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the stack that the options name; made late, so that --help is quick."""

    @click.pass_obj
    @wraps(command)
    def wrapper(options: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        from batchops.stack import Stack

        command(Stack(**options), *args, **kwargs)

    return wrapper


@main.command()
@click.option("--rows", default=5_000, show_default=True, help="Rows of the sample file.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Where the sample and the results go.",
)
def demo(rows: int, folder: Path) -> None:
    """Run a sample file through the whole stack on the local engine, and check the result."""
    from batchops.demo import run_demo

    if not run_demo(folder, rows=rows, console=console):
        sys.exit(NOT_WELL)


@main.command()
@click.argument("rows", type=int)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--bad-share", default=0.03, show_default=True, help="Share of bad rows, 0 to 1.")
@click.option("--seed", default=1, show_default=True, help="Decides which rows are bad, and how.")
@click.option("--delimiter", default=",", show_default=True)
def sample(rows: int, folder: Path, bad_share: float, seed: int, delimiter: str) -> None:
    """Write a sales-order file of ROWS rows into FOLDER, and which of them are bad and why."""
    from batchcore.jobs import parse_delimiter

    from batchops.sample import write_sample

    files = write_sample(
        folder, rows, bad_share=bad_share, seed=seed, delimiter=parse_delimiter(delimiter)
    )
    click.echo(f"{files.orders}: {rows:,} rows, to be submitted")
    click.echo(f"{files.reference}: their reference data, for deploy --reference-data")
    click.echo(f"{files.expected}: which rows are bad, column by column, rule by rule")


@main.command()
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--schema", type=click.Path(path_type=Path), help="Record schema to use.")
@click.option("--reference-data", type=click.Path(path_type=Path), help="Reference CSV to load.")
@click.option("--replace", is_flag=True, help="Delete what a failed first deployment left.")
@_with_stack
def deploy(
    stack: Stack,
    parameters: tuple[str, ...],
    schema: Path | None,
    reference_data: Path | None,
    replace: bool,
) -> None:
    """Create or update the stack, with template parameters such as FileChunkSize=2000."""
    pairs = [text.partition("=") for text in parameters]
    for name, equals, _ in pairs:
        if not equals:
            raise click.UsageError(f"{name!r} is not NAME=VALUE, such as FileChunkSize=2000")
    given: dict[str, Any] = {name: value for name, _, value in pairs}
    deployment = stack.deploy(
        schema=schema,
        reference_data=reference_data,
        replace=replace,
        on_event=_print_event,
        **given,
    )
    click.echo(f"stack {stack.name}: {deployment}")
    for name, value in deployment.outputs.items():
        click.echo(f"  {name} = {value}")


def _print_event(event: StackEvent) -> None:
    reason = f"  {event.reason}" if event.failed else ""
    click.echo(f"  {event.time:%H:%M:%S} {event.status:<20} {event.logical_id}{reason}")


@main.command()
@click.option("--yes", is_flag=True, help="Do it; otherwise it is only said what would go.")
@_with_stack
def destroy(stack: Stack, yes: bool) -> None:
    """Delete the stack with everything that it holds."""
    click.echo(stack.destroy(dry_run=not yes))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name to upload it under; it may have folders.")
@click.option("--wait", "waits", is_flag=True, help="Wait for the job's end.")
@_with_stack
def submit(stack: Stack, file: Path, name: str | None, waits: bool) -> None:
    """Upload FILE, which starts its job, and print the job's id."""
    job = stack.submit(file, name=name)
    click.echo(job.id)
    if waits:
        _wait(stack, job.id, 3600)


@main.command()
@click.option("--limit", default=20, show_default=True)
@_with_stack
def jobs(stack: Stack, limit: int) -> None:
    """List the jobs, the last started first."""
    found = stack.jobs(limit=limit)
    table = Table()
    # An id is there to be copied, so it is never shortened; a file's name may be folded.
    table.add_column("job", min_width=max((len(job.id) for job in found), default=0))
    for name in ("status", "rows", "rejected", "chunks"):
        table.add_column(name, no_wrap=True)
    table.add_column("file", overflow="fold")
    for job in found:
        entry, status = job.entry(), job.status()
        table.add_row(
            job.id,
            status.status,
            f"{status.rows:,}",
            f"{status.rows_rejected:,}",
            f"{status.chunks_done}/{status.chunks}",
            entry["key"],
        )
    console.print(table, soft_wrap=False)


@main.command()
@click.argument("job_id")
@click.option("--timeout", "timeout_s", default=3600.0, show_default=True, help="Seconds.")
@_with_stack
def wait(stack: Stack, job_id: str, timeout_s: float) -> None:
    """Wait until a job has ended."""
    _wait(stack, job_id, timeout_s)


def _wait(stack: Stack, job_id: str, timeout_s: float) -> None:
    from batchops.job import Job
    from batchops.progress import JobProgress

    with JobProgress(console) as progress:
        status = Job(stack, job_id).wait(timeout_s=timeout_s, on_status=progress)
    click.echo(f"{job_id} {status.status}")


@main.command()
@click.argument("job_id")
@_with_stack
def balance(stack: Stack, job_id: str) -> None:
    """Prove that every row of a job went out or was rejected, once."""
    found = stack.job(job_id).balance()
    click.echo(found)
    if not found.holds:
        sys.exit(NOT_WELL)


@main.command()
@click.argument("job_id")
@_with_stack
def errors(stack: Stack, job_id: str) -> None:
    """Print every rule that any row of a job breaks, as CSV."""
    stack.job(job_id).errors().to_csv(sys.stdout, index=False)


@main.command()
@click.argument("job_id")
@_with_stack
def chunks(stack: Stack, job_id: str) -> None:
    """Print a job's chunks with their times, as CSV."""
    stack.job(job_id).chunks().to_csv(sys.stdout, index=False)


@main.command()
@click.argument("job_id")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--rejected", is_flag=True, help="The rejected rows instead of the completed file.")
@_with_stack
def download(stack: Stack, job_id: str, path: Path, rejected: bool) -> None:
    """Store a job's completed file at PATH."""
    click.echo(stack.job(job_id).download(path, rejected=rejected))


@main.command()
@click.argument("job_id")
@click.option("--expires", "expires_s", default=3600, show_default=True, help="Seconds.")
@_with_stack
def link(stack: Stack, job_id: str, expires_s: int) -> None:
    """Print an address that opens the completed file without credentials for a while."""
    click.echo(stack.job(job_id).link(expires_s=expires_s))


@main.group()
def engine() -> None:
    """Start, stop and look into the local engine."""


@engine.command("install")
def engine_install() -> None:
    """Make the engine's own Python environment."""
    from batchops.engine import LocalEngine

    LocalEngine().install()


@engine.command("start")
def engine_start() -> None:
    """Start the engine, if it does not run, and print its address."""
    from batchops.engine import LocalEngine

    local = LocalEngine()
    local.install()
    click.echo(local.start().endpoint_url)


@engine.command("status")
def engine_status() -> None:
    """Print the engine's address and process id; exit code 3 if it does not run."""
    from batchops.engine import LocalEngine

    info = LocalEngine().find()
    click.echo(f"{info.endpoint_url} (process {info.pid})" if info else "the engine does not run")
    if info is None:
        sys.exit(NOT_WELL)


@engine.command("stop")
def engine_stop() -> None:
    """Stop the engine; its state is kept."""
    from batchops.engine import LocalEngine

    click.echo("stopped" if LocalEngine().stop() else "the engine did not run")


@engine.command("logs")
@click.option("--lines", default=100, show_default=True)
def engine_logs(lines: int) -> None:
    """Print the end of the engine's log."""
    from batchops.engine import LocalEngine

    click.echo(LocalEngine().logs(lines=lines))


@engine.command("reset")
@click.option("--yes", is_flag=True, help="Do it; otherwise it is only said what would go.")
def engine_reset(yes: bool) -> None:
    """Stop the engine and delete its state, with every local stack in it."""
    from batchops.engine import LocalEngine

    local = LocalEngine()
    if yes:
        local.reset()
        click.echo(f"deleted {local.home}")
    else:
        click.echo(f"would delete {local.home} with every local stack (--yes deletes it)")
