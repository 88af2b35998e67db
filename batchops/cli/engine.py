"""Verbs about the local engine."""

from __future__ import annotations

import sys

import click

from batchops.cli.base import NOT_WELL, POSITIVE, YES, leaving, main, show

_LOOK = "'batchops engine status' says whether it runs"


@main.group()
def engine() -> None:
    """Start, stop and inspect the local engine."""


@engine.command()
def install() -> None:
    """Install the engine into a Python environment of its own."""
    from batchops.local.engine import LocalEngine

    LocalEngine().install()


@engine.command()
def start() -> None:
    """Start the engine, if it does not run, and print its address."""
    from batchops.local.engine import LocalEngine

    local = LocalEngine()
    local.install()
    with leaving(f"interrupted; if the engine has started, it goes on: {_LOOK}"):
        info = local.start()
    click.echo(info.endpoint_url)


@engine.command()
def status() -> None:
    """Print the engine's address and process id; exit code 3 if it does not run."""
    from batchops.local.engine import LocalEngine

    local = LocalEngine()
    info = local.find()
    if info is None and (silent := local.silent):
        click.echo(silent)
        sys.exit(NOT_WELL)
    if info is None:
        kept = f"; {local.kept} in {local.home}" if local.kept else ""
        click.echo(f"the engine does not run{kept}")
        sys.exit(NOT_WELL)
    click.echo(f"{info.endpoint_url} (process {info.pid})")
    if local.trouble:
        click.echo(f"note: {local.trouble}", err=True)


@engine.command("env")
@click.option(
    "--profile",
    metavar="NAME",
    help="A profile for ~/.aws/config in the place of lines for a shell.",
)
def environment(profile: str | None) -> None:
    """Print what other clients, such as the AWS CLI, need to use the engine.

    In a shell: eval "$(batchops engine env)"
    """
    from batchops.core.errors import EngineNotRunningError
    from batchops.local.engine import LocalEngine
    from batchops.local.other_clients import as_exports, as_profile

    info = LocalEngine().find()
    if info is None:
        raise EngineNotRunningError("the engine does not run: 'batchops engine start' starts it")
    show(as_exports(info) if profile is None else as_profile(info, profile))


@engine.command()
def stop() -> None:
    """Stop the engine, and say where its state is kept."""
    from batchops.local.engine import LocalEngine

    local = LocalEngine()
    with leaving(f"interrupted; what was asked to stop does so: {_LOOK}"):
        stopped = local.stop()
    kept = f"; {local.kept} in {local.home}" if local.kept else ""
    click.echo(f"{'stopped' if stopped else 'the engine did not run'}{kept}")
    if stopped and local.cut_short:
        jobs = ", ".join(local.cut_short)
        click.echo(f"cut short, and to be completed with 'batchops rerun JOB --yes': {jobs}")


@engine.command()
@click.option("--lines", type=POSITIVE, default=100, show_default=True)
def logs(lines: int) -> None:
    """Print the end of the engine's log."""
    from batchops.local.engine import LocalEngine

    show(LocalEngine().logs(lines=lines))


@engine.command()
@YES
def reset(yes: bool) -> None:
    """Stop the engine and delete its state, with every local stack in it."""
    from batchops.local.engine import LocalEngine

    local = LocalEngine()
    if yes:
        local.reset()
        click.echo(f"deleted {local.home}")
    else:
        click.echo(f"would delete {local.home} with every local stack (--yes deletes it)")
