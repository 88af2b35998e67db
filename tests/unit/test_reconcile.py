"""Forgotten uploads, jobs without an end and results that are gone are found, with the remedy."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

import pytest
from batchcore import items, jobs, keys, workflow
from botocore.stub import Stubber
from support import BUCKET, JOB_TABLE, MACHINE_ARN, SESSION, Account, stack_ref

from batchops.core import ledger
from batchops.core.errors import JobError
from batchops.core.job_ref import JobRef
from batchops.core.stack_ref import StackRef
from batchops.inspection.links import make_link
from batchops.inspection.result_check import check_result, lost_results
from batchops.recovery.reconcile import Reconciliation
from batchops.recovery.reconcile import reconcile as reconcile_after

# An upload of this moment is old enough.
reconcile = partial(reconcile_after, patience_s=-5)
JOB = "orders-000000000001"
OUTPUTS = {
    "JobTableName": JOB_TABLE,
    "SourceBucketName": BUCKET,
    "MainOrchestratorArn": MACHINE_ARN,
    "MaxConcurrentJobs": "10",
}
OLD = items.timestamp(datetime.now(UTC) - timedelta(hours=2))


class Functions:
    """Calls of functions: which events they had, and what they answer."""

    def __init__(self, answer: dict[str, int]) -> None:
        self.events: list[Any] = []
        self._answer = answer

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.events.append(json.loads(request["Payload"]))
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(self._answer).encode())}


class CloudFormation:
    """The stack, with the parameters by which things expire; one of before has not all."""

    def __init__(self) -> None:
        self.days = {"LedgerExpiryDays": "0"}

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        found = [{"ParameterKey": k, "ParameterValue": v} for k, v in self.days.items()]
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Parameters": found}]}


@pytest.fixture
def cloudformation() -> CloudFormation:
    return CloudFormation()


@pytest.fixture
def functions() -> Functions:
    return Functions({"jobs": 1, "started": 1})


@pytest.fixture
def stack(account: Account, functions: Functions, cloudformation: CloudFormation) -> StackRef:
    return stack_ref(
        outputs=OUTPUTS,
        s3=account.s3,
        dynamodb=account.dynamodb,
        stepfunctions=account.states,
        cloudformation=cloudformation,
        **{"lambda": functions},
    )


def put_job(account: Account, status: str, job: str = JOB, **more: Any) -> None:
    entry = {"listed": items.LISTED, "status": status, "startTime": OLD, "attempt": 1}
    entry |= {"bucket": BUCKET, "key": "input/orders.csv", "versionId": "v", "sizeBytes": 3}
    account.put_entry(job, items.JOB_ENTRY, **{**entry, **more})


def put_results(account: Account) -> None:
    """Store a merged job's files, as the merge does."""
    places = {}
    for kind, key in (
        ("completed", keys.completed(JOB, "input/orders.csv")),
        ("rejected", keys.rejected(JOB, "input/orders.csv")),
    ):
        version = account.put(key, kind.encode())
        places[f"{kind}Key"] = key
        places[f"{kind}File"] = {"versionId": version, "sizeBytes": len(kind)}
    put_job(account, workflow.SUCCEEDED, endTime=OLD, **places)


def kinds(found: Reconciliation) -> list[str]:
    return [each.kind for each in found.findings]


def test_what_fits_is_not_listed(account: Account, stack: StackRef) -> None:
    put_results(account)
    version = account.put("input/known.csv", b"a")
    put_job(account, workflow.FAILED, jobs.job_id(BUCKET, "input/known.csv", version))
    account.put("input/folder/", b"")  # made by a console
    account.put("jobs/x/chunks/1", b"a")
    found = reconcile(stack)
    assert found.findings == ()
    assert "fit" in str(found)


@pytest.mark.parametrize("name", ["a.csv", "2026/März 1+1%.csv", "a b.csv"])
def test_upload_without_a_job_is_started_by_its_own_event(
    account: Account, stack: StackRef, functions: Functions, name: str
) -> None:
    versions = [account.put(f"input/{name}", body) for body in (b"first", b"the second")]
    found = reconcile(stack)
    assert kinds(found) == ["upload without a job"] * 2
    assert {(each.what, each.safe) for each in found.findings} == {(f"input/{name}", True)}
    assert functions.events == []
    assert "dry_run=False" in str(found)
    done = reconcile(stack, dry_run=False)
    assert [each.outcome for each in done.findings] == ["started"] * 2
    told = [event["Records"][0]["s3"]["object"] for event in functions.events]
    assert {(each["versionId"], each["size"]) for each in told} == set(
        zip(versions, (5, 10), strict=True)
    )
    assert {unquote_plus(each["key"]) for each in told} == {f"input/{name}"}


