"""The model of a job on AWS: its chunks, the steps of a chunk, the times around them, the limits.

This is the one theory of how long a job takes. `batchops.planning.durations` computes a plan's
times from it, and the simulation in the benchmarks plays it chunk by chunk. `function_times` has
the time of one call of each function; this module has the times and limits around the calls. Every
assumed time is a pair: at best and at worst.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.items import RANGE_ROWS
from batchcore.reference import calls_in_flight

from batchops.planning.aws_facts import quota
from batchops.planning.function_times import (
    BEST,
    Pair,
    chunk_functions,
    function_seconds,
    ranges_seconds,
)
from batchops.planning.workload import CHUNK_WRITES, merge_groups

if TYPE_CHECKING:
    from batchops.deployment.settings import StackSettings
    from batchops.planning.workload import Workload

# Assumed: the start of a function's new environment, with its imports. At best, all are warm.
COLD_START_S: Pair = (0.0, 3.0)
# Assumed: from the upload to the start of the workflow, with the event and the notification
# function.
START_S: Pair = (0.5, 5.0)
# Assumed: Step Functions between two states, and around a child that is started and waited for.
STATE_S: Pair = (0.02, 0.1)
CHILD_S: Pair = (0.3, 3.0)
MAP_START_S: Pair = (0.5, 10.0)

_STATES_OF_A_JOB = 10

# What can decide how long the chunks take, as it reads after "mostly".
SERVICE = "the time that one chunk takes"
SLOTS = "the chunks that run at a time (MaxConcurrency)"
FUNCTIONS = "the account's concurrent functions"
STARTS = "the rate at which chunks are started"
EXECUTIONS = "the rate of StartExecution calls"
ENVIRONMENTS = "the rate at which functions scale out"
ERRORS = "the rate at which errors are written"
LEDGER = "the rate at which the ledger is written"
API = "the rate of API Gateway"
PUTS = "the rate of writes to S3"
GETS = "the rate of reads from S3"

# How many objects each step puts into S3 and gets from it (source/).
_S3: Mapping[str, tuple[int, int]] = {
    workflow.READ.function: (1, 1),
    workflow.VALIDATE.function: (1, 1),
    workflow.ENRICH.function: (1, 1),
    workflow.WRITE.function: (2, 1),
}
_LEDGER_STEPS = (workflow.READ.function, workflow.WRITE.function)


@dataclass(frozen=True)
class Rate:
    """How many are let through per second, and how many at once after a pause.

    A rate that is used up may double every `doubles_s` seconds, up to `most_per_s`.
    """

    per_s: float
    burst: float = 1.0
    doubles_s: float = math.inf
    most_per_s: float = math.inf

    def after(self, seconds: float) -> float:
        """Return the rate at a time after the first request."""
        if seconds < self.doubles_s:
            return self.per_s
        return min(self.per_s * math.pow(2.0, seconds // self.doubles_s), self.most_per_s)

    def wait_s(self, amount: float) -> float:
        """Return the seconds until an amount is through, after a pause."""
        rest, seconds = max(0.0, amount - self.burst), 0.0
        while rest > (rate := self.after(seconds)) * self.doubles_s and rate < self.most_per_s:
            rest -= rate * self.doubles_s
            seconds += self.doubles_s
        return seconds + rest / rate


@dataclass(frozen=True)
class Limits:
    """The limits of a job; what is not given has no limit.

    Attributes
    ----------
    slots : int
        Chunks in progress at a time.
    functions : int or None
        Functions that run at a time.
    starts : dict of Rate
        Rates of which each chunk takes one before it starts, by name.
    environments : Rate or None
        New environments of each function.
    requests : dict of Rate
        Requests to other services, by the names in `Step.requests`.
    """

    slots: int
    functions: int | None = None
    starts: Mapping[str, Rate] = field(default_factory=dict)
    environments: Rate | None = None
    requests: Mapping[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One function's work on one chunk.

    Attributes
    ----------
    name : str
        The function.
    seconds : float
        From the call to the answer, without waiting for limits.
    functions : int
        Functions that run for it, itself included.
    cold_s : float
        Seconds more if its environment is new.
    requests : dict of float
        Requests to other services: units by the name of the limit.
    """

    name: str
    seconds: float
    functions: int = 1
    cold_s: float = 0.0
    requests: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """The seconds of everything that no limit slows down.

    Attributes
    ----------
    start, split, map_start, merge, mail : float
        The job's parts but its chunks.
    before, after : float
        Around a chunk's steps: from its slot to the first, from the last to the slot's end.
    state : float
        Before each step.
    """

    start: float = 0.0
    split: float = 0.0
    map_start: float = 0.0
    before: float = 0.0
    state: float = 0.0
    after: float = 0.0
    merge: float = 0.0
    mail: float = 0.0


