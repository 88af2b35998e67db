"""Numbers as text: durations, amounts of money, ranges of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable

_MAX_RUNS = 20


def format_duration(seconds: float) -> str:
    """Return a duration as text: ``8 s``, ``1 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02} min"


def usd_text(usd: float) -> str:
    """Return an amount with two decimals; with more if it is below a dollar and needs them."""
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:,.2f}"
    sign = "-" if usd < 0 else ""
    if abs(usd) < 1e-6:
        return f"{sign}<$0.000001"
    decimals = max(2, 1 - math.floor(math.log10(abs(usd))))
    return f"{sign}${abs(usd):.{decimals}f}"


def number_ranges(numbers: Iterable[int]) -> str:
    """Return numbers as ranges, ``1-3, 7``; after twenty ranges, how many numbers are left."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:_MAX_RUNS]]
    left = sum(b - a + 1 for a, b in runs[_MAX_RUNS:])
    return ", ".join(shown) + (f" and {left:,} more" if left else "")
