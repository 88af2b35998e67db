"""Break the deployed stack for a while, by its own roles' policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from batchops.stack import Stack


@contextmanager
def without_permission(stack: Stack, role: str, sid: str) -> Iterator[None]:
    """Take one statement out of a role's policy for a while."""

    def cut(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [statement for statement in statements if statement["Sid"] != sid]
        assert len(kept) == len(statements) - 1
        return kept

    with _changed_policy(stack, role, cut):
        yield


@contextmanager
def denied(stack: Stack, role: str, action: str, resource: str) -> Iterator[None]:
    """Deny a role one action on some resources for a while."""
    statement = {"Sid": "Denied", "Effect": "Deny", "Action": action, "Resource": resource}
    with _changed_policy(stack, role, lambda statements: [*statements, statement]):
        yield


@contextmanager
def _changed_policy(stack: Stack, role: str, change: Any) -> Iterator[None]:
    iam, cloudformation = stack.client("iam"), stack.client("cloudformation")
    resource = cloudformation.describe_stack_resource(StackName=stack.name, LogicalResourceId=role)
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    policy = iam.get_role_policy(RoleName=name, PolicyName="work")["PolicyDocument"]
    put = {"RoleName": name, "PolicyName": "work"}
    changed = {**policy, "Statement": change(policy["Statement"])}
    iam.put_role_policy(**put, PolicyDocument=json.dumps(changed))
    try:
        yield
    finally:
        iam.put_role_policy(**put, PolicyDocument=json.dumps(policy))
