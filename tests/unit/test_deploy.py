"""Deploying by change set: previews, live events, reasons of failures, stuck stacks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from batchops.core.errors import (
    AwsError,
    DeployFailedError,
    InputError,
    StackBusyError,
    StackNotFoundError,
    StackStuckError,
    StackTimeoutError,
)
from batchops.core.stack_ref import describe_stack, read_outputs
from batchops.core.target import Target
from batchops.deployment import change_sets, deploy, stack_events
from batchops.deployment.artifact_bucket import publish_template
from batchops.deployment.deletion import delete_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchops.local.engine import LocalEngine

TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Title"}}}
GOOD: dict[str, Any] = {
    "Parameters": {
        "Title": {"Type": "String", "Default": "first"},
        "Wanted": {"Type": "String", "Default": "false"},
    },
    "Resources": {"Topic": TOPIC},
    "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}}, "Wanted": {"Value": {"Ref": "Wanted"}}},
}
# A layer that does not exist: refused when the function is created, not before.
BROKEN = {
    **GOOD,
    "Resources": {
        "Topic": TOPIC,
        "Broken": {
            "Type": "AWS::Lambda::Function",
            "DependsOn": "Topic",
            "Properties": {
                "Role": "arn:aws:iam::000000000000:role/any",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Code": {"ZipFile": "def handler(e, c): ..."},
                "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:nowhere:1"],
            },
        },
    },
}
ARN = "arn:aws:cloudformation:us-east-1:000000000000:stack/s/1"
ROLE = "arn:aws:iam::000000000000:role/cloudformation"


class Deployer:
    """A target, and the steps of a deployment on it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.cfn = target.client("cloudformation")
        self.events: list[stack_events.StackEvent] = []

    def prepare(
        self, name: str, template: dict[str, Any], *, replace: bool = False, **parameters: Any
    ) -> change_sets.ChangeSet:
        return change_sets.create_change_set(
            self.cfn,
            name,
            template_url=publish_template(self.target, json.dumps(template)),
            parameters=parameters,
            replace=replace,
            poll_s=self.target.poll_s,
        )

    def deploy(self, name: str, template: dict[str, Any], **options: Any) -> dict[str, str]:
        return deploy.execute(
            self.cfn,
            self.prepare(name, template, **options),
            on_event=self.events.append,
            poll_s=self.target.poll_s,
            timeout_s=60,
        )

    def delete(self, name: str) -> bool:
        return delete_stack(self.cfn, name, poll_s=self.target.poll_s, timeout_s=60)


def state_of(cfn: Any, name: str) -> str | None:
    """Return CloudFormation's name of a stack's state; None without a stack."""
    found = describe_stack(cfn, name)
    return None if found is None else str(found["StackStatus"])


@pytest.fixture
def deployer(engine: LocalEngine) -> Deployer:
    """Give the steps of a deployment on the local engine."""
    return Deployer(Target("local", engine=engine))


@pytest.fixture
def scripted() -> Iterator[tuple[Any, Stubber]]:
    """Give a client of CloudFormation whose answers the test writes."""
    cfn: Any = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(cfn) as stub:
        yield cfn, stub


def described(status: str, **more: Any) -> dict[str, Any]:
    stack = {"StackName": "s", "StackId": ARN, "StackStatus": status}
    return {"Stacks": [{**stack, "CreationTime": datetime.now(UTC), **more}]}


