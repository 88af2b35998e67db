"""The workflows retry every task of a service alike, only what may pass, spread and bounded.

The states language has no way to share a retry block, so the same one stands in many states. What
each service's tasks have is said here once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from asl import MACHINES, states

if TYPE_CHECKING:
    from asl import State

Block = dict[str, Any]


def block(*errors: str, tries: int, longest_s: int, first_s: int = 1) -> Block:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": first_s,
        "BackoffRate": 2,
        "MaxAttempts": tries,
        "MaxDelaySeconds": longest_s,
        "JitterStrategy": "FULL",
    }


POLICIES: dict[str, list[Block]] = {
    "lambda": [
        # A new account may have ten concurrent executions in all, so a throttle can last.
        block("Lambda.TooManyRequestsException", "TransientError", tries=30, longest_s=120),
        block(
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            tries=8,
            longest_s=60,
        ),
        # The function died. A third death of the same call is not chance.
        block(
            "Lambda.Unknown",
            "Lambda.ClientExecutionTimeoutException",
            "Sandbox.Timedout",
            "Runtime.ExitError",
            "Runtime.OutOfMemory",
            # How the local engine reports any exception of a Python function.
            "Runtime.HandlerError",
            "States.Timeout",
            tries=2,
            longest_s=60,
            first_s=2,
        ),
    ],
    "dynamodb": [
        block(
            "DynamoDB.ProvisionedThroughputExceededException",
            "DynamoDB.RequestLimitExceededException",
            "DynamoDB.ThrottlingException",
            "DynamoDB.InternalServerErrorException",
            "DynamoDB.AmazonDynamoDBException",
            "DynamoDB.SdkClientException",
            tries=8,
            longest_s=60,
        )
    ],
    "sns": [
        block(
            "SNS.InternalErrorException",
            "SNS.ThrottledException",
            "SNS.KMSThrottlingException",
            "SNS.AmazonSNSException",
            "SNS.SdkClientException",
            tries=8,
            longest_s=60,
        )
    ],
    # Mail and notice wait for it, and Step Functions tells of the same end, so not for long.
    "events": [
        block(
            "EventBridge.FailedEntry",
            "EventBridge.InternalException",
            "EventBridge.ThrottlingException",
            "EventBridge.EventBridgeException",
            "EventBridge.SdkClientException",
            tries=4,
            longest_s=30,
        )
    ],
    # It starts a chunk's workflow, whose states have retries of their own. What is left is that
    # the start is refused while too many executions are open, which lasts like a throttle. The
    # workflow's own failure is not retried: its name is fixed, and a chunk runs once an attempt.
    "states": [
        block(
            "StepFunctions.ExecutionLimitExceededException",
            "StepFunctions.ThrottlingException",
            "StepFunctions.ServiceUnavailableException",
            "StepFunctions.AWSStepFunctionsException",
            "StepFunctions.SdkClientException",
            tries=30,
            longest_s=120,
        )
    ],
}

# State -> what it retries instead of its service's policy, and why.
DIFFERENT: dict[str, list[Block]] = {
    # Nothing depends on a mail. It is given up within minutes, and the ledger says so.
    "Email the file": [
        block(
            "Lambda.TooManyRequestsException",
            "TransientError",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            tries=6,
            longest_s=30,
        ),
        POLICIES["lambda"][-1],
    ],
}

TASKS = [
    pytest.param(name, state, id=f"{machine}: {name}")
    for machine in MACHINES
    for name, state in states(machine).items()
    if state["Type"] == "Task"
]
BLOCKS = [(service, each) for service, blocks in POLICIES.items() for each in blocks]


def service_of(state: State) -> str:
    """Return the service that a task calls."""
    resource: str = state["Resource"]
    return "lambda" if ":function:" in resource else resource.split(":::")[1].partition(":")[0]


@pytest.mark.parametrize(("name", "state"), TASKS)
def test_task_is_retried_like_all_of_its_service(name: str, state: State) -> None:
    assert state["Retry"] == DIFFERENT.get(name, POLICIES[service_of(state)])


def test_every_policy_is_that_of_some_task() -> None:
    found = [states(machine) for machine in MACHINES]
    tasks = [state for each in found for state in each.values() if state["Type"] == "Task"]
    assert {service_of(state) for state in tasks} == POLICIES.keys()
    assert DIFFERENT.keys() <= {name for each in found for name in each}


def test_only_tasks_are_retried() -> None:
    # A Map's children retry for themselves; the Map itself would begin with all of them again.
    for machine in MACHINES:
        for name, state in states(machine).items():
            assert ("Retry" in state) == (state["Type"] == "Task"), name


# ------------------------------------------------------------------------------- policies

# Names without a service: our own, Step Functions' own, and how Lambda says that a function died.
TRANSIENT = {
    "TransientError",
    "States.Timeout",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Runtime.HandlerError",
}
# AWS service -> the prefix of its errors in Step Functions.
PREFIXES = {
    "lambda": "Lambda",
    "dynamodb": "DynamoDB",
    "sns": "SNS",
    "events": "EventBridge",
    "states": "StepFunctions",
}
PASSING = re.compile(
    r"\w+\.(Throttling|Throttled|KMSThrottling|TooManyRequests|RequestLimitExceeded|SdkClient|"
    r"ProvisionedThroughputExceeded|InternalServerError|InternalError|Service|ServiceUnavailable|"
    r"AWSLambda|AmazonDynamoDB|AmazonSNS|AWSStepFunctions|ExecutionLimitExceeded|"
    r"ClientExecutionTimeout|Internal|EventBridge)Exception|Lambda\.Unknown|EventBridge\.FailedEntry"
)


@pytest.mark.parametrize(("service", "found"), BLOCKS)
def test_what_is_retried_may_pass(service: str, found: Block) -> None:
    for error in found["ErrorEquals"]:
        assert error in TRANSIENT or (
            PASSING.fullmatch(error) and error.startswith(f"{PREFIXES[service]}.")
        )


@pytest.mark.parametrize(("service", "found"), BLOCKS)
def test_retries_are_spread_and_bounded(service: str, found: Block) -> None:
    assert found["JitterStrategy"] == "FULL"
    assert found["BackoffRate"] > 1
    assert found["IntervalSeconds"] >= 1
    assert 1 <= found["MaxAttempts"] <= 99
    assert found["IntervalSeconds"] < found["MaxDelaySeconds"] <= 300
