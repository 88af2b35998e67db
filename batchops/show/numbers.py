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


def rough_duration(seconds: float) -> str:
    """Return an estimated duration in one unit, with as many digits as an estimate has."""
    if seconds < 0.1:
        return "<0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def usd_text(usd: float) -> str:
    """Return an amount with two decimals; with more if it is below a dollar and needs them."""
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:,.2f}"
    sign = "-" if usd < 0 else ""
    if abs(usd) < 1e-6:
        return f"{sign}<$0.000001"
    decimals = max(2, 1 - math.floor(math.log10(abs(usd))))
    return f"{sign}${abs(usd):.{decimals}f}"


def number_text(value: float) -> str:
    """Return a number whole, or if it is small with two digits that count."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def share_text(share: float) -> str:
    """Return a share in per cent, as few digits as tell it from nothing."""
    percent = share * 100
    if 0 < percent < 0.05:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"


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
