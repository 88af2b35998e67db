"""The policies of people: made from one table, as template and page have them, and small enough."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batchcore import workflow
from support import ACCOUNT_ID, REGION, SESSION, STACK, TEMPLATE, resources, stack_ref

import batchops
from batchops.cli.base import main
from batchops.core.errors import InputError
from batchops.deployment import deployer, people
from tools import policies

PACKAGE = Path(batchops.__file__).parent
# A call of CloudFormation in the sources, of a client or a paginator.
_CFN = re.compile(
    r"""(?:\bcfn|client\("cloudformation"\))\s*\.(?:get_paginator\("(\w+)"\)|(\w+)\()"""
)
# A managed policy may have as many characters, blanks left out (IAM quotas).
MAX_CHARACTERS = 6_144
LONGEST = "s" * 41


@pytest.mark.parametrize("path", [policies.TEMPLATE, policies.PAGE], ids=["template", "page"])
def test_template_and_page_are_as_the_table_says(path: Path) -> None:
    """``make policies`` writes them."""
    assert path.read_text(encoding="utf-8") == policies.render(path)


def test_verbs_of_the_table_are_verbs() -> None:
    for verb in (*people.VERBS, *deployer.VERBS):
        command: Any = main
        for word in verb.split():
            command = command.commands[word]


def test_every_verb_belongs_to_a_role() -> None:
    assert set(people.VERBS) == {verb for verbs in people.ROLES.values() for verb in verbs}


# Verbs that no policy of the stack has, each with the reason.
UNGRANTED = {
    "purge": "takes what somebody keeps for good: for the account to say (docs/security.md)",
    "policy": "asks who calls only",
    "demo": "starts the local engine",
    **{f"engine {verb}": "the local engine" for verb in main.commands["engine"].commands},  # type: ignore[attr-defined]
    "init": "writes files here",
    "notebooks": "writes files here",
    "sample": "writes a file here",
    "schema check": "reads files here",
    "schema infer": "reads files here",
}


def _verbs(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def test_every_verb_is_in_a_table_or_says_why_not() -> None:
    assert set(_verbs(main)) == {*people.VERBS, *deployer.VERBS, *UNGRANTED}


def test_reader_may_read_every_table() -> None:
    """A table beside one that there was is one that readers need, too."""
    readable = {arn for each in people.role_statements("reader") for arn in each.resources}
    tables = {f"${{{name}.Arn}}" for name in resources("AWS::DynamoDB::Table")}
    assert tables <= readable


@pytest.mark.parametrize("role", people.ROLES)
def test_policy_fits_into_a_managed_policy(role: str) -> None:
    statements = [
        {"Sid": each.sid, "Effect": "Allow", "Action": each.actions, "Resource": each.resources}
        for each in people.role_statements(role)
    ]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    for name, value in {
        "${AWS::Partition}": "aws",
        "${AWS::Region}": "ap-southeast-1",
        "${AWS::AccountId}": ACCOUNT_ID,
        "${AWS::StackName}": LONGEST,
    }.items():
        text = text.replace(name, value)
    assert len(text) + 40 * text.count(".Arn}") <= MAX_CHARACTERS


@pytest.mark.parametrize("role", people.ROLES)
def test_policy_names_whole_names_of_this_stack(role: str) -> None:
    """With ``orders-*`` the policy of a stack "orders" would reach a stack "orders-dev" too."""
    for statement in people.role_statements(role):
        for arn in statement.resources:
            assert "${AWS::StackName}*" not in arn
            assert "${AWS::StackName}-*" not in arn
            assert "${AWS::StackName}" in arn or arn.startswith("${")
        assert not any("*" in action for action in statement.actions)


def test_no_policy_but_by_choice() -> None:
    found = resources("AWS::IAM::ManagedPolicy")
    assert len(found) == len(people.ROLES)
    assert all(each["Condition"] == "HasPeoplePolicies" for each in found.values())
    assert TEMPLATE["Parameters"]["CreatePeoplePolicies"]["Default"] == "false"


def test_every_role_takes_the_boundary_and_by_default_there_is_none() -> None:
    wanted = {
        "Fn::If": ["BoundsRoles", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}],
    }
    roles = resources("AWS::IAM::Role")
    assert [each["Properties"].get("PermissionsBoundary") for each in roles.values()] == [
        wanted
    ] * len(roles)
    assert TEMPLATE["Parameters"]["PermissionsBoundary"]["Default"] == ""


def test_functions_of_people_are_those_of_the_template_but_for_the_set_up() -> None:
    named = {arn.rpartition("${AWS::StackName}-")[2] for arn in people.RESOURCES["functions"]}
    there = {
        each["Properties"]["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for each in resources("AWS::Serverless::Function").values()
    }
    assert named == there - {"custom-resource"}
    assert workflow.NOTIFICATION in named


# -------------------------------------------------------------------------------- the deployer


class _Sts:
    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT_ID}


def policy(who: str, **options: Any) -> dict[str, Any]:
    stack = stack_ref(outputs={}, sts=_Sts())
    found = deployer.deployment_policy(stack, who, **options).document
    return {statement["Sid"]: statement for statement in found["Statement"]}


def test_every_call_of_cloudformation_is_in_the_deployers_table() -> None:
    """Those too that a run on the engine does not come to, such as after a failure."""
    methods = {
        method
        for path in (PACKAGE / "deployment").glob("*.py")
        for found in _CFN.findall(path.read_text(encoding="utf-8"))
        for method in found
        if method
    }
    operations = SESSION.client("cloudformation").meta.method_to_api_mapping
    called = {f"cloudformation:{operations[each]}" for each in methods if each in operations}
    assert len(called) > 10
    granted = set().union(*people.calls(*deployer.VERBS.values()).values())
    assert called - granted == set()


def test_deployer_without_a_service_role_has_the_rights_to_make_everything() -> None:
    assert set(policy("deployer")) > set(policy("service-role"))


def test_deployer_with_a_service_role_hands_that_over_and_makes_nothing() -> None:
    arn = f"arn:aws:iam::{ACCOUNT_ID}:role/cfn"
    found = policy("deployer", role_arn=arn)
    assert not [sid for sid in found if sid.startswith(("Make", "Keep"))]
    passed = found["ServiceRole"]
    assert (passed["Action"], passed["Resource"]) == (["iam:PassRole"], [arn])
    assert passed["Condition"]["StringEquals"] == {
        "iam:PassedToService": "cloudformation.amazonaws.com"
    }


def test_with_a_boundary_no_role_is_made_or_given_rights_without_it() -> None:
    arn = f"arn:aws:iam::{ACCOUNT_ID}:policy/limit"
    for who in deployer.WHO:
        found = policy(who, boundary=arn)
        assert found["MakeRoles"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": arn}}
        others = {a for sid, s in found.items() if sid != "MakeRoles" for a in s["Action"]}
        assert not others & {"iam:*", "iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"}


def test_a_long_name_is_named_as_cloudformation_shortens_it() -> None:
    stack = stack_ref(LONGEST, outputs={}, sts=_Sts())
    found = deployer.deployment_policy(stack, "service-role").document["Statement"]
    arns = [arn for statement in found for arn in statement["Resource"]]
    assert f"arn:aws:iam::{ACCOUNT_ID}:role/{'s' * 24}*" in arns
    assert f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{'s' * 24}*" in arns


def test_every_service_of_the_template_can_be_made() -> None:
    made = {a.partition(":")[0] for s in policy("service-role").values() for a in s["Action"]}
    services = {each["Type"].split("::")[1].lower() for each in TEMPLATE["Resources"].values()}
    services -= {"serverless", "cloudformation"}
    assert made >= services | {"apigateway", "states"}


@pytest.mark.parametrize(
    ("who", "options", "says"),
    [
        pytest.param("nobody", {}, "deployer or service-role", id="unknown"),
        pytest.param("service-role", {"role_arn": "a"}, "leave role_arn out", id="role of a role"),
    ],
)
def test_what_makes_no_policy_is_refused(who: str, options: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        policy(who, **options)


def test_text_of_a_policy_is_its_json() -> None:
    found = deployer.deployment_policy(stack_ref(STACK, outputs={}, sts=_Sts()), "deployer")
    assert json.loads(str(found)) == found.document
