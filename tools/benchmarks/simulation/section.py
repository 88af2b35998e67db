"""Section ``simulation``: jobs on AWS up to a billion rows, and one on the local engine."""

from __future__ import annotations

import time

from batchcore.sizing import HEAD_BYTES, MAX_CHUNKS, choose_chunk_rows

from batchops.planning import limits
from batchops.planning.durations import estimate_duration
from batchops.planning.function_times import BEST, WORST
from batchops.planning.job_model import model_job
from batchops.planning.workload import Workload
from batchops.samples.sample import make_sample
from batchops.show.numbers import rough_duration
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import Settings
from tools.benchmarks.simulation import local
from tools.benchmarks.simulation.job import simulate
from tools.benchmarks.workloads import sample_workload

CHUNK_SIZES = (600, 5_000, 20_000)
# The stack's default, and what a quarter of an account's 1,000 functions is.
CONCURRENCIES = (8, 250)
BAD_SHARE = 0.03
# More than the beginning of a file that its chunk size is judged by.
_HEAD_ROWS = 5_000
# How near the predicted time is to be, and how many pairs of chunks in the predicted order.
NEAR, ORDERED = 0.25, 0.9


def run(settings: Settings) -> Section:
    """Simulate every size, and hold the simulation against the local engine."""
    started = time.perf_counter()
    rows = [line for count in settings.simulated_rows for line in _lines(count)]
    seconds = time.perf_counter() - started
    comparison = local.compare(settings.job_rows[0])
    return Section(
        name="simulation",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_table(rows, seconds), _comparison_table(comparison)),
        goals=_goals(comparison),
    )


def _lines(rows: int) -> list[tuple[str, ...]]:
    auto = _auto_chunk_rows(rows)
    sizes = [(f"{size:,}", size) for size in CHUNK_SIZES] + [(f"auto: {auto:,}", auto)]
    return [line for text, size in sizes for line in _simulated(rows, text, size)]


def _auto_chunk_rows(rows: int) -> int:
    """Return the size that the split chooses where FileChunkSize is 0."""
    size_bytes = sample_workload(rows, CHUNK_SIZES[-1], bad_share=BAD_SHARE).size_bytes
    head = make_sample(_HEAD_ROWS).csv[:HEAD_BYTES]
    return choose_chunk_rows(size_bytes, head, delimiter=",")


def _simulated(rows: int, text: str, chunk_rows: int) -> list[tuple[str, ...]]:
    work = sample_workload(rows, chunk_rows, bad_share=BAD_SHARE)
    head = (f"{rows:,}", text, f"{work.chunks:,}")
    if work.chunks > MAX_CHUNKS:
        refused = f"refused: more than {MAX_CHUNKS:,} chunks"
        return [(*head, "", "", "", refused)]
    found: list[tuple[str, ...]] = []
    for at_once in CONCURRENCIES:
        work = sample_workload(rows, chunk_rows, bad_share=BAD_SHARE, max_concurrency=at_once)
        best, worst = (simulate(model_job(work, side)) for side in (BEST, WORST))
        neck = dict.fromkeys((best.bottleneck, worst.bottleneck))
        time_text = f"{rough_duration(best.seconds)} to {rough_duration(worst.seconds)}"
        passed = ", ".join(_passed(work)) or "none"
        found.append((*head, f"{at_once}", time_text, ", or ".join(neck), passed))
    return found


def _passed(work: Workload) -> list[str]:
    """Return the limits at which the job would fail, as a plan has them; no rate is among them."""
    found = limits.find_limits(work, estimate_duration(work), name="")
    return [limit.name for limit in found if limit.hard and limit.share > 1]


def _table(rows: list[tuple[str, ...]], seconds: float) -> Table:
    return Table(
        "Simulated: sample orders with 3 % bad rows on AWS, at best and at worst",
        (
            "rows",
            "rows a chunk",
            "chunks",
            "MaxConcurrency",
            "time",
            "bottleneck",
            "limits that may be passed",
        ),
        tuple(rows),
        note=f"The simulations took {seconds:.0f} s.",
    )


def _comparison_table(found: local.Comparison) -> Table:
    measured, predicted = found.measured, found.predicted
    numbers = range(1, measured.chunks + 1)
    starts = sorted(numbers, key=lambda n: (measured.starts[n - 1], n))
    ends = sorted(numbers, key=lambda n: (measured.ends[n - 1], n))
    first = min(predicted.starts.values())
    span = max(measured.ends)
    rows = (
        ("seconds, from submit to the end", f"{predicted.seconds:.2f}", f"{measured.wall_s:.2f}"),
        ("seconds of the chunks", f"{max(predicted.ends.values()) - first:.2f}", f"{span:.2f}"),
        ("order of starts", _order(predicted.starts), _listed(starts)),
        ("order of ends", _order(predicted.ends), _listed(ends)),
        ("pairs of chunks that start in the predicted order", "", f"{found.start_order:.1%}"),
        ("pairs of chunks that end in the predicted order", "", f"{found.end_order:.1%}"),
    )
    return Table(
        f"The same simulation with the local engine's times: {measured.rows:,} rows in "
        f"{measured.chunks} chunks, {found.slots} at a time",
        ("", "predicted", "measured"),
        rows,
        note="The times are those of a smaller job that ran just before.",
    )


def _order(times: dict[int, float]) -> str:
    return _listed(sorted(times, key=lambda number: (round(times[number], 6), number)))


def _listed(numbers: list[int]) -> str:
    return " ".join(map(str, numbers))


def _goals(found: local.Comparison) -> tuple[Goal, ...]:
    order = min(found.start_order, found.end_order)
    return (
        Goal(
            "simulated time of the local engine",
            f"within {NEAR:.0%} of the measured",
            f"{found.wall_ratio - 1:+.0%}",
            abs(found.wall_ratio - 1) <= NEAR,
        ),
        Goal(
            "simulated order of chunks on the local engine",
            f">= {ORDERED:.0%} of pairs",
            f"{order:.1%}",
            order >= ORDERED,
        ),
    )
