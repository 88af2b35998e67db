"""Objects that are joined into one, in order, without holding more than a few of them."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from boto3.s3.transfer import TransferConfig

from batchcore import aws
from batchcore.errors import BalanceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Pieces are small and many, so fetching them is a matter of latency; each has at most some 40 MB.
FETCHES_IN_FLIGHT = 8

# Amazon S3: at most 10,000 parts, each at least 5 MiB but the last.
PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 9_000


@dataclass(frozen=True, slots=True)
class Piece:
    """An object, and the size that it must have if that is known."""

    key: str
    size_bytes: int | None = None


class PieceReader:
    """The pieces one after the other, as a file to read from; a few are fetched ahead."""

    def __init__(self, s3: "S3Client", bucket: str, pieces: Sequence[Piece]) -> None:
        self._s3 = s3
        self._bodies = self._fetch_ahead(bucket, pieces)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end; all that is left if `size` is negative."""
        found, length = [self._rest], len(self._rest)
        while size < 0 or length < size:
            body = next(self._bodies, None)
            if body is None:
                break
            found.append(body)
            length += len(body)
        data = b"".join(found)
        cut = length if size < 0 else size
        self._rest = data[cut:]
        return data[:cut]

    def _fetch_ahead(self, bucket: str, pieces: Sequence[Piece]) -> Iterator[bytes]:
        ahead: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(FETCHES_IN_FLIGHT) as pool:
            for piece in pieces:
                ahead.append(pool.submit(self._fetch, bucket, piece))
                if len(ahead) == FETCHES_IN_FLIGHT:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _fetch(self, bucket: str, piece: Piece) -> bytes:
        body = aws.read_object(self._s3, bucket, piece.key)
        if piece.size_bytes is not None and len(body) != piece.size_bytes:
            raise BalanceError(
                f"{piece.key} has {len(body):,} bytes; its chunk wrote {piece.size_bytes:,}"
            )
        return body


def join_pieces(s3: "S3Client", bucket: str, pieces: Sequence[Piece], key: str) -> None:
    """Write the pieces as one object, in parts if it is large; repeating it gives the same.

    Raises
    ------
    BalanceError
        If a piece has another size than it must have; nothing is written then.
    """
    total = sum(piece.size_bytes or 0 for piece in pieces)
    transfer = TransferConfig(
        multipart_chunksize=max(PART_BYTES, total // MAX_PARTS), max_concurrency=4
    )
    reader = cast("IO[bytes]", PieceReader(s3, bucket, pieces))
    csv_type = {"ContentType": "text/csv"}
    s3.upload_fileobj(reader, bucket, key, ExtraArgs=csv_type, Config=transfer)
