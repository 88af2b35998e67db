"""Jobs whose rows are all rejected, as if they had run: their errors, files and entries.

They are made by the functions' own code, and put where the functions put them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import aws, error_files, items, keys, workflow
from batchcore.records import REJECT_COLUMNS
from batchcore.results import sum_up_errors

from batchops.deployment.deployed import deployed_schema
from tools.benchmarks.work.job_reading import ERRORS_FILE, FIXED_FILE

if TYPE_CHECKING:
    from batchops.stack import Stack

TIME = "2026-11-23T06:00:00.000Z"
_KEY = keys.INPUT_PREFIX + "orders.csv"
_COLUMNS = "uuid,Country,Item Type,Sales Channel,Order Priority,Order Date,Region,Ship Date,Total"
_FAULTS = (
    ("Country", "maxLength", "x" * 51, "50", "has 51 characters"),
    ("Order Date", "format", "13/40/10", "date", "is no date"),
    ("Sales Channel", "enum", "Onlin", "Offline, Online", "is none of those: Offline, Online"),
)


def records(first_row: int, number: int) -> Iterator[dict[str, Any]]:
    """Yield rejected records with an error each."""
    for row in range(first_row, first_row + number):
        column, rule, value, limit, message = _FAULTS[row % len(_FAULTS)]
        fault = {"column": column, "rule": rule, "value": value, "limit": limit}
        raw = f"{row:09d},Ghana,Snacks,Onlin,H,1/9/10,Sub-Saharan Africa,1/19/10,{row % 977}.25\n"
        error = {**fault, "stage": workflow.VALIDATE.name, "message": f"{column} {message}"}
        yield {"row": row, "raw": raw, "key": f"{row:09d}", "errors": [error]}


def enter_job(
    stack: Stack, folder: Path, errors: int, per_chunk: int, *, repairable: bool = False
) -> tuple[str, int]:
    """Store a job's errors and entries; return its id, and the size of its errors in bytes.

    Parameters
    ----------
    repairable
        Whether its chunks are stored as well, and a file with all of its rows fixed, in the folder.
    """
    job = f"errors-{per_chunk}-{errors:012d}"
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    bucket, table = stack.outputs["SourceBucketName"], stack.outputs["JobTableName"]
    (folder / job).mkdir()
    path = folder / job / ERRORS_FILE
    entries: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    with path.open("wb") as file:
        for number, start in enumerate(range(0, errors, per_chunk), 1):
            rows = min(per_chunk, errors - start)
            piece = error_files.format_piece(
                records(start + 2, rows), chunk=number, attempt=1, time=TIME
            )
            file.write(piece.body)
            entries.append(_chunk_entry(job, number, rows, piece))
    if repairable:
        more = _store_chunks(stack, folder / job / FIXED_FILE, job, entries)
    with path.open("rb") as file:
        version = s3.put_object(Bucket=bucket, Key=keys.errors(job, _KEY), Body=file)["VersionId"]
    aws.batch_write(
        dynamodb, table, ({"PutRequest": {"Item": _attributes(each)}} for each in entries)
    )
    entry = {
        "jobId": job,
        "entry": items.JOB_ENTRY,
        "status": workflow.SUCCEEDED,
        "ledgerFormat": items.LEDGER_FORMAT,
        "startTime": TIME,
        "endTime": TIME,
        "attempt": 1,
        "bucket": bucket,
        "key": _KEY,
        "delimiter": ",",
        "chunks": len(entries),
        "rowsIn": errors,
        "rowsOut": 0,
        "rowsRejected": errors,
        "errors": errors,
        "errorsFile": {
            "key": keys.errors(job, _KEY),
            "versionId": version,
            "attempt": 1,
            **sum_up_errors(entries),
        },
        **more,
    }
    dynamodb.put_item(TableName=table, Item=_attributes(entry))
    return job, path.stat().st_size


def _store_chunks(
    stack: Stack, fixed: Path, job: str, entries: list[dict[str, Any]]
) -> dict[str, Any]:
    """Store chunks with their pieces and the file of fixed rows; return what the ledger says."""
    s3, bucket = stack.client("s3"), stack.outputs["SourceBucketName"]
    header, row, manifest = f"{_COLUMNS}\n".encode(), 2, []
    # The results have the columns that the deployed schema adds: else a repair starts anew.
    added = deployed_schema(stack).enrichment
    heads = {
        "output": (
            keys.output(job, keys.HEADER_PIECE),
            ",".join([_COLUMNS, *added]).encode() + b"\n",
        ),
        "rejects": (
            keys.rejected_piece(job, keys.HEADER_PIECE),
            ",".join([_COLUMNS, *REJECT_COLUMNS]).encode() + b"\n",
        ),
    }
    with fixed.open("w", encoding="utf-8") as file:
        file.write(heads["rejects"][1].decode())
        for number, entry in enumerate(entries, 1):
            found = list(records(row, entry["rows"]))
            text = header + "".join(record["raw"] for record in found).encode()
            stored = aws.put_version(s3, bucket, keys.chunk(job, number), text)
            piece = error_files.format_piece(found, chunk=number, attempt=1, time=TIME).body
            kept = aws.put_version(s3, bucket, keys.error_piece(job, number), piece)
            entry["errorPiece"]["versionId"] = kept["versionId"]
            last = row + len(found) - 1
            place = {"number": number, "entry": entry["entry"], "firstRow": row, "lastRow": last}
            manifest.append({**place, "rows": len(found), "sizeBytes": len(text), **stored})
            for record in found:
                whole = record["raw"].replace("Onlin,", "Online,").rstrip("\n")
                file.write(f"{whole},{record['row']},,\n")
            row = last + 1
    listed = keys.manifest(job, 1)
    aws.put_version(s3, bucket, listed, json.dumps(manifest).encode())
    versions = {
        kind: aws.put_version(s3, bucket, key, body)["versionId"]
        for kind, (key, body) in heads.items()
    }
    return {"manifestKey": listed, "headers": versions}


def _chunk_entry(job: str, number: int, rows: int, piece: error_files.ErrorPiece) -> dict[str, Any]:
    return {
        "jobId": job,
        "entry": items.chunk_entry(number),
        "status": workflow.SUCCEEDED,
        "startTime": TIME,
        "endTime": TIME,
        "attempt": 1,
        "rows": rows,
        "valid": 0,
        "rejected": rows,
        "errors": rows,
        "sizeBytes": {"output": 0, "rejects": 1},
        "versions": {"output": "v", "rejects": "v"},
        "stepMs": {step.name: 100 for step in workflow.CHUNK_STEPS},
        "executionArn": f"arn:aws:states:us-east-1:000000000000:execution:bench:{job}-{number}-a1",
        "errorPiece": {
            "versionId": "v",
            "sizeBytes": len(piece.body),
            "rows": piece.rows,
            "causes": piece.causes,
        },
    }


def _attributes(values: dict[str, Any]) -> Any:
    return items.attributes(values)
