"""Verbs about the stack: doctor, preview, deploy, status, resources, destroy, logs, invoke."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchops.cli.base import (
    NOT_WELL,
    POSITIVE,
    TIMEOUT,
    YES,
    job_argument,
    main,
    show,
    time_ago,
    wants_json,
    with_stack,
)

if TYPE_CHECKING:
    from batchops.deployment.stack_events import StackEvent
    from batchops.stack import Stack

_PARAMETERS = click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
_SCHEMA = click.option("--schema", type=click.Path(path_type=Path), help="Record schema to use.")
_REFERENCE = click.option(
    "--reference-data", type=click.Path(path_type=Path), help="Reference CSV to load."
)


@main.command()
@with_stack
def doctor(stack: Stack) -> None:
    """Check the set-up, and say what to do about what is missing."""
    diagnosis = stack.doctor()
    show(diagnosis, advises=True)
    if not diagnosis.ok:
        sys.exit(NOT_WELL)


@main.command()
@_PARAMETERS
@_SCHEMA
@_REFERENCE
@with_stack
def preview(
    stack: Stack, parameters: tuple[str, ...], schema: Path | None, reference_data: Path | None
) -> None:
    """Show what deploy with the same arguments would change."""
    given = parse_parameters(parameters)
    show(stack.preview(schema=schema, reference_data=reference_data, **given))


@main.command()
@_PARAMETERS
@_SCHEMA
@_REFERENCE
@click.option("--replace", is_flag=True, help="Delete first what a failed first deployment left.")
@click.option("--force", is_flag=True, help="Deploy even over a later version of batchops.")
@TIMEOUT
@with_stack
def deploy(
    stack: Stack,
    parameters: tuple[str, ...],
    schema: Path | None,
    reference_data: Path | None,
    replace: bool,
    force: bool,
    timeout_s: float,
) -> None:
    """Create or update the stack, with template parameters such as FileChunkSize=2000."""
    deployment = stack.deploy(
        schema=schema,
        reference_data=reference_data,
        replace=replace,
        force=force,
        on_event=None if wants_json() else print_event,
        timeout_s=timeout_s,
        **parse_parameters(parameters),
    )
    lines = [f"stack {stack.name}: {deployment}"]
    lines += [f"  {name} = {value}" for name, value in deployment.outputs.items()]
    show("\n".join(lines), data=deployment)


def parse_parameters(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return template parameters given as NAME=VALUE."""
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals:
            raise click.UsageError(f"{name!r} is not NAME=VALUE, such as FileChunkSize=2000")
    return {name: value for name, _, value in pairs}


def print_event(event: StackEvent) -> None:
    """Print a stack event as a line."""
    click.echo(f"  {event}")


@main.command()
@with_stack
def status(stack: Stack) -> None:
    """Show the stack's status and parameters."""
    found = stack.status()
    show(found, advises=True)


@main.command()
@with_stack
def outputs(stack: Stack) -> None:
    """Print the stack's outputs."""
    found = dict(stack.outputs)
    show("\n".join(f"{name} = {value}" for name, value in found.items()), data=found)


@main.command()
@with_stack
def resources(stack: Stack) -> None:
    """Print the stack's resources, as CSV."""
    show(stack.resources())


@main.command()
@YES
@click.option("--force", is_flag=True, help="Stop the jobs that run, then delete the stack.")
@with_stack
def destroy(stack: Stack, yes: bool, force: bool) -> None:
    """Delete the stack with everything that it holds."""
    found = stack.destroy(dry_run=not yes, force=force)
    show(found, advises=True)


@main.command()
@click.argument("function")
@click.option(
    "--since", callback=time_ago, help="10m, 2h, 1d ago; by default 10 minutes, or the job's start."
)
@click.option("--job", "job_id", help="Only the calls for this job.")
@click.option(
    "--limit", type=POSITIVE, default=1000, show_default=True, help="Lines at most, the latest."
)
@with_stack
def logs(stack: Stack, function: str, since: str | None, job_id: str | None, limit: int) -> None:
    """Print what FUNCTION (its folder in source/) logged, as CSV."""
    show(stack.logs(function, since=since, job=job_id, limit=limit))


@main.command()
@job_argument
@click.argument("function")
@click.option("--chunk", type=POSITIVE, help="The chunk, for a function that runs for each.")
@with_stack
def event(stack: Stack, job_id: str, function: str, chunk: int | None) -> None:
    """Print the event that FUNCTION got in the job, for 'invoke'."""
    found = stack.job(job_id).event(function, chunk=chunk)
    show(json.dumps(found, indent=2, ensure_ascii=False), data=found)


@main.command()
@click.argument("function")
@click.argument("event", type=click.Path(path_type=Path))
@click.option("--here", is_flag=True, help="In this process, so that a debugger can stop in it.")
@with_stack
def invoke(stack: Stack, function: str, event: Path, here: bool) -> None:
    """Call FUNCTION with the event in the JSON file EVENT, and print its result."""
    result = stack.invoke(function, event, here=here)
    show(json.dumps(result, indent=2, ensure_ascii=False), data=result)
