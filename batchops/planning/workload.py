"""What a file asks of the stack, and what the stack does for it: counts, no seconds, no money.

The constants say how the workflows and the functions are made; tests hold them to those files.
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

# source/statemachine, the way of a job that succeeds. A transition is a state that is entered, or
# a child that a Distributed Map starts. (AWS's example of a price also counts an execution's
# start, which would be one more a job and two more a chunk.)
JOB_TRANSITIONS = 9
CHUNK_TRANSITIONS = 1 + 1 + 5  # the child, its one state, the chunk workflow's states
RESUME_TRANSITIONS = 8
# More for a file that is split in ranges: its six states, and for each range two children of one
# state each.
RANGES_TRANSITIONS = 6
RANGE_TRANSITIONS = 2 * (1 + 1)
# More for a merge that several calls share: its three states, and for each group a child of one
# state.
GROUPS_TRANSITIONS = 3
GROUP_TRANSITIONS = 1 + 1

# The same way in events of the execution's history.
JOB_EVENTS = 34
RANGES_EVENTS = 22
GROUPS_EVENTS = 11
CHUNK_EVENTS = 24
# A try of a Lambda task that fails and is repeated: scheduled, started, failed.
RETRY_EVENTS = 3

# Seconds after which the main workflow gives up (its TimeoutSeconds).
JOB_TIMEOUT_S = 86_400

# Requests to S3. A chunk: chunk, records, valid, enriched, output and rejects are put; four of
# them are read by the next function. A job: two headers, the manifest and the mail are put; the
# manifest is read by the Map and the merge, the headers (and their heads) by the merge, and the
# input by the split; the client and the copy to the archive ask for its head.
CHUNK_PUTS = 6
CHUNK_GETS = 4
JOB_PUTS = 4
JOB_GETS = 9
# A file that is split in ranges: the list of cuts is put, and the header read once more. For each
# range its survey and its manifest are put; the input is read twice, its survey, the list of cuts,
# the header and its manifest once.
RANGES_PUTS, RANGES_GETS = 1, 1
RANGE_PUTS, RANGE_GETS = 2, 6
# A merge that several calls share: the plan is put, both files' uploads are listed (priced as a
# PUT), and the plan is read by the Map and by the last call. Each group, and what its parts are
# called, is put and read.
GROUPS_PUTS, GROUPS_GETS = 3, 2
GROUP_PUTS, GROUP_GETS = 2, 2

# boto3's managed transfers: from 8 MiB on an object is sent in parts of 8 MiB, with one request to
# begin and one to end.
PART_BYTES = 8 * 1024 * 1024

# Writes to JobTable. The JOB entry is written when the job is entered, split, merged, mailed and
# succeeded, each time in the index too; a chunk's when it starts and when it ends.
JOB_WRITES = 5 * 2
CHUNK_WRITES = 2
# A chunk's entry in the ledger with names, in bytes: what the merge reads of each.
CHUNK_ENTRY_BYTES = 550

# What a column of the enrichment adds to a row of the output, in the shipped reference data.
ENRICHMENT_COLUMN_BYTES = 8

# An entry of the manifest as JSON, with the longest job id.
MANIFEST_ENTRY_BYTES = 300

# Memory of the chunk functions: Python and boto3, and what a row and a byte of the chunk take in
# read-file, the largest. Resident sizes measured on 2026-11-23 with Python 3.11 on Linux, in
# chunks of 20,000 rows and of 16 MB.
BASE_MEMORY_BYTES = 120_000_000
ROW_MEMORY_BYTES = 5_000
MEMORY_BYTES_PER_BYTE = 6


@dataclass(frozen=True)
class Workload:
    """What a file asks of the stack.

    Attributes
    ----------
    size_bytes, rows, chunks, chunk_rows : int
        The file, and its chunks of at most `chunk_rows` rows.
    rejected, errors : int
        Rows that are rejected, and the rules that they break.
    error_writes : int
        Write units of ErrorTable for them.
    keys : int
        Keys that are looked up: of each chunk the distinct ones of the rows that are valid.
    api_calls : int
        Calls of ``POST /financials`` for them.
    output_bytes, rejects_bytes : int
        Sizes of the completed file and of the rejects.
    reject_pieces : int
        Chunks with rejected rows.
    largest_chunk_bytes : int
        Of the records of the largest chunk.
    settings : StackSettings
        How the stack is set up; by default like one that is deployed from this checkout.
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
    reject_pieces: int = 0
    largest_chunk_bytes: int = 0
    settings: StackSettings = field(default_factory=shipped_settings, repr=False)

    @property
    def ranges(self) -> int:
        """Ranges that the file is split in, side by side; 0 if one call splits it."""
        range_bytes = self.settings.range_bytes
        if self.size_bytes <= range_bytes:
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

    def rechunked(self, chunk_rows: int) -> Workload:
        """Return the same file in chunks of another size, its rows taken for equally long."""
        by_rows = -(-self.rows // chunk_rows)
        by_bytes = -(-self.size_bytes // MAX_CHUNK_BYTES)
        chunks = max(by_rows, by_bytes)
        return replace(
            self,
            chunk_rows=chunk_rows,
            chunks=chunks,
            api_calls=chunks * -(-self.keys // (chunks * KEYS_PER_CALL)),
            reject_pieces=min(chunks, self.rejected),
            largest_chunk_bytes=-(-self.size_bytes // chunks),
        )


def put_requests(size_bytes: int, *, part_bytes: int = PART_BYTES) -> int:
    """Return how many requests boto3 sends an object of this size with."""
    if size_bytes < part_bytes:
        return 1
    return 2 + -(-size_bytes // part_bytes)


def merge_parts(size_bytes: int) -> int:
    """Return how many parts the merge sends a file of this size in."""
    return max(min(1, size_bytes), size_bytes // pieces.part_bytes(size_bytes))


def merge_groups(work: Workload) -> int:
    """Return how many calls the merge of a file is shared by, each with a group of its pieces."""
    total = work.output_bytes + work.rejects_bytes
    most = work.settings.merge_group_bytes
    if total <= most:
        return 1
    return sum(-(-size // most) for size in (work.output_bytes, work.rejects_bytes))


def merge_calls(work: Workload) -> int:
    """Return the calls of merge-s3-files: one, or one that plans, the groups', and the last."""
    groups = merge_groups(work)
    return groups if groups == 1 else groups + 2


def s3_puts(work: Workload) -> int:
    """Return the requests to S3 that cost what a PUT costs, the upload itself included."""
    groups = merge_groups(work)
    merged = sum(
        2 + merge_parts(size) if size >= pieces.PART_BYTES or groups > 1 else 1
        for size in (work.output_bytes, work.rejects_bytes)
    )
    upload = put_requests(work.size_bytes)
    archive = put_requests(work.size_bytes, part_bytes=COPY_PART_BYTES)
    found = CHUNK_PUTS * work.chunks + JOB_PUTS + merged + upload + archive
    if work.ranges:
        found += RANGES_PUTS + RANGE_PUTS * work.ranges
    if groups > 1:
        found += GROUPS_PUTS + GROUP_PUTS * groups
    return found


def s3_gets(work: Workload) -> int:
    """Return the requests to S3 that cost what a GET costs; the merge reads what is not empty."""
    found = (CHUNK_GETS + 1) * work.chunks + work.reject_pieces + JOB_GETS
    if work.ranges:
        found += RANGES_GETS + RANGE_GETS * work.ranges
    groups = merge_groups(work)
    if groups > 1:
        found += GROUPS_GETS + GROUP_GETS * groups
    return found


def transitions(work: Workload) -> int:
    """Return the state transitions of a job that succeeds at once."""
    found = JOB_TRANSITIONS + CHUNK_TRANSITIONS * work.chunks
    if work.ranges:
        found += RANGES_TRANSITIONS + RANGE_TRANSITIONS * work.ranges
    groups = merge_groups(work)
    if groups > 1:
        found += GROUPS_TRANSITIONS + GROUP_TRANSITIONS * groups
    return found


def job_events(work: Workload) -> int:
    """Return the events of the main workflow's history, if the job succeeds at once."""
    ranges = RANGES_EVENTS if work.ranges else 0
    return JOB_EVENTS + ranges + (GROUPS_EVENTS if merge_groups(work) > 1 else 0)


def chunk_memory_bytes(work: Workload) -> int:
    """Return what the hungriest chunk function is likely to take for the largest chunk."""
    rows = min(work.chunk_rows, work.rows)
    return (
        BASE_MEMORY_BYTES
        + rows * ROW_MEMORY_BYTES
        + work.largest_chunk_bytes * MEMORY_BYTES_PER_BYTE
    )
