"""Find out what a repair would do: read the mended rows, check them, and change nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import aws, csvtext, items, keys, reference, workflow
from batchcore.errors import SchemaError, TransientError
from batchcore.records import REJECT_COLUMNS
from batchcore.schema import RecordSchema
from botocore.exceptions import ClientError

from batchops import ledger
from batchops.deployment.deployed import deployed_schema
from batchops.errors import AwsError, InputError, JobError, translated
from batchops.recovery.attempts import last_attempt
from batchops.recovery.repair_check import (
    CheckedRow,
    check_rows,
    hold_against_reference,
    patches_of,
)
from batchops.recovery.repair_plan import RepairPlan
from batchops.recovery.repair_rows import (
    ChunkText,
    EditedRow,
    as_shown,
    listed,
    read_edited,
    split_fields,
)
from batchops.recovery.rerun_planning import plan_chunks, read_manifest

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job

_WORKERS = 8

# A chunk as the manifest has it.
Chunk = Mapping[str, Any]


def plan_repair(
    job: Job,
    source: pd.DataFrame | str | Path | bytes,
    *,
    schema: str | Path | None = None,
) -> RepairPlan:
    """Hold mended rows against the schema and the reference data, and change nothing.

    Parameters
    ----------
    source
        The DataFrame that ``job.rejects()`` gave, edited, or the edited rejects file, as a path or
        bytes. A row's number in ``source_row`` says which it is; rows that are left out stay
        rejected, and so do those that nobody changed. The reasons are ignored. Of a row that had
        more fields than the header only those under the header are written.
    schema
        The schema file to check with; by default the deployed one, read from its layer.

    Raises
    ------
    JobNotFoundError, AwsError
    JobRunningError
        If the job has not ended.
    InputError
        If the rows cannot be read, or some of them are not rejected rows of the job.
    JobError
        If the job has no chunks to put rows into, or no longer.
    """
    last = last_attempt(job)
    manifest = chunks_of(job, last.entry)
    columns = _columns(job, last.entry)
    rows = read_edited(source, columns=columns, delimiter=last.entry["delimiter"])
    checked_with, against = _schema(job, schema)
    checked = _check(job, last.entry, _by_chunk(job, rows, manifest), checked_with)
    checked = hold_against_reference(checked, _known_keys(job, checked), checked_with)
    patches = patches_of(checked)
    named = {number: f"mended rows: {len(records)}" for number, records in patches.items()}
    rerun = plan_chunks(job, last, manifest, named=named)
    if rerun.from_start:
        raise JobError(f"job {job.id}: {rerun.lost}; rerun it first", job_id=job.id)
    return RepairPlan(
        job_id=job.id,
        rows=tuple(row.outcome for row in checked),
        checked_against=against,
        rerun=rerun,
        patches=patches,
    )


def chunks_of(job: Job, entry: ledger.Entry) -> list[dict[str, Any]]:
    """Return the chunks that the job was split into.

    Raises
    ------
    JobError
        If it was never split, or the list is gone.
    """
    manifest = read_manifest(job, entry) if "manifestKey" in entry else None
    if manifest is None:
        why = "the list of its chunks is gone" if "manifestKey" in entry else "it was never split"
        raise JobError(
            f"job {job.id} has no chunks to put rows into, because {why}: submit the mended rows "
            "as a file of their own",
            job_id=job.id,
        )
    return manifest


def _columns(job: Job, entry: ledger.Entry) -> list[str]:
    """Return the input's columns, from the header that the split wrote for the rejects."""
    key = keys.rejected_piece(job.id, keys.HEADER_PIECE)
    piece = {"key": key, "versionId": entry["headers"]["rejects"]}
    header = _read(job, entry, piece).removeprefix(csvtext.BOM)
    names = split_fields(header, delimiter=entry["delimiter"])
    return [as_shown(name) for name in names[: -len(REJECT_COLUMNS)]]


def _read(job: Job, entry: ledger.Entry, stored: Mapping[str, Any]) -> bytes:
    s3, key = job.stack.client("s3"), stored["key"]
    with translated(f"reading {key}"):
        try:
            return aws.read_version(s3, entry["bucket"], stored)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion"}:
                raise
            raise JobError(
                f"{key} is gone, as it is after IntermediateExpiryDays: submit the mended rows as "
                "a file of their own",
                job_id=job.id,
            ) from error


