"""JobTable and ErrorTable: every read and every write of them stands in this package.

`entries` has what an entry holds, `job_table` and `error_table` read, and `claims` has the
conditional updates by which an attempt takes a job over. Attributes are camelCase in the tables,
and in this package only.
"""

from batchops.core.ledger.claims import (
    abort,
    claim,
    mark_pending,
    name_manifest,
    release,
)
from batchops.core.ledger.entries import ChunkEntry, ErrorsPlace, JobEntry
from batchops.core.ledger.error_table import (
    ERROR_COLUMNS,
    ErrorFilter,
    ErrorItem,
    error_values,
    rejected_rows,
    stored_error_page,
    stored_errors,
)
from batchops.core.ledger.job_table import (
    BATCH_KEYS,
    chunk_counts,
    chunk_entries,
    chunk_entries_from,
    count_jobs,
    job_entry,
    recent_jobs,
    some_chunk_entries,
)

__all__ = [
    "BATCH_KEYS",
    "ERROR_COLUMNS",
    "ChunkEntry",
    "ErrorFilter",
    "ErrorItem",
    "ErrorsPlace",
    "JobEntry",
    "abort",
    "chunk_counts",
    "chunk_entries",
    "chunk_entries_from",
    "claim",
    "count_jobs",
    "error_values",
    "job_entry",
    "mark_pending",
    "name_manifest",
    "recent_jobs",
    "rejected_rows",
    "release",
    "some_chunk_entries",
    "stored_error_page",
    "stored_errors",
]
