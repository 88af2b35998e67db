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
def test_groups_and_their_parts_are_the_pieces_in_order(
    sizes: list[int], group_bytes: int | None
) -> None:
    whole = pieces_of(sizes)
    groups = plan_groups(whole, group_bytes=group_bytes)
    assert [piece for group in groups for part in group.parts for piece in part] == whole
    numbers = [group.first_part + n for group in groups for n in range(len(group.parts))]
    assert numbers == list(range(1, len(numbers) + 1))
    if group_bytes is None:
        assert len(groups) == 1


@given(SIZES, GROUP_BYTES)
def test_parts_have_a_size_that_is_taken_and_bounded(
    sizes: list[int], group_bytes: int | None
) -> None:
    groups = plan_groups(pieces_of(sizes), group_bytes=group_bytes)
    found = [pieces.total_bytes(part) for group in groups for part in group.parts]
    assert all(size >= LEAST_PART_BYTES for size in found[:-1])
    assert all(0 < size < PART_BYTES + max(sizes) for size in found)


@given(st.integers(1, MAX_OBJECT_BYTES))
def test_parts_of_the_least_size_are_no_more_than_s3_takes(size_bytes: int) -> None:
    assert size_bytes // pieces.part_bytes(size_bytes) + 1 <= MAX_PARTS


def test_object_as_large_as_s3_takes_has_no_more_parts_than_s3_takes() -> None:
    sizes = [MAX_OBJECT_BYTES // 30_000] * 30_000
    groups = plan_groups(pieces_of(sizes), group_bytes=4 * 1024 * MIB)
    assert groups[-1].first_part + len(groups[-1].parts) - 1 <= MAX_PARTS
    assert len(groups) > 1_000


def test_object_larger_than_s3_takes_is_refused() -> None:
    with pytest.raises(ResultTooLargeError, match="in several files"):
        plan_groups([Piece("a", "v", MAX_OBJECT_BYTES), Piece("b", "v", 1)])


@given(SIZES, st.integers(1, 64 * MIB))
def test_group_ends_with_the_part_that_takes_it_to_its_size(
    sizes: list[int], group_bytes: int
) -> None:
    for group in plan_groups(pieces_of(sizes), group_bytes=group_bytes)[:-1]:
        assert sum(map(pieces.total_bytes, group.parts)) >= group_bytes
        assert sum(map(pieces.total_bytes, group.parts[:-1])) < group_bytes


@given(SIZES, GROUP_BYTES)
def test_group_is_the_same_after_it_was_stored(sizes: list[int], group_bytes: int | None) -> None:
    for group in plan_groups(pieces_of(sizes), group_bytes=group_bytes):
        assert Group.from_plain(orjson.loads(orjson.dumps(group))) == group
