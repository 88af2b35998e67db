"""One chunk of a job with all that belongs to it: rows, errors, log, input and output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from batchcore import csvtext, keys, workflow
from batchcore.texts import number_of

from batchops.core import ledger
from batchops.core.errors import BatchOpsError, InputError
from batchops.core.manifest import ManifestChunk, read_manifest, read_piece
from batchops.inspection.error_pages import ErrorPage, error_page
from batchops.inspection.frames import chunks_frame
from batchops.inspection.logs import function_logs, logs_frame
from batchops.show.numbers import rough_duration
from batchops.show.shown import Block, Shown
from batchops.show.timeline import Timeline

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry, JobEntry

T = TypeVar("T")

_LINES = 5
_ERRORS, _LOG_LINES = 50, 200
# What a function logs may come a little before or after the times in the ledger.
_MARGIN = timedelta(seconds=60)


def _no_log() -> pd.DataFrame:
    found = logs_frame([])
    return found.assign(function=found["message"])


@dataclass(frozen=True)
class ChunkDetail(Shown):
    """One chunk of a job.

    Attributes
    ----------
    job_id : str
        The job.
    number : int
        The chunk's number, from 1.
    status : str
        PENDING, RUNNING, SUCCEEDED, FAILED or ABORTED; empty if it has not started.
    attempt : int
        The attempt that ran it last; 0 if none has.
    first_row, last_row : int
        Its rows in the uploaded file, the header being row 1; 0 if the list of chunks has expired.
    rows, valid, rejected : int or None
        Its rows, those in its output, and those rejected; None if not known yet.
    seconds : float or None
        How long it took; None if it has not ended.
    failed_step, reason : str
        Where it failed, and why; empty if it did not.
    timeline : Timeline
        Its steps.
    errors : ErrorPage or None
        Its first 50 errors.
    log : DataFrame
        What the functions logged for it: the columns of `Stack.logs`, and ``function`` (str).
    input_key, output_key, rejects_key : str
        Where its pieces are in the bucket.
    input, output : bytes
        Its piece of the file with the header, and its piece of the completed file, without; empty
        if there is none.
    missing : tuple of str
        What could not be read, each with the reason.
    """

    job_id: str
    number: int
    status: str
    attempt: int
    first_row: int
    last_row: int
    rows: int | None
    valid: int | None
    rejected: int | None
    seconds: float | None
    failed_step: str
    reason: str
    input_key: str
    output_key: str
    rejects_key: str
    missing: tuple[str, ...] = ()
    timeline: Timeline = field(repr=False, compare=False, default=Timeline(()))
    errors: ErrorPage | None = field(compare=False, default=None)
    log: pd.DataFrame = field(compare=False, default_factory=_no_log)
    input: bytes = field(repr=False, compare=False, default=b"")
    output: bytes = field(repr=False, compare=False, default=b"")

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(f"chunk {self.number:,} of job {self.job_id}: {self._standing()}")
        yield Block.facts(self._facts())
        if self.timeline.bars:
            yield Block.value(self.timeline)
        if self.errors is not None and len(self.errors.errors):
            yield Block.value(self.errors)
        for name, data, key in (
            ("input", self.input, self.input_key),
            ("output", self.output, self.output_key),
        ):
            if name == "output" and self.status != workflow.SUCCEEDED:
                yield Block.line("output: none")
                continue
            lines = _first_lines(data)
            yield Block.line(
                f"{name}: {key}, {number_of(len(data), 'byte')}" + (":" if lines else "")
            )
            yield Block.facts(lines)
        if len(self.log):
            shown = self.log.tail(_LINES * 4)
            rows = [
                (f"{line.time:%H:%M:%S.%f}"[:-3], line.function, line.level, str(line.message))
                for line in shown.itertuples()
            ]
            said = f"log, the last {len(shown):,} of {number_of(len(self.log), 'line')}"
            yield Block(f"{said}:")
            yield Block.table(("time", "function", "level", "message"), rows, folded=said)
        yield Block.facts(f"not read: {each}" for each in self.missing)

    def _standing(self) -> str:
        if not self.status:
            return "not started"
        took = "" if self.seconds is None else f" in {rough_duration(self.seconds)}"
        return f"{self.status}{took}, attempt {self.attempt}"

    def _facts(self) -> Iterator[str]:
        if self.first_row:
            yield f"rows {self.first_row:,} to {self.last_row:,} of the file"
        if self.rows is not None and self.valid is not None:
            yield (
                f"{number_of(self.rows, 'row')} = {self.valid:,} out + {self.rejected or 0:,} "
                "rejected"
            )
        if self.reason:
            yield f"failed in {self.failed_step or 'an unknown step'}: {self.reason}"


def _first_lines(data: bytes) -> list[str]:
    head = data[: 64 * 1024].removeprefix(csvtext.BOM).decode("utf-8", "backslashreplace")
    return [line.rstrip("\r") for line in head.split("\n")[:_LINES] if line.strip()]


def chunk_detail(job: JobRef, number: int) -> ChunkDetail:
    """Read all that belongs to one chunk of a job.

    Parameters
    ----------
    job
        The job, which has been split.
    number
        The chunk's number, from 1.

    Raises
    ------
    InputError
        If the job has no such chunk.
    JobNotFoundError, AwsError
    """
    entry = job.ledger_entry()
    if not 1 <= number <= entry.chunks:
        there = f"it has chunks 1 to {entry.chunks:,}" if entry.chunks else "it is not split yet"
        raise InputError(f"job {job.id} has no chunk {number}: {there}")
    found = ledger.chunk_entry(job.stack, job.id, number)
    missing: list[str] = []
    listed = _listed(job, entry, number)
    started = found is not None and bool(found.started)
    return ChunkDetail(
        job_id=job.id,
        number=number,
        status=found.status if found else "",
        attempt=found.attempt if found else 0,
        first_row=listed.first_row if listed else 0,
        last_row=listed.last_row if listed else 0,
        rows=found.rows if found else None,
        valid=found.valid if found else None,
        rejected=found.rejected if found else None,
        seconds=_seconds(found),
        failed_step=found.failed_step if found else "",
        reason=found.reason if found else "",
        input_key=keys.chunk(job.id, number),
        output_key=keys.output(job.id, number),
        rejects_key=keys.rejected_piece(job.id, number),
        timeline=Timeline.of(chunks_frame([found] if found else []), job_id=job.id),
        errors=_tried("errors", missing, None, lambda: _errors(job, number, listed)),
        log=_tried("log", missing, _no_log(), lambda: _log(job, found))
        if found and started
        else _no_log(),
        input=_tried("input", missing, b"", lambda: _input(job, entry, listed)),
        output=_tried("output", missing, b"", lambda: _output(job, entry, found)),
        missing=tuple(missing),
    )


def _tried(what: str, missing: list[str], otherwise: T, read: Callable[[], T]) -> T:
    """Return what can be read; note what cannot, such as what has expired."""
    try:
        return read()
    except BatchOpsError as error:
        missing.append(f"{what}: {error}")
        return otherwise


def _listed(job: JobRef, entry: JobEntry, number: int) -> ManifestChunk | None:
    chunks = read_manifest(job, entry) or ()
    return next((chunk for chunk in chunks if chunk.number == number), None)


def _seconds(found: ChunkEntry | None) -> float | None:
    if found is None or found.started is None or found.ended is None:
        return None
    return (found.ended - found.started).total_seconds()


def _errors(job: JobRef, number: int, listed: ManifestChunk | None) -> ErrorPage:
    rows = (listed.first_row, listed.last_row) if listed else (None, None)
    where = ledger.ErrorFilter(first_row=rows[0], last_row=rows[1], chunk=number)
    return error_page(job, where=where, lines=_ERRORS)


def _log(job: JobRef, found: ChunkEntry) -> pd.DataFrame:
    """Return what the functions of the chunk's steps logged for it in its last attempt."""
    import pandas as pd

    began = found.started or datetime.now(UTC)
    until = (found.ended or datetime.now(UTC)) + _MARGIN
    parts = []
    for step in workflow.CHUNK_STEPS:
        lines = function_logs(
            job.stack, step.function, since=began - _MARGIN, until=until, job=job.id
        )
        parts.append(lines.assign(function=pd.Series(step.function, lines.index, dtype="str")))
    lines = pd.concat(parts, ignore_index=True)
    own = lines[lines["chunk"] == found.number]
    return own.sort_values("time", kind="stable", ignore_index=True).tail(_LOG_LINES)


def _input(job: JobRef, entry: JobEntry, listed: ManifestChunk | None) -> bytes:
    if listed is None:
        return b""
    return read_piece(job, entry.bucket, listed.key, listed.version_id)


def _output(job: JobRef, entry: JobEntry, found: ChunkEntry | None) -> bytes:
    if found is None or "output" not in found.piece_versions:
        return b""
    version = found.piece_versions["output"]
    return read_piece(job, entry.bucket, keys.output(job.id, found.number), version)
