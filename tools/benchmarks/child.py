"""Measure in a process of its own: ``python -m tools.benchmarks.child``, JSON in and out.

Memory is the peak while the process works, above what it had when everything was imported and
prepared. Linux resets its record of the peak on request; elsewhere the peak is that of the whole
life of the process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tools.benchmarks.measure import Spread

# Repeats stop after this time.
ENOUGH_S = 4.0
TIMEOUT_S = 900


@dataclass(frozen=True)
class Measured:
    """The result of one measurement.

    Attributes
    ----------
    seconds : Spread
    peak_bytes : int
        Memory above the baseline.
    """

    seconds: Spread
    peak_bytes: int


def measure(tool: str, step: str, folder: Path, *, rounds: int, **options: Any) -> Measured:
    """Measure a step, done with a tool, in a child process.

    Parameters
    ----------
    tool
        A module of `tools.benchmarks.work`.
    step
        One of the steps that it knows.
    folder
        The bucket's folder.
    options
        Passed to the tool: ``chunk_rows``.

    Raises
    ------
    subprocess.SubprocessError
        If it fails or does not end.
    """
    order = {"tool": tool, "step": step, "folder": str(folder), "rounds": rounds, **options}
    done = subprocess.run(
        [sys.executable, "-m", "tools.benchmarks.child"],
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    answer = json.loads(done.stdout)
    return Measured(Spread.of(answer["seconds"]), answer["peak"])


def main() -> None:
    """Read an order from standard input, carry it out, and answer on standard output."""
    order = json.load(sys.stdin)
    # What functions print, such as metrics, goes nowhere.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        answer = _obey(order)
    json.dump(answer, sys.stdout)


def _obey(order: dict[str, Any]) -> dict[str, Any]:
    tool = importlib.import_module(f"tools.benchmarks.work.{order['tool']}")
    work, end = tool.prepare(order["step"], Path(order["folder"]), order["chunk_rows"])
    gc.collect()
    baseline = psutil.Process().memory_info().rss
    _reset_peak()
    seconds: list[float] = []
    while len(seconds) < order["rounds"] and sum(seconds) < ENOUGH_S:
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    peak = max(0, _peak_bytes() - baseline)
    end()
    return {"seconds": seconds, "peak": peak}


def _reset_peak() -> None:
    # proc(5): writing 5 resets the peak resident set size.
    place = Path("/proc/self/clear_refs")
    if place.exists():
        place.write_text("5", encoding="ascii")


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
