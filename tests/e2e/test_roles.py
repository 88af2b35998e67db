"""What each role may do, and nothing else: tried with its own credentials.

The table is written by hand, as it stands in docs/security.md, and held against what the engine
answers. The workflows' roles are tried too: the engine does not check them while a workflow runs,
but it does when their credentials are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import pytest
from batchcore import keys
from botocore.exceptions import ClientError
from e2e.jobs import finished
from e2e.permissions import physical_id, taken_role
from e2e.rows import order, to_csv
from support import SESSION, resources

from batchops.stack import Stack

JOB = "probe-0"
# What a role can do with objects is tried once for each kind of them, under the keys of the code.
OBJECTS = {
    "input": f"{keys.INPUT_PREFIX}a/b.csv",
    "archive": keys.archive("input_archive", "input/a/b.csv"),
    "manifest": keys.manifest(JOB, 1),
    "resumed manifest": keys.resume_manifest(JOB, 2),
    "survey": keys.survey(JOB, 1, 0),
    "cuts": keys.cuts(JOB, 1),
    "cut part": keys.cut_part(JOB, 1, 0),
    "chunks": keys.chunk(JOB, 1),
    "records": keys.records(JOB, 1),
    "valid": keys.valid(JOB, 1),
    "enriched": keys.enriched(JOB, 1),
    "header of output": keys.output(JOB, keys.HEADER_PIECE),
    "output": keys.output(JOB, 1),
    "header of rejects": keys.rejected_piece(JOB, keys.HEADER_PIECE),
    "rejects": keys.rejected_piece(JOB, 1),
    "merge plan": keys.merge_plan(JOB, "0001-a"),
    "merge group": keys.merge_group(JOB, "0001-a", 1),
    "merge parts": keys.merge_parts(JOB, "0001-a", 1),
    "completed": keys.completed(JOB, "input/a.csv"),
    "rejected": keys.rejected(JOB, "input/a.csv"),
    "piece of errors": keys.error_piece(JOB, 1),
    "errors": keys.errors(JOB, "input/a.csv"),
    "mail": keys.mail(JOB),
    "elsewhere": "elsewhere/probe.csv",
}
TABLES = ("FinancialTable", "ErrorRangesTable", "ErrorTable", "JobTable")
ERROR_TABLES = ("ErrorRangesTable", "ErrorTable")
FUNCTIONS = tuple(resources("AWS::Serverless::Function"))
MACHINES = ("BlogBatchMainOrchestrator", "BlogBatchProcessChunk")

PIECES = {"header of output", "output", "header of rejects", "rejects"}
RESULTS = ("completed", "rejected", "errors")
MAY: dict[str, set[str]] = {
    "SplitIpFileRole": {
        "get version input",
        "list bucket",
        *(f"{verb} {kind}" for verb in ("get", "put") for kind in ("survey", "cuts", "cut part")),
        *(f"put {kind}" for kind in ("manifest", "resumed manifest", "chunks")),
        *(f"put {kind}" for kind in ("header of output", "header of rejects")),
        "update JobTable",
    },
    "ReadFileRole": {"get version chunks", "put records", "update JobTable"},
    "ValidateDataRole": {"get version records", "put valid"},
    "EnrichDataRole": {"get version valid", "put enriched"},
    "GetDataRole": {"batch get FinancialTable"},
    "WriteOutputChunkRole": {
        "get version enriched",
        "get version valid",  # what comes from there where nothing is looked up
        *(f"put {kind}" for kind in (*PIECES, "piece of errors")),
        *(f"{verb} {table}" for verb in ("batch write", "query") for table in ERROR_TABLES),
        "get JobTable",
        "update JobTable",
    },
    "MergeS3FilesRole": {
        "get manifest",
        "get resumed manifest",
        *(f"get version {kind}" for kind in (*PIECES, "piece of errors")),
        *(f"{verb} merge {kind}" for verb in ("get", "put") for kind in ("plan", "group", "parts")),
        *(f"{verb} {kind}" for verb in ("get", "put") for kind in RESULTS),
        "put archive",
        "get version input",
        "delete version input",
        "list bucket",
        "get JobTable",
        "query JobTable",
        "update JobTable",
    },
    "SendEmailRole": {"get completed", "put mail", "send mail", "get JobTable", "update JobTable"},
    "S3LambdaNotificationRole": {
        "get JobTable",
        "put JobTable",
        "update JobTable",
        # On AWS under the key #QUEUE only: the engine does not know dynamodb:LeadingKeys.
        "delete JobTable",
        "query JobTable",
        "start BlogBatchMainOrchestrator",
        "send to UnstartedUploadsQueue",
    },
    "CustomResourceRole": {
        "set the bucket's notification",
        "batch write FinancialTable",
        "scan FinancialTable",
    },
    "MainOrchestratorRole": {
        "get manifest",
        "get resumed manifest",
        "get merge plan",
        *(f"invoke {name}Function" for name in ("SplitIpFile", "MergeS3Files", "SendEmail")),
        "start BlogBatchMainOrchestrator",
        "start BlogBatchProcessChunk",
        "stop BlogBatchMainOrchestrator",
        "stop BlogBatchProcessChunk",
        "update JobTable",
        "publish to SNSTopic",
    },
    "ProcessChunkRole": {
        *(f"invoke {name}Function" for name in ("ReadFile", "ValidateData", "EnrichData")),
        "invoke WriteOutputChunkFunction",
        "update JobTable",
    },
}

DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "403",
    "AuthorizationErrorException",
}
Client = Callable[[str], Any]
Probe = Callable[[Client], Any]


@pytest.fixture(scope="module")
def probes(stack: Stack) -> dict[str, Probe]:
    return all_probes(stack)


def all_probes(stack: Stack) -> dict[str, Probe]:
    """Return calls by what they are for; the allowed ones change nothing that a test looks at."""
    names = {name: physical_id(stack, name) for name in (*TABLES, *FUNCTIONS, *MACHINES)}
    names |= {name: physical_id(stack, name) for name in ("SNSTopic", "SourceBucket")}
    names |= {"queue": stack.outputs["UnstartedUploadsQueueUrl"]}
    # What has run already is not started again.
    job = finished(stack, to_csv([order()]), "probe.csv")
    executions = dict(zip(MACHINES, (job.id, f"{job.id}-1-a1"), strict=True))
    return {
        **_object_probes(names["SourceBucket"]),
        **_table_probes(names),
        **_call_probes(names, executions),
        **_account_probes(names, stack),
    }


def _object_probes(bucket: str) -> dict[str, Probe]:
    found: dict[str, Probe] = {"list bucket": lambda c: c("s3").list_objects_v2(Bucket=bucket)}
    for kind, key in OBJECTS.items():
        at = {"Bucket": bucket, "Key": key}
        version = {**at, "VersionId": "none"}
        found |= {
            f"get {kind}": lambda c, at=at: c("s3").get_object(**at),
            f"get version {kind}": lambda c, at=version: c("s3").get_object(**at),
            f"put {kind}": lambda c, at=at: c("s3").put_object(**at, ContentMD5="AAAA", Body=b""),
            f"delete {kind}": lambda c, at=at: c("s3").delete_object(**at),
            f"delete version {kind}": lambda c, at=version: c("s3").delete_object(**at),
        }
    return found


def _table_probes(names: dict[str, str]) -> dict[str, Probe]:
    found: dict[str, Probe] = {}
    for name in TABLES:
        table = names[name]
        key = {
            "FinancialTable": {"uuid": {"S": "probe"}},
            "ErrorRangesTable": {"jobRange": {"S": "probe"}, "errorId": {"S": "probe"}},
            "ErrorTable": {"jobId": {"S": "probe"}, "errorId": {"S": "probe"}},
            "JobTable": {"jobId": {"S": "probe"}, "entry": {"S": "probe"}},
        }[name]
        at = {"TableName": table, "Key": key}
        never = {"ConditionExpression": "attribute_exists(nothing)"}
        many = {table: {"Keys": [key]}}
        delete = {table: [{"DeleteRequest": {"Key": key}}]}
        query = {
            "TableName": table,
            "KeyConditionExpression": f"{next(iter(key))} = :probe",
            "ExpressionAttributeValues": {":probe": {"S": "probe"}},
        }
        put = {"TableName": table, "Item": key, **never}
        calls: dict[str, Callable[[Any], Any]] = {
            "get": lambda d, at=at: d.get_item(**at),
            "batch get": lambda d, many=many: d.batch_get_item(RequestItems=many),
            "query": lambda d, query=query: d.query(**query),
            "scan": lambda d, t=table: d.scan(TableName=t, Limit=1),
            "put": lambda d, put=put: d.put_item(**put),
            "update": lambda d, at=at, never=never: d.update_item(**at, **never),
            "delete": lambda d, at=at, never=never: d.delete_item(**at, **never),
            "batch write": lambda d, delete=delete: d.batch_write_item(RequestItems=delete),
            "drop": lambda d, t=table: d.delete_table(TableName=t),
        }
        for verb, call in calls.items():
            found[f"{verb} {name}"] = lambda c, call=call: call(c("dynamodb"))
    return found


def _call_probes(names: dict[str, str], executions: dict[str, str]) -> dict[str, Probe]:
    found: dict[str, Probe] = {}
    for name in FUNCTIONS:
        call = {"FunctionName": names[name], "InvocationType": "DryRun"}
        found[f"invoke {name}"] = lambda c, call=call: c("lambda").invoke(**call)
    for name in MACHINES:
        start = {"stateMachineArn": names[name], "name": executions[name]}
        arn = names[name].replace(":stateMachine:", ":execution:") + ":none"
        found[f"start {name}"] = lambda c, start=start: c("stepfunctions").start_execution(**start)
        found[f"stop {name}"] = lambda c, arn=arn: c("stepfunctions").stop_execution(
            executionArn=arn
        )
    return found | {
        "publish to SNSTopic": lambda c: c("sns").publish(TopicArn=names["SNSTopic"], Message=""),
        "send to UnstartedUploadsQueue": lambda c: c("sqs").send_message(
            QueueUrl=names["queue"], MessageBody="x", DelaySeconds=10_000
        ),
        "receive from UnstartedUploadsQueue": lambda c: c("sqs").receive_message(
            QueueUrl=names["queue"]
        ),
        "send mail": lambda c: c("sesv2").send_email(
            FromEmailAddress="nobody@nowhere.invalid",
            Destination={"ToAddresses": ["nobody@nowhere.invalid"]},
            Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        ),
    }


def _account_probes(names: dict[str, str], stack: Stack) -> dict[str, Probe]:
    """What would give a role more than it was given, or take the stack away."""
    bucket, role = names["SourceBucket"], physical_id(stack, "MergeS3FilesRole")
    as_it_is = stack.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    as_it_is.pop("ResponseMetadata")
    role_arn = f"arn:aws:iam::000000000000:role/{role}"
    return {
        "set the bucket's notification": lambda c: c("s3").put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=as_it_is
        ),
        "set the bucket's policy": lambda c: c("s3").put_bucket_policy(Bucket=bucket, Policy="{}"),
        "take another role": lambda c: c("sts").assume_role(
            RoleArn=role_arn, RoleSessionName="probe"
        ),
        "change a role": lambda c: c("iam").put_role_policy(
            RoleName=role, PolicyName="work", PolicyDocument="{}"
        ),
        "make a user": lambda c: c("iam").create_user(UserName="probe"),
        "change a function": lambda c: c("lambda").update_function_configuration(
            FunctionName=names[FUNCTIONS[0]], Timeout=1
        ),
        "delete the stack": lambda c: c("cloudformation").delete_stack(StackName="none"),
        "read a secret": lambda c: c("secretsmanager").get_secret_value(SecretId="none"),
        "read logs": lambda c: c("logs").filter_log_events(logGroupName="/aws/lambda/none"),
        "list the keys": lambda c: c("kms").list_keys(),
    }


@contextmanager
def _caller(stack: Stack, role: str) -> Iterator[Client]:
    """Give clients whose credentials have a role's policy."""
    with taken_role(stack, role) as (key_id, secret, token):
        # One session for all: what takes the time is reading the services' models.
        yield cache(
            partial(
                SESSION.client,
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
                aws_session_token=token,
                region_name=stack.target.region,
                endpoint_url=stack.client("s3").meta.endpoint_url,
            )
        )


def is_allowed(probe: Probe, client: Client) -> bool:
    try:
        probe(client)
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True


@pytest.mark.parametrize("role", MAY)
def test_role_may_do_what_it_is_for_and_nothing_else(
    stack: Stack, probes: dict[str, Probe], role: str
) -> None:
    with _caller(stack, role) as client:
        found = {name for name, probe in probes.items() if is_allowed(probe, client)}
    assert found == MAY[role]


def test_every_role_of_functions_and_workflows_is_tried() -> None:
    with_policies = {
        name for name, r in resources("AWS::IAM::Role").items() if "Policies" in r["Properties"]
    }
    assert with_policies == MAY.keys()
