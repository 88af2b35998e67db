"""A large file in ranges that are split side by side, record for record as in one pass.

A range begins after the first LF at or after a multiple of its size. There, one of two things is
true: a record begins, or a quoted field goes on. So each range is surveyed under both hypotheses,
all of them side by side; then the surveys are put together from the first range to the last, since
what one ends with is what the next begins with; and then each range is cut, its first row and its
first chunk being known. The record that a range ends within belongs to it as a whole.

A file whose only line ends are lone CRs has no place to begin a range at: it is one range.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import tee
from typing import Any

from batchcore import csvtext
from batchcore.errors import RecordTooLongError
from batchcore.intake import no_rows
from batchcore.sizing import MAX_CHUNKS, too_many_chunks

# So many numbers, and what their children return, are a few KiB of the workflow's state.
MAX_RANGES = 1_000


@dataclass(frozen=True, slots=True)
class Survey:
    """What a range holds, if a record begins with it, or else if a quoted field goes on in it.

    Attributes
    ----------
    carried_bytes : int
        Of the record that is open where the range begins.
    closed : bool
        Whether that record ends in the range.
    rows : int
        Records that begin in the range after it, blank lines included.
    chunks : int
        Chunks that these are cut into.
    open_bytes : int
        Of the last of them, if it is still open where the range ends; otherwise 0.
    too_long : bool
        Whether the one that follows on the rows counted is longer than a record may be.
    """

    carried_bytes: int
    closed: bool
    rows: int
    chunks: int
    open_bytes: int
    too_long: bool


@dataclass(frozen=True, slots=True)
class RangeSurvey:
    """What a range holds: its bytes, and what they are under either hypothesis."""

    size_bytes: int
    at_record: Survey
    in_quotes: Survey

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RangeSurvey":
        """Take it from plain values."""
        surveys = (Survey(**values[name]) for name in ("at_record", "in_quotes"))
        return cls(values["size_bytes"], *surveys)


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes of a file that begin and end with records, and the numbers of their first ones."""

    start: int
    end: int
    first_row: int
    first_chunk: int
    chunks: int

    def to_dict(self) -> dict[str, int]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def range_starts(start: int, end: int, *, range_bytes: int) -> list[int]:
    """Return from where on each range looks for its first LF; the first one begins there itself.

    Parameters
    ----------
    start, end
        The bytes of the file behind its header.
    range_bytes
        As many bytes a range; more where there would be over `MAX_RANGES`.
    """
    size = max(range_bytes, -(-(end - start) // MAX_RANGES))
    return list(range(start, end, size))


def whole_lines(blocks: Iterable[bytes], *, first: bool, length: int) -> Iterator[bytes]:
    """Yield the bytes of a range, given the file's from the range's nominal start on.

    Parameters
    ----------
    first
        The range begins at once, not after the first LF.
    length
        Its nominal length: it ends with the first LF at or after that, or with the file.
    """
    offset = 0  # of the block
    for block in blocks:
        begin = 0
        if not first:
            begin = block.find(b"\n") + 1
            first = begin > 0
            if offset + (begin or len(block)) > length:
                return  # the next range begins at the same LF
        if first:
            end = block.find(b"\n", max(begin, length - offset)) + 1
            yield block[begin : end or None]
            if end:
                return
        offset += len(block)


def survey_range(
    blocks: Iterable[bytes],
    *,
    delimiter: str,
    chunk_rows: int,
    max_chunk_bytes: int = csvtext.MAX_CHUNK_BYTES,
) -> RangeSurvey:
    """Read the bytes of a range once and say what they are under either hypothesis.

    The one that has come less far goes on, so what is in memory is bounded as in a
    `batchcore.csvtext.Splitter`.
    """
    size = 0

    def measured() -> Iterator[bytes]:
        nonlocal size
        for block in blocks:
            size += len(block)
            yield block

    found: dict[bool, Survey] = {}
    under_way = [
        _Surveyor(part, open_at_start, delimiter, chunk_rows, max_chunk_bytes)
        for part, open_at_start in zip(tee(measured()), (False, True), strict=True)
    ]
    while under_way:
        behind = min(under_way, key=lambda surveyor: surveyor.position)
        if not behind.go_on():
            found[behind.open_at_start] = behind.result()
            under_way.remove(behind)  # or the blocks of the other would be kept for it
            del behind
    return RangeSurvey(size, found[False], found[True])


class _Surveyor:
    """Surveys a range under one hypothesis, a chunk at a time."""

    def __init__(
        self,
        blocks: Iterator[bytes],
        open_at_start: bool,
        delimiter: str,
        chunk_rows: int,
        max_chunk_bytes: int,
    ) -> None:
        self.open_at_start = open_at_start
        self._splitter = csvtext.Splitter(
            blocks,
            delimiter=delimiter,
            chunk_rows=chunk_rows,
            max_chunk_bytes=max_chunk_bytes,
            first_row=0,
            part=True,
        )
        self._chunks = None if open_at_start else self._splitter.chunks()
        self._carried, self._closed = 0, False
        self._number = 0
        self._too_long = False

    @property
    def position(self) -> int:
        """How many bytes are accounted for."""
        return self._splitter.position

    def go_on(self) -> bool:
        """Take in the record that is open, or a chunk; False if there is nothing more."""
        if self._chunks is None:
            self._carried, self._closed = self._splitter.rest_of_record()
            self._chunks = self._splitter.chunks()
            return self._closed
        try:
            more = next(self._chunks, None) is not None
        except RecordTooLongError:
            self._too_long = True
            return False
        self._number += more
        return more

    def result(self) -> Survey:
        """Return what was found, when there is nothing more."""
        return Survey(
            carried_bytes=self._carried,
            closed=self._closed,
            rows=self._splitter.row,
            chunks=self._number,
            open_bytes=self._splitter.open_bytes,
            too_long=self._too_long,
        )


def plan_cuts(
    surveys: Sequence[RangeSurvey],
    *,
    start: int,
    first_row: int,
    chunk_rows: int,
    max_chunk_bytes: int = csvtext.MAX_CHUNK_BYTES,
) -> list[Cut]:
    """Put the surveys of all ranges together, and say what is to be cut.

    Parameters
    ----------
    surveys
        Of the ranges in the file's order.
    start, first_row
        The place and the number of the record behind the header.

    Raises
    ------
    RecordTooLongError, UnterminatedQuoteError, TooManyChunksError, NoRowsError
        What splitting in one pass would raise.
    """
    begun: list[tuple[int, int, int, int]] = []
    row, chunk, open_bytes = first_row, 1, 0
    for survey in surveys:
        found = survey.in_quotes if open_bytes else survey.at_record
        if open_bytes:
            open_bytes += found.carried_bytes
            if open_bytes > max_chunk_bytes:
                raise csvtext.record_too_long(row - 1, max_chunk_bytes)
        if found.closed or not open_bytes:
            begun.append((start + found.carried_bytes, row, chunk, found.chunks))
            row, chunk = row + found.rows, chunk + found.chunks
            if chunk - 1 > MAX_CHUNKS:
                raise too_many_chunks(chunk_rows)
            if found.too_long:
                raise csvtext.record_too_long(row, max_chunk_bytes)
            open_bytes = found.open_bytes
        start += survey.size_bytes
    if open_bytes:
        raise csvtext.unterminated_quote(row - 1)
    if chunk == 1:
        raise no_rows()
    ends = [*(place for place, *_ in begun[1:]), start]
    cuts = (Cut(place, end, *numbers) for (place, *numbers), end in zip(begun, ends, strict=True))
    return [cut for cut in cuts if cut.chunks]
