"""Causes, grouped and counted, each with the next call; and a workflow's steps from its history."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from batchops.core.histories import StateVisit
from batchops.core.ledger import ChunkEntry, ErrorItem, JobEntry
from batchops.deployment.change_sets import Change
from batchops.deployment.preview import Preview
from batchops.inspection.job_errors import count_items
from batchops.inspection.row_causes import group_rows
from batchops.inspection.status import JobStatus
from batchops.inspection.steps import steps_frame
from batchops.inspection.why import (
    Cause,
    Why,
    chunk_causes,
    counted_rules,
    job_cause,
    mail_causes,
    normalise,
    rejection_causes,
)

ENTRY = {"key": "input/orders.csv", "chunkRows": 600, "status": "FAILED"}


def _error_attributes(
    row: int, column: str = "Order Date", rule: str = "format", value: str = "x"
) -> dict[str, Any]:
    return {
        "stage": "validate",
        "column": column,
        "rule": rule,
        "sourceRow": row,
        "value": value,
        "raw": "secret",
        "uuid": "secret",
    }


def _error(*args: Any, **kwargs: Any) -> ErrorItem:
    return ErrorItem(_error_attributes(*args, **kwargs))


# Both ways to the same causes: rows are looked at, or the ledger's counts by rule are taken.
def _grouped(errors: Iterable[ErrorItem], *, succeeded: bool) -> list[Cause]:
    return rejection_causes(*group_rows(errors), succeeded=succeeded)


def _counted(errors: Iterable[ErrorItem], *, succeeded: bool) -> list[Cause]:
    """Return the causes of errors, whose values are looked up by the first of each cause."""
    values: dict[tuple[int, str, str], str] = {}

    def noted() -> Iterator[ErrorItem]:
        for error in errors:
            if len(values) < 10:
                values.setdefault((error.source_row, error.column, error.rule), error.value)
            yield error

    rules = counted_rules(count_items(noted()), values)
    return rejection_causes([], rules, succeeded=succeeded)


CausesOf = Callable[..., list[Cause]]
ways = pytest.mark.parametrize("causes_of", [_grouped, _counted])


def _chunk(number: int, *, error: str = "TransientError", cause: str = "") -> ChunkEntry:
    entry = {"entry": f"CHUNK#{number:06d}", "status": "FAILED", "error": error, "cause": cause}
    return ChunkEntry({**entry, "failedStep": "Get Financial Data"})


def _failed(reason: str) -> JobStatus:
    return JobStatus("FAILED", reason=reason)


# ---------------------------------------------------------------------------------- rejections


@ways
def test_rejections_are_grouped_by_stage_column_and_rule(causes_of: CausesOf) -> None:
    errors = [_error(5, value="13/40/10"), _error(6, "Region", "maxLength"), _error(9), _error(7)]
    causes = causes_of(errors, succeeded=True)
    assert [(c.what, c.count) for c in causes] == [
        ("validate: Order Date breaks format", 3),
        ("validate: Region breaks maxLength", 1),
    ]
    assert (causes[0].source_row, causes[0].value) == (5, "13/40/10")


@ways
def test_very_many_errors_are_counted_as_they_come(causes_of: CausesOf) -> None:
    alive = 0
    most = 0

    class Item(ErrorItem):
        def __init__(self, row: int) -> None:
            nonlocal alive, most
            super().__init__(_error_attributes(row))
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def stream() -> Iterator[Item]:
        for row in range(20_000):
            yield Item(row)

    (cause,) = causes_of(stream(), succeeded=True)
    assert cause.count == 20_000
    assert most < 10


@ways
def test_of_a_row_only_number_and_value_are_kept(causes_of: CausesOf) -> None:
    (cause,) = causes_of([_error(5, value="a" * 5_000)], succeeded=True)
    assert "secret" not in json.dumps(Why("j", "SUCCEEDED", (cause,)).to_dict())
    assert len(str(cause)) < 600


@ways
def test_rejects_are_offered_only_where_the_job_has_them(causes_of: CausesOf) -> None:
    (done,) = causes_of([_error(5)], succeeded=True)
    (failed,) = causes_of([_error(5)], succeeded=False)
    assert done.next_call.startswith("bad = job.rejects()")
    assert failed.next_call == "job.errors()"


# ------------------------------------------------------------------------------------ failures


def test_chunk_failures_that_differ_in_numbers_only_are_one_cause() -> None:
    chunks = [
        _chunk(1, cause="orders-0123456789ab: chunk 1 timed out after 900.12 s"),
        _chunk(2, cause="orders-0123456789ab: chunk 2 timed out after 900.37 s"),
        _chunk(3, error="LookupRefusedError", cause="POST /financials answered 403"),
        ChunkEntry({"entry": "CHUNK#000004", "status": "SUCCEEDED"}),
    ]
    first, second = chunk_causes(chunks)
    assert first.count == 2
    reason = "TransientError: <job>: chunk <n> timed out after <n> s"
    assert first.what == f"Get Financial Data (enrich-data): {reason}"
    assert first.example.startswith("chunk 1: TransientError: orders-0123456789ab")
    assert first.next_call == "job.rerun()"
    assert second.count == 1
    assert "403" in second.what, "a status is a cause of its own"
    assert second.next_call == "stack.logs('enrich-data', job=job.id)  # then job.rerun()"


def test_cause_in_lambda_s_json_is_read() -> None:
    cause = json.dumps({"errorType": "KeyError", "errorMessage": "'key'", "stackTrace": ["..."]})
    (found,) = chunk_causes([_chunk(1, error="KeyError", cause=cause)])
    assert found.what == "Get Financial Data (enrich-data): KeyError: 'key'"


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        (
            "WrongDelimiterError: the header is delimited by ';', the stack expects ',': convert",
            "stack.deploy(FileDelimiter=';'); job.rerun(dry_run=False)",
        ),
        (
            "WrongDelimiterError: the header is delimited by '\\t', the stack expects ',': convert",
            "stack.deploy(FileDelimiter='tab'); job.rerun(dry_run=False)",
        ),
        (
            "TooManyChunksError: the file has more than 80,000 chunks",
            "stack.deploy(FileChunkSize=0); job.rerun(dry_run=False)  # a size that fits the file",
        ),
        ("EmptyFileError: the file has 0 bytes", "stack.submit('orders.csv')  # once it is fixed"),
    ],
)
def test_file_that_is_not_accepted_has_its_next_call(reason: str, call: str) -> None:
    cause = job_cause(JobEntry(ENTRY), _failed(reason))
    assert cause is not None
    assert cause.next_call == call


def test_file_in_a_folder_is_submitted_under_its_name_again() -> None:
    cause = job_cause(
        JobEntry({**ENTRY, "key": "input/2026/a.csv"}), _failed("EmptyFileError: 0 bytes")
    )
    assert cause is not None
    assert cause.next_call.startswith("stack.submit('a.csv', name='2026/a.csv')")


def test_job_that_was_stopped_is_rerun() -> None:
    cause = job_cause(JobEntry(ENTRY), JobStatus("ABORTED", reason=": "))
    assert cause is not None
    assert cause.what == "the workflow was ended from outside: ABORTED"
    assert cause.next_call == "job.rerun()"


@pytest.mark.parametrize(
    ("known", "function"), [({}, "split-ip-file"), ({"chunks": 9}, "merge-s3-files")]
)
def test_map_that_does_not_say_why_its_child_failed_sends_to_the_functions_log(
    known: dict[str, int], function: str
) -> None:
    reason = "States.ExceedToleratedFailureThreshold: the threshold was exceeded"
    cause = job_cause(JobEntry({**ENTRY, **known}), _failed(reason))
    assert cause is not None
    call, _, then = cause.next_call.partition("  # then ")
    assert call == f"stack.logs({function!r}, job=job.id)"
    assert then == "job.rerun(dry_run=False)"


@pytest.mark.parametrize("status", ["WAITING", "RUNNING", "SUCCEEDED"])
def test_job_that_has_not_failed_has_no_cause(status: str) -> None:
    assert job_cause(JobEntry(ENTRY), JobStatus(status)) is None


def test_delimiter_is_read_from_the_message_that_the_function_gives() -> None:
    from batchcore.errors import WrongDelimiterError
    from batchcore.intake import map_header
    from support import HEADER, SCHEMA

    for delimiter, named in ((";", "';'"), ("\t", "'tab'"), ("|", "'|'")):
        with pytest.raises(WrongDelimiterError) as caught:
            map_header(HEADER.replace(b",", delimiter.encode()), SCHEMA, delimiter=",")
        cause = job_cause(JobEntry(ENTRY), _failed(f"WrongDelimiterError: {caught.value}"))
        assert cause is not None
        assert f"FileDelimiter={named}" in cause.next_call


@pytest.mark.parametrize(
    ("cause", "call"),
    [
        ("Email address is not verified: team@example.com", "stack.doctor()"),
        ("Maximum sending rate exceeded", "job.email()"),
    ],
)
def test_unsent_mail_is_a_cause_though_the_job_succeeded(cause: str, call: str) -> None:
    entry = JobEntry({"mailStatus": "FAILED", "mailError": "MessageRejected", "mailCause": cause})
    (found,) = mail_causes(entry)
    assert (found.kind, found.next_call) == ("mail", call)
    assert list(mail_causes(JobEntry({"mailStatus": "SENT"}))) == []


@ways
def test_every_next_call_is_python(causes_of: CausesOf) -> None:
    chunks = chunk_causes([_chunk(1), _chunk(2, error="KeyError")])
    rows = causes_of([_error(5, "it's\n#1"), _error(6, "")], succeeded=True)
    for cause in (*chunks, *rows):
        ast.parse(cause.next_call)


@pytest.mark.parametrize(
    "texts",
    [
        (
            "RequestId: 62838192-6bd5-4ceb-a1a7-f5cd46ba7147 Error",
            "RequestId: 46fff81f-caea-4bd0-be5e-73ca7fb9ecd1 Error",
        ),
        ("at 2026-11-23T06:43:32.778Z", "at 2026-11-22T01:00:00.1Z"),
        ("12345 rows", "99999 rows"),
        ("etag d41d8cd98f00b204e9800998ecf8427e", "etag 900150983cd24fb0d6963f7d28e17f72"),
    ],
)
def test_what_varies_is_normalised(texts: tuple[str, str]) -> None:
    assert normalise(texts[0]) == normalise(texts[1])


# --------------------------------------------------------------------------------------- texts


def test_why_says_whether_errors_were_counted_by_rule_only() -> None:
    for by_rule_only in (False, True):
        why = Why("orders-1", "SUCCEEDED", (), by_rule_only=by_rule_only)
        assert why.to_dict()["by_rule_only"] is by_rule_only
        for text in (str(why), why._repr_html_()):
            assert ("counted by rule" in text) is by_rule_only


def test_job_without_causes_says_so() -> None:
    text = str(Why("orders-1", "SUCCEEDED", ()))
    assert text == "job orders-1 is SUCCEEDED: nothing failed, no row was rejected"


@ways
def test_values_cannot_colour_a_terminal(causes_of: CausesOf) -> None:
    causes = causes_of([_error(5, value="red\x1b[31m")], succeeded=True)
    assert r"red\x1b[31m" in str(Why("orders-1", "SUCCEEDED", tuple(causes)))


def test_many_causes_are_cut_in_text_and_whole_in_dict() -> None:
    causes = tuple(Cause("failure", f"cause {n}", 1, None, "x", "job.rerun()") for n in range(30))
    why = Why("orders-1", "FAILED", causes)
    assert "and 10 causes more" in str(why)
    assert len(why.to_dict()["causes"]) == 30


CHANGES = (
    Change("Modify", "SourceBucket", "AWS::S3::Bucket", "True", ("BucketName", "Tags")),
    Change("Add", "Topic", "AWS::SNS::Topic", "", ()),
)


def test_preview_is_a_table_as_text_html_and_frame() -> None:
    preview = Preview("demo", creates=False, changes=CHANGES, unchanged=False)
    lines = str(preview).splitlines()
    assert lines[0] == "stack demo: 2 resources would change, 1 of them may be replaced"
    assert lines[1].split() == ["action", "logical_id", "type", "replacement", "properties"]
    assert lines[2].split()[-2:] == ["BucketName,", "Tags"]
    frame = preview.to_frame()
    assert list(frame["replacement"]) == ["True", ""]
    assert json.loads(json.dumps(preview.to_dict()))["changes"][0]["properties"] == [
        "BucketName",
        "Tags",
    ]


def test_preview_says_unchanged_and_keeps_its_columns() -> None:
    preview = Preview("demo", creates=False, changes=(), unchanged=True)
    assert str(preview) == "stack demo: unchanged"
    assert list(preview.to_frame().columns) == [
        "action",
        "logical_id",
        "type",
        "replacement",
        "properties",
    ]


# --------------------------------------------------------------------------------------- steps


def test_steps_have_their_columns_also_without_any() -> None:
    kinds = {name: str(dtype) for name, dtype in steps_frame([]).dtypes.items()}
    assert kinds == {
        "state": "str",
        "type": "str",
        "status": "str",
        "start": "datetime64[ms, UTC]",
        "end": "datetime64[ms, UTC]",
        "ms": "Int64",
        "tries": "int64",
        "error": "str",
    }
    frame = steps_frame([StateVisit("Chunks", "Map", datetime(2026, 11, 23, tzinfo=UTC))])
    assert frame.dtypes.equals(steps_frame([]).dtypes)
    assert frame["end"].isna().all()
    assert frame["ms"].isna().all()