def event(number: int, logical_id: str, status: str, reason: str = "") -> dict[str, Any]:
    whole = logical_id == "s"
    return {
        "StackId": ARN,
        "StackName": "s",
        "EventId": str(number),
        "Timestamp": datetime(2026, 1, 1, 0, 0, number, tzinfo=UTC),
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": ARN if whole else "",
        "ResourceType": "AWS::CloudFormation::Stack" if whole else "AWS::SNS::Topic",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def test_a_first_deployment_creates_the_stack(deployer: Deployer) -> None:
    prepared = deployer.prepare("first", GOOD, Title="hello")
    assert prepared.creates
    assert not prepared.unchanged
    assert [(c.action, c.logical_id, c.resource_type) for c in prepared.changes] == [
        ("Add", "Topic", "AWS::SNS::Topic")
    ]
    seen: list[stack_events.StackEvent] = []
    outputs = deploy.execute(deployer.cfn, prepared, on_event=seen.append, poll_s=0.1)
    assert outputs["TopicArn"].startswith("arn:aws:sns:us-east-1:000000000000:")
    assert state_of(deployer.cfn, "first") == "CREATE_COMPLETE"
    states = [(item.logical_id, item.status) for item in seen]
    assert states[0] == ("first", "CREATE_IN_PROGRESS")
    assert states[-1] == ("first", "CREATE_COMPLETE")
    assert ("Topic", "CREATE_COMPLETE") in states
    assert len({item.event_id for item in seen}) == len(seen)


def test_an_unchanged_deployment_is_a_success(deployer: Deployer) -> None:
    outputs = deployer.deploy("same", GOOD)
    deployer.events.clear()
    prepared = deployer.prepare("same", GOOD)
    assert prepared.unchanged
    assert prepared.changes == ()
    assert deploy.execute(deployer.cfn, prepared, on_event=deployer.events.append) == outputs
    assert deployer.events == []
    left = deployer.cfn.list_change_sets(StackName="same")["Summaries"]
    assert all(item["ExecutionStatus"] == "EXECUTE_COMPLETE" for item in left)


def test_parameters_that_are_not_given_keep_their_values(deployer: Deployer) -> None:
    deployer.deploy("kept", GOOD, Title="mine", Wanted=True)
    prepared = deployer.prepare("kept", GOOD, Title="other")
    assert [(c.action, c.logical_id, c.properties) for c in prepared.changes] == [
        ("Modify", "Topic", ("DisplayName",))
    ]
    outputs = deploy.execute(deployer.cfn, prepared, poll_s=0.1)
    # A boolean is written as CloudFormation's own.
    assert outputs["Wanted"] == "true"


def test_an_unknown_parameter_is_an_error_that_lists_the_known_ones(deployer: Deployer) -> None:
    with pytest.raises(InputError, match="no parameter Titel: known are Title, Wanted"):
        deployer.prepare("typo", GOOD, Titel="x")
    assert state_of(deployer.cfn, "typo") is None


def test_a_preview_of_a_new_stack_leaves_nothing(deployer: Deployer) -> None:
    prepared = deployer.prepare("previewed", GOOD)
    change_sets.discard_change_set(deployer.cfn, prepared)
    assert state_of(deployer.cfn, "previewed") is None


def test_a_preview_of_a_stack_leaves_the_stack(deployer: Deployer) -> None:
    outputs = deployer.deploy("stays", GOOD)
    change_sets.discard_change_set(deployer.cfn, deployer.prepare("stays", GOOD, Title="x"))
    assert read_outputs(deployer.cfn, "stays") == outputs
    assert deployer.prepare("stays", GOOD).unchanged


def test_an_abandoned_preview_does_not_stop_a_deployment(deployer: Deployer) -> None:
    deployer.prepare("abandoned", GOOD)
    assert state_of(deployer.cfn, "abandoned") == "REVIEW_IN_PROGRESS"
    assert deployer.deploy("abandoned", GOOD)


def test_the_reason_is_the_first_failed_resources(deployer: Deployer) -> None:
    with pytest.raises(DeployFailedError, match="replace=True") as caught:
        deployer.deploy("broken", BROKEN)
    assert caught.value.logical_id == "Broken"
    assert caught.value.stack_name == "broken"
    assert caught.value.status == "ROLLBACK_COMPLETE"
    assert caught.value.reason
    assert caught.value.reason in str(caught.value)


def test_a_stuck_stack_is_explained_and_replaced_when_asked(deployer: Deployer) -> None:
    with pytest.raises(DeployFailedError):
        deployer.deploy("stuck", BROKEN)
    with pytest.raises(StackStuckError, match="replace=True") as caught:
        deployer.prepare("stuck", GOOD)
    assert caught.value.status == "ROLLBACK_COMPLETE"
    assert deployer.deploy("stuck", GOOD, replace=True)
    assert state_of(deployer.cfn, "stuck") == "CREATE_COMPLETE"


def test_replace_leaves_a_healthy_stack_alone(deployer: Deployer) -> None:
    deployer.deploy("healthy", GOOD)
    before = describe_stack(deployer.cfn, "healthy")
    deployer.deploy("healthy", GOOD, replace=True, Title="new")
    after = describe_stack(deployer.cfn, "healthy")
    assert before is not None
    assert after is not None
    assert before["StackId"] == after["StackId"]


def test_an_update_that_fails_is_undone(deployer: Deployer) -> None:
    outputs = deployer.deploy("undone", GOOD)
    with pytest.raises(DeployFailedError, match="as it was before") as caught:
        deployer.deploy("undone", BROKEN)
    assert caught.value.logical_id == "Broken"
    assert read_outputs(deployer.cfn, "undone") == outputs


def test_a_refused_template_leaves_no_stack(deployer: Deployer) -> None:
    wrong = {"Resources": {"Odd": {"Type": "AWS::Nothing::Known"}}}
    with pytest.raises(DeployFailedError, match="AWS::Nothing::Known") as caught:
        deployer.deploy("refused", wrong)
    assert caught.value.status is None
    assert state_of(deployer.cfn, "refused") is None


def test_the_reason_is_found_where_cloudformation_checks_first(deployer: Deployer) -> None:
    deployer.target.client("s3").create_bucket(Bucket="taken-already")
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "taken-already"}}
    with pytest.raises(DeployFailedError, match="already exists") as caught:
        deployer.deploy("conflict", {**GOOD, "Resources": {"Topic": TOPIC, "Named": bucket}})
    assert caught.value.logical_id == "Named"


