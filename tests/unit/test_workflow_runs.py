"""Both workflows as moto interprets them: what a job comes to, whatever fails on its way."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import support
from batchcore import items, queueing, tickets, workflow
from batchcore.schema import FILE_NAME
from support import HEADER, JOB_TABLE, MACHINE_ARN, SENDER, SESSION, row, values_of
from workflows import MOTO_CONFIG, Workflows, always, first, interpreted, of_chunk

from batchops.inspection.balance import job_balance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import Account, LoadApp

    from batchops.job import Job

pytestmark = pytest.mark.slow

SPLIT, MERGE, EMAIL = (step.function for step in workflow.JOB_STEPS)
READ, VALIDATE, ENRICH, WRITE = (step.function for step in workflow.CHUNK_STEPS)

# Four chunks of two rows, and one row that breaks the schema, one whose key is unknown.
KEYS = [f"{n:09}" for n in range(1, 9)]
DATA = HEADER + b"".join(
    [*map(row, KEYS[:3]), row(KEYS[3], Country=""), *map(row, KEYS[4:7]), row("999999999")]
)
CHUNKS = 4
OUTPUT = b"".join(
    line.rstrip() + b"," + ",".join(values_of(key).values()).encode() + b"\n"
    for key in (*KEYS[:3], *KEYS[4:7])
    for line in [row(key)]
)

# What a Lambda task tries again: the error, and how often the function is then called in all.
TRIES = {
    "Lambda.TooManyRequestsException": 31,
    "TransientError": 31,
    "Lambda.ServiceException": 9,
    "Lambda.AWSLambdaException": 9,
    "Lambda.SdkClientException": 9,
    "Lambda.Unknown": 3,
    "Lambda.ClientExecutionTimeoutException": 3,
    "Sandbox.Timedout": 3,
    "Runtime.ExitError": 3,
    "Runtime.OutOfMemory": 3,
    "Runtime.HandlerError": 3,
    "States.Timeout": 3,
}
NEVER_TRIED_AGAIN = "ValueError"


@pytest.fixture
def moto_config() -> dict[str, Any]:
    return MOTO_CONFIG


@pytest.fixture
def flow(
    account: Account,
    load_app: LoadApp,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Workflows]:
    """Both workflows, with reference data, in a stack whose chunks have two rows."""
    caplog.set_level("CRITICAL", "moto")  # it logs each Choice whose path is not there as an error
    account.put_reference({key: values_of(key) for key in KEYS})
    with interpreted(account, load_app, monkeypatch) as found:
        monkeypatch.setenv("FILE_CHUNK_SIZE", "2")
        yield found


def assert_completed(flow: Workflows, job: Job) -> None:
    """Hold a job that ended well against its upload."""
    entry = flow.account.entry(job.id)
    assert entry["status"] == workflow.SUCCEEDED
    assert (entry["rowsIn"], entry["rowsOut"], entry["rowsRejected"]) == (8, 6, 2)
    assert flow.account.get(entry["completedKey"]).partition(b"\n")[2] == OUTPUT
    assert job_balance(job, deep=True).holds
    assert flow.notices() == []


def failure_of(flow: Workflows, job: Job) -> str:
    """Return the error's name of a job that failed: ledger, execution and notice agree on it."""
    entry, execution = flow.account.entry(job.id), flow.execution(job)
    assert (entry["status"], execution["status"]) == (workflow.FAILED, "FAILED")
    assert (entry["error"], entry["cause"]) == (execution["error"], execution["cause"])
    (notice,) = flow.notices()
    assert job.id in notice
    assert entry["error"] in notice
    return str(entry["error"])


# ------------------------------------------------------------------------------ no fault


def test_job_calls_each_function_once_a_chunk_and_ends_in_its_files(flow: Workflows) -> None:
    job = flow.run(DATA)
    assert_completed(flow, job)
    assert flow.calls == {
        **dict.fromkeys((SPLIT, MERGE, EMAIL), 1),
        **dict.fromkeys((READ, VALIDATE, ENRICH, WRITE), CHUNKS),
    }
    assert [s for s in flow.states_of(job) if s in {step.state for step in workflow.JOB_STEPS}] == [
        step.state for step in workflow.JOB_STEPS
    ]
    assert (flow.mails(), flow.account.entry(job.id)["mailStatus"]) == (1, workflow.MAIL_SENT)
    assert job.errors()["source_row"].tolist() == [5, 9]
    assert flow.naps == []
    assert flow.account.keys("input") == ["input_archive/orders.csv"]


