"""A plan: what a stack would make of a file, what limits are near, and what it costs and takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchcore.texts import number_of, printable

from batchops.planning.aws_facts import priced_at
from batchops.planning.conversion import AS_IT_IS, Reading
from batchops.planning.cost import NOT_COUNTED
from batchops.planning.limits import NEAR, ROWS
from batchops.planning.size_advice import describe_saving
from batchops.show import markup
from batchops.show.marks import WHOLE_ROW
from batchops.show.numbers import number_text, rough_duration, share_text, usd_text
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from batchops.inspection.duplicates import Duplicates
    from batchops.planning.cost import Cost
    from batchops.planning.durations import Duration
    from batchops.planning.limits import Limit
    from batchops.planning.scan import Refusal, RuleCount
    from batchops.planning.size_advice import ChunkOption

# How many broken rules and columns the text shows, and how many rules the HTML; JSON has all.
_SHOWN = 5
_SHOWN_HTML = 50
# From this share of rejected rows on, the file as a whole may be wrong.
_MANY_REJECTED = 0.2


@dataclass(frozen=True)
class Plan(Shown):
    """What a stack would make of a file. All times and costs on AWS are estimates.

    Attributes
    ----------
    name : str
        The name that the file would be uploaded under.
    size_bytes, rows, blank_lines : int
        Of the file. Blank lines are skipped, but count in row numbers. For a refused file, the rows
        before the place where it is refused.
    columns, missing, extra : tuple of str
        The names in the header; those that the schema requires and the file does not have; those
        that the schema does not know, which pass through to the output.
    chunks, chunk_rows, max_concurrency : int
        Chunks, the most rows in a chunk, and the most chunks in progress at a time.
    rejected, errors : int
        Rows that would be rejected, and how many rules they break in all.
    rules : tuple of RuleCount
        Each broken rule with its rows, the most frequent first.
    keys_checked : bool
        Whether unknown keys are among them, because the keys were looked up.
    refusal : Refusal or None
        Why the stack would refuse the file as a whole.
    limits : tuple of Limit
        How near each limit is, the nearest first; empty if the file is refused.
    options : tuple of ChunkOption
        Cost and time with other chunk sizes.
    suggested_chunk_rows : int
        The cheapest size that is about as fast as any.
    cost : Cost or None
    duration : Duration or None
        Estimates; None if the file is refused.
    header_warnings : tuple of str
        What may be wrong with a header that is accepted, such as a column whose rules are not
        applied because its name is only nearly that of the schema; part of `warnings`.
    duplicates : Duplicates or None
        Rows with the same key, which no rule forbids; None if the file is refused, or the schema
        has no key.
    too_many_rejects : str
        Why the job would end as failed for its rejects, with its files merged; empty if it would
        not.
    jobs_ahead : int
        Jobs of the stack that run or wait, if as many run as may, so that this one would wait; 0 if
        it would start at once.
    notes : tuple of str
        What was made of the source, and found about it: sheet, encoding, lines left out, delimiter.
    source, reading
        The file that was planned and how it was read, for `Stack.submit`.
    """

    _also_in_json = ("can_succeed", "obstacles", "warnings", "basis")

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
    header_warnings: tuple[str, ...] = field(repr=False, default=())
    duplicates: Duplicates | None = None
    too_many_rejects: str = ""
    jobs_ahead: int = 0
    notes: tuple[str, ...] = field(compare=False, default=())
    reading: Reading = field(repr=False, compare=False, default=AS_IT_IS)
    source: Any = field(repr=False, compare=False, default=None)

    @property
    def can_succeed(self) -> bool:
        """Whether nothing is known that would make the job fail."""
        return not self.obstacles

    @property
    def obstacles(self) -> tuple[str, ...]:
        """The reasons why the job cannot succeed, one line each."""
        refused = [str(self.refusal)] if self.refusal else []
        rejects = [self.too_many_rejects] if self.too_many_rejects else []
        return (*refused, *rejects, *(str(limit) for limit in self.limits if limit.fatal))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to look at before the file is submitted, one line each."""
        found = [
            f"{'beyond' if limit.share > 1 else 'near'} a limit: {limit}"
            for limit in self.limits
            if limit.share >= NEAR and not limit.fatal and limit.name != ROWS
        ]
        if self.rows and self.rejected >= _MANY_REJECTED * self.rows:
            share = share_text(self.rejected / self.rows)
            found.append(f"{share} of the rows would be rejected")
        if self.extra:
            names = _names(self.extra)
            found.append(f"columns that the schema does not know pass through: {names}")
        if self.duplicates is not None and self.duplicates.keys:
            found.append(self.duplicates.summary())
        if self.jobs_ahead:
            found.append(
                "as many jobs run as may: it would be QUEUED after "
                f"{number_of(self.jobs_ahead, 'job')}"
            )
        found = [*self.header_warnings, *found]
        saving = describe_saving(
            self.options, current=self.chunk_rows, suggested=self.suggested_chunk_rows
        )
        return (*found, saving) if saving else tuple(found)

    @property
    def basis(self) -> str:
        """Where the cost is from, and what it leaves out."""
        priced = self.cost.basis if self.cost else f"estimate, {priced_at()}"
        return f"{priced}; not measured on AWS; not counted: {NOT_COUNTED}"

    def sizes(self) -> pd.DataFrame:
        """Return the estimated cost and time with other chunk sizes.

        Returns
        -------
        DataFrame
            One line a size, the smallest first: ``chunk_rows``, ``chunks`` (int64), ``usd``,
            ``low_s``, ``high_s`` (float64, the estimated cost and time on AWS). Empty if the file
            is refused.
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

    # ------------------------------------------------------------------------ shown

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(self._headline())
        yield from (Block.line(f"read: {note}") for note in self.notes)
        yield Block.line(f"columns: {self._columns()}")
        yield from (Block.line(f"CANNOT SUCCEED: {obstacle}") for obstacle in self.obstacles)
        yield Block.line(f"rejected: {self._rejected()}")
        yield from (Block.line(f"note: {warning}") for warning in self.warnings)
        yield self._rules_block()
        yield self._limits_block()
        if self.cost and self.duration:
            yield Block.line(f"cost: {self.cost}")
            yield Block(html=markup.folded("the cost by service", self.cost._repr_html_()))
            yield Block.line(f"time on AWS: {self.duration} (assumed, not measured there)")
        yield self._sizes_block()

    def _headline(self) -> str:
        blank = f" and {number_of(self.blank_lines, 'blank line')}" if self.blank_lines else ""
        read = " before it is refused" if self.refusal and not self.limits else ""
        return (
            f"{self.name}: {number_of(self.size_bytes, 'byte')}, "
            f"{number_of(self.rows, 'row')}{blank}{read}, {number_of(self.chunks, 'chunk')} of at "
            f"most {number_of(self.chunk_rows, 'row')}"
        )

    def _columns(self) -> str:
        if not self.columns:
            return "no header was found"
        text = f"{len(self.columns) - len(self.extra)} of the schema"
        if self.extra:
            text += f", {len(self.extra)} more"
        if self.missing:
            text += f"; missing: {_names(self.missing)}"
        return text

    def _rejected(self) -> str:
        share = f" ({share_text(self.rejected / self.rows)})" if self.rows else ""
        keys = "" if self.keys_checked else "; keys not looked up"
        return f"{number_of(self.rejected, 'row')}{share}, {number_of(self.errors, 'error')}{keys}"

    def _rules_block(self) -> Block:
        rows = [
            (f"{r.rows:,}", r.stage, r.column or WHOLE_ROW, r.rule, f"{r.source_row:,}", r.message)
            for r in self.rules[:_SHOWN_HTML]
        ]
        lines = [printable(f"  {rule}") for rule in self.rules[:_SHOWN]]
        if len(self.rules) > _SHOWN:
            lines.append(f"  and {number_of(len(self.rules) - _SHOWN, 'rule')} more")
        columns = ("rows", "stage", "column", "rule", "first row", "message")
        return Block.table(columns, rows, lines=lines)

    def _limits_block(self) -> Block:
        if not self.limits:
            return Block()
        rows = [
            (
                each.name,
                f"{number_text(each.value)} {each.unit}",
                number_text(each.limit),
                share_text(each.share),
                each.says,
            )
            for each in self.limits
        ]
        near = ", ".join(f"{each.name} {share_text(each.share)}" for each in self.limits[:3])
        columns = ("limit", "takes", "of", "share", "what it is")
        nearest = f"nearest limits: {near}"
        return Block.table(columns, rows, lines=[nearest], folded=nearest)

    def _sizes_block(self) -> Block:
        rows = [
            (
                f"{o.chunk_rows:,}" + (" (now)" if o.chunk_rows == self.chunk_rows else ""),
                f"{o.chunks:,}",
                usd_text(o.usd),
                f"{rough_duration(o.low_s)} to {rough_duration(o.high_s)}",
            )
            for o in self.options
        ]
        columns = ("rows a chunk", "chunks", "cost", "time on AWS")
        return Block.table(columns, rows, lines=[], folded="other chunk sizes")


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name[:60]) for name in names[:_SHOWN]) + more
