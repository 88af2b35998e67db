"""Deleting a stack: what stands in the way, what goes first, what an earlier try has left."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items
from botocore.stub import Stubber
from support import (
    ACCOUNT_ID,
    BUCKET,
    EARLIER_ERROR_TABLE,
    ERROR_TABLE,
    ERROR_TABLES,
    JOB_TABLE,
    MACHINE_ARN,
    REGION,
    SESSION,
    GivenClients,
)

from batchops.core.errors import (
    AccessDeniedError,
    StackBusyError,
    StackError,
    StackStuckError,
)
from batchops.core.stack_ref import StackRef
from batchops.deployment.deletion import destroy_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import Account

ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/orders/1"
JOB = "orders-0123456789ab"
OUTPUTS = {
    "SourceBucketName": BUCKET,
    "JobTableName": JOB_TABLE,
    **ERROR_TABLES,
    "MainOrchestratorArn": MACHINE_ARN,
}


@pytest.fixture
def cfn() -> Iterator[tuple[Any, Stubber]]:
    client: Any = SESSION.client("cloudformation")
    with Stubber(client) as stub:
        yield client, stub


@pytest.fixture
def stack(account: Account, cfn: tuple[Any, Stubber]) -> StackRef:
    clients = {"s3": account.s3, "dynamodb": account.dynamodb, "stepfunctions": account.states}
    return StackRef("orders", GivenClients({"cloudformation": cfn[0], **clients}))


def _describe(stub: Stubber, status: str, outputs: dict[str, str], **more: Any) -> None:
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    found = {
        "StackName": "orders",
        "StackId": ARN,
        "StackStatus": status,
        "CreationTime": datetime(2026, 11, 23, tzinfo=UTC),
        "Outputs": listed,
        **more,
    }
    stub.add_response("describe_stacks", {"Stacks": [found]}, {"StackName": "orders"})


def _delete(
    stub: Stubber,
    status: str,
    outputs: dict[str, str],
    *,
    kept: str | None = None,
    why: str = "it cannot be deleted",
) -> None:
    """Have CloudFormation delete the stack when it is asked to, or fail at its bucket."""
    _describe(stub, status, outputs)
    of_stack = {"StackName": ARN}
    event = {
        "StackId": ARN,
        "StackName": "orders",
        "Timestamp": datetime(2026, 11, 23, tzinfo=UTC),
        "PhysicalResourceId": ARN,
    }
    events = [{**event, "EventId": "0", "ResourceStatus": status}]
    stub.add_response("describe_stack_events", {"StackEvents": events}, of_stack)
    stub.add_response("delete_stack", {}, of_stack)
    if kept is None:
        stub.add_client_error("describe_stacks", "ValidationError", "Stack does not exist")
        after = "DELETE_COMPLETE"
    else:
        found = {"StackName": "orders", "StackStatus": "DELETE_FAILED", "CreationTime": 0}
        stub.add_response("describe_stacks", {"Stacks": [found]}, of_stack)
        failed = {
            "EventId": "f",
            "PhysicalResourceId": BUCKET,
            "LogicalResourceId": "SourceBucket",
            "ResourceType": kept,
            "ResourceStatus": "DELETE_FAILED",
            "ResourceStatusReason": why,
        }
        events = [{**event, **failed}, *events]
        after = "DELETE_FAILED"
    events = [{**event, "EventId": "1", "ResourceStatus": after}, *events]
    stub.add_response("describe_stack_events", {"StackEvents": events}, of_stack)


def _start_job(account: Account) -> None:
    account.states.start_execution(stateMachineArn=MACHINE_ARN, name=JOB)
    account.put("input/orders.csv", b"a,b\n")


def test_running_jobs_keep_a_stack_and_its_objects(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    _start_job(account)
    _describe(cfn[1], "CREATE_COMPLETE", OUTPUTS)
    with pytest.raises(StackBusyError, match=JOB):
        destroy_stack(stack, dry_run=False)
    assert account.keys() == ["input/orders.csv"]
    cfn[1].assert_no_pending_responses()


def test_running_jobs_are_stopped_before_the_buckets_go(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    def stop_jobs(found: StackRef) -> tuple[str, ...]:
        assert found.outputs["SourceBucketName"] == BUCKET
        assert account.keys() == ["input/orders.csv"]
        return (JOB,)

    _start_job(account)
    _describe(cfn[1], "CREATE_COMPLETE", OUTPUTS)
    _delete(cfn[1], "CREATE_COMPLETE", OUTPUTS)
    done = destroy_stack(stack, dry_run=False, stop_jobs=stop_jobs)
    assert done.deleted
    assert done.stopped == (JOB,)
    assert done.holdings.running == (JOB,)
    assert done.holdings.versions == {BUCKET: 1}
    assert account.keys() == []
    cfn[1].assert_no_pending_responses()


def test_dry_run_leaves_everything(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    _start_job(account)
    _describe(cfn[1], "UPDATE_COMPLETE", OUTPUTS)
    done = destroy_stack(stack, dry_run=True)
    assert not done.deleted
    assert set(done.holdings.rows) == {JOB_TABLE, ERROR_TABLE, EARLIER_ERROR_TABLE}
    assert account.keys() == ["input/orders.csv"]


def test_busy_stack_keeps_its_objects(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    account.put("input/orders.csv", b"a,b\n")
    _describe(cfn[1], "UPDATE_IN_PROGRESS", OUTPUTS)
    with pytest.raises(StackBusyError, match="UPDATE_IN_PROGRESS"):
        destroy_stack(stack, dry_run=False)
    assert account.keys() == ["input/orders.csv"]


def test_protected_stack_keeps_its_objects_and_its_jobs(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    account.put("input/orders.csv", b"a,b\n")
    _describe(cfn[1], "UPDATE_COMPLETE", OUTPUTS, EnableTerminationProtection=True)
    stopped: list[StackRef] = []
    with pytest.raises(StackError, match="termination_protection=False"):
        destroy_stack(stack, dry_run=False, stop_jobs=lambda found: (stopped.append(found), ())[1])
    assert account.keys() == ["input/orders.csv"]
    assert stopped == []


def test_stack_that_cloudformation_refuses_to_delete_keeps_its_objects(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    account.put("input/orders.csv", b"a,b\n")
    for _ in range(2):
        _describe(cfn[1], "UPDATE_COMPLETE", OUTPUTS)
    cfn[1].add_response("describe_stack_events", {"StackEvents": []}, {"StackName": ARN})
    cfn[1].add_client_error("delete_stack", "AccessDenied", "not authorized to DeleteStack")
    with pytest.raises(AccessDeniedError):
        destroy_stack(stack, dry_run=False)
    assert account.keys() == ["input/orders.csv"]
    cfn[1].assert_no_pending_responses()


def test_stack_whose_bucket_was_not_empty_in_time_is_deleted_at_a_second_try(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    account.put("input/orders.csv", b"a,b\n")
    _describe(cfn[1], "UPDATE_COMPLETE", OUTPUTS)
    _delete(cfn[1], "UPDATE_COMPLETE", OUTPUTS, kept="AWS::S3::Bucket")
    _delete(cfn[1], "DELETE_FAILED", OUTPUTS)
    assert destroy_stack(stack, dry_run=False).deleted
    assert account.keys() == []
    cfn[1].assert_no_pending_responses()


@pytest.mark.parametrize("kept", ["AWS::S3::BucketPolicy", "AWS::CloudFormation::CustomResource"])
def test_stack_whose_bucket_was_being_changed_is_deleted_at_a_second_try(
    stack: StackRef, cfn: tuple[Any, Stubber], kept: str
) -> None:
    why = "A conflicting conditional operation is currently in progress against this resource."
    _describe(cfn[1], "UPDATE_COMPLETE", OUTPUTS)
    _delete(cfn[1], "UPDATE_COMPLETE", OUTPUTS, kept=kept, why=why)
    _delete(cfn[1], "DELETE_FAILED", OUTPUTS)
    assert destroy_stack(stack, dry_run=False).deleted
    cfn[1].assert_no_pending_responses()


def test_job_that_has_ended_and_is_being_mailed_keeps_no_stack(
    account: Account, stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    _start_job(account)
    account.put_entry(JOB, items.JOB_ENTRY, status="SUCCEEDED", mailStatus="PENDING")
    _describe(cfn[1], "CREATE_COMPLETE", OUTPUTS)
    done = destroy_stack(stack, dry_run=True)
    assert done.holdings.running == ()


def test_stack_that_fails_at_something_else_is_not_tried_again(
    stack: StackRef, cfn: tuple[Any, Stubber]
) -> None:
    _describe(cfn[1], "UPDATE_COMPLETE", OUTPUTS)
    _delete(cfn[1], "UPDATE_COMPLETE", OUTPUTS, kept="AWS::KMS::Key")
    with pytest.raises(StackStuckError, match="SourceBucket: it cannot be deleted"):
        destroy_stack(stack, dry_run=False)
    cfn[1].assert_no_pending_responses()


@pytest.mark.parametrize(
    ("status", "outputs"),
    [
        ("ROLLBACK_COMPLETE", {}),
        ("CREATE_FAILED", {}),
        (
            "DELETE_FAILED",
            {
                "SourceBucketName": "gone-bucket",
                "JobTableName": "gone-table",
                "MainOrchestratorArn": f"{MACHINE_ARN}-gone",
            },
        ),
    ],
)
def test_what_a_failed_creation_or_deletion_left_is_deleted(
    stack: StackRef, cfn: tuple[Any, Stubber], status: str, outputs: dict[str, str]
) -> None:
    _describe(cfn[1], status, outputs)
    _delete(cfn[1], status, outputs)
    done = destroy_stack(stack, dry_run=False)
    assert done.deleted
    assert (done.holdings.versions, done.holdings.rows, done.holdings.jobs) == ({}, {}, 0)
    cfn[1].assert_no_pending_responses()
