"""Filters of errors: a name that there is none of is refused with those that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from batchcore import items, workflow
from batchcore.schema import RecordSchema
from support import ERROR_TABLES, JOB_TABLE, START_TIME, stack_ref

from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.core.ledger import ErrorFilter
from batchops.inspection.error_filters import check_filter
from batchops.job import Job

if TYPE_CHECKING:
    from support import Account

JOB, OTHER = "orders-000000000001", "orders-000000000002"
SCHEMA = RecordSchema(
    {
        "required": ["id"],
        "properties": {
            "id": {"pattern": "^[0-9]+$"},
            "Note": {"anyOf": [{"maxLength": 0}, {"format": "YYYY-MM-DD"}]},
        },
        "x-key": "id",
        "x-enrichment": ["Price"],
    }
)


@pytest.fixture
def job(account: Account) -> JobRef:
    outputs = {"JobTableName": JOB_TABLE, **ERROR_TABLES}
    for entered in (JOB, OTHER):
        account.put_entry(entered, items.JOB_ENTRY, status=workflow.SUCCEEDED)
    for column, rule in (("id", "pattern"), ("Old", "enum"), ("", "fieldCount")):
        error = f"0000000002#{column}#{rule}"
        values = {"column": column, "rule": rule, "stage": "read", "value": "x", "sourceRow": 2}
        values |= {"chunk": 1, "attempt": 1, "time": START_TIME}
        account.put_error(JOB, error, **values)
    return JobRef(stack_ref(outputs=outputs, dynamodb=account.dynamodb), JOB)


@pytest.mark.parametrize(
    "given",
    [
        {"column": "Note", "rule": None},  # of the schema
        {"column": "Old", "rule": None},  # of an earlier schema
        {"column": "", "rule": None},
        {"column": None, "rule": "maxLength"},
        {"column": "Note", "rule": "quoting"},
        {"column": None, "rule": "reference"},
    ],
)
def test_names_that_there_are_may_select_nothing(job: JobRef, given: dict[str, str | None]) -> None:
    check_filter(job, lambda: SCHEMA, column=given["column"], rule=given["rule"])


@pytest.mark.parametrize(
    ("column", "rule", "message"),
    [
        ("Nope", None, r"no column 'Nope' .*those with errors are 'Old', 'id'; others are 'Note'"),
        ("note", None, r"no column 'note' .*did you mean 'Note'\?"),
        (None, "maxlength", r"no rule 'maxlength' .*did you mean 'maxLength'\?"),
        (None, "x", r"no rule 'x' .*those with errors are 'enum', 'fieldCount', 'pattern'; others"),
        ("id", "x", "no rule 'x'"),
    ],
)
def test_names_that_there_are_none_of_are_refused(
    job: JobRef, column: str | None, rule: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_filter(job, lambda: SCHEMA, column=column, rule=rule)


def test_job_without_errors_says_so(account: Account, job: JobRef) -> None:
    other = JobRef(job.stack, OTHER)
    with pytest.raises(InputError, match="the job has no errors; others are 'id', 'Note'"):
        check_filter(other, lambda: SCHEMA, column="Nope", rule=None)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (ErrorFilter(stage="validation"), "no stage 'validation': .* 'read', 'validate', 'enrich'"),
        (ErrorFilter(chunk=4), "has no chunk 4: it has 3"),
        (ErrorFilter(chunk=0), "has no chunk 0: it has 3"),
        (ErrorFilter(column="id", stage=""), "no stage ''"),
    ],
    ids=str,
)
def test_pages_of_errors_refuse_names_too(
    account: Account, job: JobRef, where: ErrorFilter, message: str
) -> None:
    account.put_entry(JOB, items.JOB_ENTRY, status="SUCCEEDED", attempt=1, chunks=3)
    with pytest.raises(InputError, match=message):
        Job(job.stack, job.id).error_page(where=where)


def test_page_without_errors_of_names_that_there_are_is_empty(
    account: Account, job: JobRef
) -> None:
    account.put_entry(JOB, items.JOB_ENTRY, status="SUCCEEDED", attempt=1, chunks=3)
    for where in (ErrorFilter(stage="enrich"), ErrorFilter(chunk=3), ErrorFilter(first_row=9)):
        assert Job(job.stack, job.id).error_page(where=where).errors.empty
    named = ErrorFilter(column="id", rule="enum")  # each occurs, but not together
    assert Job(job.stack, job.id).error_page(where=named).errors.empty