def test_deleting_twice_is_no_error(deployer: Deployer) -> None:
    deployer.deploy("deleted", GOOD)
    assert deployer.delete("deleted") is True
    assert deployer.delete("deleted") is False
    assert state_of(deployer.cfn, "deleted") is None
    with pytest.raises(StackNotFoundError, match=r"no stack 'deleted' in us-east-1"):
        read_outputs(deployer.cfn, "deleted")


def test_a_template_beyond_the_limit_of_a_request_is_deployed(deployer: Deployer) -> None:
    large = {**GOOD, "Metadata": {"Why": "x" * 60_000}}
    assert deployer.deploy("large", large)


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_busy_stack_is_left_alone(scripted: tuple[Any, Stubber], status: str) -> None:
    cfn, stub = scripted
    stub.add_response("describe_stacks", described(status))
    with pytest.raises(StackBusyError, match=status):
        change_sets.create_change_set(cfn, "s", template_url="https://b.example/t")
    stub.add_response("describe_stacks", described(status))
    with pytest.raises(StackBusyError, match=status):
        delete_stack(cfn, "s")


def test_a_stack_that_may_hold_data_is_never_replaced(scripted: tuple[Any, Stubber]) -> None:
    cfn, stub = scripted
    stub.add_response("describe_stacks", described("UPDATE_ROLLBACK_FAILED"))
    with pytest.raises(StackStuckError, match="continue-update-rollback"):
        change_sets.create_change_set(cfn, "s", template_url="https://b.example/t", replace=True)
    stub.assert_no_pending_responses()