def test_upload_of_this_moment_is_given_time(account: Account, stack: StackRef) -> None:
    account.put("input/a.csv", b"a")
    assert reconcile_after(stack).findings == ()


def test_upload_without_a_version_starts_nothing(stack: StackRef, functions: Functions) -> None:
    version = {"Key": "input/a.csv", "VersionId": "null", "Size": 1, "LastModified": _long_ago()}
    s3 = SESSION.client("s3")
    stub = Stubber(s3)
    stub.add_response("list_object_versions", {"Versions": [version]})
    stack.target._given = {**stack.target._given, "s3": s3}  # type: ignore[attr-defined]
    with stub:
        (found,) = reconcile(stack, dry_run=False).findings
    assert (found.safe, functions.events) == (False, [])
    assert "turn versioning on" in found.remedy


def test_upload_that_the_ledger_may_have_forgotten_is_not_started_again(
    stack: StackRef, functions: Functions, cloudformation: CloudFormation
) -> None:
    """It may be that of a job that failed, and whose entries have expired since."""
    old = {"Key": "input/a.csv", "VersionId": "v", "Size": 1, "LastModified": _long_ago()}
    s3 = SESSION.client("s3")
    stack.target._given = {**stack.target._given, "s3": s3}  # type: ignore[attr-defined]
    for days, starts in (("0", True), ("2", True), ("1", False)):
        cloudformation.days = {"LedgerExpiryDays": days}
        with Stubber(s3) as stub:
            stub.add_response("list_object_versions", {"Versions": [old]})
            (found,) = reconcile(stack).findings
        assert found.safe is starts
    assert "may have expired" in found.remedy
    assert functions.events == []


def _long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=1, hours=1)


@pytest.mark.parametrize("status", [workflow.SUBMITTED, workflow.QUEUED, workflow.RUNNING])
def test_job_that_never_started_is_started(
    account: Account, stack: StackRef, functions: Functions, status: str
) -> None:
    put_job(account, status)
    (found,) = reconcile(stack, dry_run=False).findings
    assert (found.kind, found.what, found.outcome) == ("job without an end", JOB, "started")
    assert "never started" in found.found
    (event,) = functions.events
    assert event["Records"][0]["s3"]["object"]["versionId"] == "v"


def test_attempt_that_never_started_is_rerun_by_hand(account: Account, stack: StackRef) -> None:
    put_job(account, workflow.RUNNING, attempt=2)
    (found,) = reconcile(stack, dry_run=False).findings
    assert (found.safe, found.remedy, found.outcome) == (False, f"rerun {JOB}", "")


def test_job_that_has_just_been_entered_is_given_time(account: Account, stack: StackRef) -> None:
    put_job(account, workflow.SUBMITTED, startTime=items.utc_now())
    assert reconcile(stack).findings == ()


def test_job_whose_execution_was_stopped_is_rerun_by_hand(
    account: Account, stack: StackRef
) -> None:
    started = account.states.start_execution(stateMachineArn=MACHINE_ARN, name=JOB, input="{}")
    account.states.stop_execution(executionArn=started["executionArn"])
    put_job(account, workflow.RUNNING)
    (found,) = reconcile(stack).findings
    assert found.found == "RUNNING in the ledger until now, ABORTED in Step Functions"
    assert (found.safe, found.remedy) == (False, f"rerun {JOB}")
    # As whoever looks at a job enters its end: from here on the ledger has it.
    assert account.entry(JOB)["status"] == workflow.ABORTED
    assert reconcile(stack).findings == ()


def test_jobs_of_before_are_left_out(account: Account, stack: StackRef) -> None:
    put_job(account, workflow.SUBMITTED)
    assert reconcile(stack, since=datetime.now(UTC) - timedelta(hours=1)).findings == ()


