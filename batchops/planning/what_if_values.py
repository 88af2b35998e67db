"""What another record schema would do to rows, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchops.show import markup

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("column", "rule", "now", "then")


@dataclass(frozen=True)
class WhatIf:
    """What another schema would do to the rows of a file or of a job.

    Attributes
    ----------
    name : str
        The job's id, or the file's name.
    rows : int
        All rows.
    newly_rejected, newly_accepted : int
        Rows whose verdict would change.
    rejected_by_both : int
        Rows that break rules of either schema, or whose key the reference data lacks where their
        verdict would change otherwise.
    rules : tuple of (str, str, int, int)
        Column, rule, and how many rows break it by the deployed schema and by the other, where
        these differ.
    rejected, accepted : DataFrame
        The first 10,000 lines on the newly rejected and the newly accepted rows, by row:
        ``source_row`` (int64), ``column``, ``rule``, ``value``, ``message`` (of the rule that would
        be broken, or is no longer), ``raw`` (str, the row's text).
    """

    name: str
    rows: int
    newly_rejected: int
    newly_accepted: int
    rejected_by_both: int
    rules: tuple[tuple[str, str, int, int], ...]
    rejected: pd.DataFrame = field(repr=False, compare=False)
    accepted: pd.DataFrame = field(repr=False, compare=False)

    def __str__(self) -> str:
        """Say it in a line, then one line a rule."""
        lines = [self._summary()]
        lines += [
            f"  {column or 'the row'}: {rule}: {now:,} rows now, {then:,} then"
            for column, rule, now, then in self.rules
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [(c or "(row)", rule, f"{a:,}", f"{b:,}") for c, rule, a, b in self.rules]
        return markup.paragraph(self._summary()) + markup.table(_COUNTS, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "name": self.name,
            "rows": self.rows,
            "newly_rejected": self.newly_rejected,
            "newly_accepted": self.newly_accepted,
            "rejected_by_both": self.rejected_by_both,
            "rules": [dict(zip(_COUNTS, rule, strict=True)) for rule in self.rules],
            "rejected": self.rejected.to_dict(orient="records"),
            "accepted": self.accepted.to_dict(orient="records"),
        }

    def _summary(self) -> str:
        return (
            f"{self.name}, {self.rows:,} rows: {self.newly_rejected:,} newly rejected, "
            f"{self.newly_accepted:,} newly accepted, {self.rejected_by_both:,} rejected by both"
        )
