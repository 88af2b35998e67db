"""Who deploys: with the printed policy all verbs work, in an account with rules of its own.

Its resources have tags, and it may not be deleted until that is allowed. The engine neither checks
what CloudFormation calls itself, nor gives the roles that this makes their boundary: the template
tests hold that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batchcore import jobs
from e2e.jobs import TIMEOUT_S
from e2e.permissions import physical_id
from e2e.persons import as_user
from e2e.recorded import RecordedTarget
from e2e.rows import order, to_csv
from support import resources

from batchops.core.errors import AccessDeniedError, StackError
from batchops.deployment import deployer
from batchops.deployment.artifact_bucket import bucket_name
from batchops.inspection.checks import check_uploads
from batchops.inspection.doctor_aws import aws_checks
from batchops.local.engine import LocalEngine
from batchops.recovery.reconcile import reconcile
from batchops.stack import Stack

NAME = "deployed"
# Actions of the table that no verb makes here, each with the reason.
UNRECORDED = {
    "apigateway:GET": "called GetAccount by the SDK, and asked for on AWS only",
    "cloudformation:CreateChangeSet": "recorded; on the transform it is AWS that asks for it",
    "cloudformation:DescribeEvents": "only where a deployment failed before it began",
    "cloudformation:DetectStackResourceDrift": "AWS asks for it beside DetectStackDrift",
    "cloudformation:BatchDescribeTypeConfigurations": "the same",
    "cloudformation:ListChangeSets": "only where the change set for a new stack is discarded",
    "s3:AbortMultipartUpload": "only where an upload in parts broke off",
    "s3:DeleteObjectVersion": "the SDK deletes many versions with one call",
    "s3:CreateBucket": "the bucket for artifacts is there, made by another deployment",
    "s3:PutBucketPolicy": "the same",
    "s3:PutBucketVersioning": "the same",
    "s3:PutEncryptionConfiguration": "the same",
    "s3:PutLifecycleConfiguration": "the same",
    "s3:PutBucketOwnershipControls": "the same",
    "s3:PutBucketPublicAccessBlock": "the same",
    "dynamodb:GetItem": "asked for only where jobs wait",
}
# What the client calls that no policy for AWS needs.
LOCAL_ONLY = {"ses:VerifyEmailIdentity", "apigateway:GetAccount"}


@pytest.fixture(scope="module")
def boundary(stack: Stack) -> Iterator[str]:
    """A policy of the account that allows everything, which the deployer may not go beyond."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam = stack.client("iam")
    arn = iam.create_policy(PolicyName="limit", PolicyDocument=document)["Policy"]["Arn"]
    yield arn
    iam.delete_policy(PolicyArn=arn)


@pytest.fixture
def _artifacts_without_tls(stack: Stack) -> Iterator[None]:
    """Let users reach the bucket for artifacts without TLS, which the engine does not speak."""
    s3, bucket = stack.client("s3"), bucket_name(stack.target)
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket"}
    statement |= {"Resource": f"arn:aws:s3:::{bucket}"}
    other = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(other))
    yield
    s3.put_bucket_policy(Bucket=bucket, Policy=before)


@pytest.fixture
def theirs(
    stack: Stack, engine: LocalEngine, boundary: str
) -> Iterator[tuple[Stack, RecordedTarget]]:
    """The stack to deploy, as somebody with the printed policy has it."""
    iam, owner = stack.client("iam"), Stack(NAME, engine=engine)
    document = json.dumps(owner.policy("deployer", boundary=boundary).document)
    arn = iam.create_policy(PolicyName="deployer", PolicyDocument=document)["Policy"]["Arn"]
    # On the engine only, where the senders of mails are accepted by the deployment.
    with as_user(owner, engine, "deployer", arn, *LOCAL_ONLY) as found:
        yield found
    iam.delete_policy(PolicyArn=arn)
    if owner.status().deployed:
        owner.deploy(termination_protection=False)
        owner.destroy(dry_run=False, force=True)


