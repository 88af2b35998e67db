"""Run jobs on a local engine of their own, and break their times down."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore.workflow import CHUNK_STEPS

from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine
from batchops.samples.sample import write_sample
from batchops.stack import Stack

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job

STEPS = tuple(step.name for step in CHUNK_STEPS)
TIMEOUT_S = 900


@dataclass(frozen=True)
class Run:
    """One job.

    Attributes
    ----------
    rows, chunk_rows, chunks : int
    wall_s : float
        From the call of submit to the end of wait.
    states_s : dict of float
        Seconds in the main workflow's states.
    functions_s : float
        Seconds in the chunks' functions, as the ledger has them, added up.
    starts, ends : tuple of float
        When each chunk started and ended, in seconds from the first one's start.
    step_ms : dict of float
        Milliseconds in each of the chunk's functions, on average.
    """

    rows: int
    chunk_rows: int
    chunks: int
    wall_s: float
    states_s: dict[str, float]
    functions_s: float
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    step_ms: dict[str, float]

    @property
    def rows_per_s(self) -> float:
        """Rows a second of wall time."""
        return self.rows / self.wall_s

    @property
    def chunk_s(self) -> float:
        """Seconds from the start to the end of each chunk, added up."""
        return sum(self.ends) - sum(self.starts)


@contextmanager
def local_stack(reference_rows: int, **parameters: Any) -> Iterator[tuple[Stack, Path]]:
    """Deploy a stack on an engine of its own, and yield it with a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = LocalEngine(folder / "engine", checkout_root() / ".batchops")
        engine.start()
        try:
            files = write_sample(folder, 1, reference_rows=reference_rows)
            stack = Stack("bench", engine=engine)
            stack.deploy(reference_data=files.reference, **parameters)
            yield stack, folder
        finally:
            engine.reset()  # nobody needs its state, and a large one takes long to save


def run_job(stack: Stack, file: Path, rows: int) -> Run:
    """Run a job, and return its times."""
    started = time.perf_counter()
    job = stack.submit(file)
    job.wait(timeout_s=TIMEOUT_S)
    return _describe(job, rows, time.perf_counter() - started)


def _describe(job: Job, rows: int, wall_s: float) -> Run:
    chunks = list(job.chunk_entries())
    frame, states = job.chunks(), job.steps()
    step_ms = {step: sum(chunk.step_ms[step] for chunk in chunks) / len(chunks) for step in STEPS}
    return Run(
        rows=rows,
        chunk_rows=job.ledger_entry().chunk_rows,
        chunks=len(chunks),
        wall_s=wall_s,
        states_s={
            str(n): float(ms) / 1000 for n, ms in states.groupby("state")["ms"].sum().items()
        },
        functions_s=sum(step_ms.values()) * len(chunks) / 1000,
        starts=_seconds(frame["start"], frame["start"].min()),
        ends=_seconds(frame["end"], frame["start"].min()),
        step_ms=step_ms,
    )


def _seconds(times: pd.Series[Any], first: pd.Timestamp) -> tuple[float, ...]:
    return tuple(map(float, (times - first).dt.total_seconds()))
