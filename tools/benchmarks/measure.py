"""Statistics of repeated measurements, and how results grow with their input."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The results of a repeated measurement.

    Attributes
    ----------
    median, low, high : float
        Of the repeats, in their unit.
    repeats : int
        How many there were.
    """

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarize repeats.

        Raises
        ------
        ValueError
            If there are none.
        """
        if not values:
            raise ValueError("no repeats to sum up")
        return cls(statistics.median(values), min(values), max(values), len(values))

    @property
    def share(self) -> float:
        """The range of the repeats as a share of their median."""
        return (self.high - self.low) / self.median if self.median else 0.0

    def text(self, decimals: int = 2) -> str:
        """Return the median and the range as text."""
        if self.repeats == 1:
            return f"{self.median:,.{decimals}f} (once)"
        return (
            f"{self.median:,.{decimals}f} ({self.low:,.{decimals}f} to {self.high:,.{decimals}f})"
        )


def time_rounds(work: Callable[[], object], rounds: int) -> Spread:
    """Return the seconds of each round of some work."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return Spread.of(seconds)


def growth_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the exponent k of the power law value = c * size**k that fits best.

    1 is linear growth, 0 none. The fit is the line of least squares through the logarithms.

    Raises
    ------
    ValueError
        If there are fewer than two different sizes, or one that is not positive.
    """
    if len(set(sizes)) < 2 or min(*sizes, *values) <= 0:
        raise ValueError("a fit needs two different sizes, and positive numbers")
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(value) for value in values]
    ).slope
