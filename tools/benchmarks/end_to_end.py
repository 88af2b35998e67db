"""Section ``end-to-end``: time whole jobs on the local engine, by state and step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchops.core.project import checkout_root
from batchops.deployment.template import load_template
from batchops.samples.sample import write_sample
from tools.benchmarks.floor import floor_seconds
from tools.benchmarks.jobs import STEPS, Run, local_stack, run_job
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.measure import Spread
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import Settings

if TYPE_CHECKING:
    from batchops.stack import Stack

# Measured in November 2026 on the same engine with two cores: the sample that this project began
# with, 10,000 rows; and a first version of this design.
SAMPLE_ROWS_S, FIRST_ROWS_S = 14.9, 1_500

WARM_ROWS_S = 7_000
AUTOMATIC = 0
FLOOR_RATIO = 1.5


@dataclass(frozen=True)
class Case:
    """Jobs of one size: the first, with all functions cold, and the warm ones."""

    cold: Run | None
    warm: tuple[Run, ...]
    floor: Spread

    @property
    def wall(self) -> Spread:
        """Seconds of the warm jobs."""
        return Spread.of([run.wall_s for run in self.warm])

    @property
    def typical(self) -> Run:
        """The warm job whose time is the median."""
        return sorted(self.warm, key=lambda run: run.wall_s)[(len(self.warm) - 1) // 2]


def run(settings: Settings) -> Section:
    """Run jobs of every size, the warm ones several times."""
    cases = []
    with local_stack(max(settings.job_rows)) as (stack, folder):
        cold_next = True
        for rows in settings.job_rows:
            file = write_sample(folder / str(rows), rows, bad_share=0.03).orders
            smallest = rows == min(settings.job_rows)
            sizes = settings.job_chunk_rows if smallest else settings.job_chunk_rows[-1:]
            sizes = (*sizes, *_automatic_size())
            for chunk_rows in sizes:
                stack.deploy(FileChunkSize=chunk_rows)
                cases.append(_case(stack, file, rows, chunk_rows, settings.rounds, cold=cold_next))
                cold_next = False
    return Section(
        name="end-to-end",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_speed_table(cases), _parts_table(cases), _chunk_table(cases)),
        goals=_goals(cases),
        headline=_headline(cases),
        data={"chunks": [vars(case.typical) for case in cases]},
    )


def _automatic_size() -> tuple[int, ...]:
    """Return the FileChunkSize that lets the split choose, if the template allows it."""
    parameter = load_template(checkout_root() / "template.yaml")["Parameters"]["FileChunkSize"]
    return (AUTOMATIC,) if parameter["MinValue"] <= AUTOMATIC else ()


def _case(stack: Stack, file: Path, rows: int, chunk_rows: int, rounds: int, *, cold: bool) -> Case:
    # A new version of the functions' environment, so the first one starts them again.
    first = run_job(stack, file, rows)
    again = rounds if rows <= 10_000 else max(1, rounds // 2)
    warm = tuple(run_job(stack, file, rows) for _ in range(again))
    floors = [floor_seconds(stack, file, chunk_rows=chunk_rows) for _ in range(max(1, again // 2))]
    return Case(first if cold else None, warm, Spread.of(floors))


def _speed_table(cases: list[Case]) -> Table:
    rows = []
    for case in cases:
        run = case.typical
        rows.append(
            (
                f"{run.rows:,}",
                f"{run.chunk_rows:,}",
                f"{run.chunks}",
                case.wall.text(),
                f"{run.rows_per_s:,.0f}",
                f"{case.cold.rows_per_s:,.0f}" if case.cold else "",
                case.floor.text(),
                f"{case.wall.median / case.floor.median:.2f}",
            )
        )
    return Table(
        "Jobs on the local engine, all functions warm",
        (
            "rows",
            "rows a chunk",
            "chunks",
            "seconds",
            "rows/s",
            "rows/s, all cold",
            "floor, seconds",
            "times the floor",
        ),
        tuple(rows),
        note=(
            f"Before: {SAMPLE_ROWS_S:g} rows/s of the sample that this project began with, "
            f"{FIRST_ROWS_S:,} of a first version of this design, both with 10,000 rows."
        ),
    )


def _parts_table(cases: list[Case]) -> Table:
    """Tabulate a job's time by the states of the main workflow."""
    rows = []
    for case in cases:
        run = case.typical
        known = {name: s for name, s in run.states_s.items() if s >= 0.001}
        outside = run.wall_s - sum(known.values())
        parts = [*known.items(), ("upload, event, start; noticing the end", outside)]
        rows += [
            (f"{run.rows:,} in {run.chunks} chunks", name, f"{s:.2f}", f"{s / run.wall_s:.0%}")
            for name, s in parts
        ]
        if case.cold:
            cold = case.cold.wall_s - run.wall_s
            rows.append(
                (
                    f"{run.rows:,}, all cold",
                    "cold starts, on top",
                    f"{cold:.2f}",
                    f"{cold / case.cold.wall_s:.0%}",
                )
            )
    return Table("Where a job's time goes", ("job", "part", "seconds", "share"), tuple(rows))


def _chunk_table(cases: list[Case]) -> Table:
    """Tabulate a chunk's time in each function, and in the engine around them."""
    rows = []
    for case in cases:
        run = case.typical
        around = 1000 * (run.chunk_s - run.functions_s) / run.chunks
        whole = 1000 * run.chunk_s / run.chunks
        rows.append(
            (
                f"{run.rows:,} in {run.chunks} chunks",
                *(f"{run.step_ms[step]:.0f}" for step in STEPS),
                f"{around:.0f}",
                f"{around / whole:.0%}",
            )
        )
    return Table(
        "Where a chunk's time goes, in milliseconds",
        ("job", *STEPS, "engine around them", "share of the engine"),
        tuple(rows),
        note=(
            "Times in the functions include their calls to the engine; enrich includes the API and "
            "the function behind it. The engine waits 150 ms before each execution that it starts."
        ),
    )


def _headline(cases: list[Case]) -> str:
    best = max(cases, key=lambda case: case.typical.rows_per_s).typical
    return (
        f"a job of {best.rows:,} rows makes {best.rows_per_s:,.0f} rows/s on the local engine, "
        f"where the sample that this began with made {SAMPLE_ROWS_S:g}"
    )


def _goals(cases: list[Case]) -> tuple[Goal, ...]:
    smallest = min(case.typical.rows for case in cases)
    speeds = [case for case in cases if case.typical.rows == smallest]
    default = speeds[-1]  # the split chose its chunk size
    largest = max(cases, key=lambda case: case.typical.rows)
    ratio = largest.wall.median / largest.floor.median
    return (
        Goal(
            f"{smallest:,} rows warm, {default.typical.chunk_rows:,} a chunk, as the split chooses",
            f">= {WARM_ROWS_S:,} rows/s",
            f"{default.typical.rows_per_s:,.0f} rows/s",
            default.typical.rows_per_s >= WARM_ROWS_S,
        ),
        Goal(
            f"{largest.typical.rows:,} rows against the floor",
            f"<= {FLOOR_RATIO:g} times its time",
            f"{ratio:.2f} times",
            ratio <= FLOOR_RATIO,
        ),
    )