@dataclass(frozen=True)
class JobModel:
    """A job: a number of equal chunks, the steps of each, the times around them, and the limits."""

    chunks: int
    steps: tuple[Step, ...]
    times: Times
    limits: Limits

    @property
    def chunk_s(self) -> float:
        """Seconds of a chunk that never waits and finds all environments warm."""
        steps = sum(self.times.state + step.seconds for step in self.steps)
        return self.times.before + steps + self.times.after

    def cold_s(self, after_s: float = 0.0) -> float:
        """Return how many seconds more a chunk takes that starts so long after the first.

        An environment of a step is new until a chunk before has left the step.
        """
        passed = cold = 0.0
        for step in self.steps:
            passed += step.cold_s
            if passed + self.times.state + step.seconds > after_s:
                cold += step.cold_s
        return cold

    @property
    def chunks_s(self) -> float:
        """Seconds of all chunks: the start of the Map, new environments, and the tightest limit."""
        bounds, starts = self.bounds(), self.limits.starts
        waits = {name: bounds[name] - self.chunk_s if name in starts else 0.0 for name in bounds}
        chunks_s = max(bound + self.cold_s(waits[name]) for name, bound in bounds.items())
        return self.times.map_start + chunks_s

    def bounds(self) -> dict[str, float]:
        """Return how many seconds the chunks would take if each limit were the only one."""
        limits, chunk_s, at_once = self.limits, self.chunk_s, min(self.chunks, self.limits.slots)
        waits = {name: rate.wait_s(self.chunks) for name, rate in limits.starts.items()}
        if limits.functions is not None:
            used_s = sum(step.functions * step.seconds for step in self.steps)
            waits[FUNCTIONS] = (self.chunks - 1) * used_s / limits.functions
        if limits.environments is not None:
            waits[ENVIRONMENTS] = limits.environments.wait_s(at_once)
        for name, rate in limits.requests.items():
            asked = sum(step.requests.get(name, 0.0) for step in self.steps)
            waits[name] = rate.wait_s(self.chunks * asked)
        return {
            SERVICE: chunk_s,
            SLOTS: chunk_s * math.ceil(self.chunks / at_once),
            **{name: chunk_s + wait for name, wait in waits.items()},
        }


def model_job(work: Workload, side: int) -> JobModel:
    """Return the model of the job of a file, on AWS, in an account with the default quotas.

    Parameters
    ----------
    side
        `BEST` or `WORST`: which of the assumed times.
    """
    limits = aws_limits(side, work)
    return JobModel(work.chunks, chunk_steps(work, side), job_times(work, side), limits)


def chunk_steps(work: Workload, side: int) -> tuple[Step, ...]:
    """Return the steps of an average chunk."""
    seconds, cold = function_seconds(work, side), COLD_START_S[side]
    # get-data runs behind the API while enrich-data waits, and starts cold when enrich-data does.
    lookups = min(calls_in_flight(work.calls_per_chunk), math.ceil(work.calls_per_chunk))
    steps = []
    for name in chunk_functions(work):
        puts, gets = _S3[name]
        requests: dict[str, float] = {PUTS: puts, GETS: gets}
        if name in _LEDGER_STEPS:
            requests[LEDGER] = CHUNK_WRITES / len(_LEDGER_STEPS)
        if name == workflow.WRITE.function:
            requests[ERRORS] = work.error_writes / work.chunks
        if name != workflow.ENRICH.function:
            steps.append(Step(name, seconds[name], 1, cold, requests))
            continue
        requests[API] = work.calls_per_chunk
        steps.append(Step(name, seconds[name], 1 + lookups, cold * (1 + bool(lookups)), requests))
    return tuple(steps)


