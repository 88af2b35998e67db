"""Every grant of every function's role is needed: without it, the function's step fails.

The cases are read from the template, so a grant that is added there is tested here, or has to be
named below with the reason why the local engine cannot tell. A small job runs first; then each of
its steps is repeated, with the very event that it had, without one grant at a time.
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest
from batchcore import items, keys, queueing, tickets, workflow
from e2e.jobs import TIMEOUT_S, finished
from e2e.permissions import Grant, as_list, with_variables, without_grant
from e2e.rows import order, to_csv
from support import Server, always, resources

from batchops.core.errors import FunctionFailedError
from batchops.core.ledger import stack_queue
from batchops.core.loopback import open_local
from batchops.job import Job
from batchops.stack import Stack

# What the engine does not check, or never asks for. tests/unit/test_template.py holds these to what
# AWS wants.
NOT_ENFORCED = {
    "logs:CreateLogStream": "the engine writes a function's log itself",
    "logs:PutLogEvents": "the engine writes a function's log itself",
    "xray:PutTraceSegments": "the engine has no traces",
    "xray:PutTelemetryRecords": "the engine has no traces",
    "s3:PutObjectTagging": "the engine takes PutObject for enough to store tags with an object",
    "s3:GetObjectVersionTagging": "the engine takes GetObjectVersion for enough to copy with tags",
    "s3:ListBucket": "the engine says 404 of an absent object to whoever may read it",
    "s3:AbortMultipartUpload": "asked for when an upload in parts breaks off",
    "sqs:SendMessage": "the engine itself puts what failed into the queue",
}
STEPS = {
    "SplitIpFileRole": "Split Input File into chunks",
    "ReadFileRole": "Read File",
    "ValidateDataRole": "Validate Data",
    "EnrichDataRole": "Get Financial Data",
    "WriteOutputChunkRole": "Write output file",
    "MergeS3FilesRole": "Merge all Files",
    "SendEmailRole": "Email the file",
}
# The engine names the action that it denies, but where there is nothing to say it in.
_NO_HEAD = "(403) when calling the HeadObject operation"
DENIALS: dict[tuple[Any, ...], str] = {
    ("EnrichDataRole", "Api"): "POST /financials answered 403",
    ("MergeS3FilesRole", "Pieces"): _NO_HEAD,
    ("MergeS3FilesRole", "Pieces", "s3:GetObjectVersion", 2): "to perform: s3:GetObjectVersion ",
    ("MergeS3FilesRole", "Results", "s3:GetObject"): _NO_HEAD,
    ("MergeS3FilesRole", "Input", "s3:GetObjectVersion"): _NO_HEAD,
}
# A good row, one that breaks a rule, and one whose key is unknown.
FILE = to_csv([order(0), order(1, Order_Priority="X"), order(2, uuid="999999999")])


def _grants() -> Iterator[Grant]:
    roles = {f["Properties"]["Role"]["Fn::GetAtt"][0] for f in _functions().values()}
    for role, properties in resources("AWS::IAM::Role").items():
        for policy in properties["Properties"].get("Policies", []) if role in roles else []:
            for statement in policy["PolicyDocument"]["Statement"]:
                for action in as_list(statement["Action"]):
                    targets = _local(statement["Resource"])
                    for place in range(len(targets)) if action not in NOT_ENFORCED else ():
                        yield Grant(role, statement["Sid"], action, place)


def _functions() -> dict[str, Any]:
    return resources("AWS::Serverless::Function")


def _local(resource: Any) -> list[Any]:
    """Return the resources of a statement as the local engine has them."""
    if isinstance(resource, dict) and "Fn::If" in resource:
        return as_list(resource["Fn::If"][2])
    return as_list(resource)


@pytest.fixture(scope="module")
def job(stack: Stack) -> Job:
    """A job that has succeeded, with a row of each kind."""
    return finished(stack, FILE, "permissions.csv")


@pytest.fixture(scope="module")
def events(stack: Stack, job: Job) -> dict[str, dict[str, Any]]:
    """The event of each step of the job, as the workflows handed it over."""
    states, found = stack.client("stepfunctions"), {}
    executions = [f"{stack.outputs['MainOrchestratorArn']}:{job.id}"]
    executions.append(f"{stack.outputs['ProcessChunkArn']}:{job.id}-1-a1")
    for arn in (name.replace(":stateMachine:", ":execution:") for name in executions):
        started = states.describe_execution(executionArn=arn)["startDate"].isoformat()
        for event in states.get_execution_history(executionArn=arn)["events"]:
            if event["type"] == "TaskStateEntered":
                details = event["stateEnteredEventDetails"]
                more = {"executionArn": arn, "startTime": started}
                found[details["name"]] = json.loads(details["input"]) | more
    return found


@pytest.fixture(scope="module")
def _unnotified(stack: Stack, job: Job) -> Iterator[None]:
    """After the one job, no upload starts another, so that its input can be put back."""
    s3, bucket = stack.client("s3"), stack.outputs["SourceBucketName"]
    entry = items.attributes(job.entry())
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    before.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    yield
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)
    stack.client("dynamodb").put_item(TableName=stack.outputs["JobTableName"], Item=entry)


def _upload_event(job: Job, *, version: str) -> dict[str, Any]:
    entry = job.entry()
    s3_object = {"key": entry["key"], "size": 1, "versionId": version}
    return {"Records": [{"s3": {"bucket": {"name": entry["bucket"]}, "object": s3_object}}]}


def _queued_event(stack: Stack, job: Job, *, begins: bool) -> dict[str, Any]:
    """Put the job that has run into the queue, and return an event for which its turn comes."""
    queue = stack_queue(stack)
    queueing.release(queue, job.id)
    tickets.put_ticket(queue, tickets.Ticket(job.id, 1, job.entry()["startTime"], "{}"))
    if begins:
        stack.client("dynamodb").update_item(
            TableName=stack.outputs["JobTableName"],
            Key={"jobId": {"S": job.id}, "entry": {"S": items.JOB_ENTRY}},
            UpdateExpression="SET #status = :status REMOVE endTime",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": workflow.QUEUED}},
        )
    return {"source": "aws.states", "detail": {"name": "nobody-000000000000"}}


def _put_back(stack: Stack, job: Job) -> str:
    """Make the job one that was neither merged nor mailed, and return its input's new version."""
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["JobTableName"],
        Key={"jobId": {"S": job.id}, "entry": {"S": items.JOB_ENTRY}},
        UpdateExpression="REMOVE archiveKey, mailStatus, endTime",
    )
    s3, bucket = stack.client("s3"), stack.outputs["SourceBucketName"]
    put = s3.put_object(Bucket=bucket, Key=job.entry()["key"], Body=FILE)
    return str(put["VersionId"])


