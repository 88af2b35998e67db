"""A limit as a value: how much of it a job takes, and what happens beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# From this share on a limit is worth a warning.
NEAR = 0.8

ROWS = "rows a chunk"


@dataclass(frozen=True)
class Limit:
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

    name: str
    value: float
    limit: float
    unit: str
    says: str
    hard: bool = True
    at_best: float | None = None

    @property
    def share(self) -> float:
        """What part of the limit is taken; more than 1 is beyond it."""
        return self.value / self.limit

    @property
    def fatal(self) -> bool:
        """Whether the job cannot succeed, not even at best."""
        surely = self.value if self.at_best is None else self.at_best
        return self.hard and surely > self.limit

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.name}: {number_text(self.value)} of {number_text(self.limit)} {self.unit} "
            f"({share_text(self.share)}); {self.says}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "limit": self.limit,
            "unit": self.unit,
            "share": self.share,
            "hard": self.hard,
            "fatal": self.fatal,
            "says": self.says,
        }


def number_text(value: float) -> str:
    """Return a number whole, or if it is small with two digits that count."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def share_text(share: float) -> str:
    """Return a share in per cent, as few digits as tell it from nothing."""
    percent = share * 100
    if 0 < percent < 0.05:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"
