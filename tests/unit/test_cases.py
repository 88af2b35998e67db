"""Small inputs that once went wrong in silence, each with what must happen to it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from batchcore import csvtext, intake, items, keys, workflow
from batchcore.records import REJECT_COLUMNS, RowWriter, read_records, reject
from batchcore.reference import read_reference
from batchcore.schema import RecordSchema
from support import BUCKET, JOB_TABLE, ROOT, stack_ref

from batchops.cli.base import write_csv
from batchops.core.column_names import input_columns
from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.core.project import Project
from batchops.deployment.delivery import Order, check_files
from batchops.deployment.settings import shipped_settings
from batchops.inspection.result_files import read_output, read_rejects
from batchops.inspection.status import job_status
from batchops.inspection.why import Why, warning_causes
from batchops.planning.planner import plan_file
from batchops.planning.what_if import apply_schemas, chunk_files, load_schema
from batchops.recovery.repair_rows import EditedRow, read_edited
from batchops.show.shown import plain_values

if TYPE_CHECKING:
    from pathlib import Path

    from support import Account, LoadApp

    from batchops.planning.plan import Plan

CASES = ROOT / "tests" / "data" / "cases"
JOB = "case-000000000001"


def schema_of(case: str) -> RecordSchema:
    return RecordSchema.load(CASES / case / "schema.json")


def run_job(account: Account, case: str, *, delimiter: str = ",") -> JobRef:
    """Put the results of the case's job into an account, as its functions would write them."""
    schema, writer = schema_of(case), RowWriter(delimiter=delimiter)
    known = dict(read_reference(CASES / case / "reference.csv", schema))
    data = (CASES / case / "input.csv").read_bytes()
    header = next(csvtext.iter_records(data, delimiter=delimiter))
    headers = {
        "output": writer.header(header, schema.enrichment),
        "rejects": writer.header(header, REJECT_COLUMNS),
    }
    files = {name: [line] for name, line in headers.items()}
    for record in read_records(data, schema, delimiter=delimiter, first_row=2):
        faults = [] if "errors" in record else schema.violations(record["fields"])
        if faults:
            record = reject(record, stage="validate", key="", faults=faults)  # noqa: PLW2901
        if "errors" in record:
            files["rejects"].append(writer.rejected(record))
        else:
            values = [*known[record["fields"][schema.key]].values()]
            files["output"].append(writer.completed([record["raw"]], [values]))
    places = {"output": keys.output(JOB, 0), "rejects": keys.rejected_piece(JOB, 0)}
    versions = {name: account.put(places[name], line) for name, line in headers.items()}
    for name, lines in files.items():
        account.put(name, b"".join(lines))
    account.put_entry(
        JOB,
        items.JOB_ENTRY,
        status=workflow.SUCCEEDED,
        attempt=1,
        bucket=BUCKET,
        key="input/case.csv",
        delimiter=delimiter,
        headers=versions,
        completedKey="output",
        rejectedKey="rejects",
    )
    outputs = {"JobTableName": JOB_TABLE, "SourceBucketName": BUCKET}
    stack = stack_ref(outputs=outputs, dynamodb=account.dynamodb, s3=account.s3)
    return JobRef(stack, JOB)


def taken_back(job: JobRef, edited: pd.DataFrame | bytes) -> list[EditedRow]:
    """Return rows that were edited as repair reads them."""
    entry = job.ledger_entry()
    return read_edited(edited, columns=input_columns(job, entry), delimiter=entry.delimiter)


def plan_of(case: str, *, delimiter: str = ",") -> Plan:
    """Plan the case's upload for a stack with the case's schema and reference data."""
    folder, schema = CASES / case, schema_of(case)
    known = dict(read_reference(folder / "reference.csv", schema))
    return plan_file(
        folder / "input.csv",
        schema=schema,
        settings=replace(shipped_settings(), delimiter=delimiter, chunk_rows=600),
        known_keys=lambda keys: known.keys() & set(keys),
    )


