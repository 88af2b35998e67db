"""Purging one job: everything of it goes, nothing of any other, and what stays is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, keys, workflow
from support import BUCKET, ERROR_TABLE, ERROR_TABLES, JOB_TABLE, MACHINE_ARN, stack_ref

from batchops.core.errors import JobNotFoundError, JobRunningError
from batchops.core.job_ref import JobRef
from batchops.recovery.purge import purge

if TYPE_CHECKING:
    from support import Account

JOB = "orders-000000000001"
# Its files are under a prefix that begins as those of the job do.
OTHER = "orders-000000000001b"
KEY, ARCHIVED = "input/orders.csv", "input_archive/orders.csv"
DATA = b"a,b\n1,2\n"


def put_job(account: Account, job_id: str = JOB, **changed: Any) -> None:
    """Store a merged job with two chunks, three errors and files in two versions each."""
    now = datetime.now(UTC)
    entry = {
        "bucket": BUCKET,
        "key": KEY,
        "versionId": "gone",
        "sizeBytes": len(DATA),
        "status": workflow.SUCCEEDED,
        "attempt": 1,
        "startTime": items.timestamp(now - timedelta(minutes=1)),
        "endTime": items.timestamp(now + timedelta(minutes=1)),
        "archiveKey": ARCHIVED,
        **changed,
    }
    known = {name: value for name, value in entry.items() if value is not None}
    account.put_entry(job_id, items.JOB_ENTRY, **known)
    for number in (1, 2):
        account.put_entry(
            job_id, items.chunk_entry(number), status=workflow.SUCCEEDED, attempt=1, rows=1
        )
        for _ in range(2):
            account.put(keys.chunk(job_id, number), DATA)
    account.put(keys.completed(job_id, KEY), DATA)
    for row in (2, 3, 4):
        account.put_error(job_id, items.error_id(row, "a", "enum"))


def job_of(account: Account, job_id: str = JOB) -> JobRef:
    outputs = {
        "JobTableName": JOB_TABLE,
        **ERROR_TABLES,
        "SourceBucketName": BUCKET,
        "MainOrchestratorArn": MACHINE_ARN,
    }
    clients = {"s3": account.s3, "dynamodb": account.dynamodb, "stepfunctions": account.states}
    return JobRef(stack_ref(outputs=outputs, **clients), job_id)


def state(account: Account) -> dict[str, Any]:
    """Return everything that the account holds: versions, entries and errors."""
    listed = account.s3.list_object_versions(Bucket=BUCKET)
    return {
        "versions": {(v["Key"], v["VersionId"]) for v in listed.get("Versions", [])},
        "markers": listed.get("DeleteMarkers", []),
        "entries": account.dynamodb.scan(TableName=JOB_TABLE)["Items"],
        "errors": account.scan(ERROR_TABLE),
    }


def test_purge_deletes_everything_of_the_job_and_nothing_of_others(account: Account) -> None:
    put_job(account, OTHER)
    account.put("input/orders.csv", b"a later upload of the name")
    before = state(account)
    put_job(account)
    account.put(ARCHIVED, DATA)
    done = purge(job_of(account), dry_run=False)
    assert (done.files, done.errors, done.entries) == (5, 3, 3)
    assert done.uploads == (ARCHIVED,)
    assert state(account) == before
    with pytest.raises(JobNotFoundError):
        purge(job_of(account))


def test_dry_run_counts_the_same_and_deletes_nothing(account: Account) -> None:
    put_job(account)
    account.put(ARCHIVED, DATA)
    before = state(account)
    found = purge(job_of(account))
    assert found.dry_run
    assert (found.files, found.errors, found.entries, found.uploads) == (5, 3, 3, (ARCHIVED,))
    assert state(account) == before
    assert "would be deleted" in str(found)


def test_upload_of_a_job_that_failed_goes_from_the_input_in_its_version_only(
    account: Account,
) -> None:
    ours = account.put(KEY, DATA)
    later = account.put(KEY, DATA)
    put_job(account, status=workflow.FAILED, versionId=ours, archiveKey=None)
    assert purge(job_of(account), dry_run=False).uploads == (KEY,)
    assert state(account)["versions"] == {(KEY, later)}


@pytest.mark.parametrize(
    "other",
    [b"longer than the job's upload", DATA],
    ids=["other size", "other time"],
)
def test_archived_upload_of_another_job_of_the_name_stays(account: Account, other: bytes) -> None:
    theirs = account.put(ARCHIVED, other)
    long_ago = timedelta(days=9) if other == DATA else timedelta(0)
    now = datetime.now(UTC) + long_ago
    put_job(account, startTime=items.timestamp(now), endTime=items.timestamp(now))
    found = purge(job_of(account), dry_run=False)
    assert (found.uploads, found.unclear) == ((), "")
    assert state(account)["versions"] == {(ARCHIVED, theirs)}


def test_copies_in_the_archive_that_cannot_be_told_apart_are_left_and_named(
    account: Account,
) -> None:
    versions = {(ARCHIVED, account.put(ARCHIVED, DATA)) for _ in range(2)}
    put_job(account)
    found = purge(job_of(account), dry_run=False)
    assert state(account)["versions"] == versions
    assert all(version in found.unclear for _, version in versions)
    assert "delete it by hand" in str(found)


@pytest.mark.parametrize("status", [workflow.QUEUED, workflow.SUBMITTED, workflow.RUNNING])
def test_job_that_has_not_ended_is_refused(account: Account, status: str) -> None:
    put_job(account, status=status, endTime=None)
    account.states.start_execution(stateMachineArn=MACHINE_ARN, name=JOB, input="{}")
    before = state(account)
    with pytest.raises(JobRunningError, match="wait for it, or stop it"):
        purge(job_of(account), dry_run=False)
    assert state(account) == before


def test_job_whose_mail_is_being_tried_is_refused(account: Account) -> None:
    # Its copy would be stored after everything else is gone.
    put_job(account, mailStatus=workflow.MAIL_PENDING)
    account.states.start_execution(stateMachineArn=MACHINE_ARN, name=JOB, input="{}")
    with pytest.raises(JobRunningError, match=r"mail of .* is still being tried"):
        purge(job_of(account), dry_run=False)


@pytest.mark.parametrize("status", [workflow.ABORTED, workflow.TIMED_OUT])
def test_job_that_was_stopped_is_deleted_once_its_last_calls_are_over(
    account: Account, status: str
) -> None:
    """A call of a function that had begun goes on, and would write after everything is gone."""
    now = datetime.now(UTC)
    put_job(account, status=status, endTime=items.timestamp(now - timedelta(minutes=14)))
    before = state(account)
    assert purge(job_of(account)).entries == 3
    with pytest.raises(JobRunningError, match=r"may go on to write .* repeat this after"):
        purge(job_of(account), dry_run=False)
    assert state(account) == before
    ended, begun = now - timedelta(minutes=15), now - timedelta(hours=1)
    times = {"endTime": items.timestamp(ended), "startTime": items.timestamp(begun)}
    account.put_entry(JOB, items.JOB_ENTRY, **times)
    purge(job_of(account), dry_run=False)
    assert state(account)["entries"] == []


def test_job_whose_stop_only_step_functions_knows_counts_as_stopped(account: Account) -> None:
    put_job(account, status=workflow.RUNNING, endTime=None)
    account.states.start_execution(stateMachineArn=MACHINE_ARN, name=JOB, input="{}")
    arn = f"{MACHINE_ARN.replace(':stateMachine:', ':execution:')}:{JOB}"
    account.states.stop_execution(executionArn=arn)
    with pytest.raises(JobRunningError, match="is ABORTED since"):
        purge(job_of(account), dry_run=False)


def test_purge_says_what_stays(account: Account) -> None:
    put_job(account)
    said = str(purge(job_of(account)))
    for what in ("logs", "metrics", "Step Functions", "mails", "backups", "downloaded"):
        assert what in said


def test_purge_that_was_interrupted_is_repeated(account: Account) -> None:
    put_job(account)
    account.s3.delete_object(
        Bucket=BUCKET,
        Key=keys.completed(JOB, KEY),
        VersionId=account.s3.head_object(Bucket=BUCKET, Key=keys.completed(JOB, KEY))["VersionId"],
    )
    assert purge(job_of(account), dry_run=False).files == 4
    assert state(account)["entries"] == []
