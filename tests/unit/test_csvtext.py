"""Where records end: the same as Python's csv says, whatever the portions the bytes come in."""

from __future__ import annotations

import csv
import io
import time
import tracemalloc
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from batchcore.csvpatterns import record_pattern
from batchcore.csvtext import (
    BOM,
    MAX_CHUNK_BYTES,
    SplitChunk,
    Splitter,
    is_blank,
    iter_records,
    line_end,
    parse_row,
)
from batchcore.errors import FileError, RecordTooLongError, UnterminatedQuoteError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fragments that meet in every awkward way: quotes in odd places, terminators, non-UTF-8, NUL, and
# the characters at which str.splitlines would cut, but csv does not.
FRAGMENTS = [
    *(b"a", b"bc", b" ", b"\xff", b"\x00", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xe2\x80\xa8"),
    *(b",", b";", b"\t", b"|", b'"', b'""', b'"q\nr",', b'"x\r\ny"'),
    *(b"\n", b"\r\n", b"\r", b"\n\n", b"x,y\n", b"1,2,3\r\n", BOM),
]
DELIMITERS = st.sampled_from(",;\t|:~")
TEXTS = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join), st.binary(max_size=60)
)


def read(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """Return what Python's csv reads; Latin-1 maps each byte to a character and back."""
    text = io.StringIO(data.decode("latin-1"), newline="")
    return list(csv.reader(text, delimiter=delimiter))


def is_whole(data: bytes, delimiter: str) -> bool:
    """Tell whether no quoted field is open at the end: what follows is then a row of its own."""
    return read(data + b"\n\x01", delimiter)[-1] == ["\x01"]


def portions(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def split(
    data: bytes,
    *,
    delimiter: str = ",",
    chunk_rows: int = 3,
    block: int = 7,
    max_bytes: int = MAX_CHUNK_BYTES,
) -> tuple[bytes, list[SplitChunk]]:
    splitter = Splitter(
        portions(data, block),
        delimiter=delimiter,
        chunk_rows=chunk_rows,
        max_chunk_bytes=max_bytes,
    )
    header = splitter.header()
    return header, list(splitter.chunks())


# --------------------------------------------------------------------------- the law


@settings(max_examples=600, deadline=None)
@given(TEXTS, DELIMITERS, st.integers(1, 9), st.integers(1, 70), st.booleans())
def test_header_and_chunks_hold_the_rows_that_csv_reads(
    body: bytes, delimiter: str, chunk_rows: int, block: int, bom: bool
) -> None:
    while body.startswith(BOM):
        body = body.removeprefix(BOM)
    data = BOM + body if bom else body
    rows = read(body, delimiter)
    numbered = [(number, row) for number, row in enumerate(rows, 1) if row]
    try:
        header, chunks = split(data, delimiter=delimiter, chunk_rows=chunk_rows, block=block)
    except UnterminatedQuoteError:
        assert not is_whole(body, delimiter)
        return
    if bom and numbered:
        assert header.startswith(BOM)
    names = header.removeprefix(BOM) if bom else header
    found = [row for row in read(names, delimiter) if row]
    assert found == [row for _, row in numbered[:1]]
    found_numbered = [
        (number, row)
        for chunk in chunks
        for number, row in enumerate(read(chunk.data, delimiter), chunk.first_row)
        if row
    ]
    assert found_numbered == numbered[1:]


@settings(max_examples=300, deadline=None)
@given(TEXTS, DELIMITERS, st.integers(1, 9), st.integers(1, 70))
def test_chunks_are_numbered_full_and_say_what_they_hold(
    data: bytes, delimiter: str, chunk_rows: int, block: int
) -> None:
    try:
        _, chunks = split(data, delimiter=delimiter, chunk_rows=chunk_rows, block=block)
    except UnterminatedQuoteError:
        assume(False)
    assert [chunk.number for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert [chunk.rows for chunk in chunks[:-1]] == [chunk_rows] * (len(chunks) - 1)
    last_row = 1
    for chunk in chunks:
        rows = [row for row in enumerate(read(chunk.data, delimiter), chunk.first_row) if row[1]]
        assert chunk.rows == len(rows)
        assert 0 < chunk.rows <= chunk_rows
        assert last_row < chunk.first_row == rows[0][0]
        # Blank lines behind the last row may be counted in, never a row left out.
        assert rows[-1][0] <= chunk.last_row
        last_row = chunk.last_row


# Records as they come by the thousand, so that many are taken at once; and what interrupts that.
MANY = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(b"1,2,3\n", b"1,2,3\r\n", b'"a","b"\n', b'a,"b\nc"\r\n', b'"","""",x\n'),
                *(b'a,"b,c","d""e"\n', b'"a"b,c\n', b'a"b,c\n', b'"a"b"c"\n', b"\n", b"\r", b"a\r"),
                *(
                    b'6",\n',
                    b'"x\n\ny"\n',
                    b'"x\ry"\n',
                    b'a,"b"c,"d\n"\n',
                    b'"\n"\n',
                    b'x",,"z\n"\n',
                ),
            ]
        ),
        st.integers(1, 150),
    ),
    max_size=8,
).map(lambda runs: b"".join(record * times for record, times in runs))


