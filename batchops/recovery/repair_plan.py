"""What a repair would do: which rows it fixes, which would still fail, which chunks run."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import reference, workflow
from batchcore.errors import SchemaError
from batchcore.records import REJECT_COLUMNS
from batchcore.schema import RecordSchema
from batchcore.schema_check import load_checked

from batchops.core import ledger
from batchops.core.column_names import input_columns, result_columns
from batchops.core.error_objects import error_pieces, rejected_rows
from batchops.core.errors import InputError, JobError
from batchops.core.ledger.lookups import look_up
from batchops.core.manifest import read_piece, require_manifest
from batchops.deployment.deployed import deployed_schema
from batchops.recovery.attempts import last_attempt
from batchops.recovery.damage import KINDS
from batchops.recovery.repair_changes import (
    FieldChange,
    change_blocks,
    changes_frame,
    check_kinds,
    count_kinds,
)
from batchops.recovery.repair_check import (
    DONE,
    FAILING,
    FIXED,
    HELD,
    PATCHED,
    UNCHANGED,
    CheckedRow,
    RowOutcome,
    check_rows,
    hold_against_reference,
    patches_of,
)
from batchops.recovery.repair_rows import (
    ChunkText,
    EditedRow,
    listed,
    read_edited,
)
from batchops.recovery.rerun_plan import RerunPlan, plan_chunks
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry
    from batchops.core.manifest import ManifestChunk

_SHOWN_ROWS = 20
_COLUMNS = ("source_row", "chunk", "outcome", "rules", "message")
_WORKERS = 8
(_KEY,) = reference.table_key("")  # a reserved word of DynamoDB, so it is named


@dataclass(frozen=True)
class RepairPlan(Shown):
    """What a repair would do, or, once `started`, what it does.

    Attributes
    ----------
    job_id : str
        The job.
    rows : tuple of RowOutcome
        Every row that was given, in the order of the file.
    checked_against : str
        Which schema the rows were held against, and that their keys were looked up.
    changes : tuple of FieldChange
        Every field of these rows that differs from the job's, row by row.
    accepted : tuple of str
        The kinds of damage that are let through.
    rerun : RerunPlan
        The rerun of the chunks that have fixed rows.
    patches : mapping
        Chunk number -> row -> the record's new bytes.
    """

    job_id: str
    rows: tuple[RowOutcome, ...]
    checked_against: str
    changes: tuple[FieldChange, ...]
    accepted: tuple[str, ...]
    rerun: RerunPlan
    patches: Mapping[int, Mapping[int, bytes]] = field(repr=False)

    _also_in_json = ("needed", "started", "fixed", "held", "failing", "damage")

    @property
    def started(self) -> bool:
        """Whether the rows were patched and the rerun was started."""
        return self.rerun.started

    @property
    def needed(self) -> bool:
        """Whether there is anything to patch or to run."""
        return any(row.outcome in (FIXED, PATCHED) for row in self.rows)

    @property
    def fixed(self) -> tuple[int, ...]:
        """The rows that are fixed, and will be accepted."""
        return self._rows(FIXED, PATCHED)

    @property
    def held(self) -> tuple[int, ...]:
        """The rows that are not put in, because they look damaged in a way not accepted."""
        return self._rows(HELD)

    @property
    def damage(self) -> dict[str, int]:
        """Kind of damage -> how many fields look like it, accepted or not."""
        return count_kinds(self.changes)

    @property
    def failing(self) -> tuple[int, ...]:
        """The rows that were changed and would still be rejected; they are left as they were."""
        return self._rows(FAILING)

    @property
    def unchanged(self) -> tuple[int, ...]:
        """The rejected rows that nobody changed."""
        return self._rows(UNCHANGED)

    def _rows(self, *outcomes: str) -> tuple[int, ...]:
        return tuple(row.source_row for row in self.rows if row.outcome in outcomes)

    def frame(self) -> pd.DataFrame:
        """Return the rows.

        Returns
        -------
        DataFrame
            One line a row that was given: ``source_row``, ``chunk`` (int64), ``outcome`` (fixed,
            held: looks like damage that is not accepted, still failing, unchanged, waiting: in its
            chunk, which has not run since; done: got through before), ``rules``, ``message`` (str,
            empty where there is nothing to say).
        """
        import pandas as pd

        values = {name: [getattr(row, name) for row in self.rows] for name in _COLUMNS}
        dtypes = {name: "int64" if name in ("source_row", "chunk") else "str" for name in _COLUMNS}
        return pd.DataFrame({n: pd.Series(values[n], dtype=dtypes[n]) for n in _COLUMNS})

    def changes_frame(self) -> pd.DataFrame:
        """Return the fields that differ from the job's.

        Returns
        -------
        DataFrame
            One line a field, row by row: ``source_row`` (int64), ``column``, ``before``, ``after``,
            ``rules`` (those that the value broke, empty where no rule objected to it), ``damage``
            (the kinds that the change looks like, joined with ``; ``) (str).
        """
        return changes_frame(self.changes)

    def _blocks(self) -> Iterator[Block]:
        counts = Counter(row.outcome for row in self.rows)
        outcomes = (FIXED, HELD, PATCHED, FAILING, UNCHANGED, DONE)
        what = ", ".join(f"{counts[name]:,} {name}" for name in outcomes if counts[name])
        yield Block.line(
            f"repair of job {self.job_id}: {what or 'no rows'}; checked against "
            f"{self.checked_against}"
        )
        told = [row for row in self.rows if row.message]
        shown = told[:_SHOWN_ROWS]
        lines = [f"  row {row.source_row} is {row.outcome}: {row.message}" for row in shown]
        cells = [[getattr(row, name) for name in _COLUMNS] for row in shown]
        yield Block.table(("row", *_COLUMNS[1:]), cells, lines=lines)
        if len(told) > len(shown):
            yield Block.facts([f"and {len(told) - len(shown):,} more such rows: see frame()"])
        yield from change_blocks(self.changes, accepted=self.accepted, held=len(self.held))
        if self.needed:
            yield Block.value(self.rerun)
        else:
            why = "no row can be put in" if self.held or self.failing else "nothing to repair"
            yield Block.facts([f"{why}, so nothing is started"])


def plan_repair(
    job: JobRef,
    source: pd.DataFrame | str | Path | bytes,
    *,
    schema: str | Path | None = None,
    accept: Collection[str] = (),
    on_read: Callable[[int], None] = lambda _: None,
) -> RepairPlan:
    """Check fixed rows against the schema and the reference data, and change nothing.

    Parameters
    ----------
    source
        The DataFrame that ``job.rejects()`` gave, edited, or the edited rejects as a file (CSV, CSV
        for spreadsheets, workbook), by its path or its bytes. A row's number in ``source_row`` says
        which it is; rows that are left out stay rejected, and so do those that nobody changed. The
        reasons are ignored. Of a row that had more fields than the header only those under the
        header are written.
    schema
        The schema file to check with; by default the deployed one, read from its layer.
    accept
        The kinds of damage to let through, see `batchops.recovery.damage.KINDS`. A row that looks
        damaged in another way is held: it stays rejected.
    on_read
        Called now and then with the number of rows checked so far.

    Raises
    ------
    JobNotFoundError, AwsError
    JobRunningError
        If the job has not ended.
    InputError
        If the rows cannot be read, some of them are not rejected rows of the job, or `accept` names
        no kind of damage.
    JobError
        If the job has no chunks to put rows into, or no longer.
    """
    accepted = check_kinds(accept)
    last = last_attempt(job)
    manifest = require_manifest(job, last.entry)
    columns = input_columns(job, last.entry)
    rows = read_edited(source, columns=columns, delimiter=last.entry.delimiter)
    checked_with, against = _schema(job, schema)
    names = result_columns(columns, REJECT_COLUMNS)[: len(columns)]
    checked = _check(
        job,
        last.entry,
        _by_chunk(job, rows, manifest),
        partial(check_rows, schema=checked_with, names=names, accept=accepted),
        on_read,
    )
    checked = hold_against_reference(checked, _known_keys(job, checked), checked_with)
    patches = patches_of(checked)
    named = {number: f"fixed rows: {len(records)}" for number, records in patches.items()}
    rerun = plan_chunks(job, last, manifest, named=named)
    if rerun.from_start:
        raise JobError(f"job {job.id}: {rerun.lost}; rerun all of it first", job_id=job.id)
    return RepairPlan(
        job_id=job.id,
        rows=tuple(row.outcome for row in checked),
        checked_against=against,
        changes=tuple(change for row in checked for change in row.changes),
        accepted=tuple(kind for kind in KINDS if kind in accepted),
        rerun=rerun,
        patches=patches,
    )


def read_chunk_text(job: JobRef, entry: JobEntry, chunk: ManifestChunk) -> ChunkText:
    """Return a chunk's records, as the version has them that the manifest names."""
    data = read_piece(job, entry.bucket, chunk.key, chunk.version_id)
    return ChunkText(data, delimiter=entry.delimiter, first_row=chunk.first_row)


