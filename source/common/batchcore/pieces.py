"""How pieces become one object: which of their bytes each part of a multipart upload has.

Pure planning: the pieces' sizes are known before any of them is read, so it is known too where each
lies in the whole. `batchcore.joining` does what is planned here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from batchcore.errors import ResultTooLargeError

# Amazon S3 user guide, multipart upload limits (2026-11): at most 10,000 parts, each at least 5 MiB
# but the last; an object of at most 5 TiB.
MAX_PARTS = 10_000
MAX_OBJECT_BYTES = 5 * 1024**4

PART_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """One version of an object, which never changes, and its size in bytes."""

    key: str
    version_id: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The bytes of a piece from `start` up to, and without, `stop`."""

    piece: Piece
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        """Bytes of it."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart upload: its number, from 1 on, and what it is made of."""

    number: int
    slices: tuple[Slice, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of it."""
        return sum(piece.size_bytes for piece in self.slices)


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive pieces that one function uploads, as parts of which it has the numbers alone.

    Attributes
    ----------
    first_part, parts : int
        The number of the first part, and how many they are.
    """

    first_part: int
    parts: int
    pieces: tuple[Piece, ...]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Group":
        """Return the group that was stored as JSON."""
        pieces = tuple(Piece(**piece) for piece in values["pieces"])
        return cls(values["first_part"], values["parts"], pieces)

    def cut(self) -> Iterator[Part]:
        """Yield the parts, their sizes as even as can be."""
        total = total_bytes(self.pieces)
        bounds = [total * n // self.parts for n in range(self.parts + 1)]
        left = iter(self.pieces)
        piece, at = next(left), 0  # the piece under way, and where it starts in the group
        for number, (start, stop) in enumerate(pairwise(bounds)):
            found, position = [], start
            while position < stop:
                if position == at + piece.size_bytes:
                    piece, at = next(left), position
                    continue
                end = min(stop, at + piece.size_bytes)
                found.append(Slice(piece, position - at, end - at))
                position = end
            yield Part(self.first_part + number, tuple(found))


def total_bytes(pieces: Sequence[Piece]) -> int:
    """Return the size of the pieces together."""
    return sum(piece.size_bytes for piece in pieces)


def part_bytes(size_bytes: int) -> int:
    """Return the least size of the parts, but the last, that an object of this size is sent in."""
    return max(PART_BYTES, -(-size_bytes // (MAX_PARTS - 1)))


def plan_groups(pieces: Sequence[Piece], *, group_bytes: int | None = None) -> list[Group]:
    """Divide the pieces of one object into groups, and number the parts of each.

    Parameters
    ----------
    pieces
        All pieces of the object, in order, none of them empty.
    group_bytes
        A group ends with the piece that takes it here, and the last one with the last piece. By
        default all pieces are one group.

    Raises
    ------
    ResultTooLargeError
        If the object would be larger than Amazon S3 takes.

    Notes
    -----
    Each part has at least `part_bytes`, but the very last one of the object, and none has twice as
    much: a group has as many as that allows, and the bytes left over are spread over them.
    """
    total = total_bytes(pieces)
    if total > MAX_OBJECT_BYTES:
        raise ResultTooLargeError(
            f"the merged file would have {total:,} bytes, and an object may have "
            f"{MAX_OBJECT_BYTES:,}: submit the input in several files"
        )
    least = part_bytes(total)
    wanted = total if group_bytes is None else max(group_bytes, least)
    groups: list[Group] = []
    taken: list[Piece] = []
    first_part, taken_bytes = 1, 0
    for place, piece in enumerate(pieces, 1):
        taken.append(piece)
        taken_bytes += piece.size_bytes
        if taken_bytes >= wanted or place == len(pieces):
            parts = max(1, taken_bytes // least)
            groups.append(Group(first_part, parts, tuple(taken)))
            first_part += parts
            taken, taken_bytes = [], 0
    return groups
