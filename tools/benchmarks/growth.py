"""Section ``growth``: measure time and memory as files grow, and fit an exponent to them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tools.benchmarks import inputs
from tools.benchmarks.bucket import INPUT_KEY
from tools.benchmarks.child import Measured, measure
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.measure import growth_exponent
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import MB, Settings
from tools.benchmarks.work.ours import FUNCTIONS

PIPELINE = tuple(FUNCTIONS)
SHOWN = ("split", "validate", "merge", "errors()", "output()")
# Measurements scatter, so that a linear one may come out a little over 1.
LINEAR = 1.1


def run(settings: Settings) -> Section:
    """Measure files of every length."""
    found: dict[str, list[Measured]] = {name: [] for name in SHOWN}
    for rows in settings.growth_rows:
        for name, measured in _measure(rows, settings).items():
            if name in found:
                found[name].append(measured)
    sizes = settings.growth_rows
    goals = [
        _goal(name, what, growth_exponent(sizes, values))
        for name in SHOWN
        for what, values in (("time", _seconds(found[name])), ("memory", _megabytes(found[name])))
    ]
    return Section(
        name="growth",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_table(found, sizes),),
        goals=tuple(goals),
    )


def _measure(rows: int, settings: Settings) -> dict[str, Measured]:
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs.write_input(folder / INPUT_KEY, "sample", rows=rows)
        for step in PIPELINE:
            rounds = settings.rounds if step in SHOWN else 1
            chunk_rows = settings.chunk_rows
            found[step] = measure("ours", step, folder, rounds=rounds, chunk_rows=chunk_rows)
        for step in ("errors", "output"):
            found[f"{step}()"] = measure(
                "reading", step, folder, rounds=settings.rounds, chunk_rows=rows
            )
    return found


def _seconds(found: list[Measured]) -> list[float]:
    return [one.seconds.median for one in found]


def _megabytes(found: list[Measured]) -> list[float]:
    # What is below a megabyte is the interpreter's breathing.
    return [max(1.0, one.peak_bytes / MB) for one in found]


def _table(found: dict[str, list[Measured]], sizes: tuple[int, ...]) -> Table:
    rows = []
    for name, measured in found.items():
        seconds, megabytes = _seconds(measured), _megabytes(measured)
        shown = [one.seconds.text(3) for one in measured]
        rows.append((name, "seconds", *shown, f"{growth_exponent(sizes, seconds):.2f}"))
        memory = [f"{value:,.0f}" for value in megabytes]
        rows.append((name, "memory, MB", *memory, f"{growth_exponent(sizes, megabytes):.2f}"))
    return Table(
        "Time and memory as files grow",
        ("what", "", *(f"{size:,} rows" for size in sizes), "exponent"),
        tuple(rows),
        note="The exponent of the power law that fits best: 1 is linear growth, 0 is none.",
    )


def _goal(name: str, what: str, exponent: float) -> Goal:
    return Goal(
        f"{name}: growth of {what}",
        f"exponent <= {LINEAR:g}",
        f"{exponent:.2f}",
        exponent <= LINEAR,
    )
