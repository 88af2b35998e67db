"""How pieces become parts: whatever their sizes, every byte once, in order, in parts S3 takes."""

from __future__ import annotations

import orjson
import pytest
from batchcore import pieces
from batchcore.errors import ResultTooLargeError
from batchcore.pieces import MAX_OBJECT_BYTES, MAX_PARTS, PART_BYTES, Group, Piece, plan_groups
from hypothesis import given
from hypothesis import strategies as st

MIB = 1024 * 1024
# Amazon S3 user guide, multipart upload limits: the least a part but the last may have.
LEAST_PART_BYTES = 5 * MIB

# Pieces of a few bytes, of a chunk, and of more than a part.
SIZES = st.lists(
    st.one_of(st.integers(1, 300), st.integers(1, 3 * MIB), st.integers(1, 40 * MIB)),
    min_size=1,
    max_size=60,
)
GROUP_BYTES = st.one_of(st.none(), st.integers(1, 200 * MIB))


def pieces_of(sizes: list[int]) -> list[Piece]:
    return [Piece(f"output/{n:06d}.csv", f"v{n}", size) for n, size in enumerate(sizes)]


@given(SIZES, GROUP_BYTES)
def test_groups_and_their_parts_are_the_pieces_byte_for_byte(
    sizes: list[int], group_bytes: int | None
) -> None:
    whole = pieces_of(sizes)
    groups = plan_groups(whole, group_bytes=group_bytes)
    assert [piece for group in groups for piece in group.pieces] == whole
    slices = [s for group in groups for part in group.cut() for s in part.slices]
    # Side by side, the slices of each piece are the piece, and the pieces are in order.
    position = iter(slices)
    for piece in whole:
        reached = 0
        while reached < piece.size_bytes:
            found = next(position)
            assert (found.piece, found.start) == (piece, reached)
            assert found.stop > found.start
            reached = found.stop
        assert reached == piece.size_bytes
    assert list(position) == []


@given(SIZES, GROUP_BYTES)
def test_parts_are_numbered_through_and_of_a_size_that_is_taken(
    sizes: list[int], group_bytes: int | None
) -> None:
    groups = plan_groups(pieces_of(sizes), group_bytes=group_bytes)
    parts = [part for group in groups for part in group.cut()]
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert [len(list(group.cut())) for group in groups] == [group.parts for group in groups]
    assert all(part.size_bytes >= LEAST_PART_BYTES for part in parts[:-1])
    assert all(part.size_bytes < 2 * PART_BYTES for part in parts)
    if group_bytes is None:
        assert len(groups) == 1


@given(
    st.lists(st.integers(1, 200_000 * MIB), min_size=1, max_size=26), st.integers(1, 600_000 * MIB)
)
def test_object_as_large_as_s3_takes_has_no_more_parts_than_s3_takes(
    sizes: list[int], group_bytes: int
) -> None:
    # The largest object there may be, in front of whatever comes.
    whole = [Piece("first", "v", max(1, MAX_OBJECT_BYTES - sum(sizes))), *pieces_of(sizes)]
    groups = plan_groups(whole, group_bytes=group_bytes)
    assert groups[-1].first_part + groups[-1].parts - 1 <= MAX_PARTS


def test_object_larger_than_s3_takes_is_refused() -> None:
    with pytest.raises(ResultTooLargeError, match="in several files"):
        plan_groups([Piece("a", "v", MAX_OBJECT_BYTES), Piece("b", "v", 1)])


@given(SIZES, st.integers(1, 64 * MIB))
def test_group_ends_with_the_piece_that_takes_it_to_its_size(
    sizes: list[int], group_bytes: int
) -> None:
    groups = plan_groups(pieces_of(sizes), group_bytes=group_bytes)
    wanted = max(group_bytes, PART_BYTES)
    for group in groups[:-1]:
        assert pieces.total_bytes(group.pieces) >= wanted
        assert pieces.total_bytes(group.pieces[:-1]) < wanted


@given(SIZES, GROUP_BYTES)
def test_group_is_the_same_after_it_was_stored(sizes: list[int], group_bytes: int | None) -> None:
    for group in plan_groups(pieces_of(sizes), group_bytes=group_bytes):
        assert Group.from_plain(orjson.loads(orjson.dumps(group))) == group
