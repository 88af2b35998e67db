"""How long a job is likely to take on AWS: from what was measured here, and what is assumed there.

Every number is a pair, at best and at worst. What the functions take is `function_times`; how long
Step Functions and Lambda take around them is assumed, each assumption being named below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.planning.aws_facts import quota
from batchops.planning.function_times import (
    BEST,
    CHUNK_STEPS,
    WORST,
    Pair,
    function_seconds,
    ranges_seconds,
)
from batchops.planning.workload import CALLS_IN_FLIGHT, merge_groups
from batchops.show.numbers import rough_duration

if TYPE_CHECKING:
    from batchops.planning.workload import Workload

# Assumed: a new environment of a function, imports included; at best all are warm.
COLD_START_S: Pair = (0.0, 3.0)
# Assumed: from the upload to the start of the workflow, event and notification function included.
START_S: Pair = (0.5, 5.0)
# Assumed: Step Functions between two states, and around a child that is started and waited for.
STATE_S: Pair = (0.02, 0.1)
CHILD_S: Pair = (0.3, 3.0)
MAP_START_S: Pair = (0.5, 10.0)

_STATES_OF_A_CHUNK = 6
_STATES_OF_A_JOB = 8


@dataclass(frozen=True)
class Estimate:
    """A part of a job, or a bound of one, in seconds at best and at worst."""

    name: str
    low_s: float
    high_s: float


@dataclass(frozen=True)
class Duration:
    """How long a job is likely to take on AWS.

    Attributes
    ----------
    low_s, high_s : float
        Seconds from the upload to the mail, if everything is as assumed at best and at worst.
    parts : tuple of Estimate
        What they are made of: start, split, chunks, merge, mail.
    bounds : tuple of Estimate
        What the chunks cannot be faster than, each for itself; the largest decides.
    bottleneck : str
        The part, or the bound of the chunks, that most of the time goes to.
    """

    low_s: float
    high_s: float
    parts: tuple[Estimate, ...]
    bounds: tuple[Estimate, ...]
    bottleneck: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{rough_duration(self.low_s)} to {rough_duration(self.high_s)}, {self.bottleneck}"


def estimate_duration(
    work: Workload, *, max_concurrency: int, account_concurrency: int | None = None
) -> Duration:
    """Estimate how long a job takes on AWS.

    Parameters
    ----------
    work
        The file, as counted.
    max_concurrency
        The stack's MaxConcurrency: chunks in progress at a time.
    account_concurrency
        Functions that the account may run at a time, by default Lambda's default quota.
    """
    account = int(account_concurrency or quota("lambda.concurrency"))
    sides = [_parts(work, max_concurrency, account, side) for side in (BEST, WORST)]
    parts = _pair_up(*(parts for parts, _ in sides))
    bounds = _pair_up(*(bounds for _, bounds in sides))
    return Duration(
        low_s=sum(part.low_s for part in parts),
        high_s=sum(part.high_s for part in parts),
        parts=parts,
        bounds=bounds,
        bottleneck=_bottleneck(parts, bounds),
    )


def _bottleneck(parts: tuple[Estimate, ...], bounds: tuple[Estimate, ...]) -> str:
    """Name the longest part; of the chunks, what bounds them, if more than one chunk's own time."""
    longest = max(parts, key=lambda part: part.high_s)
    if longest.name != "chunks":
        return f"mostly the {longest.name}"
    largest = max(bounds, key=lambda bound: bound.high_s)
    own = bounds[0]
    return f"mostly {(own if largest.high_s < 1.25 * own.high_s else largest).name}"


def _pair_up(best: Mapping[str, float], worst: Mapping[str, float]) -> tuple[Estimate, ...]:
    return tuple(Estimate(name, best[name], worst[name]) for name in best)


def _parts(
    work: Workload, max_concurrency: int, account: int, side: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the job's parts, and the bounds of its chunks, in seconds."""
    calls = function_seconds(work, side)
    bounds = _chunk_bounds(work, max_concurrency, account, side)
    cold = COLD_START_S[side]
    return {
        "start": START_S[side],
        "split": _split_seconds(work, calls["split-ip-file"], max_concurrency, side) + cold,
        # Every step's environments are new to the first chunks, those behind the API included.
        "chunks": MAP_START_S[side] + max(bounds.values()) + cold * (len(CHUNK_STEPS) + 1),
        "merge": _merge_rounds(work, max_concurrency) * (calls["merge-s3-files"] + cold),
        "mail": calls["send-email"] + cold + _STATES_OF_A_JOB * STATE_S[side],
    }, bounds


def _merge_rounds(work: Workload, max_concurrency: int) -> int:
    """Return how many calls of the merge follow one another; groups are uploaded side by side."""
    groups = merge_groups(work)
    return 1 if groups == 1 else 2 + math.ceil(groups / max_concurrency)


def _split_seconds(work: Workload, call_s: float, max_concurrency: int, side: int) -> float:
    """Return what the split takes, in one call or in ranges that two Maps work on."""
    if not work.ranges:
        return call_s
    ranges_s = ranges_seconds(work, side, at_once=max_concurrency)
    return ranges_s + 2 * (MAP_START_S[side] + COLD_START_S[side])


def _chunk_bounds(
    work: Workload, max_concurrency: int, account: int, side: int
) -> dict[str, float]:
    """Return what keeps the chunks from being done sooner, each bound for itself, in seconds."""
    chunk_s = chunk_seconds(work, side)
    at_once = min(work.chunks, max_concurrency)
    # A chunk takes one function at a time, and while it is looked up those behind its calls too.
    functions = 1 + min(CALLS_IN_FLIGHT, work.calls_per_chunk)
    per_account = max(1.0, account / functions)
    ramp = quota("lambda.new_environments_per_10_seconds")
    writes = ("dynamodb.table_writes_per_second", "dynamodb.partition_writes_per_second")[side]
    return {
        "the time that one chunk takes": chunk_s,
        f"the chunks that run at a time (MaxConcurrency {max_concurrency:,})": chunk_s
        * math.ceil(work.chunks / at_once),
        "the account's concurrent functions": chunk_s * max(1.0, work.chunks / per_account),
        "the rate at which chunks are started": chunk_s
        + work.chunks / quota("step_functions.map_starts_per_second"),
        "the rate at which functions scale out": chunk_s + 10 * max(0.0, at_once / ramp - 1),
        "the rate at which errors are written": work.error_writes / quota(writes),
        "the rate of API Gateway": work.api_calls / quota("api_gateway.requests_per_second"),
    }


def chunk_seconds(work: Workload, side: int) -> float:
    """Return how long an average chunk takes, from its start to the notice of its end."""
    calls = function_seconds(work, side)
    steps = sum(calls[name] for name in CHUNK_STEPS)
    return steps + _STATES_OF_A_CHUNK * STATE_S[side] + CHILD_S[side]
