"""How long one call of each function is likely to take on AWS.

Nobody has measured this stack on AWS. The functions' processor times were measured on a computer of
its developers. How fast a vCPU of Lambda is and how long a call takes are assumptions, each a pair:
at best and at worst.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.aws import (
    COPIES_IN_FLIGHT,
    COPY_PART_BYTES,
    GET_BATCH,
    UPLOAD_BYTES_IN_FLIGHT,
    UPLOADS_IN_FLIGHT,
    WORKERS,
    WRITE_BATCH,
)
from batchcore.joining import FETCHES_IN_FLIGHT
from batchcore.reference import calls_in_flight

from batchops.planning.aws_facts import quota
from batchops.planning.workload import merge_groups

if TYPE_CHECKING:
    from batchops.planning.workload import Workload

BEST, WORST = 0, 1
Pair = tuple[float, float]

# Processor time of the functions in microseconds per row (get-data: per key), and what each broken
# rule adds. Measured on 2026-11-23 with Python 3.11 on one x86-64 core. Chunk functions: their
# handlers over S3 and DynamoDB in memory, the best of five runs over chunks of 20,000 rows, 2 % of
# them bad; enrich-data without its calls. get-data: its handler with 500 keys through botocore,
# which is given the answers, the best of 40 runs. split-ip-file and the rules: their pure parts,
# the best of five runs. The chunk functions again on 2026-11-28, on a busy core, so at most that.
ROW_US: Mapping[str, float] = {
    workflow.SPLIT.function: 0.3,
    workflow.READ.function: 1.8,
    workflow.VALIDATE.function: 1.6,
    workflow.ENRICH.function: 1.6,
    workflow.GET_DATA: 9.4,
    workflow.WRITE.function: 1.6,
}
ERROR_US: Mapping[str, float] = {workflow.VALIDATE.function: 7.0, workflow.WRITE.function: 10.0}

# Assumed: how many times slower one vCPU of Lambda is than that core.
VCPU_SLOWNESS: Pair = (1.0, 3.0)
# Assumed: seconds that one call to a service in the same region takes.
S3_CALL_S: Pair = (0.02, 0.1)
DYNAMODB_CALL_S: Pair = (0.005, 0.03)
API_OVERHEAD_S: Pair = (0.01, 0.1)  # of API Gateway and Lambda around get-data
MAIL_CALL_S: Pair = (0.1, 1.0)
# Assumed: bytes per second between a function and S3.
S3_BYTES_PER_S: Pair = (80e6, 25e6)
# Assumed: bytes per second of each part that S3 copies within itself.
S3_COPY_BYTES_PER_S: Pair = (200e6, 50e6)
_CHUNK_FUNCTIONS = tuple(step.function for step in workflow.CHUNK_STEPS)


def chunk_functions(work: Workload) -> tuple[str, ...]:
    """Return the functions that work on a chunk, in order."""
    steps = (step for step in workflow.CHUNK_STEPS if work.looks_up or step != workflow.ENRICH)
    return tuple(step.function for step in steps)


def function_seconds(work: Workload, side: int) -> dict[str, float]:
    """Return how many seconds one warm call of each function takes for an average chunk.

    Parameters
    ----------
    side
        `BEST` or `WORST`.
    """
    s3, dynamodb = S3_CALL_S[side], DYNAMODB_CALL_S[side]
    rows, errors = work.rows_per_chunk, work.errors / max(1, work.chunks)
    calls = work.calls_per_chunk
    keys_per_call = work.keys / work.api_calls if work.api_calls else 0.0
    batches = math.ceil(errors / WRITE_BATCH)
    get_data = _cpu(work, workflow.GET_DATA, keys_per_call, 0, side) + dynamodb * math.ceil(
        keys_per_call / GET_BATCH
    )
    look_up = math.ceil(calls / calls_in_flight(calls)) * (get_data + API_OVERHEAD_S[side])
    chunk = {name: _cpu(work, name, rows, errors, side) for name in _CHUNK_FUNCTIONS}
    return {
        # Eight calls for the upload, three for the job's end.
        workflow.NOTIFICATION: 5.5 * dynamodb,
        workflow.SPLIT.function: _split_seconds(work, side),
        workflow.READ.function: chunk[workflow.READ.function] + 2 * s3 + dynamodb,
        workflow.VALIDATE.function: chunk[workflow.VALIDATE.function] + 2 * s3,
        workflow.ENRICH.function: chunk[workflow.ENRICH.function] + 2 * s3 + look_up,
        workflow.GET_DATA: get_data,
        workflow.WRITE.function: chunk[workflow.WRITE.function]
        + 3 * s3
        # The ranges of the errors are listed first.
        + dynamodb * (bool(errors) + math.ceil(batches / WORKERS) + 1),
        workflow.MERGE.function: _merge_seconds(work, side),
        workflow.EMAIL.function: 2 * dynamodb + MAIL_CALL_S[side],
    }


def _split_seconds(work: Workload, side: int) -> float:
    """Return the seconds of the split, which reads and uploads the file or one range of it."""
    ranges = max(1, work.ranges)
    moved = (work.size_bytes + work.text_bytes) / S3_BYTES_PER_S[side]
    chunk_bytes = work.text_bytes / max(1, work.chunks)
    at_once = min(UPLOADS_IN_FLIGHT, max(1.0, UPLOAD_BYTES_IN_FLIGHT / max(1.0, chunk_bytes)))
    uploads = work.chunks * S3_CALL_S[side] / at_once
    others = 4 * S3_CALL_S[side] + DYNAMODB_CALL_S[side]
    return (
        _cpu(work, workflow.SPLIT.function, work.rows, 0, side) + moved + uploads
    ) / ranges + others


def ranges_seconds(work: Workload, side: int) -> float:
    """Return the seconds of a split in ranges, which surveys all ranges and then cuts them."""
    read = work.size_bytes / work.ranges / S3_BYTES_PER_S[side]
    # A survey follows two hypotheses.
    survey = read + 2 * _cpu(work, workflow.SPLIT.function, work.rows / work.ranges, 0, side)
    rounds = math.ceil(work.ranges / work.settings.max_concurrency)
    parts = 2 * work.ranges * S3_CALL_S[side] / UPLOADS_IN_FLIGHT
    return rounds * (survey + _split_seconds(work, side)) + parts + 12 * S3_CALL_S[side]


def _merge_seconds(work: Workload, side: int) -> float:
    """Return the seconds of the merge, which joins the pieces and copies the input to the archive.

    If several calls share the merge, these are the seconds of the longest: the upload of a group,
    or the last call, which copies the input.
    """
    moved = 2 * sum(work.files_bytes) / S3_BYTES_PER_S[side]
    read = work.chunks + work.reject_pieces + work.error_pieces
    fetches = read * S3_CALL_S[side] / FETCHES_IN_FLIGHT
    at_once = min(COPIES_IN_FLIGHT, -(-work.size_bytes // COPY_PART_BYTES)) or 1
    copies = work.size_bytes / (S3_COPY_BYTES_PER_S[side] * at_once) + 2 * S3_CALL_S[side]
    # A query returns a megabyte of the ledger at a time, which is about 2,000 entries.
    others = 8 * S3_CALL_S[side] + (3 + work.chunks / 2_000) * DYNAMODB_CALL_S[side]
    groups = merge_groups(work)
    if groups == 1:
        return moved + fetches + copies + others
    return max((moved + fetches) / groups, copies + others)


def _cpu(work: Workload, name: str, rows: float, errors: float, side: int) -> float:
    """Return the seconds that a function computes."""
    measured_s = (rows * ROW_US[name] + errors * ERROR_US.get(name, 0.0)) / 1e6
    return measured_s * VCPU_SLOWNESS[side] / vcpus(work, name)


def vcpus(work: Workload, name: str) -> float:
    """Return the share of a vCPU that a function gets with its memory; it uses at most one."""
    return min(1.0, work.settings.functions[name].memory_mb / quota("lambda.vcpu_memory_mb"))
