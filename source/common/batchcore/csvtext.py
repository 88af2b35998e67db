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

from batchcore import csvpatterns
from batchcore.errors import RecordTooLongError, UnterminatedQuoteError

# A chunk is held in memory whole by each function that works on it, and a record never spans two:
# a chunk ends with the record that takes it here, so it has less than twice as much.
MAX_CHUNK_BYTES = 16 * 1024 * 1024

BOM = b"\xef\xbb\xbf"

# A window of lines is looked at several times over: it should stay in the processor's cache.
_WINDOW_BYTES = 64 * 1024
# Records that are matched together in a burst, the most first.
_RUNS = (128, 16)
# After a window that cannot be taken as a whole, as many records pass before the next is tried.
_BURST = 1024

# csv refuses fields over 128 KiB unless told otherwise; the bound that counts is the chunk's.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True, slots=True)
class SplitChunk:
    """A run of records, exactly as they stand in the file, under the prefix asked for."""

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
    first_row, first_chunk
        The number of the first record of the bytes, and of the first chunk.
    part
        The bytes end somewhere in a file: a record that is still open there is a record, see
        `open_bytes`.

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
        first_row: int = 1,
        first_chunk: int = 1,
        part: bool = False,
    ) -> None:
        self.row = first_row  # the number of the next record in the file
        self.position = 0  # up to where the bytes are scanned, from their first on
        self.open_bytes = 0  # of a record that is still open at the end of a part
        self._blocks = iter(blocks)
        self._delimiter = delimiter
        self._record = csvpatterns.record_pattern(delimiter).match
        self._runs = [(size, csvpatterns.run_pattern(delimiter, size).match) for size in _RUNS]
        self._orderly = csvpatterns.orderly_pattern(delimiter).fullmatch
        self._chunk_rows = chunk_rows
        self._max_bytes = max_chunk_bytes
        self._part = part
        self._buffer = b""
        self._start = 0  # of the chunk under way, in the buffer
        self._at = 0  # up to where the buffer is scanned
        self._final = False
        self._chunk = first_chunk
        self._first_row = first_row  # of the chunk under way
        self._rows = 0
        self._record_bytes = 128.0  # running estimate

    def header(self) -> bytes:
        """Return the first record that is not blank, with its terminator and, if any, the BOM."""
        while len(self._buffer) < len(BOM) and not self._final:
            self._read()
        bom = BOM if self._buffer.startswith(BOM) else b""
        self._advance(len(bom), rows=0)
        self._begin_chunk()
        while not self._rows:
            if not self._scan_records(1) and not self._read():
                break
        header = self._buffer[self._start : self._at]
        self._begin_chunk()
        return bom + header if header else b""

    def rest_of_record(self) -> tuple[int, bool]:
        """Pass the rest of a record that is open, within quotes, where the bytes begin.

        Returns
        -------
        tuple
            Its length in bytes, and whether it ends there. One that does not is either open up to
            the end, or longer than a record may be.
        """
        match = csvpatterns.record_pattern(self._delimiter, open_at_start=True).match
        while True:
            end = self._whole(match(self._buffer))
            if end:
                self._advance(end, rows=0)
                self._begin_chunk()
                return end, True
            if len(self._buffer) > self._max_bytes or not self._read():
                return len(self._buffer), False

    def chunks(self, *, prefix: bytes = b"") -> Iterator[SplitChunk]:
        """Yield the chunks in order; blank lines in front of a chunk belong to none.

        Parameters
        ----------
        prefix
            What each chunk's data begins with, such as the header. Put there at once, because
            whoever put it there later would hold the data twice.
        """
        while True:
            while not self._full() and (self._scan_window() or self._scan_records(_BURST)):
                pass
            if self._full() or (self._rows and self._final):
                yield self._cut(prefix)
                self._chunk += 1
                self._begin_chunk()
            elif not self._read():
                return

    def _cut(self, prefix: bytes) -> SplitChunk:
        data = b"".join((prefix, memoryview(self._buffer)[self._start : self._at]))
        return SplitChunk(self._chunk, self._first_row, self.row - 1, self._rows, data)

    def _full(self) -> bool:
        full = self._rows == self._chunk_rows or self._at - self._start >= self._max_bytes
        return full and self._rows > 0

    def _begin_chunk(self) -> None:
        self._start, self._first_row, self._rows = self._at, self.row, 0

    def _advance(self, end: int, *, rows: int, lines: int | None = None) -> None:
        """Take in records up to a place in the buffer."""
        self.position += end - self._at
        self._at = end
        self._rows += rows
        self.row += rows if lines is None else lines

    def _read(self) -> bool:
        """Append one block to what is not yet handed out; False at the end of the stream."""
        if self._final:
            return False
        block = next(self._blocks, None)
        if block is None:
            self._final = True  # which may complete a record
            return True
        self._buffer = self._buffer[self._start :] + block
        self._at -= self._start
        self._start = 0
        return True

    def _scan_window(self) -> bool:
        """Advance over many records at once; False if the next ones have to be looked at singly."""
        buffer, at = self._buffer, self._at
        want = self._chunk_rows - self._rows
        size = min(_WINDOW_BYTES, int(want * self._record_bytes) + 512)
        end = buffer.rfind(b"\n", at, min(at + size, self._start + self._max_bytes)) + 1
        window = buffer[at:end]
        if not window or csvpatterns.is_odd(window):
            return False
        all_lines = window.count(b"\n")
        if b'"' not in window:
            rows = lines = min(all_lines, want)
        elif self._orderly(buffer, at, end):
            rows, lines = csvpatterns.count_lines(window, want)
        else:
            return False
        if not rows:
            return False
        if lines < all_lines:
            end -= len(window.split(b"\n", lines)[-1])
        self._record_bytes = (end - at) / rows
        self._advance(end, rows=rows)
        return True

    def _scan_records(self, most: int) -> int:
        """Advance over so many records at most, by patterns; return over how many."""
        done = 0
        while done < most and not self._full():
            found = self._scan_run(most - done) or self._scan_singly(min(most - done, _RUNS[-1]))
            if not found:
                break
            done += found
        return done

    def _scan_run(self, most: int) -> int:
        """Advance over a run of records, quotes honoured; 0 if there is something else in it."""
        most = min(most, self._chunk_rows - self._rows)
        for size, match in self._runs:
            if size <= most:
                found = match(self._buffer, self._at, self._start + self._max_bytes)
                if found is not None:
                    self._advance(found.end(), rows=size)
                    return size
        return 0

    def _scan_singly(self, most: int) -> int:
        """Advance over some records one by one, blank lines and lone CRs among them."""
        for done in range(most):
            at, buffer = self._at, self._buffer
            if self._full() or at == len(buffer):
                return done
            end = self._whole(self._record(buffer, at))
            if (end or len(buffer)) - at > self._max_bytes:
                raise record_too_long(self.row, self._max_bytes)
            if not end and not self._final:
                return done
            if not end and not self._part:
                raise unterminated_quote(self.row)
            if not end:
                end, self.open_bytes = len(buffer), len(buffer) - at
            blank = buffer[at] in b"\r\n"
            self._advance(end, rows=not blank, lines=1)
            if not self._rows:
                self._begin_chunk()
        return most

    def _whole(self, found: re.Match[bytes] | None) -> int:
        """Return where a record ends; 0 if its rest, or the LF of its CRLF, is still to come."""
        if found is None:
            return 0
        end = found.end()
        complete = end < len(self._buffer) or self._final or self._buffer.endswith(b"\n")
        return end if complete else 0


def unterminated_quote(row: int) -> UnterminatedQuoteError:
    """Return the error of a record whose quoted field is open at the end of the file."""
    return UnterminatedQuoteError(
        f"the record in row {row} has a quoted field that is still open at the end of the file: "
        "close the quote, or double it if it is meant as a character"
    )


def record_too_long(row: int, max_bytes: int) -> RecordTooLongError:
    """Return the error of a record that is longer than a chunk may be."""
    return RecordTooLongError(
        f"the record in row {row} is longer than {max_bytes:,} bytes; most often a quote is opened "
        "there and never closed"
    )


def iter_records(data: bytes, *, delimiter: str) -> Iterator[bytes]:
    """Yield the records of `data` with their terminators, blank lines included."""
    if b'"' not in data:
        yield from data.splitlines(keepends=True)
        return
    match = csvpatterns.record_pattern(delimiter).match
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
