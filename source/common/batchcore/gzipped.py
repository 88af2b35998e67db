"""Unpack a gzip file as a stream, in bounded memory and up to a bounded size."""

import zlib
from collections.abc import Iterable, Iterator

from batchcore.errors import GzipError
from batchcore.texts import number_of

SUFFIX = ".gz"
MAGIC = b"\x1f\x8b"

# One call unpacks and splits the file, as there are no ranges in it. As many bytes of a plain file
# take a quarter of the call's time.
MAX_UNPACKED_BYTES = 1024**3

# Data of people seldom shrink more than 50-fold; zlib can do 1,032. A file that is packed tighter
# and unpacks to this much is refused.
MAX_RATIO = 200
RATIO_FROM_BYTES = 256 * 1024**2

# The first block is small: the rows per chunk are chosen by it.
_FIRST_BYTES = 256 * 1024
_BLOCK_BYTES = 4 * 1024 * 1024
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Unpacker:
    """Unpacks the members of a gzip file, one after the other, as an iterator of blocks.

    Parameters
    ----------
    blocks
        The file's bytes.
    max_bytes
        The most bytes that it may unpack to.

    Raises
    ------
    GzipError
        While it is iterated: if the file is damaged, ends in the middle, has something else after
        its end, or unpacks to too much.
    """

    def __init__(self, blocks: Iterable[bytes], *, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
        self.packed_bytes = self.unpacked_bytes = 0  # so far
        self._blocks = iter(blocks)
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Yield the unpacked bytes."""
        member, begins = None, False
        for block in self._blocks:
            rest, full = block, False
            while rest or full:
                if member is None:
                    # Some programs fill a file up with zeros.
                    rest = rest.lstrip(b"\0") if self.packed_bytes else rest
                    if not rest:
                        break
                    member, begins = zlib.decompressobj(_GZIP_WINDOW), bool(self.packed_bytes)
                most = _BLOCK_BYTES if self.unpacked_bytes else _FIRST_BYTES
                before = len(rest)
                try:
                    data = member.decompress(rest, most)
                except zlib.error as error:
                    raise self._damaged(follows=begins and not rest.startswith(MAGIC)) from error
                begins = False
                rest = member.unused_data if member.eof else member.unconsumed_tail
                # Output may be left although all input has been taken.
                full = len(data) == most and not member.eof
                self._count(before - len(rest), len(data))
                if member.eof:
                    member = None
                if data:
                    yield data
        if member is not None:
            raise GzipError(
                f"the gzip file ends in the middle, after {self.unpacked_bytes:,} unpacked bytes: "
                "it is cut off, so make it again, and upload all of it"
            )

    def _damaged(self, *, follows: bool) -> GzipError:
        unpacked = f"after {self.unpacked_bytes:,} unpacked bytes"
        if follows:
            return GzipError(
                f"the gzip file has something else after its end, {unpacked}: make it again, "
                "without what follows"
            )
        return GzipError(
            f"the gzip file is damaged, {unpacked}: make it again, and upload all of it"
        )

    def _count(self, packed: int, unpacked: int) -> None:
        self.packed_bytes += packed
        self.unpacked_bytes += unpacked
        if self.unpacked_bytes > self._max_bytes:
            raise GzipError(
                f"the gzip file unpacks to more than {number_of(self._max_bytes, 'byte')}, the "
                "most that one call splits: unpack it and upload it as plain CSV, or in parts"
            )
        if (
            self.unpacked_bytes > RATIO_FROM_BYTES
            and self.unpacked_bytes > MAX_RATIO * self.packed_bytes
        ):
            raise GzipError(
                f"the gzip file unpacks to more than {MAX_RATIO} times its size, which data do "
                "not: if it is all right, upload it as plain CSV"
            )