def _schema(job: JobRef, given: str | Path | None) -> tuple[RecordSchema, str]:
    if given is None:
        return deployed_schema(job.stack), "the deployed schema and reference data"
    try:
        schema = load_checked(Path(given))
    except SchemaError as error:
        raise InputError(f"{error} (schema={str(given)!r})") from error
    outputs = job.stack.outputs  # those of earlier versions do not say it
    if "KeyColumn" in outputs and outputs.json_text("KeyColumn") != schema.key:
        raise InputError(
            f"the schema {given} looks up other keys than the deployed one, so the deployed "
            "reference data does not tell which rows it rejects: give a schema with the same "
            "x-key, or deploy it with its reference data, and rerun the job first"
        )
    return schema, f"the schema {given} and the deployed reference data"


def _by_chunk(
    job: JobRef, rows: Iterable[EditedRow], manifest: Sequence[ManifestChunk]
) -> list[tuple[ManifestChunk, list[EditedRow]]]:
    """Return the chunks that the rows lie in, in order, each with its rows.

    Raises
    ------
    InputError
        If a row lies in none.
    """
    starts = [chunk.first_row for chunk in manifest]
    found: dict[int, list[EditedRow]] = {}
    strays = []
    for row in sorted(rows):
        place = bisect_right(starts, row.source_row) - 1
        if place < 0 or row.source_row > manifest[place].last_row:
            strays.append(row.source_row)
        found.setdefault(place, []).append(row)
    if strays:
        raise InputError(f"job {job.id} has no such rows: {listed(strays)}")
    return [(manifest[place], within) for place, within in found.items()]


