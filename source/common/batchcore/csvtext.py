"""Split CSV into records and chunks as bytes, without changing any of them.

The rules are those of Python's `csv` in its default dialect: a quote opens a quoted field only if
it is the field's first character, a doubled quote stands for one quote, text between the closing
quote and the next delimiter belongs to the field, and a record ends at an LF, CRLF or lone CR
outside quotes. `batchcore.quoting` finds the records with such text, which are rejected.
"""

import csv
import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from batchcore import csvpatterns
from batchcore.errors import RecordTooLongError, UnterminatedQuoteError
from batchcore.texts import number_of

# Each function that works on a chunk holds all of it in memory, and a record never spans two
# chunks. A chunk ends with the record that reaches this size, so it has less than twice as much.
MAX_CHUNK_BYTES = 16 * 1024 * 1024

BOM = b"\xef\xbb\xbf"

# A window of lines is scanned several times, so it should fit into the processor's cache.
_WINDOW_BYTES = 64 * 1024
_FEW_BYTES = 64
# Numbers of records that are matched together, the largest first.
_RUNS = (128, 16)
# After a window that cannot be scanned as a whole, this many records are scanned in smaller runs
# before the next window is tried.
_BURST = 1024

_CR_TO_LF = bytes.maketrans(b"\r", b"\n")

# By default csv refuses fields over 128 KiB; here only the chunk's size limits a field.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True, slots=True)
class SplitChunk:
    """Consecutive records of a file, byte for byte, after the requested prefix."""

    number: int
    first_row: int
    last_row: int
    rows: int
    data: bytes


