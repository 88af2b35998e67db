"""Plan a file: read it once with the code that the functions run, and estimate cost and time.

Memory is bounded, whatever the file's size. AWS is only asked how the stack is set up and, if
wanted, which keys its reference data has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from batchcore import aws
from batchcore.errors import TooManyChunksError, TooManyRejectsError
from batchcore.reference import is_storable, table_key
from batchcore.results import check_rejects

from batchops.core import ledger
from batchops.core.errors import InputError, translated
from batchops.deployment.deployed import deployed_schema
from batchops.deployment.settings import StackSettings, deployed_settings
from batchops.planning.conversion import AS_IT_IS, PlainFile, Reading, open_plain
from batchops.planning.cost import Cost, estimate_cost
from batchops.planning.durations import Duration, estimate_duration
from batchops.planning.frame_text import kind_of_frame, lacking_columns
from batchops.planning.limits import Limit, find_limits
from batchops.planning.plan import Plan
from batchops.planning.scan import KnownKeys, Refusal, Scan, scan_file
from batchops.planning.size_advice import ChunkOption, chunk_options, suggest_chunk_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchcore.schema import RecordSchema

    from batchops.core.stack_ref import StackRef
    from batchops.planning.conversion import Source
    from batchops.planning.workload import Workload


def plan_for(
    stack: StackRef,
    source: Source,
    *,
    name: str | None = None,
    reading: Reading = AS_IT_IS,
    check_keys: bool = False,
) -> Plan:
    """Plan a file for a deployed stack, with its schema, settings and reference data.

    Parameters
    ----------
    source, name, reading
        See `open_plain`.
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
        reading=reading,
        known_keys=reference_keys(stack) if check_keys else None,
    )
    return replace(plan, jobs_ahead=ledger.jobs_ahead(stack))


def plan_file(
    source: Source,
    *,
    schema: RecordSchema,
    settings: StackSettings,
    name: str | None = None,
    reading: Reading = AS_IT_IS,
    known_keys: KnownKeys | None = None,
) -> Plan:
    """Read a file once and plan its job.

    Parameters
    ----------
    source
        A path, bytes, CSV text, a DataFrame, or a file opened in binary mode; see `open_plain`.
    schema
        The record schema that the stack's functions have.
    settings
        How the stack is set up. If it has 0 rows a chunk, the size is the one that the split
        would choose for the file.
    name
        The name to upload it under, if it is another than the file's own.
    reading
        How to read it.
    known_keys
        Returns those of some keys that the reference data has; called once per chunk. Without it,
        no key counts as unknown.

    Raises
    ------
    InputError
        If the source cannot be read. What is wrong in the file is part of the plan.
    """
    plain = open_plain(source, delimiter=settings.delimiter, name=name, reading=reading)
    try:
        scan = scan_file(
            plain.file,
            schema=schema,
            settings=settings,
            known_keys=known_keys,
            name=plain.name,
            size_bytes=0 if settings.chunk_rows else _size_bytes(plain),
        )
    finally:
        plain.close()
    refusal = _of_a_frame(scan) if kind_of_frame(source) else scan.refusal
    # A file with too many chunks was read to its end, so it can be estimated. Other refused files
    # were not.
    refused = scan.refusal is not None and scan.refusal.error != TooManyChunksError.__name__
    about = None if refused else _Estimates.of(scan.work, plain.name)
    options = about.options if about else ()
    return Plan(
        name=plain.name,
        size_bytes=scan.work.size_bytes,
        rows=scan.work.rows,
        blank_lines=scan.blank_lines,
        columns=scan.columns,
        missing=scan.missing,
        extra=scan.extra,
        chunks=scan.work.chunks,
        chunk_rows=scan.work.chunk_rows,
        max_concurrency=settings.max_concurrency,
        rejected=scan.work.rejected,
        errors=scan.work.errors,
        rules=scan.rules,
        keys_checked=scan.keys_checked,
        refusal=refusal,
        header_warnings=scan.header_warnings,
        duplicates=scan.duplicates,
        too_many_rejects="" if refused else _too_many_rejects(scan.work, settings),
        limits=about.limits if about else (),
        options=options,
        suggested_chunk_rows=suggest_chunk_rows(options, current=scan.work.chunk_rows),
        cost=about.cost if about else None,
        duration=about.duration if about else None,
        notes=(*plain.notes, *_found(scan, settings)),
        source=source,
        reading=replace(reading, known_as=reading.known_as or name),
    )


def _too_many_rejects(work: Workload, settings: StackSettings) -> str:
    """Say why a job would fail for its rejects, as the merge does; empty if it would not."""
    if settings.max_rejected_percent is None:
        return ""
    try:
        check_rejects(
            rows=work.rows, rejected=work.rejected, allowed_percent=settings.max_rejected_percent
        )
    except TooManyRejectsError as error:
        return f"{type(error).__name__}: {error}"
    return ""


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


def _size_bytes(plain: PlainFile) -> int:
    size_bytes = plain.size_bytes
    if size_bytes is None:
        raise InputError(
            f"the size of {plain.name} is not known beforehand: give its path, or its bytes"
        )
    return size_bytes


def _found(scan: Scan, settings: StackSettings) -> Iterator[str]:
    """Yield what was found about the file that the stack does not prescribe."""
    if scan.packed:
        yield "gzip: the split unpacks it in one pass"
    if scan.delimiter != settings.delimiter:
        yield (
            f"delimited by {scan.delimiter!r}: the job takes that instead of the stack's "
            f"{settings.delimiter!r}"
        )


def _of_a_frame(scan: Scan) -> Refusal | None:
    """Return the refusal of a frame, which has no header and is no file."""
    if scan.refusal is None or not scan.missing:
        return scan.refusal
    return Refusal(scan.refusal.error, lacking_columns(scan.columns, scan.missing))


def reference_keys(stack: StackRef) -> KnownKeys:
    """Return a function that looks keys up in the stack's reference data."""
    dynamodb, table = stack.client("dynamodb"), stack.outputs["FinancialTableName"]

    def known(wanted: Sequence[str]) -> set[str]:
        with translated("looking keys up in the reference data"):
            askable = [table_key(key) for key in wanted if is_storable(key)]
            found = aws.batch_get(dynamodb, table, askable)
        return {item["uuid"]["S"] for item in found}

    return known
