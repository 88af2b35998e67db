"""What a drill found, as text, HTML, Markdown, a DataFrame or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from batchops.show import markup
from tools.drill.faults import Fault
from tools.drill.outcomes import Account

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "step",
    "fault",
    "chunk",
    "lasts",
    "strikes",
    "fired",
    "ended",
    "error",
    "retries",
    "attempts",
    "recovery",
    "rows in",
    "out",
    "rejected",
    "lost",
    "doubled",
    "same bytes",
    "verdict",
)
# What people see: the same, with some columns in one.
_SHOWN = (
    "step",
    "fault",
    "lasts",
    "chunk",
    "strikes",
    "fired",
    "first attempt",
    "retries",
    "attempts",
    "recovery",
    "rows in = out + rejected",
    "lost",
    "doubled",
    "same bytes",
    "verdict",
)


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
        How often it really struck, as the injector counted.
    ended : str
        How the first attempt ended: the job's status, or UNSTARTED.
    error : str
        The error that was named then.
    retries : int
        Tasks that the workflows repeated in the first attempt.
    attempts : int
        Attempts until the job succeeded.
    recovery : str
        What had to be done: ``rerun``, ``redeliver``, or nothing.
    account : Account
        Where the rows ended.
    same : bool
        Whether both result files are, byte for byte, those of the job without faults.
    broken : tuple of str
        Every promise that was not kept.
    seconds : float
        Time taken.
    """

    fault: Fault
    job_id: str
    fired: int
    ended: str
    error: str
    retries: int
    attempts: int
    recovery: str
    account: Account | None
    same: bool
    broken: tuple[str, ...]
    seconds: float

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken

    def row(self) -> tuple[Any, ...]:
        """Return it as a line of the report's table."""
        rows = self.account
        counts = (
            (rows.rows_in, rows.rows_out, rows.rows_rejected, rows.lost, rows.doubled)
            if rows
            else (None,) * 5
        )
        return (
            self.fault.step,
            self.fault.kind,
            self.fault.chunk,
            "until lifted" if self.fault.lasting else "once",
            self.fault.detail,
            self.fired,
            self.ended,
            self.error,
            self.retries,
            self.attempts,
            self.recovery,
            *counts,
            self.same,
            "kept" if self.kept else "BROKEN: " + "; ".join(self.broken),
        )


@dataclass(frozen=True)
class DrillReport:
    """The cases of a drill.

    Attributes
    ----------
    seed, rows, chunks : int
        What decided the faults; the file that every job was given.
    started : datetime
        When it began, in UTC.
    seconds : float
        How long it took.
    versions : dict
        Of what it ran with.
    cases : tuple of CaseReport
        One for each fault.
    """

    seed: int
    rows: int
    chunks: int
    started: datetime
    seconds: float
    versions: dict[str, str]
    cases: tuple[CaseReport, ...] = field(repr=False)

    @property
    def kept(self) -> bool:
        """Whether there are cases, and every one kept its promises."""
        return bool(self.cases) and all(case.kept for case in self.cases)

    @property
    def totals(self) -> dict[str, int]:
        """What the cases add up to."""
        accounts = [case.account for case in self.cases if case.account is not None]
        return {
            "cases": len(self.cases),
            "faults_injected": sum(case.fired for case in self.cases),
            "jobs_completed": len(accounts),
            "reruns": sum(case.recovery == "rerun" for case in self.cases),
            "rows_lost": sum(account.lost for account in accounts),
            "rows_doubled": sum(account.doubled for account in accounts),
            "cases_broken": sum(not case.kept for case in self.cases),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the cases.

        Returns
        -------
        DataFrame
            One line a case: ``step``, ``fault``, ``lasts``, ``strikes``, ``ended``, ``error``,
            ``recovery``, ``verdict`` (str), ``chunk``, ``rows in``, ``out``, ``rejected``,
            ``lost``, ``doubled`` (Int64; missing where the step works on no chunk, or the job
            never succeeded), ``fired``, ``retries``, ``attempts`` (Int64), ``same bytes`` (bool).
        """
        import pandas as pd

        columns = list(zip(*(case.row() for case in self.cases), strict=True))
        frame = pd.DataFrame(dict(zip(_COLUMNS, columns or [()] * len(_COLUMNS), strict=True)))
        texts = {"step", "fault", "lasts", "strikes", "ended", "error", "recovery", "verdict"}
        kinds: dict[str, Any] = {
            name: "str" if name in texts else "Int64" for name in _COLUMNS if name != "same bytes"
        }
        return frame.astype({**kinds, "same bytes": "bool"})

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        cases = [
            {**asdict(case), "kept": case.kept, "lasting": case.fault.lasting}
            for case in self.cases
        ]
        return {
            "seed": self.seed,
            "rows": self.rows,
            "chunks": self.chunks,
            "started": self.started.isoformat(),
            "seconds": self.seconds,
            "versions": self.versions,
            "kept": self.kept,
            "totals": self.totals,
            "cases": [{"job": case.pop("job_id"), **case} for case in cases],
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

    def __str__(self) -> str:
        """Give a line a case, and the totals."""
        return "\n".join([*map(case_line, self.cases), *self._facts()])

    def _repr_html_(self) -> str:
        return markup.bullets(self._facts()) + markup.table(_SHOWN, map(_cells, self.cases))

    def to_markdown(self) -> str:
        """Return it for the documentation."""
        lines = [f"- {fact}" for fact in self._facts()]
        lines += ["", "| " + " | ".join(_SHOWN) + " |", "|---" * len(_SHOWN) + "|"]
        for case in self.cases:
            cells = (cell.replace("|", r"\|") for cell in _cells(case))
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def _cells(case: CaseReport) -> list[str]:
    row = dict(zip(_COLUMNS, map(_text, case.row()), strict=True))
    row["first attempt"] = f"{row['ended']} {row['error']}".strip()
    row["rows in = out + rejected"] = f"{row['rows in']} = {row['out']} + {row['rejected']}"
    return [row[name] for name in _SHOWN]


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "NO"
    return "" if cell is None else str(cell)


def case_line(case: CaseReport) -> str:
    """Say in a line what a case came to."""
    fault = case.fault
    where = f"{fault.step}" + (f", chunk {fault.chunk}" if fault.chunk else "")
    what = fault.kind + (f" ({fault.detail})" if fault.detail else "")
    how = "until lifted" if fault.lasting else "once"
    then = f"{case.ended}{f' {case.error}' if case.error else ''}, {case.retries} retries"
    after = f", {case.recovery}" if case.recovery else ""
    verdict = "kept" if case.kept else "BROKEN: " + "; ".join(case.broken)
    return f"{where}: {what} {how}: {then}{after}: {verdict} ({case.seconds:.1f} s)"
