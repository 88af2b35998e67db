"""What another record schema would do to existing rows, before it is deployed.

Both schemas are applied here, with the code that the functions run, so nothing is deployed or
written. The target is only asked for the keys of rows whose verdict changes: if the reference data
does not have its key, a row is rejected under either schema.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchcore import headers
from batchcore.chunk_rows import Record
from batchcore.errors import FileError, SchemaError
from batchcore.records import read_records
from batchcore.schema import RecordSchema, Violation
from batchcore.schema_check import check_schema, load_checked
from batchcore.texts import number_of
from batchcore.upload import Upload

from batchops.core.errors import InputError
from batchops.show.shown import Block, Shown, plain_values

if TYPE_CHECKING:
    import pandas as pd

    from batchops.planning.scan import KnownKeys

SchemaSource = Mapping[str, Any] | str | Path

# A chunk file with its header, and the row of its first record.
ChunkFile = tuple[bytes, int]

_BLOCK_BYTES = 1024 * 1024
_CHUNK_ROWS = 1_000
_DTYPES = {
    "source_row": "int64",
    "column": "str",
    "rule": "str",
    "value": "str",
    "message": "str",
    "raw": "str",
}
# The most lines that each list keeps; the counts are of all rows.
MAX_LINES = 10_000

_COUNTS = ("column", "rule", "now", "then")


@dataclass(frozen=True)
class WhatIf(Shown):
    """What another schema would do to the rows of a file or of a job.

    Attributes
    ----------
    name : str
        The job's id, or the file's name.
    rows : int
        All rows.
    newly_rejected, newly_accepted : int
        Rows whose verdict would change.
    rejected_by_both : int
        Rows that break rules of either schema, or whose key the reference data lacks where their
        verdict would change otherwise.
    rules : tuple of (str, str, int, int)
        Column, rule, and how many rows break it by the deployed schema and by the other, where
        these differ.
    rejected, accepted : DataFrame
        The first 10,000 lines on the newly rejected and the newly accepted rows, by row:
        ``source_row`` (int64), ``column``, ``rule``, ``value``, ``message`` (of the rule that would
        be broken, or is no longer), ``raw`` (str, the row's text).
    """

    name: str
    rows: int
    newly_rejected: int
    newly_accepted: int
    rejected_by_both: int
    rules: tuple[tuple[str, str, int, int], ...]
    rejected: pd.DataFrame = field(repr=False, compare=False)
    accepted: pd.DataFrame = field(repr=False, compare=False)

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(self._summary())
        lines = [
            f"  {column or 'the row'}: {rule}: {number_of(now, 'row')} now, {then:,} then"
            for column, rule, now, then in self.rules
        ]
        rows = [(c or "(row)", rule, f"{a:,}", f"{b:,}") for c, rule, a, b in self.rules]
        yield Block.table(_COUNTS, rows, lines=lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        rules = [dict(zip(_COUNTS, rule, strict=True)) for rule in self.rules]
        frames = {"rejected": plain_values(self.rejected), "accepted": plain_values(self.accepted)}
        return {**super().to_dict(), "rules": rules, **frames}

    def _summary(self) -> str:
        return (
            f"{self.name}, {number_of(self.rows, 'row')}: {self.newly_rejected:,} newly rejected, "
            f"{self.newly_accepted:,} newly accepted, {self.rejected_by_both:,} rejected by both"
        )


def load_schema(source: SchemaSource) -> RecordSchema:
    """Return a schema given as a document or as the path of its file.

    Raises
    ------
    InputError
    """
    try:
        if isinstance(source, Mapping):
            return check_schema(source)
        if not Path(source).exists():
            raise InputError(f"no schema file {source}: give the path of a JSON Schema")
        return load_checked(Path(source))
    except SchemaError as error:
        raise InputError(f"{error}: fix the schema that was given") from error


class FileChunks:
    """A file's content in chunks, as the split would cut them."""

    def __init__(self, upload: Upload, schema: RecordSchema) -> None:
        self._upload, self._schema, self._header = upload, schema, b""

    def __iter__(self) -> Iterator[ChunkFile]:
        """Yield the chunks.

        Raises
        ------
        FileError
            If the file is not acceptable as a whole.
        """
        header = self._read_header()
        for chunk in self._upload.splitter.chunks():
            yield header + chunk.data, chunk.first_row

    @property
    def delimiter(self) -> str:
        """The file's delimiter; reads the header, as iterating does."""
        self._read_header()
        return self._upload.splitter.delimiter

    def _read_header(self) -> bytes:
        self._header = self._header or self._upload.read_header(self._schema)
        return self._header


def chunk_files(
    file: IO[bytes], schema: RecordSchema, *, delimiter: str, name: str = "upload.csv"
) -> FileChunks:
    """Return a file's content in chunks.

    Parameters
    ----------
    delimiter
        The stack's; the file may have another.
    name
        The name that it is uploaded under, which tells whether it is packed.
    """
    blocks = iter(lambda: file.read(_BLOCK_BYTES), b"")
    upload = Upload(blocks, name=name, delimiter=delimiter, chunk_rows=_CHUNK_ROWS)
    return FileChunks(upload, schema)


def apply_schemas(
    chunks: Iterable[ChunkFile],
    *,
    name: str,
    now: RecordSchema,
    then: RecordSchema,
    delimiter: str,
    known_keys: KnownKeys,
) -> WhatIf:
    """Validate rows against two schemas, and return what differs.

    Parameters
    ----------
    chunks
        The rows.
    name
        The job's id, or the file's name.
    now, then
        The deployed schema and the other.
    known_keys
        Returns those of some keys that the reference data has.

    Raises
    ------
    InputError
        If either schema would refuse the file as a whole, or the other looks up another key or
        other columns: which keys its reference data has is not known here.
    """
    _check_look_up(now, then)
    comparer = _Comparer(now, then, delimiter, known_keys)
    try:
        for data, first_row in chunks:
            comparer.add(data, first_row)
    except FileError as error:
        raise refused(name, error) from error
    return comparer.result(name)


def refused(name: str, error: FileError) -> InputError:
    """Return the error for a file that a stack does not take."""
    return InputError(f"{name} would be refused as a whole: {error}")


def _check_look_up(now: RecordSchema, then: RecordSchema) -> None:
    """Refuse a schema that the deployed reference data says nothing about."""
    changes = []
    if then.key != now.key:
        keys = [repr(schema.key) if schema.looks_up else "missing" for schema in (then, now)]
        changes.append(f"x-key is {keys[0]} instead of {keys[1]}")
    more = sorted(set(then.enrichment) - set(now.enrichment))
    fewer = sorted(set(now.enrichment) - set(then.enrichment))
    if more:
        changes.append(f"x-enrichment has {headers.listed(more)} as well")
    if fewer:
        changes.append(f"x-enrichment lacks {headers.listed(fewer)}")
    if changes:
        raise InputError(
            f"cannot tell which rows would be rejected: {'; '.join(changes)}, so that this schema "
            "needs other reference data than is deployed. Keep both keys as they are to compare "
            "the rules of the columns, or deploy schema and reference data as another stack and "
            "plan the file there"
        )


class _Comparer:
    """The counts so far; it holds one chunk at a time, and the first lines of what changes."""

    def __init__(
        self, now: RecordSchema, then: RecordSchema, delimiter: str, known_keys: KnownKeys
    ) -> None:
        self._now, self._then, self._delimiter = now, then, delimiter
        self._known_keys = known_keys
        self._rows = self._both = 0
        self._counts = {"now": Counter[tuple[str, str]](), "then": Counter[tuple[str, str]]()}
        self._changed = {"rejected": 0, "accepted": 0}
        self._lines: dict[str, list[tuple[Any, ...]]] = {"rejected": [], "accepted": []}

    def add(self, data: bytes, first_row: int) -> None:
        """Compare the rows of a chunk."""
        options: dict[str, Any] = {"delimiter": self._delimiter, "first_row": first_row}
        changed: list[tuple[str, Record, list[Violation], str]] = []
        pairs = zip(
            read_records(data, self._now, **options),
            read_records(data, self._then, **options),
            strict=True,
        )
        for old, new in pairs:
            self._rows += 1
            if "errors" in old:  # of a wrong number of fields, or not UTF-8: no schema helps
                self._both += 1
                continue
            before = self._faults(self._now, old, "now")
            after = self._faults(self._then, new, "then")
            if before and after:
                self._both += 1
            elif before:
                changed.append(("accepted", new, before, self._then.key_of(new["fields"])))
            elif after:
                changed.append(("rejected", old, after, self._now.key_of(old["fields"])))
        self._judge(changed)

    def _faults(self, schema: RecordSchema, record: Record, side: str) -> list[Violation]:
        fields = record["fields"]
        found = [] if schema.is_valid(fields) else schema.violations(fields)
        self._counts[side].update({(fault.column, fault.rule) for fault in found})
        return found

    def _judge(self, changed: list[tuple[str, Record, list[Violation], str]]) -> None:
        if not changed:
            return
        wanted = sorted({key for *_, key in changed}) if self._now.looks_up else []
        known = set(self._known_keys(wanted)) if wanted else set()
        for verdict, record, faults, key in changed:
            if self._now.looks_up and key not in known:
                self._both += 1
                continue
            self._changed[verdict] += 1
            self._lines[verdict] += (
                (record["row"], f.column, f.rule, f.value, _message(f), record["raw"])
                for f in faults[: MAX_LINES - len(self._lines[verdict])]
            )

    def result(self, name: str) -> WhatIf:
        """Return what was found."""
        import pandas as pd

        now, then = self._counts["now"], self._counts["then"]
        frames = {
            verdict: pd.DataFrame(lines, columns=list(_DTYPES)).astype(_DTYPES)
            for verdict, lines in self._lines.items()
        }
        return WhatIf(
            name=name,
            rows=self._rows,
            newly_rejected=self._changed["rejected"],
            newly_accepted=self._changed["accepted"],
            rejected_by_both=self._both,
            rules=tuple(
                (*rule, now[rule], then[rule])
                for rule in sorted(now.keys() | then.keys())
                if now[rule] != then[rule]
            ),
            **frames,
        )


def _message(fault: Violation) -> str:
    return f"{fault.column or 'the row'} {fault.message}"
