"""Section ``uploads``: many small files at once on the local engine, and the same one by one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from batchcore import workflow

from batchops.local.engine import LocalEngine
from batchops.samples.sample import make_sample
from tools.benchmarks.jobs import TIMEOUT_S, local_stack
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import Settings

if TYPE_CHECKING:
    from batchops.stack import Stack

ROWS = 600
RATIO = 1.3
MEMORY_BYTES = 2_000_000_000
DISK_BYTES = 1_000_000_000
_LOOK_EVERY_S = 1.0
_MB = 1_000_000


@dataclass
class Peak:
    """The most that the engine took: processes, their memory together, files in its home."""

    processes: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0

    def look(self, engine: LocalEngine) -> None:
        """Look how much it takes now."""
        found = engine.find()
        if found is None:
            return
        shares = [_memory_share(process) for process in _tree(found.pid)]
        self.processes = max(self.processes, len(shares))
        self.memory_bytes = max(self.memory_bytes, sum(shares))
        self.disk_bytes = max(self.disk_bytes, _size(engine.home))


def run(settings: Settings) -> Section:
    """Submit the files one by one, then all at once, and watch the engine meanwhile."""
    count = settings.uploads
    file = make_sample(ROWS).csv
    with local_stack(ROWS, FileChunkSize=ROWS) as (stack, _):
        at_a_time = int(stack.outputs["MaxConcurrentJobs"])
        stack.submit(file, name="first.csv").wait(timeout_s=TIMEOUT_S)  # the functions are warm
        one_by_one_s = _one_by_one(stack, file, count)
        peak, ended = Peak(), threading.Event()
        watcher = threading.Thread(target=_watch, args=(stack, peak, ended))
        watcher.start()
        try:
            at_once_s, statuses = _at_once(stack, file, count)
        finally:
            ended.set()
            watcher.join()
    ratio = at_once_s / one_by_one_s
    rows = (
        ("one after the other", f"{one_by_one_s:.0f}", "", "", ""),
        (
            f"at once, {at_a_time} of them running",
            f"{at_once_s:.0f}",
            f"{peak.processes}",
            f"{peak.memory_bytes / _MB:,.0f}",
            f"{peak.disk_bytes / _MB:,.0f}",
        ),
    )
    return Section(
        name="uploads",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(
            Table(
                f"{count} files of {ROWS} rows on the local engine, functions warm",
                ("submitted", "seconds", "processes", "memory, MB", "disk, MB"),
                rows,
                "The most at one time, looked at every second: the engine with its functions "
                "(proportional set size), and its home folder.",
            ),
        ),
        goals=(
            Goal(
                "jobs that succeed",
                f"{count}",
                f"{statuses[workflow.SUCCEEDED]}",
                statuses[workflow.SUCCEEDED] == count,
            ),
            Goal("time at once / one by one", f"<= {RATIO}", f"{ratio:.2f}", ratio <= RATIO),
            _at_most("memory of the engine", peak.memory_bytes, MEMORY_BYTES),
            _at_most("disk of the engine", peak.disk_bytes, DISK_BYTES),
        ),
    )


def _at_most(name: str, found: int, most: int) -> Goal:
    wanted = f"<= {most / _MB:,.0f} MB"
    return Goal(name, wanted, f"{found / _MB:,.0f} MB", found <= most)


def _one_by_one(stack: Stack, file: bytes, count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        stack.submit(file, name=f"one-by-one-{number}.csv").wait(timeout_s=TIMEOUT_S)
    return time.perf_counter() - started


def _at_once(stack: Stack, file: bytes, count: int) -> tuple[float, Counter[str]]:
    """Submit the files and wait for all; return the seconds, and how many ended in which way."""
    started = time.perf_counter()
    jobs = [stack.submit(file, name=f"at-once-{number}.csv") for number in range(count)]
    statuses = Counter(job.wait(timeout_s=TIMEOUT_S, check=False).status for job in jobs)
    return time.perf_counter() - started, statuses


def _watch(stack: Stack, peak: Peak, ended: threading.Event) -> None:
    engine = stack.target.engine
    while isinstance(engine, LocalEngine) and not ended.wait(_LOOK_EVERY_S):
        peak.look(engine)


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _memory_share(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0  # it has ended meanwhile
    return int(getattr(memory, "pss", memory.uss))


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except FileNotFoundError:
            continue  # it was there a moment ago
    return total
