"""Chunk workflow, Validate Data: check every record against the schema."""

import boto3
import orjson
from batchcore import aws, keys
from batchcore.records import reject
from batchcore.runtime import Event, Result, chunk_step
from batchcore.schema import RecordSchema
from batchcore.workflow import READ, VALIDATE

s3 = boto3.client("s3", config=aws.CONFIG)
schema = RecordSchema.load()


@chunk_step
def lambda_handler(event: Event, context: object) -> Result:
    """Reject each row that breaks rules, and record every rule that it breaks.

    If the schema has no look-up, the result says that the next step is left out.
    """
    lines = aws.read_version(s3, event["bucket"], event[READ.name])
    checked, rejected = validate(lines)
    key = keys.valid(event["jobId"], event["chunk"]["number"])
    stored = aws.put_version(s3, event["bucket"], key, checked)
    result = {**stored, "rejected": rejected}
    if schema.looks_up:
        return result
    # Here, because the step that checks it otherwise is left out.
    schema.require_columns(event["chunk"])
    return {**result, "withoutLookUp": True}


def validate(data: bytes) -> tuple[bytes, int]:
    """Return the record lines with bad records rejected, and the number newly rejected.

    A valid line is passed on unchanged, without encoding it again.
    """
    checked = []
    rejected = 0
    for line in data.splitlines(keepends=True):
        record = orjson.loads(line)
        fields = record.get("fields")
        if fields is None or schema.is_valid(fields):
            checked.append(line)
            continue
        faults = schema.violations(fields)
        key = schema.key_of(fields)
        bad = reject(record, stage=VALIDATE.name, key=key, faults=faults)
        checked.append(orjson.dumps(bad, option=orjson.OPT_APPEND_NEWLINE))
        rejected += 1
    return b"".join(checked), rejected
