"""Which chunk size suits a file: the cheapest of those that are about as fast as any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore.csvtext import MAX_CHUNK_BYTES
from batchcore.sizing import MAX_CHUNK_ROWS

from batchops.planning.cost import estimate_cost
from batchops.planning.durations import estimate_duration
from batchops.planning.limits import NEAR, ROWS, find_limits

if TYPE_CHECKING:
    from batchops.planning.workload import Workload

_SIZES = (100, 200, 500, 600, 1_000, 2_000, 5_000, 10_000, 15_000, MAX_CHUNK_ROWS)

# Chunks may be so much slower than the fastest size, if they are cheaper.
_PATIENCE = 1.25


@dataclass(frozen=True)
class ChunkOption:
    """A chunk size, and what a file would come to with it.

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
    """Return the most rows that a chunk may have and still end by its rows, not by its bytes."""
    by_bytes = int(NEAR * MAX_CHUNK_BYTES * work.rows / work.size_bytes)
    return max(1, min(MAX_CHUNK_ROWS, by_bytes))


def chunk_options(
    work: Workload, *, max_concurrency: int, account_concurrency: int | None = None
) -> tuple[ChunkOption, ...]:
    """Return the usual chunk sizes that are safe for a file, the smallest first.

    Safe means that no limit is passed, or even near, at which the job fails.
    """
    largest = largest_chunk_rows(work)
    sizes = {size for size in (*_SIZES, work.chunk_rows) if size <= largest} | {largest}
    found = []
    for size in sorted(sizes):
        other = work.rechunked(size)
        duration = estimate_duration(
            other, max_concurrency=max_concurrency, account_concurrency=account_concurrency
        )
        limits = find_limits(
            other,
            duration,
            max_concurrency=max_concurrency,
            account_concurrency=account_concurrency,
            name="",
        )
        # The largest size that the template accepts is as safe as the others.
        if any(limit.hard and limit.share > NEAR and limit.name != ROWS for limit in limits):
            continue
        usd = estimate_cost(other).total_usd
        found.append(ChunkOption(size, other.chunks, usd, duration.low_s, duration.high_s))
    return tuple(found)


def suggest_chunk_rows(options: tuple[ChunkOption, ...], *, current: int) -> int:
    """Return the cheapest size that is about as fast as any; of equals the nearest to `current`.

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
