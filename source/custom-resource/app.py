"""CloudFormation custom resource: set the bucket's notification and load the reference data.

Both happen when the stack is created or updated. The template cannot set the notification, because
the bucket and the function would each need the other first. When the stack is deleted, the
notification is turned off; the table goes with all its rows.
"""

import json
from itertools import islice
from typing import Any

import boto3
import urllib3
from batchcore import aws, notification, reference
from batchcore.dynamojson import read_as_sent
from batchcore.runtime import Event, Result, entry_point, logger
from batchcore.schema import RecordSchema, find_in_layer

ITEMS_PER_ROUND = 5_000

# CloudFormation cuts a reason at 4 KB.
MAX_REASON = 1_000
# CloudFormation waits an hour for a missing answer, so this much of the function's time is kept for
# answering.
ANSWER_RESERVE_MS = 20_000

s3 = boto3.client("s3", config=aws.CONFIG)
dynamodb = read_as_sent(boto3.client("dynamodb", config=aws.CONFIG))
RETRIES = urllib3.Retry(
    total=5, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504), allowed_methods=None
)
http = urllib3.PoolManager(retries=RETRIES)


class OutOfTimeError(Exception):
    """The function's time is nearly over and the reference data is not loaded."""


@entry_point
def lambda_handler(event: Event, context: Any) -> Result:
    """Carry out the request and answer CloudFormation, whether it succeeded or not."""
    properties = event.get("ResourceProperties", {})
    physical_id = (
        event.get("PhysicalResourceId") or f"{event['StackId']}/{event['LogicalResourceId']}"
    )
    status, reason, data = "SUCCESS", "", {}
    try:
        if event["RequestType"] == "Delete":
            stop_notifying(properties["BucketName"])
        else:
            data = apply(properties, context)
    except Exception as error:  # without an answer, the stack would hang for an hour
        logger.exception("the request failed")
        status, reason = "FAILED", f"{type(error).__name__}: {error}"[:MAX_REASON]
    answer = {
        "Status": status,
        "Reason": reason or "done",
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    body = json.dumps(answer).encode()
    # The URL is signed for an empty content type.
    http.request("PUT", event["ResponseURL"], body=body, headers={"Content-Type": ""})
    return {"status": status}


def apply(properties: dict[str, Any], context: Any) -> dict[str, str]:
    """Load the reference data, then turn the notification on."""
    loaded = load_reference(properties["TableName"], context)
    notify(properties["BucketName"], properties["NotificationFunctionArn"])
    # As JSON, because an output of a stack may be neither empty nor other than ASCII.
    return {"ReferenceRows": str(loaded), "KeyColumn": json.dumps(RecordSchema.load().key)}


def stop_notifying(bucket: str) -> None:
    """Turn the notification off, if the bucket still exists."""
    try:
        aws.change_bucket(
            lambda: s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={}
            )
        )
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


def notify(bucket: str, function_arn: str) -> None:
    """Make S3 call the function for every upload under ``input/``."""
    rule: Any = notification.upload_rule(function_arn)
    aws.change_bucket(
        lambda: s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
        )
    )


def load_reference(table: str, context: Any) -> int:
    """Make the table hold exactly the rows of the reference file, and return their number.

    Without look-up, the table holds nothing, whatever the file has.
    """
    schema = RecordSchema.load()
    found = reference.read_reference(find_in_layer(reference.FILE_NAME), schema)
    rows = found if schema.looks_up else iter(())
    # In a new table there is nothing to delete, and reading all rows back takes long.
    first = dynamodb.scan(TableName=table, Limit=1, ConsistentRead=True)
    was_empty = not first["Items"]
    loaded: set[str] = set()
    while batch := list(islice(rows, ITEMS_PER_ROUND)):
        _check_time(context)
        puts = [{"PutRequest": {"Item": reference.table_item(*row)}} for row in batch]
        aws.batch_write(dynamodb, table, puts)
        loaded.update(key for key, _ in batch)
    if not was_empty:
        _delete_all_but(table, loaded, context)
    return len(loaded)


def _delete_all_but(table: str, kept: set[str], context: Any) -> None:
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression="#key", ExpressionAttributeNames={"#key": "uuid"}
    )
    for page in pages:
        _check_time(context)
        gone = [item for item in page["Items"] if item["uuid"]["S"] not in kept]
        aws.batch_write(dynamodb, table, [{"DeleteRequest": {"Key": key}} for key in gone])


def _check_time(context: Any) -> None:
    if context.get_remaining_time_in_millis() < ANSWER_RESERVE_MS:
        raise OutOfTimeError("the reference data is too large to be loaded in one call")
