"""Section ``deployment``: time deployments, the demo, imports, cold starts, lists and loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import aws, items, workflow

from batchops.core.project import Project, checkout_root
from batchops.deployment import packaging
from batchops.local.engine import LocalEngine
from batchops.samples.sample import make_sample, write_sample
from batchops.stack import Stack
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.measure import Spread, time_rounds
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import Settings

if TYPE_CHECKING:
    from batchops.samples.sample import SampleFiles

ROOT = checkout_root()
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "source").glob("*/app.py"))
COLD_PARTS = ("boto3", "powertools", "batchcore", "app")
DEMO_ROWS = 5_000
COLD_JOB = "run the demo's job, all functions cold"
COLD_JOB_S = 5.0
LAYER = "CommonLayer"
LOADING_S = 300
TIMEOUT_S = 120

Timing = tuple[str, Spread]


def run(settings: Settings) -> Section:
    """Measure what people do once, or seldom."""
    timings: list[Timing] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = LocalEngine(folder / "engine", ROOT / ".batchops")
        timings.append(("start the local engine", time_rounds(engine.start, 1)))
        try:
            timings += _deployments(engine, folder, settings)
            timings += _listing(Stack("bench", engine=engine), settings)
            loading = _loading(engine, folder, settings)
        finally:
            timings.append(("stop the local engine", time_rounds(engine.stop, 1)))
    timings += [loading, _unpacking(settings)]
    cold = {folder: _cold_start(folder, settings.rounds) for folder in FUNCTIONS}
    ratio = _import_spread("batchops", settings).median / _import_spread("boto3", settings).median
    return Section(
        name="deployment",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_timings_table(timings, ratio), _cold_table(cold)),
        goals=(
            _at_most(COLD_JOB_S, COLD_JOB, dict(timings)[COLD_JOB]),
            _at_most(LOADING_S, *loading),
        ),
        data={"cold_ms": {f: sum(parts.values()) for f, parts in cold.items()}},
    )


def _at_most(most_s: float, name: str, found: Spread) -> Goal:
    return Goal(name, f"<= {most_s:g} s", f"{found.median:.1f} s", found.median <= most_s)


def _deployments(engine: LocalEngine, folder: Path, settings: Settings) -> list[Timing]:
    """Deploy a new stack, deploy it again unchanged, and run the steps of the demo."""
    rows = min(DEMO_ROWS, settings.growth_rows[-1])
    sample, files = _timed_sample(folder, rows)
    stack = Stack("bench", engine=engine)
    deploy: Callable[[], object] = lambda: stack.deploy(reference_data=files.reference)  # noqa: E731
    found = [
        (f"make the demo's sample, {rows:,} rows", sample),
        (f"deploy a new stack, {rows:,} rows of reference data", time_rounds(deploy, 1)),
        ("deploy it again unchanged", time_rounds(deploy, settings.rounds)),
        ("plan the demo's file", time_rounds(lambda: stack.plan(files.orders), settings.rounds)),
    ]

    def run_job() -> None:
        stack.submit(files.orders).wait(timeout_s=TIMEOUT_S)

    found.append((COLD_JOB, time_rounds(run_job, 1)))
    found.append(("run it again, all warm", time_rounds(run_job, settings.rounds)))
    job = stack.latest()
    for name, read in (("balance", job.balance), ("errors", job.errors), ("output", job.output)):
        found.append((f"read its {name}", time_rounds(read, settings.rounds)))
    return found


def _timed_sample(folder: Path, rows: int) -> tuple[Spread, SampleFiles]:
    spread = time_rounds(lambda: make_sample(rows), 1)
    return spread, write_sample(folder, rows)


def _listing(stack: Stack, settings: Settings) -> list[Timing]:
    """List the jobs of ledgers of different lengths, as the console does first."""
    found, entered = [], 0
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for jobs in settings.listed_jobs:
        entries = [_job_entry(number, first) for number in range(entered, jobs)]
        puts = [{"PutRequest": {"Item": items.attributes(entry)}} for entry in entries]
        aws.batch_write(stack.client("dynamodb"), stack.outputs["JobTableName"], puts)
        entered = jobs
        limited = time_rounds(stack.jobs, settings.rounds)
        whole = time_rounds(lambda: stack.jobs(limit=10_000), settings.rounds)
        found.append((f"list the latest 100 of {jobs:,} jobs", limited))
        found.append((f"list all {jobs:,} jobs", whole))
    return found


def _job_entry(number: int, first: datetime) -> dict[str, str | int]:
    started = items.timestamp(first + timedelta(minutes=number))
    return {
        "jobId": f"listed-{number:012d}",
        "entry": items.JOB_ENTRY,
        "listed": items.LISTED,
        "status": workflow.SUCCEEDED,
        "startTime": started,
        "endTime": started,
        "bucket": "bench",
        "key": f"input/orders-{number}.csv",
        "attempt": 1,
        "rowsIn": 600,
        "rowsOut": 590,
        "rowsRejected": 10,
        "chunks": 1,
    }


def _loading(engine: LocalEngine, folder: Path, settings: Settings) -> Timing:
    """Deploy a second stack with much reference data, which the custom resource loads."""
    files = write_sample(folder / "reference", 1, reference_rows=settings.reference_rows)
    stack = Stack("bench-reference", engine=engine)
    spread = time_rounds(lambda: stack.deploy(reference_data=files.reference), 1)
    return f"deploy a new stack, {settings.reference_rows:,} rows of reference data", spread


def _unpacking(settings: Settings) -> Timing:
    """Unpack the layer into a new folder, as the engine does for each function that starts."""
    project = Project.find()
    layers = (
        artifact.path
        for artifact in packaging.build(project, platform="host")
        if artifact.logical_id == LAYER
    )
    layer = next(layers)

    def unpack() -> None:
        with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(layer) as archive:
            archive.extractall(name)

    return "unpack the layer for one function that starts", time_rounds(unpack, settings.rounds)


def _cold_start(function: str, rounds: int) -> dict[str, float]:
    """Return the milliseconds of a function's imports by part, as medians over new processes."""
    path = ROOT / "source" / function / "app.py"
    places = [ROOT / "source" / "schema", ROOT / "source" / "common"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*places, ROOT]))}
    # As long as Lambda is not asked for the environment's variables, the function is only imported.
    environment["AWS_REGION"] = "us-east-1"
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-m", "tools.benchmarks.work.imports", str(path)],
            stdout=subprocess.PIPE,
            check=True,
            timeout=TIMEOUT_S,
            env=environment,
        )
        found.append(json.loads(done.stdout))
    return {part: Spread.of([one[part] for one in found]).median for part in COLD_PARTS}


def _import_spread(module: str, settings: Settings) -> Spread:
    command = [sys.executable, "-c", f"import {module}"]
    return time_rounds(lambda: subprocess.run(command, check=True), 2 * settings.rounds - 1)


def _timings_table(timings: list[Timing], ratio: float) -> Table:
    return Table(
        "What is done once, or seldom, on the local engine",
        ("what", "seconds"),
        tuple((name, spread.text()) for name, spread in timings),
        note=f"`import batchops` takes {ratio:.2f} times as long as `import boto3`.",
    )


def _cold_table(cold: dict[str, dict[str, float]]) -> Table:
    rows = [
        (name, *(f"{parts[part]:.0f}" for part in COLD_PARTS), f"{sum(parts.values()):.0f}")
        for name, parts in cold.items()
    ]
    return Table(
        "A function's imports when it starts cold, in milliseconds",
        (
            "function",
            "boto3",
            "Powertools Logger",
            "batchcore, schema validator",
            "its own: clients, schema",
            "in all",
        ),
        tuple(rows),
        note="On Lambda the start of the environment and of Python come on top.",
    )
