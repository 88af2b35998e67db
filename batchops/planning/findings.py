"""What one pass over a file found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchops.planning.workload import Workload


@dataclass(frozen=True)
class RuleCount:
    """How many rows break one rule.

    Attributes
    ----------
    stage, column, rule : str
        As in ErrorTable; the column is empty where the row as a whole is at fault.
    rows : int
        Rows that break it. A row that breaks several rules counts in each.
    source_row : int
        The first of them, the header being row 1.
    message : str
        What the stack will say of that row.
    """

    stage: str
    column: str
    rule: str
    rows: int
    source_row: int
    message: str


@dataclass(frozen=True)
class Refusal:
    """Why the stack would not accept a file: the error that its job would end with."""

    error: str
    message: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.error}: {self.message}"


@dataclass(frozen=True)
class Scan:
    """What one pass over a file found.

    Attributes
    ----------
    work : Workload
        The counts; of a file that is refused, up to the place where it is.
    columns : tuple of str
        The header's names, in the file's order.
    missing, extra : tuple of str
        Columns that the schema requires and the file lacks; columns that the schema does not know.
    blank_lines : int
        Blank lines before the last row, which are skipped, and which row numbers count.
    rules : tuple of RuleCount
        The broken rules, the most frequent first.
    refusal : Refusal or None
        Why the file as a whole is not acceptable.
    keys_checked : bool
        Whether keys were looked up, so that those unknown are among the broken rules.
    """

    work: Workload
    columns: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    blank_lines: int
    rules: tuple[RuleCount, ...]
    refusal: Refusal | None
    keys_checked: bool
