"""Measure the functions' pure parts against a straightforward version, and a job end to end."""

from __future__ import annotations

import csv
import io
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
from batchcore import csvtext, records
from batchcore.schema import RecordSchema, date_check
from rich.console import Console
from rich.table import Table

from batchops.local.engine import LocalEngine
from batchops.project import checkout_root
from batchops.samples.sample import make_sample
from batchops.stack import Stack

ROWS = 100_000
ROUNDS = 5
JOB_ROWS = 10_000
BLOCK_BYTES = 4 * 1024 * 1024
SCHEMA = checkout_root() / "source" / "schema" / "record.schema.json"

console = Console()


def best_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds of some rounds, and their spread (slowest less fastest)."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), max(seconds) - min(seconds)


def split(data: bytes) -> int:
    """Split as the function does, without S3."""
    blocks = (data[i : i + BLOCK_BYTES] for i in range(0, len(data), BLOCK_BYTES))
    splitter = csvtext.Splitter(blocks, delimiter=",", chunk_rows=600)
    splitter.header()
    return sum(chunk.rows for chunk in splitter.chunks())


def split_plainly(data: bytes) -> int:
    """Split by parsing every record and writing it again."""
    rows = csv.reader(io.StringIO(data.decode(), newline=""))
    header = next(rows)
    chunks, part = 0, io.StringIO()
    for number, row in enumerate(rows):
        if number % 600 == 0:
            part = io.StringIO()
            csv.writer(part).writerow(header)
            chunks += 1
        csv.writer(part).writerow(row)
    return chunks


def read_and_validate(data: bytes, schema: RecordSchema) -> int:
    """Read and validate as the functions do, the JSON lines between them included."""
    lines = records.dump_lines(records.read_records(data, schema, delimiter=",", first_row=2))
    return sum(schema.is_valid(record["fields"]) for record in records.load_lines(lines))


def read_and_validate_plainly(data: bytes, document: dict[str, object]) -> int:
    """Read into dicts and validate each, with a compiled validator even so."""
    validator = jsonschema_rs.Draft202012Validator(
        document, formats={"M/D/YY": date_check("M/D/YY")}, validate_formats=True
    )
    lines = json.dumps(list(csv.DictReader(io.StringIO(data.decode(), newline=""))))
    return sum(validator.is_valid(row) for row in json.loads(lines))


def run_job() -> tuple[float, float]:
    """Return the seconds of a job on a cold engine, and on a warm one."""
    with tempfile.TemporaryDirectory() as folder:
        engine = LocalEngine(Path(folder) / "engine", checkout_root() / ".batchops")
        engine.start()
        try:
            files = make_sample(JOB_ROWS).write(Path(folder))
            stack = Stack("bench", engine=engine)
            stack.deploy(reference_data=files.reference)
            seconds = []
            for _ in range(3):
                started = time.perf_counter()
                stack.submit(files.orders).wait(timeout_s=600)
                seconds.append(time.perf_counter() - started)
            return seconds[0], min(seconds[1:])
        finally:
            engine.stop()


def import_seconds(module: str) -> float:
    """Return the median seconds that a new Python takes to import a module."""
    command = [sys.executable, "-c", f"import {module}"]
    return best_of(lambda: subprocess.run(command, check=True))[0]


def main() -> None:
    """Run everything, and print one table for each part."""
    data = make_sample(ROWS, bad_share=0).csv
    schema = RecordSchema.load(SCHEMA)
    pairs = {
        "split": (lambda: split(data), lambda: split_plainly(data)),
        "read and validate": (
            lambda: read_and_validate(data, schema),
            lambda: read_and_validate_plainly(data, schema.document),
        ),
    }
    table = Table("step", "MB/s", "us/row", "spread", "times as fast as csv + JSON in memory")
    for name, (ours, plain) in pairs.items():
        (seconds, spread), (plain_seconds, _) = best_of(ours), best_of(plain)
        table.add_row(
            name,
            f"{len(data) / seconds / 1e6:,.0f}",
            f"{seconds / ROWS * 1e6:.2f}",
            f"{spread / seconds:.0%}",
            f"{plain_seconds / seconds:.1f}",
        )
    console.print(f"{platform.python_version()} on {platform.machine()}, {ROWS:,} rows, one core")
    console.print(table)
    ours, boto3 = import_seconds("batchops"), import_seconds("boto3")
    console.print(f"import batchops takes {ours / boto3:.2f} times as long as import boto3")
    cold, warm = run_job()
    console.print(
        f"{JOB_ROWS:,} rows on the local engine, 600 a chunk: {JOB_ROWS / warm:,.0f} rows/s warm, "
        f"{JOB_ROWS / cold:,.0f} rows/s with all cold starts"
    )


main()
