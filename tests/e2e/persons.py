"""Users of the engine's account, who have one policy and no other rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from e2e.recorded import RecordedTarget

from batchops.local.engine import LocalEngine
from batchops.stack import Stack

# What the engine asks for in another way than AWS (MiniStack 1.5.33); given beside the policy.
ENGINE_ONLY = {
    "lambda:ListLayers": "GetLayerVersionByArn, which on AWS needs lambda:GetLayerVersion",
    "states:DescribeMapRun": "asked for everything, and not for the one map run",
    "cloudformation:DescribeChangeSet": "the same, of a change set by its ARN",
    "cloudformation:ExecuteChangeSet": "the same",
    "cloudformation:DeleteChangeSet": "the same",
}


class Person:
    """The engine as a user of its account has it."""

    def __init__(self, engine: LocalEngine, key: dict[str, str]) -> None:
        running = engine.find()
        assert running is not None
        self.engine = engine
        self._endpoint = SimpleNamespace(
            endpoint_url=running.endpoint_url,
            region=running.region,
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
        )

    silent = ""

    def find(self) -> Any:
        return self._endpoint

    start = find

    def moved(self, _: object) -> bool:
        return False


@contextmanager
def as_user(
    stack: Stack, engine: LocalEngine, role: str, policy: str, *local: str
) -> Iterator[tuple[Stack, RecordedTarget]]:
    """Give a stack as a user with a policy has it, and the target that records the calls."""
    iam, name = stack.client("iam"), f"{stack.name}-{role}"
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=policy)
    statement = {"Effect": "Allow", "Action": [*ENGINE_ONLY, *local], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="engine", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        target = RecordedTarget(Person(engine, key))
        theirs = Stack(stack.name, engine=engine)
        theirs.target = target
        yield theirs, target
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="engine")
        iam.detach_user_policy(UserName=name, PolicyArn=policy)
        iam.delete_user(UserName=name)
