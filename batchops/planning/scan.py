"""Read a file once, as the stack's functions will, and count what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, Any

from batchcore import csvtext, intake, items
from batchcore.errors import FileError
from batchcore.records import Record, RowWriter, read_records, reject
from batchcore.schema import RecordSchema, Violation
from batchcore.sizing import MAX_CHUNKS, too_many_chunks

from batchops.planning.findings import Refusal, RuleCount, Scan
from batchops.planning.workload import ENRICHMENT_COLUMN_BYTES, KEYS_PER_CALL, Workload

# Given the keys of some rows, returns those that the reference data has.
KnownKeys = Callable[[Sequence[str]], Collection[str]]

BLOCK_BYTES = 1024 * 1024

# Refusals of a first row that names nothing: what stands there may be somebody's data.
_NO_NAMES = frozenset({"NoHeaderError", "NotTextError"})

# What source/enrich-data says of a key that the reference data lacks.
UNKNOWN_KEY = "is not in the reference data"

_WRITE_UNIT_BYTES = 1024
# As long as the longest job id, for the size of an error's item; the times are of fixed length.
_SOME_JOB = "j" * 53
_SOME_TIME = "2026-11-23T06:00:00.000Z"
_SOME_TTL = 1_800_000_000


def scan_file(
    file: IO[bytes],
    *,
    schema: RecordSchema,
    delimiter: str,
    chunk_rows: int,
    known_keys: KnownKeys | None = None,
) -> Scan:
    """Read a file to its end in bounded memory, through the code that the functions run.

    Parameters
    ----------
    file
        The file, opened in binary mode; it is read from where it stands.
    known_keys
        Called once a chunk with its keys; without it no key counts as unknown.
    """
    counter = _Counter(schema, delimiter, chunk_rows, known_keys)
    refusal = None
    blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
    try:
        counter.count(counter.measure(blocks))
    except FileError as error:
        refusal = Refusal(type(error).__name__, str(error))
        # What the pass did not come to is still part of the file's size.
        for block in blocks:
            counter.size_bytes += len(block)
    return counter.result(refusal)


class _Splitter(csvtext.Splitter):
    """A splitter that remembers the header that it found, also where it is refused."""

    found = b""

    def header(self) -> bytes:
        self.found = super().header()
        return self.found


class _Counter:
    """The running counts of a pass; it holds one chunk at a time."""

    def __init__(
        self, schema: RecordSchema, delimiter: str, chunk_rows: int, known_keys: KnownKeys | None
    ) -> None:
        self.size_bytes = 0
        self._schema, self._delimiter, self._known_keys = schema, delimiter, known_keys
        self._writer = RowWriter(delimiter=delimiter)
        self._header = b""
        self._work = Workload(0, 0, 0, chunk_rows)
        self._rules: Counter[tuple[str, str, str]] = Counter()
        self._first: dict[tuple[str, str, str], tuple[int, str]] = {}
        self._blank_lines = 0

    def measure(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the blocks on and add up their sizes."""
        for block in blocks:
            self.size_bytes += len(block)
            yield block

    def count(self, blocks: Iterator[bytes]) -> None:
        """Take in the whole file.

        Raises
        ------
        FileError
            Whatever the split, or the reading of a chunk, would end the job with.
        """
        splitter = _Splitter(
            intake.check_text(blocks),
            delimiter=self._delimiter,
            chunk_rows=self._work.chunk_rows,
        )
        try:
            header = intake.read_header(splitter, self._schema, delimiter=self._delimiter)
        finally:
            self._header = splitter.found
        for chunk in splitter.chunks():
            self._count_chunk(chunk, header)
        if not self._work.rows:
            raise intake.no_rows()
        if self._work.chunks > MAX_CHUNKS:
            raise too_many_chunks(self._work.chunk_rows)

    def _count_chunk(self, chunk: csvtext.SplitChunk, header: bytes) -> None:
        records = read_records(
            header + chunk.data,
            self._schema,
            delimiter=self._delimiter,
            first_row=chunk.first_row,
        )
        good: dict[str, list[Record]] = {}
        bad: list[Record] = []
        good_bytes = 0
        for record in records:
            if "errors" in record:
                bad.append(record)
                continue
            fields = record["fields"]
            key = fields[self._schema.key]
            if self._schema.is_valid(fields):
                good.setdefault(key, []).append(record)
                good_bytes += len(record["raw"].encode())
            else:
                faults = self._schema.violations(fields)
                bad.append(reject(record, stage="validate", key=key, faults=faults))
        unknown = list(self._unknown(good))
        good_bytes -= sum(len(record["raw"].encode()) for record in unknown)
        self._add(chunk, keys=len(good), good_bytes=good_bytes, bad=bad + unknown)

    def _unknown(self, good: dict[str, list[Record]]) -> Iterator[Record]:
        if self._known_keys is None or not good:
            return
        known = set(self._known_keys(sorted(good)))
        for key, records in good.items():
            if key not in known:
                fault = Violation(self._schema.key, "reference", key, "", UNKNOWN_KEY)
                for record in records:
                    yield reject(record, stage="enrich", key=key, faults=[fault])

    def _add(
        self, chunk: csvtext.SplitChunk, *, keys: int, good_bytes: int, bad: list[Record]
    ) -> None:
        for record in sorted(bad, key=lambda record: record["row"]):
            self._note(record)
        work = self._work
        enrichment = ENRICHMENT_COLUMN_BYTES * len(self._schema.enrichment)
        output = good_bytes + enrichment * (chunk.rows - len(bad))
        error_items = [item for record in bad for item in _error_items(record)]
        self._work = replace(
            work,
            rows=work.rows + chunk.rows,
            chunks=work.chunks + 1,
            rejected=work.rejected + len(bad),
            errors=work.errors + len(error_items),
            error_writes=work.error_writes + sum(map(write_units, error_items)),
            keys=work.keys + keys,
            api_calls=work.api_calls - (-keys // KEYS_PER_CALL),
            output_bytes=work.output_bytes + output,
            rejects_bytes=work.rejects_bytes + sum(len(self._writer.rejected(r)) for r in bad),
            reject_pieces=work.reject_pieces + bool(bad),
            largest_chunk_bytes=max(work.largest_chunk_bytes, len(chunk.data)),
        )
        body = chunk.data.rstrip(b"\r\n")
        # The first line end belongs to the last record; what comes after it are blank lines.
        trailing = max(0, len(chunk.data[len(body) :].splitlines()) - 1)
        self._blank_lines = chunk.last_row - trailing - 1 - self._work.rows

    def _note(self, record: Record) -> None:
        broken: dict[tuple[str, str, str], str] = {}
        for error in record["errors"]:
            rule = (error["stage"], error["column"], error["rule"])
            broken.setdefault(rule, error["message"])
        for rule, message in broken.items():
            self._rules[rule] += 1
            self._first.setdefault(rule, (record["row"], message))

    def result(self, refusal: Refusal | None) -> Scan:
        """Return what was counted."""
        names: tuple[str, ...] = ()
        if refusal is None or refusal.error not in _NO_NAMES:
            text = self._header.removeprefix(csvtext.BOM).decode("utf-8", "backslashreplace")
            names = tuple(n.strip() for n in csvtext.parse_row(text, delimiter=self._delimiter))
        required = self._schema.required if names else ()
        return Scan(
            work=replace(self._work, size_bytes=self.size_bytes),
            columns=names,
            missing=tuple(column for column in required if column not in names),
            extra=tuple(name for name in names if name not in self._schema.columns),
            blank_lines=self._blank_lines,
            rules=tuple(
                RuleCount(*rule, rows, *self._first[rule])
                for rule, rows in self._rules.most_common()
            ),
            refusal=refusal,
            keys_checked=self._known_keys is not None,
        )


def _error_items(record: Record) -> Iterator[items.Item]:
    return items.error_items(
        record, job=_SOME_JOB, chunk=1, attempt=1, time=_SOME_TIME, ttl=_SOME_TTL
    )


def write_units(item: dict[str, dict[str, Any]]) -> int:
    """Return the write units of an item: its names and values in KB, rounded up."""
    size = sum(
        len(name.encode()) + len(value.encode())
        for name, attribute in item.items()
        for value in attribute.values()
    )
    return -(-size // _WRITE_UNIT_BYTES)
