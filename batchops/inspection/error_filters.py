"""Find errors by column, rule, stage and chunk; refuse names that do not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from batchcore import headers, workflow

from batchops.core.errors import InputError
from batchops.deployment.deployed import deployed_schema
from batchops.inspection.error_pages import ErrorPage, error_page
from batchops.inspection.job_errors import count_errors, read_errors

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ErrorFilter

# Rules that no schema names: of read-file, and of enrich-data.
_OWN_RULES = ("encoding", "fieldCount", "quoting", "reference")


def find_errors(
    job: JobRef, where: ErrorFilter, *, limit: int | None, on_read: Callable[[int], None]
) -> pd.DataFrame:
    """Return the errors that a filter selects; for the DataFrame see `Job.errors`.

    Parameters
    ----------
    limit
        The most errors to return.
    on_read
        Called now and then with the number of errors found so far.

    Raises
    ------
    InputError
        If no error is selected and a name of the filter does not exist, or the limit is below 1.
    JobNotFoundError, JobError, AwsError
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit={limit}: give 1 or more, or leave it out")
    frame, cut = read_errors(job, where, limit=limit, on_read=on_read)
    if frame.empty:
        _refuse_unknown(job, where)
    frame.attrs["complete"] = job.ledger_entry().is_merged
    frame.attrs["cut"] = cut
    return frame


def find_error_page(job: JobRef, *, where: ErrorFilter | None, after: str, lines: int) -> ErrorPage:
    """Return one page of the errors that a filter selects, see `error_page`.

    Raises
    ------
    InputError
        If no error is selected and a name of the filter does not exist.
    JobNotFoundError, AwsError
    """
    page = error_page(job, where=where, after=after, lines=lines)
    if where is not None and not after and page.errors.empty:
        _refuse_unknown(job, where)
    return page


def _refuse_unknown(job: JobRef, where: ErrorFilter) -> None:
    names = {name: getattr(where, name) for name in ("column", "rule", "stage", "chunk")}
    check_filter(job, partial(deployed_schema, job.stack), **names)


def check_filter(
    job: JobRef,
    read_schema: Callable[[], RecordSchema],
    *,
    column: str | None,
    rule: str | None,
    stage: str | None = None,
    chunk: int | None = None,
) -> None:
    """Check the names in a filter that no error of a job fits.

    Parameters
    ----------
    read_schema
        Reads the schema of the stack; called only if a name is in no error of the job.

    Raises
    ------
    InputError
        If a name is neither in an error of the job nor in the schema, no step is called like the
        stage, or the job has no such chunk. The message has the names that there are.
    """
    stages = [step.name for step in workflow.REJECTING_STEPS]
    if stage is not None and stage not in stages:
        raise InputError(f"no stage {stage!r}: it is one of {headers.listed(stages)}")
    if chunk is not None:
        chunks = job.ledger_entry().chunks
        if not 1 <= chunk <= chunks:
            raise InputError(f"job {job.id} has no chunk {chunk}: it has {chunks:,}")
    if column is None and rule is None:
        return
    counts = count_errors(job, job.ledger_entry())
    broken = {(error_column, error_rule) for _, error_column, error_rule in counts.by_cause}
    columns, rules_broken = {name for name, _ in broken}, {name for _, name in broken}
    if (column is None or column in columns) and (rule is None or rule in rules_broken):
        return  # only no error has both
    schema = read_schema()
    _check("column", column, columns, schema.columns, job)
    rules = [*_OWN_RULES, *_keywords(schema.document["properties"].values())]
    _check("rule", rule, rules_broken, rules, job)


def _check(
    kind: str, name: str | None, broken: set[str], known: Iterable[str], job: JobRef
) -> None:
    known = list(dict.fromkeys(known))
    if name is None or name in broken or name in known or (kind == "column" and not name):
        return
    near = headers.near_misses([*known, *broken], [name])
    hint = f"did you mean {next(iter(near))!r}? " if near else ""
    listed = headers.listed(sorted(broken - {""}))
    have = f"those with errors are {listed}" if listed else "the job has no errors"
    others = headers.listed([each for each in known if each not in broken])
    raise InputError(
        f"no {kind} {name!r} in the errors of job {job.id}, nor in the schema: {hint}{have}"
        + (f"; others are {others}" if others else "")
    )


def _keywords(rules: Iterable[Any]) -> Iterator[str]:
    """Yield the keywords in the rules of columns, also those inside of others."""
    for each in rules:
        if isinstance(each, dict):
            yield from each
            yield from _keywords(each.values())
        elif isinstance(each, list):
            yield from _keywords(each)
