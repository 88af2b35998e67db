"""How many rows a chunk has where the stack leaves that to the file: ``FileChunkSize=0``."""

from batchcore import csvtext
from batchcore.errors import TooManyChunksError
from batchcore.reference import KEYS_PER_CALL

# template.yaml: the MaxValue of FileChunkSize, what the chunk functions' memory is made for.
MAX_CHUNK_ROWS = 20_000

# Every child of the Distributed Map returns "{}", and the list of them may have 256 KiB.
MAX_CHUNKS = 80_000

# A size is a multiple of what one call of the reference data's API takes: no call goes half empty.
STEP_ROWS = KEYS_PER_CALL

# Below this a chunk is dearer and no sooner done: what it costs whatever is in it, some 30 requests
# and transitions and the start of its workflow, is then more than its rows' share.
LEAST_ROWS = 2_500

# As many chunks at least, if they can have so many rows each: eight rounds of the default
# MaxConcurrency, so that the places that are idle while the last chunks end do not count for much.
_CHUNKS_WANTED = 64

# Rows further on may be longer or shorter than the first ones: so much of a limit is planned with.
_MARGIN = 0.5

# The beginning of the file by which its records' length is judged.
HEAD_BYTES = 256 * 1024


def choose_chunk_rows(size_bytes: int, head: bytes, *, delimiter: str) -> int:
    """Return the rows a chunk of a file, for the split and for a plan of it alike.

    The file is cut into 64 chunks, but no chunk has less than 2,500 rows (each costs as much in
    transitions and requests, whatever is in it) or more than 20,000 (memory), and none half of the
    16 MiB where it would end by its bytes. Files for which that would make more than half of the
    80,000 chunks that are possible take larger ones, up to 20,000 rows.

    Parameters
    ----------
    size_bytes
        Of the whole file.
    head
        Its first `HEAD_BYTES`, or all of it.
    """
    splitter = csvtext.Splitter([head], delimiter=delimiter, chunk_rows=MAX_CHUNK_ROWS, part=True)
    splitter.header()
    in_head = sum(chunk.rows for chunk in splitter.chunks())
    record_bytes = len(head) / max(1, in_head)
    rows = size_bytes / max(1.0, record_bytes)
    wanted = max(rows / _CHUNKS_WANTED, rows / (_MARGIN * MAX_CHUNKS))
    by_bytes = int(_MARGIN * csvtext.MAX_CHUNK_BYTES / max(1.0, record_bytes))
    most = min(MAX_CHUNK_ROWS, by_bytes)
    if most < STEP_ROWS:
        return max(1, most)
    steps = max(LEAST_ROWS // STEP_ROWS, -(-int(wanted) // STEP_ROWS))
    return min(steps, most // STEP_ROWS) * STEP_ROWS


def too_many_chunks(chunk_rows: int) -> TooManyChunksError:
    """Return the error of a file that has more chunks than one Distributed Map can report on."""
    return TooManyChunksError(
        f"the file has more than {MAX_CHUNKS:,} chunks of {chunk_rows:,} rows: deploy with "
        "a larger FileChunkSize, or with 0, which fits it to the file, and submit it again"
    )
