"""Which row of the uploaded file each line of a completed file is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from batchcore import csvtext
from batchcore.texts import number_of

from batchops.core.errors import JobError
from batchops.core.manifest import read_piece, require_manifest

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry
    from batchops.core.manifest import ManifestChunk


def accepted_rows(
    job: JobRef, entry: JobEntry, *, rejected: Collection[int], lines: int
) -> list[int]:
    """Return the source row of each line of the completed file, in order, the header being row 1.

    The list of chunks says it; only chunks that have blank lines are read.

    Parameters
    ----------
    rejected
        The source rows of the rejects.
    lines
        The lines of the completed file, without its header.

    Raises
    ------
    JobError
        If the list of chunks, or a chunk, has expired, or the files are of several attempts.
    AwsError
    """
    bad = frozenset(rejected)
    chunks = require_manifest(job, entry)
    found = [row for chunk in chunks for row in _rows(job, entry, chunk) if row not in bad]
    if len(found) != lines:
        raise JobError(
            f"job {job.id} has {number_of(len(found), 'accepted row')} and "
            f"{number_of(lines, 'line')} in its completed "
            "file: another attempt has replaced a file meanwhile, so read it again",
            job_id=job.id,
        )
    return found


def _rows(job: JobRef, entry: JobEntry, chunk: ManifestChunk) -> Iterator[int]:
    """Yield the rows of a chunk; blank lines are none, but count in the numbers."""
    if chunk.last_row - chunk.first_row + 1 == chunk.rows:
        yield from range(chunk.first_row, chunk.last_row + 1)
        return
    data = read_piece(job, entry.bucket, chunk.key, chunk.version_id).removeprefix(csvtext.BOM)
    records = csvtext.iter_records(data, delimiter=entry.delimiter)
    next(records)  # the header
    for row, record in enumerate(records, chunk.first_row):
        if not csvtext.is_blank(record):
            yield row