def test_delimiter_that_the_split_finds_is_that_of_every_later_step(flow: Workflows) -> None:
    job = flow.run(DATA.replace(b",", b";"))
    entry = flow.account.entry(job.id)
    assert (entry["status"], entry["delimiter"]) == (workflow.SUCCEEDED, ";")
    completed = flow.account.get(entry["completedKey"]).partition(b"\n")[2]
    assert completed == OUTPUT.replace(b",", b";")


def test_job_split_in_ranges_ends_as_one_split_by_one_call(
    flow: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLIT_RANGE_BYTES", "200")
    job = flow.run(DATA)
    assert_completed(flow, job)
    ranges = sum("/survey-" in key for key in flow.account.keys(f"jobs/{job.id}/ranges/"))
    assert ranges > 1
    assert flow.calls[SPLIT] == 3 + 2 * ranges  # head, survey, number, cut, collect


def test_merge_in_groups_ends_as_one_by_one_call(
    flow: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGE_GROUP_BYTES", "1")
    job = flow.run(DATA)
    assert_completed(flow, job)
    assert flow.calls[MERGE] == 1 + 3 + 1  # plan, a group for each of the files, complete


def test_schema_without_look_up_leaves_the_look_up_out(
    account: Account, load_app: LoadApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    schema = {"required": ["item"], "properties": {"item": {"minLength": 1}}}
    (tmp_path / FILE_NAME).write_text(json.dumps(schema), encoding="utf-8")
    layers = support.layers
    monkeypatch.setattr(support, "layers", lambda folder: [*layers(folder), tmp_path])
    with interpreted(account, load_app, monkeypatch) as flow:
        job = flow.run(b"item,n\nnut,1\n,2\n")
        entry = account.entry(job.id)
        assert (entry["status"], entry["rowsRejected"]) == (workflow.SUCCEEDED, 1)
        assert account.get(entry["completedKey"]) == b"item,n\nnut,1\n"
        assert flow.calls.keys() == {SPLIT, READ, VALIDATE, WRITE, MERGE, EMAIL}


# ----------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(HEADER, "NoRowsError", id="no rows"),
        pytest.param(b"a,b\n1,2\n", "NoHeaderError", id="another header"),
        pytest.param(HEADER + b'"open\n', "UnterminatedQuoteError", id="open quote"),
    ],
)
def test_refused_file_stays_and_its_job_says_why(flow: Workflows, data: bytes, error: str) -> None:
    job = flow.run(data, "a\nb.csv")
    assert failure_of(flow, job) == error
    assert flow.account.get("input/a\nb.csv") == data
    assert flow.calls == {SPLIT: 1}
    assert flow.mails() == 0


def test_file_that_is_refused_in_ranges_says_why(
    flow: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLIT_RANGE_BYTES", "200")
    job = flow.run(DATA + b'"open\n' + row(KEYS[0]) * 9)
    assert failure_of(flow, job) == "UnterminatedQuoteError"
    assert flow.calls.keys() == {SPLIT}


def test_job_whose_rows_are_all_rejected_fails_with_its_files_and_a_mail(flow: Workflows) -> None:
    job = flow.run(HEADER + row("999999998") + row("999999999"))
    assert failure_of(flow, job) == "TooManyRejectsError"
    assert flow.account.entry(job.id)["rowsRejected"] == 2
    assert len(job.rejects()) == 2
    assert flow.mails() == 1


# -------------------------------------------------------------------------------- faults


def test_failed_chunk_stops_no_other_and_a_rerun_runs_it_alone(flow: Workflows) -> None:
    flow.faults = {ENRICH: of_chunk(2, always(NEVER_TRIED_AGAIN))}
    job = flow.run(DATA)
    assert failure_of(flow, job) == "ChunksFailedError"
    entries = {entry.number: entry for entry in job.chunk_entries()}
    assert {number: entry.status for number, entry in entries.items()} == {
        1: workflow.SUCCEEDED,
        2: workflow.FAILED,
        3: workflow.SUCCEEDED,
        4: workflow.SUCCEEDED,
    }
    assert flow.account.keys("input/") == ["input/orders.csv"]

    flow.faults.clear()
    flow.calls.clear()
    assert job.rerun(dry_run=False).started
    flow.finish(job, attempt=2)
    assert_completed(flow, job)
    assert flow.calls == dict.fromkeys((READ, VALIDATE, ENRICH, WRITE, MERGE, EMAIL), 1)


def test_chunk_says_which_step_failed_after_how_many_tries(flow: Workflows) -> None:
    errors = [
        "Lambda.TooManyRequestsException",
        "Lambda.ServiceException",
        "Runtime.ExitError",
        NEVER_TRIED_AGAIN,
    ]
    steps = list(zip(workflow.CHUNK_STEPS, errors, strict=True))
    flow.faults = {
        step.function: of_chunk(number, always(error))
        for number, (step, error) in enumerate(steps, 1)
    }
    job = flow.run(DATA)
    assert failure_of(flow, job) == "ChunksFailedError"
    for number, (step, error) in enumerate(steps, 1):
        entry = flow.account.entry(job.id, items.chunk_entry(number))
        assert (entry["failedStep"], entry["error"]) == (step.state, error)
        assert "as the test wants" in entry["cause"]
        others = CHUNKS - number  # those that come to this step beside the one that fails
        assert flow.calls[step.function] == TRIES.get(error, 1) + others


@pytest.mark.parametrize("function", [SPLIT, MERGE])
@pytest.mark.parametrize("error", ["TransientError", "Sandbox.Timedout", NEVER_TRIED_AGAIN])
def test_step_of_the_job_that_goes_on_failing_fails_the_job(
    flow: Workflows, function: str, error: str
) -> None:
    flow.faults = {function: always(error)}
    job = flow.run(HEADER + row(KEYS[0]))
    assert failure_of(flow, job) == error
    assert flow.calls[function] == TRIES.get(error, 1)
    assert len(flow.naps) == flow.calls[function] - 1


# In each job the function dies twice, which is as often as it may, and passing faults come between.
_DEATHS = [error for error, tries in TRIES.items() if tries == 3]
_OTHERS = [error for error, tries in TRIES.items() if tries > 3]


@pytest.mark.parametrize("deaths", [_DEATHS[n : n + 2] for n in range(0, len(_DEATHS), 2)])
def test_every_step_passes_over_what_may_pass(flow: Workflows, deaths: list[str]) -> None:
    errors = [*deaths[:1], *_OTHERS, *deaths[1:]]
    steps = (SPLIT, READ, VALIDATE, ENRICH, WRITE, MERGE)
    flow.faults = {
        name: first(*errors) if name in (SPLIT, MERGE) else of_chunk(1, first(*errors))
        for name in steps
    }
    job = flow.run(DATA)
    assert_completed(flow, job)
    expected = dict.fromkeys((SPLIT, MERGE), 1) | dict.fromkeys(steps[1:5], CHUNKS)
    assert {name: flow.calls[name] for name in steps} == {
        name: count + len(errors) for name, count in expected.items()
    }


@pytest.mark.parametrize(
    ("phase", "error"),
    [
        # moto's Map passes over children that failed, so the next phase has to find out.
        ("survey", "NoSuchKey"),
        ("number", NEVER_TRIED_AGAIN),
        ("cut", "NoSuchKey"),
        ("collect", NEVER_TRIED_AGAIN),
    ],
)
def test_phase_of_a_split_in_ranges_that_fails_fails_the_job(
    flow: Workflows, monkeypatch: pytest.MonkeyPatch, phase: str, error: str
) -> None:
    monkeypatch.setenv("SPLIT_RANGE_BYTES", "200")
    flow.faults = {SPLIT: lambda event: NEVER_TRIED_AGAIN if event.get("phase") == phase else None}
    assert failure_of(flow, flow.run(DATA)) == error
    assert flow.account.keys("input/") == ["input/orders.csv"]


@pytest.mark.parametrize("fault", ["refused", "dies"])
def test_job_is_completed_though_its_mail_is_not_sent(flow: Workflows, fault: str) -> None:
    if fault == "refused":
        SESSION.client("sesv2").delete_email_identity(EmailIdentity=SENDER)
    else:
        flow.faults = {EMAIL: always("Runtime.ExitError")}
    job = flow.run(DATA)
    assert_completed(flow, job)
    entry = flow.account.entry(job.id)
    assert (entry["mailStatus"], flow.mails()) == (workflow.MAIL_FAILED, 0)
    assert entry["mailError"]
    assert entry["mailCause"]


# Call that a workflow makes itself -> how its service throttles it.
THROTTLES = {
    "dynamodb.UpdateItem": "ProvisionedThroughputExceededException",
    "sns.Publish": "ThrottledException",
    "sfn.StartExecution": "Throttling",
}


@pytest.fixture
def throttled() -> Iterator[Counter[str]]:
    """Throttle the first two of each call that a workflow makes itself; count them all."""
    counts: Counter[str] = Counter()

    def throttle(name: str) -> Any:
        counts[name] += 1
        if counts[name] > 2:
            return None
        error = {"Code": THROTTLES[name], "Message": "slow down"}
        metadata = {"HTTPStatusCode": 400, "RequestId": "1"}
        return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": metadata}

    handlers = {name: lambda name=name, **_: throttle(name) for name in THROTTLES}
    for name, handler in handlers.items():
        SESSION.events.register(f"before-call.{name}", handler)
    yield counts
    for name, handler in handlers.items():
        SESSION.events.unregister(f"before-call.{name}", handler)


def test_workflow_repeats_its_own_calls_when_they_are_throttled(
    flow: Workflows, throttled: Counter[str]
) -> None:
    # The functions have their clients by now: what is throttled are the workflow's own.
    flow.faults = {READ: of_chunk(1, always(NEVER_TRIED_AGAIN))}
    job = flow.run(DATA)
    assert failure_of(flow, job) == "ChunksFailedError"
    assert flow.account.entry(job.id, items.chunk_entry(1))["error"] == NEVER_TRIED_AGAIN
    assert throttled == {
        "dynamodb.UpdateItem": 2 + 2,  # the chunk's failure, and the job's
        "sns.Publish": 2 + 1,
        "sfn.StartExecution": 2 + CHUNKS,
    }


def test_attempt_that_ends_late_leaves_the_entry_to_the_one_that_has_the_job(
    flow: Workflows,
) -> None:
    def taken_over(event: dict[str, Any]) -> str:
        flow.account.put_entry(event["jobId"], items.JOB_ENTRY, attempt=2, status="RUNNING")
        return NEVER_TRIED_AGAIN

    flow.faults = {SPLIT: taken_over}
    job = flow.run(DATA)
    entry = flow.account.entry(job.id)
    assert (entry["attempt"], entry["status"], "error" in entry) == (2, workflow.RUNNING, False)
    assert flow.execution(job)["error"] == NEVER_TRIED_AGAIN
    assert len(flow.notices()) == 1


# --------------------------------------------------------------------------------- queue


def test_event_that_comes_again_starts_nothing(flow: Workflows) -> None:
    job = flow.upload(DATA)
    assert flow.tell(flow.events[job.id]) == {"jobs": 1, "started": 0}
    flow.finish(job)
    assert flow.tell(flow.events[job.id]) == {"jobs": 1, "started": 0}
    assert_completed(flow, job)
    assert [execution["name"] for execution in flow.account.executions()] == [job.id]


def test_jobs_wait_and_start_in_the_order_of_arrival(
    flow: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_JOBS", "1")
    names = ("b.csv", "a.csv", "c.csv")
    waiting = [flow.upload(HEADER + row(KEYS[0]), name) for name in names]
    queue = tickets.Queue(
        flow.account.dynamodb, flow.account.states, JOB_TABLE, MACHINE_ARN, limit=1
    )
    while waiting:
        now, *waiting = waiting
        found = queueing.standing(queue)
        assert (found.running, found.waiting) == ((now.id,), tuple(job.id for job in waiting))
        assert {job.status().status for job in waiting} <= {workflow.QUEUED}
        flow.finish(now)
        assert now.status().status == workflow.SUCCEEDED
    assert queueing.standing(queue) == queueing.Standing((), ())