def job_times(work: Workload, side: int) -> Times:
    """Return the times of the job around its chunks' steps."""
    calls, cold, map_start = function_seconds(work, side), COLD_START_S[side], MAP_START_S[side]
    split = calls[workflow.SPLIT.function] + cold
    if work.ranges:
        # Two Maps, one after the other: the first surveys all ranges, the second cuts them.
        split = ranges_seconds(work, side) + 2 * map_start + 3 * cold
    groups = merge_groups(work)
    # If several calls share the merge, one plans it, one per group uploads, and one completes it.
    merges = 1 if groups == 1 else 2 + math.ceil(groups / work.settings.max_concurrency)
    return Times(
        start=START_S[side],
        split=split,
        map_start=map_start,
        # A child of the Map has one state, which starts the chunk's workflow and waits for it.
        before=CHILD_S[side] / 2 + STATE_S[side],
        state=STATE_S[side],
        # States of that workflow that do no work: the last, the choice whether data is looked up,
        # and the one that takes the place of the look-up.
        after=CHILD_S[side] / 2 + (2 if work.looks_up else 3) * STATE_S[side],
        merge=merges * (calls[workflow.MERGE.function] + cold),
        mail=calls[workflow.EMAIL.function] + cold + _STATES_OF_A_JOB * STATE_S[side],
    )


def api_calls_per_second(settings: StackSettings) -> float:
    """Return how many calls of the API are accepted: by the stack, or by the account."""
    account = quota("api_gateway.requests_per_second")
    own = settings.api_calls_per_second
    return account if own is None else min(own, account)


def error_rate(work: Workload, side: int) -> Rate:
    """Return the write units a second that the table of errors takes from a job.

    It begins with the rate of a new table, and doubles as AWS documents it for writes that are
    spread over partitions. Each range of rows is a partition. A chunk writes to one after the
    other, and small chunks share one. At best DynamoDB splits what is hot; at worst each has the
    rate of a single partition.
    """
    table = quota("dynamodb.table_writes_per_second")
    most = quota("dynamodb.table_most_writes_per_second")
    if side != BEST:
        at_once = min(work.chunks, work.settings.max_concurrency)
        ranges = min(at_once, at_once * work.rows_per_chunk / RANGE_ROWS)
        most = min(most, max(1.0, ranges) * quota("dynamodb.partition_writes_per_second"))
    per_s = min(table, most)
    return Rate(per_s, per_s, quota("dynamodb.table_doubles_seconds"), most)


def aws_limits(side: int, work: Workload) -> Limits:
    """Return the documented limits of an account with the default quotas, and the stack's own.

    All entries of a job in the ledger have one partition key.
    """
    settings = work.settings
    partition = quota("dynamodb.partition_writes_per_second")
    api = api_calls_per_second(settings)
    environments = quota("lambda.new_environments_per_10_seconds")
    return Limits(
        slots=min(settings.max_concurrency, int(quota("step_functions.map_children"))),
        functions=int(quota("lambda.concurrency")),
        starts={
            STARTS: Rate(quota("step_functions.map_starts_per_second")),
            EXECUTIONS: Rate(
                quota("step_functions.start_execution_per_second"),
                quota("step_functions.start_execution_bucket"),
            ),
        },
        environments=Rate(environments / 10, environments),
        requests={
            ERRORS: error_rate(work, side),
            LEDGER: Rate(partition, partition),
            API: Rate(api, api),
            PUTS: _second("s3.prefix_writes_per_second"),
            GETS: _second("s3.prefix_reads_per_second"),
        },
    )


def _second(name: str) -> Rate:
    """Return a documented rate; a second's worth may come at once."""
    return Rate(quota(name), quota(name))
