"""What was changed without CloudFormation is found, said in words, and set back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from batchcore import notification as rules
from batchcore.workflow import NOTIFICATION
from botocore.stub import Stubber
from support import ACCOUNT_ID, BUCKET, REGION, SESSION, STACK, Account, stack_ref

from batchops.core.errors import InputError, StackBusyError, StackError
from batchops.core.project import Project
from batchops.core.stack_ref import StackRef
from batchops.deployment.delivery import Order
from batchops.deployment.deploy import deploy_stack, set_right
from batchops.deployment.drift import find_drift
from batchops.deployment.notification import restore_notification, uploads_start_jobs
from batchops.inspection.checks import check_uploads

ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{STACK}/1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{STACK}-{NOTIFICATION}"
OUTPUTS = {"SourceBucketName": BUCKET}
POLICY = '{"PolicyName":"work","PolicyDocument":{"Statement":[]}}'


class _Sts:
    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT_ID}


@pytest.fixture
def cfn() -> Iterator[tuple[Any, Stubber]]:
    """Give a client of CloudFormation whose answers the test writes."""
    client: Any = boto3.client(
        "cloudformation", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield client, stub


def _stack(account: Account, cloudformation: Any = None, *, local: bool = False) -> StackRef:
    return stack_ref(
        outputs=OUTPUTS, local=local, s3=account.s3, sts=_Sts(), cloudformation=cloudformation
    )


def _describe(stub: Stubber, status: str = "UPDATE_COMPLETE") -> None:
    outputs = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]
    stack = {"StackName": STACK, "StackId": ARN, "CreationTime": datetime.now(UTC)}
    stack |= {"StackStatus": status, "Outputs": outputs}
    stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK})


def _detect(stub: Stubber, *statuses: str, **more: Any) -> None:
    stub.add_response("detect_stack_drift", {"StackDriftDetectionId": "d"}, {"StackName": STACK})
    for status in statuses:
        answer = {"StackId": ARN, "StackDriftDetectionId": "d", "DetectionStatus": status}
        stub.add_response(
            "describe_stack_drift_detection_status",
            {**answer, "Timestamp": datetime.now(UTC), **more},
            {"StackDriftDetectionId": "d"},
        )


def _resource(name: str, status: str, *differences: dict[str, str]) -> dict[str, Any]:
    return {
        "StackId": ARN,
        "LogicalResourceId": name,
        "PhysicalResourceId": f"{STACK}-{name}",
        "ResourceType": "AWS::IAM::Role",
        "StackResourceDriftStatus": status,
        "PropertyDifferences": list(differences),
        "Timestamp": datetime.now(UTC),
    }


def _found(stub: Stubber, *pages: list[dict[str, Any]]) -> None:
    asked = {"StackName": STACK, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    for number, page in enumerate(pages):
        token = {"NextToken": str(number)} if number else {}
        more = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
        answer = {"StackResourceDrifts": page, **more}
        stub.add_response("describe_stack_resource_drifts", answer, {**asked, **token})


@pytest.fixture
def told(account: Account) -> Account:
    """An account whose bucket tells the stack of uploads."""
    rule = {"LambdaFunctionConfigurations": [rules.upload_rule(FUNCTION)]}
    _put(account, rule)
    return account


def _put(account: Account, configuration: dict[str, Any]) -> None:
    # moto takes the case of AWS's own documents, as S3 does.
    account.s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration=configuration
    )


def test_stack_that_nobody_changed_is_as_it_was_deployed(
    told: Account, cfn: tuple[Any, Stubber]
) -> None:
    _describe(cfn[1])
    _detect(cfn[1], "DETECTION_IN_PROGRESS", "DETECTION_COMPLETE")
    _found(cfn[1], [])
    found = find_drift(_stack(told, cfn[0]))
    assert found.in_sync
    assert str(found) == f"stack {STACK}: as it was deployed"


def test_policy_that_was_removed_from_a_role_is_said_in_words(
    told: Account, cfn: tuple[Any, Stubber]
) -> None:
    removed = {"PropertyPath": "/Policies/0", "ExpectedValue": POLICY, "ActualValue": "null"}
    changed = {"PropertyPath": "/Timeout", "ExpectedValue": "60", "ActualValue": "3"}
    _describe(cfn[1])
    _detect(cfn[1], "DETECTION_COMPLETE", StackDriftStatus="DRIFTED")
    _found(
        cfn[1],
        [_resource("ReadFileRole", "MODIFIED", {**removed, "DifferenceType": "REMOVE"})],
        [
            _resource("Other", "MODIFIED", {**changed, "DifferenceType": "NOT_EQUAL"}),
            _resource("Gone", "DELETED"),
        ],
    )
    found = find_drift(_stack(told, cfn[0]))
    assert not found.in_sync
    lines = str(found).splitlines()
    assert lines[0] == f"stack {STACK}: changed since it was deployed"
    assert lines[1] == f"ReadFileRole (AWS::IAM::Role, {STACK}-ReadFileRole):"
    assert lines[2].startswith('  Policies.0 was removed: the template has {"PolicyName":"work"')
    assert lines[4] == "  Timeout was changed: the template has 60, there is 3"
    assert lines[6] == "  was deleted"
    assert "deploy with repair=True" in lines[7]


def test_replaced_notification_counts_though_no_resource_has_it(
    account: Account, cfn: tuple[Any, Stubber]
) -> None:
    _describe(cfn[1])
    _detect(cfn[1], "DETECTION_COMPLETE")
    _found(cfn[1], [])
    found = find_drift(_stack(account, cfn[0]))
    assert not found.in_sync
    assert not found.uploads_start_jobs
    assert "uploads start no jobs" in str(found)
    assert "repair" not in str(found)


def test_what_could_not_be_compared_is_said(told: Account, cfn: tuple[Any, Stubber]) -> None:
    reason = {"DetectionStatusReason": "no rights to read X", "StackDriftStatus": "IN_SYNC"}
    _describe(cfn[1])
    _detect(cfn[1], "DETECTION_FAILED", **reason)
    _found(cfn[1], [])
    assert "no rights to read X" in str(find_drift(_stack(told, cfn[0])))


def test_notification_that_may_not_be_read_is_no_drift(cfn: tuple[Any, Stubber]) -> None:
    s3: Any = SESSION.client("s3")
    stack = stack_ref(outputs=OUTPUTS, s3=s3, sts=_Sts(), cloudformation=cfn[0])
    _describe(cfn[1])
    _detect(cfn[1], "DETECTION_COMPLETE")
    _found(cfn[1], [])
    with Stubber(s3) as stub:
        stub.add_client_error("get_bucket_notification_configuration", "AccessDenied")
        found = find_drift(stack)
    assert found.in_sync
    assert "the bucket's notification was not looked at" in str(found)


def test_comparison_that_failed_altogether_is_an_error(
    told: Account, cfn: tuple[Any, Stubber]
) -> None:
    _describe(cfn[1])
    _detect(cfn[1], "DETECTION_FAILED", DetectionStatusReason="not now")
    _found(cfn[1], [])
    with pytest.raises(StackError, match="not now"):
        find_drift(_stack(told, cfn[0]))


def test_stack_that_is_being_changed_is_not_compared(
    told: Account, cfn: tuple[Any, Stubber]
) -> None:
    _describe(cfn[1], "UPDATE_IN_PROGRESS")
    with pytest.raises(StackBusyError):
        find_drift(_stack(told, cfn[0]))


def test_repair_is_refused_on_the_local_engine_which_compares_templates_only(
    account: Account,
) -> None:
    stack = _stack(account, local=True)
    with pytest.raises(InputError, match="local engine"):
        deploy_stack(stack, Project.shipped(), Order(), repair=True)


@pytest.mark.parametrize("wanted", [True, False], ids=["on", "off"])
def test_deployment_sets_the_protection_and_says_what_it_may_not_look_at(
    cfn: tuple[Any, Stubber], wanted: bool
) -> None:
    """The stack is deployed then, so neither is a failure of the deployment."""
    s3: Any = SESSION.client("s3")
    stack = stack_ref(outputs=OUTPUTS, s3=s3, sts=_Sts(), cloudformation=cfn[0])
    asked = {"StackName": STACK, "EnableTerminationProtection": wanted}
    cfn[1].add_response("update_termination_protection", {}, asked)
    with Stubber(s3) as stub:
        stub.add_client_error("get_bucket_notification_configuration", "AccessDenied")
        notes = list(set_right(stack, Order(termination_protection=wanted)))
    assert notes[0] == f"termination protection is {'on' if wanted else 'off'}"
    assert "uploads still start jobs was not looked at" in notes[1]


# ------------------------------------------------------------------------- the notification

OTHERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "EventBridge": {"EventBridgeConfiguration": {}},
    "another function": {
        "LambdaFunctionConfigurations": [
            {
                "Id": "theirs",
                "LambdaFunctionArn": FUNCTION.replace(NOTIFICATION, "theirs"),
                "Events": ["s3:ObjectRemoved:*"],
            }
        ]
    },
}


@pytest.mark.parametrize("other", OTHERS)
def test_replaced_notification_is_seen_and_set_again_beside_what_is_there(
    account: Account, other: str
) -> None:
    _put(account, OTHERS[other])
    stack = _stack(account)
    check = check_uploads(stack)
    assert (check.ok, "deploy the stack" in check.advice) == (False, True)
    assert restore_notification(stack)
    assert uploads_start_jobs(stack)
    assert check_uploads(stack).ok
    found = account.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    for kind, kept in OTHERS[other].items():
        if isinstance(kept, list):
            assert [rule["Id"] for rule in found[kind]] == ["theirs", "batchops-input"]
        else:  # moto keeps no EventBridgeConfiguration
            assert rules.with_upload_rule(OTHERS[other], FUNCTION)[kind] == kept


def test_notification_that_is_there_is_left_alone(told: Account) -> None:
    before = told.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert not restore_notification(_stack(told))
    after = told.s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert before["LambdaFunctionConfigurations"] == after["LambdaFunctionConfigurations"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"Events": ["s3:ObjectCreated:Put"]}, id="fewer events"),
        pytest.param({"LambdaFunctionArn": f"{FUNCTION}-old"}, id="another function"),
        pytest.param({"Filter": {"Key": {"FilterRules": []}}}, id="every object"),
        pytest.param(
            {"Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}]}}},
            id="another folder",
        ),
    ],
)
def test_rule_that_was_changed_is_not_taken_for_ours(change: dict[str, Any]) -> None:
    rule = {**rules.upload_rule(FUNCTION), **change}
    found = {"LambdaFunctionConfigurations": [rule]}
    assert not rules.tells_of_uploads(found, FUNCTION)
    again = rules.with_upload_rule(found, FUNCTION)
    assert again["LambdaFunctionConfigurations"] == [rules.upload_rule(FUNCTION)]


def test_rule_is_known_in_the_words_in_which_s3_answers() -> None:
    rule = rules.upload_rule(FUNCTION)
    answered = {
        **rule,
        "Id": "a",
        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "input/"}]}},
    }
    assert rules.tells_of_uploads({"LambdaFunctionConfigurations": [answered]}, FUNCTION)
