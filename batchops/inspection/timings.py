"""Where a job's time goes, by step, by chunk and by chunk size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchcore import workflow

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from batchops.core.ledger import JobEntry

# The time of a chunk outside its functions: Step Functions, and the start of Lambda.
BETWEEN = "between steps"

_STRAGGLER_COLUMNS = {
    "chunk": "int64",
    "rows": "Int64",
    "seconds": "float64",
    "times_usual": "float64",
    "slowest_step": "str",
    "step_ms": "float64",
    "usual_ms": "float64",
}


def step_times(chunks: pd.DataFrame) -> pd.DataFrame:
    """Return the time of each step of the chunk workflow; for the columns see ``Job.step_times``.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it.
    """
    import pandas as pd

    steps = _step_ms(chunks)
    rows = chunks.loc[steps.index, "rows"].sum()
    total = steps.sum()
    return pd.DataFrame(
        {
            "step": pd.Series(list(steps), dtype="str"),
            "chunks": steps.notna().sum().to_numpy(dtype="int64"),
            "total_s": (total / 1000).to_numpy(dtype="float64"),
            "share": (total / total.sum()).to_numpy(dtype="float64"),
            "median_ms": steps.median().to_numpy(dtype="float64"),
            "p95_ms": steps.quantile(0.95).to_numpy(dtype="float64"),
            "max_ms": steps.max().to_numpy(dtype="float64"),
            "us_per_row": (total * 1000 / rows).to_numpy(dtype="float64"),
        }
    )


def stragglers(chunks: pd.DataFrame, *, factor: float = 1.5) -> pd.DataFrame:
    """Return the chunks that took much longer than usual; for the columns see ``Job.stragglers``.

    Parameters
    ----------
    chunks
        As ``Job.chunks()`` returns it.
    factor
        How many times the median a chunk must take.
    """
    import pandas as pd

    steps = _step_ms(chunks)
    if steps.empty:
        empty = {name: pd.Series(dtype=dtype) for name, dtype in _STRAGGLER_COLUMNS.items()}
        return pd.DataFrame(empty)
    total, usual = steps.sum(axis=1), steps.median()
    slow = steps[total > factor * total.median()]
    worst = (slow - usual).idxmax(axis=1)
    columns: dict[str, Any] = {
        "chunk": chunks.loc[slow.index, "chunk"],
        "rows": chunks.loc[slow.index, "rows"],
        "seconds": total[slow.index] / 1000,
        "times_usual": total[slow.index] / total.median(),
        "slowest_step": worst,
        "step_ms": pd.Series([slow.at[n, step] for n, step in worst.items()], index=slow.index),
        "usual_ms": worst.map(usual),
    }
    found = pd.DataFrame(columns).astype(_STRAGGLER_COLUMNS)
    return found.sort_values("seconds", ascending=False, ignore_index=True)


def _step_ms(chunks: pd.DataFrame) -> pd.DataFrame:
    """Return milliseconds by chunk and step, of the chunks that succeeded."""
    done = chunks[(chunks["status"] == workflow.SUCCEEDED) & chunks["start"].notna()]
    steps = done.filter(regex="_ms$").drop(columns="queue_ms").astype("float64")
    steps.columns = steps.columns.str.removesuffix("_ms")
    if len(steps):  # without look-up, that step is left out
        steps = steps.dropna(axis="columns", how="all")
    elapsed = (done["end"] - done["start"]).dt.total_seconds() * 1000
    # The ledger has whole milliseconds, so the sum can exceed the difference by one.
    steps[BETWEEN] = (elapsed - steps.sum(axis=1)).clip(lower=0)
    return steps


def speeds_frame(found: Iterable[JobEntry]) -> pd.DataFrame:
    """Return how fast jobs were that needed one attempt; for the columns see ``Stack.speeds``."""
    import pandas as pd

    done = [e for e in found if e.status == workflow.SUCCEEDED and e.attempt == 1]
    frame = pd.DataFrame(
        {
            "job": pd.Series([entry.job_id for entry in done], dtype="str"),
            "rows": pd.Series([entry.rows_in for entry in done], dtype="int64"),
            "chunk_rows": pd.Series([entry.chunk_rows for entry in done], dtype="int64"),
            "chunks": pd.Series([entry.chunks for entry in done], dtype="int64"),
            "seconds": pd.Series([entry.attempt_s for entry in done], dtype="float64"),
        }
    )
    return frame.assign(rows_per_s=frame["rows"] / frame["seconds"])
