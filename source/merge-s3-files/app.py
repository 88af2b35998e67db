"""Main workflow, Merge all Files: check that every chunk has a result, then join them in order.

A merge that is too large for one call takes several: the first plans it, then one call for each
group of pieces uploads them, and the last completes the files.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import orjson
from batchcore import aws, items, joining, keys, results
from batchcore.dynamojson import read_as_sent
from batchcore.errors import InputGoneError, TooManyRejectsError
from batchcore.merge_plans import MergePlan, store_plan, upload_item
from batchcore.metrics import publish_rows
from batchcore.pieces import Piece, total_bytes
from batchcore.runtime import Event, Result, failure, job_step
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

ARCHIVING = TransferConfig(
    multipart_threshold=aws.COPY_PART_BYTES,
    multipart_chunksize=aws.COPY_PART_BYTES,
    max_concurrency=aws.COPIES_IN_FLIGHT,
)

s3 = boto3.client("s3", config=aws.CONFIG.merge(Config(max_pool_connections=aws.COPIES_IN_FLIGHT)))
dynamodb = read_as_sent(boto3.client("dynamodb", config=aws.CONFIG))


@job_step
def lambda_handler(event: Event, context: object) -> Result:
    """Merge a job's chunks or plan the merge, upload a group of a plan, or complete a plan."""
    if "group" in event:
        return {"parts": upload_item(s3, event["bucket"], event["jobId"], event["group"])}
    if "merge" in event:
        return complete_plan(event)
    return merge_chunks(event)


def merge_chunks(event: Event) -> Result:
    """Check the balance, then write the files and finish, or plan a large merge."""
    _confirm(event)
    job, bucket, entry = event["jobId"], event["bucket"], _job_entry(event)
    chunks = _checked_chunks(event, entry)
    totals = results.count_rows(chunks)
    files = dict(_pieces_by_file(event, chunks, entry["headers"]))
    tags = {
        keys.completed(job, event["key"]): aws.COMPLETED,
        keys.rejected(job, event["key"]): aws.REJECTED,
        keys.errors(job, event["key"]): aws.ERRORS,
    }
    group_bytes = int(os.environ["MERGE_GROUP_BYTES"])
    if sum(map(total_bytes, files.values())) > group_bytes:
        plan = store_plan(
            s3,
            bucket,
            job,
            files,
            attempt=event["attempt"],
            group_bytes=group_bytes,
            tags=tags,
        )
        return {"plan": plan, **totals}
    versions = {
        key: joining.join_pieces(
            s3,
            bucket,
            pieces,
            key,
            confirm=lambda: _confirm(event),
            tag=tags[key],
        )
        for key, pieces in files.items()
    }
    return _finish(event, chunks, files, versions)


def complete_plan(event: Event) -> Result:
    """Complete the files of a plan, after all its groups are uploaded, and finish."""
    plan = MergePlan(s3, event["bucket"], event["jobId"], event["merge"]["plan"]["key"])
    _confirm(event)
    versions = plan.complete()
    entry = _job_entry(event)
    chunks = _checked_chunks(event, entry)
    files = dict(_pieces_by_file(event, chunks, entry["headers"]))
    return _finish(event, chunks, files, versions)


