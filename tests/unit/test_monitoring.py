"""Alarms, dashboard and runbook: each refers to what is there, and to each other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from batchcore import metrics
from support import ROOT, TEMPLATE, resource, resources

ALARMS = resources("AWS::CloudWatch::Alarm")
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BODY = resource("Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS: list[dict[str, Any]] = json.loads(BODY)["widgets"]

# What a dimension's value must be: Ref or the attribute that is the resource's name there.
DIMENSIONS = {
    "StateMachineArn": ("AWS::Serverless::StateMachine", "Ref"),
    "QueueName": ("AWS::SQS::Queue", "QueueName"),
    "FunctionName": ("AWS::Serverless::Function", "Ref"),
    "TableName": ("AWS::DynamoDB::Table", "Ref"),
}


def properties(alarm: str) -> dict[str, Any]:
    return dict(resource(alarm)["Properties"])


def charted() -> list[list[Any]]:
    """Return the metrics of all widgets, each as [namespace, metric, dimension, value, options]."""
    return [metric for w in WIDGETS for metric in w["properties"].get("metrics", [])]


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_tells_the_topic_and_is_quiet_where_nothing_happens(alarm: str) -> None:
    found = properties(alarm)
    assert found["AlarmActions"] == [{"Ref": "SNSTopic"}]
    assert found["TreatMissingData"] == "notBreaching"
    assert found["ComparisonOperator"] == "GreaterThanThreshold"
    assert found["AlarmDescription"].endswith(".")


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_watches_a_resource_of_this_stack(alarm: str) -> None:
    for dimension in properties(alarm).get("Dimensions", []):
        kind, by = DIMENSIONS[dimension["Name"]]
        value = dimension["Value"]
        name = value["Ref"] if by == "Ref" else value["Fn::GetAtt"][0]
        assert resource(name)["Type"] == kind
        assert by == "Ref" or value["Fn::GetAtt"][1] == by


def test_only_throttling_is_watched_for_the_whole_account() -> None:
    assert [a for a in ALARMS if "Dimensions" not in properties(a)] == ["ThrottlesAlarm"]


def test_every_function_that_works_on_jobs_has_an_alarm_for_its_errors() -> None:
    watched = {
        properties(alarm)["Dimensions"][0]["Value"]["Ref"]
        for alarm in ALARMS
        if properties(alarm)["MetricName"] == "Errors"
    }
    assert watched == set(resources("AWS::Serverless::Function")) - {"CustomResourceFunction"}


def test_failed_jobs_and_waiting_uploads_are_told_of_at_once() -> None:
    for alarm in ("FailedJobsAlarm", "UnstartedUploadsAlarm", "LostUploadsAlarm"):
        assert properties(alarm)["Threshold"] == 0
        assert properties(alarm)["EvaluationPeriods"] == 1


def test_dashboard_shows_every_alarm() -> None:
    (widget,) = [w for w in WIDGETS if w["type"] == "alarm"]
    assert widget["properties"]["alarms"] == [f"${{{alarm}.Arn}}" for alarm in ALARMS]


def test_dashboard_charts_resources_of_this_stack() -> None:
    for namespace, _, dimension, value, _ in charted():
        if dimension in DIMENSIONS:
            kind, by = DIMENSIONS[dimension]
            name, _, attribute = value.removeprefix("${").removesuffix("}").partition(".")
            assert resource(name)["Type"] == kind
            assert attribute == ("" if by == "Ref" else by)
        else:
            assert (namespace, dimension, value) in {
                ("batchops", "service", "${AWS::StackName}"),
                ("AWS/ApiGateway", "ApiName", resource("Api")["Properties"]["Name"]["Fn::Sub"]),
            }


def test_dashboard_charts_the_rows_that_the_functions_publish() -> None:
    own = {metric for namespace, metric, *_ in charted() if namespace == metrics.NAMESPACE}
    assert own == set(metrics.ROWS.values())
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}


def test_dashboard_charts_what_every_alarm_watches() -> None:
    shown = {(namespace, metric) for namespace, metric, *_ in charted()}
    watched = {(properties(a)["Namespace"], properties(a)["MetricName"]) for a in ALARMS}
    # An upload that is lost is a matter of the alarm alone: the chart would always be empty.
    assert watched - shown == {("AWS/Lambda", "DestinationDeliveryFailures")}


def test_widgets_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for w in WIDGETS:
        cells = {
            (x, y)
            for x in range(w["x"], w["x"] + w["width"])
            for y in range(w["y"], w["y"] + w["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_runbook_says_what_to_do_on_each_alarm() -> None:
    headings = set(re.findall(r"^#+ .*`(\w+Alarm)`", RUNBOOK, flags=re.MULTILINE))
    errors = {a for a in ALARMS if properties(a)["MetricName"] == "Errors"}
    grouped = errors - {"SendEmailErrorsAlarm", "S3LambdaNotificationErrorsAlarm"}
    assert headings == set(ALARMS) - grouped
    for alarm in grouped:
        assert f"`{alarm}`" in RUNBOOK