def test_cancelled_resources_are_not_the_reason(scripted: tuple[Any, Stubber]) -> None:
    cfn, stub = scripted
    history = [
        event(6, "s", "ROLLBACK_COMPLETE"),
        event(5, "Topic", "DELETE_COMPLETE"),
        event(4, "s", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create"),
        event(3, "Culprit", "CREATE_FAILED", "name taken"),
        event(2, "Topic", "CREATE_FAILED", "Resource creation cancelled"),
        event(1, "s", "CREATE_IN_PROGRESS"),
        event(0, "s", "REVIEW_IN_PROGRESS"),
    ]
    stub.add_response("describe_stacks", described("ROLLBACK_COMPLETE"))
    stub.add_response("describe_stack_events", {"StackEvents": history})
    seen: list[str] = []
    done = stack_events.follow_operation(
        cfn,
        ARN,
        since="0",
        on_event=lambda item: seen.append(item.event_id),
        timeout_s=5,
        poll_s=0.01,
    )
    assert done.first_failure is not None
    assert (done.first_failure.logical_id, done.first_failure.reason) == ("Culprit", "name taken")
    assert seen == ["1", "2", "3", "4", "5", "6"]


def test_events_are_read_over_pages_and_told_once(scripted: tuple[Any, Stubber]) -> None:
    cfn, stub = scripted
    old, begun = event(0, "s", "CREATE_COMPLETE"), event(1, "s", "UPDATE_IN_PROGRESS")
    changed, ended = event(2, "Topic", "UPDATE_COMPLETE"), event(3, "s", "UPDATE_COMPLETE")
    # Right after the start the status can still be the last operation's: not the end.
    stub.add_response("describe_stacks", described("CREATE_COMPLETE"))
    stub.add_response("describe_stack_events", {"StackEvents": [begun, old]})
    stub.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    stub.add_response("describe_stack_events", {"StackEvents": [ended], "NextToken": "n"})
    stub.add_response("describe_stack_events", {"StackEvents": [changed, begun, old]})
    seen: list[str] = []
    done = stack_events.follow_operation(
        cfn,
        ARN,
        since="0",
        on_event=lambda item: seen.append(item.event_id),
        timeout_s=5,
        poll_s=0.01,
    )
    assert done == stack_events.Followed("UPDATE_COMPLETE", "", None)
    assert seen == ["1", "2", "3"]
    stub.assert_no_pending_responses()


def test_a_bucket_that_holds_objects_stops_a_deletion_with_the_reason(
    scripted: tuple[Any, Stubber],
) -> None:
    cfn, stub = scripted
    stub.add_response("describe_stacks", described("CREATE_COMPLETE"))
    stub.add_response("describe_stack_events", {"StackEvents": [event(0, "s", "CREATE_COMPLETE")]})
    stub.add_response("delete_stack", {})
    stub.add_response("describe_stacks", described("DELETE_FAILED"))
    history = [
        event(2, "s", "DELETE_FAILED"),
        event(1, "Bucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
        event(0, "s", "CREATE_COMPLETE"),
    ]
    stub.add_response("describe_stack_events", {"StackEvents": history})
    with pytest.raises(StackStuckError, match="Bucket: The bucket you tried to delete is not"):
        delete_stack(cfn, "s", poll_s=0.01)


def test_waiting_ends_when_the_time_is_up(scripted: tuple[Any, Stubber]) -> None:
    cfn, stub = scripted
    stub.add_response("describe_stacks", described("CREATE_IN_PROGRESS"))
    stub.add_response("describe_stack_events", {"StackEvents": []})
    with pytest.raises(StackTimeoutError, match="stack 's' after 0 s; it continues by itself"):
        stack_events.follow_operation(cfn, ARN, since=None, timeout_s=0.01, poll_s=0.05)


def change_set(status: str, reason: str = "") -> dict[str, Any]:
    return {"Status": status, "StatusReason": reason, "Changes": []}


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information.",
        "No updates are to be performed.",
    ],
)
def test_both_of_awss_words_for_no_changes_are_known(
    scripted: tuple[Any, Stubber], reason: str
) -> None:
    cfn, stub = scripted
    parameter = {"ParameterKey": "Title", "ParameterValue": "x"}
    stub.add_response("describe_stacks", described("UPDATE_COMPLETE", Parameters=[parameter]))
    known = [{"ParameterKey": "Title"}, {"ParameterKey": "Other", "DefaultValue": "y"}]
    stub.add_response("get_template_summary", {"Parameters": known})
    stub.add_response("create_change_set", {"Id": f"{ARN}/c", "StackId": ARN})
    stub.add_response("describe_change_set", change_set("CREATE_IN_PROGRESS"))
    stub.add_response("describe_change_set", change_set("FAILED", reason))
    stub.add_response("delete_change_set", {}, {"ChangeSetName": f"{ARN}/c"})
    prepared = change_sets.create_change_set(
        cfn, "s", template_url="https://b.example/t", poll_s=0.01
    )
    assert prepared.unchanged
    stub.assert_no_pending_responses()


@pytest.mark.parametrize("tags", [{}, {"team": "data"}], ids=["kept", "given"])
def test_tags_are_those_given_or_those_that_the_stack_has(
    scripted: tuple[Any, Stubber], tags: dict[str, str]
) -> None:
    cfn, stub = scripted
    stub.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    stub.add_response("get_template_summary", {"Parameters": []})
    names = ("StackName", "ChangeSetName", "Capabilities", "ChangeSetType", "TemplateURL")
    asked: dict[str, Any] = {**dict.fromkeys(names, ANY), "Parameters": []}
    if tags:
        asked["Tags"] = [{"Key": "team", "Value": "data"}]
    stub.add_response("create_change_set", {"Id": f"{ARN}/c", "StackId": ARN}, asked)
    stub.add_response("describe_change_set", change_set("CREATE_COMPLETE"))
    change_sets.create_change_set(
        cfn, "s", template_url="https://b.example/t", tags=tags, poll_s=0.01
    )
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        pytest.param({"role_arn": ROLE}, {"RoleARN": ROLE}, id="service role"),
        pytest.param({"revert_drift": True}, {"DeploymentMode": "REVERT_DRIFT"}, id="repair"),
    ],
)
@pytest.mark.parametrize("creates", [False, True], ids=["update", "creation"])
def test_change_set_takes_the_service_role_and_sets_back_what_was_changed_by_hand(
    scripted: tuple[Any, Stubber], options: dict[str, Any], asked: dict[str, str], creates: bool
) -> None:
    """A new stack has nothing that could have been changed."""
    cfn, stub = scripted
    if creates:
        stub.add_client_error("describe_stacks", "ValidationError", "Stack s does not exist")
    else:
        stub.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    stub.add_response("get_template_summary", {"Parameters": []})
    names = ("StackName", "ChangeSetName", "Capabilities", "TemplateURL")
    request: dict[str, Any] = {**dict.fromkeys(names, ANY), "Parameters": []}
    request |= {"ChangeSetType": "CREATE" if creates else "UPDATE"}
    request |= {} if creates and "DeploymentMode" in asked else asked
    stub.add_response("create_change_set", {"Id": f"{ARN}/c", "StackId": ARN}, request)
    stub.add_response("describe_change_set", change_set("CREATE_COMPLETE"))
    change_sets.create_change_set(
        cfn, "s", template_url="https://b.example/t", poll_s=0.01, **options
    )
    stub.assert_no_pending_responses()


