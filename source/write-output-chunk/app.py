"""Chunk workflow, Write output file: store a chunk's output, rejects, errors and result."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple, TypeVar

import boto3
from batchcore import aws, error_files, error_ranges, items, keys, workflow
from batchcore.chunk_rows import ChunkRows, Record, load_rows
from batchcore.errors import BalanceError
from batchcore.records import RowWriter
from batchcore.runtime import Event, Result, chunk_step
from batchcore.texts import number_of

T = TypeVar("T")

s3 = boto3.client("s3", config=aws.CONFIG)
dynamodb = boto3.client("dynamodb", config=aws.CONFIG)


@chunk_step
def lambda_handler(event: Event, context: object) -> Result:
    """Write a chunk's results, and the ledger last, because it says that the rest is there."""
    started = monotonic()
    stored = aws.read_version(s3, event["bucket"], event[workflow.ENRICH.name])
    # Without look-up, the state names what Validate Data stored.
    looked_up = not event[workflow.VALIDATE.name].get("withoutLookUp")
    last = workflow.ENRICH if looked_up else workflow.VALIDATE
    found = load_rows(stored, after=last.name)
    pieces = format_pieces(found, event["parameters"]["delimiter"])
    check_complete(pieces.rows, event["chunk"])
    job, number = event["jobId"], event["chunk"]["number"]
    places = {"output": keys.output(job, number), "rejects": keys.rejected_piece(job, number)}
    bodies = {"output": pieces.output, "rejects": pieces.rejects}
    versions = {
        kind: aws.put_version(s3, event["bucket"], key, bodies[kind])["versionId"]
        for kind, key in places.items()
    }
    error_piece = store_errors(event, pieces.rejected)
    errors = replace_errors(event, pieces.rejected)
    rows, rejected = len(pieces.rows), len(pieces.rejected)
    result = {"valid": rows - rejected, "rejected": rejected, "errors": errors}
    *before, own = (step.name for step in workflow.CHUNK_STEPS)
    # A step that was left out took no time.
    step_ms = {name: event[name]["ms"] for name in before if "ms" in event[name]}
    step_ms[own] = round((monotonic() - started) * 1000)
    begun = {**{name: event[name] for name in before if "at" in event[name]}, own: event}
    aws.update_entry(
        dynamodb,
        os.environ["JOB_TABLE"],
        job,
        items.chunk_entry(number),
        {
            "status": workflow.SUCCEEDED,
            "rows": rows,
            **result,
            "endTime": items.utc_now(),
            "sizeBytes": {kind: len(body) for kind, body in bodies.items()},
            "versions": versions,
            "errorPiece": error_piece,
            "stepMs": step_ms,
            "stepStarts": {name: step["at"] for name, step in begun.items()},
            "coldSteps": " ".join(name for name, step in begun.items() if step["cold"]),
        },
        attempt=event["attempt"],
        remove=("error", "cause", "failedStep"),
    )
    return result


class Pieces(NamedTuple):
    """A chunk's results: the numbers of its rows, its pieces of both files, its rejects."""

    rows: list[int]
    output: bytes
    rejects: bytes
    rejected: Sequence[Record]


def format_pieces(found: ChunkRows, delimiter: str) -> Pieces:
    """Format the chunk's pieces of the completed file and the rejects."""
    writer = RowWriter(delimiter=delimiter)
    rows = [*found.rows, *(record["row"] for record in found.rejected)]
    output = writer.completed(found.raw, found.values)
    return Pieces(rows, output, b"".join(map(writer.rejected, found.rejected)), found.rejected)


def check_complete(rows: list[int], chunk: dict[str, Any]) -> None:
    """Check the rows that arrived against those that the split counted.

    Raises
    ------
    BalanceError
        If a row is missing, occurs twice, or belongs to another chunk.
    """
    in_range = all(chunk["firstRow"] <= row <= chunk["lastRow"] for row in rows)
    if len(set(rows)) != len(rows) or len(rows) != chunk["rows"] or not in_range:
        raise BalanceError(
            f"chunk {chunk['number']} has {number_of(chunk['rows'], 'row')}, but "
            f"{number_of(len(rows), 'record')} with "
            f"{len(set(rows))} different rows arrived to be written"
        )