@settings(max_examples=300, deadline=None)
@given(MANY, st.integers(1, 700), st.integers(500, 5_000))
def test_records_that_are_taken_many_at_a_time_are_those_that_csv_reads(
    body: bytes, chunk_rows: int, block: int
) -> None:
    rows = [(number, row) for number, row in enumerate(read(body), 2) if row]
    _, chunks = split(b"h\n" + body, chunk_rows=chunk_rows, block=block)
    assert [chunk.rows for chunk in chunks[:-1]] == [chunk_rows] * (len(chunks) - 1)
    assert rows == [
        (number, row)
        for chunk in chunks
        for number, row in enumerate(read(chunk.data), chunk.first_row)
        if row
    ]


@settings(max_examples=300, deadline=None)
@given(
    data=st.one_of(TEXTS, MANY),
    chunk_rows=st.integers(1, 9),
    blocks=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    max_bytes=st.sampled_from([20, 300, MAX_CHUNK_BYTES]),
)
def test_portions_in_which_bytes_arrive_change_nothing(
    data: bytes, chunk_rows: int, blocks: tuple[int, int], max_bytes: int
) -> None:
    def outcome(block: int) -> object:
        try:
            return split(data, chunk_rows=chunk_rows, block=block, max_bytes=max_bytes)
        except FileError as error:
            return type(error), str(error)

    assert outcome(blocks[0]) == outcome(blocks[1])


@settings(max_examples=300, deadline=None)
@given(TEXTS, DELIMITERS)
def test_records_joined_give_the_bytes_back(data: bytes, delimiter: str) -> None:
    try:
        records = list(iter_records(data, delimiter=delimiter))
    except UnterminatedQuoteError:
        assert not is_whole(data, delimiter)
        return
    assert b"".join(records) == data
    assert [parse_row(r.decode("latin-1"), delimiter=delimiter) for r in records] == read(
        data, delimiter
    )
    assert [is_blank(record) for record in records] == [not row for row in read(data, delimiter)]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"a\n", b"bcd\r\n", b'"e\nf",g\n', b"h" * 15 + b"\r"]), max_size=40),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(16, 60),
)
def test_chunk_ends_when_it_has_the_bytes_allowed(
    records: list[bytes], chunk_rows: int, block: int, max_bytes: int
) -> None:
    _, chunks = split(
        b"h\n" + b"".join(records), chunk_rows=chunk_rows, block=block, max_bytes=max_bytes
    )
    assert b"".join(chunk.data for chunk in chunks) == b"".join(records)
    for chunk in chunks:
        # It ends with the record that takes it there.
        assert len(chunk.data) < max_bytes + 16
    for chunk in chunks[:-1]:
        assert chunk.rows == chunk_rows or len(chunk.data) >= max_bytes


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.text('ab,"\r\n é', max_size=6), min_size=2, max_size=4), min_size=2),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 4),
    st.integers(1, 30),
)
def test_whatever_csv_writes_comes_back_field_by_field(
    rows: list[list[str]], terminator: str, chunk_rows: int, block: int
) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=terminator, quoting=csv.QUOTE_ALL).writerows(rows)
    header, chunks = split(buffer.getvalue().encode(), chunk_rows=chunk_rows, block=block)
    whole = header + b"".join(chunk.data for chunk in chunks)
    assert whole == buffer.getvalue().encode()
    assert list(csv.reader(io.StringIO(whole.decode(), newline=""))) == rows