def _range_event(event: dict[str, Any], phase: str) -> dict[str, Any]:
    """Return the event of a phase of the split, as if the file were too large for one call."""
    split = {
        "headerBytes": FILE.index(b"\n") + 1,
        "firstRow": 2,
        "chunkRows": 600,
        "rangeBytes": 1024**3,
        "ranges": [0],
    }
    return {**event, "phase": phase, "range": 0, "split": split}


def _uploaded_plan(stack: Stack, event: dict[str, Any]) -> dict[str, Any]:
    """Plan the merge in groups and upload them all; return the event that completes it."""
    planned = stack.invoke("merge-s3-files", event)
    at = {"Bucket": event["bucket"], "Key": planned["plan"]["key"]}
    for group in json.load(stack.client("s3").get_object(**at)["Body"]):
        stack.invoke("merge-s3-files", {**event, "group": group})
    return {**event, "merge": planned}


def _shared_merge_event(stack: Stack, event: dict[str, Any], grant: Grant) -> dict[str, Any]:
    """Return the event of the call of a shared merge that needs a grant; others are made here."""
    if grant.sid in ("Plans", "Missing"):
        return event
    completing = _uploaded_plan(stack, event)
    if grant.sid == "Results":
        # A file is looked at where its upload is gone, since it may have been completed before. The
        # engine remembers the uploads that it completed, so this one is given another name.
        stack.invoke("merge-s3-files", completing)
        s3 = stack.client("s3")
        at = {"Bucket": event["bucket"], "Key": completing["merge"]["plan"]["key"]}
        plan = json.load(s3.get_object(**at)["Body"])
        file = ("/completed/", "/rejected/", "/errors/")[grant.place]
        gone = [item | ({"upload": "gone"} if file in item["key"] else {}) for item in plan]
        s3.put_object(**at, Body=json.dumps(gone))
    return completing


