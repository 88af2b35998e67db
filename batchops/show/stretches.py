"""Count a file's rejected rows by stretches of the file, and find the bad stretches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from batchops.show.marks import BLUE, VERMILLION

MOST = 50
# Sizes in pixels, and the least count that is wider than its bar.
_WIDTH, _HEIGHT, _MARGIN, _TOO_WIDE = 900, 170, 8, 1_000


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


def stretches_svg(stretches: Sequence[Stretch]) -> str:
    """Return the counts as bars, the bad ones marked, in the page's colour of text."""
    most = max((each.rejected for each in stretches), default=0)
    if not most:
        return ""
    step = (_WIDTH - 2 * _MARGIN) / len(stretches)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT + 44}" '
        'font-family="sans-serif" font-size="11" role="img" text-anchor="middle" '
        f'style="width:100%;max-width:{_WIDTH}px;height:auto" fill="currentColor">'
        "<title>rejected rows by place in the file</title>"
    ]
    for number, each in enumerate(stretches):
        height = each.rejected / most * (_HEIGHT - 24)
        x, y = _MARGIN + number * step, _HEIGHT - height
        colour = VERMILLION if each.bad else BLUE
        parts.append(
            f"<g><title>{each}</title>"
            f'<rect x="{x + 0.5:.1f}" y="{y:.1f}" width="{max(step - 1, 0.5):.1f}" '
            f'height="{height:.1f}" fill="{colour}"/>'
        )
        if each.rejected and (each.bad or most < _TOO_WIDE):
            weight = ' font-weight="bold"' if each.bad else ""
            parts.append(f'<text x="{x + step / 2:.1f}" y="{y - 4:.1f}"{weight}>')
            parts.append(f"{each.rejected:,}</text>")
        parts.append("</g>")
        if number % max(len(stretches) // 5, 1) == 0:
            parts.append(f'<text x="{x:.1f}" y="{_HEIGHT + 16}" text-anchor="start">')
            parts.append(f"{each.first_row:,}</text>")
    parts.append(
        f'<path d="M{_MARGIN} {_HEIGHT}H{_WIDTH - _MARGIN}" stroke="currentColor"/>'
        f'<text x="{_MARGIN}" y="{_HEIGHT + 34}" text-anchor="start">row of the file, in '
        f"stretches of {stretches[0].rows:,}; the number is how many were rejected</text></svg>"
    )
    return "".join(parts)
