"""A job's errors by rule, by column and by place, with examples, from one pass over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from batchcore.texts import number_of

from batchops.inspection.job_errors import iter_errors
from batchops.show import markup
from batchops.show.marks import WHOLE_ROW
from batchops.show.stretches import Stretch, bad_stretches, count_stretches, stretches_svg

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef

_EXAMPLES = 3
_SHOWN = 100
_LINES = 10_000


class Example(NamedTuple):
    """An error: its row, the value, and what is wrong with it."""

    source_row: int
    value: str
    message: str


@dataclass
class ErrorSummary:
    """Errors by what they have in common.

    Attributes
    ----------
    rules, columns : Counter
        Errors by column, rule and stage; and by column.
    examples : dict
        By column, rule and stage, the first three errors.
    rejected : set of int
        The rows that have errors.
    """

    rules: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], list[Example]] = field(default_factory=dict)
    rejected: set[int] = field(default_factory=set)

    def take(self, errors: pd.DataFrame) -> None:
        """Count errors, as ``Job.errors()`` returns them."""
        self.rejected.update(errors["source_row"].tolist())
        for group, found in errors.groupby(["column", "rule", "stage"], sort=False):
            column, rule, stage = map(str, group)
            self.rules[column, rule, stage] += len(found)
            self.columns[column] += len(found)
            known = self.examples.setdefault((column, rule, stage), [])
            first = found.head(_EXAMPLES - len(known))
            known += map(Example, first["source_row"], first["value"], first["message"])

    def stretches(self, rows: int) -> list[Stretch]:
        """Return the rejected rows by stretches of a file with `rows` rows."""
        return count_stretches(self.rejected, rows=rows)


def summarize_errors(job: JobRef) -> ErrorSummary:
    """Return what a job's errors have in common; they are read once, as a stream.

    Raises
    ------
    JobNotFoundError, JobError, AwsError
    """
    found = ErrorSummary()
    for part in iter_errors(job, lines=_LINES):
        found.take(part)
    return found


def summary_html(summary: ErrorSummary, *, rows: int) -> str:
    """Return tables and bars of a file's errors; `rows` is the file's number of rows."""
    if not summary.rejected:
        return markup.paragraph("No row was rejected.")
    total = sum(summary.rules.values())
    stretches = summary.stretches(rows)
    return "".join(
        [
            markup.paragraph(
                f"{number_of(total, 'error')} in {len(summary.rejected):,} of "
                f"{number_of(rows, 'row')}"
            ),
            "<h3>By place in the file</h3>",
            stretches_svg(stretches),
            markup.bullets(bad_stretches(stretches)),
            "<h3>By rule</h3>",
            markup.table(
                ("errors", "column", "rule", "found by", "row", "value", "what is wrong"),
                _rule_rows(summary),
            ),
            _left_out(len(summary.rules) - _SHOWN),
            "<h3>By column</h3>",
            markup.table(
                ("errors", "column", "share"),
                [
                    (f"{count:,}", column or WHOLE_ROW, f"{count / total:.0%}")
                    for column, count in summary.columns.most_common(_SHOWN)
                ],
            ),
            _left_out(len(summary.columns) - _SHOWN),
        ]
    )


def _rule_rows(summary: ErrorSummary) -> Iterator[tuple[object, ...]]:
    """Yield a line for each example; the first of a rule says the rule."""
    for cause, count in summary.rules.most_common(_SHOWN):
        column, rule, stage = cause
        told: tuple[object, ...] = (f"{count:,}", column or WHOLE_ROW, rule, stage)
        for example in summary.examples[cause]:
            value = "(empty)" if column and not example.value else example.value
            yield *told, f"{example.source_row:,}", value, example.message
            told = ("", "", "", "")


def _left_out(more: int) -> str:
    return markup.paragraph(f"and {more:,} more: the list of errors has them") if more > 0 else ""
