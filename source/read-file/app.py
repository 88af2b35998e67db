"""Chunk workflow, Read File: turn a chunk's CSV into JSON."""

import os

import boto3
from batchcore import aws, items, keys, workflow
from batchcore.records import read_chunk
from batchcore.runtime import Event, Result, chunk_step
from batchcore.schema import RecordSchema
from batchcore.workflow import READ

s3 = boto3.client("s3", config=aws.CONFIG)
dynamodb = boto3.client("dynamodb", config=aws.CONFIG)
schema = RecordSchema.load()


@chunk_step
def lambda_handler(event: Event, context: object) -> Result:
    """Read one chunk, and reject rows that are not UTF-8 or have a wrong number of fields."""
    chunk = event["chunk"]
    aws.update_entry(
        dynamodb,
        os.environ["JOB_TABLE"],
        event["jobId"],
        items.chunk_entry(chunk["number"]),
        {
            "status": workflow.RUNNING,
            "startTime": event["startTime"],
            "rows": chunk["rows"],
            "executionArn": event["executionArn"],
        },
        attempt=event["attempt"],
        remove=("endTime", "error", "cause", "failedStep"),
        begins=True,
    )
    found = read_chunk(
        aws.read_version(s3, event["bucket"], chunk),
        schema,
        delimiter=event["parameters"]["delimiter"],
        first_row=chunk["firstRow"],
    )
    key = keys.records(event["jobId"], chunk["number"])
    stored = aws.put_version(s3, event["bucket"], key, found.dump(after=READ.name))
    rejected = len(found.rejected)
    return {**stored, "rows": len(found.rows) + rejected, "rejected": rejected}
