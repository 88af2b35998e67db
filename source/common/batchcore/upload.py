"""Open an uploaded file: unpack it, check it, find its delimiter, choose the rows per chunk."""

from collections.abc import Iterable, Iterator
from itertools import chain

from batchcore import csvtext, gzipped, intake, sizing
from batchcore.schema import RecordSchema

# What the deployed functions take. 1, which stacks without the output InputFormat have: plain
# files with the stack's delimiter. 2: what stands here. The output says the same number.
INPUT_FORMAT = 2


class Upload:
    """An uploaded file. The split opens it, and a plan foresees what the split will find.

    Parameters
    ----------
    blocks
        The file's bytes.
    name
        Its name or key. If that ends in ``.gz``, a gzip file is unpacked.
    delimiter
        The stack's delimiter, or the one that an attempt before has found.
    chunk_rows
        Rows per chunk; 0 to choose them.
    size_bytes
        The file's size, which is needed to choose them.
    input_format
        What the functions take, see `INPUT_FORMAT`.

    Attributes
    ----------
    splitter : Splitter
        Cuts the chunks, once `read_header` has told it how.
    packed : bool
        Whether it is a gzip file, once the header is read. There are no ranges in one.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        *,
        name: str,
        delimiter: str,
        chunk_rows: int,
        size_bytes: int = 0,
        input_format: int = INPUT_FORMAT,
    ) -> None:
        self.packed = False
        self.splitter = csvtext.Splitter(
            self._open(iter(blocks)), delimiter=delimiter, chunk_rows=chunk_rows or 1
        )
        self._name, self._size_bytes = name, size_bytes
        self._chooses_rows = not chunk_rows
        self._finds = input_format >= INPUT_FORMAT
        self._head = b""

    def _open(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the unpacked and checked bytes."""
        first = next(blocks, b"")
        blocks = chain([first], blocks)
        named = self._name.lower().endswith(gzipped.SUFFIX)
        self.packed = self._finds and named and first.startswith(gzipped.MAGIC)
        unpacker = gzipped.Unpacker(blocks) if self.packed else None
        for block in intake.check_text(iter(unpacker or blocks)):
            if not self._head:
                self._head = block[: sizing.HEAD_BYTES]
                if unpacker:
                    ratio = unpacker.unpacked_bytes / unpacker.packed_bytes
                    self._size_bytes = int(self._size_bytes * ratio)
            yield block

    def read_header(self, schema: RecordSchema) -> bytes:
        """Check the beginning of the file, and return its header with a line end.

        Raises
        ------
        FileError
            If the file is not acceptable.
        """
        splitter = self.splitter
        if self._finds:
            header = intake.find_header(splitter, schema)
        else:
            header = intake.read_header(splitter, schema, delimiter=splitter.delimiter)
        if self._chooses_rows:
            splitter.chunk_rows = sizing.choose_chunk_rows(
                self._size_bytes, self._head, delimiter=splitter.delimiter
            )
        return header
