"""Check fixed rows against their chunk, the schema and the reference data, before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from batchcore import csvtext, quoting, reference, workflow
from batchcore.chunk_rows import Record
from batchcore.dates import date_reader, is_date_format
from batchcore.intake import map_header
from batchcore.records import read_records, reject
from batchcore.schema import RecordSchema

from batchops.recovery.repair_changes import (
    FieldChange,
    changed_fields,
    objections_to,
    unaccepted,
)
from batchops.recovery.repair_rows import (
    ChunkText,
    EditedRow,
    StoredRow,
    both_values,
    is_untouched,
    join_fields,
    spoilt_fields,
    still_stray,
    undecodable,
)

# What becomes of a row: it will be accepted; it is not put in, because it looks like the damage of
# a spreadsheet; it would be rejected again; nobody changed it; it was put into its chunk before,
# which has not run since; it was accepted before. People and --json see these words.
FIXED = "fixed"
HELD = "held"
FAILING = "still failing"
UNCHANGED = "unchanged"
PATCHED = "waiting"
DONE = "done"


# Why a row that is not rejected cannot be repaired, by whether its chunk has run.
_NOT_REJECTED = {
    True: "was accepted",
    False: "is in a chunk that has not run: rerun the job first",
}
_REJECTED_ONLY = "a repair changes rejected rows only"


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """The outcome for one row; `rules` and `message` say why it fails, or what to know."""

    source_row: int
    chunk: int
    outcome: str
    rules: str = ""
    message: str = ""


@dataclass(frozen=True)
class CheckedRow:
    """A row with its outcome, its changed fields and, if it is fixed, its record and key.

    `refused` says why a row cannot be repaired at all; the outcome then means nothing.
    """

    outcome: RowOutcome
    record: bytes = b""
    key: str = ""
    refused: str = ""
    changes: tuple[FieldChange, ...] = ()


def check_rows(
    rows: Iterable[EditedRow],
    chunk: ChunkText,
    *,
    number: int,
    rejected: Collection[int],
    done: bool,
    schema: RecordSchema,
    delimiter: str,
    names: Sequence[str],
    accept: Collection[str] = (),
) -> list[CheckedRow]:
    """Return what becomes of each of the rows of one chunk.

    Parameters
    ----------
    number
        The chunk's.
    rejected
        Rows of the chunk that have errors.
    done
        Whether the chunk has run with the bytes that it has now.
    names
        The input's columns, each by a name of its own.
    accept
        The kinds of damage that are let through.
    """
    checker = _Checker(chunk, number, schema, delimiter, names, accept)
    return checker.check(rows, rejected=rejected, done=done)


@dataclass(frozen=True)
class _Checker:
    _chunk: ChunkText
    _number: int
    _schema: RecordSchema
    _delimiter: str
    _names: Sequence[str]
    _accept: Collection[str]

    def check(
        self, rows: Iterable[EditedRow], *, rejected: Collection[int], done: bool
    ) -> list[CheckedRow]:
        """Check rows; those that have to be read as the stack reads them are read together."""
        found: dict[EditedRow, CheckedRow | None] = {}
        untouched: list[tuple[EditedRow, StoredRow]] = []
        changed: list[tuple[EditedRow, StoredRow]] = []
        for row in rows:
            found[row] = None
            record = self._chunk.records.get(row.source_row, b"")
            if csvtext.is_blank(record):
                found[row] = self._refused(row, "is a blank line, or beyond the end of the file")
                continue
            stored = StoredRow(record, delimiter=self._delimiter)
            same, is_rejected = is_untouched(row, stored), row.source_row in rejected
            if same and done:
                found[row] = CheckedRow(self._outcome(row, UNCHANGED if is_rejected else DONE))
            elif same:
                untouched.append((row, stored))
            elif is_rejected:
                changed.append((row, stored))
            else:
                found[row] = self._refused(row, f"{_NOT_REJECTED[done]}; {_REJECTED_ONLY}")
        found |= self._judge_untouched(untouched)
        found |= self._judge(changed)
        return [checked for checked in found.values() if checked is not None]

    def _judge_untouched(
        self, rows: Sequence[tuple[EditedRow, StoredRow]]
    ) -> dict[EditedRow, CheckedRow]:
        """Judge rows of a chunk that has not run since it was patched, if it was."""
        records = self._read([stored.record for _, stored in rows])
        return {
            row: CheckedRow(
                self._outcome(row, UNCHANGED)
                if self._faults(record)
                else self._outcome(row, PATCHED, message="its chunk has not run since")
            )
            for (row, _), record in zip(rows, records, strict=True)
        }

    def _judge(self, rows: Sequence[tuple[EditedRow, StoredRow]]) -> dict[EditedRow, CheckedRow]:
        new = [
            join_fields(row.fields, like=stored.record, delimiter=self._delimiter)
            for row, stored in rows
        ]
        before, after = self._read([stored.record for _, stored in rows]), self._read(new)
        judged = zip(rows, before, new, after, strict=True)
        return {
            row: self._judge_row(row, stored, old, written, record)
            for (row, stored), old, written, record in judged
        }

    def _judge_row(
        self, row: EditedRow, stored: StoredRow, old: Record, written: bytes, record: Record
    ) -> CheckedRow:
        faults = self._faults(record) + self._hidden(row, stored)
        if still_stray(row, stored):
            faults.append(
                ("quoting", "still has text after a closing quote: write the field again")
            )
        changes = self._changes(row, stored, old)
        if faults:
            return CheckedRow(self._failing(row, faults), changes=changes)
        key = self._schema.key_of(record["fields"])
        if looks := unaccepted(changes, self._accept):
            held = self._outcome(row, HELD, message=f"looks like damage: {looks}")
            return CheckedRow(held, key=key, changes=changes)
        outcome = self._outcome(row, FIXED, message=self._to_know(row, stored))
        return CheckedRow(outcome, written, key, changes=changes)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return map_header(self._chunk.header, self._schema, delimiter=self._delimiter)

    @cached_property
    def _columns(self) -> Mapping[int, str]:
        return {place: column for column, place in self._places.items()}

    def _changes(
        self, row: EditedRow, stored: StoredRow, record: Record
    ) -> tuple[FieldChange, ...]:
        return changed_fields(
            row.source_row,
            *both_values(row, stored),
            names=self._names,
            objections=objections_to(
                record,
                self._schema,
                places=self._places,
                fields=stored.shown,
                spoilt=spoilt_fields(stored),
            ),
            keeps_rules=self._keeps_rules,
            read_day=self._read_day,
        )

    def _keeps_rules(self, place: int, value: str) -> bool:
        """Return whether a value would keep the rules of the column at a place."""
        column = self._columns.get(place)
        return column is not None and not self._schema.column_violations(column, value)

    def _read_day(self, place: int, value: str) -> datetime | None:
        """Return the day that a value is in the format of the column at a place."""
        rules = self._schema.properties.get(self._columns.get(place, ""))
        date_format = rules.get("format", "") if isinstance(rules, dict) else ""
        date_format = "YYYY-MM-DD" if date_format == "date" else date_format
        return date_reader(date_format)(value) if is_date_format(date_format) else None

    def _read(self, raws: Sequence[bytes]) -> list[Record]:
        """Read records as the stack will, all at once."""
        header = self._chunk.header
        line_end = csvtext.line_end(header) or b"\n"
        # The last record of a file may lack its line end, and would run into the next one here.
        whole = (raw if raw.endswith((b"\n", b"\r")) else raw + line_end for raw in raws)
        data = header + b"".join(whole)
        return list(read_records(data, self._schema, delimiter=self._delimiter, first_row=1))

    def _faults(self, record: Record) -> list[tuple[str, str]]:
        if "errors" not in record:
            if self._schema.is_valid(record["fields"]):
                return []
            found = self._schema.violations(record["fields"])
            record = reject(record, stage=workflow.VALIDATE.name, key="", faults=found)
        return [(_rule(e["column"], e["rule"]), e["message"]) for e in record["errors"]]

    def _hidden(self, row: EditedRow, stored: StoredRow) -> list[tuple[str, str]]:
        """Return an error if fields would be written as they are shown, not as they were."""
        places = undecodable(row, stored)
        if not places:
            return []
        shown = ", ".join(repr(row.fields[place]) for place in places)
        return [("encoding", f"{shown} still holds bytes that are not UTF-8: write it again")]

    def _to_know(self, row: EditedRow, stored: StoredRow) -> str:
        """Return what a person should know of a row that would be accepted."""
        beyond = stored.fields[len(row.fields) :]
        shown = [field.encode("utf-8", "replace").decode() for field in beyond]
        notes = [f"drops what stood beyond the header's columns: {shown}"] if shown else []
        if stored.stray:
            text = stored.record.decode("utf-8", "replace")
            _, field = quoting.stray_field(text, delimiter=self._delimiter)
            notes.append(f"writes the row again, which had text after a closing quote: {field}")
        return "; ".join(notes)

    def _failing(self, row: EditedRow, faults: Sequence[tuple[str, str]]) -> RowOutcome:
        rules, messages = zip(*faults, strict=True)
        return replace(
            self._outcome(row, FAILING), rules="; ".join(rules), message="; ".join(messages)
        )

    def _refused(self, row: EditedRow, why: str) -> CheckedRow:
        return CheckedRow(self._outcome(row, UNCHANGED), refused=why)

    def _outcome(self, row: EditedRow, outcome: str, *, message: str = "") -> RowOutcome:
        return RowOutcome(row.source_row, self._number, outcome, message=message)


def _rule(column: str, rule: str) -> str:
    return f"{column}: {rule}" if column else rule


def hold_against_reference(
    rows: Iterable[CheckedRow], known: Collection[str], schema: RecordSchema
) -> list[CheckedRow]:
    """Return the rows; those whose key the reference data lacks have become failing."""
    found = []
    for row in rows:
        if not row.key or row.key in known:
            found.append(row)
            continue
        fault = reference.unknown_key(row.key, schema)
        error = reject({}, stage=workflow.ENRICH.name, key=row.key, faults=[fault])["errors"][0]
        outcome = replace(
            row.outcome,
            outcome=FAILING,
            rules=_rule(error["column"], error["rule"]),
            message=f"{error['message']}: {row.key}",
        )
        found.append(CheckedRow(outcome, changes=row.changes))
    return found


def patches_of(rows: Iterable[CheckedRow]) -> Mapping[int, Mapping[int, bytes]]:
    """Return the records to write, by chunk and row."""
    found: dict[int, dict[int, bytes]] = {}
    for row in rows:
        if row.record:
            found.setdefault(row.outcome.chunk, {})[row.outcome.source_row] = row.record
    return found
