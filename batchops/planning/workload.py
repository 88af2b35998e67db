"""What a file asks of a stack, and what the stack does for it, as counts without seconds or money.

The constants follow from the workflows and the functions; tests compare them with those files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from batchcore import pieces
from batchcore.aws import COPY_PART_BYTES
from batchcore.csvtext import MAX_CHUNK_BYTES
from batchcore.ranges import range_starts
from batchcore.reference import KEYS_PER_CALL

from batchops.deployment.settings import StackSettings, shipped_settings

# Each child of the Map returns "{}" and a comma.
MAP_OUTPUT_BYTES_PER_CHUNK = 3

# State transitions of a job that succeeds (source/statemachine): a transition is a state that is
# entered, or a child that a Distributed Map starts. (AWS's example of a price also counts the start
# of an execution, which would be one more per job and two more per chunk.)
JOB_TRANSITIONS = 12
CHUNK_TRANSITIONS = 1 + 1 + 6  # the child, its one state, the chunk workflow's states
RESUME_TRANSITIONS = 11
# A file that is split in ranges takes six states more, and for each range two children of one state
# each.
RANGES_TRANSITIONS = 6
RANGE_TRANSITIONS = 2 * (1 + 1)
# A merge that several calls share takes three states more, and for each group a child of one state.
GROUPS_TRANSITIONS = 3
GROUP_TRANSITIONS = 1 + 1

# Events in the histories of the same executions.
JOB_EVENTS = 43
RANGES_EVENTS = 22
GROUPS_EVENTS = 11
CHUNK_EVENTS = 26
# A failed try of a Lambda task that is repeated: scheduled, started, failed.
RETRY_EVENTS = 3

# Seconds after which the main workflow gives up (its TimeoutSeconds).
JOB_TIMEOUT_S = 86_400

# Requests to S3. A chunk puts its chunk, records, valid, enriched, output and rejects; the next
# function reads four of them. A chunk with errors, and the first, puts its errors, too. A job puts
# two headers, the manifest and the mail. The Map and the merge read the manifest, the merge reads
# the headers and their heads, the split reads the input, and the client and the copy to the archive
# ask for the input's head. Without look-up, nothing is enriched.
CHUNK_PUTS = 6
CHUNK_GETS = 4
JOB_PUTS = 4
JOB_GETS = 9
# A file that is split in ranges puts the list of cuts and reads the header once more. Each range
# puts its survey and its manifest, reads the input twice, and reads the survey, the list of cuts,
# the header and the manifest once.
RANGES_PUTS, RANGES_GETS = 1, 1
RANGE_PUTS, RANGE_GETS = 2, 6
# A merge that several calls share puts its plan and lists the uploads of its files (LIST has the
# price of PUT); the Map and the last call read the plan. Each group and the list of its parts are
# put and read.
GROUPS_PUTS, GROUPS_GETS = 4, 2
GROUP_PUTS, GROUP_GETS = 2, 2

# boto3's managed transfers send an object of 8 MiB or more in parts of 8 MiB, with one request to
# begin and one to end.
PART_BYTES = 8 * 1024 * 1024

# Writes to JobTable. The JOB entry is written when the job is entered, started, split, merged,
# mailed and succeeded, each time to the index too. The ticket with the workflow's input is written
# and deleted; the slots, an item of at most 2 KB where ten jobs run, are written twice. A chunk's
# entry is written when it starts and when it ends.
JOB_WRITES = 6 * 2 + 2 + 2 * 2
CHUNK_WRITES = 2
# Bytes of a chunk's entry in the ledger, with the attributes' names; the merge reads all entries.
CHUNK_ENTRY_BYTES = 700

# Bytes that a column of the shipped reference data adds to a row of the output.
ENRICHMENT_COLUMN_BYTES = 8

# Bytes of a manifest entry as JSON, with the longest job id.
MANIFEST_ENTRY_BYTES = 300

# Memory of read-file, which takes the most of the chunk functions: Python with boto3, and what each
# row and byte of the chunk add. Resident sizes, measured on 2026-11-23 with Python 3.11 on Linux,
# with chunks of 20,000 rows and of 16 MB.
BASE_MEMORY_BYTES = 120_000_000
ROW_MEMORY_BYTES = 5_000
MEMORY_BYTES_PER_BYTE = 6


@dataclass(frozen=True)
class Workload:
    """What a file asks of a stack.

    Attributes
    ----------
    size_bytes, rows, chunks, chunk_rows : int
        The file, and its chunks of at most `chunk_rows` rows.
    rejected, errors : int
        Rows that are rejected, and the rules that they break.
    error_writes : int
        Write units of ErrorRangesTable for them.
    keys : int
        Keys that are looked up: the distinct keys of the valid rows of each chunk.
    api_calls : int
        Calls of ``POST /financials`` for them.
    output_bytes, rejects_bytes, errors_bytes : int
        Sizes of the completed file, of the rejects and of the file of errors.
    reject_pieces : int
        Chunks with rejected rows.
    largest_chunk_bytes : int
        Of the records of the largest chunk.
    looks_up : bool
        Whether rows are looked up in reference data.
    unpacked_bytes : int
        What a gzip file unpacks to; 0 for any other.
    settings : StackSettings
        How the stack is set up; by default as this checkout deploys it.
    """

    size_bytes: int
    rows: int
    chunks: int
    chunk_rows: int
    rejected: int = 0
    errors: int = 0
    error_writes: int = 0
    keys: int = 0
    api_calls: int = 0
    output_bytes: int = 0
    rejects_bytes: int = 0
    errors_bytes: int = 0
    reject_pieces: int = 0
    largest_chunk_bytes: int = 0
    looks_up: bool = True
    unpacked_bytes: int = 0
    settings: StackSettings = field(default_factory=shipped_settings, repr=False)

    @property
    def text_bytes(self) -> int:
        """The bytes of the rows and the header, which are those of the file if it is not packed."""
        return self.unpacked_bytes or self.size_bytes

    @property
    def files_bytes(self) -> tuple[int, int, int]:
        """The sizes of the files that the merge makes."""
        return self.output_bytes, self.rejects_bytes, self.errors_bytes

    @property
    def error_pieces(self) -> int:
        """Chunks that write errors in a file; at least the first does, for the header."""
        return max(1, self.reject_pieces)

    @property
    def ranges(self) -> int:
        """Ranges that the file is split in, side by side; 0 if one call splits it."""
        range_bytes = self.settings.range_bytes
        if self.unpacked_bytes or self.size_bytes <= range_bytes:
            return 0
        return len(range_starts(0, self.size_bytes, range_bytes=range_bytes))

    @property
    def rows_per_chunk(self) -> float:
        """Rows of a chunk on average."""
        return self.rows / max(1, self.chunks)

    @property
    def calls_per_chunk(self) -> float:
        """Calls of the API for a chunk on average."""
        return self.api_calls / max(1, self.chunks)

    @property
    def chunk_puts(self) -> int:
        """Requests to S3 for a chunk that have the price of a PUT."""
        return CHUNK_PUTS - (not self.looks_up)

    @property
    def chunk_gets(self) -> int:
        """Requests to S3 for a chunk that have the price of a GET."""
        return CHUNK_GETS - (not self.looks_up)

    def rechunked(self, chunk_rows: int) -> Workload:
        """Return the same file in chunks of another size, as if all rows were equally long."""
        by_rows = -(-self.rows // chunk_rows)
        by_bytes = -(-self.text_bytes // MAX_CHUNK_BYTES)
        chunks = max(by_rows, by_bytes)
        return replace(
            self,
            chunk_rows=chunk_rows,
            chunks=chunks,
            api_calls=chunks * -(-self.keys // (chunks * KEYS_PER_CALL)),
            reject_pieces=min(chunks, self.rejected),
            largest_chunk_bytes=-(-self.text_bytes // chunks),
        )


def put_requests(size_bytes: int, *, part_bytes: int = PART_BYTES) -> int:
    """Return how many requests boto3 makes to upload an object of this size."""
    if size_bytes < part_bytes:
        return 1
    return 2 + -(-size_bytes // part_bytes)


def count_merge_parts(size_bytes: int) -> int:
    """Return in how many parts the merge uploads a file of this size."""
    return max(min(1, size_bytes), size_bytes // pieces.part_bytes(size_bytes))


def merge_groups(work: Workload) -> int:
    """Return how many calls upload the result files, each of them a group of pieces."""
    total = sum(work.files_bytes)
    most = work.settings.merge_group_bytes
    if total <= most:
        return 1
    return sum(-(-size // most) for size in work.files_bytes)


def merge_calls(work: Workload) -> int:
    """Return the calls of merge-s3-files: one, or one that plans, one per group, and a last one."""
    groups = merge_groups(work)
    return groups if groups == 1 else groups + 2


def s3_puts(work: Workload) -> int:
    """Return the requests to S3 that have the price of a PUT, including the upload itself."""
    groups = merge_groups(work)
    merged = sum(
        2 + count_merge_parts(size) if size >= pieces.PART_BYTES or groups > 1 else 1
        for size in work.files_bytes
    )
    upload = put_requests(work.size_bytes)
    archive = put_requests(work.size_bytes, part_bytes=COPY_PART_BYTES)
    chunks = work.chunk_puts * work.chunks + work.error_pieces
    found = chunks + JOB_PUTS + merged + upload + archive
    return found + _large_file(work, (RANGES_PUTS, RANGE_PUTS), (GROUPS_PUTS, GROUP_PUTS))


def s3_gets(work: Workload) -> int:
    """Return the requests to S3 that have the price of a GET; empty pieces are not read."""
    pieces_read = work.chunks + work.reject_pieces + work.error_pieces
    found = work.chunk_gets * work.chunks + pieces_read + JOB_GETS
    return found + _large_file(work, (RANGES_GETS, RANGE_GETS), (GROUPS_GETS, GROUP_GETS))


def transitions(work: Workload) -> int:
    """Return the state transitions of a job that succeeds at its first attempt."""
    found = JOB_TRANSITIONS + CHUNK_TRANSITIONS * work.chunks
    ranges = RANGES_TRANSITIONS, RANGE_TRANSITIONS
    groups = GROUPS_TRANSITIONS, GROUP_TRANSITIONS
    return found + _large_file(work, ranges, groups)


def _large_file(work: Workload, ranges: tuple[int, int], groups: tuple[int, int]) -> int:
    """Return what a split in ranges and a merge in groups add, once and per range or group."""
    found = ranges[0] + ranges[1] * work.ranges if work.ranges else 0
    shared = merge_groups(work)
    return found + (groups[0] + groups[1] * shared if shared > 1 else 0)


def job_events(work: Workload) -> int:
    """Return the events in the history of the main workflow, if its first attempt succeeds."""
    ranges = RANGES_EVENTS if work.ranges else 0
    return JOB_EVENTS + ranges + (GROUPS_EVENTS if merge_groups(work) > 1 else 0)


def chunk_memory_bytes(work: Workload) -> int:
    """Return the memory that read-file is likely to take for the largest chunk."""
    rows = min(work.chunk_rows, work.rows)
    return (
        BASE_MEMORY_BYTES
        + rows * ROW_MEMORY_BYTES
        + work.largest_chunk_bytes * MEMORY_BYTES_PER_BYTE
    )
