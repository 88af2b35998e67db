"""What a job that waits is to every verb of the client: it has not ended, and does not run."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, queueing, tickets, workflow
from botocore.stub import Stubber
from support import BUCKET, JOB_TABLE, MACHINE_ARN, SCHEMA, SESSION, START_TIME, stack_ref

from batchops.core import ledger
from batchops.core.errors import AwsError, JobError, JobRunningError, StackBusyError
from batchops.core.executions import NEVER_STARTED, attempt_state
from batchops.core.job_ref import JobRef
from batchops.deployment.delivery import local_jobs
from batchops.deployment.holdings import Holdings, count_holdings, refuse_running
from batchops.deployment.settings import shipped_settings
from batchops.inspection.progress import Meter
from batchops.inspection.recent import recent_jobs
from batchops.inspection.status import JobStatus, job_status, settle, wait
from batchops.planning.planner import plan_file
from batchops.recovery.attempts import claimed_attempt
from batchops.recovery.lineage import lineage
from batchops.recovery.rerun import rerun
from batchops.recovery.stopping import stop, stop_running

if TYPE_CHECKING:
    from support import Account

    from batchops.core.stack_ref import StackRef

FIRST, SECOND, THIRD = (f"{name}-{0:012d}" for name in ("first", "second", "third"))
LONG_AGO = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def queue(account: Account) -> tickets.Queue:
    return tickets.Queue(account.dynamodb, account.states, JOB_TABLE, MACHINE_ARN, 1)


@pytest.fixture
def stack(account: Account) -> StackRef:
    """A stack that runs one job at a time."""
    outputs = {
        "JobTableName": JOB_TABLE,
        "SourceBucketName": BUCKET,
        "MainOrchestratorArn": MACHINE_ARN,
        "ProcessChunkArn": MACHINE_ARN,
        "MaxConcurrentJobs": "1",
    }
    states = SESSION.client("stepfunctions")
    # moto knows no Map Runs.
    no_runs = (SimpleNamespace(status_code=200), {"mapRuns": []})
    states.meta.events.register("before-call.stepfunctions.ListMapRuns", lambda **_: no_runs)
    return stack_ref(
        outputs=outputs, s3=account.s3, dynamodb=account.dynamodb, stepfunctions=states
    )


@pytest.fixture
def jobs(account: Account, queue: tickets.Queue) -> None:
    """Three uploads, of which the first runs."""
    for number, job in enumerate((FIRST, SECOND, THIRD)):
        arrived = START_TIME.replace("000Z", f"{number:03d}Z")
        entry = {
            "status": workflow.QUEUED,
            "attempt": 1,
            "startTime": arrived,
            "listed": items.LISTED,
            "bucket": BUCKET,
            "key": f"input/{job}.csv",
            "versionId": "v1",
            "sizeBytes": 10,
            "chunkRows": 600,
            "delimiter": ",",
            "archiveFolder": "input_archive",
        }
        account.put_entry(job, items.JOB_ENTRY, **entry)
        tickets.put_ticket(queue, tickets.Ticket(job, 1, arrived, json.dumps({"jobId": job})))
    assert queueing.advance(queue) == [FIRST]


def pass_time(account: Account) -> None:
    """Let the patience with those who hold a slot run out."""
    key = items.attributes({"jobId": tickets.QUEUE, "entry": queueing.SLOTS})
    slots = account.dynamodb.get_item(TableName=JOB_TABLE, Key=key)["Item"]
    slots["checked"] = {"S": LONG_AGO}
    for holder in slots["holders"]["M"].values():
        holder["M"]["since"] = {"S": LONG_AGO}
    account.dynamodb.put_item(TableName=JOB_TABLE, Item=slots)


def started(account: Account) -> list[str]:
    return sorted(execution["name"] for execution in account.executions())


def end(account: Account, job: str, status: str = workflow.SUCCEEDED) -> None:
    """End a job's first attempt, and have nobody told."""
    arn = MACHINE_ARN.replace(":stateMachine:", ":execution:") + f":{job}"
    account.states.stop_execution(executionArn=arn)
    account.put_entry(job, items.JOB_ENTRY, status=status, endTime=items.utc_now(), error="E")


