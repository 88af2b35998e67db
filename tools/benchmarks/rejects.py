"""Section ``rejects``: files whose rows are all rejected; the memory of functions and engine."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from batchcore.workflow import MERGE, SPLIT

from batchops.local.engine import LocalEngine
from batchops.samples.sample import write_sample
from tools.benchmarks.bucket import INPUT_KEY
from tools.benchmarks.child import Measured, measure
from tools.benchmarks.jobs import local_stack
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import MB, Settings
from tools.benchmarks.work.ours import FUNCTIONS

if TYPE_CHECKING:
    from batchops.stack import Stack

STEPS = tuple(FUNCTIONS)
# The larger file has so many times the rows of the smaller one.
TIMES = 10
# A step's memory counts as flat if it takes at most this much more for the larger file. The split
# and the merge hold some parts of a file, which a small one does not fill, so those have limits.
FLAT_MB = 32
LIMITS_MB = {SPLIT.name: 64, MERGE.name: 160}
JOB_TIMEOUT_S = 3_600
_LOOK_EVERY_S = 0.5


@dataclass
class Peak:
    """The most memory that the engine's own process took, and the functions' all together."""

    engine_bytes: int = 0
    functions_bytes: int = 0

    def look(self, engine: LocalEngine) -> None:
        """Look how much they take now."""
        found = engine.find()
        if found is None:
            return
        process = psutil.Process(found.pid)
        functions = sum(map(_own_memory, process.children(recursive=True)))
        self.engine_bytes = max(self.engine_bytes, _own_memory(process))
        self.functions_bytes = max(self.functions_bytes, functions)


def run(settings: Settings) -> Section:
    """Measure each function for two files, then a job with the larger one on the local engine."""
    sizes = (settings.rejected_rows // TIMES, settings.rejected_rows)
    found = {rows: _functions(rows, settings) for rows in sizes}
    before, during, seconds = _job(settings.rejected_rows)
    return Section(
        name="rejects",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(
            _functions_table(found),
            _engine_table(before, during, settings.rejected_rows, seconds),
        ),
        goals=tuple(_goals(found)),
    )


def _functions(rows: int, settings: Settings) -> dict[str, Measured]:
    """Measure each step's handler over all chunks of a file, with stand-ins for S3 and DynamoDB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / INPUT_KEY
        write_sample(file.parent, rows, name=file.name, bad_share=1)
        return {
            step: measure("ours", step, folder, rounds=1, chunk_rows=settings.chunk_rows)
            for step in STEPS
        }


def _job(rows: int) -> tuple[Peak, Peak, float]:
    """Run a job; return the memory before and during it, and its seconds."""
    before, during, ended = Peak(), Peak(), threading.Event()
    with local_stack(rows) as (stack, folder):
        first = write_sample(folder / "first", 2, bad_share=1).orders
        stack.submit(first).wait(timeout_s=JOB_TIMEOUT_S, check=False)  # the functions are warm
        _look(stack, before)
        file = write_sample(folder / "job", rows, bad_share=1).orders
        watcher = threading.Thread(target=_watch, args=(stack, during, ended))
        watcher.start()
        try:
            started = time.perf_counter()
            stack.submit(file).wait(timeout_s=JOB_TIMEOUT_S, check=False)
            seconds = time.perf_counter() - started
        finally:
            ended.set()
            watcher.join()
    return before, during, seconds


def _watch(stack: Stack, peak: Peak, ended: threading.Event) -> None:
    while not ended.wait(_LOOK_EVERY_S):
        _look(stack, peak)


def _look(stack: Stack, peak: Peak) -> None:
    if isinstance(engine := stack.target.engine, LocalEngine):
        peak.look(engine)


def _own_memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except psutil.Error:
        return 0  # it has ended meanwhile


def _functions_table(found: dict[int, dict[str, Measured]]) -> Table:
    rows = [
        (
            step,
            *(f"{of[step].peak_bytes / MB:,.0f}" for of in found.values()),
            *(f"{of[step].seconds.median / rows * 1e6:.1f}" for rows, of in found.items()),
        )
        for step in STEPS
    ]
    return Table(
        "Each function, every row rejected",
        (
            "step",
            *(f"memory, MB, {rows:,} rows" for rows in found),
            *(f"µs a row, {rows:,} rows" for rows in found),
        ),
        tuple(rows),
        note="Memory is the peak above the import baseline. Stand-ins for S3 and DynamoDB.",
    )


def _engine_table(before: Peak, during: Peak, rows: int, seconds: float) -> Table:
    engine = during.engine_bytes - before.engine_bytes
    return Table(
        f"A job of {rows:,} rows on the local engine, every row rejected",
        ("what", "memory before, MB", "at most, MB"),
        (
            (
                "all functions' processes together",
                f"{before.functions_bytes / MB:,.0f}",
                f"{during.functions_bytes / MB:,.0f}",
            ),
            (
                "the engine's own process",
                f"{before.engine_bytes / MB:,.0f}",
                f"{during.engine_bytes / MB:,.0f}",
            ),
        ),
        note=(
            f"It took {seconds:,.0f} s. The engine keeps tables in memory: the items of "
            f"ErrorRangesTable and all else took it {engine / rows / 1000:,.1f} kB a row. "
            "What processes share is not counted."
        ),
    )


def _goals(found: dict[int, dict[str, Measured]]) -> Iterator[Goal]:
    small, large = found.values()
    for step in STEPS:
        before, after = small[step].peak_bytes / MB, large[step].peak_bytes / MB
        most = LIMITS_MB.get(step, before + FLAT_MB)
        yield Goal(
            f"{step}: memory for {TIMES} times the rows, all rejected",
            f"<= {most:,.0f} MB",
            f"{before:,.0f} MB, then {after:,.0f} MB",
            after <= most,
        )
