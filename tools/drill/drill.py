"""The drill: run one job after another, each with one fault, and compare it with a job without."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from batchcore import items

from batchops.core.errors import BatchOpsError, JobError
from batchops.core.project import state_home
from batchops.local.engine import LocalEngine
from batchops.local.engine_env import pins
from batchops.samples.sample import Sample, make_sample, sample_rows
from batchops.stack import Stack
from tools.drill.case import FaultlessJob, run_case, wait_for_end
from tools.drill.fault_plan import check_names, plan_faults
from tools.drill.faults import STEPS, Fault
from tools.drill.outcomes import JobOutcome, count_row_ends, read_outcome
from tools.drill.report import CaseReport, DrillReport
from tools.drill.rig import Rig, raised

if TYPE_CHECKING:
    from batchops.job import Job

STACK_NAME = "batchops-drill"
# Small, because the faults are what takes time; large enough for every kind of bad row.
ROWS = 180
CHUNK_ROWS = 60
_BAD_SHARE = 0.12
_TIMEOUT_S = 180.0
# An engine that the drill starts scales the pauses between a workflow's tries, not its time-outs.
_WAIT_SCALE = "0.1"


class Drill:
    """Fails each function on purpose, and proves that every row still ends exactly once.

    The drill spoils only what is its own: a stack that it deploys and deletes, on its own engine
    unless another one is given. A given engine keeps running, but the fault ``restart`` stops and
    starts it, with all that it holds.

    Parameters
    ----------
    seed
        Decides which rows are bad, and which chunks, calls and writes are struck.
    steps, faults
        Only these; by default all.
    plan
        Exactly these faults, instead of those that seed, steps and faults would give.
    engine
        The local engine to use.
    rows, chunk_rows
        Rows of the file that every job is given, and of a chunk.

    Raises
    ------
    InputError
        If a step or fault is unknown.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        steps: Collection[str] | None = None,
        faults: Collection[str] | None = None,
        plan: Sequence[Fault] | None = None,
        engine: LocalEngine | None = None,
        rows: int = ROWS,
        chunk_rows: int = CHUNK_ROWS,
    ) -> None:
        check_names(steps, faults)
        self.seed = seed
        self.steps = steps
        self.faults = faults
        self.plan = plan
        self.rows = rows
        self.chunk_rows = chunk_rows
        self._engine = engine

    def run(self, *, on_case: Callable[[CaseReport], None] | None = None) -> DrillReport:
        """Run the drill, which takes seconds a case.

        Parameters
        ----------
        on_case
            Called with each case when it is done.

        Raises
        ------
        InputError
            If none of the faults applies to any of the steps.
        JobError
            If even the job without faults goes wrong.
        EngineError, StackError, AwsError
        """
        began = datetime.now(UTC)
        sample = make_sample(self.rows, bad_share=_BAD_SHARE, seed=self.seed)
        cases: list[CaseReport] = []
        with self._rig(sample) as rig:
            reference = self._reference(rig, sample)
            calls = rig.injector.calls
            plan = self.plan or plan_faults(
                calls, seed=self.seed, steps=self.steps, kinds=self.faults
            )
            for fault in plan:
                case = _run_or_report(rig, reference, fault)
                cases.append(case)
                if on_case is not None:
                    on_case(case)
        return DrillReport(
            seed=self.seed,
            rows=self.rows,
            chunks=reference.outcome.counts[items.JOB_ENTRY]["chunks"],
            started=began,
            versions=_versions(),
            cases=tuple(cases),
        )

    @contextmanager
    def _rig(self, sample: Sample) -> Iterator[Rig]:
        engine = self._engine or LocalEngine(state_home() / "drill", state_home())
        if self._engine is None:
            engine.reset()
            os.environ["SFN_WAIT_SCALE"] = _WAIT_SCALE
        stack = Stack(STACK_NAME, engine=engine)
        chunks = _chunk_of_key(self._lines(), self.chunk_rows)
        try:
            with raised(stack, sample, chunk_rows=self.chunk_rows, chunk_of_key=chunks) as rig:
                yield rig
        finally:
            if self._engine is None:
                engine.stop()

    def _lines(self) -> tuple[bytes, ...]:
        rows = sample_rows(self.rows, bad_share=_BAD_SHARE, seed=self.seed)
        return tuple(row.line for row in rows)

    def _reference(self, rig: Rig, sample: Sample) -> FaultlessJob:
        """Run the job without faults, and record its calls."""
        rig.injector.arm(None)
        job = rig.stack.submit(sample.csv, name="reference.csv")
        job.wait(timeout_s=_TIMEOUT_S)
        wait_for_end(job)  # the mail's function is called after the job's end
        uncalled = set(STEPS) - {call.function for call in rig.injector.calls}
        if uncalled:
            raise JobError(
                f"the job without faults did not call {', '.join(sorted(uncalled))}, so no fault "
                "can be planned there",
                job_id=job.id,
            )
        outcome = read_outcome(job)
        lines = self._lines()
        _check_reference(job, lines, sample, outcome)
        return FaultlessJob(lines, outcome)


def _versions() -> dict[str, str]:
    engine = dict(pin.split("==") for pin in pins() if "==" in pin)
    return {
        "batchops": version("batchops"),
        "MiniStack": engine["ministack"],
        "Python": platform.python_version(),
    }


def _check_reference(
    job: Job, lines: tuple[bytes, ...], sample: Sample, outcome: JobOutcome
) -> None:
    wrong = count_row_ends(lines, outcome.completed, outcome.rejects).faults()
    names = ("source_row", "stage", "column", "rule", "value")
    recorded = {tuple(item[name] for name in names) for item in outcome.errors}
    expected = {(v.source_row, v.stage, v.column, v.rule, v.value) for v in sample.bad}
    if recorded != expected:
        wrong.append(f"{len(recorded ^ expected):,} violations are missing, or too many")
    if not outcome.balanced or not outcome.archived:
        wrong.append("the balance does not hold, or the input is not archived")
    if wrong:
        raise JobError(f"the job without faults went wrong: {'; '.join(wrong)}", job_id=job.id)


def _chunk_of_key(lines: tuple[bytes, ...], chunk_rows: int) -> dict[bytes, int]:
    """Return the chunk of each row by the row's key, its first field."""
    keys = (line.split(b",", 1)[0] for line in lines[1:])
    return {key: place // chunk_rows + 1 for place, key in enumerate(keys)}


def _run_or_report(rig: Rig, reference: FaultlessJob, fault: Fault) -> CaseReport:
    """Run a case; a job that cannot be followed to its end is a broken promise."""
    started = time.monotonic()
    try:
        return run_case(rig, reference, fault)
    except BatchOpsError as error:
        return CaseReport(
            fault=fault,
            job_id="",
            fired=rig.injector.fired,
            ended="UNKNOWN",
            error=type(error).__name__,
            retries=0,
            attempts=0,
            recovery="",
            row_ends=None,
            same=False,
            broken=(str(error),),
            seconds=time.monotonic() - started,
        )
