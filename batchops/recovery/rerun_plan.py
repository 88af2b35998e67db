"""What a rerun would do: which chunks run and why, what is reused, what changed, what is merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from batchops.recovery.chunk_choice import PlannedChunk, ReusedChunk
from batchops.show import markup
from batchops.show.numbers import number_ranges


@dataclass(frozen=True)
class RerunPlan:
    """What a rerun would do, or, once `started`, what it does.

    Attributes
    ----------
    job_id : str
        The job.
    attempt : int
        The number of the attempt to come (of a redrive: of the attempt that goes on).
    ended : str
        How the attempt before it ended, and why.
    from_start : bool
        Whether the input is split again, because there are no chunks to take up.
    chunks : tuple of PlannedChunk
        The chunks to run, each with its reason; empty from the start, where all run.
    reused : tuple of ReusedChunk
        The chunks whose results are reused.
    code_changed : tuple of str
        What is deployed differently since the attempt before, a function each.
    merge : str
        What is written in the end.
    lost : str
        From the start only: what is gone that was there before; empty if nothing was.
    settings : mapping
        From the start only: the parameters that the split takes from the stack as it is now.
    engine : str
        ``resume`` for a new execution, ``redrive`` for the old one going on.
    started : bool
        Whether the attempt was started; False after a dry run, and where nothing is to be done.
    """

    job_id: str
    attempt: int
    ended: str
    from_start: bool
    chunks: tuple[PlannedChunk, ...]
    reused: tuple[ReusedChunk, ...]
    code_changed: tuple[str, ...]
    merge: str
    lost: str = ""
    settings: Mapping[str, str | int] | None = None
    engine: str = "resume"
    started: bool = False

    @property
    def needed(self) -> bool:
        """Whether there is anything to run."""
        return self.from_start or bool(self.chunks)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        data = asdict(self)
        return {"job": data.pop("job_id"), **data, "needed": self.needed}

    def by_reason(self) -> dict[str, list[PlannedChunk]]:
        """Return the chunks to run by the reason why."""
        found: dict[str, list[PlannedChunk]] = {}
        for chunk in self.chunks:
            found.setdefault(chunk.reason, []).append(chunk)
        return found

    def _facts(self) -> Iterator[str]:
        """Yield what there is to say besides the chunks, a line each."""
        if self.reused:
            attempts = number_ranges({chunk.attempt for chunk in self.reused})
            rows = sum(chunk.rows for chunk in self.reused)
            yield (
                f"reuses results: {len(self.reused):,} chunks, {rows:,} rows, of attempt {attempts}"
            )
        if self.lost:
            yield f"splits the input again, because {self.lost}"
        if self.settings is not None:
            yield "splits with " + ", ".join(f"{k}={v!r}" for k, v in self.settings.items())
        yield "deployed since: " + ("; ".join(self.code_changed) or "nothing that the job runs")
        yield f"then {self.merge}"
        yield "started" if self.started else "nothing is started yet (dry_run=False starts it)"

    def _title(self) -> str:
        if not self.needed:
            return f"job {self.job_id} {self.ended}: nothing to rerun"
        what = "is redriven" if self.engine == "redrive" else "runs again"
        if self.from_start:
            how = "from the start"
        else:
            rows = sum(chunk.rows for chunk in self.chunks)
            total = len(self.chunks) + len(self.reused)
            how = f"with {len(self.chunks):,} of {total:,} chunks, {rows:,} rows"
        return f"job {self.job_id} {what} {how}, as attempt {self.attempt}; before, it {self.ended}"

    def __str__(self) -> str:
        """Say it in a few lines, chunks with one reason in one."""
        lines = [self._title()]
        for reason, chunks in self.by_reason().items():
            lines.append(f"  {number_ranges(chunk.number for chunk in chunks)}: {reason}")
        if self.needed:
            lines += [f"  {fact}" for fact in self._facts()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (number_ranges(c.number for c in chunks), f"{sum(c.rows for c in chunks):,}", reason)
            for reason, chunks in self.by_reason().items()
        ]
        facts = markup.bullets(self._facts()) if self.needed else ""
        return (
            markup.paragraph(self._title())
            + markup.table(("chunks", "rows", "why they run"), rows)
            + facts
        )
