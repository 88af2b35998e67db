"""Which chunk size suits a file: the cheapest of those that are about as fast as any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore.csvtext import MAX_CHUNK_BYTES
from batchcore.sizing import MAX_CHUNK_ROWS
from batchcore.texts import number_of

from batchops.planning.cost import estimate_cost
from batchops.planning.durations import estimate_duration
from batchops.planning.limits import NEAR, ROWS, find_limits
from batchops.show.numbers import rough_duration, usd_text

if TYPE_CHECKING:
    from batchops.planning.workload import Workload

_SIZES = (100, 200, 500, 600, 1_000, 2_000, 5_000, 10_000, 15_000, MAX_CHUNK_ROWS)

# A cheaper size may take this many times as long as the fastest.
_PATIENCE = 1.25
# A saving is worth a line if it is this share of the cost or time, and as many USD or seconds.
_WORTH_SAVING = 0.2
_WORTH_USD = 0.01
_WORTH_S = 60


@dataclass(frozen=True)
class ChunkOption:
    """A chunk size, and what a job would cost and take with it.

    Attributes
    ----------
    chunk_rows, chunks : int
        The size, and how many chunks there would be.
    usd : float
        The estimated cost.
    low_s, high_s : float
        The estimated duration.
    """

    chunk_rows: int
    chunks: int
    usd: float
    low_s: float
    high_s: float


def largest_chunk_rows(work: Workload) -> int:
    """Return the largest chunk size at which chunks end by their rows, not by their bytes."""
    by_bytes = int(NEAR * MAX_CHUNK_BYTES * work.rows / work.text_bytes)
    return max(1, min(MAX_CHUNK_ROWS, by_bytes))


def chunk_options(work: Workload) -> tuple[ChunkOption, ...]:
    """Return the usual chunk sizes that are safe for a file, the smallest first.

    A size is safe if no limit at which the job fails is near.
    """
    largest = largest_chunk_rows(work)
    sizes = {size for size in (*_SIZES, work.chunk_rows) if size <= largest} | {largest}
    found = []
    for size in sorted(sizes):
        other = work.rechunked(size)
        duration = estimate_duration(other)
        limits = find_limits(other, duration, name="")
        # The largest size that the template accepts is as safe as the others.
        if any(limit.hard and limit.share > NEAR and limit.name != ROWS for limit in limits):
            continue
        usd = estimate_cost(other).total_usd
        found.append(ChunkOption(size, other.chunks, usd, duration.low_s, duration.high_s))
    return tuple(found)


def suggest_chunk_rows(options: tuple[ChunkOption, ...], *, current: int) -> int:
    """Return the cheapest size that is about as fast as any.

    Of equally cheap sizes, it is the one nearest to `current`.

    Parameters
    ----------
    options
        As `chunk_options` returns them; if there are none, the answer is `current`.
    """
    if not options:
        return current
    fastest = min(option.high_s for option in options)
    quick = [option for option in options if option.high_s <= _PATIENCE * fastest]
    best = min(quick, key=lambda option: (round(option.usd, 6), abs(option.chunk_rows - current)))
    return best.chunk_rows


def describe_saving(options: tuple[ChunkOption, ...], *, current: int, suggested: int) -> str:
    """Return what the suggested size saves as text; empty if the saving is too small."""
    by_size = {option.chunk_rows: option for option in options}
    now, then = by_size.get(current), by_size.get(suggested)
    if then is None or now == then:
        return ""
    text = (
        f"FileChunkSize={then.chunk_rows} would take {number_of(then.chunks, 'chunk')}, "
        f"{usd_text(then.usd)} and {rough_duration(then.low_s)} to {rough_duration(then.high_s)}"
    )
    if now is None:
        return text
    cheaper = now.usd - then.usd > max(_WORTH_SAVING * now.usd, _WORTH_USD)
    faster = now.high_s - then.high_s > max(_WORTH_SAVING * now.high_s, _WORTH_S)
    return text if cheaper or faster else ""
