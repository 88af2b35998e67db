"""Read the input of a split from S3, and write its chunks and the results of its phases.

The phases of a split in ranges (see `batchcore.ranges`) pass on their results as JSON under
``jobs/<job id>/ranges/<attempt>/``. If a result is a failure, the next phase ends the job with it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError

from batchcore import aws, csvtext, intake, items, keys, ranges
from batchcore.errors import BalanceError, InputGoneError, JobEndingError
from batchcore.runtime import Event, Result, failure
from batchcore.schema import RecordSchema
from batchcore.sizing import MAX_CHUNKS, too_many_chunks
from batchcore.texts import number_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK_BYTES = 4 * 1024 * 1024

# The result of a phase for one range, as stored in JSON.
Found = dict[str, Any]

# A chunk as the manifest lists it.
ManifestEntry = dict[str, Any]


def read_blocks(
    s3: "S3Client", event: Event, start: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """Yield the bytes of exactly the object version that the job is to process, or a range of them.

    A server may ignore a Range (RFC 9110, 14.2), and the local engine does if a version is named.
    Bytes that were not asked for are then skipped here.

    Raises
    ------
    InputGoneError
        If the version no longer exists.
    """
    wanted = {"Bucket": event["bucket"], "Key": event["key"], "VersionId": event["versionId"]}
    if start or end is not None:
        wanted["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    try:
        answer = s3.get_object(**wanted)
    except ClientError as error:
        if not aws.is_gone(error):
            raise
        raise InputGoneError(
            f"version {event['versionId']} of {event['key']} is no longer in the bucket"
        ) from error
    offset = start if "ContentRange" in answer else 0  # of the block in the file
    with closing(answer["Body"]) as body:
        for block in body.iter_chunks(BLOCK_BYTES):
            if end is not None and offset >= end:
                return
            found = block[max(0, start - offset) : None if end is None else end - offset]
            offset += len(block)
            if found:
                yield found


def upload_chunks(
    s3: "S3Client", event: Event, chunks: Iterator[csvtext.SplitChunk], schema: RecordSchema
) -> list[ManifestEntry]:
    """Upload the chunks and return their entries in the manifest.

    Raises
    ------
    TooManyChunksError
        Before the first chunk above the limit is uploaded.
    """
    manifest: list[ManifestEntry] = []

    def objects() -> Iterator[tuple[str, bytes]]:
        for chunk in chunks:
            if chunk.number > MAX_CHUNKS:
                raise too_many_chunks(chunk.rows)
            key, body = keys.chunk(event["jobId"], chunk.number), chunk.data
            manifest.append(
                {
                    "number": chunk.number,
                    "entry": items.chunk_entry(chunk.number),
                    "key": key,
                    "firstRow": chunk.first_row,
                    "lastRow": chunk.last_row,
                    "rows": chunk.rows,
                    "sizeBytes": len(body),
                    "addedColumns": schema.added_columns,
                }
            )
            del chunk  # otherwise it would stay in memory while the next one is cut
            yield key, body

    versions = aws.put_many(s3, event["bucket"], objects())
    for entry, version in zip(manifest, versions, strict=True):
        entry["versionId"] = version
    return manifest


# --------------------------------------------------------------------- a split in ranges


def survey(s3: "S3Client", event: Event) -> Result:
    """Survey one range of the input and store the survey."""

    def work() -> Found:
        starts, at = _starts(event), event["range"]
        end = (*starts, event["sizeBytes"])[at + 1]
        blocks = read_blocks(s3, event, starts[at])
        found = ranges.survey_range(
            ranges.whole_lines(blocks, first=at == 0, length=end - starts[at]),
            delimiter=delimiter_of(event),
            chunk_rows=event["split"]["chunkRows"],
        )
        return found.to_dict()

    return _store(s3, event, keys.survey(*_attempt(event), event["range"]), work)


def number(s3: "S3Client", event: Event) -> Result:
    """Combine the surveys, store the cuts to make, and return their numbers as ``ranges``.

    Raises
    ------
    FileError
        If the file is not acceptable: the same error as splitting it in one pass would raise.
    """
    split = event["split"]
    parts = _load(s3, event, [keys.survey(*_attempt(event), n) for n in split["ranges"]])
    for part in parts:
        if "failure" in part:
            return part
    cuts = ranges.plan_cuts(
        [ranges.RangeSurvey.from_dict(part) for part in parts],
        start=split["headerBytes"],
        first_row=split["firstRow"],
        chunk_rows=split["chunkRows"],
    )
    body = orjson.dumps([cut.to_dict() for cut in cuts])
    aws.put_intermediate(s3, event["bucket"], keys.cuts(*_attempt(event)), body)
    return {**split, "ranges": list(range(len(cuts)))}


def cut(s3: "S3Client", event: Event, schema: RecordSchema) -> Result:
    """Write the chunks of one cut and store their entries in the manifest."""

    def work() -> Found:
        cuts = orjson.loads(aws.read_object(s3, event["bucket"], keys.cuts(*_attempt(event))))
        own = ranges.Cut(**cuts[event["range"]])
        header = read_own_header(s3, event, schema)
        splitter = csvtext.Splitter(
            read_blocks(s3, event, own.start, own.end),
            delimiter=delimiter_of(event),
            chunk_rows=event["split"]["chunkRows"],
            first_row=own.first_row,
            first_chunk=own.first_chunk,
        )
        chunks = upload_chunks(s3, event, splitter.chunks(prefix=header), schema)
        if len(chunks) != own.chunks:
            raise BalanceError(
                f"range {event['range']} was cut into {number_of(len(chunks), 'chunk')}, but its "
                f"survey found {own.chunks:,}"
            )
        return {"chunks": chunks}

    return _store(s3, event, keys.cut_part(*_attempt(event), event["range"]), work)


def collect(s3: "S3Client", event: Event) -> Found:
    """Return the manifest of all cuts as ``chunks``, or the failure of a cut."""
    numbers = event["split"]["ranges"]
    parts = _load(s3, event, [keys.cut_part(*_attempt(event), n) for n in numbers])
    for part in parts:
        if "failure" in part:
            return part
    return {"chunks": [chunk for part in parts for chunk in part["chunks"]]}


def read_own_header(s3: "S3Client", event: Event, schema: RecordSchema) -> bytes:
    """Return the header of a file that is split in ranges."""
    blocks = read_blocks(s3, event, 0, event["split"]["headerBytes"])
    delimiter = delimiter_of(event)
    splitter = csvtext.Splitter(blocks, delimiter=delimiter, chunk_rows=1)
    return intake.read_header(splitter, schema, delimiter=delimiter)


def delimiter_of(event: Event) -> str:
    """Return the delimiter that the first phase found, or else the one that was given."""
    found: str = event["split"].get("delimiter", event["parameters"]["delimiter"])
    return found


def _attempt(event: Event) -> tuple[str, int]:
    """Return job and attempt, which are in each result's key: attempts share no results."""
    return event["jobId"], event["attempt"]


def _starts(event: Event) -> list[int]:
    split = event["split"]
    return ranges.range_starts(
        split["headerBytes"], event["sizeBytes"], range_bytes=split["rangeBytes"]
    )


def _store(s3: "S3Client", event: Event, key: str, work: Callable[[], Found]) -> Result:
    """Store the result of a phase for one range, or the error that ends the job, as a failure."""
    try:
        part = work()
    except JobEndingError as error:
        part = failure(error)
    aws.put_intermediate(s3, event["bucket"], key, orjson.dumps(part))
    return {}


def _load(s3: "S3Client", event: Event, wanted: Sequence[str]) -> list[Found]:
    read = partial(aws.read_object, s3, event["bucket"])
    with ThreadPoolExecutor(aws.UPLOADS_IN_FLIGHT) as pool:
        return [orjson.loads(body) for body in pool.map(read, wanted)]