def store_errors(event: Event, rejected: Sequence[Record]) -> dict[str, str | int]:
    """Store the chunk's piece of the file of errors, and return its values for the ledger."""
    number = event["chunk"]["number"]
    piece = error_files.format_piece(
        rejected, chunk=number, attempt=event["attempt"], time=event["startTime"]
    )
    found: dict[str, str | int] = {
        "rows": piece.rows,
        "sizeBytes": len(piece.body),
        "causes": piece.causes,
    }
    if not piece.body:  # as most chunks of a good file, and a request that is saved
        return found
    key = keys.error_piece(event["jobId"], number)
    stored = aws.put_version(s3, event["bucket"], key, piece.body, tag=aws.ERRORS)
    return {**found, "versionId": stored["versionId"]}


def replace_errors(event: Event, rejected: Sequence[Record]) -> int:
    """Make the tables hold exactly this attempt's errors of the chunk, and return their number.

    The new errors are written first. Then errors of earlier attempts are deleted, unless this
    attempt has them as well. So a rejected row always has its errors. If this call belongs to an
    abandoned attempt, it stops as soon as a later attempt has taken over the chunk.
    """
    table, ttl = os.environ["ERROR_TABLE"], _expiry(event)
    rows = (record["row"] for record in rejected)
    aws.batch_write(dynamodb, table, error_ranges.list_requests(event["jobId"], rows, ttl=ttl))
    written: set[str] = set()

    def puts() -> Iterator[dict[str, Any]]:
        for item in _while_current(event, _error_items(event, rejected, ttl)):
            written.add(item["errorId"]["S"])
            yield {"PutRequest": {"Item": item}}

    aws.batch_write(dynamodb, table, puts())
    if event["attempt"] > 1:
        where = event["jobId"], event["chunk"]["firstRow"], event["chunk"]["lastRow"]
        stored = error_ranges.error_keys(dynamodb, table, *where)
        _delete(event, table, (key for key in stored if key["errorId"]["S"] not in written))
        earlier = os.environ["EARLIER_ERROR_TABLE"]
        _delete(event, earlier, error_ranges.earlier_keys(dynamodb, earlier, *where))
    return len(written)


def _delete(event: Event, table: str, stale: Iterable[error_ranges.Key]) -> None:
    keys_of_stale = _while_current(event, stale)
    aws.batch_write(dynamodb, table, ({"DeleteRequest": {"Key": k}} for k in keys_of_stale))


def _while_current(event: Event, found: Iterable[T]) -> Iterator[T]:
    """Yield the items to write as long as the chunk belongs to this attempt.

    A batch cannot have conditions in DynamoDB, so the ledger is read before each round of batches.
    """
    entry = items.chunk_entry(event["chunk"]["number"])
    for place, each in enumerate(found):
        if place % (aws.WRITE_BATCH * aws.WORKERS) == 0:
            aws.require_attempt(
                dynamodb, os.environ["JOB_TABLE"], event["jobId"], entry, attempt=event["attempt"]
            )
        yield each


def _expiry(event: Event) -> int:
    started = datetime.fromisoformat(event["startTime"])
    kept = timedelta(days=int(os.environ["ERROR_EXPIRY_DAYS"]))
    return int((started + kept).timestamp())


def _error_items(event: Event, rejected: Sequence[Record], ttl: int) -> Iterator[items.Item]:
    for record in rejected:
        yield from items.error_items(
            record,
            job=event["jobId"],
            chunk=event["chunk"]["number"],
            attempt=event["attempt"],
            time=event["startTime"],
            ttl=ttl,
        )
