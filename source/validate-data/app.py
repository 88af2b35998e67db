"""Chunk workflow, Validate Data: check every row against the schema."""

import boto3
from batchcore import aws, keys
from batchcore.chunk_rows import load_rows
from batchcore.records import reject_invalid
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
    found = load_rows(aws.read_version(s3, event["bucket"], event[READ.name]), after=READ.name)
    checked = reject_invalid(found, schema)
    key = keys.valid(event["jobId"], event["chunk"]["number"])
    stored = aws.put_version(s3, event["bucket"], key, checked.dump(after=VALIDATE.name))
    result = {**stored, "rejected": len(checked.rejected) - len(found.rejected)}
    if schema.looks_up:
        return result
    # Here, because the step that checks it otherwise is left out.
    schema.require_columns(event["chunk"])
    return {**result, "withoutLookUp": True}
