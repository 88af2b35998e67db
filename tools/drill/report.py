"""What a drill found, as text for the terminal and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tools.drill.faults import Fault
from tools.drill.outcomes import RowEnds


@dataclass(frozen=True)
class CaseReport:
    """One fault, and what followed.

    Attributes
    ----------
    fault : Fault
        What was injected.
    job_id : str
        The job that met it.
    fired : int
        How often the fault struck, as the injector counted.
    ended : str
        How the first attempt ended: the job's status, or UNSTARTED.
    error : str
        The error that was named then.
    retries : int
        Tasks that the workflows repeated in the first attempt.
    attempts : int
        Attempts until the job succeeded.
    recovery : str
        What was needed then: ``rerun``, ``redeliver``, or nothing.
    row_ends : RowEnds
        Where the rows ended; None if the job did not succeed.
    same : bool
        Whether both result files are, byte for byte, those of the job without faults.
    broken : tuple of str
        Every promise that was not kept.
    seconds : float
        How long the case took.
    """

    fault: Fault
    job_id: str
    fired: int
    ended: str
    error: str
    retries: int
    attempts: int
    recovery: str
    row_ends: RowEnds | None
    same: bool
    broken: tuple[str, ...]
    seconds: float

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken

    @property
    def verdict(self) -> str:
        """``kept``, or which promises were broken."""
        return "kept" if self.kept else "BROKEN: " + "; ".join(self.broken)

    @property
    def lasts(self) -> str:
        """How long the fault was there."""
        return "until lifted" if self.fault.lasting else "once"

    def __str__(self) -> str:
        """Sum the case up in a line."""
        fault = self.fault
        where = fault.step + (f", chunk {fault.chunk}" if fault.chunk else "")
        what = fault.kind + (f" ({fault.detail})" if fault.detail else "")
        then = f"{self.ended}{f' {self.error}' if self.error else ''}, {self.retries} retries"
        after = f", {self.recovery}" if self.recovery else ""
        return f"{where}: {what} {self.lasts}: {then}{after}: {self.verdict} ({self.seconds:.1f} s)"

    def cells(self) -> dict[str, object]:
        """Return the case as a line of the report's table, by column."""
        rows = self.row_ends
        balance = f"{rows.rows_in} = {rows.rows_out} + {rows.rows_rejected}" if rows else ""
        return {
            "step": self.fault.step,
            "fault": self.fault.kind,
            "lasts": self.lasts,
            "chunk": self.fault.chunk or "",
            "strikes": self.fault.detail,
            "fired": self.fired,
            "first attempt": f"{self.ended} {self.error}".strip(),
            "retries": self.retries,
            "attempts": self.attempts,
            "recovery": self.recovery,
            "rows in = out + rejected": balance,
            "lost": rows.lost if rows else "",
            "doubled": rows.doubled if rows else "",
            "same bytes": "yes" if self.same else "NO",
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class DrillReport:
    """The cases of a drill.

    Attributes
    ----------
    seed, rows, chunks : int
        The seed that chose the faults; the size of the file that every job was given.
    started : datetime
        When the drill began, in UTC.
    versions : dict
        Versions of what it ran with, by name.
    cases : tuple of CaseReport
        One for each fault.
    """

    seed: int
    rows: int
    chunks: int
    started: datetime
    versions: dict[str, str]
    cases: tuple[CaseReport, ...] = field(repr=False)

    @property
    def kept(self) -> bool:
        """Whether there are cases, and every one kept its promises."""
        return bool(self.cases) and all(case.kept for case in self.cases)

    @property
    def totals(self) -> dict[str, int]:
        """Sums over the cases."""
        row_ends = [case.row_ends for case in self.cases if case.row_ends is not None]
        return {
            "cases": len(self.cases),
            "faults_injected": sum(case.fired for case in self.cases),
            "jobs_completed": len(row_ends),
            "reruns": sum(case.recovery == "rerun" for case in self.cases),
            "rows_lost": sum(ends.lost for ends in row_ends),
            "rows_doubled": sum(ends.doubled for ends in row_ends),
            "cases_broken": sum(not case.kept for case in self.cases),
        }

    @property
    def summary(self) -> str:
        """The totals, without the cases."""
        return "\n".join(self._facts())

    def _facts(self) -> Iterator[str]:
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        yield (
            f"{self.started:%Y-%m-%d}, seed {self.seed}, {versions}; each job {self.rows:,} rows "
            f"in {self.chunks} chunks"
        )
        totals = self.totals
        yield (
            f"{totals['cases']:,} cases, {totals['faults_injected']:,} faults injected, "
            f"{totals['jobs_completed']:,} jobs completed ({totals['reruns']:,} after a rerun), "
            f"{totals['rows_lost']:,} rows lost, {totals['rows_doubled']:,} rows doubled, "
            f"{totals['cases_broken']:,} cases broken"
        )

    def to_markdown(self) -> str:
        """Return the totals as a list and the cases as a table."""
        lines = [f"- {fact}" for fact in self._facts()]
        for number, case in enumerate(self.cases):
            cells = case.cells()
            if not number:
                lines += ["", "| " + " | ".join(cells) + " |", "|---" * len(cells) + "|"]
            texts = (str(cell).replace("|", r"\|") for cell in cells.values())
            lines.append("| " + " | ".join(texts) + " |")
        return "\n".join(lines)