def deploy_check(case: str) -> None:
    """Check the case's files as preview and deploy do."""
    folder = CASES / case
    order = Order(schema=folder / "schema.json", reference_data=folder / "reference.csv")
    check_files(Project(ROOT), order, kept={})


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("ref-open-quote", r"reference\.csv: the record in row 4 has a quoted field .* open"),
        ("ref-too-many-fields", r"reference\.csv, row 3: too many fields: 4 with the key '000003'"),
    ],
)
def test_reference_data_that_is_askew_is_refused_at_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, message: str
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    with pytest.raises(InputError, match=message):
        deploy_check(case)


@pytest.mark.parametrize("case", [folder.name for folder in CASES.iterdir()])
def test_other_cases_are_refused_for_nothing_at_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    if not case.startswith("ref-"):
        deploy_check(case)


def test_text_after_a_closing_quote_is_rejected_and_planned() -> None:
    found = plan_of("stray-quotes-accepted")
    assert (found.rows, found.rejected) == (3, 2)
    (rule,) = found.rules
    assert (rule.stage, rule.column, rule.rule, rule.rows, rule.source_row) == (
        "read",
        "",
        "quoting",
        2,
        2,
    )
    assert "text after the closing quote of field 1" in rule.message


# ----------------------------------------------------------------------- columns' names

BLANK = "repair-after-read_csv-of-blank-columns"


def test_columns_without_names_are_called_alike_everywhere(account: Account) -> None:
    job = run_job(account, "rejects-json-crash")
    names = [*pd.read_csv(CASES / "rejects-json-crash" / "input.csv").columns]
    assert names[-2:] == ["Unnamed: 8", "Unnamed: 9"]
    output, rejects = read_output(job), read_rejects(job)
    assert list(output.columns) == [*names, "warehouse", "rep"]
    assert list(rejects.columns) == [*names, *REJECT_COLUMNS]
    assert list(output.columns) == list(pd.read_csv(io.BytesIO(account.get("output"))).columns)
    assert list(rejects.columns) == list(pd.read_csv(io.BytesIO(account.get("rejects"))).columns)
    assert list(plain_values(output)[0]) == list(output.columns)
    assert [*plain_values(rejects)] == []


def test_rejects_with_columns_without_names_are_json(account: Account) -> None:
    rejects = read_rejects(run_job(account, BLANK))
    (row,) = json.loads(json.dumps(plain_values(rejects)))
    assert (row["source_row"], row["qty"], row["Unnamed: 8"]) == (2, "ten", "")
    assert rejects["source_row"].dtype == "int64"


@pytest.mark.parametrize("how", ["rejects", "read_csv", "file", "saved", "reordered"])
def test_rows_with_columns_without_names_are_taken_back(account: Account, how: str) -> None:
    job = run_job(account, BLANK)
    file = account.get("rejects")
    frame = read_rejects(job) if how == "rejects" else pd.read_csv(io.BytesIO(file), dtype=str)
    frame["qty"] = "10"
    if how == "reordered":
        frame = frame[frame.columns[::-1]]
    edited = {
        "file": file.replace(b"ten", b"10"),
        "saved": frame.to_csv(index=False).encode(),
    }.get(how, frame)
    (row,) = taken_back(job, edited)
    assert (row.source_row, row.fields[3], row.fields[-2:]) == (2, "10", ("", ""))


