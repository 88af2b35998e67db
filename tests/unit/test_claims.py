"""Of two attempts at a job one goes on, and the other is told so: the ledger's conditional updates.

The expressions are pinned to the letter: they are what keeps two attempts apart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, workflow
from botocore.stub import Stubber
from support import JOB_TABLE, SESSION, stack_ref

from batchops.core import ledger
from batchops.core.errors import JobRunningError
from batchops.core.executions import attempt_state
from batchops.local.targets import make_target

if TYPE_CHECKING:
    from support import Account

    from batchops.core.stack_ref import StackRef

JOB = "orders-000000000001"
CHUNKS = [(items.chunk_entry(number), 600) for number in (1, 2)]
NOW = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def updates(account: Account) -> list[dict[str, Any]]:
    """The requests to UpdateItem, in order."""
    return []


@pytest.fixture
def stack(account: Account, updates: list[dict[str, Any]]) -> StackRef:
    """The mocked account as a stack, whose updates are noted down."""
    dynamodb = SESSION.client("dynamodb")

    def note(params: dict[str, Any], **_: Any) -> None:
        updates.append(dict(params))

    dynamodb.meta.events.register("provide-client-params.dynamodb.UpdateItem", note)
    return stack_ref(outputs={"JobTableName": JOB_TABLE}, dynamodb=dynamodb)


def found(account: Account, **changed: Any) -> ledger.JobEntry:
    """Enter a job whose first attempt failed, and return its entry."""
    values = {
        "status": workflow.FAILED,
        "attempt": 1,
        "error": "E",
        "cause": "c",
        "endTime": "then",
    }
    account.put_entry(JOB, items.JOB_ENTRY, **values | changed)
    return ledger.JobEntry(account.entry(JOB))


# -------------------------------------------------------------------------------- claim


def test_claim_says_what_it_sets_removes_and_expects(
    stack: StackRef, account: Account, updates: list[dict[str, Any]]
) -> None:
    settings = {"chunkRows": 10, "delimiter": ";"}
    ledger.claim(
        stack,
        found(account),
        attempt=2,
        token="ours",
        settings=settings,
        code={"read-file": "sha layer:1"},
    )
    (request,) = updates
    time = request["ExpressionAttributeValues"].pop(":attemptTime")["S"]
    assert NOW.fullmatch(time)
    assert request == {
        "TableName": JOB_TABLE,
        "Key": {"jobId": {"S": JOB}, "entry": {"S": "JOB"}},
        "UpdateExpression": (
            "SET #attempt = :attempt, #status = :status, #attemptTime = :attemptTime, "
            "#attemptToken = :attemptToken, #chunkRows = :chunkRows, #delimiter = :delimiter, "
            "#startedBy2 = :startedBy2, #code = :code REMOVE #error, #cause, #endTime, "
            "#mailStatus, #mailTime, #mailError, #mailCause"
        ),
        "ConditionExpression": "#attempt = :was_attempt AND #status = :was_status",
        "ExpressionAttributeNames": {
            "#attempt": "attempt",
            "#status": "status",
            "#attemptTime": "attemptTime",
            "#attemptToken": "attemptToken",
            "#chunkRows": "chunkRows",
            "#delimiter": "delimiter",
            "#startedBy2": "startedBy2",
            "#code": "code",
            "#error": "error",
            "#cause": "cause",
            "#endTime": "endTime",
            "#mailStatus": "mailStatus",
            "#mailTime": "mailTime",
            "#mailError": "mailError",
            "#mailCause": "mailCause",
        },
        "ExpressionAttributeValues": {
            ":attempt": {"N": "2"},
            ":status": {"S": "RUNNING"},
            ":attemptToken": {"S": "ours"},
            ":chunkRows": {"N": "10"},
            ":delimiter": {"S": ";"},
            ":startedBy2": {"S": "ada"},
            ":code": {"M": {"read-file": {"S": "sha layer:1"}}},
            ":was_attempt": {"N": "1"},
            ":was_status": {"S": "FAILED"},
        },
    }
    entry = account.entry(JOB)
    assert (entry["attempt"], entry["status"], entry["chunkRows"]) == (2, workflow.RUNNING, 10)
    assert not {"error", "cause", "endTime"} & set(entry)


def test_claim_without_settings_and_code_leaves_them_as_they_are(
    stack: StackRef, account: Account, updates: list[dict[str, Any]]
) -> None:
    ledger.claim(stack, found(account), attempt=2, token="ours")
    (request,) = updates
    assert request["UpdateExpression"] == (
        "SET #attempt = :attempt, #status = :status, #attemptTime = :attemptTime, "
        "#attemptToken = :attemptToken, #startedBy2 = :startedBy2 "
        "REMOVE #error, #cause, #endTime, #mailStatus, #mailTime, #mailError, #mailCause"
    )


@pytest.mark.parametrize("since", [{"attempt": 2}, {"status": workflow.RUNNING}])
def test_job_that_changed_since_it_was_read_is_not_claimed(
    stack: StackRef, account: Account, since: dict[str, Any]
) -> None:
    before = found(account)
    account.put_entry(JOB, items.JOB_ENTRY, attemptToken="theirs", **since)
    changed = account.entry(JOB)
    with pytest.raises(JobRunningError, match="started elsewhere while this was planned"):
        ledger.claim(stack, before, attempt=2, token="ours")
    assert account.entry(JOB) == changed


def test_claim_whose_answer_was_lost_is_known_by_its_token(
    stack: StackRef, account: Account
) -> None:
    before = found(account)
    ledger.claim(stack, before, attempt=2, token="ours")
    ledger.claim(stack, before, attempt=2, token="ours")
    assert account.entry(JOB)["attempt"] == 2


# ------------------------------------------------------------------- release and abort


def test_release_enters_the_end_of_its_own_claim_only(
    stack: StackRef, account: Account, updates: list[dict[str, Any]]
) -> None:
    ledger.claim(stack, found(account), attempt=2, token="ours")
    ledger.release(stack, JOB, 2, "theirs", ValueError("x"))
    assert account.entry(JOB)["status"] == workflow.RUNNING
    ledger.release(stack, JOB, 2, "ours", ValueError("x"))
    entry = account.entry(JOB)
    assert (entry["status"], entry["error"], entry["cause"]) == (
        workflow.FAILED,
        "NotStarted",
        "ValueError: x",
    )
    for request in updates[1:]:
        assert request["UpdateExpression"] == (
            "SET #status = :status, #endTime = :endTime, #error = :error, #cause = :cause"
        )
        assert request["ConditionExpression"] == (
            "#attempt = :was_attempt AND #attemptToken = :was_attemptToken"
        )
    assert updates[2]["ExpressionAttributeValues"][":was_attemptToken"] == {"S": "ours"}


@pytest.mark.parametrize(
    ("expected", "aborted"),
    [
        ({"attempt": 1, "was": workflow.RUNNING}, True),
        ({"attempt": 2, "was": workflow.RUNNING}, False),
        ({"attempt": 1, "was": workflow.SUBMITTED}, False),
    ],
)
def test_abort_ends_only_what_is_as_it_was(
    stack: StackRef,
    account: Account,
    updates: list[dict[str, Any]],
    expected: dict[str, Any],
    aborted: bool,
) -> None:
    entry = CHUNKS[0][0]
    account.put_entry(JOB, entry, status=workflow.RUNNING, attempt=1)
    assert ledger.abort(stack, JOB, entry, cause="why", **expected) is aborted
    now = account.entry(JOB, entry)
    assert now["status"] == ("ABORTED" if aborted else workflow.RUNNING)
    assert now.get("error") == ("Stopped" if aborted else None)
    (request,) = updates
    assert request["UpdateExpression"] == (
        "SET #status = :status, #endTime = :endTime, #error = :error, #cause = :cause"
    )
    assert request["ConditionExpression"] == "#attempt = :was_attempt AND #status = :was_status"


# --------------------------------------------------------------- chunks and manifest


def test_marking_says_what_it_sets_removes_and_expects(
    stack: StackRef, updates: list[dict[str, Any]]
) -> None:
    ledger.mark_pending(stack, JOB, 2, CHUNKS[:1])
    (request,) = updates
    assert request == {
        "TableName": JOB_TABLE,
        "Key": {"jobId": {"S": JOB}, "entry": {"S": CHUNKS[0][0]}},
        "ReturnValues": "ALL_OLD",
        "UpdateExpression": (
            "SET #0 = :0, #1 = :1, #2 = :2 "
            "REMOVE #3, #4, #5, #6, #7, #8, #9, #10, #11, #12, #13, #14, "
            "#15, #16"
        ),
        "ConditionExpression": "attribute_not_exists(#0) OR #0 <= :0",
        "ExpressionAttributeNames": {
            f"#{number}": name
            for number, name in enumerate(
                [
                    "attempt",
                    "status",
                    "rows",
                    "startTime",
                    "endTime",
                    "executionArn",
                    "valid",
                    "rejected",
                    "errors",
                    "sizeBytes",
                    "versions",
                    "stepMs",
                    "stepStarts",
                    "coldSteps",
                    "failedStep",
                    "error",
                    "cause",
                ]
            )
        },
        "ExpressionAttributeValues": {":0": {"N": "2"}, ":1": {"S": "PENDING"}, ":2": {"N": "600"}},
    }


def test_marked_chunks_have_no_result_any_more(stack: StackRef, account: Account) -> None:
    account.put_entry(JOB, CHUNKS[0][0], status=workflow.SUCCEEDED, attempt=1, valid=600)
    ledger.mark_pending(stack, JOB, 2, CHUNKS)
    for name, _ in CHUNKS:
        entry = account.entry(JOB, name)
        assert (entry["status"], entry["attempt"], entry["rows"]) == (workflow.PENDING, 2, 600)
        assert "valid" not in entry


def test_chunk_that_a_later_attempt_has_taken_over_is_left_to_it(
    stack: StackRef, account: Account
) -> None:
    account.put_entry(JOB, CHUNKS[1][0], status=workflow.RUNNING, attempt=3)
    before = account.entry(JOB, CHUNKS[1][0])
    with pytest.raises(JobRunningError, match="started elsewhere while its chunks were marked"):
        ledger.mark_pending(stack, JOB, 2, CHUNKS)
    assert account.entry(JOB, CHUNKS[1][0]) == before


def test_manifest_is_named_unless_a_later_attempt_has_the_job(
    stack: StackRef, account: Account, updates: list[dict[str, Any]]
) -> None:
    found(account, attempt=2)
    ledger.name_manifest(stack, JOB, "a", attempt=2)
    assert account.entry(JOB)["manifestKey"] == "a"
    account.put_entry(JOB, items.JOB_ENTRY, attempt=3)
    with pytest.raises(JobRunningError, match="started elsewhere while its chunks were patched"):
        ledger.name_manifest(stack, JOB, "b", attempt=2)
    assert account.entry(JOB)["manifestKey"] == "a"
    for request in updates:
        assert request["UpdateExpression"] == "SET #0 = :0, #1 = :1"
        assert request["ConditionExpression"] == "attribute_not_exists(#0) OR #0 <= :0"
        assert request["ExpressionAttributeNames"] == {"#0": "attempt", "#1": "manifestKey"}


# ------------------------------------------------------------------ an end that nobody entered

ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:s-main-orchestrator"
START = datetime(2026, 3, 4, 5, tzinfo=UTC)
EXECUTION = {"status": "ABORTED", "stopDate": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"error": "Mine", "cause": "by hand"}, "Mine: by hand"),
        ({"status": "TIMED_OUT"}, ""),
        ({"status": "FAILED", "error": "Engine", "cause": "ended"}, "Engine: ended"),
    ],
    ids=["stopped", "timed out", "engine stopped"],
)
def test_an_end_that_only_step_functions_has_is_entered(
    stack: StackRef, account: Account, told: dict[str, str], reason: str
) -> None:
    entry = found(account, status=workflow.RUNNING)
    account.put_entry(JOB, CHUNKS[0][0], status=workflow.RUNNING, attempt=1)
    account.put_entry(JOB, CHUNKS[1][0], status=workflow.SUCCEEDED, attempt=1)
    del entry.item["error"], entry.item["cause"]  # type: ignore[attr-defined]
    entered = ledger.enter_end(stack, entry, {**EXECUTION, **told})
    now = account.entry(JOB)
    assert now["status"] == entered.status == told.get("status", "ABORTED")
    assert now["endTime"] == "2026-03-04T05:06:07.000Z"
    assert entered.reason == reason
    chunks = [account.entry(JOB, name)["status"] for name, _ in CHUNKS]
    assert chunks == [workflow.ABORTED, workflow.SUCCEEDED]


def test_an_end_is_not_entered_over_what_came_since(stack: StackRef, account: Account) -> None:
    entry = found(account, status=workflow.RUNNING)
    account.put_entry(JOB, items.JOB_ENTRY, status=workflow.SUCCEEDED, attempt=1)
    account.put_entry(JOB, CHUNKS[0][0], status=workflow.RUNNING, attempt=1)
    assert ledger.enter_end(stack, entry, EXECUTION).status == workflow.SUCCEEDED
    assert account.entry(JOB)["status"] == workflow.SUCCEEDED
    assert account.entry(JOB, CHUNKS[0][0])["status"] == workflow.RUNNING


@pytest.mark.parametrize(
    ("claimed_s", "status"),
    [(1, workflow.RUNNING), (300, workflow.ABORTED)],
    ids=["just now", "long ago"],
)
def test_execution_that_is_just_being_redriven_has_not_ended(
    stack: StackRef, account: Account, claimed_s: float, status: str
) -> None:
    claimed = items.timestamp(datetime.now(UTC) - timedelta(seconds=claimed_s))
    values = {"status": workflow.RUNNING, "attempt": 1, "attemptTime": claimed}
    account.put_entry(JOB, items.JOB_ENTRY, **values)
    entry = ledger.JobEntry(account.entry(JOB))
    described = EXECUTION | {"executionArn": ARN, "stateMachineArn": ARN, "startDate": START}
    states = SESSION.client("stepfunctions")
    outputs = {"JobTableName": JOB_TABLE, "MainOrchestratorArn": ARN}
    redriven = stack_ref(outputs=outputs, dynamodb=stack.client("dynamodb"), stepfunctions=states)
    with Stubber(states) as stub:
        stub.add_response("describe_execution", described)
        state = attempt_state(redriven, entry)
    assert (state.status, state.ended) == (status, status == workflow.ABORTED)
    assert account.entry(JOB)["status"] == status


def test_who_starts_and_who_stops_an_attempt_is_entered(stack: StackRef, account: Account) -> None:
    ledger.claim(stack, found(account), attempt=2, token="ours")
    expected: Any = {"attempt": 2, "was": workflow.RUNNING}
    assert ledger.abort(stack, JOB, items.JOB_ENTRY, cause="why", **expected)
    now = ledger.job_entry(stack, JOB)
    assert now is not None
    assert [now.started_by(number) for number in (1, 2)] == ["", "ada"]
    assert [now.stopped_by(number) for number in (1, 2)] == ["", "ada"]


def test_user_without_a_name_is_entered_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert make_target("local").caller == "user 12345"


def test_interrupted_claim_is_released_in_words(stack: StackRef, account: Account) -> None:
    before = found(account)
    ledger.claim(stack, before, attempt=2, token="ours")
    ledger.release(stack, JOB, 2, "ours", KeyboardInterrupt())
    entry = account.entry(JOB)
    assert (entry["status"], entry["error"]) == (workflow.FAILED, "NotStarted")
    assert entry["cause"] == "it was interrupted"


def test_what_the_last_attempt_left_is_not_this_attempts(stack: StackRef, account: Account) -> None:
    left = {"rowsOut": 9, "rowsRejected": 1, "errors": 1, "mailStatus": "SENT", "mailTime": "then"}
    before = found(account, status=workflow.SUCCEEDED, **left)
    assert (before.rows_out, before.mail_status) == (9, "SENT")
    ledger.claim(stack, before, attempt=2, token="ours")
    now = ledger.job_entry(stack, JOB)
    assert now is not None
    assert (now.rows_out, now.rows_rejected, now.errors) == (None, None, None)
    assert (now.mail_status, now.mail_time) == ("", "")
    # Stays in the table: the merge publishes how the counts change.
    assert account.entry(JOB)["rowsOut"] == 9
