"""What a job costs on AWS, service by service: estimated before, and from the ledger afterwards.

Both are sums of counts and prices (`aws_facts`); nothing is read from a bill. A job on the local
engine costs nothing: its cost is what the same counts would cost on AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.aws import WORKERS, WRITE_BATCH

from batchops.planning import workload
from batchops.planning.aws_facts import price, priced_at
from batchops.planning.cost_values import Cost, CostComparison, CostLine
from batchops.planning.function_times import BEST, WORST, function_seconds
from batchops.planning.workload import KEYS_PER_CALL, MEMORY_MB, Workload

if TYPE_CHECKING:
    from batchops.core.ledger import ChunkEntry, JobEntry

# Assumed: what a call of a function leaves in the log, its own line and Lambda's three; and a call
# of the API in its access log.
LOG_BYTES = 1_000
API_LOG_BYTES = 400
_GB = 1e9

# The ledger's name of a step, and the function that it is.
STEPS = {
    "read": "read-file",
    "validate": "validate-data",
    "enrich": "enrich-data",
    "write": "write-output-chunk",
}

Seconds = Mapping[str, float]


def estimate_cost(work: Workload) -> Cost:
    """Estimate what a job costs that goes well at once."""
    best, worst = (_lambda_seconds(work, side) for side in (BEST, WORST))
    middle = {name: (best[name] + worst[name]) / 2 for name in best}
    totals = [sum(line.usd for line in _lines(work, seconds)) for seconds in (best, worst)]
    return Cost(
        lines=_lines(work, middle),
        low_usd=totals[BEST],
        high_usd=totals[WORST],
        monthly_usd=price("kms.key_month"),
        basis=f"estimate, {priced_at()}",
    )


def job_cost(entry: JobEntry, chunk_entries: Iterable[ChunkEntry]) -> Cost:
    """Return what a job's counts and milliseconds, as the ledger has them, cost on AWS.

    Parameters
    ----------
    entry
        The JOB entry of a job that has been split.
    chunk_entries
        Its CHUNK entries.

    Notes
    -----
    The ledger has the times of a chunk's four functions; those of the others are estimated. It has
    a chunk's last attempt only: an earlier one is counted once, as if it had come to the same end.
    Keys are taken for all different, and an error for one write unit.
    """
    entries = _succeeded(chunk_entries)
    runs = sum(min(2, chunk.attempt) for chunk in entries)
    work = job_workload(entry, entries)
    estimated = _lambda_seconds(work, BEST)
    known = {
        name: sum(chunk.step_ms[step] * min(2, chunk.attempt) for chunk in entries) / 1000
        for step, name in STEPS.items()
    }
    lines = _lines(work, {**estimated, **known}, runs=runs, attempts=entry.attempt)
    total = sum(line.usd for line in lines)
    return Cost(
        lines=lines,
        low_usd=total,
        high_usd=total,
        monthly_usd=price("kms.key_month"),
        basis=f"from the ledger's counts and milliseconds, {priced_at()}",
    )


def compare_cost(planned: Cost, actual: Cost) -> CostComparison:
    """Hold a planned cost against the one that came of it, service by service."""
    return CostComparison(planned, actual)


def job_workload(entry: JobEntry, chunk_entries: Iterable[ChunkEntry]) -> Workload:
    """Return what a job asked of the stack, as far as the ledger tells of chunks that are done."""
    done = _succeeded(chunk_entries)
    sizes = [chunk.piece_bytes for chunk in done]
    keys = sum(chunk.valid or 0 for chunk in done)
    errors = sum(chunk.errors or 0 for chunk in done)
    return Workload(
        size_bytes=entry.size_bytes,
        rows=sum(chunk.rows or 0 for chunk in done),
        chunks=len(done),
        chunk_rows=entry.chunk_rows,
        rejected=sum(chunk.rejected or 0 for chunk in done),
        errors=errors,
        error_writes=errors,
        keys=keys,
        api_calls=sum(-(-(chunk.valid or 0) // KEYS_PER_CALL) for chunk in done),
        output_bytes=sum(size["output"] for size in sizes),
        rejects_bytes=sum(size["rejects"] for size in sizes),
        reject_pieces=sum(bool(size["rejects"]) for size in sizes),
    )


def _succeeded(chunk_entries: Iterable[ChunkEntry]) -> list[ChunkEntry]:
    return [chunk for chunk in chunk_entries if chunk.status == workflow.SUCCEEDED]


def _lambda_seconds(work: Workload, side: int) -> dict[str, float]:
    """Return how long each function runs in the whole job, cold starts not counted."""
    calls = _invocations(work, work.chunks)
    each = function_seconds(work, side)
    return {name: count * each[name] for name, count in calls.items()}


def _invocations(work: Workload, runs: int, attempts: int = 1) -> dict[str, float]:
    chunk_calls: dict[str, float] = dict.fromkeys(STEPS.values(), runs)
    return {
        "s3-lambda-notification": 1,
        # Of ranges each is surveyed and cut; a survey writes nothing, and is counted as if it did.
        "split-ip-file": 1 + (2 * work.ranges + 2 if work.ranges else 0),
        **chunk_calls,
        "get-data": work.calls_per_chunk * runs,
        "merge-s3-files": workload.merge_calls(work) * attempts,
        "send-email": attempts,
    }


def _lines(
    work: Workload, seconds: Seconds, *, runs: int | None = None, attempts: int = 1
) -> tuple[CostLine, ...]:
    """Price a job: `runs` of chunks in all, and `attempts` of the job."""
    runs = work.chunks if runs is None else runs
    again = attempts - 1
    calls = _invocations(work, runs, attempts)
    lookups = calls["get-data"]
    transitions = (
        workload.JOB_TRANSITIONS
        + again * workload.RESUME_TRANSITIONS
        + runs * workload.CHUNK_TRANSITIONS
    )
    gb_seconds = sum(seconds[name] * MEMORY_MB[name] / 1024 for name in calls)
    writes = workload.JOB_WRITES * attempts + workload.CHUNK_WRITES * runs + work.error_writes
    log_gb = (LOG_BYTES * sum(calls.values()) + API_LOG_BYTES * lookups) / _GB
    puts = workload.s3_puts(work) + workload.CHUNK_PUTS * (runs - work.chunks)
    gets = workload.s3_gets(work) + workload.CHUNK_GETS * (runs - work.chunks)
    charged = (
        ("Step Functions", "state transitions", transitions, "step_functions.transition"),
        ("Lambda", "GB-seconds", gb_seconds, "lambda.gb_second"),
        ("Lambda", "requests", sum(calls.values()), "lambda.request"),
        ("API Gateway", "requests", lookups, "api_gateway.request"),
        ("DynamoDB", "write units", writes, "dynamodb.write_unit"),
        ("DynamoDB", "read units", _read_units(work), "dynamodb.read_unit"),
        ("S3", "PUT requests", puts, "s3.put"),
        ("S3", "GET requests", gets, "s3.get"),
        ("CloudWatch Logs", "GB", log_gb, "logs.gb"),
        ("SES", "mails", attempts, "ses.mail"),
    )
    return tuple(
        CostLine(service, what, quantity, quantity * price(name))
        for service, what, quantity, name in charged
    )


def _read_units(work: Workload) -> float:
    """Return the read units: half a one a key, and the ledger when merging and mailing.

    It is asked before each file is written and before each round of errors, too.
    """
    ledger = -(-work.chunks * workload.CHUNK_ENTRY_BYTES // 4096)
    rounds = -(-work.errors // (WRITE_BATCH * WORKERS)) + work.chunks * bool(work.errors)
    return 0.5 * work.keys + ledger + rounds + 5
