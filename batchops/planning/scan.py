"""Read a file once, as the stack's functions will, and count what they would find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

from batchcore import csvtext, error_files, intake, items
from batchcore.chunk_rows import ChunkRows, Record
from batchcore.errors import FileError, TooManyChunksError
from batchcore.records import RowWriter, read_chunk, reject_invalid, reject_unknown
from batchcore.reference import KEYS_PER_CALL
from batchcore.schema import RecordSchema
from batchcore.sizing import MAX_CHUNKS, too_many_chunks
from batchcore.upload import Upload

from batchops.inspection.duplicates import Duplicates, KeyRows
from batchops.planning.workload import ENRICHMENT_COLUMN_BYTES, Workload

if TYPE_CHECKING:
    from batchops.deployment.settings import StackSettings

# Returns those of some keys that the reference data has.
KnownKeys = Callable[[Sequence[str]], Collection[str]]

BLOCK_BYTES = 1024 * 1024

# Refusals of a first row that is no header. It may be somebody's data, so it is not shown.
_NO_NAMES = frozenset({"NoHeaderError", "NotTextError"})

_WRITE_UNIT_BYTES = 1024
# For the size of an error's item: an id as long as the longest, and times, whose length is fixed.
_SOME_TIME = "2026-11-23T06:00:00.000Z"
_SOME_CHUNK: dict[str, Any] = {
    **{"job": "j" * 53, "chunk": 1, "attempt": 1},
    **{"time": _SOME_TIME, "ttl": 1_800_000_000},
}


@dataclass(frozen=True)
class RuleCount:
    """How many rows break one rule.

    Attributes
    ----------
    stage, column, rule : str
        As in `Job.errors`; the column is empty if the row as a whole breaks the rule.
    rows : int
        Rows that break it. A row that breaks several rules counts for each.
    source_row : int
        The first of them, the header being row 1.
    message : str
        The message that the stack will write for that row.
    value : str
        The value in that row.
    """

    stage: str
    column: str
    rule: str
    rows: int
    source_row: int
    message: str
    value: str = ""

    def __str__(self) -> str:
        """Return the rule in a line, without the message."""
        return (
            f"{self.rows:,} {self.stage}: {self.column or 'row'} {self.rule}, "
            f"first in row {self.source_row:,}"
        )


@dataclass(frozen=True)
class Refusal:
    """The error that a job would end with because the stack refuses its file."""

    error: str
    message: str

    def __str__(self) -> str:
        """Return the error and its message in one line."""
        return f"{self.error}: {self.message}"


@dataclass(frozen=True)
class Scan:
    """The findings of one pass over a file.

    Attributes
    ----------
    work : Workload
        The counts; for a refused file, up to the place where it is refused.
    columns : tuple of str
        The header's names, in the file's order.
    missing, extra : tuple of str
        Columns that the schema requires and the file does not have, and columns that the schema
        does not know.
    blank_lines : int
        Blank lines before the last row. They are skipped, but count in row numbers.
    rules : tuple of RuleCount
        The broken rules, the most frequent first.
    refusal : Refusal or None
        Why the file as a whole is not acceptable.
    keys_checked : bool
        Whether keys were looked up, so that unknown ones are among the broken rules; True if the
        schema has no look-up.
    header_warnings : tuple of str
        What may be wrong with a header that is accepted.
    delimiter : str
        The file's delimiter.
    packed : bool
        Whether it is a gzip file.
    duplicates : Duplicates or None
        Rows with the same key; None if the file is refused, or the schema has no key.
    """

    work: Workload
    columns: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    blank_lines: int
    rules: tuple[RuleCount, ...]
    refusal: Refusal | None
    keys_checked: bool
    header_warnings: tuple[str, ...]
    delimiter: str
    packed: bool
    duplicates: Duplicates | None


def scan_file(
    file: IO[bytes],
    *,
    schema: RecordSchema,
    settings: StackSettings,
    known_keys: KnownKeys | None = None,
    name: str = "upload.csv",
    size_bytes: int = 0,
) -> Scan:
    """Read a file to its end, in bounded memory, with the code that the functions run.

    Parameters
    ----------
    file
        The file, opened in binary mode; it is read from its position.
    schema, settings
        The stack's record schema, and how it is set up.
    known_keys
        Called once per chunk with its keys; without it, no key counts as unknown.
    name
        The name that it is uploaded under, which tells whether it is packed.
    size_bytes
        Its size, if the split is to choose the rows per chunk.
    """
    refusal = None
    blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
    with closing(_Counter(schema, settings, known_keys)) as counter:
        try:
            counter.count(counter.measure(blocks), name, size_bytes)
        except FileError as error:
            refusal = Refusal(type(error).__name__, str(error))
            # The rest of the file still counts for its size.
            for block in blocks:
                counter.size_bytes += len(block)
        return counter.result(refusal)


class _Counter:
    """The counts of a pass so far; it holds one chunk at a time."""

    def __init__(
        self, schema: RecordSchema, settings: StackSettings, known_keys: KnownKeys | None
    ) -> None:
        self.size_bytes = 0
        self._schema, self._delimiter = schema, settings.delimiter
        self._packed = False
        self._splitter: csvtext.Splitter | None = None
        self._known_keys = known_keys
        self._writer = RowWriter(delimiter=settings.delimiter)
        self._header = b""
        self._work = Workload(
            0, 0, 0, settings.chunk_rows, looks_up=schema.looks_up, settings=settings
        )
        self._rules: Counter[tuple[str, str, str]] = Counter()
        self._first: dict[tuple[str, str, str], tuple[int, str, str]] = {}
        self._blank_lines = 0
        self._keys = KeyRows(schema.key) if schema.key else None

    def close(self) -> None:
        """Remove what was kept on disk."""
        if self._keys is not None:
            self._keys.close()

    def measure(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the blocks on and add up their sizes."""
        for block in blocks:
            self.size_bytes += len(block)
            yield block

    def count(self, blocks: Iterator[bytes], name: str, size_bytes: int) -> None:
        """Count the whole file.

        Raises
        ------
        FileError
            The error with which the split or read-file would end the job.
        """
        settings = self._work.settings
        upload = Upload(
            blocks,
            name=name,
            delimiter=settings.delimiter,
            chunk_rows=settings.chunk_rows,
            size_bytes=size_bytes,
            input_format=settings.input_format,
        )
        try:
            header = upload.read_header(self._schema)
        finally:
            self._header, self._delimiter = upload.splitter.found_header, upload.splitter.delimiter
            self._packed = upload.packed
            self._splitter = upload.splitter
        self._work = replace(self._work, chunk_rows=upload.splitter.chunk_rows)
        self._writer = RowWriter(delimiter=self._delimiter)
        for chunk in upload.splitter.chunks():
            self._count_chunk(chunk, header)
        if not self._work.rows:
            raise intake.no_rows()
        if self._work.chunks > MAX_CHUNKS:
            raise too_many_chunks(self._work.chunk_rows)

    def _count_chunk(self, chunk: csvtext.SplitChunk, header: bytes) -> None:
        read = read_chunk(
            header + chunk.data,
            self._schema,
            delimiter=self._delimiter,
            first_row=chunk.first_row,
        )
        if self._keys is not None:
            self._keys.add(zip(read.rows, read.fields[self._schema.key], strict=True))
        good = reject_invalid(read, self._schema)
        keys: set[str] = set()
        if self._schema.looks_up:
            keys = set(good.keys or ())
            good = self._without_unknown(good, keys)
        good_bytes = len("".join(good.raw).encode())
        self._add(chunk, keys=len(keys), good_bytes=good_bytes, bad=good.rejected)

    def _without_unknown(self, good: ChunkRows, keys: set[str]) -> ChunkRows:
        if self._known_keys is None or not keys:
            return good
        return reject_unknown(good, set(self._known_keys(sorted(keys))), self._schema)

    def _add(
        self, chunk: csvtext.SplitChunk, *, keys: int, good_bytes: int, bad: Sequence[Record]
    ) -> None:
        for record in bad:
            self._note(record)
        work = self._work
        enrichment = ENRICHMENT_COLUMN_BYTES * len(self._schema.enrichment)
        output = good_bytes + enrichment * (chunk.rows - len(bad))
        units = [
            write_units(values)
            for record in bad
            for values in items.error_values(record, **_SOME_CHUNK)
        ]
        self._work = replace(
            work,
            rows=work.rows + chunk.rows,
            chunks=work.chunks + 1,
            rejected=work.rejected + len(bad),
            errors=work.errors + len(units),
            error_writes=work.error_writes + sum(units) + _ranges(bad),
            keys=work.keys + keys,
            api_calls=work.api_calls - (-keys // KEYS_PER_CALL),
            output_bytes=work.output_bytes + output,
            rejects_bytes=work.rejects_bytes + sum(len(self._writer.rejected(r)) for r in bad),
            errors_bytes=work.errors_bytes + _errors_bytes(bad, work.chunks + 1),
            reject_pieces=work.reject_pieces + bool(bad),
            largest_chunk_bytes=max(work.largest_chunk_bytes, len(chunk.data)),
        )
        body = chunk.data.rstrip(b"\r\n")
        # The first line end belongs to the last record; those after it are blank lines.
        trailing = max(0, len(chunk.data[len(body) :].splitlines()) - 1)
        self._blank_lines = chunk.last_row - trailing - 1 - self._work.rows

    def _note(self, record: Record) -> None:
        broken: dict[tuple[str, str, str], tuple[str, str]] = {}
        for error in record["errors"]:
            rule = (error["stage"], error["column"], error["rule"])
            broken.setdefault(rule, (error["message"], error["value"]))
        for rule, (message, value) in broken.items():
            self._rules[rule] += 1
            self._first.setdefault(rule, (record["row"], message, value))

    def result(self, refusal: Refusal | None) -> Scan:
        """Return what was counted."""
        names: tuple[str, ...] = ()
        if refusal is None or refusal.error not in _NO_NAMES:
            text = self._header.removeprefix(csvtext.BOM).decode("utf-8", "backslashreplace")
            names = tuple(n.strip() for n in csvtext.parse_row(text, delimiter=self._delimiter))
        required = self._schema.required if names else ()
        unpacked = self._splitter.position if self._packed and self._splitter else 0
        return Scan(
            work=replace(self._work, size_bytes=self.size_bytes, unpacked_bytes=unpacked),
            columns=names,
            missing=tuple(column for column in required if column not in names),
            extra=tuple(name for name in names if name not in self._schema.columns),
            blank_lines=self._blank_lines,
            rules=tuple(
                RuleCount(*rule, rows, *self._first[rule])
                for rule, rows in self._rules.most_common()
            ),
            refusal=refusal,
            keys_checked=self._known_keys is not None or not self._schema.looks_up,
            header_warnings=self._header_warnings(refusal),
            delimiter=self._delimiter,
            packed=self._packed,
            duplicates=self._keys.find() if self._keys and refusal is None else None,
        )

    def _header_warnings(self, refusal: Refusal | None) -> tuple[str, ...]:
        # Of a file that is refused, the refusal says what is wrong.
        if refusal is not None and refusal.error != TooManyChunksError.__name__:
            return ()
        found = intake.header_warnings(self._header, self._schema, delimiter=self._delimiter)
        return tuple(found.values())


def _ranges(bad: Sequence[Record]) -> int:
    """Return how many ranges of rows a chunk's errors are in, each of which is listed."""
    return len({items.range_of_row(record["row"]) for record in bad})


def _errors_bytes(bad: Sequence[Record], number: int) -> int:
    """Return how many bytes a chunk's piece of errors takes."""
    piece = error_files.format_piece(bad, chunk=number, attempt=1, time=_SOME_TIME)
    return len(piece.body)


def write_units(values: Mapping[str, str | int]) -> int:
    """Return the write units of an item with these values: names and values in KB, rounded up."""
    text = "".join([*values, *map(str, values.values())])
    return -(-len(text.encode()) // _WRITE_UNIT_BYTES)
