"""Compare two jobs: which errors are fixed, which are new, which are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchcore.texts import number_of

from batchops.core.column_names import key_column
from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.core.ledger import ErrorFilter
from batchops.inspection.job_errors import read_errors
from batchops.show.marks import WHOLE_ROW
from batchops.show.shown import Block, Shown, plain_values

if TYPE_CHECKING:
    import pandas as pd


# Numbers the errors of a row whose column breaks one rule more than once.
_AGAIN = "_again"
_OUTCOMES = ("fixed", "newly broken", "same")


@dataclass(frozen=True)
class Comparison(Shown):
    """The errors of two jobs, matched by row, column and rule.

    Attributes
    ----------
    a, b : str
        The jobs' ids; ``"a"`` and ``"b"`` for DataFrames.
    by : str
        How rows were matched: by ``source_row``, or by the column of their key.
    fixed, newly_broken, same : DataFrame
        Errors that only `a` has, that only `b` has, and that both have (as in `b`). One line per
        error, with the columns and dtypes of `Job.errors`, ordered by source row.
    """

    a: str
    b: str
    by: str
    fixed: pd.DataFrame = field(repr=False)
    newly_broken: pd.DataFrame = field(repr=False)
    same: pd.DataFrame = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain values, for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "by": self.by,
            "fixed": len(self.fixed),
            "newly_broken": len(self.newly_broken),
            "same": len(self.same),
            "rules": plain_values(self.counts().rename(columns={"newly broken": "newly_broken"})),
        }

    def counts(self) -> pd.DataFrame:
        """Count the errors by column and rule.

        Returns
        -------
        DataFrame
            One line per column and rule, in order: ``column``, ``rule`` (str),
            ``fixed``, ``newly broken``, ``same`` (int64, errors).
        """
        import pandas as pd

        parts = [
            frame[["column", "rule"]].assign(outcome=outcome)
            for outcome, frame in zip(_OUTCOMES, self._frames(), strict=True)
        ]
        every = pd.concat(parts, ignore_index=True)
        counted = every.groupby(["column", "rule", "outcome"]).size().unstack(fill_value=0)
        counted = counted.reindex(columns=list(_OUTCOMES), fill_value=0).astype("int64")
        return counted.rename_axis(columns=None).reset_index()

    def _frames(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        return self.fixed, self.newly_broken, self.same

    def _facts(self) -> Iterator[str]:
        for outcome, frame in zip(_OUTCOMES, self._frames(), strict=True):
            yield (
                f"{outcome}: {number_of(len(frame), 'error')} in "
                f"{number_of(frame[self.by].nunique(), 'row')}"
            )

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(f"{self.a} against {self.b}, rows matched by {self.by}")
        yield Block.facts(self._facts())
        counts = self.counts()
        counts["column"] = counts["column"].replace("", WHOLE_ROW)
        yield Block.table(list(counts.columns), counts.itertuples(index=False, name=None), lines=[])


def compare(
    a: JobRef | pd.DataFrame, b: JobRef | pd.DataFrame, *, by: str = "source_row"
) -> Comparison:
    """Compare the errors of two jobs, or of one job before and after a rerun.

    A later attempt replaces a chunk's errors, so keep the earlier ones::

        before = job.errors()
        job.repair(fixed, dry_run=False); job.wait()
        bo.compare(before, job)

    Parameters
    ----------
    a, b
        Jobs, or DataFrames as `Job.errors` returns them; `a` is the earlier one.
    by
        ``"source_row"`` if both files have the same rows in the same places; otherwise the name of
        the key's column, such as ``"uuid"``. Rows without a key, and rows with the same key, are
        interchangeable then.

    Raises
    ------
    InputError
        If `by` is neither, or `a` or `b` is neither a job nor such a DataFrame.
    """
    name_a, errors_a = _errors(a, "a")
    name_b, errors_b = _errors(b, "b")
    key_a, key_b = key_column(errors_a), key_column(errors_b)
    if by not in ("source_row", key_a, key_b):
        raise InputError(f"rows cannot be matched by {by!r}: give 'source_row' or {key_b!r}")
    errors_a, by = errors_a.rename(columns={key_a: key_b}), str(key_b) if by == key_a else by
    match = [by, "column", "rule"]
    left, right = _numbered(errors_a, match), _numbered(errors_b, match)
    in_both = [*match, _AGAIN]
    return Comparison(
        a=name_a,
        b=name_b,
        by=by,
        fixed=_only(left, right, in_both, present=False),
        newly_broken=_only(right, left, in_both, present=False),
        same=_only(right, left, in_both, present=True),
    )


def _errors(source: Any, label: str) -> tuple[str, pd.DataFrame]:
    if isinstance(source, JobRef):
        return source.id, read_errors(source, ErrorFilter())[0]
    columns = set(getattr(source, "columns", ()))
    if not columns >= {"source_row", "column", "rule"} or key_column(source) is None:
        raise InputError(
            f"{label} is a {type(source).__name__}: give a job, or a DataFrame as job.errors() "
            "returns it"
        )
    return label, source


def _numbered(errors: pd.DataFrame, match: list[str]) -> pd.DataFrame:
    ordered = errors.sort_values("source_row", kind="stable", ignore_index=True)
    return ordered.assign(**{_AGAIN: ordered.groupby(match).cumcount()})


def _only(
    errors: pd.DataFrame, others: pd.DataFrame, match: list[str], *, present: bool
) -> pd.DataFrame:
    """Return the errors that the others have too, or those that they lack."""
    import pandas as pd

    own = pd.MultiIndex.from_frame(errors[match])
    found = own.isin(pd.MultiIndex.from_frame(others[match]))
    return errors[found if present else ~found].drop(columns=_AGAIN).reset_index(drop=True)