def read_chunk(job: Job, entry: ledger.Entry, chunk: Chunk) -> ChunkText:
    """Return a chunk's records, as the version has them that the manifest names."""
    data = _read(job, entry, chunk)
    return ChunkText(data, delimiter=entry["delimiter"], first_row=chunk["firstRow"])


def _schema(job: Job, given: str | Path | None) -> tuple[RecordSchema, str]:
    if given is None:
        return deployed_schema(job.stack), "the deployed schema and reference data"
    try:
        return RecordSchema.load(Path(given)), f"the schema {given} and the deployed reference data"
    except SchemaError as error:
        raise InputError(f"{error} (schema={str(given)!r})") from error


def _by_chunk(
    job: Job, rows: Iterable[EditedRow], manifest: Sequence[Chunk]
) -> list[tuple[Chunk, list[EditedRow]]]:
    """Return the chunks that the rows lie in, in order, each with its rows.

    Raises
    ------
    InputError
        If a row lies in none.
    """
    starts = [chunk["firstRow"] for chunk in manifest]
    found: dict[int, list[EditedRow]] = {}
    strays = []
    for row in sorted(rows):
        place = bisect_right(starts, row.source_row) - 1
        if place < 0 or row.source_row > manifest[place]["lastRow"]:
            strays.append(row.source_row)
        found.setdefault(place, []).append(row)
    if strays:
        raise InputError(f"job {job.id} has no such rows: {listed(strays)}")
    return [(manifest[place], within) for place, within in found.items()]


def _check(
    job: Job,
    entry: ledger.Entry,
    chunks: Sequence[tuple[Chunk, list[EditedRow]]],
    schema: RecordSchema,
) -> list[CheckedRow]:
    """Check the rows chunk by chunk, a few chunks at a time.

    Raises
    ------
    InputError
        If rows are not such as a repair may change.
    """
    dynamodb, outputs = job.stack.client("dynamodb"), job.stack.outputs
    entries = ledger.chunk_entries(dynamodb, outputs["JobTableName"], job.id)
    done = {each["entry"] for each in entries if each["status"] == workflow.SUCCEEDED}

    def check(work: tuple[Chunk, list[EditedRow]]) -> list[CheckedRow]:
        chunk, rows = work
        return check_rows(
            rows,
            read_chunk(job, entry, chunk),
            number=chunk["number"],
            rejected=_rejected_rows(job, chunk),
            done=chunk["entry"] in done,
            schema=schema,
            delimiter=entry["delimiter"],
        )

    with ThreadPoolExecutor(_WORKERS) as pool:
        checked = [row for found in pool.map(check, chunks) for row in found]
    reasons: dict[str, list[int]] = {}
    for row in checked:
        if row.refused:
            reasons.setdefault(row.refused, []).append(row.outcome.source_row)
    if reasons:
        text = "; ".join(f"{listed(rows)}: {why}" for why, rows in reasons.items())
        raise InputError(f"job {job.id} cannot be repaired in these rows: {text}")
    return checked


def _rejected_rows(job: Job, chunk: Chunk) -> set[int]:
    """Return the rows of a chunk that ErrorTable has errors of."""
    low, high = items.row_range(chunk["firstRow"], chunk["lastRow"])
    pages = (
        job.stack.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=job.stack.outputs["ErrorTableName"],
            KeyConditionExpression="jobId = :job AND errorId BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":job": {"S": job.id},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ProjectionExpression="sourceRow",
            ConsistentRead=True,
        )
    )
    with translated(f"reading the errors of chunk {chunk['number']} of job {job.id!r}"):
        return {int(item["sourceRow"]["N"]) for page in pages for item in page["Items"]}


def _known_keys(job: Job, rows: Iterable[CheckedRow]) -> set[str]:
    """Return those of the rows' keys that the deployed reference data has."""
    wanted = sorted({row.key for row in rows if row.key})
    table = job.stack.outputs["FinancialTableName"]
    primary = [reference.table_key(key) for key in wanted]
    with translated("looking keys up in the reference data"):
        try:
            found = aws.batch_get(job.stack.client("dynamodb"), table, primary)
        except TransientError as error:
            raise AwsError(f"the reference data is throttled, try again: {error}") from error
    return {reference.api_item(item)["uuid"] for item in found}
