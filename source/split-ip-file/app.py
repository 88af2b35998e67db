"""Main workflow, first step: split the uploaded file into chunks of whole records.

One call splits a file of up to ``SPLIT_RANGE_BYTES``. If a file is larger, the first call reads
only the header, and the workflow then calls the other `PHASES`; see `batchcore.ranges`.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import orjson
from batchcore import aws, intake, items, keys, ranges, splitting, workflow
from batchcore.metrics import publish_rows
from batchcore.records import REJECT_COLUMNS, RowWriter
from batchcore.runtime import Event, Result, job_step
from batchcore.schema import RecordSchema
from batchcore.upload import Upload
from botocore.config import Config

# One connection for each upload in flight, and one for the file that is read meanwhile.
POOL = Config(max_pool_connections=aws.UPLOADS_IN_FLIGHT + 1)

s3 = boto3.client("s3", config=aws.CONFIG.merge(POOL))
dynamodb = boto3.client("dynamodb", config=aws.CONFIG)
schema = RecordSchema.load()


@job_step
def lambda_handler(event: Event, context: object) -> Result:
    """Run the phase of the split that the event names, by default the first one."""
    return PHASES[event.get("phase", "begin")](event)


def begin(event: Event) -> Result:
    """Split the file, or return its ranges if it is too large for one call."""
    size_bytes, given = event["sizeBytes"], event["parameters"]
    keys.check_name(event["jobId"], event["key"], given["archiveFolder"])
    upload = Upload(
        splitting.read_blocks(s3, event),
        name=event["key"],
        delimiter=given["delimiter"],
        chunk_rows=given["chunkRows"],
        size_bytes=size_bytes,
    )
    header, splitter = upload.read_header(schema), upload.splitter
    found: Result = {"chunkRows": splitter.chunk_rows}
    if splitter.delimiter != given["delimiter"]:
        found["delimiter"] = splitter.delimiter
    range_bytes = int(os.environ["SPLIT_RANGE_BYTES"])
    if upload.packed or size_bytes <= range_bytes:
        manifest = splitting.upload_chunks(s3, event, splitter.chunks(prefix=header), schema)
        return _finish(event, header, manifest, found)
    starts = ranges.range_starts(splitter.position, size_bytes, range_bytes=range_bytes)
    return {
        "headerBytes": splitter.position,
        "firstRow": splitter.row,
        "rangeBytes": range_bytes,
        "ranges": list(range(len(starts))),
        **found,
    }


def collect(event: Event) -> Result:
    """Join the ranges' parts of the manifest into one."""
    found = splitting.collect(s3, event)
    if "failure" in found:
        return found
    header = splitting.read_own_header(s3, event, schema)
    return _finish(event, header, found["chunks"], event["split"])


PHASES: Mapping[str, Callable[[Event], Result]] = {
    "begin": begin,
    "survey": lambda event: splitting.survey(s3, event),
    "number": lambda event: splitting.number(s3, event),
    "cut": lambda event: splitting.cut(s3, event, schema),
    "collect": collect,
}


def _finish(event: Event, header: bytes, manifest: list[Any], found: Mapping[str, Any]) -> Result:
    """Store the manifest and the headers of the merged files, and update the ledger.

    Parameters
    ----------
    found
        What the first phase found: ``chunkRows`` and, if it is not the one that was given,
        ``delimiter``. The result has that too, so that every later step takes it.
    """
    delimiter = found.get("delimiter", event["parameters"]["delimiter"])
    other = {"delimiter": delimiter} if "delimiter" in found else {}
    job, rows = event["jobId"], sum(chunk["rows"] for chunk in manifest)
    if not rows:
        raise intake.no_rows()
    writer = RowWriter(delimiter=delimiter)
    headers = {
        keys.output(job, keys.HEADER_PIECE): writer.header(header, schema.enrichment),
        keys.rejected_piece(job, keys.HEADER_PIECE): writer.header(header, REJECT_COLUMNS),
    }
    key = keys.manifest(job, event["attempt"])
    objects = {**headers, key: orjson.dumps(manifest)}
    output, rejects, _ = aws.put_many(s3, event["bucket"], iter(objects.items()))
    warnings = intake.header_warnings(header, schema, delimiter=delimiter)
    entry = {
        "rowsIn": rows,
        "chunks": len(manifest),
        "manifestKey": key,
        "headers": {"output": output, "rejects": rejects},
        **({"warnings": warnings} if warnings else {}),
        **other,
    }
    before = aws.update_entry(
        dynamodb,
        os.environ["JOB_TABLE"],
        job,
        items.JOB_ENTRY,
        {
            "status": workflow.RUNNING,
            "chunkRows": found["chunkRows"],
            **entry,
        },
        attempt=event["attempt"],
        remove=("error", "cause", "endTime", *(() if warnings else ("warnings",))),
        begins=True,
    )
    publish_rows({"rowsIn": rows}, before)
    return {"manifestKey": key, "rows": rows, "chunks": len(manifest), **other}
