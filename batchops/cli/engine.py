"""Verbs about the local engine."""

from __future__ import annotations

import sys

import click

from batchops.cli.base import NOT_WELL, POSITIVE, YES, main, show


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
    click.echo(local.start().endpoint_url)


@engine.command()
def status() -> None:
    """Print the engine's address and process id; exit code 3 if it does not run."""
    from batchops.local.engine import LocalEngine

    info = LocalEngine().find()
    click.echo(f"{info.endpoint_url} (process {info.pid})" if info else "the engine does not run")
    if info is None:
        sys.exit(NOT_WELL)


@engine.command()
def stop() -> None:
    """Stop the engine; its state is kept."""
    from batchops.local.engine import LocalEngine

    click.echo("stopped" if LocalEngine().stop() else "the engine did not run")


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
