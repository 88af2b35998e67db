"""Which chunks of a job have to run again, and why; of the others the results are reused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import keys, workflow

from batchops import frames
from batchops.errors import InputError
from batchops.recovery.claims import PENDING

if TYPE_CHECKING:
    from batchops.ledger import Entry

_LISTED = 20


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A chunk that is to run: its number, its rows, and why."""

    number: int
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReusedChunk:
    """A chunk whose result stays: its number, its rows, and the attempt that the result is of."""

    number: int
    rows: int
    attempt: int


def choose_chunks(
    job_id: str,
    manifest: Sequence[Mapping[str, Any]],
    entries: Iterable[Entry],
    *,
    sizes: Mapping[tuple[str, str], int],
    named: Mapping[int, str],
) -> tuple[tuple[PlannedChunk, ...], tuple[ReusedChunk, ...]]:
    """Divide a job's chunks into those to run and those whose results are reused.

    Parameters
    ----------
    manifest
        All chunks of the job.
    entries
        The ledger's entries of those that have started.
    sizes
        Bytes of each object under the job's ``output/`` and ``rejects/``, by key and version.
    named
        Chunks to run whatever became of them, and why.

    Raises
    ------
    InputError
        If a named chunk is none of the job's.
    """
    unknown = sorted(set(named) - {chunk["number"] for chunk in manifest})
    if unknown:
        raise InputError(
            f"job {job_id} has no chunk {number_ranges(unknown)}: it has 1 to {len(manifest)}"
        )
    by_entry = {entry["entry"]: entry for entry in entries}
    planned, reused = [], []
    for chunk in manifest:
        number, rows = chunk["number"], chunk["rows"]
        entry = by_entry.get(chunk["entry"], {})
        reason = _fault(job_id, chunk, entry, sizes) or named.get(number, "")
        if reason:
            planned.append(PlannedChunk(number, rows, reason))
        else:
            reused.append(ReusedChunk(number, rows, entry["attempt"]))
    return tuple(planned), tuple(reused)


def _fault(
    job_id: str, chunk: Mapping[str, Any], entry: Entry, sizes: Mapping[tuple[str, str], int]
) -> str:
    """Say why a chunk has no result that can be used; empty if it has one."""
    status = entry.get("status")
    if status is None:
        return "never started"
    if status == workflow.FAILED:
        why = frames.explain(entry.get("error", ""), entry.get("cause", ""))
        return f"failed at {entry.get('failedStep', 'an unknown step')}: {why}"
    if status == PENDING:
        return f"was to run in attempt {entry['attempt']}, and did not"
    if status != workflow.SUCCEEDED:
        return f"was under way when attempt {entry['attempt']} ended"
    return _result_fault(job_id, chunk, entry, sizes)


def _result_fault(
    job_id: str, chunk: Mapping[str, Any], entry: Entry, sizes: Mapping[tuple[str, str], int]
) -> str:
    if not chunk["rows"] == entry["rows"] == entry["valid"] + entry["rejected"]:
        return "its rows do not balance"
    pieces = {"output": keys.output, "rejects": keys.rejected_piece}
    for kind, key_of in pieces.items():
        size = entry["sizeBytes"][kind]
        version = (key_of(job_id, chunk["number"]), entry["versions"][kind])
        if size and sizes.get(version) != size:
            return f"its result is not in the bucket as it was written ({kind})"
    return ""


def number_ranges(numbers: Iterable[int]) -> str:
    """Return numbers in the shortest form: ``1-3, 7``; beyond twenty runs it says how many more."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:_LISTED]]
    left = sum(b - a + 1 for a, b in runs[_LISTED:])
    return ", ".join(shown) + (f" and {left:,} more" if left else "")
