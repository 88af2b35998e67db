"""The steps through the handlers of the stack's functions, with a folder for S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from batchcore import keys
from batchcore.chunk_rows import load_rows
from batchcore.workflow import CHUNK_STEPS, ENRICH, MERGE, SPLIT, VALIDATE

from batchops.samples.sample_orders import enrichment
from tools.benchmarks import functions
from tools.benchmarks.bucket import INPUT_KEY, JOB, read_manifest
from tools.benchmarks.stand_ins import DynamoDbStandIn, S3StandIn
from tools.benchmarks.work import Work

FUNCTIONS = {step.name: step.function for step in (SPLIT, *CHUNK_STEPS, MERGE)}


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:
    """Return a step's work over the whole file; ``enrich``, not measured, looks nothing up."""
    s3, dynamodb = S3StandIn(folder), DynamoDbStandIn(folder / "ledger.json")
    app = functions.load_with_stand_ins(FUNCTIONS[step], s3, dynamodb)
    job = functions.job_event((folder / INPUT_KEY).stat().st_size, chunk_rows)
    if step == "enrich":
        return (lambda: _enrich(app, folder)), dynamodb.save

    def work() -> None:
        for event in [job] if step in ("split", "merge") else _chunk_events(job, folder):
            functions.call(app, event)

    return work, dynamodb.save


def _chunk_events(job: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    return [
        {**functions.chunk_event(job, chunk), **functions.done_steps(job["jobId"], chunk["number"])}
        for chunk in read_manifest(folder)
    ]


def _enrich(app: Any, folder: Path) -> None:
    """Add to each row what the sample's reference data has for it."""
    columns = app.schema.enrichment
    for chunk in read_manifest(folder):
        valid = (folder / keys.valid(JOB, chunk["number"])).read_bytes()
        rows = load_rows(valid, after=VALIDATE.name)
        found = {key: dict(zip(columns, enrichment(key), strict=True)) for key in rows.keys or ()}
        place = folder / keys.enriched(JOB, chunk["number"])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(app.enrich(rows, found).dump(after=ENRICH.name))
