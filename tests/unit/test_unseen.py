"""A job whose upload made no event, as may be after a first deployment, is started by who waits."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import jobs, workflow
from botocore.exceptions import ClientError
from rich.console import Console
from support import BUCKET, JOB_TABLE, MACHINE_ARN, context, stack_ref

from batchops.core.errors import JobNotFoundError
from batchops.core.job_ref import JobRef
from batchops.inspection import unseen
from batchops.inspection.status import WAITING, StatusReader
from batchops.inspection.unseen import START_UNSEEN_S, start_unseen
from batchops.inspection.watch import watch

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

KEY = "input/2026/Q1 a+b.csv"
LATE_S = START_UNSEEN_S["aws"]


class Clock:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Function:
    """The notification function, called as Lambda calls it, or a refusal to call it."""

    class exceptions:  # noqa: N801  (boto3's name)
        class ResourceNotFoundException(Exception):  # noqa: N818
            pass

    def __init__(self, app: ModuleType, *, denied: bool = False) -> None:
        self.app, self.denied = app, denied
        self.events: list[Any] = []

    def invoke(self, *, Payload: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        if self.denied:
            answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
            raise ClientError(answer, "Invoke")
        self.events.append(json.loads(Payload))
        result = self.app.lambda_handler(self.events[-1], context())
        return {"Payload": io.BytesIO(json.dumps(result).encode())}


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("s3-lambda-notification")


@pytest.fixture
def function(app: ModuleType) -> Function:
    return Function(app)


@pytest.fixture
def job(account: Account, function: Function) -> JobRef:
    """The job of an upload that made no event, among other versions and names."""
    account.put(KEY, b"an earlier version")
    version = account.put(KEY, b"a,b\n1,2\n")
    account.put(KEY, b"a later version")
    account.put("input/other.csv", b"a,b\n")
    outputs = {
        "SourceBucketName": BUCKET,
        "JobTableName": JOB_TABLE,
        "MainOrchestratorArn": MACHINE_ARN,
    }
    clients: dict[str, Any] = {"s3": account.s3, "dynamodb": account.dynamodb}
    clients |= {"stepfunctions": account.states, "lambda": function}
    return JobRef(stack_ref(outputs=outputs, **clients), jobs.job_id(BUCKET, KEY, version))


def test_job_that_stays_unseen_is_started_under_the_name_that_its_event_would_give(
    job: JobRef, account: Account, function: Function
) -> None:
    clock = Clock()
    reader = StatusReader(job, clock=clock)
    assert reader.read().status == WAITING
    clock.now += LATE_S - 1
    assert reader.read().status == WAITING
    assert function.events == []
    clock.now += 1
    assert reader.read().status == workflow.SUBMITTED
    assert [execution["name"] for execution in account.executions()] == [job.id]
    assert account.entry(job.id)["key"] == KEY


def test_event_that_comes_late_starts_nothing_again(
    job: JobRef, account: Account, app: ModuleType, function: Function
) -> None:
    assert start_unseen(job)
    (event,) = function.events
    assert app.lambda_handler(event, context())["started"] == 0
    assert len(account.executions()) == 1


def test_event_that_came_first_is_not_doubled(
    job: JobRef, account: Account, app: ModuleType, function: Function
) -> None:
    assert start_unseen(job)  # as S3's own event does
    assert start_unseen(job)
    assert len(function.events) == 2
    assert len(account.executions()) == 1


def test_job_that_is_seen_is_not_started(job: JobRef, account: Account, function: Function) -> None:
    clock = Clock()
    start_unseen(job)
    reader = StatusReader(job, clock=clock)
    for _ in range(3):
        assert reader.read().status == workflow.SUBMITTED
        clock.now += LATE_S
    assert len(function.events) == 1


def test_id_that_no_upload_has_starts_nothing(job: JobRef, function: Function) -> None:
    assert not start_unseen(JobRef(job.stack, "orders-000000000000"))
    assert function.events == []


def test_upload_whose_job_the_ledger_may_have_forgotten_is_not_started_again(
    job: JobRef, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries expire after ``LedgerExpiryDays``; whoever waits for such a job runs nothing."""
    monkeypatch.setattr(unseen, "_REMEMBERED", timedelta(seconds=-5))
    assert not start_unseen(job)
    assert function.events == []


def test_whoever_may_not_start_it_goes_on_waiting_and_is_told(
    job: JobRef, account: Account, function: Function
) -> None:
    function.denied = True
    clock = Clock()
    reader = StatusReader(job, clock=clock)
    reader.read()
    clock.now += LATE_S
    status = reader.read()
    assert (status.status, account.executions()) == (WAITING, [])
    assert "S3 has sent no event, and starting the job is denied" in status.reason
    function.denied = False
    clock.now += LATE_S  # it is tried once more
    assert reader.read().status == workflow.SUBMITTED


def test_watch_of_an_id_that_does_not_exist_still_ends(job: JobRef) -> None:
    clock = Clock()

    def sleep(_: float) -> None:
        clock.now += LATE_S

    unknown = JobRef(job.stack, "orders-000000000000")
    with pytest.raises(JobNotFoundError):
        watch(unknown, console=Console(file=io.StringIO()), clock=clock, sleep=sleep)
