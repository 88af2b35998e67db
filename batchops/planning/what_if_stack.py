"""What another schema would do to a file or a job of a deployed stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchcore import jobs
from batchcore.errors import FileError

from batchops.core.manifest import read_piece, require_manifest
from batchops.deployment.deployed import deployed_schema
from batchops.planning.conversion import AS_IT_IS, Reading, open_plain
from batchops.planning.planner import reference_keys
from batchops.planning.what_if import apply_schemas, chunk_files, load_schema, refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchcore.schema import RecordSchema

    from batchops.core.job_ref import JobRef
    from batchops.core.stack_ref import StackRef
    from batchops.planning.conversion import Source
    from batchops.planning.what_if import ChunkFile, SchemaSource, WhatIf


def what_if_file(
    stack: StackRef,
    source: Source,
    schema: SchemaSource,
    *,
    name: str | None = None,
    reading: Reading = AS_IT_IS,
) -> WhatIf:
    """Return what another schema would do to a file that is not uploaded yet.

    Parameters
    ----------
    source, name, reading
        The file, see `open_plain`.
    schema
        The other schema.

    Raises
    ------
    InputError, StackNotFoundError, AwsError
    """
    then, now = load_schema(schema), deployed_schema(stack)
    delimiter = jobs.parse_delimiter(stack.outputs["FileDelimiter"])
    plain = open_plain(source, delimiter=delimiter, name=name, reading=reading)
    try:
        chunks = chunk_files(plain.file, now, delimiter=delimiter, name=plain.name)
        found = chunks.delimiter
        return _apply(stack, chunks, name=plain.name, now=now, then=then, delimiter=found)
    except FileError as error:
        raise refused(plain.name, error) from error
    finally:
        plain.close()


def what_if_job(job: JobRef, schema: SchemaSource) -> WhatIf:
    """Return what another schema would do to the rows in a job's chunks.

    Raises
    ------
    InputError, JobNotFoundError, AwsError
    JobError
        If the job has no chunks, or no longer.
    """
    then, entry = load_schema(schema), job.ledger_entry()
    chunks = (
        (read_piece(job, entry.bucket, chunk.key, chunk.version_id), chunk.first_row)
        for chunk in require_manifest(job, entry)
    )
    now, delimiter = deployed_schema(job.stack), entry.delimiter
    return _apply(job.stack, chunks, name=job.id, now=now, then=then, delimiter=delimiter)


def _apply(
    stack: StackRef,
    chunks: Iterable[ChunkFile],
    *,
    name: str,
    now: RecordSchema,
    then: RecordSchema,
    delimiter: str,
) -> WhatIf:
    return apply_schemas(
        chunks,
        name=name,
        now=now,
        then=then,
        delimiter=delimiter,
        known_keys=reference_keys(stack),
    )
