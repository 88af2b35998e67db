"""How pieces become one object: which of them make each part of a multipart upload.

Pure planning: the pieces' sizes are known before any of them is read. `batchcore.joining` does what
is planned here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from batchcore.errors import ResultTooLargeError

T = TypeVar("T")

# Amazon S3 user guide, multipart upload limits (2026-11): at most 10,000 parts, each at least 5 MiB
# but the last.
MAX_PARTS = 10_000

# S3 takes 48.8 TiB (the same page), but of much more than this, merge-s3-files could not hold a
# part, which the SDK may copy, in its memory.
MAX_OBJECT_BYTES = 5 * 1024**4

PART_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """One version of an object, which never changes, and its size in bytes."""

    key: str
    version_id: str
    size_bytes: int


Part = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive parts of an upload that one function sends.

    Attributes
    ----------
    first_part : int
        The number of the first of them; those of an upload count from 1.
    parts : tuple of tuple of Piece
        What each is made of, in order.
    """

    first_part: int
    parts: tuple[Part, ...]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Group":
        """Return the group that was stored as JSON."""
        parts = (tuple(Piece(**piece) for piece in part) for part in values["parts"])
        return cls(values["first_part"], tuple(parts))


def total_bytes(pieces: Iterable[Piece]) -> int:
    """Return the size of the pieces together."""
    return sum(piece.size_bytes for piece in pieces)


def part_bytes(size_bytes: int) -> int:
    """Return the least size of the parts, but the last, that an object of this size is sent in."""
    return max(PART_BYTES, -(-size_bytes // (MAX_PARTS - 1)))


def plan_groups(pieces: Sequence[Piece], *, group_bytes: int | None = None) -> list[Group]:
    """Divide the pieces of one object into the parts of its upload, and those into groups.

    Parameters
    ----------
    pieces
        All pieces of the object, in order, none of them empty.
    group_bytes
        A group ends with the part that takes it here, and the last one with the last part. By
        default all parts are one group.

    Raises
    ------
    ResultTooLargeError
        If the object would be larger than `MAX_OBJECT_BYTES`.

    Notes
    -----
    A part is whole pieces, and ends with the one that takes it to `part_bytes`. So all have that,
    but the last of the object, and less than that and one piece more.
    """
    total = total_bytes(pieces)
    if total > MAX_OBJECT_BYTES:
        raise ResultTooLargeError(
            f"the merged file would have {total:,} bytes, and at most {MAX_OBJECT_BYTES:,} can be "
            "joined: submit the input in several files"
        )
    parts = list(_runs(pieces, [piece.size_bytes for piece in pieces], part_bytes(total)))
    sizes = [total_bytes(part) for part in parts]
    groups: list[Group] = []
    first_part = 1
    for run in _runs(parts, sizes, total if group_bytes is None else group_bytes):
        groups.append(Group(first_part, run))
        first_part += len(run)
    return groups


def _runs(values: Sequence[T], sizes: Sequence[int], least: int) -> Iterator[tuple[T, ...]]:
    """Yield runs of consecutive values, each ending with the one that takes it to `least`."""
    start = reached = 0
    for end, size in enumerate(sizes, 1):
        reached += size
        if reached >= least or end == len(sizes):
            yield tuple(values[start:end])
            start, reached = end, 0
