"""The policy of who deploys a stack, which the stack cannot hold itself, and of a service role.

CloudFormation makes the resources with the rights of who deploys, or with those of a role that it
takes (``deploy(role_arn=...)``). What the verbs call themselves stands in `VERBS`, and the tests
hold it to their calls. What CloudFormation then calls, no engine shows: that is a list of services,
each bound to the names that the stack's resources get.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchops.core.errors import InputError
from batchops.deployment.artifact_bucket import bucket_name
from batchops.deployment.people import Calls, calls
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

WHO = ("deployer", "service-role")

# CloudFormation shortens a stack's name in the names of its resources, where they would be too
# long: as many characters of it are in every name.
_NAME_CHARACTERS = 24

_PREPARED = calls(
    stack="cloudformation:DescribeStacks cloudformation:CreateChangeSet "
    "cloudformation:DescribeChangeSet cloudformation:DeleteChangeSet cloudformation:GetTemplate "
    "cloudformation:DescribeStackEvents cloudformation:DescribeEvents "
    # A change set for a new stack makes an empty one, which is deleted if no other needs it.
    "cloudformation:ListChangeSets cloudformation:DeleteStack",
    transform="cloudformation:CreateChangeSet",
    any="cloudformation:GetTemplateSummary apigateway:GET",
    artifacts="s3:ListBucket s3:CreateBucket s3:GetBucketPolicy s3:PutBucketPolicy "
    "s3:PutBucketVersioning s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration "
    "s3:PutBucketOwnershipControls s3:PutBucketPublicAccessBlock s3:GetObject s3:PutObject",
)
_TABLES = "dynamodb:DescribeTable dynamodb:Query dynamodb:GetItem"
VERBS: dict[str, Calls] = {
    "preview": _PREPARED,
    "deploy": calls(
        _PREPARED,
        stack="cloudformation:ExecuteChangeSet cloudformation:UpdateTerminationProtection",
        buckets="s3:GetBucketNotification s3:PutBucketNotification",
    ),
    "status": calls(stack="cloudformation:DescribeStacks"),
    "outputs": calls(stack="cloudformation:DescribeStacks"),
    "resources": calls(stack="cloudformation:DescribeStacks cloudformation:ListStackResources"),
    "drift": calls(
        # For DetectStackDrift AWS asks for two actions more (AWS CloudFormation user guide).
        stack="cloudformation:DescribeStacks cloudformation:DetectStackDrift "
        "cloudformation:DetectStackResourceDrift cloudformation:DescribeStackResourceDrifts",
        any="cloudformation:DescribeStackDriftDetectionStatus "
        "cloudformation:BatchDescribeTypeConfigurations",
        buckets="s3:GetBucketNotification",
    ),
    "doctor": calls(
        stack="cloudformation:DescribeStacks",
        artifacts="s3:ListBucket",
        buckets="s3:GetBucketNotification",
        any="apigateway:GET lambda:GetAccountSettings servicequotas:ListServiceQuotas "
        "ses:GetAccount ses:GetEmailIdentity ses:ListEmailIdentities",
    ),
    "destroy": calls(
        stack="cloudformation:DescribeStacks cloudformation:DeleteStack "
        "cloudformation:DescribeStackEvents",
        buckets="s3:ListBucketVersions s3:ListBucketMultipartUploads s3:AbortMultipartUpload "
        "s3:DeleteObject s3:DeleteObjectVersion s3:DeleteBucket",
        tables=_TABLES,
        workflows="states:ListExecutions",
    ),
}
# The services whose resources CloudFormation makes, and the names that these get.
_SERVICES: dict[str, tuple[str, ...]] = {
    "lambda": ("lambda:function:{name}*", "lambda:layer:{name}*"),
    "states": ("states:stateMachine:{name}*",),
    "dynamodb": ("dynamodb:table/{name}*",),
    "sqs": ("sqs:{name}*",),
    "sns": ("sns:{name}*",),
    "events": ("events:rule/{name}*",),
    "cloudwatch": ("cloudwatch:alarm:{name}*", "cloudwatch:dashboard/{name}*"),
    "logs": ("logs:log-group:/aws/lambda/{name}*", "logs:log-group:/aws/vendedlogs/{name}*"),
}
_UNNAMED = (
    "kms:CreateKey",
    "kms:DescribeKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
    # What is encrypted with it, and log delivery, are set up in the name of who deploys.
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
# With these somebody could give a role more than the boundary allows.
_BOUND = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DetachRolePolicy",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
_ROLES = (
    "iam:DeleteRole",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:ListRoleTags",
    "iam:PassRole",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
_POLICIES = (
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
    "iam:ListPolicyTags",
    "iam:TagPolicy",
    "iam:UntagPolicy",
)


@dataclass(frozen=True)
class Policy(Shown):
    """An IAM policy.

    Attributes
    ----------
    document : mapping
        The policy, as IAM takes it.
    """

    document: Mapping[str, Any]

    def _blocks(self) -> Iterator[Block]:
        text = json.dumps(self.document, indent=2)
        yield Block.table(("policy",), [(text,)], lines=text.splitlines())


def deployment_policy(
    stack: StackRef, who: str, *, role_arn: str | None = None, boundary: str | None = None
) -> Policy:
    """Return the policy of who deploys a stack, or of the role that CloudFormation takes.

    Parameters
    ----------
    stack
        The stack; it need not exist.
    who
        ``"deployer"`` or ``"service-role"``.
    role_arn
        Of the deployer: the service role, so that the deployer may hand it over and has no rights
        of its own to make resources.
    boundary
        The permissions boundary of the stack's roles: none can be made without it.

    Raises
    ------
    InputError
    CredentialsError, AwsError
        It names the account.
    """
    if who not in WHO:
        raise InputError(f"no policy {who!r}: give {' or '.join(WHO)}")
    if role_arn and who != "deployer":
        raise InputError("a service role takes no other role: leave role_arn out")
    statements = list(_verb_statements(stack)) if who == "deployer" else []
    if role_arn:
        taken = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
        statements.append(_allow("ServiceRole", ["iam:PassRole"], [role_arn], taken))
    else:
        statements += _resource_statements(stack, boundary)
    return Policy({"Version": "2012-10-17", "Statement": statements})


def _verb_statements(stack: StackRef) -> Iterator[dict[str, Any]]:
    """Yield a statement for each thing that the deployer's verbs call for."""
    name, artifacts = stack.name[:_NAME_CHARACTERS], f"arn:aws:s3:::{bucket_name(stack.target)}"
    bucket = f"arn:aws:s3:::{name.lower()}*"
    places = {
        "stack": [_arn(stack, f"cloudformation:stack/{stack.name}/*")],
        "transform": [f"arn:aws:cloudformation:{stack.target.region}:aws:transform/Serverless-*"],
        "any": ["*"],
        "artifacts": [artifacts, f"{artifacts}/*"],
        "buckets": [bucket],
        "tables": [_arn(stack, f"dynamodb:table/{name}*")],
        "workflows": [_arn(stack, f"states:stateMachine:{name}*")],
    }
    found = calls(*VERBS.values())
    for place, arns in places.items():
        yield _allow(f"Verbs{place.title()}", sorted(found[place]), arns)


