"""Before money is spent: what a file would come to, which limits are near, what it costs and takes.

One pass over the file, in bounded memory, through the code that the functions run. Nothing is
asked of AWS but, if wanted, which keys its reference data has.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from batchcore.errors import TooManyChunksError
from batchcore.sizing import HEAD_BYTES, choose_chunk_rows

from batchops.core.errors import InputError
from batchops.planning import limits, plan_text, size_advice, uploads
from batchops.planning.cost import estimate_cost
from batchops.planning.durations import estimate_duration
from batchops.planning.limits import Limit
from batchops.planning.scan import KnownKeys, Refusal, RuleCount, scan_file
from batchops.planning.size_advice import ChunkOption

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema
    from matplotlib.axes import Axes

    from batchops.planning.cost import Cost
    from batchops.planning.durations import Duration
    from batchops.planning.workload import Workload

    Source = str | Path | bytes | IO[bytes] | pd.DataFrame


@dataclass(frozen=True)
class Plan:
    """What a file would come to. All about AWS is estimated, nothing measured there.

    Attributes
    ----------
    name : str
        The name that the file would be uploaded under.
    size_bytes, rows, blank_lines : int
        Of the file; blank lines are skipped, and row numbers count them. Of a file that is refused
        the rows up to the place where it is.
    columns, missing, extra : tuple of str
        The header's names; those that the schema requires and the file lacks; those that the
        schema does not know, which pass through to the output.
    chunks, chunk_rows, max_concurrency : int
        Chunks, rows a chunk at most, and chunks in progress at a time.
    rejected, errors : int
        Rows that would be rejected, and the rules that they break in all.
    rules : tuple of RuleCount
        Each broken rule with its rows, the most frequent first.
    keys_checked : bool
        Whether rows whose key the reference data lacks are among them.
    refusal : Refusal or None
        Why the job would fail at once, where the file as a whole is not acceptable.
    limits : tuple of Limit
        How near each limit is, the nearest first; none where the file is refused unread.
    options : tuple of ChunkOption
        What other chunk sizes would come to.
    suggested_chunk_rows : int
        The cheapest of those that are about as fast as any.
    cost : Cost or None
    duration : Duration or None
        Estimates; None where the file is refused unread.
    source
        What was planned, to be submitted.
    """

    name: str
    size_bytes: int
    rows: int
    blank_lines: int
    columns: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    chunks: int
    chunk_rows: int
    max_concurrency: int
    rejected: int
    errors: int
    rules: tuple[RuleCount, ...]
    keys_checked: bool
    refusal: Refusal | None
    limits: tuple[Limit, ...]
    options: tuple[ChunkOption, ...]
    suggested_chunk_rows: int
    cost: Cost | None
    duration: Duration | None
    source: Any = field(repr=False, compare=False, default=None)

    @property
    def can_succeed(self) -> bool:
        """Whether nothing is known that makes the job fail."""
        return not self.obstacles

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why the job cannot succeed, a line each."""
        refused = [str(self.refusal)] if self.refusal else []
        return (*refused, *(str(limit) for limit in self.limits if limit.fatal))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is worth a look before the file is submitted, a line each."""
        return plan_text.warnings(self)

    def __str__(self) -> str:
        """Say it in a dozen lines."""
        return plan_text.as_text(self)

    def _repr_html_(self) -> str:
        return plan_text.as_html(self)

    def sizes(self) -> pd.DataFrame:
        """Return what other chunk sizes would come to.

        Returns
        -------
        DataFrame
            One line a size, the smallest first: ``chunk_rows``, ``chunks`` (int64), ``usd``,
            ``low_s``, ``high_s`` (float64, the estimated cost and time on AWS). Empty where the
            file is refused unread.
        """
        import pandas as pd

        dtypes = {"chunk_rows": "int64", "chunks": "int64"}
        dtypes |= dict.fromkeys(("usd", "low_s", "high_s"), "float64")
        rows = [[getattr(option, name) for name in dtypes] for option in self.options]
        return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)

    def plot_sizes(self, *, ax: Axes | None = None) -> Axes:
        """Draw the estimated time and cost by chunk size."""
        from batchops.plots.size_plots import planned_sizes

        return planned_sizes(
            self.sizes(), current=self.chunk_rows, suggested=self.suggested_chunk_rows, ax=ax
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return plan_text.as_dict(self)


def plan_file(
    source: Source,
    *,
    schema: RecordSchema,
    delimiter: str,
    chunk_rows: int,
    max_concurrency: int,
    name: str | None = None,
    known_keys: KnownKeys | None = None,
    account_concurrency: int | None = None,
) -> Plan:
    """Read a file once and say what a stack would make of it.

    Parameters
    ----------
    source
        A path, bytes, a DataFrame, or a file opened in binary mode, which is read to its end.
    schema, delimiter, chunk_rows, max_concurrency
        Of the stack: the record schema that its functions have, and three of its parameters. With
        0 rows a chunk the size is the one that the split would choose for the file.
    name
        The name to upload it under, if not its own.
    known_keys
        Given some keys, returns those that the reference data has; called once a chunk. Without it
        no key counts as unknown.
    account_concurrency
        Functions that the AWS account may run at a time; by default Lambda's default quota.

    Raises
    ------
    InputError
        If the source cannot be read. What is wrong inside the file is part of the plan.
    """
    file, name = _open(source, name, delimiter)
    try:
        chunk_rows = chunk_rows or _fitting_rows(file, name, delimiter)
        scan = scan_file(
            file, schema=schema, delimiter=delimiter, chunk_rows=chunk_rows, known_keys=known_keys
        )
    finally:
        if file is not source:
            file.close()
    # One with too many chunks was read whole; of other files that are refused, nothing follows.
    refused = scan.refusal is not None and scan.refusal.error != TooManyChunksError.__name__
    about = (
        None if refused else _Estimates.of(scan.work, max_concurrency, account_concurrency, name)
    )
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
        chunk_rows=chunk_rows,
        max_concurrency=max_concurrency,
        rejected=scan.work.rejected,
        errors=scan.work.errors,
        rules=scan.rules,
        keys_checked=scan.keys_checked,
        refusal=scan.refusal,
        limits=about.limits if about else (),
        options=options,
        suggested_chunk_rows=size_advice.suggest_chunk_rows(options, current=chunk_rows),
        cost=about.cost if about else None,
        duration=about.duration if about else None,
        source=source,
    )


class _Estimates(NamedTuple):
    """What follows for a file that was read to its end."""

    duration: Duration
    limits: tuple[Limit, ...]
    cost: Cost
    options: tuple[ChunkOption, ...]

    @classmethod
    def of(cls, work: Workload, chunks: int, account: int | None, name: str) -> _Estimates:
        """Estimate for `chunks` at a time in an account that runs as many functions at a time."""
        duration = estimate_duration(work, max_concurrency=chunks, account_concurrency=account)
        found = limits.find_limits(
            work, duration, max_concurrency=chunks, account_concurrency=account, name=name
        )
        options = size_advice.chunk_options(
            work, max_concurrency=chunks, account_concurrency=account
        )
        return cls(duration, found, estimate_cost(work), options)


def _fitting_rows(file: IO[bytes], name: str, delimiter: str) -> int:
    """Return the rows a chunk that the split chooses; the file stands then where it stood."""
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
    # Of the type, because a DataFrame shows its columns as attributes.
    if hasattr(type(source), "read"):
        return cast("IO[bytes]", source), name or "upload.csv"
    return uploads.open_source(cast("Any", source), name=name, delimiter=delimiter)
