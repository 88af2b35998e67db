"""JobTable and the tables of errors: every read and write of them stands in this package.

`job_items`, `chunk_items` (both on `entries`) and `error_items` have what an item holds,
`job_table` reads, `error_table` reads, and deletes the errors of a job, `claims` has the
conditional updates by which an attempt takes a job over, and deletes the entries of one, and
`job_queue` is where jobs wait. Attributes are camelCase in the tables, and in this package only.
"""

from batchops.core.ledger.chunk_items import ChunkEntry
from batchops.core.ledger.claims import (
    UNSENT,
    abort,
    claim,
    delete_entries,
    enter_end,
    enter_unsent,
    mark_pending,
    name_manifest,
    queue_up,
    release,
)
from batchops.core.ledger.entries import ErrorsPlace
from batchops.core.ledger.error_items import ERROR_COLUMNS, ErrorFilter, ErrorItem
from batchops.core.ledger.error_table import (
    count_errors,
    delete_errors,
    error_values,
    rejected_rows,
    stored_error_page,
    stored_errors,
)
from batchops.core.ledger.job_items import JobEntry
from batchops.core.ledger.job_queue import (
    advance_queue,
    has_queue,
    has_ticket,
    hold_slot,
    jobs_ahead,
    leave_queue,
    look_after_queue,
    queue_standing,
    stack_queue,
    start_in_turn,
)
from batchops.core.ledger.job_table import (
    BATCH_KEYS,
    chunk_counts,
    chunk_entries,
    chunk_entries_from,
    chunk_entry,
    count_jobs,
    job_entry,
    known_jobs,
    recent_jobs,
    some_chunk_entries,
)

__all__ = [
    "BATCH_KEYS",
    "ERROR_COLUMNS",
    "UNSENT",
    "ChunkEntry",
    "ErrorFilter",
    "ErrorItem",
    "ErrorsPlace",
    "JobEntry",
    "abort",
    "advance_queue",
    "chunk_counts",
    "chunk_entries",
    "chunk_entries_from",
    "chunk_entry",
    "claim",
    "count_errors",
    "count_jobs",
    "delete_entries",
    "delete_errors",
    "enter_end",
    "enter_unsent",
    "error_values",
    "has_queue",
    "has_ticket",
    "hold_slot",
    "job_entry",
    "jobs_ahead",
    "known_jobs",
    "leave_queue",
    "look_after_queue",
    "mark_pending",
    "name_manifest",
    "queue_standing",
    "queue_up",
    "recent_jobs",
    "rejected_rows",
    "release",
    "some_chunk_entries",
    "stack_queue",
    "start_in_turn",
    "stored_error_page",
    "stored_errors",
]
