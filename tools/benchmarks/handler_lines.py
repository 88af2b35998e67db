"""The measurements of the section ``handlers``, and their goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.benchmarks import inputs
from tools.benchmarks.child import Measured
from tools.benchmarks.results import Goal
from tools.benchmarks.settings import MB

STEPS = ("split", "read", "validate", "write", "merge")
# Those that see each row.
ROW_STEPS = ("read", "validate", "write")

SPLIT_MB_S, QUOTED_MB_S, MERGE_MB_S = 200, 100, 200
SPLIT_MEMORY_MB = 64
ROW_US = 6.0
# Memory counts as constant if the largest file takes at most this many times that of 10 MB.
FLAT = 2.0


@dataclass(frozen=True)
class Line:
    """One measurement: a step of a file with a tool."""

    step: str
    tool: str
    shape: str
    size_bytes: int
    rows: int
    measured: Measured

    @property
    def mb_per_s(self) -> float:
        """Megabytes of the uploaded file a second."""
        return self.size_bytes / self.measured.seconds.median / MB

    @property
    def row_us(self) -> float:
        """Microseconds a row."""
        return self.measured.seconds.median / self.rows * 1e6

    @property
    def memory_mb(self) -> float:
        """Peak memory above the baseline."""
        return self.measured.peak_bytes / MB


def goals(lines: list[Line]) -> list[Goal]:
    """Compare the functions' measurements with their goals."""
    ours = [line for line in lines if line.tool == "ours"]
    found: list[Goal] = []
    for shape, wanted in (("sample", SPLIT_MB_S), ("plain", SPLIT_MB_S), ("quoted", QUOTED_MB_S)):
        if not any(line.shape == shape for line in ours):
            continue
        largest = _largest(ours, "split", shape)
        found.append(_at_least(f"split, {inputs.SHAPES[shape].split(':')[0]}", largest, wanted))
    memory = max(line.memory_mb for line in ours if line.step == "split")
    found.append(
        Goal(
            "split: memory above the import baseline, whatever the size",
            f"<= {SPLIT_MEMORY_MB} MB",
            f"{memory:.0f} MB",
            memory <= SPLIT_MEMORY_MB,
        )
    )
    row_us = sum(_largest(ours, step, "sample").row_us for step in ROW_STEPS)
    found.append(
        Goal(
            "read, validate and write, valid rows",
            f"<= {ROW_US:g} µs a row",
            f"{row_us:.1f} µs",
            row_us <= ROW_US,
        )
    )
    merges = [line for line in ours if line.step == "merge"]
    found.append(_at_least("merge", max(merges, key=lambda line: line.size_bytes), MERGE_MB_S))
    sizeable = [line for line in merges if line.size_bytes >= 10 * MB]
    if len(sizeable) > 1:
        small, large = (pick(sizeable, key=lambda line: line.size_bytes) for pick in (min, max))
        found.append(
            Goal(
                "merge: memory does not grow with the job",
                f"at most {FLAT:g} times that of {small.size_bytes / MB:,.0f} MB",
                f"{small.memory_mb:.0f} MB, then {large.memory_mb:.0f} MB "
                f"of {large.size_bytes / MB:,.0f} MB",
                large.memory_mb <= FLAT * small.memory_mb,
            )
        )
    return found


def _largest(lines: list[Line], step: str, shape: str) -> Line:
    found = (line for line in lines if (line.step, line.shape) == (step, shape))
    return max(found, key=lambda line: line.size_bytes)


def _at_least(name: str, line: Line, wanted: int) -> Goal:
    found = f"{line.mb_per_s:,.0f} MB/s of {line.size_bytes / MB:,.1f} MB"
    return Goal(name, f">= {wanted} MB/s", found, line.mb_per_s >= wanted)


def headline(lines: list[Line]) -> str:
    """Return the README's sentence about the functions."""
    ours = [line for line in lines if line.tool == "ours"]
    split = _largest(ours, "split", "sample")
    row_us = sum(_largest(ours, step, "sample").row_us for step in ROW_STEPS)
    return (
        f"the split takes {split.mb_per_s:,.0f} MB/s, reading, validating and writing "
        f"{row_us:.1f} µs a row"
    )


def plain_data(lines: list[Line]) -> dict[str, Any]:
    """Return microseconds a row by step for the largest sample file; other sections use them."""
    ours = [line for line in lines if line.tool == "ours"]
    return {"row_us": {step: _largest(ours, step, "sample").row_us for step in STEPS}}
