"""Verbs about the stack: from doctor and deploy to destroy, logs and invoke."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchops.cli import complete
from batchops.cli.base import (
    NOT_WELL,
    POSITIVE,
    TIMEOUT,
    YES,
    job_argument,
    leaving,
    main,
    show,
    table_format,
    time_ago,
    wants_json,
    with_stack,
    write_table,
)

if TYPE_CHECKING:
    from batchops.deployment.stack_events import StackEvent
    from batchops.stack import Stack

_PARAMETERS = click.argument(
    "parameters",
    nargs=-1,
    metavar="[NAME=VALUE]...",
    shell_complete=complete.parameters,
)
_FUNCTION = click.argument("function", shell_complete=complete.functions)
_GOES_ON = (
    "what CloudFormation has begun goes on: 'batchops status' shows it, and the same command "
    "completes it when that has ended"
)
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
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; several, if repeated."
)
@click.option("--role-arn", help="The role that CloudFormation takes; by default you yourself.")
@click.option(
    "--termination-protection/--no-termination-protection",
    default=None,
    help="Whether destroy is refused; by default that stays as it is.",
)
@click.option("--repair", is_flag=True, help="Also set back what drift finds; on AWS only.")
@click.option("--replace", is_flag=True, help="Delete first what a failed first deployment left.")
@click.option("--force", is_flag=True, help="Deploy even over a later version of batchops.")
@TIMEOUT
@with_stack
def deploy(
    stack: Stack,
    parameters: tuple[str, ...],
    schema: Path | None,
    reference_data: Path | None,
    tags: tuple[str, ...],
    role_arn: str | None,
    termination_protection: bool | None,
    repair: bool,
    replace: bool,
    force: bool,
    timeout_s: float,
) -> None:
    """Create or update the stack, with template parameters such as FileChunkSize=2000."""
    given = parse_parameters(parameters)
    with leaving(_GOES_ON, data={"stack": stack.name}):
        deployment = stack.deploy(
            schema=schema,
            reference_data=reference_data,
            tags=parse_pairs(tags, such_as="team=data"),
            role_arn=role_arn,
            termination_protection=termination_protection,
            repair=repair,
            replace=replace,
            force=force,
            on_event=None if wants_json() else print_event,
            timeout_s=timeout_s,
            **given,
        )
    lines = [f"stack {stack.name}: {deployment}"]
    lines += [f"  {name} = {value}" for name, value in deployment.outputs.items()]
    show("\n".join(lines), data=deployment)


def parse_parameters(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return template parameters given as NAME=VALUE."""
    return parse_pairs(texts, such_as="FileChunkSize=2000")


def parse_pairs(texts: tuple[str, ...], *, such_as: str) -> dict[str, Any]:
    """Return what was given as NAME=VALUE."""
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise click.UsageError(f"{name!r} is not NAME=VALUE, such as {such_as}")
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
@TIMEOUT
@with_stack
def drift(stack: Stack, timeout_s: float) -> None:
    """Show what was changed in the stack without CloudFormation."""
    found = stack.drift(timeout_s=timeout_s)
    show(found, advises=True)
    if not found.in_sync:
        sys.exit(NOT_WELL)


@main.command()
@click.argument("who", type=click.Choice(["deployer", "service-role"]))
@click.option("--role-arn", help="Of the deployer: the service role that makes the resources.")
@click.option("--boundary", help="ARN of the permissions boundary that each role must have.")
@with_stack
def policy(stack: Stack, who: str, role_arn: str | None, boundary: str | None) -> None:
    """Print the IAM policy of who deploys the stack, or of the role that CloudFormation takes."""
    if role_arn and who != "deployer":
        raise click.UsageError("--role-arn is an option of the deployer's policy")
    found = stack.policy(who, role_arn=role_arn, boundary=boundary)
    show(json.dumps(found.document, indent=2), data=found.document)


@main.command()
@with_stack
def outputs(stack: Stack) -> None:
    """Print the stack's outputs."""
    found = dict(stack.outputs)
    show("\n".join(f"{name} = {value}" for name, value in found.items()), data=found)


@main.command()
@table_format
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
    with leaving(_GOES_ON, data={"stack": stack.name}):
        found = stack.destroy(dry_run=not yes, force=force)
    show(found, advises=True)


@main.command()
@_FUNCTION
@click.option(
    "--since", callback=time_ago, help="10m, 2h, 1d ago; by default 10 minutes, or the job's start."
)
@click.option("--job", "job_id", help="Only the calls for this job.", shell_complete=complete.jobs)
@click.option(
    "--limit", type=POSITIVE, default=1000, show_default=True, help="Lines at most, the latest."
)
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@table_format
@with_stack
def logs(
    stack: Stack,
    function: str,
    since: str | None,
    job_id: str | None,
    limit: int,
    follow: bool,
) -> None:
    """Print what FUNCTION (its folder in source/) logged, as CSV."""
    if not follow:
        show(stack.logs(function, since=since, job=job_id, limit=limit))
        return
    if wants_json():
        raise click.UsageError("--follow has no end, as a JSON document has: take --format ndjson")
    parts = stack.follow_logs(function, since=since, job=job_id, limit=limit)
    with leaving("what the function logs from here on is not shown"):
        for number, part in enumerate(parts):
            write_table(part, header=number == 0)
            sys.stdout.flush()


@main.command()
@job_argument
@_FUNCTION
@click.option("--chunk", type=POSITIVE, help="The chunk, for a function that runs for each.")
@with_stack
def event(stack: Stack, job_id: str, function: str, chunk: int | None) -> None:
    """Print the event that FUNCTION got in the job, for 'invoke'."""
    found = stack.job(job_id).event(function, chunk=chunk)
    show(json.dumps(found, indent=2, ensure_ascii=False), data=found)


@main.command()
@_FUNCTION
@click.argument("event", type=click.Path(path_type=Path))
@click.option("--here", is_flag=True, help="In this process, so that a debugger can stop in it.")
@with_stack
def invoke(stack: Stack, function: str, event: Path, here: bool) -> None:
    """Call FUNCTION with the event in the JSON file EVENT, and print its result."""
    goes_on = "" if here else f"; {function} goes on, and its end is in 'batchops logs {function}'"
    with leaving(f"interrupted{goes_on}"):
        result = stack.invoke(function, event, here=here)
    show(json.dumps(result, indent=2, ensure_ascii=False), data=result)