def _event(stack: Stack, job: Job, events: dict[str, Any], role: str, action: str) -> Any:
    """Return an event that makes a role's function do an action."""
    if role == "S3LambdaNotificationRole":
        if action == "dynamodb:PutItem":  # for an upload that is not in the ledger yet
            return _upload_event(job, version="unseen")
        return _queued_event(stack, job, begins=action == "states:StartExecution")
    if role == "GetDataRole":
        return {"httpMethod": "GET", "pathParameters": {"uuid": order(0)[0]}}
    event = events[STEPS[role]]
    if action == "dynamodb:Query" and role == "WriteOutputChunkRole":
        # Only a later attempt looks for the errors of an earlier one.
        return {**event, "attempt": 2}
    if role == "ReadFileRole":
        # A chunk that has ended is not begun again by its attempt.
        stack.client("dynamodb").update_item(
            TableName=stack.outputs["JobTableName"],
            Key={"jobId": {"S": job.id}, "entry": {"S": items.chunk_entry(1)}},
            UpdateExpression="REMOVE endTime",
        )
    if role == "MergeS3FilesRole":
        # It merges what has succeeded, which a step that failed here may have taken back.
        stack.invoke("write-output-chunk", events["Write output file"])
    if role in ("MergeS3FilesRole", "SendEmailRole", "SplitIpFileRole"):
        return {**event, "versionId": _put_back(stack, job)}
    return event


def _after_an_earlier_stack(stack: Stack, job: Job, event: dict[str, Any]) -> dict[str, Any]:
    """Store an error as an earlier stack did, and return the event of a rerun of its chunk."""
    error = {"jobId": job.id, "errorId": items.error_id(2, "Region", "enum")}
    table = stack.outputs["ErrorTableName"]
    stack.client("dynamodb").put_item(TableName=table, Item=items.attributes(error))
    return {**event, "attempt": 2}


def _function(role: str) -> str:
    (uri,) = [
        f["Properties"]["CodeUri"]
        for f in _functions().values()
        if f["Properties"]["Role"]["Fn::GetAtt"][0] == role
    ]
    return str(uri).removeprefix("source/")


LINK = Grant("SendEmailRole", "Link", "s3:GetObject", 0)
CUSTOM_RESOURCE_GRANTS = [grant for grant in _grants() if grant.role == "CustomResourceRole"]
# What only a split in ranges needs, and the phase that does; what only a shared merge needs.
RANGE_PHASES = {
    Grant("SplitIpFileRole", "Ranges", "s3:GetObject", 0): "number",
    Grant("SplitIpFileRole", "Chunks", "s3:PutObject", 1): "survey",
}
SHARED_MERGE = {
    Grant("MergeS3FilesRole", "Lists", "s3:GetObject", 1),
    Grant("MergeS3FilesRole", "Plans", "s3:PutObject", 0),
    Grant("MergeS3FilesRole", "Results", "s3:GetObject", 0),
    Grant("MergeS3FilesRole", "Results", "s3:GetObject", 1),
    Grant("MergeS3FilesRole", "Results", "s3:GetObject", 2),
    Grant("MergeS3FilesRole", "Missing", "s3:ListBucketMultipartUploads", 0),
}
# Of a stack without look-up: what is written then comes from validate-data.
NOT_ENRICHED = Grant("WriteOutputChunkRole", "Enriched", "s3:GetObjectVersion", 1)
# Of a job that began before the stack had a second table of errors.
EARLIER_ERRORS = Grant("WriteOutputChunkRole", "Errors", "dynamodb:BatchWriteItem", 1)
OTHERS = {LINK, *CUSTOM_RESOURCE_GRANTS, *SHARED_MERGE}


def _name(grant: Grant) -> str:
    return " ".join(map(str, grant))


@pytest.mark.usefixtures("_unnotified")
@pytest.mark.parametrize("grant", [g for g in _grants() if g not in OTHERS], ids=_name)
def test_step_fails_without_any_one_grant_of_its_role(
    stack: Stack, job: Job, events: dict[str, Any], grant: Grant
) -> None:
    event = _event(stack, job, events, grant.role, grant.action)
    if grant in RANGE_PHASES:
        event = _range_event(event, RANGE_PHASES[grant])
    if grant == NOT_ENRICHED:
        event = {**event, "enrich": event["validate"]}
    if grant == EARLIER_ERRORS:
        event = _after_an_earlier_stack(stack, job, event)
    _assert_denied(stack, grant, event)


def _assert_denied(stack: Stack, grant: Grant, event: dict[str, Any]) -> None:
    with without_grant(stack, grant), pytest.raises(FunctionFailedError) as caught:
        stack.invoke(_function(grant.role), event)
    told = (DENIALS[grant[:n]] for n in (4, 3, 2) if grant[:n] in DENIALS)
    denial = next(told, f"to perform: {grant.action} ")
    assert denial in str(caught.value)


