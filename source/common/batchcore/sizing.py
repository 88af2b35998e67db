"""Choose the rows per chunk to fit a file, for stacks with ``FileChunkSize=0``."""

from batchcore import csvtext
from batchcore.errors import TooManyChunksError
from batchcore.reference import KEYS_PER_CALL
from batchcore.texts import number_of

# The MaxValue of FileChunkSize in template.yaml. The chunk functions have enough memory for it.
MAX_CHUNK_ROWS = 20_000

# Every child of the Distributed Map returns "{}", and the list of these results may have 256 KiB.
MAX_CHUNKS = 80_000

# Sizes are multiples of the keys in one call of the reference data's API, so that calls are full.
STEP_ROWS = KEYS_PER_CALL

# With fewer rows a chunk costs more and its job is not done sooner: its fixed costs, some 30
# requests and transitions and the start of its workflow, are then larger than the cost of its rows.
# 100,000 rows in chunks of 2,500 took 10.8 s on the local engine, and on AWS 6.5 to 73 s as
# simulated with the default MaxConcurrency; in chunks of 5,000 they took 8.5 s, and 4.8 to 62 s
# (tools.benchmarks, November 2026).
LEAST_ROWS = 5_000

# The number of chunks, if they then have at least LEAST_ROWS rows: eight rounds of the default
# MaxConcurrency, so that idle places during the last round matter little.
_CHUNKS_WANTED = 64

# The share of a limit to plan with, because later rows may be longer or shorter than the first.
_MARGIN = 0.5

# The length of records is estimated from this many bytes at the beginning of the file.
HEAD_BYTES = 256 * 1024


def choose_chunk_rows(size_bytes: int, head: bytes, *, delimiter: str) -> int:
    """Return the rows per chunk for a file. The split uses it, and the client's plan of a file.

    The file is cut into 64 chunks, with at least 5,000 rows each (because of a chunk's fixed
    costs), at most 20,000 (because of memory), and at most half of the 16 MiB at which a chunk ends
    by its bytes. If that makes more than half of the 80,000 possible chunks, chunks get more rows,
    up to 20,000.

    Parameters
    ----------
    size_bytes
        The size of the whole file.
    head
        The first `HEAD_BYTES` of the file, or all of it.
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
    """Return the error for a file with more chunks than one Distributed Map can report on."""
    return TooManyChunksError(
        f"the file has more than {MAX_CHUNKS:,} chunks of {number_of(chunk_rows, 'row')}: deploy "
        "with a larger FileChunkSize, or with 0 to fit it to the file, and submit the file again"
    )