# ----------------------------------------------------------------------------- result files


def _entry(stack: StackRef) -> ledger.JobEntry:
    entry = ledger.job_entry(stack, JOB)
    assert entry is not None
    return entry


def _damage(account: Account, how: str) -> str:
    """Do something to the completed file, and return how that is said."""
    key = keys.completed(JOB, "input/orders.csv")
    version = account.s3.head_object(Bucket=BUCKET, Key=key)["VersionId"]
    if how == "deleted":
        account.s3.delete_object(Bucket=BUCKET, Key=key)
        return f"deleted, its version {version} is still kept"
    if how == "gone":
        account.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
        return "gone"
    if how.startswith("replaced"):
        other = b"something else" if how == "replaced" else bytes(len(account.get(key)))
        return f"replaced by version {account.put(key, other)}"
    entry = account.entry(JOB)["completedFile"] | {"sizeBytes": 8}
    account.put_entry(JOB, items.JOB_ENTRY, completedFile=entry)
    return "of 9 bytes, not 8"


@pytest.mark.parametrize(
    "how", ["deleted", "gone", "replaced", "replaced, of one size", "another size"]
)
def test_result_that_is_not_as_it_was_merged_is_known_everywhere(
    account: Account, stack: StackRef, how: str
) -> None:
    put_results(account)
    said = _damage(account, how)
    entry = _entry(stack)
    assert check_result(stack, entry, rejected=False) == said
    assert check_result(stack, entry, rejected=True) == "whole"
    assert lost_results(stack, entry) == f"the completed file is {said}"
    (found,) = reconcile(stack, dry_run=False).findings
    assert (found.kind, found.what, found.safe) == ("result is gone", JOB, False)
    assert found.found == f"the completed file is {said}"
    with pytest.raises(JobError, match="rerun"):
        make_link(JobRef(stack, JOB), expires_s=60, rejected=False)
    assert make_link(JobRef(stack, JOB), expires_s=60, rejected=True)


def test_result_that_a_late_call_writes_once_more_is_whole(
    account: Account, stack: StackRef
) -> None:
    put_results(account)
    key = keys.completed(JOB, "input/orders.csv")
    before = account.s3.head_object(Bucket=BUCKET, Key=key)["VersionId"]
    assert account.put(key, account.get(key)) != before
    assert check_result(stack, _entry(stack), rejected=False) == "whole"
    assert lost_results(stack, _entry(stack)) == ""


@pytest.mark.parametrize(
    ("parameter", "days_ago", "listed"),
    [
        pytest.param("CompletedExpiryDays", 8, [], id="has expired"),
        pytest.param("CompletedExpiryDays", 6, ["result is gone"], id="gone too early"),
        pytest.param("RejectedExpiryDays", 8, ["result is gone"], id="the other expires"),
    ],
)
def test_result_that_was_to_expire_is_not_listed(
    account: Account,
    stack: StackRef,
    cloudformation: CloudFormation,
    *,
    parameter: str,
    days_ago: int,
    listed: list[str],
) -> None:
    put_results(account)
    _damage(account, "deleted")
    ended = datetime.now(UTC) - timedelta(days=days_ago)
    account.put_entry(JOB, items.JOB_ENTRY, endTime=items.timestamp(ended))
    cloudformation.days = {parameter: "7"}
    assert kinds(reconcile(stack)) == listed


def test_of_a_stack_that_noted_no_versions_only_whether_it_is_there_counts(
    account: Account, stack: StackRef
) -> None:
    put_results(account)
    item = account.entry(JOB)
    key = {"jobId": {"S": JOB}, "entry": {"S": items.JOB_ENTRY}}
    account.dynamodb.update_item(
        TableName=JOB_TABLE, Key=key, UpdateExpression="REMOVE completedFile, rejectedFile"
    )
    assert lost_results(stack, _entry(stack)) == ""
    account.s3.delete_object(Bucket=BUCKET, Key=item["rejectedKey"])
    assert lost_results(stack, _entry(stack)) == "the rejects file is gone"


def test_job_without_results_has_none_to_lose(account: Account, stack: StackRef) -> None:
    put_job(account, workflow.FAILED)
    assert lost_results(stack, _entry(stack)) == ""
