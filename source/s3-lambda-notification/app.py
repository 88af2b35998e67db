"""Called by S3 for each upload, and for each job that ends: enter the upload, start who is next."""

import os
from typing import Any
from urllib.parse import unquote_plus

import boto3
import orjson
from batchcore import aws, items, jobs, keys, queueing, tickets, workflow
from batchcore.errors import VersionMissingError
from batchcore.runtime import Event, Result, entry_point, logger

dynamodb = boto3.client("dynamodb", config=aws.CONFIG)
states = boto3.client("stepfunctions", config=aws.CONFIG)


@entry_point
def lambda_handler(event: Event, context: object) -> Result:
    """Queue one job for each object version in the event, and start the jobs whose turn it is."""
    queue = tickets.Queue(
        dynamodb=dynamodb,
        states=states,
        table=os.environ["JOB_TABLE"],
        machine_arn=os.environ["STATE_MACHINE_ARN"],
        limit=int(os.environ["MAX_CONCURRENT_JOBS"]),
    )
    if queueing.is_end(event):
        queueing.release(queue, event["detail"]["name"])
    entered = {job["jobId"]: _enter(queue, job) for job in uploads(event)}
    started = set(queueing.advance(queue))
    return {
        "jobs": len(entered),
        "started": sum(new or job_id in started for job_id, new in entered.items()),
    }


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


def _enter(queue: tickets.Queue, job: dict[str, Any]) -> bool:
    """Enter a job as QUEUED; return False if an earlier delivery of the event did."""
    entry = {
        "jobId": job["jobId"],
        "entry": items.JOB_ENTRY,
        "listed": items.LISTED,
        "status": workflow.QUEUED,
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
        **aws.expiry(),
    }
    try:
        dynamodb.put_item(
            TableName=queue.table,
            Item=items.attributes(entry),
            ConditionExpression="attribute_not_exists(jobId)",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        logger.info("already entered", extra={"job": job["jobId"]})
        entry = _entered(queue, job["jobId"])
    if (entry["status"], entry["attempt"]) != (workflow.QUEUED, 1):
        return False
    document = orjson.dumps(job, option=orjson.OPT_SORT_KEYS).decode()
    return tickets.put_ticket(
        queue, tickets.Ticket(job["jobId"], 1, str(entry["startTime"]), document)
    )


def _entered(queue: tickets.Queue, job_id: str) -> dict[str, Any]:
    """Return a job's entry as it is."""
    key = {"jobId": job_id, "entry": items.JOB_ENTRY}
    found = dynamodb.get_item(TableName=queue.table, Key=items.attributes(key), ConsistentRead=True)
    return items.plain(found["Item"])
