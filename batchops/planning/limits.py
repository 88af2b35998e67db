"""The limits of AWS and of the stack, and how near a job comes to each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.csvtext import MAX_CHUNK_BYTES
from batchcore.reference import calls_in_flight
from batchcore.sizing import MAX_CHUNK_ROWS, MAX_CHUNKS

from batchops.planning import workload
from batchops.planning.aws_facts import quota
from batchops.planning.function_times import BEST, WORST, chunk_functions, function_seconds
from batchops.planning.job_model import api_calls_per_second, error_rate
from batchops.show.numbers import number_text, rough_duration, share_text
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.planning.durations import Duration
    from batchops.planning.workload import Workload

# A limit with at least this share taken is worth a warning.
NEAR = 0.8

ROWS = "rows a chunk"

# The state of the main workflow holds the file's key five times (key, completed, rejected and
# archived file, manifest), and at most so many bytes more: ids, numbers, names, a cause.
_STATE_BYTES = 4_000
_KEYS_IN_STATE = 5
_JOB_PREFIX_BYTES = 80
_MB = 1_000_000


@dataclass(frozen=True)
class Limit(Shown):
    """A limit, and how near a job comes to it.

    Attributes
    ----------
    name : str
        What is limited.
    value, limit : float
        What the job takes, and what there is. Seconds, memory and rates are estimates at worst.
    unit : str
        Of both.
    says : str
        Where the limit is from, and what happens beyond it or what to do.
    hard : bool
        Whether a job fails beyond it; otherwise it is slower, or done in another way.
    at_best : float or None
        For estimates, the value if all goes as well as is assumed possible.
    """

    _also_in_json = ("share", "fatal")

    name: str
    value: float
    limit: float
    unit: str
    says: str
    hard: bool = True
    at_best: float | None = field(default=None, repr=False)

    @property
    def share(self) -> float:
        """The share of the limit that the job takes; more than 1 is beyond it."""
        return self.value / self.limit

    @property
    def fatal(self) -> bool:
        """Whether the job fails even at best."""
        surely = self.value if self.at_best is None else self.at_best
        return self.hard and surely > self.limit

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(
            f"{self.name}: {number_text(self.value)} of {number_text(self.limit)} {self.unit} "
            f"({share_text(self.share)}); {self.says}"
        )


def find_limits(work: Workload, duration: Duration, *, name: str) -> tuple[Limit, ...]:
    """Return the limits, the nearest first.

    Parameters
    ----------
    work, duration
        The file as counted, and how long its job is likely to take.
    name
        The file's name, which is in the state of the workflow.
    """
    found = [
        *_chunk_limits(work),
        *_workflow_limits(work, duration, name),
        *_time_limits(work),
        *_size_limits(work),
        *_rate_limits(work, duration),
    ]
    return tuple(sorted(found, key=lambda limit: -limit.share))


def _chunk_limits(work: Workload) -> list[Limit]:
    functions = work.settings.functions
    memory = min(functions[name].memory_mb for name in chunk_functions(work))
    return [
        Limit(
            ROWS,
            work.chunk_rows,
            MAX_CHUNK_ROWS,
            "rows",
            "the template accepts no larger FileChunkSize",
        ),
        Limit(
            "chunk size",
            work.largest_chunk_bytes,
            MAX_CHUNK_BYTES,
            "bytes",
            "a chunk ends there, with fewer rows than FileChunkSize",
            hard=False,
        ),
        Limit(
            "memory for a chunk",
            workload.chunk_memory_bytes(work) / _MB,
            memory * 1024 * 1024 / _MB,
            "MB",
            "beyond it a function is killed: take a smaller FileChunkSize",
            at_best=0,
        ),
        Limit(
            "chunks",
            work.chunks,
            MAX_CHUNKS,
            "chunks",
            "beyond it the split refuses the file: take a larger FileChunkSize",
        ),
    ]


def _workflow_limits(work: Workload, duration: Duration, name: str) -> list[Limit]:
    payload = _STATE_BYTES + _KEYS_IN_STATE * (len(name.encode()) + _JOB_PREFIX_BYTES)
    return [
        Limit(
            "output of the Map",
            work.chunks * workload.MAP_OUTPUT_BYTES_PER_CHUNK,
            quota("step_functions.payload_bytes"),
            "bytes",
            "each child returns {}; beyond it the job fails after all its work",
        ),
        Limit(
            "manifest",
            work.chunks * workload.MANIFEST_ENTRY_BYTES,
            quota("step_functions.item_reader_bytes"),
            "bytes",
            "what the Map's ItemReader reads",
        ),
        Limit(
            "workflow state",
            payload,
            quota("step_functions.payload_bytes"),
            "bytes",
            "holds S3 keys and counts, never rows: it does not grow with the file",
        ),
        Limit(
            "history of the main workflow",
            workload.job_events(work),
            quota("step_functions.history_events"),
            "events",
            "chunks and ranges have histories of their own: it does not grow with the file",
        ),
        Limit(
            "history of a chunk",
            workload.CHUNK_EVENTS,
            quota("step_functions.history_events"),
            "events",
            f"does not grow with the chunk; a repeated try adds {workload.RETRY_EVENTS}",
        ),
        Limit(
            "chunks at a time",
            min(work.chunks, work.settings.max_concurrency),
            quota("step_functions.map_children"),
            "children",
            "what a Distributed Map runs at a time",
            hard=False,
        ),
        Limit(
            "time-out of the job",
            duration.high_s,
            workload.JOB_TIMEOUT_S,
            "s",
            "the workflow then stops: take larger chunks, or a larger MaxConcurrency",
            at_best=duration.low_s,
        ),
    ]


def _time_limits(work: Workload) -> list[Limit]:
    """Return how near each function comes to its time-out."""
    best, worst = (function_seconds(work, side) for side in (BEST, WORST))
    advice = {
        workflow.SPLIT.function: (
            "a call; take a larger FileChunkSize, or a smaller SplitRangeBytes"
        ),
        workflow.MERGE.function: "it copies the input to the archive: upload the file in several",
    }
    return [
        Limit(
            f"time of {name}",
            worst[name],
            work.settings.functions[name].timeout_s,
            "s",
            f"{rough_duration(best[name])} at best; "
            + advice.get(name, "a chunk each; take a smaller FileChunkSize"),
            at_best=best[name],
        )
        for name in (workflow.SPLIT.function, *chunk_functions(work), workflow.MERGE.function)
    ]


def _size_limits(work: Workload) -> list[Limit]:
    return [
        Limit(
            "parts of the completed file",
            workload.count_merge_parts(work.output_bytes),
            quota("s3.parts"),
            "parts",
            "the merge takes larger parts for a larger file",
        ),
    ]


def _rate_limits(work: Workload, duration: Duration) -> list[Limit]:
    chunks_s = next(part.low_s for part in duration.parts if part.name == "chunks")
    lookups = min(calls_in_flight(work.calls_per_chunk), work.calls_per_chunk)
    says = "what is throttled is tried again: the job is slower"
    calls = Limit(
        "calls of the API",
        work.api_calls / chunks_s,
        api_calls_per_second(work.settings),
        "calls/s",
        says,
        hard=False,
    )
    return [
        *([calls] if work.looks_up else []),
        Limit(
            "concurrent functions",
            min(work.chunks, work.settings.max_concurrency) * (1 + lookups),
            quota("lambda.concurrency"),
            "executions",
            f"{says}. A new account may have 10 in all",
            hard=False,
        ),
        Limit(
            "writes of errors",
            work.error_writes / chunks_s,
            error_rate(work, WORST).per_s,
            "write units/s",
            f"each 10,000 rows have a partition; {says}",
            hard=False,
        ),
    ]
