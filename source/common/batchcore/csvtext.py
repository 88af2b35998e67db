"""CSV at the level of bytes: where records end, and which bytes are whose.

The rules are those of Python's `csv` in its default dialect: a quote opens a quoted field only
as the field's first character, a doubled quote stands for one, whatever follows the closing quote
up to the delimiter belongs to the field, and a record ends at LF, CRLF or a lone CR outside quotes.
"""

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from batchcore.errors import RecordTooLongError, UnterminatedQuoteError

# A chunk is held in memory whole by each function that works on it, and a record never spans two:
# a chunk ends with the record that takes it here, so it has less than twice as much.
MAX_CHUNK_BYTES = 16 * 1024 * 1024

BOM = b"\xef\xbb\xbf"

# Regex matching is fast enough for a burst, and after it the cheaper search is tried again.
_BURST = 256

# csv refuses fields over 128 KiB unless told otherwise; the bound that counts is the chunk's.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


def record_pattern(delimiter: str) -> re.Pattern[bytes]:
    """Return a pattern that matches one whole record with its terminator.

    No match means that a quoted field is still open at the end of the data. Every repetition is
    possessive, so a match never backtracks and time is linear in the record's length.
    """
    d = re.escape(delimiter).encode()
    quoted = rb'"[^"]*+(?:""[^"]*+)*+"[^' + d + rb"\r\n]*+"
    plain = rb'[^"' + d + rb"\r\n][^" + d + rb"\r\n]*+"
    field = rb"(?:" + quoted + rb"|" + plain + rb"|)"
    return re.compile(field + rb"(?:" + d + field + rb")*+(?:\r\n|\n|\r|\Z)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of records, exactly as they stand in the file."""

    number: int
    first_row: int
    last_row: int
    rows: int
    data: bytes


class Splitter:
    """Splits a stream of bytes into its header and chunks of whole records.

    Parameters
    ----------
    blocks
        The file's bytes in any portions.
    delimiter
        One ASCII character.
    chunk_rows
        Records a chunk, blank lines not counted; a chunk ends earlier at `max_chunk_bytes`.
    max_chunk_bytes
        A chunk ends with the record that takes it there; and the longest record that is accepted.

    Notes
    -----
    Memory is bounded by a few times `max_chunk_bytes` and one block, whatever the file's size.
    Blank lines between records stay in the chunk's bytes, because a record's number counts them.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        *,
        delimiter: str,
        chunk_rows: int,
        max_chunk_bytes: int = MAX_CHUNK_BYTES,
    ) -> None:
        self._blocks = iter(blocks)
        self._record = record_pattern(delimiter)
        self._chunk_rows = chunk_rows
        self._max_bytes = max_chunk_bytes
        self._buffer = b""
        self._start = 0  # of the chunk under way, in the buffer
        self._position = 0  # up to where the buffer is scanned
        self._quote = 0  # the first quote at or after the position, or the buffer's length
        self._final = False
        self._row = 1  # the number of the next record in the file, the first being 1
        self._bom = b""
        self._record_bytes = 128.0  # running estimate

    def header(self) -> bytes:
        """Return the first record that is not blank, with its terminator and, if any, the BOM."""
        while len(self._buffer) < len(BOM) and not self._final:
            self._read()
        if self._buffer.startswith(BOM):
            self._bom, self._buffer = BOM, self._buffer[len(BOM) :]
        while not self._scan(1) and not self._final:
            self._start = self._position
            self._read()
        # Blank lines in front of the header are counted but not part of it.
        header = self._buffer[self._start : self._position].lstrip(b"\r\n")
        self._start = self._position
        return self._bom + header if header else b""

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks in order; blank lines in front of a chunk belong to none."""
        number = rows = 0
        first_row = self._row
        while True:
            rows += self._scan(self._chunk_rows - rows)
            if not rows:
                self._start, first_row = self._position, self._row
            full = rows == self._chunk_rows or self._position - self._start >= self._max_bytes
            if rows and (full or self._final):
                number += 1
                whole = self._buffer[self._start : self._position]
                data = whole.lstrip(b"\r\n")
                blank = len(whole[: len(whole) - len(data)].splitlines())
                yield Chunk(number, first_row + blank, self._row - 1, rows, data)
                self._start, rows, first_row = self._position, 0, self._row
            elif self._final:
                return
            else:
                self._read()

    def _read(self) -> None:
        """Append one block to what is not yet handed out; at the end of the stream say so."""
        if len(self._buffer) - self._position > self._max_bytes:
            raise RecordTooLongError(
                f"the record in row {self._row} is longer than {self._max_bytes:,} bytes; most "
                "often a quote is opened there and never closed"
            )
        block = next(self._blocks, None)
        if block is None:
            self._final = True
            return
        self._buffer = self._buffer[self._start :] + block
        self._position -= self._start
        self._start = 0
        self._quote = self._position

    def _scan(self, want: int) -> int:
        """Advance over at most `want` records that are complete in the buffer; return how many."""
        rows = 0
        while rows < want and self._position - self._start < self._max_bytes:
            found, progressed = self._scan_plain(want - rows)
            rows += found
            if progressed:
                continue
            found, progressed = self._scan_quoted(want - rows)
            rows += found
            if not progressed:
                break
        return rows

    def _scan_plain(self, want: int) -> tuple[int, bool]:
        """Advance over lines before the next quote, many at a time."""
        buffer, position = self._buffer, self._position
        if self._quote <= position:
            found = buffer.find(b'"', position)
            self._quote = found if found >= 0 else len(buffer)
        window_end = min(
            self._quote,
            self._start + self._max_bytes,
            position + int(want * self._record_bytes) + 512,
        )
        end = buffer.rfind(b"\n", position, window_end) + 1
        if end <= position:
            return 0, False
        window = buffer[position:end]
        if _is_odd(window):
            return 0, False
        lines = window.count(b"\n")
        if lines > want:
            end -= len(window.split(b"\n", want)[-1])
            lines = want
        self._record_bytes = (end - position) / lines
        self._position = end
        self._row += lines
        return lines, True

    def _scan_quoted(self, want: int) -> tuple[int, bool]:
        """Advance over records one by one, quotes, blank lines and lone CRs honoured."""
        buffer, start = self._buffer, self._position
        position, rows = start, 0
        match = self._record.match
        for _ in range(_BURST):
            if rows == want or position == len(buffer):
                break
            found = match(buffer, position)
            if found is None:
                if self._final:
                    raise UnterminatedQuoteError(
                        f"the record in row {self._row} has a quoted field that is still open at "
                        "the end of the file: close the quote, or double it if it is meant "
                        "as a character"
                    )
                break
            end = found.end()
            if end == len(buffer) and not self._final and buffer[-1] != 0x0A:
                break  # the rest of the record, or the LF of its CRLF, is still to come
            rows += buffer[position] not in b"\r\n"
            self._row += 1
            position = end
        self._position = position
        return rows, position > start


def _is_odd(window: bytes) -> bool:
    """Tell whether lines and records may differ: blank lines, or CRs outside a CRLF."""
    if window[0] in b"\r\n" or b"\n\n" in window:
        return True
    if b"\r" not in window:
        return False
    return b"\n\r\n" in window or window.count(b"\r") != window.count(b"\r\n")


def iter_records(data: bytes, *, delimiter: str) -> Iterator[bytes]:
    """Yield the records of `data` with their terminators, blank lines included."""
    if b'"' not in data:
        yield from data.splitlines(keepends=True)
        return
    match = record_pattern(delimiter).match
    position = skip_to = 0
    for line in data.splitlines(keepends=True):
        start, position = position, position + len(line)
        if start < skip_to:
            continue
        if b'"' not in line:
            yield line
            continue
        found = match(data, start)
        if found is None:
            raise UnterminatedQuoteError(
                f"a quoted field is still open at the end (byte {start:,})"
            )
        skip_to = found.end()
        yield data[start:skip_to]


def parse_row(text: str, *, delimiter: str) -> list[str]:
    """Return the fields of one record."""
    return next(csv.reader([text], delimiter=delimiter), [])


def is_blank(record: bytes) -> bool:
    """Tell whether a record is an empty line."""
    return record in (b"\n", b"\r\n", b"\r", b"")