@pytest.mark.usefixtures("_artifacts_without_tls")
def test_deployer_can_do_their_verbs_and_no_more(
    theirs: tuple[Stack, RecordedTarget],
    stack: Stack,
    boundary: str,
    few_keys: Path,
    tmp_path: Path,
) -> None:
    own, target = theirs
    reference = tmp_path / "reference.csv"  # of its own, since what is there is not uploaded again
    reference.write_bytes(b"".join(few_keys.read_bytes().splitlines(keepends=True)[:-1]))
    recorded: dict[str, set[str]] = {}

    def run(verb: str, call: Any) -> Any:
        with target.recording() as actions:
            found = call()
            recorded.setdefault(verb, set()).update(actions)
        return found

    run("doctor", lambda: list(aws_checks(own)))
    options: dict[str, Any] = {
        "reference_data": reference,
        "tags": {"team": "data"},
        "termination_protection": True,
        "PermissionsBoundary": boundary,
    }
    done = run("deploy", lambda: own.deploy(**options))
    assert done.notes == ("termination protection is on",)
    _check_tags(own)
    run("doctor", lambda: list(aws_checks(own)))
    run("preview", own.preview)
    run("status", own.status)
    run("outputs", lambda: own.outputs)
    run("resources", own.resources)
    assert run("drift", own.drift).in_sync
    _forget_an_upload(own, run)
    with pytest.raises(StackError, match="termination protection"):
        own.destroy(dry_run=False)
    run("deploy", lambda: own.deploy(termination_protection=False))
    with pytest.raises(AccessDeniedError):
        Stack(stack.name, engine=target.engine).destroy(dry_run=False, force=True)  # type: ignore[arg-type]
    run("destroy", lambda: own.destroy(dry_run=False, force=True))
    table = {verb: set().union(*calls.values()) for verb, calls in deployer.VERBS.items()}
    beyond = {verb: found - table[verb] - LOCAL_ONLY for verb, found in recorded.items()}
    assert {verb: found for verb, found in beyond.items() if found} == {}
    unused = set().union(*table.values()) - set().union(*recorded.values())
    assert unused <= UNRECORDED.keys()


def _check_tags(own: Stack) -> None:
    """What takes tags has those of the stack."""
    root = Stack(own.name, engine=own.target.engine.engine)  # type: ignore[union-attr]
    iam, wanted = root.client("iam"), {"Key": "team", "Value": "data"}
    for logical_id in resources("AWS::IAM::Role"):
        if logical_id != "ApiGatewayLogsRole":  # made by the account's first stack
            role = iam.get_role(RoleName=physical_id(root, logical_id))["Role"]
            assert wanted in role["Tags"]
    for logical_id in resources("AWS::Serverless::Function"):
        found = root.client("lambda").get_function(FunctionName=physical_id(root, logical_id))
        assert found["Tags"]["team"] == "data"


def _forget_an_upload(own: Stack, run: Any) -> None:
    """Another tool replaces the notification; a deployment that changes nothing sets it again."""
    root = Stack(own.name, engine=own.target.engine.engine)  # type: ignore[union-attr]
    s3, bucket = root.client("s3"), root.outputs["SourceBucketName"]
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    put = s3.put_object(Bucket=bucket, Key="input/a.csv", Body=to_csv([order()]))
    assert check_uploads(own).ok is False
    assert not run("drift", own.drift).uploads_start_jobs
    again = run("deploy", own.deploy)
    assert not again.changed
    assert "set again" in again.notes[0]
    assert check_uploads(own).ok
    (found,) = reconcile(root, dry_run=False, patience_s=-5).findings
    assert (found.what, found.outcome) == ("input/a.csv", "started")
    job = root.job(jobs.job_id(bucket, "input/a.csv", put["VersionId"]))
    job.wait(timeout_s=TIMEOUT_S)
    _lose_the_result(job)


def _lose_the_result(job: Any) -> None:
    """A rerun merges a job again whose completed file was deleted."""
    place = job.ledger_entry().result_file(rejected=False)
    job.stack.client("s3").delete_object(Bucket=job.entry()["bucket"], Key=place.key)
    assert not job.balance().holds
    plan = job.rerun(dry_run=False)
    assert [chunk.reason for chunk in plan.chunks] == [
        "only the merge is to be repeated, because the completed file is deleted, its version "
        f"{place.version_id} is still kept, and the workflow runs at least one chunk"
    ]
    job.wait(timeout_s=TIMEOUT_S)
    assert job.balance().holds
    assert not job.rerun().needed
