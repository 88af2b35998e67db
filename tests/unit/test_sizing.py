"""The chunk size that is left to the file: what it is, and that every limit holds with it."""

from __future__ import annotations

import pytest
from batchcore.csvtext import MAX_CHUNK_BYTES
from batchcore.sizing import (
    HEAD_BYTES,
    LEAST_ROWS,
    MAX_CHUNK_ROWS,
    MAX_CHUNKS,
    STEP_ROWS,
    choose_chunk_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support import HEADER, row

from batchops.planning.workload import Workload, chunk_memory_bytes


def chosen(rows: int, record: bytes = row()) -> int:
    """Return the size for a file of so many records of one kind."""
    head = (HEADER + record * min(rows, HEAD_BYTES // len(record) + 1))[:HEAD_BYTES]
    return choose_chunk_rows(len(HEADER) + rows * len(record), head, delimiter=",")


@pytest.mark.parametrize(
    ("rows", "chunk_rows"),
    [
        (1, 5_000),
        (320_000, 5_000),
        (600_000, 9_500),
        (1_000_000, 16_000),
        (10_000_000, 20_000),
        (1_000_000_000, 20_000),
    ],
)
def test_file_is_cut_into_64_chunks_unless_they_would_be_too_small_or_too_large(
    rows: int, chunk_rows: int
) -> None:
    assert chosen(rows) == chunk_rows


def test_long_rows_make_chunks_that_do_not_end_by_their_bytes() -> None:
    long = row(Region="x" * 2_000)
    assert chosen(10_000_000, long) * len(long) < MAX_CHUNK_BYTES
    assert chosen(10_000_000, long) == 4_000
    assert 50 < chosen(1_000_000, row(Region="x" * 100_000)) < 150
    assert chosen(1_000, row(Region="x" * HEAD_BYTES)) == 32


def test_records_of_several_lines_count_once() -> None:
    lines = row(Region='"' + "x\n" * 50 + '"')
    assert chosen(1_000_000, lines) == chosen(1_000_000, row(Region='"' + "x" * 100 + '"'))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**13), st.integers(20, 20_000))
def test_every_limit_holds_for_rows_like_the_first_ones(size_bytes: int, row_bytes: int) -> None:
    record = b"x" * (row_bytes - 1) + b"\n"
    head = (b"h\n" + record * (HEAD_BYTES // row_bytes + 1))[:HEAD_BYTES]
    chunk_rows = choose_chunk_rows(size_bytes, head, delimiter=",")
    assert 1 <= chunk_rows <= MAX_CHUNK_ROWS
    assert chunk_rows < STEP_ROWS or chunk_rows % STEP_ROWS == 0
    assert chunk_rows * row_bytes <= MAX_CHUNK_BYTES
    rows = size_bytes // row_bytes + 1
    # A file that has too many chunks even so has the largest that there may be.
    most = min(MAX_CHUNK_ROWS, MAX_CHUNK_BYTES / 2 / row_bytes)
    assert rows / chunk_rows <= MAX_CHUNKS or chunk_rows >= 0.9 * most - STEP_ROWS
    work = Workload(size_bytes, rows, 1, chunk_rows, largest_chunk_bytes=chunk_rows * row_bytes)
    memory_mb = work.settings.functions["read-file"].memory_mb
    assert chunk_memory_bytes(work) < memory_mb * 1024 * 1024 / 2


@pytest.mark.parametrize(
    "head", [b"", b"\n\n", b"h,i\n", b'"never closed', b"h\n" + b"\xff\x00" * 9]
)
def test_any_beginning_gives_a_size(head: bytes) -> None:
    assert choose_chunk_rows(len(head), head, delimiter=",") == LEAST_ROWS