class Splitter:
    """Splits a stream of bytes into the header and chunks of whole records.

    Parameters
    ----------
    blocks
        The file's bytes, in blocks of any size.
    delimiter
        One ASCII character.
    chunk_rows
        Records per chunk, not counting blank lines. A chunk has fewer if it reaches
        `max_chunk_bytes` first.
    max_chunk_bytes
        A chunk ends with the record that reaches this size. Also the length of the longest record
        that is accepted.
    first_row, first_chunk
        The number of the first record in the bytes, and of the first chunk.
    part
        The bytes are part of a file and may end inside a record. Such a record counts as one; see
        `open_bytes`.

    Notes
    -----
    Memory is bounded by a few times `max_chunk_bytes` plus one block, whatever the file's size.
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
        self.row = first_row  # number of the next record in the file
        self.position = 0  # bytes scanned so far
        self.open_bytes = 0  # length of a record that is still open at the end of a part
        self.chunk_rows = chunk_rows  # may be changed until the chunks are cut
        self.found_header = b""  # also if it is then refused
        self._blocks = iter(blocks)
        self._use(delimiter)
        self._max_bytes = max_chunk_bytes
        self._part = part
        self._bom = b""
        self._buffer = b""
        self._start = 0  # where the current chunk starts in the buffer
        self._at = 0  # how far the buffer is scanned
        self._final = False
        self._chunk = first_chunk
        self._first_row = first_row  # of the current chunk
        self._rows = 0
        self._record_bytes = 128.0  # running estimate

    def _use(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self._record = csvpatterns.record_pattern(delimiter).match
        self._runs = [(size, csvpatterns.run_pattern(delimiter, size).match) for size in _RUNS]
        self._orderly = csvpatterns.orderly_pattern(delimiter).fullmatch

    def header(self) -> bytes:
        """Return the first record that is not blank, with its terminator and any BOM."""
        while len(self._buffer) < len(BOM) and not self._final:
            self._read()
        self._bom = BOM if self._buffer.startswith(BOM) else b""
        self._advance(len(self._bom), rows=0)
        self._begin_chunk()
        return self._scan_header()

    def header_again(self, delimiter: str) -> bytes:
        """Return the header as it is with another delimiter, which the chunks then have too.

        To be called after `header`, before anything else is scanned.
        """
        self._use(delimiter)
        self.row -= self._rows
        self._advance(self._start, rows=-self._rows, lines=0)
        return self._scan_header()

    def _scan_header(self) -> bytes:
        """Scan one record, which stays in the buffer until the chunks are cut."""
        while not self._rows:
            if not self._scan_records(1) and not self._read():
                break
        header = self._buffer[self._start : self._at]
        self.found_header = self._bom + header if header else b""
        return self.found_header

    def ahead(self, size: int) -> bytes:
        """Return the next bytes, at most `size`, without scanning them."""
        while len(self._buffer) - self._at < size and self._read():
            pass
        return self._buffer[self._at : self._at + size]

    def rest_of_record(self) -> tuple[int, bool]:
        """Skip the rest of a record whose quoted field is open where the bytes begin.

        Returns
        -------
        tuple
            The number of bytes skipped, and whether the record ended. If it did not, it is open at
            the end of the bytes, or longer than a record may be.
        """
        match = csvpatterns.record_pattern(self.delimiter, open_at_start=True).match
        while True:
            end = self._whole(match(self._buffer))
            if end:
                self._advance(end, rows=0)
                self._begin_chunk()
                return end, True
            if len(self._buffer) > self._max_bytes or not self._read():
                return len(self._buffer), False

    def chunks(self, *, prefix: bytes = b"") -> Iterator[SplitChunk]:
        """Yield the chunks in order. Blank lines before a chunk's first record are dropped.

        Parameters
        ----------
        prefix
            Bytes to put before each chunk's records, such as the header. Adding them here avoids a
            second copy of the data.
        """
        self._begin_chunk()
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
        full = self._rows == self.chunk_rows or self._at - self._start >= self._max_bytes
        return full and self._rows > 0

    def _begin_chunk(self) -> None:
        self._start, self._first_row, self._rows = self._at, self.row, 0

    def _advance(self, end: int, *, rows: int, lines: int | None = None) -> None:
        """Add the records up to a place in the buffer to the current chunk."""
        self.position += end - self._at
        self._at = end
        self._rows += rows
        self.row += rows if lines is None else lines

    def _read(self) -> bool:
        """Append one block to the buffer, without the chunks already yielded; False at the end."""
        if self._final:
            return False
        block = next(self._blocks, None)
        if block is None:
            self._final = True  # the end may complete a record
            return True
        self._buffer = self._buffer[self._start :] + block
        self._at -= self._start
        self._start = 0
        return True

    def _scan_window(self) -> bool:
        """Advance over many records at once; False if the next ones need a closer look."""
        at = self._at
        want = self.chunk_rows - self._rows
        size = min(_WINDOW_BYTES, int(want * self._record_bytes) + 512)
        window = self._window(min(at + size, self._start + self._max_bytes))
        if not window:
            return False
        end, all_lines = at + len(window), window.count(b"\n")
        blank = csvpatterns.has_blank_lines(window)
        if blank and not self._rows:
            leading = len(window) - len(window.lstrip(b"\r\n"))
            if leading:
                self._advance(at + leading, rows=0, lines=window.count(b"\n", 0, leading))
                self._begin_chunk()
                return True
        if blank and not window.strip(b"\r\n"):
            self._advance(end, rows=0, lines=all_lines)
            self._record_bytes *= 2  # so that the next window is larger
            return True
        quoted = b'"' in window
        if quoted and not self._orderly(self._buffer, at, end):
            return False
        if quoted or blank:
            rows, blanks, lines = csvpatterns.count_lines(window, want, blank=blank)
        else:
            rows, blanks = min(all_lines, want), 0
            lines = rows
        if not lines:
            return False
        if lines < all_lines:
            end -= len(window.split(b"\n", lines)[-1])
        if rows:
            self._record_bytes = (end - at) / rows
        self._advance(end, rows=rows, lines=rows + blanks)
        return True

    def _window(self, limit: int) -> bytes:
        """Return the next whole lines up to a place in the buffer, all ended alike; or nothing."""
        buffer, at = self._buffer, self._at
        window = buffer[at : buffer.rfind(b"\n", at, limit) + 1]
        if window:
            return b"" if csvpatterns.has_lone_cr(window) else window
        # Lines that end in lone CRs are counted as if these were LFs.
        end = buffer.rfind(b"\r", at, limit) + 1
        alone = end and buffer[end : end + 1] not in (b"", b"\n")
        return buffer[at:end].translate(_CR_TO_LF) if alone else b""

    def _scan_records(self, most: int) -> int:
        """Advance over at most this many records, using patterns, and return their number."""
        done = 0
        while done < most and not self._full():
            found = self._scan_run(most - done) or self._scan_singly(min(most - done, _RUNS[-1]))
            if not found:
                break
            done += found
        return done

    def _scan_run(self, most: int) -> int:
        """Advance over a run of orderly records and return their number; 0 if there is none."""
        most = min(most, self.chunk_rows - self._rows)
        for size, match in self._runs:
            if size <= most:
                found = match(self._buffer, self._at, self._start + self._max_bytes)
                if found is not None:
                    self._advance(found.end(), rows=size)
                    return size
        return 0

    def _scan_singly(self, most: int) -> int:
        """Advance over records one by one, including blank lines and lone CRs."""
        for done in range(most):
            at, buffer = self._at, self._buffer
            if self._full() or at == len(buffer):
                return done
            if buffer[at] in b"\r\n":
                if not self._scan_blank_lines():
                    return done
                continue
            end = self._whole(self._record(buffer, at))
            if (end or len(buffer)) - at > self._max_bytes:
                raise record_too_long(self.row, self._max_bytes)
            if not end and not self._final:
                return done
            if not end and not self._part:
                raise unterminated_quote(self.row)
            if not end:
                end, self.open_bytes = len(buffer), len(buffer) - at
            self._advance(end, rows=1)
        return most

    def _scan_blank_lines(self) -> bool:
        """Advance over a run of blank lines; False if the LF of a CRLF may not be read yet."""
        buffer, at = self._buffer, self._at
        # Those after a record belong to its chunk, which ends with the line that fills it.
        limit = max(at + 1, self._start + self._max_bytes) if self._rows else len(buffer)
        end = at
        for size in (_FEW_BYTES, _WINDOW_BYTES):
            run = buffer[at : min(limit, at + size)]
            end = at + len(run) - len(run.lstrip(b"\r\n"))
            if end < at + len(run):
                break
        if buffer[end - 1 : end + 1] == b"\r\n":
            end += 1
        elif end == len(buffer) and buffer.endswith(b"\r") and not self._final:
            end -= 1
        if end == at:
            return False
        self._advance(end, rows=0, lines=csvpatterns.count_breaks(buffer[at:end]))
        if not self._rows:
            self._begin_chunk()
        return True

    def _whole(self, found: re.Match[bytes] | None) -> int:
        """Return where a record ends; 0 if more of it, or the LF of its CRLF, is not read yet."""
        if found is None:
            return 0
        end = found.end()
        complete = end < len(self._buffer) or self._final or self._buffer.endswith(b"\n")
        return end if complete else 0


def unterminated_quote(row: int) -> UnterminatedQuoteError:
    """Return the error for a record whose quoted field is open at the end of the file."""
    return UnterminatedQuoteError(
        f"the record in row {row} has a quoted field that is still open at the end of the file: "
        "close the quote, or double it if it is part of the text"
    )


def record_too_long(row: int, max_bytes: int) -> RecordTooLongError:
    """Return the error for a record that is longer than a chunk may be."""
    return RecordTooLongError(
        f"the record in row {row} is longer than {number_of(max_bytes, 'byte')}: most often a "
        "quote opens there and is never closed"
    )


def iter_records(data: bytes, *, delimiter: str) -> Iterator[bytes]:
    """Yield the records of `data` with their terminators, including blank lines."""
    lines = data.splitlines(keepends=True)
    match = csvpatterns.record_pattern(delimiter).match
    starts: list[int] = []
    done = 0
    for number in [number for number, line in enumerate(lines) if b'"' in line]:
        if number < done or match(lines[number]):
            continue
        # A quoted field goes on in the next lines.
        starts = starts or list(accumulate(map(len, lines), initial=0))
        found = match(data, starts[number])
        if found is None:
            raise UnterminatedQuoteError(
                f"the record at byte {starts[number]:,} has a quoted field that is still open at "
                "the end"
            )
        yield from lines[done:number]
        yield found[0]
        done = bisect_left(starts, found.end())
    yield from lines[done:]


def parse_row(text: str, *, delimiter: str) -> list[str]:
    """Return the fields of one record."""
    return next(csv.reader([text], delimiter=delimiter), [])


def line_end(record: bytes) -> bytes:
    """Return the line end of a record or header; empty if it has none."""
    return record[len(record.rstrip(b"\r\n")) :]


def is_blank(record: bytes) -> bool:
    """Return whether a record is an empty line."""
    return record in (b"\n", b"\r\n", b"\r", b"")
