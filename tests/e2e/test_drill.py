"""A few cases of the drill on the shared engine, and one that it must find broken."""

from __future__ import annotations

import pytest

from batchops.local.engine import LocalEngine
from tools.drill import Drill, DrillReport, Fault

NEVER_STRIKES = Fault("read-file", "kill", chunk=99)
PLAN = (
    Fault("s3-lambda-notification", "exception", times=None),
    Fault("write-output-chunk", "partial-write", 2, after_writes=2),
    Fault("write-output-chunk", "unprocessed", 3),
    Fault("merge-s3-files", "partial-write", times=None, after_writes=1),
    Fault("workflow", "stop", 2, at="read-file"),
    Fault("queue", "lost-end"),
    NEVER_STRIKES,
)


@pytest.fixture(scope="module")
def report(engine: LocalEngine) -> DrillReport:
    return Drill(plan=PLAN, seed=3, engine=engine).run()


def test_drill_loses_and_doubles_no_row(report: DrillReport) -> None:
    broken = {case.fault: case.broken for case in report.cases if not case.kept}
    assert broken == {NEVER_STRIKES: ("the fault never struck", "nothing was retried")}
    totals = report.totals
    assert (totals["rows_lost"], totals["rows_doubled"]) == (0, 0)
    assert totals["jobs_completed"] == len(PLAN)
    assert all(case.same for case in report.cases)


def test_drill_tells_how_each_job_was_recovered(report: DrillReport) -> None:
    cases = {case.fault: case for case in report.cases}
    ends = [(cases[fault].ended, cases[fault].recovery) for fault in PLAN]
    assert ends == [
        ("UNSTARTED", "redeliver"),
        ("SUCCEEDED", ""),
        ("SUCCEEDED", ""),
        ("FAILED", "rerun"),
        ("ABORTED", "rerun"),
        ("SUCCEEDED", ""),
        ("SUCCEEDED", ""),
    ]
    # The merge was tried three times, and each try was struck: more than once where it was writing
    # several files when its process was killed.
    assert cases[PLAN[3]].retries == 2
    assert cases[PLAN[3]].fired >= 3
