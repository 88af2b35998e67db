"""The local engine as the simulation sees it: told by one job, held against another."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from batchops.planning.job_model import JobModel, Limits, Step, Times
from batchops.samples.sample import write_sample
from tools.benchmarks.jobs import Run, local_stack, run_job
from tools.benchmarks.simulation.job import simulate
from tools.benchmarks.simulation.outcome import Outcome

CHUNK_ROWS = 600
# The job that the engine's times are taken from, as a share of the one that is predicted.
CALIBRATION_SHARE = 0.3

MAP = "Call Step function for each chunk"
SPLIT = "Split Input File into chunks"
MERGE = "Merge all Files"


@dataclass(frozen=True)
class ModelCheck:
    """A predicted job and the same job as it was.

    Attributes
    ----------
    slots : int
        Chunks at a time.
    predicted : Outcome
    measured : Run
    """

    slots: int
    predicted: Outcome
    measured: Run

    @property
    def start_order(self) -> float:
        """The share of pairs of chunks that start in the predicted order."""
        return same_order(_in_order(self.predicted.starts), self.measured.starts)

    @property
    def end_order(self) -> float:
        """The share of pairs of chunks that end in the predicted order."""
        return same_order(_in_order(self.predicted.ends), self.measured.ends)

    @property
    def wall_ratio(self) -> float:
        """Predicted time over measured time."""
        return self.predicted.seconds / self.measured.wall_s


def check_model(rows: int) -> ModelCheck:
    """Run a small and a larger job on an engine of its own, and predict the larger one."""
    slots = os.cpu_count() or 1
    chunk_rows = min(CHUNK_ROWS, rows // 4)
    small = max(2 * chunk_rows, round(CALIBRATION_SHARE * rows / chunk_rows) * chunk_rows)
    with local_stack(rows, FileChunkSize=chunk_rows, MaxConcurrency=slots) as (stack, folder):
        files = {count: write_sample(folder / str(count), count).orders for count in (small, rows)}
        run_job(stack, files[small], small)  # every function warm
        known = run_job(stack, files[small], small)
        measured = run_job(stack, files[rows], rows)
    steps, times = engine_times(known, slots)
    return ModelCheck(
        slots, simulate(JobModel(measured.chunks, steps, times, Limits(slots))), measured
    )


def engine_times(run: Run, slots: int) -> tuple[tuple[Step, ...], Times]:
    """Return what a job says of the engine: the steps of its chunks, and the times around them."""
    steps = tuple(Step(name, ms / 1000) for name, ms in run.step_ms.items())
    around = run.chunk_s / run.chunks - sum(step.seconds for step in steps)
    starts, ends = sorted(run.starts), sorted(run.ends)
    # A chunk starts when one that had its slot is gone.
    pauses = [start - end for start, end in zip(starts[slots:], ends, strict=False)]
    states = dict(run.states_s)
    outside = run.wall_s - sum(states.values())
    split, merge, _ = (states.pop(name) for name in (SPLIT, MERGE, MAP))
    return steps, Times(
        start=outside,
        split=split,
        before=max(0.0, around),
        after=max(0.0, fmean(pauses)) if pauses else 0.0,
        merge=merge,
        mail=sum(states.values()),
    )


def same_order(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """Return the share of pairs that are in the same order in both; equal times agree with any."""
    pairs = list(combinations(range(len(predicted)), 2))
    agreeing = sum(
        (predicted[i] - predicted[j]) * (measured[i] - measured[j]) >= 0 for i, j in pairs
    )
    return agreeing / len(pairs) if pairs else 1.0


def _in_order(times: Mapping[int, float]) -> list[float]:
    return [times[number] for number in sorted(times)]
