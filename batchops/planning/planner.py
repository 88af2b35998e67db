"""Plan a file: read it once with the code that the functions run, and estimate cost and time.

Memory is bounded, whatever the file's size. AWS is only asked how the stack is set up and, if
wanted, which keys its reference data has.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from batchcore import aws
from batchcore.errors import TooManyChunksError
from batchcore.reference import is_storable, table_key
from batchcore.sizing import HEAD_BYTES, choose_chunk_rows

from batchops.core import ledger
from batchops.core.errors import InputError, translated
from batchops.deployment.deployed import deployed_schema
from batchops.deployment.settings import StackSettings, deployed_settings
from batchops.planning import submission
from batchops.planning.cost import Cost, estimate_cost
from batchops.planning.durations import Duration, estimate_duration
from batchops.planning.limits import Limit, find_limits
from batchops.planning.plan import Plan
from batchops.planning.scan import KnownKeys, scan_file
from batchops.planning.size_advice import ChunkOption, chunk_options, suggest_chunk_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from batchcore.schema import RecordSchema

    from batchops.core.stack_ref import StackRef
    from batchops.planning.workload import Workload

    Source = str | Path | bytes | IO[bytes] | pd.DataFrame


def plan_for(
    stack: StackRef, source: Source, *, name: str | None = None, check_keys: bool = False
) -> Plan:
    """Plan a file for a deployed stack, with its schema, settings and reference data.

    Parameters
    ----------
    check_keys
        Look up every key in the stack's reference data, which on AWS costs half a read unit a key.

    Raises
    ------
    InputError, StackNotFoundError, StackError, AwsError
    """
    settings = deployed_settings(stack)
    plan = plan_file(
        source,
        schema=deployed_schema(stack),
        settings=settings,
        name=name,
        known_keys=reference_keys(stack) if check_keys else None,
    )
    return replace(plan, jobs_ahead=ledger.jobs_ahead(stack))


def plan_file(
    source: Source,
    *,
    schema: RecordSchema,
    settings: StackSettings,
    name: str | None = None,
    known_keys: KnownKeys | None = None,
) -> Plan:
    """Read a file once and plan its job.

    Parameters
    ----------
    source
        A path, bytes, a DataFrame, or a file opened in binary mode, which is read to its end.
    schema
        The record schema that the stack's functions have.
    settings
        How the stack is set up. If it has 0 rows a chunk, the size is the one that the split
        would choose for the file.
    name
        The name to upload it under, if it is another than the file's own.
    known_keys
        Returns those of some keys that the reference data has; called once per chunk. Without it,
        no key counts as unknown.

    Raises
    ------
    InputError
        If the source cannot be read. What is wrong in the file is part of the plan.
    """
    file, name = _open(source, name, settings.delimiter)
    try:
        if not settings.chunk_rows:
            fitting = _fitting_rows(file, name, settings.delimiter)
            settings = replace(settings, chunk_rows=fitting)
        scan = scan_file(file, schema=schema, settings=settings, known_keys=known_keys)
    finally:
        if file is not source:
            file.close()
    # A file with too many chunks was read to its end, so it can be estimated. Other refused files
    # were not.
    refused = scan.refusal is not None and scan.refusal.error != TooManyChunksError.__name__
    about = None if refused else _Estimates.of(scan.work, name)
    options = about.options if about else ()
    return Plan(
        name=name,
        size_bytes=scan.work.size_bytes,
        rows=scan.work.rows,
        blank_lines=scan.blank_lines,
        columns=scan.columns,
        missing=scan.missing,
        extra=scan.extra,
        chunks=scan.work.chunks,
        chunk_rows=settings.chunk_rows,
        max_concurrency=settings.max_concurrency,
        rejected=scan.work.rejected,
        errors=scan.work.errors,
        rules=scan.rules,
        keys_checked=scan.keys_checked,
        refusal=scan.refusal,
        header_warnings=scan.header_warnings,
        limits=about.limits if about else (),
        options=options,
        suggested_chunk_rows=suggest_chunk_rows(options, current=settings.chunk_rows),
        cost=about.cost if about else None,
        duration=about.duration if about else None,
        source=source,
    )


class _Estimates(NamedTuple):
    """The estimates for a file that was read to its end."""

    duration: Duration
    limits: tuple[Limit, ...]
    cost: Cost
    options: tuple[ChunkOption, ...]

    @classmethod
    def of(cls, work: Workload, name: str) -> _Estimates:
        duration = estimate_duration(work)
        limits = find_limits(work, duration, name=name)
        return cls(duration, limits, estimate_cost(work), chunk_options(work))


def _fitting_rows(file: IO[bytes], name: str, delimiter: str) -> int:
    """Return the rows a chunk that the split would choose; leave the file at its position."""
    if not file.seekable():
        raise InputError(f"the size of {name} is not known beforehand: give its path, or its bytes")
    start = file.tell()
    head = file.read(HEAD_BYTES)
    size_bytes = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    return choose_chunk_rows(size_bytes, head, delimiter=delimiter)


def _open(source: Source, name: str | None, delimiter: str) -> tuple[IO[bytes], str]:
    if isinstance(source, io.TextIOBase):
        raise InputError("the file is open as text: open it in binary mode, or give its path")
    # Look at the type, because a DataFrame shows its columns as attributes.
    if hasattr(type(source), "read"):
        return cast("IO[bytes]", source), name or "upload.csv"
    return submission.open_source(cast("Any", source), name=name, delimiter=delimiter)


def reference_keys(stack: StackRef) -> KnownKeys:
    """Return a function that looks keys up in the stack's reference data."""
    dynamodb, table = stack.client("dynamodb"), stack.outputs["FinancialTableName"]

    def known(wanted: Sequence[str]) -> set[str]:
        with translated("looking keys up in the reference data"):
            askable = [table_key(key) for key in wanted if is_storable(key)]
            found = aws.batch_get(dynamodb, table, askable)
        return {item["uuid"]["S"] for item in found}

    return known