def test_rejects_of_the_command_line_have_the_jobs_delimiter_and_are_taken_back(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    job = run_job(account, "readme-repair-recipe-semicolon", delimiter=";")
    write_csv(read_rejects(job), delimiter=job.ledger_entry().delimiter, line_end="\r\n")
    printed = capsys.readouterr().out
    assert printed.startswith("order_id;customer;country;qty;")
    (row,) = taken_back(job, printed.replace("ten", "10").encode())
    assert (row.source_row, row.fields[3]) == (2, "10")


@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
def test_rejects_saved_with_another_delimiter_are_taken_back(
    account: Account, delimiter: str
) -> None:
    job = run_job(account, "readme-repair-recipe-semicolon", delimiter=";")
    saved = read_rejects(job).to_csv(index=False, sep=delimiter).encode()
    (row,) = taken_back(job, saved)
    assert (row.source_row, row.fields[3]) == (2, "ten")


def test_enrichment_is_what_the_job_added_and_not_what_the_upload_had(account: Account) -> None:
    found = read_output(run_job(account, "reupload-completed"))
    assert found["warehouse"].tolist() == ["North"]
    assert found["warehouse (uploaded)"].tolist() == ["OLD"]
    assert list(found.columns)[-4:] == [
        "warehouse (uploaded)",
        "rep (uploaded)",
        "warehouse",
        "rep",
    ]


def test_schema_with_another_key_is_not_judged_by_the_deployed_reference_data() -> None:
    case = CASES / "what-if-other-key"
    schema = schema_of(case.name)
    with (case / "input.csv").open("rb") as file, pytest.raises(InputError) as caught:
        apply_schemas(
            chunk_files(file, schema, delimiter=","),
            name="input.csv",
            now=schema,
            then=load_schema(case / "schema-b.json"),
            delimiter=",",
            known_keys=lambda keys: keys,
        )
    for named in ("x-key is 'customer' instead of 'order_id'", "'email'", "other reference data"):
        assert named in str(caught.value)


# -------------------------------------------------------------------------- the header

NEAR = "RULES NOT APPLIED: in the header 'Unit_Price' looks like 'unit_price', 'ship date' looks"
TWICE = "COLUMNS TWICE: the file has 'warehouse', 'rep' already"
WARNED = [("optional-header-other-case", NEAR), ("reupload-completed", TWICE)]


@pytest.mark.parametrize(("case", "warning"), WARNED)
def test_header_that_is_not_what_it_seems_is_planned(case: str, warning: str) -> None:
    found = plan_of(case)
    assert found.can_succeed
    assert found.warnings[0].startswith(warning)
    assert warning in str(found)


@pytest.mark.parametrize(("case", "warning"), WARNED)
def test_header_that_is_not_what_it_seems_is_said_by_the_job_its_why_and_its_mail(
    account: Account, load_app: LoadApp, case: str, warning: str
) -> None:
    job = run_job(account, case)
    data = (CASES / case / "input.csv").read_bytes()
    header = next(csvtext.iter_records(data, delimiter=","))
    found = intake.header_warnings(header, schema_of(case), delimiter=",")
    account.put_entry(JOB, items.JOB_ENTRY, warnings=found, rowsIn=2, rowsOut=2, rowsRejected=0)
    (said,) = job_status(job).warnings
    assert said.startswith(warning)
    assert warning in str(job_status(job))
    (cause,) = warning_causes(job.ledger_entry())
    assert (cause.kind, cause.count, cause.next_call) == (
        "warning",
        1,
        "stack.submit('case.csv')  # once it is fixed",
    )
    assert warning in str(Why(JOB, "SUCCEEDED", (cause,)))
    mail = load_app("send-email").compose(account.entry(JOB), "https://example.com/x")
    assert warning in mail["Body"]["Text"]["Data"]


@pytest.mark.parametrize(
    ("case", "error", "message"),
    [
        (
            "message-title-line-above",
            "NoHeaderError",
            "the columns stand in row 2, with 1 line above them: delete the lines above",
        ),
        (
            "message-comment-lines-above",
            "NoHeaderError",
            "the columns stand in row 3, with 2 lines above them: delete the lines above",
        ),
        (
            "message-sep-semicolon-line",
            "NoHeaderError",
            "a spreadsheet's 'sep=' line, which is no header; the columns stand in row 2, with 1 "
            "line above them, and are delimited by ';', but the stack expects ',': delete it",
        ),
        (
            "message-cp1252-header",
            "MissingColumnsError",
            "lacks 'Größe' in UTF-8, but has them in Windows-1252: save the file as UTF-8",
        ),
        (
            "message-wide-header",
            "MissingColumnsError",
            "the header lacks 'amount': 'Amount' looks like 'amount'; ",
        ),
    ],
)
def test_header_that_is_refused_is_named_for_what_it_is(
    case: str, error: str, message: str
) -> None:
    refusal = plan_of(case).refusal
    assert refusal is not None
    assert refusal.error == error
    assert message in refusal.message
