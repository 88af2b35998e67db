"""What the template must not let slip, beside what test_template.py holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from batchcore import tickets
from support import TEMPLATE, resources

FUNCTIONS = resources("AWS::Serverless::Function")


def test_no_function_logs_its_events_or_at_debug_level() -> None:
    # Powertools for AWS Lambda: LOG_LEVEL, LOGGER_LOG_EVENT, DEV and DEBUG make it say more. The
    # SDK's own debug log has the bodies of requests.
    variables = dict(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    for function in FUNCTIONS.values():
        variables |= function["Properties"].get("Environment", {}).get("Variables", {})
    powertools = {n: v for n, v in variables.items() if n.startswith("POWERTOOLS_")}
    assert powertools == {
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_SERVICE_NAME": {"Ref": "AWS::StackName"},
    }


def test_no_secret_is_a_parameter_or_a_variable() -> None:
    words = ("password", "secret", "token", "apikey", "credential")
    names = list(TEMPLATE["Parameters"])
    for function in FUNCTIONS.values():
        names += function["Properties"].get("Environment", {}).get("Variables", {})
    assert not [name for name in names if any(word in name.lower() for word in words)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_event_of_a_function_goes_without_the_apis_signature(name: str) -> None:
    for event in FUNCTIONS[name]["Properties"].get("Events", {}).values():
        assert event["Type"] == "Api"
        assert "Auth" not in event["Properties"]
    # Nor is there another way in.
    assert "FunctionUrlConfig" not in FUNCTIONS[name]["Properties"]


def test_nobody_outside_the_account_is_granted_anything() -> None:
    """Every grant to a service names the account that it must act for, EventBridge's apart.

    With a condition, EventBridge would deliver nothing: see the two statements named Rules.
    """
    kinds = ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
    statements: list[Any] = []
    for kind in kinds:
        for resource in resources(kind).values():
            statements += resource["Properties"]["PolicyDocument"]["Statement"]
    for key in resources("AWS::KMS::Key").values():
        statements += key["Properties"]["KeyPolicy"]["Statement"]
    on_aws = [s.get("Fn::If", [None, s])[1] for s in statements]
    for statement in (s for s in on_aws if s["Effect"] == "Allow"):
        principal = statement["Principal"]
        assert principal != "*"
        if principal == {"Service": "events.amazonaws.com"}:
            assert "Condition" not in statement, statement["Sid"]
        elif "Service" in principal:
            conditions = json.dumps(statement["Condition"])
            assert "AWS::AccountId" in conditions, statement["Sid"]
        else:
            account = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
            assert principal == {"AWS": account}


def test_what_may_call_a_function_is_named() -> None:
    for permission in resources("AWS::Lambda::Permission").values():
        assert {"SourceArn", "SourceAccount"} <= permission["Properties"].keys()


def test_no_bucket_is_readable_or_writable_by_objects_owners_of_other_accounts() -> None:
    for bucket in resources("AWS::S3::Bucket").values():
        assert "AccessControl" not in bucket["Properties"]
        assert "CorsConfiguration" not in bucket["Properties"]
        assert "WebsiteConfiguration" not in bucket["Properties"]


def test_merge_reads_no_archived_input() -> None:
    """It writes to the archive; what others have uploaded before is none of its business."""
    policy = resources("AWS::IAM::Role")["MergeS3FilesRole"]["Properties"]["Policies"][0]
    (archive,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "Archive"]
    assert not [action for action in archive["Action"] if action.startswith("s3:Get")]


def test_function_that_starts_jobs_deletes_nothing_of_a_job_from_the_ledger() -> None:
    role = TEMPLATE["Resources"]["S3LambdaNotificationRole"]["Properties"]
    (policy,) = role["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        if {"dynamodb:DeleteItem", "dynamodb:Query"} & set(statement["Action"]):
            only = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [tickets.QUEUE]}}
            assert statement["Condition"] == only
