"""Section ``errors``: time how a job's errors are read, beside pandas alone, on the local engine.

Jobs of very many errors take the engine many minutes, all of it in writing the table's items. So
these jobs did not run: their chunks' pieces, the file and the ledger's entries are made by the
functions' own code and put where the functions put them, and the table stays empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import aws, error_files, items, keys, workflow
from batchcore.results import sum_up_errors

from tools.benchmarks.child import Measured, measure
from tools.benchmarks.jobs import local_stack
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.measure import Spread, time_rounds
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import MB, Settings
from tools.benchmarks.work.job_reading import ERRORS_FILE

if TYPE_CHECKING:
    from batchops.stack import Stack

CHUNK_ERRORS = 5_000
READS = ("read_csv", "errors()", "iter_errors()", "why()", "balance()", "first page")
QUICK = ("why()", "balance()", "first page")
# Targets, by the number of errors: seconds.
QUICK_S = {100_000: 0.5, 1_000_000: 1.0}
READ_CSV_RATIO = 2.0
MILLION_S, MILLION_MB = 10.0, 500
MANY_CHUNKS_S = 5.0
_TIME = "2026-11-23T06:00:00.000Z"
_FAULTS = (
    ("Country", "maxLength", "x" * 51, "50", "has 51 characters"),
    ("Order Date", "format", "13/40/10", "date", "is no date"),
    ("Sales Channel", "enum", "Onlin", "Offline, Online", "is none of those: Offline, Online"),
)


@dataclass(frozen=True)
class Case:
    """A job, and the measurements of it by verb."""

    errors: int
    chunks: int
    megabytes: float
    found: dict[str, Measured]


def run(settings: Settings) -> Section:
    """Read the errors of jobs of every size, and of one with very many chunks."""
    cases = []
    with local_stack(100) as (stack, folder):
        for errors in settings.error_counts:
            kind: dict[str, Any] = {"errors": errors, "per_chunk": CHUNK_ERRORS, "verbs": READS}
            cases.append(_measure(stack, folder, settings, **kind))
        kind = {"errors": 2 * settings.many_chunks, "per_chunk": 2, "verbs": QUICK}
        cases.append(_measure(stack, folder, settings, **kind))
    written = _writing(settings.error_counts[0], settings.rounds)
    return Section(
        name="errors",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_table(cases), _writing_table(written, settings.error_counts[0])),
        goals=tuple(_goals(cases)),
    )


def records(first_row: int, number: int) -> Iterator[dict[str, Any]]:
    """Yield rejected records with an error each."""
    for row in range(first_row, first_row + number):
        column, rule, value, limit, message = _FAULTS[row % len(_FAULTS)]
        fault = {"column": column, "rule": rule, "value": value, "limit": limit}
        raw = f"{row:09d},Ghana,Snacks,Online,H,1/9/10,Sub-Saharan Africa,1/19/10,{row % 977}.25\n"
        error = {**fault, "stage": workflow.VALIDATE.name, "message": f"{column} {message}"}
        yield {"row": row, "raw": raw, "key": f"{row:09d}", "errors": [error]}


def _measure(
    stack: Stack,
    folder: Path,
    settings: Settings,
    *,
    errors: int,
    per_chunk: int,
    verbs: Sequence[str],
) -> Case:
    job, size = _enter(stack, folder, errors, per_chunk)
    found = {
        verb: measure(
            "job_reading", f"{verb}:{job}", folder, rounds=settings.rounds, chunk_rows=per_chunk
        )
        for verb in verbs
    }
    return Case(errors, -(-errors // per_chunk), size / MB, found)


def _enter(stack: Stack, folder: Path, errors: int, per_chunk: int) -> tuple[str, int]:
    """Store a job's errors and its entries in the ledger as if it had run; return its id."""
    job, key = f"errors-{per_chunk}-{errors:012d}", keys.INPUT_PREFIX + "orders.csv"
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    bucket, table = stack.outputs["SourceBucketName"], stack.outputs["JobTableName"]
    (folder / job).mkdir()
    path = folder / job / ERRORS_FILE
    entries: list[dict[str, Any]] = []
    with path.open("wb") as file:
        for number, start in enumerate(range(0, errors, per_chunk), 1):
            rows = min(per_chunk, errors - start)
            piece = error_files.format_piece(
                records(start + 2, rows), chunk=number, attempt=1, time=_TIME
            )
            file.write(piece.body)
            entries.append(_chunk_entry(job, number, rows, piece))
    with path.open("rb") as file:
        version = s3.put_object(Bucket=bucket, Key=keys.errors(job, key), Body=file)["VersionId"]
    aws.batch_write(
        dynamodb, table, ({"PutRequest": {"Item": _attributes(each)}} for each in entries)
    )
    entry = {
        "jobId": job,
        "entry": items.JOB_ENTRY,
        "status": workflow.SUCCEEDED,
        "ledgerFormat": items.LEDGER_FORMAT,
        "startTime": _TIME,
        "endTime": _TIME,
        "attempt": 1,
        "bucket": bucket,
        "key": key,
        "chunks": len(entries),
        "rowsIn": errors,
        "rowsOut": 0,
        "rowsRejected": errors,
        "errors": errors,
        "errorsFile": {
            "key": keys.errors(job, key),
            "versionId": version,
            "attempt": 1,
            **sum_up_errors(entries),
        },
    }
    dynamodb.put_item(TableName=table, Item=_attributes(entry))
    return job, path.stat().st_size