def test_a_parameter_without_default_needs_a_value(scripted: tuple[Any, Stubber]) -> None:
    cfn, stub = scripted
    stub.add_client_error("describe_stacks", "ValidationError", "Stack s does not exist")
    stub.add_response("get_template_summary", {"Parameters": [{"ParameterKey": "Sender"}]})
    with pytest.raises(InputError, match="Sender have no default"):
        change_sets.create_change_set(cfn, "s", template_url="https://b.example/t")


@pytest.mark.parametrize("call", [describe_stack, read_outputs])
def test_refusals_are_translated(
    scripted: tuple[Any, Stubber], call: Callable[[Any, str], object]
) -> None:
    cfn, stub = scripted
    stub.add_client_error("describe_stacks", "AccessDenied", "not you")
    with pytest.raises(AwsError, match="have it granted"):
        call(cfn, "s")


OVERTAKEN = [
    ("ChangeSetNotFound", "ChangeSet [c] does not exist"),
    ("InvalidChangeSetStatus", "ChangeSet [c] cannot be executed in its current status"),
    ("ValidationError", "Stack:s is in CREATE_IN_PROGRESS state and can not be updated."),
    ("ValidationError", "Stack [s] does not exist"),
]


@pytest.mark.parametrize(("code", "message"), OVERTAKEN)
@pytest.mark.parametrize("call", ["create_change_set", "describe_change_set"])
def test_whoever_prepares_second_is_told_of_the_first(
    scripted: tuple[Any, Stubber], call: str, code: str, message: str
) -> None:
    cfn, stub = scripted
    stub.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    stub.add_response("get_template_summary", {"Parameters": []})
    if call == "describe_change_set":
        stub.add_response("create_change_set", {"Id": f"{ARN}/c", "StackId": ARN})
    stub.add_client_error(call, code, message)
    with pytest.raises(StackBusyError, match="came first") as caught:
        change_sets.create_change_set(cfn, "s", template_url="https://b.example/t", poll_s=0.01)
    assert caught.value.stack_name == "s"


@pytest.mark.parametrize(("code", "message"), OVERTAKEN)
def test_whoever_deploys_second_is_told_of_the_first(
    scripted: tuple[Any, Stubber], code: str, message: str
) -> None:
    cfn, stub = scripted
    stub.add_response("describe_stack_events", {"StackEvents": []})
    stub.add_client_error("execute_change_set", code, message)
    change_set = change_sets.ChangeSet("s", ARN, f"{ARN}/c", creates=True, changes=())
    with pytest.raises(StackBusyError, match="came first"):
        deploy.execute(cfn, change_set)


def test_the_change_set_of_somebody_else_keeps_an_empty_stack(
    scripted: tuple[Any, Stubber],
) -> None:
    cfn, stub = scripted
    stub.add_client_error("delete_change_set", "ChangeSetNotFound", "gone")
    stub.add_response("describe_stacks", described("REVIEW_IN_PROGRESS"))
    stub.add_response("list_change_sets", {"Summaries": [{"ChangeSetName": "theirs"}]})
    change_sets.discard_change_set(
        cfn, change_sets.ChangeSet("s", ARN, f"{ARN}/c", creates=True, changes=())
    )
    stub.assert_no_pending_responses()
