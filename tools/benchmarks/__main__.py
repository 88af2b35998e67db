"""Run the benchmarks: ``python -m tools.benchmarks [SECTION ...] [--quick]``."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from tools.benchmarks.machine import load_share
from tools.benchmarks.results import FOLDER, Section, Table
from tools.benchmarks.settings import MODES

SECTIONS = {
    "handlers": "tools.benchmarks.handlers",
    "end-to-end": "tools.benchmarks.end_to_end",
    "uploads": "tools.benchmarks.uploads",
    "deployment": "tools.benchmarks.deployment",
    "cost": "tools.benchmarks.cost",
    "simulation": "tools.benchmarks.simulation.section",
    "growth": "tools.benchmarks.growth",
    "errors": "tools.benchmarks.errors",
    "alternatives": "tools.benchmarks.alternatives",
    "rejects": "tools.benchmarks.rejects",
}

# Of all cores in the minute before; more than that disturbs what is measured.
BUSY = 0.25

console = Console(width=160)


@click.command()
@click.argument("sections", nargs=-1, type=click.Choice(list(SECTIONS)))
@click.option("--quick", "mode", flag_value="quick", help="Small sizes: about a minute.")
@click.option("--tiny", "mode", flag_value="tiny", help="Sizes that only show that it runs.")
@click.option("--full", "mode", flag_value="full", default="full", help="All sizes (default).")
@click.option("--results", "folder", default=FOLDER, type=click.Path(path_type=Path))
def main(sections: tuple[str, ...], mode: str, folder: Path) -> None:
    """Measure the SECTIONS, by default all, and store the results."""
    settings = replace(MODES[mode], folder=folder)
    load = load_share()
    if load > BUSY:
        console.print(f"[yellow]the machine is busy ({load:.0%}): figures will be worse[/]")
    for name in sections or SECTIONS:
        started = time.monotonic()
        section: Section = importlib.import_module(SECTIONS[name]).run(settings)
        began = f"load when the run began {load:.0%} of the cores"
        section = replace(section, machine=f"{section.machine}, {began}")
        path = section.save(folder)
        for table in section.tables:
            console.print(_rich(table))
        for target in section.goals:
            mark = "[green]reached[/]" if target.reached else "[red]not reached[/]"
            line = f"{target.name}: {target.wanted}; found {target.found}"
            console.print(f"{escape(line)}: {mark}")
        console.print(f"{name}: {time.monotonic() - started:.0f} s, {path.name}\n")


def _rich(table: Table) -> RichTable:
    shown = RichTable(*table.columns, title=table.title, caption=table.note or None)
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown


if __name__ == "__main__":
    main()