def _chunk_entry(job: str, number: int, rows: int, piece: error_files.ErrorPiece) -> dict[str, Any]:
    return {
        "jobId": job,
        "entry": items.chunk_entry(number),
        "status": workflow.SUCCEEDED,
        "startTime": _TIME,
        "endTime": _TIME,
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


def _writing(errors: int, rounds: int) -> dict[str, Spread]:
    """Time what a chunk computes for its errors: the items of ErrorTable, and the piece of CSV."""
    rejected = list(records(2, errors))

    def items_of_table() -> None:
        for record in rejected:
            for _ in items.error_items(record, job="j", chunk=2, attempt=1, time=_TIME, ttl=1):
                pass

    def piece() -> None:
        error_files.format_piece(rejected, chunk=2, attempt=1, time=_TIME)

    return {
        "items of ErrorTable": time_rounds(items_of_table, rounds),
        "piece of CSV and counts": time_rounds(piece, rounds),
    }


def _table(cases: list[Case]) -> Table:
    rows = []
    for case in cases:
        alone = case.found.get("read_csv")
        for verb, measured in case.found.items():
            ratio = measured.seconds.median / alone.seconds.median if alone else 0.0
            rows.append(
                (
                    f"{case.errors:,} in {case.chunks:,} chunks, {case.megabytes:,.0f} MB",
                    verb,
                    measured.seconds.text(3),
                    f"{ratio:.2f}" if alone else "",
                    f"{measured.peak_bytes / MB:,.0f}",
                )
            )
    return Table(
        "Reading a job's errors",
        ("errors", "what", "seconds", "times read_csv", "memory, MB"),
        tuple(rows),
        note="read_csv is pandas alone on the same file on disk. The others fetch from the engine.",
    )


def _writing_table(found: dict[str, Spread], errors: int) -> Table:
    return Table(
        "What a chunk computes for its errors",
        ("what", "microseconds an error"),
        tuple((name, f"{spread.median / errors * 1e6:.1f}") for name, spread in found.items()),
        note="Without the calls that store them; those of ErrorTable take 25 items each.",
    )


def _goals(cases: list[Case]) -> Iterator[Goal]:
    *counted, many = cases
    for case in counted:
        errors = case.found["errors()"]
        ratio = errors.seconds.median / case.found["read_csv"].seconds.median
        if case.errors <= 100_000:
            yield _goal(
                case, "errors()", f"{READ_CSV_RATIO:g} times read_csv", ratio, READ_CSV_RATIO
            )
        else:
            yield _goal(
                case, "errors(), seconds", f"{MILLION_S:g}", errors.seconds.median, MILLION_S
            )
            size = errors.peak_bytes / MB
            yield _goal(case, "errors(), memory", f"{MILLION_MB} MB", size, MILLION_MB)
        most = QUICK_S[100_000 if case.errors <= 100_000 else 1_000_000]
        for verb in QUICK:
            yield _goal(case, verb, f"{most:g} s", case.found[verb].seconds.median, most)
    for verb in QUICK:
        seconds = many.found[verb].seconds.median
        yield _goal(many, verb, f"{MANY_CHUNKS_S:g} s", seconds, MANY_CHUNKS_S)


def _goal(case: Case, what: str, wanted: str, found: float, most: float) -> Goal:
    name = f"{what} of {case.errors:,} errors in {case.chunks:,} chunks"
    return Goal(name, f"<= {wanted}", f"{found:.2f}", found <= most)