def _resource_statements(stack: StackRef, boundary: str | None) -> Iterator[dict[str, Any]]:
    """Yield the statements for what CloudFormation makes."""
    name, account = stack.name[:_NAME_CHARACTERS], stack.target.account_id
    for service, patterns in _SERVICES.items():
        arns = [_arn(stack, pattern.format(name=name)) for pattern in patterns]
        yield _allow(f"Make{service.title()}", [f"{service}:*"], arns)
    yield _allow("MakeS3", ["s3:*"], [f"arn:aws:s3:::{name.lower()}*"])
    artifacts = f"arn:aws:s3:::{bucket_name(stack.target)}/*"
    yield _allow("ReadArtifacts", ["s3:GetObject", "s3:GetObjectVersion"], [artifacts])
    api = f"arn:aws:apigateway:{stack.target.region}::/"
    yield _allow("MakeApi", ["apigateway:*"], [f"{api}{part}" for part in _API])
    yield _allow("MakeUnnamed", list(_UNNAMED), ["*"])
    role = f"arn:aws:iam::{account}:role/{name}*"
    bound = {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else None
    yield _allow("MakeRoles", list(_BOUND), [role], bound)
    yield _allow("KeepRoles", list(_ROLES), [role])
    yield _allow("MakePolicies", list(_POLICIES), [f"arn:aws:iam::{account}:policy/{name}*"])


_API = ("restapis*", "account", "tags/*")


def _arn(stack: StackRef, rest: str) -> str:
    service, _, what = rest.partition(":")
    region = "" if what.startswith("dashboard/") else stack.target.region
    return f"arn:aws:{service}:{region}:{stack.target.account_id}:{what}"


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: Any = None
) -> dict[str, Any]:
    found = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return found | ({"Condition": condition} if condition else {})
