"""The rejected rows of a file, counted by stretches of it, and which stretches are bad."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

MOST = 50


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some consecutive rows of the file, and how many of them were rejected.

    Attributes
    ----------
    first_row, last_row : int
        The rows, the header being row 1.
    rejected : int
        How many of them were rejected.
    bad : bool
        Whether that is far more than in most stretches.
    """

    first_row: int
    last_row: int
    rejected: int
    bad: bool = False

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.last_row - self.first_row + 1

    def __str__(self) -> str:
        """Say rows and rejected rows."""
        return (
            f"rows {self.first_row:,} to {self.last_row:,}: {self.rejected:,} of {self.rows:,} "
            "rejected"
        )


def count_stretches(rejected: Iterable[int], *, rows: int, most: int = MOST) -> list[Stretch]:
    """Return at most `most` stretches of equal length, from the file's first row to its last.

    Parameters
    ----------
    rejected
        The rejected rows, each once; the header is row 1.
    rows
        The number of rows without the header. Blank lines count as rows in `rejected`, so that the
        last stretch may end after that.
    """
    found = list(rejected)
    count = max(rows, max(found, default=1) - 1)
    each = round_up(count / most)
    counts = [0] * -(-count // each)
    for row in found:
        counts[(row - 2) // each] += 1
    # As many as chance would hardly give, were the rows spread like those of most stretches.
    usual = median(counts) if counts else 0
    limit = usual + 3 * math.sqrt(max(usual, 1))
    last = count + 1
    return [
        Stretch(2 + n * each, min(1 + (n + 1) * each, last), number, number > limit)
        for n, number in enumerate(counts)
    ]


def bad_stretches(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the bad stretches; those that follow each other are one."""
    found: list[Stretch] = []
    for each in stretches:
        if each.bad and found and found[-1].last_row + 1 == each.first_row:
            last = found[-1]
            total = last.rejected + each.rejected
            found[-1] = Stretch(last.first_row, each.last_row, total, bad=True)
        elif each.bad:
            found.append(each)
    return found


def round_up(value: float) -> int:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step >= value:
                return step
        power *= 10
