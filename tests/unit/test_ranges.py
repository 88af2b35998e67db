"""A file split in ranges gives what one pass gives, row by row, wherever the ranges begin."""

from __future__ import annotations

import re
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from batchcore import csvtext, ranges, sizing
from batchcore.csvtext import BOM, SplitChunk, Splitter
from batchcore.errors import (
    FileError,
    RecordTooLongError,
    TooManyChunksError,
    UnterminatedQuoteError,
)
from batchcore.intake import no_rows
from batchcore.ranges import RangeSurvey, Survey, plan_cuts, range_starts, survey_range
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAGMENTS = [
    *(b"a", b"bc", b" ", b"\xff", b",", b",", b'"', b'"', b'""', b'"q\nr",', b'"x\r\ny"'),
    *(b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"1,2,3\r\n", b"a long line\n"),
]
BODIES = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map(b"".join)
HEADERS = st.sampled_from([b"h,i\n", b"\r\n\nh,i\r\n", BOM + b'"h\n",i\r', b"h,i"])
LIMIT = csvtext.MAX_CHUNK_BYTES

Row = tuple[int, bytes]


def portions(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def in_one_pass(data: bytes, *, chunk_rows: int, block: int, most: int) -> list[SplitChunk]:
    splitter = Splitter(
        portions(data, block), delimiter=",", chunk_rows=chunk_rows, max_chunk_bytes=most
    )
    splitter.header()
    chunks = list(splitter.chunks())
    if not chunks:
        raise no_rows()
    return chunks


def in_ranges(
    data: bytes, *, chunk_rows: int, block: int, most: int, range_bytes: int
) -> list[SplitChunk]:
    def splitter(start: int, end: int | None = None, **numbers: int) -> Splitter:
        return Splitter(
            portions(data[start:end], block),
            delimiter=",",
            chunk_rows=chunk_rows,
            max_chunk_bytes=most,
            **numbers,
        )

    whole = splitter(0)
    whole.header()
    starts = range_starts(whole.position, len(data), range_bytes=range_bytes)
    surveys = []
    for start, end in zip(starts, [*starts, len(data)][1:], strict=True):
        lines = ranges.whole_lines(
            portions(data[start:], block), first=start == starts[0], length=end - start
        )
        survey = survey_range(lines, delimiter=",", chunk_rows=chunk_rows, max_chunk_bytes=most)
        assert RangeSurvey.from_dict(survey.to_dict()) == survey
        surveys.append(survey)
    cuts = plan_cuts(
        surveys,
        start=whole.position,
        first_row=whole.row,
        chunk_rows=chunk_rows,
        max_chunk_bytes=most,
    )
    assert sum(survey.size_bytes for survey in surveys) == len(data) - whole.position
    found = []
    for cut in cuts:
        numbers = {"first_row": cut.first_row, "first_chunk": cut.first_chunk}
        chunks = list(splitter(cut.start, cut.end, **numbers).chunks())
        assert len(chunks) == cut.chunks
        found += chunks
    return found


def rows(chunks: list[SplitChunk]) -> list[Row]:
    """Return the records of the chunks with their row numbers; blank lines may be left out."""
    return [
        (number, record)
        for chunk in chunks
        for number, record in enumerate(
            csvtext.iter_records(chunk.data, delimiter=","), chunk.first_row
        )
        if not csvtext.is_blank(record)
    ]


@settings(max_examples=800, deadline=None)
@given(
    data=st.tuples(HEADERS, BODIES).map(b"".join),
    chunk_rows=st.integers(1, 5),
    block=st.integers(1, 40),
    range_bytes=st.integers(1, 60),
    most=st.sampled_from([12, 25, 50, LIMIT]),
)
def test_ranges_give_the_rows_or_the_refusal_of_one_pass(
    data: bytes, chunk_rows: int, block: int, range_bytes: int, most: int
) -> None:
    try:
        expected = in_one_pass(data, chunk_rows=chunk_rows, block=7, most=most)
    except FileError as error:
        with pytest.raises(type(error), match=f"^{re.escape(str(error))}$"):
            in_ranges(data, chunk_rows=chunk_rows, block=block, most=most, range_bytes=range_bytes)
        return
    found = in_ranges(data, chunk_rows=chunk_rows, block=block, most=most, range_bytes=range_bytes)
    assert rows(found) == rows(expected)
    assert [chunk.number for chunk in found] == list(range(1, len(found) + 1))
    for chunk in found:
        assert chunk.rows == len(rows([chunk])) <= chunk_rows


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_range_begins_behind_the_first_lf_at_or_after_its_place(line_end: bytes) -> None:
    data = line_end.join([b"12345"] * 6)
    width = 5 + len(line_end)
    for place in range(1, len(data)):
        lines = b"".join(ranges.whole_lines([data[place:]], first=False, length=len(data) - place))
        begin = data.find(b"\n", place) + 1
        assert lines == (data[begin:] if begin else b"")
        assert not begin or begin % width == 0


def test_lines_longer_than_a_range_leave_ranges_empty() -> None:
    data = b"x" * 25 + b"\ny\n"
    found = []
    for start in range(0, len(data), 10):
        part = ranges.whole_lines([data[start:]], first=start == 0, length=10)
        found.append(b"".join(part))
    assert found == [b"x" * 25 + b"\n", b"", b"y\n"]


def test_file_without_an_lf_is_one_range() -> None:
    data = b"h\r" + b"1\r" * 50
    chunks = in_ranges(data, chunk_rows=20, block=8, most=LIMIT, range_bytes=10)
    assert [chunk.rows for chunk in chunks] == [20, 20, 10]


def test_quoted_field_may_go_on_through_several_ranges() -> None:
    data = b'h\n1\n"' + b"a\n" * 100 + b'"\n2\n'
    chunks = in_ranges(data, chunk_rows=1, block=64, most=LIMIT, range_bytes=20)
    assert [chunk.first_row for chunk in chunks] == [2, 3, 4]
    assert chunks[1].data == data[4:-2]


def test_record_that_is_too_long_over_several_ranges_is_named_with_its_row() -> None:
    data = b'h\n1\n"' + b"a\n" * 100 + b'"\n2\n'
    with pytest.raises(RecordTooLongError, match="row 3 is longer than 150 bytes"):
        in_ranges(data, chunk_rows=1, block=64, most=150, range_bytes=20)


def test_quote_that_is_open_at_the_end_is_named_with_its_row() -> None:
    data = b'h\n1\n"' + b"a\n" * 100
    with pytest.raises(UnterminatedQuoteError, match="row 3 "):
        in_ranges(data, chunk_rows=1, block=64, most=LIMIT, range_bytes=20)


def test_too_many_chunks_are_refused_before_anything_is_cut() -> None:
    at_record = Survey(0, closed=False, rows=9, chunks=50_000, open_bytes=0, too_long=False)
    survey = RangeSurvey(100, at_record, at_record)
    with pytest.raises(TooManyChunksError, match="a larger FileChunkSize"):
        plan_cuts([survey, survey], start=0, first_row=2, chunk_rows=1)
    (cut,) = plan_cuts([survey], start=5, first_row=2, chunk_rows=1)
    assert (cut.start, cut.end, cut.first_row, cut.chunks) == (5, 105, 2, 50_000)
    assert 50_000 < sizing.MAX_CHUNKS < 100_000


def test_there_are_never_more_ranges_than_the_state_holds() -> None:
    starts = range_starts(100, 10**12, range_bytes=1)
    assert len(starts) == ranges.MAX_RANGES
    assert starts[0] == 100
    assert range_starts(10, 30, range_bytes=10) == [10, 20]
    assert range_starts(10, 10, range_bytes=10) == []


@pytest.mark.parametrize("line", [b"plain,line\n", b'"quo\nted",x\n', b"lone\r", b'"""",x\n'])
def test_memory_of_a_survey_does_not_grow_with_the_range(line: bytes) -> None:
    block, most = line * (4_000 // len(line)), 20_000
    tracemalloc.start()
    try:
        survey = survey_range(
            (block for _ in range(150)), delimiter=",", chunk_rows=500, max_chunk_bytes=most
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert survey.size_bytes > 500_000
    assert survey.at_record.rows > 25_000
    # Twice as much as one splitter, and what one hypothesis is ahead of the other.
    assert peak < 16 * most