# ------------------------------------------------------------------------ single cases


def test_last_chunk_may_be_short() -> None:
    header, chunks = split(b"h\n1\n2\n3\n4\n5\n", chunk_rows=2)
    assert header == b"h\n"
    assert [chunk.data for chunk in chunks] == [b"1\n2\n", b"3\n4\n", b"5\n"]
    assert [(c.first_row, c.last_row, c.rows) for c in chunks] == [(2, 3, 2), (4, 5, 2), (6, 6, 1)]


def test_last_record_may_lack_its_terminator() -> None:
    _, chunks = split(b"h\n1\n2", chunk_rows=5)
    assert [chunk.data for chunk in chunks] == [b"1\n2"]


def test_blank_lines_count_as_rows_of_the_file_but_not_of_a_chunk() -> None:
    header, chunks = split(b"\n\r\nh\n\n1\n\n\n2\r\n\r\n3\n\n\n", chunk_rows=2)
    assert header == b"h\n"
    assert [(c.first_row, c.rows) for c in chunks] == [(5, 2), (10, 1)]
    assert chunks[0].data == b"1\n\n\n2\r\n"


def test_line_of_spaces_is_a_record() -> None:
    _, chunks = split(b"h\n  \n1\n")
    assert [chunk.rows for chunk in chunks] == [2]


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_crlf_is_one_terminator_wherever_a_portion_ends(block: int) -> None:
    header, chunks = split(b"h\r\n1\r\n2\r\n3\r\n", chunk_rows=1, block=block)
    assert header == b"h\r\n"
    assert [c.data for c in chunks] == [b"1\r\n", b"2\r\n", b"3\r\n"]


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_lone_cr_ends_a_record(block: int) -> None:
    header, chunks = split(b"h\r1\r2\r3", chunk_rows=2, block=block)
    assert header == b"h\r"
    assert [c.data for c in chunks] == [b"1\r2\r", b"3"]


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_bom_stays_with_the_header(block: int) -> None:
    header, chunks = split(BOM + b'"h",i\n1,2\n', block=block)
    assert header == BOM + b'"h",i\n'
    assert [c.data for c in chunks] == [b"1,2\n"]


@pytest.mark.parametrize("data", [b"", BOM, b"\n\r\n\r", BOM + b"\n"])
def test_file_without_records_has_neither_header_nor_chunks(data: bytes) -> None:
    assert split(data) == (b"", [])


def test_newlines_in_quotes_do_not_end_a_record() -> None:
    _, chunks = split(b'h,i\n"a\nb","c\r\nd"\n"e ""f""\n",g\n', chunk_rows=1, block=4)
    assert [c.data for c in chunks] == [b'"a\nb","c\r\nd"\n', b'"e ""f""\n",g\n']
    assert [c.first_row for c in chunks] == [2, 3]


def test_quote_inside_an_unquoted_field_opens_nothing() -> None:
    _, chunks = split(b'h,i\n6" nail,2\n3" nail,4\n', chunk_rows=1)
    assert [c.data for c in chunks] == [b'6" nail,2\n', b'3" nail,4\n']


def test_quote_that_is_never_closed_is_named_with_its_row() -> None:
    with pytest.raises(UnterminatedQuoteError, match=r"row 4\b"):
        split(b'h,i\n1,2\n\n"3,4\n5,6\n')


def test_unclosed_quote_in_the_header_is_row_1() -> None:
    with pytest.raises(UnterminatedQuoteError, match=r"row 1\b"):
        split(b'"h,i\n1,2\n')


def test_record_longer_than_a_chunk_is_named_with_its_row() -> None:
    with pytest.raises(RecordTooLongError, match=r"row 3 is longer than 20 bytes"):
        split(b'h,i\n1,2\n"' + b"x\n" * 200, max_bytes=20)


def test_unclosed_quote_is_noticed_without_reading_the_file_to_its_end() -> None:
    read_blocks = 0

    def blocks() -> Iterator[bytes]:
        nonlocal read_blocks
        yield b'h\n"'
        for _ in range(10_000):
            read_blocks += 1
            yield b"1,2\n" * 250

    splitter = Splitter(blocks(), delimiter=",", chunk_rows=10, max_chunk_bytes=20_000)
    splitter.header()
    with pytest.raises(RecordTooLongError, match="row 2 "):
        list(splitter.chunks())
    assert read_blocks < 30