# ------------------------------------------------------------------------------- status


@pytest.mark.usefixtures("jobs")
def test_job_that_leaves_the_queue_while_it_is_looked_at_has_not_failed(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    read_before = ledger.job_entry(stack, SECOND)
    assert read_before is not None
    end(account, FIRST)
    queueing.release(queue, FIRST)
    assert queueing.advance(queue) == [SECOND]
    assert settle(stack, read_before) == (workflow.SUBMITTED, "")
    state = attempt_state(stack, read_before)
    assert (state.started, state.ended) == (True, False)


@pytest.mark.usefixtures("jobs")
def test_list_of_jobs_says_what_their_status_says(stack: StackRef, account: Account) -> None:
    lost = "lost-000000000001"
    values = account.entry(FIRST) | {"attemptTime": LONG_AGO}
    account.put_entry(lost, **{k: v for k, v in values.items() if k != "jobId"})
    arn = MACHINE_ARN.replace(":stateMachine:", ":execution:") + f":{FIRST}"
    account.states.stop_execution(executionArn=arn)
    for status in (None, workflow.FAILED, workflow.ABORTED, workflow.SUBMITTED):
        listed = {entry.job_id: entry.status for entry in recent_jobs(stack, status=status)}
        assert listed == {
            job: found
            for job in (lost, FIRST, SECOND, THIRD)
            if status in (None, found := job_status(JobRef(stack, job)).status)
        }


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("status", [None, workflow.FAILED, workflow.QUEUED])
def test_every_view_tells_the_same_of_a_job_that_lost_its_ticket(
    stack: StackRef, account: Account, queue: tickets.Queue, status: str | None
) -> None:
    ticket = tickets.Ticket(SECOND, 1, account.entry(SECOND)["startTime"])
    tickets.delete_ticket(queue, ticket)
    listed = {entry.job_id: entry.status for entry in recent_jobs(stack, status=status)}
    expected = {FIRST: workflow.SUBMITTED, SECOND: workflow.FAILED, THIRD: workflow.QUEUED}
    assert listed == {job: found for job, found in expected.items() if status in (None, found)}
    shown = job_status(JobRef(stack, SECOND))
    assert (shown.status, shown.reason) == (workflow.FAILED, NEVER_STARTED)
    row = lineage(JobRef(stack, SECOND)).iloc[0]
    assert (row["kind"], row["status"]) == ("start", workflow.FAILED)
    assert NEVER_STARTED in row["error"]


@pytest.mark.usefixtures("jobs")
def test_job_whose_ticket_is_gone_just_now_is_not_given_up(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    ticket = tickets.Ticket(SECOND, 1, account.entry(SECOND)["startTime"])
    tickets.delete_ticket(queue, ticket)
    account.put_entry(SECOND, items.JOB_ENTRY, attemptTime=items.utc_now())
    assert job_status(JobRef(stack, SECOND)).status == workflow.QUEUED
    listed = {entry.job_id: entry.status for entry in recent_jobs(stack)}
    assert listed[SECOND] == workflow.QUEUED


@pytest.mark.usefixtures("jobs")
def test_lineage_tells_of_an_attempt_that_has_no_execution_yet(stack: StackRef) -> None:
    row = lineage(JobRef(stack, SECOND)).iloc[0]
    assert (row["kind"], row["status"], row["error"]) == ("start", workflow.QUEUED, "")
    stop(JobRef(stack, SECOND))
    row = lineage(JobRef(stack, SECOND)).iloc[0]
    assert (row["status"], row["stopped_by"]) == (workflow.ABORTED, stack.target.caller)
    assert job_status(JobRef(stack, SECOND)).reason == f"stopped by {stack.target.caller}"
    assert row["error"] == f"stopped by {stack.target.caller}"


@pytest.mark.usefixtures("jobs")
def test_job_that_waits_is_queued_and_has_not_ended(stack: StackRef, account: Account) -> None:
    assert job_status(JobRef(stack, SECOND)) == JobStatus(workflow.QUEUED)
    assert not JobStatus(workflow.QUEUED).ended
    assert started(account) == [FIRST]
    entry = ledger.job_entry(stack, SECOND)
    assert entry is not None
    assert attempt_state(stack, entry).started
    assert Meter().take(JobStatus(workflow.QUEUED)).phase == "queued"


@pytest.mark.usefixtures("jobs")
def test_look_at_a_job_that_waits_finds_a_slot_that_was_not_given_back(
    stack: StackRef, account: Account
) -> None:
    end(account, FIRST)
    job_status(JobRef(stack, THIRD))  # the holder may just be starting
    assert started(account) == [FIRST]
    pass_time(account)
    job_status(JobRef(stack, THIRD))
    assert started(account) == [FIRST, SECOND]


@pytest.mark.usefixtures("jobs")
def test_look_finds_a_start_that_was_lost(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    queueing.release(queue, FIRST)
    with Stubber(account.states) as stub:
        stub.add_client_error("start_execution", "ServiceUnavailable")
        with pytest.raises(account.states.exceptions.ClientError):
            queueing.advance(queue)
    assert account.entry(SECOND)["status"] == workflow.SUBMITTED
    account.put_entry(SECOND, items.JOB_ENTRY, attemptTime=LONG_AGO)
    assert job_status(JobRef(stack, SECOND)).status == workflow.SUBMITTED
    assert started(account) == [FIRST, SECOND]


@pytest.mark.usefixtures("jobs")
def test_lost_start_is_found_behind_others_and_gives_its_slot_to_none_of_them(
    queue: queueing.Queue, account: Account
) -> None:
    queueing.release(queue, FIRST)
    queueing.hold(queue, THIRD, arrived=account.entry(THIRD)["startTime"])
    pass_time(account)
    assert queueing.advance(queue) == [THIRD]
    assert queueing.standing(queue) == queueing.Standing((THIRD,), (SECOND,))


@pytest.mark.usefixtures("jobs")
def test_those_who_may_only_read_see_how_a_job_stands(stack: StackRef) -> None:
    with Stubber(stack.client("stepfunctions")) as stub:
        stub.add_client_error("describe_execution", "AccessDeniedException")
        assert job_status(JobRef(stack, SECOND)).status == workflow.QUEUED


@pytest.mark.usefixtures("jobs")
def test_entry_without_a_ticket_has_never_started(
    stack: StackRef, queue: tickets.Queue, account: Account
) -> None:
    ticket = tickets.Ticket(SECOND, 1, account.entry(SECOND)["startTime"])
    tickets.delete_ticket(queue, ticket)
    status = job_status(JobRef(stack, SECOND))
    assert status.status == workflow.FAILED
    assert "never started" in status.reason


@pytest.mark.usefixtures("jobs")
def test_look_at_a_job_that_came_just_now_leaves_the_start_to_the_function(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    queueing.release(queue, FIRST)
    account.put_entry(SECOND, items.JOB_ENTRY, attemptTime=items.utc_now())
    job_status(JobRef(stack, SECOND))
    assert started(account) == [FIRST]


@pytest.mark.usefixtures("jobs")
def test_wait_goes_on_while_a_job_is_queued(stack: StackRef) -> None:
    seen: list[str] = []
    with pytest.raises(JobError, match="still QUEUED"):
        wait(JobRef(stack, THIRD), timeout_s=0, on_status=lambda found: seen.append(found.status))
    assert seen == [workflow.QUEUED]


# ------------------------------------------------------------------- stop, rerun, destroy


@pytest.mark.usefixtures("jobs")
def test_stopped_while_it_waits_a_job_does_not_start(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    stopped = stop(JobRef(stack, SECOND))
    assert (stopped.status, stopped.chunks) == (workflow.ABORTED, ())
    assert account.entry(SECOND)["endTime"]
    queueing.release(queue, FIRST)
    assert queueing.advance(queue) == [THIRD]


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("dry_run", [False, True], ids=["stop", "dry run"])
def test_stop_takes_no_credit_for_a_job_that_was_stopped_from_outside(
    stack: StackRef, account: Account, dry_run: bool
) -> None:
    arn = MACHINE_ARN.replace(":stateMachine:", ":execution:") + f":{FIRST}"
    account.states.stop_execution(executionArn=arn, error="Theirs", cause="by hand")
    with pytest.raises(JobError, match=r"has ended ABORTED: there is nothing to stop"):
        stop(JobRef(stack, FIRST), dry_run=dry_run)
    entry = account.entry(FIRST)
    assert (entry["status"], entry.get("cause", "")) == (workflow.ABORTED, "")
    assert "stoppedBy1" not in entry


@pytest.mark.usefixtures("jobs")
def test_job_that_is_being_started_is_stopped_once_it_has_started(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    queueing.release(queue, FIRST)
    with Stubber(account.states) as stub:  # the process died in between
        stub.add_client_error("start_execution", "ServiceUnavailable")
        with pytest.raises(account.states.exceptions.ClientError):
            queueing.advance(queue)
    assert stop(JobRef(stack, SECOND), sleep=lambda _s: None).status == workflow.ABORTED
    states = {found["name"]: found["status"] for found in account.executions()}
    assert states[SECOND] == "ABORTED"


@pytest.mark.usefixtures("jobs")
def test_job_that_waits_is_not_run_again(stack: StackRef) -> None:
    with pytest.raises(JobRunningError, match=r"is QUEUED \(attempt 1\): wait for its end"):
        rerun(JobRef(stack, SECOND))


@pytest.mark.usefixtures("jobs")
def test_rerun_waits_ahead_of_uploads_that_came_after_its_job(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    end(account, FIRST, workflow.FAILED)
    queueing.release(queue, FIRST)
    assert queueing.advance(queue) == [SECOND]
    with claimed_attempt(JobRef(stack, FIRST), after=1, chunks=None) as attempt:
        assert account.entry(FIRST)["status"] == workflow.RUNNING
    attempt.start(by="rerun")
    assert account.entry(FIRST)["status"] == workflow.QUEUED
    queueing.release(queue, SECOND)
    assert queueing.advance(queue) == [f"{FIRST}-a2"]
    assert account.entry(FIRST)["status"] == workflow.RUNNING
    assert account.entry(THIRD)["status"] == workflow.QUEUED


@pytest.mark.usefixtures("jobs")
def test_rerun_that_was_stopped_before_it_queued_up_is_told_so(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    end(account, FIRST, workflow.FAILED)
    with claimed_attempt(JobRef(stack, FIRST), after=1, chunks=None) as attempt:
        stop(JobRef(stack, FIRST))
    with pytest.raises(JobRunningError, match="was stopped or started elsewhere"):
        attempt.start(by="rerun")
    assert account.entry(FIRST)["status"] == workflow.ABORTED
    assert queueing.standing(queue).waiting == (SECOND, THIRD)


@pytest.mark.usefixtures("jobs")
def test_rerun_that_step_functions_refuses_is_released_and_leaves_the_queue(
    stack: StackRef, account: Account, queue: tickets.Queue
) -> None:
    end(account, FIRST, workflow.FAILED)
    queueing.release(queue, FIRST)
    with claimed_attempt(JobRef(stack, FIRST), after=1, chunks=None) as attempt:
        pass
    with Stubber(stack.client("stepfunctions")) as stub:
        stub.add_client_error("start_execution", "StateMachineDeleting")
        stub.add_client_error("describe_execution", "ExecutionDoesNotExist")
        with pytest.raises(AwsError):
            attempt.start(by="rerun")
    assert account.entry(FIRST)["error"] == "NotStarted"
    assert queueing.standing(queue) == queueing.Standing((), (SECOND, THIRD))


@pytest.mark.usefixtures("jobs")
def test_start_that_is_interrupted_leaves_a_job_that_can_be_run_again_at_once(
    stack: StackRef, account: Account, queue: tickets.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(account, FIRST)
    with claimed_attempt(JobRef(stack, FIRST), after=1, chunks=None) as attempt:
        pass

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(queueing, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        attempt.start(by="rerun")
    monkeypatch.undo()
    entry = account.entry(FIRST)
    assert (entry["status"], entry["cause"]) == (workflow.FAILED, "it was interrupted")
    assert FIRST not in queueing.standing(queue).waiting
    with claimed_attempt(JobRef(stack, FIRST), after=2, chunks=None) as attempt:
        assert attempt.number == 3


@pytest.mark.usefixtures("jobs")
def test_jobs_that_wait_are_stopped_before_those_that_run(
    stack: StackRef, account: Account
) -> None:
    with pytest.raises(StackBusyError, match=f"{FIRST}, {SECOND}, {THIRD}"):
        refuse_running(stack)
    assert stop_running(stack) == (SECOND, THIRD, FIRST)
    assert started(account) == [FIRST]
    refuse_running(stack)


@pytest.mark.usefixtures("jobs")
def test_holdings_name_the_jobs_that_wait(stack: StackRef) -> None:
    held = count_holdings(stack)
    assert (held.running, held.waiting) == ((FIRST,), (SECOND, THIRD))
    assert f"jobs: 3, 1 of them running: {FIRST}, 2 waiting" in str(held)


def test_holdings_of_a_stack_whose_ledger_is_gone_name_none(
    stack: StackRef, account: Account
) -> None:
    account.dynamodb.delete_table(TableName=JOB_TABLE)
    assert count_holdings(stack) == Holdings({BUCKET: 0}, {}, 0, ())


def test_earlier_stack_without_a_queue_starts_a_rerun_at_once(account: Account) -> None:
    account.put_entry(
        FIRST,
        items.JOB_ENTRY,
        **{"status": workflow.FAILED, "attempt": 1, "startTime": START_TIME, "error": "E"},
        **{"bucket": BUCKET, "key": "input/a.csv", "versionId": "v1", "sizeBytes": 1},
        **{"chunkRows": 1, "delimiter": ",", "archiveFolder": "a", "endTime": START_TIME},
    )
    outputs: dict[str, Any] = {"JobTableName": JOB_TABLE, "MainOrchestratorArn": MACHINE_ARN}
    stack = stack_ref(outputs=outputs, dynamodb=account.dynamodb, stepfunctions=account.states)
    with claimed_attempt(JobRef(stack, FIRST), after=1, chunks=None) as attempt:
        pass
    attempt.start(by="rerun")
    assert started(account) == [f"{FIRST}-a2"]
    assert ledger.jobs_ahead(stack) == 0


# --------------------------------------------------------------------------------- plan


@pytest.mark.usefixtures("jobs")
def test_plan_counts_the_jobs_ahead_if_there_is_no_slot(
    stack: StackRef, queue: tickets.Queue
) -> None:
    assert ledger.jobs_ahead(stack) == 3
    for job in (FIRST, SECOND, THIRD):
        queueing.release(queue, job)
        queueing.advance(queue)
    assert ledger.jobs_ahead(stack) == 0


def test_plan_says_that_the_job_would_wait() -> None:
    plan = plan_file(b"uuid\n1\n", schema=SCHEMA, settings=shipped_settings())
    assert not any("QUEUED" in warning for warning in plan.warnings)
    (said,) = set(replace(plan, jobs_ahead=12).warnings) - set(plan.warnings)
    assert said == "as many jobs run as may: it would be QUEUED after 12 jobs"


@pytest.mark.parametrize(
    ("cores", "gigabytes", "jobs"),
    [(2, 1, 1), (2, 8, 2), (4, 8, 4), (8, 16, 4), (16, 64, 9), (1, 64, 1)],
)
def test_local_stack_runs_as_many_jobs_as_cores_and_memory_allow(
    cores: int, gigabytes: int, jobs: int
) -> None:
    assert local_jobs(cores, gigabytes * 2**30) == jobs
