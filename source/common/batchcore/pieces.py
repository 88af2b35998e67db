"""Plan which pieces make up each part of a multipart upload.

The sizes of all pieces are known before any piece is read, so this makes no calls.
`batchcore.joining` carries the plan out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from batchcore.errors import ResultTooLargeError
from batchcore.texts import number_of

T = TypeVar("T")

# Amazon S3 user guide, multipart upload limits (2026-11): at most 10,000 parts, all but the last of
# at least 5 MiB.
MAX_PARTS = 10_000

# S3 accepts 48.8 TiB (same page). But the parts of an object much larger than this would not fit
# into the memory of merge-s3-files, since the SDK may copy a part.
MAX_OBJECT_BYTES = 5 * 1024**4

PART_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """One version of an object, which never changes, and its size."""

    key: str
    version_id: str
    size_bytes: int


Part = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive parts of an upload that one function call sends.

    Attributes
    ----------
    first_part : int
        The number of the first part in the upload, counting from 1.
    parts : tuple of tuple of Piece
        The pieces of each part, in order.
    """

    first_part: int
    parts: tuple[Part, ...]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Group":
        """Return a group from its plain values, as stored in JSON."""
        parts = (tuple(Piece(**piece) for piece in part) for part in values["parts"])
        return cls(values["first_part"], tuple(parts))


def total_bytes(pieces: Iterable[Piece]) -> int:
    """Return the total size of the pieces."""
    return sum(piece.size_bytes for piece in pieces)


def part_bytes(size_bytes: int) -> int:
    """Return the minimum size of all parts but the last for an object of this size."""
    return max(PART_BYTES, -(-size_bytes // (MAX_PARTS - 1)))


def plan_groups(pieces: Sequence[Piece], *, group_bytes: int | None = None) -> list[Group]:
    """Divide the pieces of one object into parts of its upload, and the parts into groups.

    Parameters
    ----------
    pieces
        All pieces of the object, in order, none of them empty.
    group_bytes
        A group ends with the part that makes it reach this size. By default, all parts are one
        group.

    Raises
    ------
    ResultTooLargeError
        If the object would be larger than `MAX_OBJECT_BYTES`.

    Notes
    -----
    A part consists of whole pieces and ends with the piece that makes it reach `part_bytes`. So
    every part but the last has at least that size, and at most one piece more.
    """
    total = total_bytes(pieces)
    if total > MAX_OBJECT_BYTES:
        raise ResultTooLargeError(
            f"the merged file would have {number_of(total, 'byte')}, but at most "
            f"{MAX_OBJECT_BYTES:,} can be joined: submit the input in several files"
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
    """Yield runs of consecutive values, each ending with the value that makes it reach `least`."""
    start = reached = 0
    for end, size in enumerate(sizes, 1):
        reached += size
        if reached >= least or end == len(sizes):
            yield tuple(values[start:end])
            start, reached = end, 0
