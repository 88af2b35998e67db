"""How a stack is set up: read from the template and the parameters that it was deployed with."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore.upload import INPUT_FORMAT
from botocore.stub import Stubber
from support import (
    HEADER,
    REGION,
    ROOT,
    SCHEMA,
    SESSION,
    STACK,
    TEMPLATE,
    environment,
    function_of,
    row,
    stack_ref,
)

from batchops.core.errors import InputError, StackError
from batchops.deployment.parameters import check_parameters
from batchops.deployment.settings import deployed_settings, shipped_settings
from batchops.planning.planner import plan_file, plan_for

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

# Of a small stack: a file of more bytes is split in ranges.
GIVEN = {"MaxConcurrency": "32", "SplitRangeBytes": "5000", "ApiRateLimit": "50"}


def stack_with(template: Any, parameters: dict[str, str]) -> StackRef:
    """Return a stack that CloudFormation describes so."""
    cfn = SESSION.client("cloudformation")
    stub = Stubber(cfn)
    given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
    found = {"StackName": STACK, "CreationTime": 0, "StackStatus": "CREATE_COMPLETE"}
    stub.add_response("describe_stacks", {"Stacks": [{**found, "Parameters": given}]})
    stub.add_response("get_template", {"TemplateBody": template})
    stub.activate()
    return stack_ref(outputs={}, cloudformation=cfn)


def test_settings_of_a_checkout_are_the_templates() -> None:
    found = shipped_settings()
    for name, function in found.functions.items():
        properties = function_of(name)
        assert function.memory_mb == properties["MemorySize"]
        assert function.timeout_s == properties["Timeout"]
    defaults = {name: each.get("Default") for name, each in TEMPLATE["Parameters"].items()}
    assert found.delimiter == defaults["FileDelimiter"]
    assert found.chunk_rows == defaults["FileChunkSize"]
    assert found.max_concurrency == defaults["MaxConcurrency"]
    assert found.range_bytes == defaults["SplitRangeBytes"]
    assert found.api_calls_per_second == defaults["ApiRateLimit"]
    assert str(found.merge_group_bytes) == environment("merge-s3-files")["MERGE_GROUP_BYTES"]


def test_settings_of_a_stack_are_those_that_it_was_deployed_with() -> None:
    template = copy.deepcopy(TEMPLATE)
    template["Resources"]["ReadFileFunction"]["Properties"]["MemorySize"] = 2_048
    found = deployed_settings(stack_with(json.dumps(template), GIVEN))
    assert found.functions["read-file"].memory_mb == 2_048
    assert (found.max_concurrency, found.range_bytes) == (32, 5_000)
    assert found.api_calls_per_second == 50
    assert found.chunk_rows == shipped_settings().chunk_rows


def test_local_stack_is_planned_for_aws_with_the_concurrency_of_a_stack_there() -> None:
    given = {"MaxConcurrency": "2", "LocalEngine": "true"}
    found = deployed_settings(stack_with(json.dumps(TEMPLATE), given))
    assert found.max_concurrency == shipped_settings().max_concurrency != 2


def test_plan_says_that_prices_of_another_region_may_differ() -> None:
    settings = dataclasses.replace(shipped_settings(), region="eu-central-1")
    there, here = (
        plan_file(HEADER + row(), schema=SCHEMA, settings=each)
        for each in (settings, dataclasses.replace(settings, region="us-east-1"))
    )
    assert "us-east-1 prices of" in there.basis
    assert "may differ from those of eu-central-1" in there.basis
    assert "may differ" in str(there.cost)
    assert "may differ" not in here.basis


def test_stack_of_an_earlier_version_does_not_limit_its_api() -> None:
    template = copy.deepcopy(TEMPLATE)
    del template["Parameters"]["ApiRateLimit"]
    given = {name: value for name, value in GIVEN.items() if name != "ApiRateLimit"}
    found = deployed_settings(stack_with(json.dumps(template), given))
    assert found.api_calls_per_second is None


def described(**parameters: str) -> dict[str, Any]:
    given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
    return {"Parameters": given}


@pytest.mark.parametrize(
    ("found", "given"),
    [
        ({}, {"ReservedConcurrency": 7}),  # the template's MaxConcurrency is 8
        ({}, {"ReservedConcurrency": "20", "MaxConcurrency": 21}),
        (described(MaxConcurrency="50"), {"ReservedConcurrency": 49}),
        (described(ReservedConcurrency="8", MaxConcurrency="8"), {"MaxConcurrency": 9}),
    ],
)
def test_fewer_executions_than_a_single_job_calls_for_are_not_reserved(
    found: dict[str, Any], given: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="a single job would be throttled: give at least"):
        check_parameters(TEMPLATE, found, given)


@pytest.mark.parametrize(
    ("found", "given"),
    [
        ({}, {}),
        ({}, {"ReservedConcurrency": 8}),
        (described(ReservedConcurrency="8", MaxConcurrency="8"), {"ReservedConcurrency": 0}),
        (described(MaxConcurrency="50"), {"ReservedConcurrency": 20, "MaxConcurrency": 20}),
        ({}, {"ReservedConcurrency": "many"}),  # which CloudFormation refuses
    ],
)
def test_other_reserved_executions_are_taken(found: dict[str, Any], given: dict[str, Any]) -> None:
    check_parameters(TEMPLATE, found, given)


@pytest.mark.parametrize(
    ("found", "given", "least"),
    [
        ({}, {"LedgerExpiryDays": 31}, 32),
        (described(IntermediateExpiryDays="7"), {"LedgerExpiryDays": "8"}, 9),
        (described(LedgerExpiryDays="40"), {"IntermediateExpiryDays": 39}, 41),
    ],
)
def test_entries_do_not_expire_while_a_rerun_needs_them(
    found: dict[str, Any], given: dict[str, Any], least: int
) -> None:
    with pytest.raises(InputError, match=f"LedgerExpiryDays=.* give at least {least}, or 0"):
        check_parameters(TEMPLATE, found, given)


@pytest.mark.parametrize(
    ("found", "given"),
    [
        ({}, {"LedgerExpiryDays": 32}),
        ({}, {"LedgerExpiryDays": 0, "IntermediateExpiryDays": 365}),
        (described(LedgerExpiryDays="20"), {"IntermediateExpiryDays": 7}),
        ({}, {"LedgerExpiryDays": "long"}),  # which CloudFormation refuses
    ],
)
def test_entries_that_outlive_chunks_may_expire(
    found: dict[str, Any], given: dict[str, Any]
) -> None:
    check_parameters(TEMPLATE, found, given)


def test_template_of_an_earlier_version_has_less_to_fit() -> None:
    check_parameters({"Parameters": {}}, described(LedgerExpiryDays="1"), {"MaxConcurrency": 9})


def test_stack_of_an_earlier_version_takes_plain_files_only() -> None:
    template = copy.deepcopy(TEMPLATE)
    assert deployed_settings(stack_with(json.dumps(template), GIVEN)).input_format == INPUT_FORMAT
    del template["Outputs"]["InputFormat"]
    assert deployed_settings(stack_with(json.dumps(template), GIVEN)).input_format == 1


def test_template_of_another_tool_may_be_yaml() -> None:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    found = deployed_settings(stack_with(text, {}))
    assert found == dataclasses.replace(shipped_settings(), region=REGION)


@pytest.mark.parametrize(
    ("template", "parameters", "lacking"),
    [
        ({**TEMPLATE, "Parameters": {}}, GIVEN, "FileDelimiter"),
        ({**TEMPLATE, "Resources": {}}, GIVEN, "merge-s3-files"),
        (TEMPLATE, {"MaxConcurrency": ""}, "invalid literal"),
        ({"Resources": {}}, {}, "Parameters"),
    ],
)
def test_stack_that_is_not_whole_is_said_to_be(
    template: Any, parameters: dict[str, str], lacking: str
) -> None:
    stack = stack_with(json.dumps(template), parameters)
    with pytest.raises(StackError, match=rf"'{STACK}'.*{lacking}.*: deploy it again"):
        plan_for(stack, HEADER + row())
