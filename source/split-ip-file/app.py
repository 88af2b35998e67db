"""Main workflow, first step: split the uploaded file into chunks of whole records."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import boto3
import orjson
from batchcore import aws, csvtext, intake, items, keys
from batchcore.errors import InputGoneError, NoRowsError, TooManyChunksError
from batchcore.metrics import publish_rows
from batchcore.records import REJECT_COLUMNS, RowWriter
from batchcore.runtime import Event, Result, job_step
from batchcore.schema import RecordSchema
from botocore.exceptions import ClientError

# Every child of the Distributed Map returns "{}", and the list of them may have 256 KiB.
MAX_CHUNKS = 80_000

BLOCK_BYTES = 4 * 1024 * 1024

# A chunk has less than 32 MiB, so this many in flight bound the memory.
UPLOADS_IN_FLIGHT = 4

s3 = boto3.client("s3", config=aws.CONFIG)
dynamodb = boto3.client("dynamodb", config=aws.CONFIG)
schema = RecordSchema.load()


@job_step
def lambda_handler(event: Event, context: object) -> Result:
    """Write the chunks, the headers of the merged files and the manifest."""
    job, delimiter = event["jobId"], event["parameters"]["delimiter"]
    keys.check_name(job, event["key"], event["parameters"]["archiveFolder"])
    splitter = csvtext.Splitter(
        intake.check_text(_blocks(event)),
        delimiter=delimiter,
        chunk_rows=event["parameters"]["chunkRows"],
    )
    header = intake.read_header(splitter, schema, delimiter=delimiter)
    manifest = _upload(event, header, splitter.chunks())
    rows = sum(chunk["rows"] for chunk in manifest)
    if not rows:
        raise NoRowsError("the file has a header and no rows; upload one with data")
    _upload_headers(event, header)
    key = keys.manifest(job)
    aws.put_intermediate(s3, event["bucket"], key, orjson.dumps(manifest))
    before = aws.update_entry(
        dynamodb,
        os.environ["JOB_TABLE"],
        job,
        items.JOB_ENTRY,
        {"status": items.RUNNING, "rowsIn": rows, "chunks": len(manifest), "manifestKey": key},
        attempt=event["attempt"],
        remove=("error", "cause", "endTime"),
        begins=True,
    )
    publish_rows({"rowsIn": rows}, before)
    return {"manifestKey": key, "rows": rows, "chunks": len(manifest)}


def _blocks(event: Event) -> Iterator[bytes]:
    """Yield the bytes of exactly the object version that the job is about."""
    try:
        body = s3.get_object(
            Bucket=event["bucket"], Key=event["key"], VersionId=event["versionId"]
        )["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion", "404"}:
            raise
        raise InputGoneError(
            f"version {event['versionId']} of {event['key']} is no longer in the bucket"
        ) from error
    yield from body.iter_chunks(BLOCK_BYTES)


def _upload(event: Event, header: bytes, chunks: Iterator[csvtext.Chunk]) -> list[dict[str, Any]]:
    """Upload the chunks, a few at a time, and return the manifest."""
    manifest = []
    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(UPLOADS_IN_FLIGHT) as pool:
        for chunk in chunks:
            if chunk.number > MAX_CHUNKS:
                raise TooManyChunksError(
                    f"the file has more than {MAX_CHUNKS:,} chunks of {chunk.rows:,} rows: deploy "
                    "with a larger FileChunkSize, and submit it again"
                )
            if len(pending) == UPLOADS_IN_FLIGHT:
                pending.popleft().result()
            key = keys.chunk(event["jobId"], chunk.number)
            body = header + chunk.data
            pending.append(pool.submit(aws.put_intermediate, s3, event["bucket"], key, body))
            manifest.append(
                {
                    "number": chunk.number,
                    "entry": items.chunk_entry(chunk.number),
                    "key": key,
                    "firstRow": chunk.first_row,
                    "lastRow": chunk.last_row,
                    "rows": chunk.rows,
                    "sizeBytes": len(body),
                }
            )
        for upload in pending:
            upload.result()
    return manifest


def _upload_headers(event: Event, header: bytes) -> None:
    """Store the headers of the completed file and the rejects as their piece 0."""
    writer = RowWriter(delimiter=event["parameters"]["delimiter"])
    pieces = {
        keys.output(event["jobId"], keys.HEADER_PIECE): schema.enrichment,
        keys.rejected_piece(event["jobId"], keys.HEADER_PIECE): REJECT_COLUMNS,
    }
    for key, columns in pieces.items():
        aws.put_intermediate(s3, event["bucket"], key, writer.header(header, columns))
