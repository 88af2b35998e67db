"""A job that rejects all of its rows, or more than its stack allows, fails by name when merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from batchcore import items, keys, workflow
from batchcore.errors import TooManyRejectsError
from batchcore.results import check_rejects
from failed_job import JOB, KEYS, put_failed_job
from support import BUCKET, HEADER, SCHEMA, TEMPLATE, row

from batchops.core.errors import InputError, JobFailedError
from batchops.core.ledger import JobEntry
from batchops.deployment.settings import read_settings
from batchops.inspection.chunk_grid import chunk_grid
from batchops.inspection.result_files import result_key
from batchops.inspection.status import job_status, wait
from batchops.inspection.why import job_cause
from batchops.planning.planner import plan_file
from batchops.planning.submission import check_submittable
from batchops.recovery.rerun import rerun
from batchops.recovery.rerun_plan import plan_rerun

if TYPE_CHECKING:
    from failed_job import FailedJob
    from support import Account, LoadApp

ERROR = TooManyRejectsError.__name__


@pytest.mark.parametrize(
    ("rows", "rejected", "allowed", "accepted"),
    [
        (10, 0, 100, True),
        (10, 9, 100, True),
        (10, 10, 100, False),
        (1, 1, 100, False),
        (10, 2, 20, True),
        (10, 3, 20, False),
        (1_000, 201, 20, False),
        (10, 0, 0, True),
        (10, 1, 0, False),
    ],
)
def test_job_may_reject_what_is_allowed_but_never_all(
    rows: int, rejected: int, allowed: int, accepted: bool
) -> None:
    def check() -> None:
        check_rejects(rows=rows, rejected=rejected, allowed_percent=allowed)

    if accepted:
        check()
    else:
        with pytest.raises(TooManyRejectsError, match="rejected"):
            check()


# ------------------------------------------------------------------------------- functions


def test_mail_says_that_the_job_failed(load_app: LoadApp) -> None:
    app = load_app("send-email")
    entry = {
        "jobId": JOB,
        "bucket": BUCKET,
        "key": "input/orders.csv",
        "rowsIn": 2,
        "rowsOut": 0,
        "rowsRejected": 2,
        "completedKey": "c",
        "rejectedKey": "r",
    }
    verdict = {"Error": ERROR, "Cause": "all 2 rows were rejected"}
    message = app.compose(entry, "https://x", verdict=app._verdict({"merge": {"verdict": verdict}}))
    assert message["Subject"]["Data"] == "Failed: orders.csv"
    assert "orders.csv has FAILED: all 2 rows were rejected." in message["Body"]["Text"]["Data"]
    assert app._verdict({"merge": {"rowsIn": 2}}) == app._verdict({}) == ""


# ---------------------------------------------------------------------------------- client


@pytest.fixture
def rejected(account: Account) -> FailedJob:
    """A job that was merged, and failed for its rejects."""
    found = put_failed_job(
        account,
        error=ERROR,
        cause="all 3 rows were rejected",
        rowsIn=3,
        rowsOut=0,
        rowsRejected=3,
        completedKey=keys.completed(JOB, "input/orders.csv"),
        rejectedKey=keys.rejected(JOB, "input/orders.csv"),
    )
    done = {"status": workflow.SUCCEEDED, "valid": 0, "rejected": 1, "errors": 1}
    pieces = {"sizeBytes": {"output": 0, "rejects": 0}, "versions": {"output": "", "rejects": ""}}
    account.put_entry(JOB, items.chunk_entry(2), **done, rows=1, **pieces)
    return found


def test_status_says_failed_and_that_every_row_is_done(rejected: FailedJob) -> None:
    status = job_status(rejected.job)
    assert (status.status, status.rows_done, status.rows_rejected) == (workflow.FAILED, 3, 3)
    assert (status.chunks, status.chunks_done, status.chunks_failed) == (3, 3, 0)
    assert status.reason == f"{ERROR}: all 3 rows were rejected"
    assert chunk_grid(rejected.job).chunks_by_state["done"] == 3
    with pytest.raises(JobFailedError, match=ERROR):
        wait(rejected.job, timeout_s=1)


def test_results_are_there_though_the_job_failed(rejected: FailedJob) -> None:
    for is_rejected in (False, True):
        assert result_key(rejected.job, rejected=is_rejected)


def test_job_that_failed_in_a_later_attempt_has_no_result(rejected: FailedJob) -> None:
    rejected.account.put_entry(JOB, items.JOB_ENTRY, error="ChunksFailedError", attempt=2)
    with pytest.raises(JobFailedError, match="no result"):
        result_key(rejected.job, rejected=True)


def test_rerun_runs_nothing_and_points_to_repair(rejected: FailedJob) -> None:
    plan = rerun(rejected.job, dry_run=False)
    assert not plan.needed
    assert not plan.started
    assert "nothing to rerun" in str(plan)
    assert "repair the job with them" in str(plan)
    assert rejected.account.executions() == []


def test_everything_can_run_again(rejected: FailedJob) -> None:
    assert len(plan_rerun(rejected.job, everything=True).chunks) == len(KEYS)


def test_why_points_to_repair(rejected: FailedJob) -> None:
    entry = JobEntry(rejected.entry())
    cause = job_cause(entry, job_status(rejected.job))
    assert cause is not None
    assert cause.what == f"{ERROR}: all 3 rows were rejected"
    assert "job.repair(bad, dry_run=False)" in cause.next_call


# ------------------------------------------------------------------------------------ plan


def test_plan_says_that_such_a_job_would_fail() -> None:
    data = HEADER + row("x") + row("y")
    plan = plan_file(data, schema=SCHEMA, settings=read_settings(TEMPLATE, {}))
    assert not plan.can_succeed
    assert f"CANNOT SUCCEED: {ERROR}: all 2 rows were rejected" in str(plan)
    with pytest.raises(InputError, match="all 2 rows were rejected"):
        check_submittable(plan)
    check_submittable(plan, force=True)


def test_plan_knows_what_the_stack_allows() -> None:
    data = HEADER + row("x") + row("271828183") * 3
    for allowed, fits in (("25", True), ("24", False)):
        settings = read_settings(TEMPLATE, {"MaxRejectedPercent": allowed})
        assert plan_file(data, schema=SCHEMA, settings=settings).can_succeed == fits


def test_earlier_stack_has_no_such_limit() -> None:
    parameters = {k: v for k, v in TEMPLATE["Parameters"].items() if k != "MaxRejectedPercent"}
    settings = read_settings({**TEMPLATE, "Parameters": parameters}, {})
    assert settings.max_rejected_percent is None
    assert plan_file(HEADER + row("x"), schema=SCHEMA, settings=settings).can_succeed
