"""Split a large file in ranges of bytes in parallel, with the same result as in one pass.

A range starts after the first LF at or after a multiple of the range size. There, either a record
starts or a quoted field continues. So each range is surveyed under both hypotheses, all ranges in
parallel. Then the surveys are combined from the first range to the last, since the state at the end
of one range is the state at the start of the next. After that, the first row and the first chunk of
each range are known, and all ranges are cut into chunks in parallel. If a record is open at the end
of a range, all of it belongs to that range.

A file whose only line ends are lone CRs has no place where a range could start: it is one range.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import tee
from typing import Any

from batchcore import csvtext
from batchcore.errors import RecordTooLongError
from batchcore.intake import no_rows
from batchcore.sizing import MAX_CHUNKS, too_many_chunks

# This many range numbers, and the results of their Map children, take a few KiB of the workflow's
# state.
MAX_RANGES = 1_000


@dataclass(frozen=True, slots=True)
class Survey:
    """What a range contains under one hypothesis about its start.

    Attributes
    ----------
    carried_bytes : int
        Bytes of the record that is open at the start of the range.
    closed : bool
        Whether that record ends in the range.
    rows : int
        Records that start in the range after it, including blank lines.
    chunks : int
        Chunks that these records are cut into.
    open_bytes : int
        Bytes of the last of them if it is still open at the end of the range; otherwise 0.
    too_long : bool
        Whether the record after the counted rows is longer than a record may be.
    """

    carried_bytes: int
    closed: bool
    rows: int
    chunks: int
    open_bytes: int
    too_long: bool


@dataclass(frozen=True, slots=True)
class RangeSurvey:
    """The size of a range, and what it contains under each hypothesis."""

    size_bytes: int
    at_record: Survey
    in_quotes: Survey

    def to_dict(self) -> dict[str, Any]:
        """Return the survey as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RangeSurvey":
        """Return a survey from its plain values."""
        surveys = (Survey(**values[name]) for name in ("at_record", "in_quotes"))
        return cls(values["size_bytes"], *surveys)


@dataclass(frozen=True, slots=True)
class Cut:
    """Consecutive whole records of a file: their bytes, first row, first chunk and chunks."""

    start: int
    end: int
    first_row: int
    first_chunk: int
    chunks: int

    def to_dict(self) -> dict[str, int]:
        """Return the cut as plain values, for JSON."""
        return asdict(self)


def range_starts(start: int, end: int, *, range_bytes: int) -> list[int]:
    """Return the place from which each range looks for its first LF.

    The first range starts at its place itself.

    Parameters
    ----------
    start, end
        The bytes of the file after its header.
    range_bytes
        Bytes per range; more if there would be over `MAX_RANGES` ranges.
    """
    size = max(range_bytes, -(-(end - start) // MAX_RANGES))
    return list(range(start, end, size))


def whole_lines(blocks: Iterable[bytes], *, first: bool, length: int) -> Iterator[bytes]:
    """Yield the bytes of a range, given the bytes of the file from the range's nominal start on.

    Parameters
    ----------
    first
        Whether this is the first range, which starts at once and not after an LF.
    length
        Nominal length. The range ends with the first LF at or after it, or with the file.
    """
    offset = 0  # of the block
    for block in blocks:
        begin = 0
        if not first:
            begin = block.find(b"\n") + 1
            first = begin > 0
            if offset + (begin or len(block)) > length:
                return  # the next range starts after this LF
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
    """Read the bytes of a range once and survey them under both hypotheses.

    The hypothesis that is behind always continues first, so that memory is bounded as in a
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
            under_way.remove(behind)  # otherwise the other's blocks would be kept for it
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
        """Bytes surveyed so far."""
        return self._splitter.position

    def go_on(self) -> bool:
        """Survey the open record or one chunk; return False if there is nothing more."""
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
        """Return the survey, once there is nothing more to read."""
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
    """Combine the surveys of all ranges and return the cuts to make.

    Parameters
    ----------
    surveys
        The surveys of all ranges, in the file's order.
    start, first_row
        The place and the number of the first record after the header.

    Raises
    ------
    RecordTooLongError, UnterminatedQuoteError, TooManyChunksError, NoRowsError
        The same error as splitting the file in one pass would raise.
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
