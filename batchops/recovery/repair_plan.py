"""What a repair would do: which rows are mended, which would still fail, which chunks run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from batchops.recovery.rerun_plan import RerunPlan
from batchops.show import markup

if TYPE_CHECKING:
    import pandas as pd

# What becomes of a row: it gets through; it would be rejected again; nobody changed it; it is in
# its chunk already, which has not run since; it got through before.
MENDED = "mended"
FAILING = "still failing"
UNCHANGED = "unchanged"
WAITING = "waiting"
DONE = "done"

_SHOWN_ROWS = 20
_COLUMNS = ("source_row", "chunk", "outcome", "rules", "message")


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What becomes of one row; `rules` and `message` say why it fails, or what to know of it."""

    source_row: int
    chunk: int
    outcome: str
    rules: str = ""
    message: str = ""


@dataclass(frozen=True)
class RepairPlan:
    """What a repair would do, or, once `started`, what it does.

    Attributes
    ----------
    job_id : str
        The job.
    rows : tuple of RowOutcome
        Every row that was given, in the file's order.
    checked_against : str
        Which schema the rows were held against, and that their keys were looked up.
    rerun : RerunPlan
        The rerun of the chunks that hold mended rows.
    patches : mapping
        Chunk number -> row -> the record's new bytes.
    """

    job_id: str
    rows: tuple[RowOutcome, ...]
    checked_against: str
    rerun: RerunPlan
    patches: Mapping[int, Mapping[int, bytes]] = field(repr=False)

    @property
    def started(self) -> bool:
        """Whether the rows were patched and the rerun was started."""
        return self.rerun.started

    @property
    def needed(self) -> bool:
        """Whether there is anything to patch or to run."""
        return any(row.outcome in (MENDED, WAITING) for row in self.rows)

    @property
    def mended(self) -> tuple[int, ...]:
        """The rows that will get through."""
        return self._rows(MENDED, WAITING)

    @property
    def failing(self) -> tuple[int, ...]:
        """The rows that were changed and would still be rejected; they stay as they are."""
        return self._rows(FAILING)

    @property
    def unchanged(self) -> tuple[int, ...]:
        """The rejected rows that nobody changed."""
        return self._rows(UNCHANGED)

    def _rows(self, *outcomes: str) -> tuple[int, ...]:
        return tuple(row.source_row for row in self.rows if row.outcome in outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it; the rows' new text is left out."""
        return {
            "job": self.job_id,
            "needed": self.needed,
            "started": self.started,
            "mended": list(self.mended),
            "failing": list(self.failing),
            "rows": [asdict(row) for row in self.rows],
            "checked_against": self.checked_against,
            "rerun": self.rerun.to_dict(),
        }

    def frame(self) -> pd.DataFrame:
        """Return the rows.

        Returns
        -------
        DataFrame
            One line a row that was given: ``source_row``, ``chunk`` (int64), ``outcome`` (mended,
            still failing, unchanged, waiting: in its chunk, which has not run since; done: got
            through before), ``rules``, ``message`` (str, empty where there is nothing to say).
        """
        import pandas as pd

        values = {name: [getattr(row, name) for row in self.rows] for name in _COLUMNS}
        dtypes = {name: "int64" if name in ("source_row", "chunk") else "str" for name in _COLUMNS}
        return pd.DataFrame({n: pd.Series(values[n], dtype=dtypes[n]) for n in _COLUMNS})

    def _title(self) -> str:
        counts = Counter(row.outcome for row in self.rows)
        parts = [
            f"{counts[outcome]:,} {outcome}"
            for outcome in (MENDED, WAITING, FAILING, UNCHANGED, DONE)
            if counts[outcome]
        ]
        what = ", ".join(parts) or "no rows"
        return f"repair of job {self.job_id}: {what}; checked against {self.checked_against}"

    def _told(self) -> list[RowOutcome]:
        """Return the rows that there is something to say of."""
        return [row for row in self.rows if row.message]

    def _end(self) -> Iterator[str]:
        left = len(self._told()) - _SHOWN_ROWS
        if left > 0:
            yield f"and {left:,} more such rows: see frame()"
        if not self.needed:
            yield "nothing to repair, so nothing is started"

    def __str__(self) -> str:
        """Say it in a few lines, row by row where a row fails."""
        lines = [self._title()]
        for row in self._told()[:_SHOWN_ROWS]:
            lines.append(f"  row {row.source_row} is {row.outcome}: {row.message}")
        lines += [f"  {line}" for line in self._end()]
        if self.needed:
            lines.append(str(self.rerun))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [[getattr(row, name) for name in _COLUMNS] for row in self._told()[:_SHOWN_ROWS]]
        rerun = self.rerun._repr_html_() if self.needed else ""
        end = markup.bullets(self._end())
        return markup.paragraph(self._title()) + markup.table(_COLUMNS, rows) + end + rerun