def _checked_chunks(event: Event, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the ledger entries of the job's chunks, in order, after checking them."""
    job, bucket = event["jobId"], event["bucket"]
    manifest = _read_json(bucket, entry["manifestKey"])
    resumed = _read_json(bucket, event["resume"]["manifestKey"]) if "resume" in event else manifest
    entries = aws.query_entries(dynamodb, os.environ["JOB_TABLE"], job, items.CHUNK_PREFIX)
    rerun = {chunk["number"] for chunk in resumed}
    return results.match_chunks(manifest, entries, rerun=rerun, attempt=event["attempt"])


def _finish(
    event: Event,
    chunks: list[dict[str, Any]],
    files: dict[str, list[Piece]],
    versions: dict[str, str],
) -> Result:
    """Archive the input, update the ledger, and only then delete the input."""
    job, bucket, key, table = event["jobId"], event["bucket"], event["key"], os.environ["JOB_TABLE"]
    # If the job succeeded before and was repaired, its input is archived, or deleted since.
    archived = _job_entry(event).get("archiveKey") or _copy_to_archive(event)
    totals = results.count_rows(chunks)
    outcome = {
        **totals,
        "completedKey": keys.completed(job, key),
        "rejectedKey": keys.rejected(job, key),
        "archiveKey": archived,
    }
    errors_file = _describe_errors(event, chunks, versions)
    before = aws.update_entry(
        dynamodb,
        table,
        job,
        items.JOB_ENTRY,
        {**outcome, **_describe_results(event, files, versions), **errors_file},
        attempt=event["attempt"],
        remove=() if errors_file else ("errorsFile",),
    )
    publish_rows({name: totals[name] for name in ("rowsOut", "rowsRejected")}, before)
    # Now that the ledger names the copy, delete the input; only this version, so a newer one stays.
    s3.delete_object(Bucket=bucket, Key=key, VersionId=event["versionId"])
    return {**outcome, **_verdict(totals)}


def _verdict(totals: dict[str, int]) -> Result:
    """Return the error that the job has to end with if too few rows were accepted.

    It is no failure of the merge, whose files are complete.
    """
    try:
        results.check_rejects(
            rows=totals["rowsIn"],
            rejected=totals["rowsRejected"],
            allowed_percent=int(os.environ["MAX_REJECTED_PERCENT"]),
        )
    except TooManyRejectsError as error:
        return {"verdict": failure(error)["failure"]}
    return {}


def _describe_results(
    event: Event, files: dict[str, list[Piece]], versions: dict[str, str]
) -> dict[str, dict[str, str | int]]:
    """Return what the ledger keeps of both result files, by which they are found again.

    A file is as large as its pieces together, each of which was checked when it was joined.
    """
    found: dict[str, dict[str, str | int]] = {}
    for kind, key_of in (("completedFile", keys.completed), ("rejectedFile", keys.rejected)):
        key = key_of(event["jobId"], event["key"])
        found[kind] = {"versionId": versions[key], "sizeBytes": total_bytes(files[key])}
    return found


def _describe_errors(
    event: Event, chunks: list[dict[str, Any]], versions: dict[str, str]
) -> dict[str, dict[str, str | int]]:
    """Return what the ledger keeps of the file of errors; nothing if there is no such file."""
    key = keys.errors(event["jobId"], event["key"])
    if key not in versions:
        return {}
    place = {"key": key, "versionId": versions[key], "attempt": event["attempt"]}
    return {"errorsFile": {**place, **results.sum_up_errors(chunks)}}


def _confirm(event: Event) -> None:
    """Check that no later attempt has taken over the job, whose files would be replaced."""
    table, job = os.environ["JOB_TABLE"], event["jobId"]
    aws.require_attempt(dynamodb, table, job, items.JOB_ENTRY, attempt=event["attempt"])


def _job_entry(event: Event) -> dict[str, Any]:
    """Return the job's entry in the ledger."""
    table = os.environ["JOB_TABLE"]
    return next(aws.query_entries(dynamodb, table, event["jobId"], items.JOB_ENTRY))


def _pieces_by_file(
    event: Event, chunks: list[dict[str, Any]], headers: dict[str, str]
) -> Iterator[tuple[str, list[Piece]]]:
    job, key = event["jobId"], event["key"]
    for file, kind, key_of in (
        (keys.completed(job, key), "output", keys.output),
        (keys.rejected(job, key), "rejects", keys.rejected_piece),
    ):
        name = key_of(job, keys.HEADER_PIECE)
        head = s3.head_object(Bucket=event["bucket"], Key=name, VersionId=headers[kind])
        header = Piece(name, headers[kind], head["ContentLength"])
        yield file, results.list_pieces(job, chunks, kind, key_of, header=header)
    errors = results.list_error_pieces(job, chunks)
    if errors is not None:
        yield keys.errors(job, key), errors


def _read_json(bucket: str, key: str) -> Any:
    return orjson.loads(aws.read_object(s3, bucket, key))


def _copy_to_archive(event: Event) -> str:
    """Copy the object version that was processed into the archive, and return the copy's key.

    Raises
    ------
    InputGoneError
    """
    bucket, key, version = event["bucket"], event["key"], event["versionId"]
    # The role may write to the stack's present folder only, and the job may be older than that.
    target = keys.archive(os.environ["INPUT_ARCHIVE_FOLDER"], key)
    source: CopySourceTypeDef = {"Bucket": bucket, "Key": key, "VersionId": version}
    try:
        named = {"ChecksumAlgorithm": aws.CHECKSUM}
        s3.copy(source, bucket, target, ExtraArgs=named, Config=ARCHIVING)
    except ClientError as error:
        if not aws.is_gone(error):
            raise
        raise InputGoneError(f"version {version} of {key} is no longer in the bucket") from error
    return target
