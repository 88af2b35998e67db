"""The stack on AWS as the simulation sees it: documented quotas, and the plans' assumed times."""

from __future__ import annotations

from batchops.planning import durations
from batchops.planning.aws_facts import quota
from batchops.planning.function_times import BEST, CHUNK_STEPS, function_seconds
from batchops.planning.workload import CALLS_IN_FLIGHT, CHUNK_WRITES, Workload
from tools.benchmarks.simulation.job import simulate
from tools.benchmarks.simulation.model import Limits, Outcome, Rate, Step, Times

API = "requests to API Gateway"
ERRORS = "writes of errors (ErrorTable)"
LEDGER = "writes to the ledger's partition (JobTable)"
PUTS = "S3 writes of a prefix"
GETS = "S3 reads of a prefix"

# What each step puts into and gets from S3, and writes to the ledger (source/).
_S3: dict[str, tuple[int, int]] = {
    "read-file": (1, 1),
    "validate-data": (1, 1),
    "enrich-data": (1, 1),
    "write-output-chunk": (2, 1),
}
_LEDGER_STEPS = ("read-file", "write-output-chunk")


def simulate_aws(
    work: Workload, *, max_concurrency: int, side: int, limits: Limits | None = None
) -> Outcome:
    """Simulate a job on AWS.

    Parameters
    ----------
    work
        What is asked of the stack.
    max_concurrency
        The stack's MaxConcurrency.
    side
        `batchops.planning.function_times.BEST` or ``WORST``: which of the assumed times.
    limits
        Instead of the documented ones.
    """
    return simulate(
        work.chunks,
        chunk_steps(work, side),
        job_times(work, side, max_concurrency=max_concurrency),
        limits or aws_limits(max_concurrency, side),
    )


def aws_limits(max_concurrency: int, side: int) -> Limits:
    """Return the documented limits of a new account with the default quotas.

    A job's errors have one partition key, and so have its entries of the ledger. DynamoDB splits a
    partition that is hot, which is the best case; in the worst it has one partition's rate.
    """
    at_once = min(max_concurrency, int(quota("step_functions.map_children")))
    partition = quota("dynamodb.partition_writes_per_second")
    errors = quota("dynamodb.table_writes_per_second") if side == BEST else partition
    environments = quota("lambda.new_environments_per_10_seconds")
    return Limits(
        slots=at_once,
        functions=int(quota("lambda.concurrency")),
        dispatch=Rate(quota("step_functions.map_starts_per_second")),
        executions=Rate(
            quota("step_functions.start_execution_per_second"),
            quota("step_functions.start_execution_bucket"),
        ),
        environments=Rate(environments / 10, environments),
        requests={
            API: _rate("api_gateway.requests_per_second"),
            ERRORS: Rate(errors, errors),
            LEDGER: Rate(partition, partition),
            PUTS: _rate("s3.prefix_writes_per_second"),
            GETS: _rate("s3.prefix_reads_per_second"),
        },
    )


def _rate(name: str) -> Rate:
    """Return a documented rate; a second's worth may come at once."""
    return Rate(quota(name), quota(name))


def chunk_steps(work: Workload, side: int) -> tuple[Step, ...]:
    """Return the steps of an average chunk."""
    seconds = function_seconds(work, side)
    lookups = min(CALLS_IN_FLIGHT, round(work.calls_per_chunk + 0.5))
    steps = []
    for name in CHUNK_STEPS:
        puts, gets = _S3[name]
        requests: dict[str, float] = {PUTS: puts, GETS: gets}
        if name in _LEDGER_STEPS:
            requests[LEDGER] = CHUNK_WRITES / len(_LEDGER_STEPS)
        if name == "enrich-data":
            requests[API] = work.calls_per_chunk
        if name == "write-output-chunk":
            requests[ERRORS] = work.error_writes / work.chunks
        # The functions behind the API run while this one waits for them.
        functions = 1 + (lookups if name == "enrich-data" else 0)
        steps.append(Step(name, seconds[name], functions, requests))
    return tuple(steps)


def job_times(work: Workload, side: int, *, max_concurrency: int) -> Times:
    """Return the times of the job around its chunks, as a plan has them."""
    plan = durations.estimate_duration(work, max_concurrency=max_concurrency)
    parts = {part.name: (part.low_s, part.high_s)[side] for part in plan.parts}
    return Times(
        start=parts["start"],
        split=parts["split"],
        map_start=durations.MAP_START_S[side],
        before=durations.CHILD_S[side] / 2,
        state=durations.STATE_S[side],
        after=durations.CHILD_S[side] / 2,
        cold=durations.COLD_START_S[side],
        merge=parts["merge"],
        mail=parts["mail"],
    )
