"""Section ``cost``: a million rows on AWS by service, against a design that works row by row."""

from __future__ import annotations

from statistics import fmean

from batchcore import workflow

from batchops.core.ledger import ChunkEntry, JobEntry
from batchops.planning.actual_cost import job_cost
from batchops.planning.aws_facts import price, priced_at
from batchops.planning.cost import NOT_COUNTED, Cost
from batchops.planning.function_times import (
    BEST,
    ROW_US,
    VCPU_SLOWNESS,
    WORST,
    function_seconds,
    vcpus,
)
from batchops.planning.workload import Workload
from batchops.show.numbers import usd_text
from tools.benchmarks import results
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import Settings
from tools.benchmarks.workloads import sample_workload

ROWS = 1_000_000
CHUNK_SIZES = (600, 5_000, 20_000)
TIMES_CHEAPER = 100
# Each step of a chunk and its function.
STEPS = tuple((step.name, step.function) for step in workflow.CHUNK_STEPS)

# What the design that it is compared with does for each row: states of an inline Map's iteration,
# calls of a function, requests to the API. Nothing else of it is counted: no time, no storage.
ROW_TRANSITIONS, ROW_INVOCATIONS, ROW_REQUESTS = 3, 2, 1


def run(settings: Settings) -> Section:
    """Price a million rows; the functions' times are those that ``handlers`` measured."""
    handlers = results.load("handlers", settings.folder)
    measured: dict[str, float] = handlers.data["row_us"] if handlers else {}
    costs = {size: chunk_cost(sample_workload(ROWS, size), measured) for size in CHUNK_SIZES}
    by_row = row_by_row_usd(ROWS)
    dearest = max(cost.total_usd for cost in costs.values())
    return Section(
        name="cost",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_table(costs, by_row), _assumptions(measured)),
        headline=f"a million rows cost {_usd_range(costs)} on AWS by its prices",
        goals=(
            Goal(
                "cost of a million rows against the design that works row by row",
                f">= {TIMES_CHEAPER} times cheaper, at every chunk size",
                f"{by_row / dearest:,.0f} to "
                f"{by_row / min(c.total_usd for c in costs.values()):,.0f} times",
                by_row / dearest >= TIMES_CHEAPER,
            ),
        ),
    )


def chunk_cost(work: Workload, row_us: dict[str, float]) -> Cost:
    """Return what a job costs whose chunks take as long as was measured.

    Parameters
    ----------
    work
        The job.
    row_us
        Measured microseconds a row by step; for a step that is not there the plan's own figure.
    """
    entry = {"sizeBytes": work.size_bytes, "chunkRows": work.chunk_rows, "attempt": 1}
    seconds = step_seconds(work, row_us)
    rejected, errors = work.rejected / work.chunks, work.errors / work.chunks
    rows = work.rows / work.chunks
    chunk = {
        "status": workflow.SUCCEEDED,
        "attempt": 1,
        "rows": rows,
        "valid": rows - rejected,
        "rejected": rejected,
        "errors": errors,
        "sizeBytes": {
            "output": work.output_bytes / work.chunks,
            "rejects": work.rejects_bytes / work.chunks,
        },
        "stepMs": {step: 1000 * s for step, s in seconds.items()},
    }
    return job_cost(JobEntry(entry), [ChunkEntry(chunk)] * work.chunks, work.settings)


def step_seconds(work: Workload, row_us: dict[str, float]) -> dict[str, float]:
    """Return how long each step of a chunk takes on Lambda, between the plan's best and worst.

    The plan's time has the plan's own computing in it; the difference to what was measured is
    scaled as the plan scales it: by the function's share of a processor, and how slow that may be.
    """
    best, worst = (function_seconds(work, side) for side in (BEST, WORST))
    found = {}
    for step, name in STEPS:
        planned = (best[name] + worst[name]) / 2
        slower = (row_us.get(step, ROW_US[name]) - ROW_US[name]) * work.rows_per_chunk / 1e6
        found[step] = planned + slower * fmean(VCPU_SLOWNESS) / vcpus(work, name)
    return found


def row_by_row_usd(rows: int) -> float:
    """Return what the requests alone cost of a design that works row by row."""
    each = (
        ROW_TRANSITIONS * price("step_functions.transition")
        + ROW_INVOCATIONS * price("lambda.request")
        + ROW_REQUESTS * price("api_gateway.request")
    )
    return rows * each


def _usd_range(costs: dict[int, Cost]) -> str:
    totals = sorted(cost.total_usd for cost in costs.values())
    return f"{usd_text(totals[0])} to {usd_text(totals[-1])}"


def _table(costs: dict[int, Cost], by_row: float) -> Table:
    services = sorted({name for cost in costs.values() for name in cost.by_service})
    columns = ("service", *(f"{size:,} rows a chunk" for size in costs), "row by row")
    alone = {
        "Step Functions": ROWS * ROW_TRANSITIONS * price("step_functions.transition"),
        "Lambda": ROWS * ROW_INVOCATIONS * price("lambda.request"),
        "API Gateway": ROWS * ROW_REQUESTS * price("api_gateway.request"),
    }
    rows = [
        (
            service,
            *(usd_text(cost.by_service.get(service, 0.0)) for cost in costs.values()),
            usd_text(alone[service]) if service in alone else "",
        )
        for service in services
    ]
    rows.append(("total", *(usd_text(c.total_usd) for c in costs.values()), usd_text(by_row)))
    times = (f"{by_row / cost.total_usd:,.0f}" for cost in costs.values())
    rows.append(("times cheaper than row by row", *times, "1"))
    return Table(
        "A million sample orders, 3 % of them bad, in USD",
        columns,
        tuple(rows),
        note=f"{priced_at()}; not counted: {NOT_COUNTED}. Of row by row only requests are counted.",
    )


def _assumptions(measured: dict[str, float]) -> Table:
    work = sample_workload(ROWS, CHUNK_SIZES[0])
    rows = []
    for step, name in STEPS:
        source = "measured in the same run" if step in measured else "the plan's figure"
        us = measured.get(step, ROW_US[name])
        by_size = (
            f"{1000 * step_seconds(work.rechunked(size), measured)[step]:,.0f}"
            for size in CHUNK_SIZES
        )
        rows.append(
            (name, f"{work.settings.functions[name].memory_mb:,}", f"{us:.1f}", source, *by_size)
        )
    return Table(
        "What the cost is made from: memory, computing, and milliseconds a chunk on Lambda",
        (
            "function",
            "MB",
            "µs a row here",
            "source",
            *(f"ms, {size:,} rows a chunk" for size in CHUNK_SIZES),
        ),
        tuple(rows),
        note="Milliseconds on Lambda include its calls, and are the middle of best and worst.",
    )
