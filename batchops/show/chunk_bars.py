"""The bars of a job's timeline: when each chunk ran, and what each part of that time was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchcore import workflow

from batchops.show.marks import BLUE, GREEN, PURPLE, VERMILLION

if TYPE_CHECKING:
    import pandas as pd

_STEPS = [step.name for step in workflow.CHUNK_STEPS]
# What is no step has no colour of its own: it differs in how it is drawn.
STEP_COLOURS = dict(zip(_STEPS, (PURPLE, BLUE, VERMILLION, GREEN), strict=True))
# What is no step.
TURN, COLD, BETWEEN, RUNNING, BROKEN = "turn", "cold", "between", "running", "broken"
# By kind, in the order of the legend: what it is called.
KINDS = {
    TURN: "waiting for its turn",
    COLD: "cold start",
    BETWEEN: "between steps",
    **{name: name for name in _STEPS},
    RUNNING: "running",
    BROKEN: "failed",
}
# What a timeline's axis is called.
AXIS = "seconds since the first chunk started"
# With more bars each is too thin to see.
MAX_BARS = 80


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a bar: its kind (see `KINDS`), and seconds since the first chunk started."""

    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A chunk's bar, from its start to its end, with the parts that are known."""

    chunk: int
    status: str
    start_s: float
    end_s: float
    spans: tuple[Span, ...]

    @property
    def broke(self) -> bool:
        """Whether the chunk failed or was stopped."""
        return self.status in (workflow.FAILED, workflow.ABORTED)

    def __str__(self) -> str:
        """Say chunk, status and the time of each part."""
        parts = (f"{KINDS[s.kind]} {s.end_s - s.start_s:.2f} s" for s in self.spans)
        return f"chunk {self.chunk:,}, {self.status.lower()}: {', '.join(parts)}"


def chunk_bars(chunks: pd.DataFrame) -> list[Bar]:
    """Return a bar for each chunk that has a time.

    A running chunk ends at the latest time in the data. In chunks that a stack of an earlier
    version ran, which has not noted when the steps began, all time between them comes first.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it.
    """
    import pandas as pd

    if chunks.empty:
        return []
    # A chunk that failed before its first step has only an end; a running one only a start.
    begins = chunks["start"].fillna(chunks["end"])
    known = [begins, chunks["end"], *(c for _, c in chunks.filter(regex="_start$").items())]
    first, latest = begins.min(), pd.concat(known).max()
    if pd.isna(first):
        return []

    def seconds(moment: Any) -> float:
        return float((moment - first).total_seconds())

    found = []
    records: list[dict[Any, Any]] = chunks.to_dict("records")
    for row, begin in zip(records, begins, strict=True):
        if not pd.isna(begin):
            end = max(seconds(latest if pd.isna(row["end"]) else row["end"]), seconds(begin))
            starts: dict[str, float | None] = {
                name: None if pd.isna(moment := row.get(f"{name}_start")) else seconds(moment)
                for name in _STEPS
            }
            # A later attempt may be hours after the first.
            attempt = seconds(begins[chunks["attempt"].eq(row["attempt"])].min())
            found.append(_bar(row, seconds(begin), end, starts, attempt=attempt))
    return found


def _bar(
    row: dict[str, Any],
    start: float,
    end: float,
    starts: dict[str, float | None],
    *,
    attempt: float,
) -> Bar:
    """Return a chunk's bar; `starts` are those of its steps, `attempt` is its attempt's."""
    spans = [Span(TURN, attempt, start)] if start > attempt else []
    status = str(row["status"])
    ms = {name: _number(row.get(f"{name}_ms")) for name in _STEPS}
    if status != workflow.SUCCEEDED:  # its steps are known when all have ended
        ms = {}
    done = {name: value / 1000 for name, value in ms.items() if value is not None}
    cold = set(str(row.get("cold") or "").split(", "))
    at = start
    if done and not any(starts[name] is not None for name in done):
        at = _gap(spans, BETWEEN, at, max(at, end - sum(done.values())))
    for name, took in done.items():
        begun = starts[name]
        if begun is not None:
            at = _gap(spans, COLD if name in cold else BETWEEN, at, begun)
        at = _gap(spans, name, at, min(at + took, max(end, at)))
    if status != workflow.SUCCEEDED:
        _gap(spans, BROKEN if status in workflow.ENDED else RUNNING, at, end)
    return Bar(int(row["chunk"]), status, start, end, tuple(spans))


def _gap(spans: list[Span], kind: str, at: float, to: float) -> float:
    """Add a part that lasts until `to`, and return where the next one begins."""
    if to > at:
        spans.append(Span(kind, at, to))
    return max(at, to)


def run_on(bar: Bar, end_s: float) -> Bar:
    """Return a bar until `end_s` if its chunk runs, or else as it is."""
    if bar.status in workflow.ENDED:
        return bar
    known = [span for span in bar.spans if span.kind != RUNNING]
    since = known[-1].end_s if known else bar.start_s
    return replace(bar, end_s=end_s, spans=(*known, Span(RUNNING, since, end_s)))


def _number(value: Any) -> float | None:
    import pandas as pd

    return None if value is None or pd.isna(value) else float(value)
