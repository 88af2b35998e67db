"""Called by S3 for each upload: enter it in the ledger and start its job, once."""

import os
from typing import Any
from urllib.parse import unquote_plus

import boto3
import orjson
from batchcore import aws, items, jobs, keys, workflow
from batchcore.errors import VersionMissingError
from batchcore.runtime import Event, Result, entry_point, logger

dynamodb = boto3.client("dynamodb", config=aws.CONFIG)
states = boto3.client("stepfunctions", config=aws.CONFIG)


@entry_point
def lambda_handler(event: Event, context: object) -> Result:
    """Start one job for each object version in the event."""
    started = [_start(job) for job in uploads(event)]
    return {"jobs": len(started), "started": sum(started)}


def uploads(event: Event) -> list[dict[str, Any]]:
    """Return the inputs of the jobs for an S3 event, without empty folder markers.

    Raises
    ------
    VersionMissingError
        An upload has no version, so that a later one would take its place, and its job.
    """
    found = []
    for record in event.get("Records", []):
        bucket, s3_object = record["s3"]["bucket"]["name"], record["s3"]["object"]
        key = unquote_plus(s3_object["key"])
        is_marker = key.endswith("/") and not s3_object["size"]
        if is_marker or not key.startswith(keys.INPUT_PREFIX):
            continue
        version = s3_object.get("versionId")
        if version is None:
            raise VersionMissingError(
                f"{key} was stored without a version: turn the versioning of the bucket {bucket} "
                "on again, and upload the file once more"
            )
        found.append(
            {
                "jobId": jobs.job_id(bucket, key, version),
                "attempt": 1,
                "bucket": bucket,
                "key": key,
                "versionId": version,
                "sizeBytes": s3_object["size"],
                "parameters": {
                    "chunkRows": int(os.environ["FILE_CHUNK_SIZE"]),
                    "delimiter": jobs.parse_delimiter(os.environ["FILE_DELIMITER"]),
                    "archiveFolder": os.environ["INPUT_ARCHIVE_FOLDER"],
                },
            }
        )
    return found


def _start(job: dict[str, Any]) -> bool:
    """Enter and start a job; return False if an earlier delivery of the event started it."""
    _enter(job)
    try:
        states.start_execution(
            stateMachineArn=os.environ["STATE_MACHINE_ARN"],
            name=jobs.execution_name(job["jobId"], 1),
            input=orjson.dumps(job, option=orjson.OPT_SORT_KEYS).decode(),
        )
    except states.exceptions.ExecutionAlreadyExists:
        logger.info("already started", extra={"job": job["jobId"]})
        return False
    return True


def _enter(job: dict[str, Any]) -> None:
    """Write the job's entry in the ledger unless it exists, before the job is started."""
    entry = {
        "jobId": job["jobId"],
        "entry": items.JOB_ENTRY,
        "listed": items.LISTED,
        "status": workflow.SUBMITTED,
        "startTime": items.utc_now(),
        "attempt": 1,
        "bucket": job["bucket"],
        "key": job["key"],
        "versionId": job["versionId"],
        "sizeBytes": job["sizeBytes"],
        "chunkRows": job["parameters"]["chunkRows"],
        "delimiter": job["parameters"]["delimiter"],
        "archiveFolder": job["parameters"]["archiveFolder"],
        "ledgerFormat": items.LEDGER_FORMAT,
    }
    try:
        dynamodb.put_item(
            TableName=os.environ["JOB_TABLE"],
            Item=items.attributes(entry),
            ConditionExpression="attribute_not_exists(jobId)",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        logger.info("already entered", extra={"job": job["jobId"]})
