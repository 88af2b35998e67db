"""Section ``alternatives``: the whole job with other tools on one machine, in one run beside ours.

What none of them does, and what the functions are for: a file larger than the memory, runs that go
on after a fault, a ledger, and a mail.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchops.samples.sample import write_sample
from tools.benchmarks.child import Measured, measure
from tools.benchmarks.jobs import local_stack, run_job
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.measure import Spread
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import MB, Settings
from tools.benchmarks.work.whole import Files

BAD_SHARE = 0.03
CHUNK_ROWS = 5_000
JOB_ROWS, JOB_S = 100_000, 6.5
PLAN = "plan"


@dataclass(frozen=True)
class Way:
    """One way to do the job: its module in ``work``, and what it does not do as ours does."""

    name: str
    module: str
    package: str
    remarks: str


WAYS = (
    Way(PLAN, "whole_batchops", "", "batchops plan: all reasons and look-ups; it writes nothing"),
    Way("functions", "whole_batchops", "", "the functions' code in one process; bytes kept"),
    Way("pandera", "whole_pandera", "pandera", "skips lines with surplus fields; bytes not kept"),
    Way("frictionless", "whole_frictionless", "frictionless", "reads the file twice; Latin-1 only"),
    Way("duckdb", "whole_duckdb", "duckdb", "all cores; skips lines that it cannot read"),
    Way("polars", "whole_polars", "polars", "all cores; drops surplus fields; bytes not kept"),
)


@dataclass(frozen=True)
class Found:
    """What a way took, and the rows that it accepted and rejected."""

    way: Way
    measured: Measured
    good: int
    bad: int


def run(settings: Settings) -> Section:
    """Do the job with each tool that is installed, then as a job on the local engine."""
    rows = settings.alternative_rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sample(folder, rows, bad_share=BAD_SHARE)
        found = [_measure(way, folder, settings) for way in WAYS if _is_there(way)]
    job = _job(rows, settings.rounds)
    return Section(
        name="alternatives",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_table(found, job, rows),),
        goals=tuple(_goals(found, job, rows)),
    )


def _is_there(way: Way) -> bool:
    return not way.package or importlib.util.find_spec(way.package) is not None


def _measure(way: Way, folder: Path, settings: Settings) -> Found:
    measured = measure(way.module, way.name, folder, rounds=settings.rounds, chunk_rows=CHUNK_ROWS)
    counts = json.loads(Files.of(folder, way.name).counts.read_text(encoding="utf-8"))
    return Found(way, measured, counts["good"], counts["bad"])


def _job(rows: int, rounds: int) -> Spread:
    """Return the seconds of warm jobs on an engine of their own."""
    with local_stack(rows, FileChunkSize=CHUNK_ROWS) as (stack, folder):
        file = write_sample(folder / "job", rows, bad_share=BAD_SHARE).orders
        run_job(stack, file, rows)
        return Spread.of([run_job(stack, file, rows).wall_s for _ in range(rounds)])


def _table(found: list[Found], job: Spread, rows: int) -> Table:
    lines = [
        (
            each.way.name,
            each.measured.seconds.text(),
            f"{each.measured.peak_bytes / MB:,.0f}",
            f"{each.good:,}",
            f"{each.bad:,}",
            f"{rows - each.good - each.bad:,}",
            each.way.remarks,
        )
        for each in found
    ]
    of_job = (
        "job",
        job.text(),
        "",
        "",
        "",
        "",
        f"on the local engine, {CHUNK_ROWS:,} rows a chunk",
    )
    return Table(
        f"{rows:,} sample orders, {BAD_SHARE:.0%} of them bad: validate with all reasons, join the "
        "reference data, write good and bad rows",
        ("with", "seconds", "memory, MB", "accepted", "rejected", "lost", "remarks"),
        (*lines, of_job),
        note=(
            "Lost rows are in neither file. A row that is not UTF-8 is rejected by batchops only, "
            "and skipped by DuckDB. Each tool has its rules written by hand, as expressions of its "
            "own, and gives the names of the rules that a row breaks."
        ),
    )


def _goals(found: list[Found], job: Spread, rows: int) -> Iterator[Goal]:
    by_name = {each.way.name: each.measured.seconds.median for each in found}
    others = {name: s for name, s in by_name.items() if name not in (PLAN, "functions")}
    for name, seconds in others.items():
        yield Goal(
            f"plan against {name}",
            "no slower",
            f"{by_name[PLAN]:.2f} s and {seconds:.2f} s",
            by_name[PLAN] <= seconds,
        )
    if rows == JOB_ROWS:
        yield Goal(
            f"the job, {rows:,} rows at {CHUNK_ROWS:,} a chunk",
            f"<= {JOB_S:g} s",
            f"{job.median:.2f} s",
            job.median <= JOB_S,
        )
