"""Costs as values: lines of charges, their sum, and a plan held against what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from batchops.show import markup
from batchops.show.numbers import usd_text

NOT_COUNTED = (
    "storage, object tags, traffic to the internet, X-Ray, alarms, notices, tries that failed, "
    "watching the job, and what AWS's free tiers take off"
)


@dataclass(frozen=True)
class CostLine:
    """One kind of charge: how much of it, and what that costs in USD."""

    service: str
    what: str
    quantity: float
    usd: float


@dataclass(frozen=True)
class Cost:
    """What a job costs.

    Attributes
    ----------
    lines : tuple of CostLine
        One for each kind of charge.
    low_usd, high_usd : float
        The total with the functions' times at best and at worst; the same where times are known.
    monthly_usd : float
        What the stack costs each month whether it runs or not: its encryption key.
    basis : str
        What counts and prices these are.
    """

    lines: tuple[CostLine, ...]
    low_usd: float
    high_usd: float
    monthly_usd: float
    basis: str

    @property
    def total_usd(self) -> float:
        """The sum of all lines."""
        return sum(line.usd for line in self.lines)

    @property
    def by_service(self) -> dict[str, float]:
        """The sum for each service in USD, the dearest first."""
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.service] = sums.get(line.service, 0.0) + line.usd
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def __str__(self) -> str:
        """Say it in a line."""
        text = usd_text(self.total_usd)
        if self.high_usd > self.low_usd:
            text += f" ({usd_text(self.low_usd)} to {usd_text(self.high_usd)})"
        parts = ", ".join(f"{name} {usd_text(usd)}" for name, usd in self.by_service.items())
        return f"{text}: {parts}; {self.basis}"

    def _repr_html_(self) -> str:
        rows = [
            (line.service, line.what, f"{line.quantity:,.6g}", usd_text(line.usd))
            for line in self.lines
        ]
        total = ("total", "", "", usd_text(self.total_usd))
        note = (
            f"{self.basis}; not counted: {NOT_COUNTED}. The stack's key costs "
            f"{usd_text(self.monthly_usd)} a month."
        )
        table = markup.table(("service", "what", "quantity", "USD"), [*rows, total])
        return table + markup.paragraph(note)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "total_usd": self.total_usd,
            "low_usd": self.low_usd,
            "high_usd": self.high_usd,
            "monthly_usd": self.monthly_usd,
            "by_service": self.by_service,
            "lines": [asdict(line) for line in self.lines],
            "basis": self.basis,
            "not_counted": NOT_COUNTED,
        }


@dataclass(frozen=True)
class CostComparison:
    """A planned cost and the one that came of it.

    Attributes
    ----------
    planned, actual : Cost
        The two.
    """

    planned: Cost
    actual: Cost

    @property
    def rows(self) -> tuple[tuple[str, float, float], ...]:
        """Each service and the total, with what was planned and what came of it, in USD."""
        planned, actual = self.planned.by_service, self.actual.by_service
        services = [*planned, *(name for name in actual if name not in planned)]
        pairs = [(name, planned.get(name, 0.0), actual.get(name, 0.0)) for name in services]
        return (*pairs, ("total", self.planned.total_usd, self.actual.total_usd))

    def __str__(self) -> str:
        """Say it in a line for each service."""
        lines = [f"{'':<16}{'planned':>12}{'actual':>12}"]
        lines += [f"{n:<16}{usd_text(p):>12}{usd_text(a):>12}" for n, p, a in self.rows]
        return "\n".join([*lines, f"planned: {self.planned.basis}; actual: {self.actual.basis}"])

    def _repr_html_(self) -> str:
        rows = [(name, usd_text(p), usd_text(a), usd_text(a - p)) for name, p, a in self.rows]
        table = markup.table(("service", "planned", "actual", "difference"), rows)
        return table + markup.paragraph(
            f"planned: {self.planned.basis}; actual: {self.actual.basis}; not counted: "
            f"{NOT_COUNTED}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"planned": self.planned.to_dict(), "actual": self.actual.to_dict()}
