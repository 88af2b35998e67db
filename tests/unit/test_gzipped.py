"""Gzip files are unpacked as a stream, and what is no whole gzip file is refused."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections import deque

import pytest
from batchcore import gzipped
from batchcore.errors import GzipError
from batchcore.gzipped import Unpacker
from hypothesis import given
from hypothesis import strategies as st

TEXT = b"a,b\n1,2\n" * 1_000


def unpack(data: bytes, *, block: int = 1_000, **options: int) -> bytes:
    blocks = [data[at : at + block] for at in range(0, len(data), block)]
    return b"".join(Unpacker(blocks, **options))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 90))
def test_members_are_unpacked_one_after_the_other(members: list[bytes], block: int) -> None:
    packed = b"".join(map(gzip.compress, members))
    assert unpack(packed, block=block) == b"".join(members)
    assert unpack(packed + b"\0" * 512, block=block) == b"".join(members)


@pytest.mark.parametrize("size", [1, 300 * 1024, 9_000_000])
def test_large_members_come_in_blocks_of_bounded_size(size: int) -> None:
    for data in (os.urandom(size), b"x" * size):
        blocks = list(Unpacker([gzip.compress(data, 1)]))
        assert b"".join(blocks) == data
        assert max(map(len, blocks)) <= 4 * 1024 * 1024


PACKED = gzip.compress(TEXT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (PACKED[:-1], "ends in the middle, after 8,000 unpacked bytes"),
        (PACKED[:-9], "ends in the middle"),
        (PACKED[:7], "ends in the middle, after 0 unpacked bytes"),
        (PACKED + PACKED[:20], "ends in the middle"),
        (PACKED + b"a,b\n", "has something else after its end, after 8,000 unpacked bytes"),
        (PACKED + b"\0\0\nx", "has something else after its end"),
        (PACKED[:20] + b"\xff" * 20 + PACKED[40:], "damaged"),
        (PACKED[:-8] + b"\0" * 8, "damaged"),
        (PACKED + PACKED[:-8] + b"\0" * 8, "damaged"),
        (b"\x1f\x8b\x07" + bytes(50), "damaged"),
    ],
)
@pytest.mark.parametrize("block", [3, 10_000])
def test_file_that_is_not_whole_is_refused(data: bytes, reason: str, block: int) -> None:
    with pytest.raises(GzipError, match=reason):
        unpack(data, block=block)


def test_file_that_unpacks_to_too_much_is_refused_where_it_does() -> None:
    assert unpack(PACKED, max_bytes=len(TEXT)) == TEXT
    with pytest.raises(GzipError, match=r"unpacks to more than 7,999 bytes.*plain CSV"):
        unpack(PACKED, max_bytes=len(TEXT) - 1)


def test_bomb_costs_neither_memory_nor_the_whole_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzipped, "RATIO_FROM_BYTES", 32 * 1024**2)
    bomb = gzip.compress(b"\n" * 1024**2, 9) * 1_000
    tracemalloc.start()
    try:
        unpacker = Unpacker([bomb])
        with pytest.raises(GzipError, match="more than 200 times its size"):
            deque(unpacker, maxlen=0)
        assert unpacker.unpacked_bytes <= 37 * 1024**2
        assert tracemalloc.get_traced_memory()[1] < 24 * 1024**2
    finally:
        tracemalloc.stop()