def test_unclosed_quote_in_records_names_its_byte() -> None:
    with pytest.raises(UnterminatedQuoteError, match=r"byte 4\b"):
        list(iter_records(b'1,2\n"3\n', delimiter=","))


def test_field_longer_than_csv_allows_by_default_is_read() -> None:
    (record,) = iter_records(b"a," + b"x" * 200_000 + b"\n", delimiter=",")
    assert len(parse_row(record.decode(), delimiter=",")[1]) == 200_000


@pytest.mark.parametrize("delimiter", list("|.*+?^$()[]{}\\-# "))
def test_delimiter_that_means_something_in_a_pattern_is_taken_literally(delimiter: str) -> None:
    line = f'a{delimiter}"b{delimiter}\n"{delimiter}c\n'.encode()
    match = record_pattern(delimiter).match(line + b"next\n")
    assert match is not None
    assert match.group() == line
    assert parse_row(line.decode(), delimiter=delimiter) == ["a", f"b{delimiter}\n", "c"]


# ------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize("terminator", [b"\n", b"\r", b"\n\n"])
@pytest.mark.parametrize("field", [b"plain", b'"quo\nted"'])
def test_memory_does_not_grow_with_the_file(terminator: bytes, field: bytes) -> None:
    block = (field + b"," + field + terminator) * 200
    max_bytes = 20_000
    splitter = Splitter(
        (block for _ in range(600_000 // len(block))),
        delimiter=",",
        chunk_rows=1_000_000,
        max_chunk_bytes=max_bytes,
    )
    splitter.header()
    tracemalloc.start()
    try:
        size = sum(len(chunk.data) for chunk in splitter.chunks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 500_000
    # The chunk under way, its copy that is handed out, and one portion on top of each.
    assert peak < 6 * max_bytes


def test_chunks_are_handed_out_before_the_rest_is_read() -> None:
    taken: list[int] = []

    def blocks() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield b"1,2\n" * 10

    splitter = Splitter(blocks(), delimiter=",", chunk_rows=10)
    splitter.header()
    assert len(list(islice(splitter.chunks(), 2))) == 2
    assert len(taken) <= 4


# ------------------------------------------------------------------------------ blank lines

LONG_ROW = (
    b"1,Sub-Saharan Africa,Chad,Office Supplies,Online,L,1/27/2011,292494523,2/12/2011,4484\n"
)
BLANK = {
    "LF": b"\n" * 1_000_000,
    "CRLF": b"\r\n" * 500_000,
    "CR": b"\r" * 1_000_000,
    "mixed": b"\n\r\n\n\r\n\r" * 140_000,
    "after each row": (LONG_ROW + b"\n\r\n") * 10_000,
    "after each quoted row": (b'"' + LONG_ROW[:-1] + b'"\n\n') * 10_000,
    "between rows": (LONG_ROW + b"\n" * 1_000) * 900,
}


def seconds(data: bytes) -> tuple[float, int, int]:
    """Return the time of a split, the least of three, its rows, and the number of the last."""
    times = []
    for _ in range(3):
        started = time.process_time()
        splitter = Splitter(portions(data, 1_000_000), delimiter=",", chunk_rows=600)
        splitter.header()
        rows = sum(chunk.rows for chunk in splitter.chunks())
        times.append(time.process_time() - started)
    return min(times), rows, splitter.row - 1


@pytest.mark.parametrize("kind", BLANK)
@pytest.mark.parametrize("header", [b"a,b\n", b"a,b\n1,2\n"], ids=["header", "row"])
def test_blank_lines_take_about_as_long_as_rows(header: bytes, kind: str) -> None:
    data = header + BLANK[kind]
    ordinary, *_ = seconds(LONG_ROW * (len(data) // len(LONG_ROW)))
    found, rows, last = seconds(data)
    lines = io.StringIO(data.decode(), newline=None).read().splitlines()
    assert (rows, last) == (sum(map(bool, lines)) - 1, len(lines))
    # Three times is aimed at, and one line at a time took a thousand times as long.
    assert found < 20 * ordinary


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("body", [b"", b"a,b", b'"a\r\nb",c'])
def test_line_end_of_a_record_is_what_comes_after_its_fields(body: bytes, end: bytes) -> None:
    assert line_end(body + end) == end
