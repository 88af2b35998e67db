"""JobTable and ErrorTable: every read and every write of them stands in this package.

`entries` says what an entry holds, `reading` reads them, and `claims` has the conditional updates
by which an attempt takes a job over. Attributes are camelCase in the tables, and in this package
only.
"""

from batchops.core.ledger.claims import (
    abort,
    claim,
    mark_pending,
    name_manifest,
    release,
)
from batchops.core.ledger.entries import (
    ERROR_COLUMNS,
    ChunkEntry,
    ErrorItem,
    JobEntry,
    split_settings,
)
from batchops.core.ledger.reading import (
    BATCH_KEYS,
    ErrorFilter,
    chunk_entries,
    chunk_entries_from,
    count_jobs,
    error_items,
    error_page,
    job_entry,
    recent_jobs,
    rejected_rows,
    some_chunk_entries,
)

__all__ = [
    "BATCH_KEYS",
    "ERROR_COLUMNS",
    "ChunkEntry",
    "ErrorFilter",
    "ErrorItem",
    "JobEntry",
    "abort",
    "chunk_entries",
    "chunk_entries_from",
    "claim",
    "count_jobs",
    "error_items",
    "error_page",
    "job_entry",
    "mark_pending",
    "name_manifest",
    "recent_jobs",
    "rejected_rows",
    "release",
    "some_chunk_entries",
    "split_settings",
]