def _check(
    job: JobRef,
    entry: JobEntry,
    chunks: Sequence[tuple[ManifestChunk, list[EditedRow]]],
    check_chunk: Callable[..., list[CheckedRow]],
    on_read: Callable[[int], None],
) -> list[CheckedRow]:
    """Check the rows chunk by chunk with `check_rows`, a few chunks at a time.

    Raises
    ------
    InputError
        If rows are not such as a repair may change.
    """
    entries = list(job.chunk_entries())
    done = {each.number for each in entries if each.status == workflow.SUCCEEDED}
    pieces = error_pieces(entry, entries)

    def rejected(chunk: ManifestChunk) -> set[int]:
        if pieces is None:
            return ledger.rejected_rows(job.stack, job.id, chunk.first_row, chunk.last_row)
        piece = pieces.get(chunk.number)
        return set() if piece is None else rejected_rows(job, entry.bucket, piece)

    def check(work: tuple[ManifestChunk, list[EditedRow]]) -> list[CheckedRow]:
        chunk, rows = work
        return check_chunk(
            rows,
            read_chunk_text(job, entry, chunk),
            number=chunk.number,
            rejected=rejected(chunk),
            done=chunk.number in done,
            delimiter=entry.delimiter,
        )

    checked: list[CheckedRow] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for found in pool.map(check, chunks):
            checked += found
            on_read(len(checked))
    reasons: dict[str, list[int]] = {}
    for row in checked:
        if row.refused:
            reasons.setdefault(row.refused, []).append(row.outcome.source_row)
    if reasons:
        text = "; ".join(f"{listed(rows)}: {why}" for why, rows in reasons.items())
        raise InputError(f"job {job.id} cannot be repaired in these rows: {text}")
    return checked


def _known_keys(job: JobRef, rows: Iterable[CheckedRow]) -> set[str]:
    """Return those of the rows' keys that the deployed reference data has."""
    primary = [reference.table_key(key) for key in sorted({row.key for row in rows if row.key})]
    found = look_up(
        job.stack,
        job.stack.outputs["FinancialTableName"],
        primary,
        doing="looking keys up in the reference data",
        options={"ProjectionExpression": "#key", "ExpressionAttributeNames": {"#key": _KEY}},
    )
    return {item[_KEY] for item in found}
