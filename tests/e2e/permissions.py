"""Change the deployed stack for a while: its roles' policies, its functions' settings."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from batchops.stack import Stack

Statement = dict[str, Any]


class Grant(NamedTuple):
    """One action on one resource, the place-th, of a statement of a role."""

    role: str
    sid: str
    action: str
    place: int


@contextmanager
def without_permission(stack: Stack, role: str, sid: str) -> Iterator[None]:
    """Take one statement out of a role's policy for a while."""

    def cut(statements: list[Statement]) -> list[Statement]:
        kept = [statement for statement in statements if statement["Sid"] != sid]
        assert len(kept) == len(statements) - 1
        return kept

    with _changed_policy(stack, role, cut):
        yield


@contextmanager
def without_grant(stack: Stack, grant: Grant) -> Iterator[None]:
    """Take one grant from a role for a while."""
    role, sid, action, place = grant

    def cut(statements: list[Statement]) -> list[Statement]:
        (found,) = [statement for statement in statements if statement["Sid"] == sid]
        actions, resources = as_list(found["Action"]), as_list(found["Resource"])
        assert action in actions
        kept = [statement for statement in statements if statement["Sid"] != sid]
        # The other actions as before; this one on the other resources.
        others = [other for other in actions if other != action]
        elsewhere = resources[:place] + resources[place + 1 :]
        kept += [{**found, "Action": others}] if others else []
        rest = {**found, "Sid": f"{sid}Elsewhere", "Action": action, "Resource": elsewhere}
        return [*kept, rest] if elsewhere else kept

    with _changed_policy(stack, role, cut):
        yield


@contextmanager
def denied(stack: Stack, role: str, action: str, resource: str) -> Iterator[None]:
    """Deny a role one action on some resources for a while."""
    statement = {"Sid": "Denied", "Effect": "Deny", "Action": action, "Resource": resource}
    with _changed_policy(stack, role, lambda statements: [*statements, statement]):
        yield


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def physical_id(stack: Stack, logical_id: str) -> str:
    """Return the name that a resource of the stack has in the account."""
    found = stack.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId=logical_id
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


@contextmanager
def _changed_policy(
    stack: Stack, role: str, change: Callable[[list[Statement]], list[Statement]]
) -> Iterator[None]:
    iam, name = stack.client("iam"), physical_id(stack, role)
    policy = iam.get_role_policy(RoleName=name, PolicyName="work")["PolicyDocument"]
    put = {"RoleName": name, "PolicyName": "work"}
    changed = {**policy, "Statement": change(policy["Statement"])}
    iam.put_role_policy(**put, PolicyDocument=json.dumps(changed))
    try:
        yield
    finally:
        iam.put_role_policy(**put, PolicyDocument=json.dumps(policy))


@contextmanager
def with_variables(stack: Stack, function: str, **changed: str) -> Iterator[None]:
    """Change variables of a function's environment for a while."""
    functions, name = stack.client("lambda"), f"{stack.name}-{function}"
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def put(variables: dict[str, str]) -> None:
        environment = {"Variables": variables}
        functions.update_function_configuration(FunctionName=name, Environment=environment)

    put({**before, **changed})
    try:
        yield
    finally:
        put(before)


@contextmanager
def unanswered(stack: Stack) -> Iterator[None]:
    """Leave every look-up unanswered for a while, so that jobs go on running for minutes."""
    engine = stack.client("s3").meta.endpoint_url
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {"AWS_ENDPOINT_URL": nobody, "AWS_ENDPOINT_URL_S3": engine}
        with with_variables(stack, "enrich-data", **variables):
            yield


@contextmanager
def taken_role(stack: Stack, role: str) -> Iterator[tuple[str, str, str]]:
    """Give credentials with a role's policy: key id, secret and token.

    They are of a copy of the role that the test may take; the role itself trusts one service.
    """
    iam, name = stack.client("iam"), f"copy-of-{role}"
    policy = iam.get_role_policy(RoleName=physical_id(stack, role), PolicyName="work")
    account = {"AWS": f"arn:aws:iam::{stack.target.account_id}:root"}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": account}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    document = json.dumps(policy["PolicyDocument"])
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=document)
    taken = stack.client("sts").assume_role(RoleArn=arn, RoleSessionName="probe")["Credentials"]
    try:
        yield taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"]
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="work")
        iam.delete_role(RoleName=name)
