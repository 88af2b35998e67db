"""Two jobs side by side: which errors are gone, which are new, which are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from batchops.core import ledger
from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.inspection.frames import errors_frame
from batchops.show import markup

if TYPE_CHECKING:
    import pandas as pd


By = Literal["source_row", "uuid"]

# Which of a row's errors it is, where one column breaks one rule more than once.
_AGAIN = "_again"
_OUTCOMES = ("fixed", "newly broken", "same")


@dataclass(frozen=True)
class Comparison:
    """The errors of two jobs, matched by row, column and rule.

    Attributes
    ----------
    a, b : str
        The jobs' ids; ``"a"`` and ``"b"`` for DataFrames.
    by : str
        What rows were matched by: ``source_row`` or ``uuid``.
    fixed, newly_broken, same : DataFrame
        Errors that only `a` has, that only `b` has, and that both have (as `b` has them). One line
        an error, with the columns and dtypes of `Job.errors`, by source row.
    """

    a: str
    b: str
    by: By
    fixed: pd.DataFrame = field(repr=False)
    newly_broken: pd.DataFrame = field(repr=False)
    same: pd.DataFrame = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON knows them."""
        return {
            "a": self.a,
            "b": self.b,
            "by": self.by,
            "fixed": len(self.fixed),
            "newly_broken": len(self.newly_broken),
            "same": len(self.same),
            "rules": self.counts()
            .rename(columns={"newly broken": "newly_broken"})
            .to_dict(orient="records"),
        }

    def counts(self) -> pd.DataFrame:
        """Count the errors by column and rule.

        Returns
        -------
        DataFrame
            One line for each column and rule, in their order: ``column``, ``rule`` (str),
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
            yield f"{outcome}: {len(frame):,} errors in {frame[self.by].nunique():,} rows"

    def _title(self) -> str:
        return f"{self.a} against {self.b}, rows matched by {self.by}"

    def __str__(self) -> str:
        """Say it in a few lines."""
        return "\n".join([self._title(), *(f"  {fact}" for fact in self._facts())])

    def _repr_html_(self) -> str:
        counts = self.counts()
        rows = counts.itertuples(index=False, name=None)
        head = markup.paragraph(self._title()) + markup.bullets(self._facts())
        return head + markup.table(list(counts.columns), rows)


def compare(
    a: JobRef | pd.DataFrame, b: JobRef | pd.DataFrame, *, by: By = "source_row"
) -> Comparison:
    """Compare the errors of two jobs, or of one job before and after a rerun.

    A later attempt replaces a chunk's errors, so keep those of before to compare with::

        before = job.errors()
        job.repair(mended, dry_run=False); job.wait()
        bo.compare(before, job)

    Parameters
    ----------
    a, b
        Jobs, or DataFrames as `Job.errors` gives them; `a` is the earlier one.
    by
        ``"source_row"`` where both files have the same rows in the same places; ``"uuid"``, the
        rows' key, where they have not. By key, an error of a row without one, or of one of several
        rows with the same, is matched with any other of its kind.

    Raises
    ------
    InputError
        If `by` is neither, or something is not a job nor such a DataFrame.
    """
    if by not in get_args(By):
        raise InputError(f"rows cannot be matched by {by!r}: it is one of {get_args(By)}")
    name_a, errors_a = _errors(a, "a")
    name_b, errors_b = _errors(b, "b")
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
        return source.id, errors_frame(ledger.stored_errors(source.stack, source.id))
    needed = {"source_row", "uuid", "column", "rule"}
    if not needed <= set(getattr(source, "columns", ())):
        raise InputError(
            f"{label} is a {type(source).__name__}: give a job, or a DataFrame as job.errors() "
            "gives it"
        )
    return label, source


def _numbered(errors: pd.DataFrame, match: list[str]) -> pd.DataFrame:
    ordered = errors.sort_values("source_row", kind="stable", ignore_index=True)
    return ordered.assign(**{_AGAIN: ordered.groupby(match).cumcount()})


def _only(
    errors: pd.DataFrame, others: pd.DataFrame, match: list[str], *, present: bool
) -> pd.DataFrame:
    """Return the errors that the others have as well, or those that they have not."""
    import pandas as pd

    own = pd.MultiIndex.from_frame(errors[match])
    found = own.isin(pd.MultiIndex.from_frame(others[match]))
    return errors[found if present else ~found].drop(columns=_AGAIN).reset_index(drop=True)