@pytest.mark.usefixtures("_unnotified")
@pytest.mark.parametrize("role", STEPS)
def test_step_succeeds_with_all_grants_of_its_role(
    stack: Stack, job: Job, events: dict[str, Any], role: str
) -> None:
    """So it was the grant that was missing, not something that the test did."""
    assert "failure" not in stack.invoke(_function(role), _event(stack, job, events, role, ""))


@pytest.mark.usefixtures("_unnotified")
def test_split_in_ranges_succeeds_with_all_grants_of_its_role(
    stack: Stack, job: Job, events: dict[str, Any]
) -> None:
    event = _event(stack, job, events, "SplitIpFileRole", "")
    for phase in ("survey", "number", "cut", "collect"):
        found = stack.invoke("split-ip-file", _range_event(event, phase))
        assert "failure" not in found
    assert found["rows"] == 3


def test_link_in_the_mail_opens_with_the_grant_of_the_role_that_signed_it(
    stack: Stack, job: Job
) -> None:
    s3, bucket = stack.client("s3"), stack.outputs["SourceBucketName"]
    mail = json.load(s3.get_object(Bucket=bucket, Key=keys.mail(job.id))["Body"])
    text = mail["Content"]["Simple"]["Body"]["Text"]["Data"]
    link = text.split("Download it here: ")[1].split()[0]
    with open_local(link, timeout_s=TIMEOUT_S) as answer:
        assert answer.read().startswith(b"uuid,")
    with (
        without_grant(stack, LINK),
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        open_local(link, timeout_s=TIMEOUT_S)
    with caught.value:
        assert caught.value.code == 403


@pytest.mark.usefixtures("_unnotified")
@pytest.mark.parametrize("grant", CUSTOM_RESOURCE_GRANTS, ids=_name)
def test_stack_cannot_be_made_or_deleted_without_any_one_grant_of_the_custom_resource(
    stack: Stack, grant: Grant
) -> None:
    """The function answers CloudFormation that it failed, and why."""
    with Server(always(200)) as server, without_grant(stack, grant):
        stack.invoke("custom-resource", _request(stack, server, grant.action))
    (answer,) = [json.loads(received.body) for received in server.received]
    assert answer["Status"] == "FAILED"
    assert f"to perform: {grant.action} " in answer["Reason"]


def _request(stack: Stack, server: Server, action: str) -> dict[str, Any]:
    return {
        # Loading is the first thing that a creation does, and the notification that of a deletion.
        "RequestType": "Create" if action.startswith("dynamodb:") else "Delete",
        "ResponseURL": server.url,
        "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/e2e/x",
        "RequestId": "x",
        "LogicalResourceId": "PostStackProcessing",
        "ResourceProperties": {
            "BucketName": stack.outputs["SourceBucketName"],
            "TableName": stack.outputs["FinancialTableName"],
            "NotificationFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:x",
        },
    }


def test_whatever_the_engine_cannot_tell_is_granted_somewhere() -> None:
    """Otherwise the list of exceptions would outlive its reasons."""
    granted = {
        action
        for role in resources("AWS::IAM::Role").values()
        for policy in role["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    assert granted >= NOT_ENFORCED.keys()


# --------------------------------------------------------------- a merge that is shared, the last


@pytest.fixture(scope="module")
def _shared(stack: Stack) -> Iterator[None]:
    """From the first test that wants it on, no call of the merge takes on more than a byte."""
    with with_variables(stack, "merge-s3-files", MERGE_GROUP_BYTES="1"):
        yield


@pytest.mark.usefixtures("_unnotified", "_shared")
@pytest.mark.parametrize("grant", sorted(SHARED_MERGE), ids=_name)
def test_shared_merge_fails_without_any_one_grant_that_only_it_needs(
    stack: Stack, job: Job, events: dict[str, Any], grant: Grant
) -> None:
    event = _event(stack, job, events, grant.role, grant.action)
    _assert_denied(stack, grant, _shared_merge_event(stack, event, grant))


@pytest.mark.usefixtures("_unnotified", "_shared")
def test_shared_merge_succeeds_with_all_grants_of_its_role(
    stack: Stack, job: Job, events: dict[str, Any]
) -> None:
    completing = _uploaded_plan(stack, _event(stack, job, events, "MergeS3FilesRole", ""))
    for _ in range(2):
        assert stack.invoke("merge-s3-files", completing)["rowsIn"] == 3


def test_every_grant_that_only_a_shared_merge_needs_is_in_the_template() -> None:
    assert set(_grants()) >= SHARED_MERGE | RANGE_PHASES.keys()
