"""A job's errors are the same whether they come from the file, the pieces or the table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from batchcore import error_files, items, keys, workflow
from batchcore.error_files import COLUMNS
from hypothesis import given
from hypothesis import strategies as st
from support import (
    BUCKET,
    ERROR_TABLES,
    HEADER,
    JOB_TABLE,
    START_TIME,
    chunk_event,
    context,
    dump_rows,
    job_event,
    made_once,
    manifest_entry,
    stack_ref,
)

from batchops.core import ledger
from batchops.core.error_objects import end_of_errors, error_pieces, rejected_rows
from batchops.core.errors import InputError, JobError
from batchops.core.ledger import ErrorFilter
from batchops.inspection.error_pages import error_page
from batchops.inspection.error_parsing import parse_errors, parse_with_arrow, parse_with_pandas
from batchops.inspection.frames import errors_frame
from batchops.inspection.job_errors import count_errors, count_items
from batchops.job import Job

if TYPE_CHECKING:
    from support import Account, LoadApp

JOB = "orders-000000000001"
KEY = "input/orders.csv"
STATES = ("merged", "failed", "format 1", "merged in format 1")


def bad(row: int, *faults: tuple[str, str, str], raw: str = "a,b\n") -> dict[str, Any]:
    errors = [
        {
            "stage": "validate" if column else "read",
            "column": column,
            "rule": rule,
            "value": value,
            "limit": "007",
            "message": f"{column} breaks {rule}",
        }
        for column, rule, value in faults
    ]
    return {"row": row, "raw": raw, "key": "0042", "errors": errors}


CHUNKS = (
    [
        bad(2, ("Country", "enum", "x"), ("Area", "maxLength", 'a"\r\n"b'), ("", "quoting", "")),
        {"row": 3, "raw": "a,b\n", "values": []},
        bad(4, ("2024", "type", "1.50"), raw='"a\x00b"\r\n'),
    ],
    [{"row": 5, "raw": "a,b\n", "values": []}],
    [
        bad(6, ("Country", "enum", "NA"), raw="\u1e9e\U0001f600,\r\n"),
        bad(7, ("Country", "enum", ""), ("Country", "enum", "\x00")),
    ],
)
ROWS = [2, 2, 2, 4, 6, 7, 7]


@dataclass(frozen=True)
class Stored:
    """A job whose chunks have written their errors."""

    job: Job
    account: Account
    merge: Callable[[], dict[str, Any]]

    def from_table(self) -> pd.DataFrame:
        return errors_frame(ledger.stored_errors(self.job.stack, JOB))

    def set_status(self, status: str) -> None:
        self.account.put_entry(JOB, items.JOB_ENTRY, status=status)


def put_job(account: Account, load_app: LoadApp) -> str:
    """Have the job's chunks write their errors; return the version of its input."""
    write = load_app("write-output-chunk")
    version = account.put(KEY, HEADER)
    manifest = []
    for number, records in enumerate(CHUNKS, 1):
        first, last = records[0]["row"], records[-1]["row"]
        event = chunk_event(JOB, number=number, first_row=first, rows=len(records))
        event["enrich"]["versionId"] = account.put(event["enrich"]["key"], dump_rows(records))
        account.put_entry(JOB, items.chunk_entry(number), startTime=items.utc_now())
        write.lambda_handler(event, context())
        manifest.append(manifest_entry(JOB, number, first, last, len(records)))
    account.put(keys.manifest(JOB, 1), json.dumps(manifest).encode())
    account.put_entry(
        JOB,
        items.JOB_ENTRY,
        attempt=1,
        status=workflow.FAILED,
        startTime=START_TIME,
        endTime=START_TIME,
        error="ChunksFailedError",
        bucket=BUCKET,
        key=KEY,
        delimiter=",",
        chunks=len(CHUNKS),
        rowsIn=6,
        manifestKey=keys.manifest(JOB, 1),
        headers={
            "output": account.put(keys.output(JOB, 0), b"h\n"),
            "rejects": account.put(keys.rejected_piece(JOB, 0), b"h\n"),
        },
        ledgerFormat=items.LEDGER_FORMAT,
    )
    return version


@pytest.fixture
def stored(account: Account, load_app: LoadApp) -> Stored:
    version = made_once(f"{__name__} stored", lambda: put_job(account, load_app))
    event = job_event(JOB, key=KEY, versionId=version)
    outputs = {
        "JobTableName": JOB_TABLE,
        **ERROR_TABLES,
        "SourceBucketName": BUCKET,
    }
    ref = stack_ref(outputs=outputs, s3=account.s3, dynamodb=account.dynamodb)

    def merge() -> dict[str, Any]:
        result: dict[str, Any] = load_app("merge-s3-files").lambda_handler(event, context())
        return result

    return Stored(Job(ref, JOB), account, merge)


def bring_into(state: str, stored: Stored) -> None:
    """Bring the job into a state; spoil whatever is not to be read then."""
    if "format 1" in state:
        stored.account.put_entry(JOB, items.JOB_ENTRY, ledgerFormat=1)
        for number in range(1, 4):
            entry = {"jobId": {"S": JOB}, "entry": {"S": items.chunk_entry(number)}}
            stored.account.dynamodb.update_item(
                TableName=JOB_TABLE, Key=entry, UpdateExpression="REMOVE errorPiece"
            )
    if "merged" in state:
        assert "failure" not in stored.merge()
        stored.set_status(workflow.SUCCEEDED)
    if state == "merged":
        for number in (1, 3):
            stored.account.put_entry(JOB, items.chunk_entry(number), versions={})
            stored.account.s3.delete_object(Bucket=BUCKET, Key=keys.error_piece(JOB, number))


@pytest.fixture(params=STATES)
def job(stored: Stored, request: pytest.FixtureRequest) -> Job:
    """The job in each state."""
    made_once(f"{__name__} {request.param}", lambda: bring_into(request.param, stored))
    return stored.job


def test_errors_are_those_of_the_table(job: Job, stored: Stored) -> None:
    found = job.errors()
    assert list(found["source_row"]) == ROWS
    pd.testing.assert_frame_equal(found, stored.from_table())


def test_errors_in_parts_are_all_errors_in_order(job: Job) -> None:
    for lines in (1, 2, 6, 7, 99):
        parts = list(job.iter_errors(lines=lines))
        assert [len(part) for part in parts[:-1]] == [lines] * (len(parts) - 1)
        assert all(list(part.index) == list(range(len(part))) for part in parts)
        pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), job.errors())


def test_errors_are_filtered_and_cut(job: Job) -> None:
    cases: list[tuple[dict[str, Any], list[int], bool]] = [
        ({"limit": 2}, ROWS[:2], True),
        ({"limit": 7}, ROWS, False),
        ({"limit": 8}, ROWS, False),
        ({"column": "Country"}, [2, 6, 7, 7], False),
        ({"column": "Country", "limit": 1}, [2], True),
        ({"column": ""}, [2], False),
        ({"column": "2024", "rule": "type"}, [4], False),
    ]
    for options, rows, cut in cases:
        found = job.errors(**options)
        assert list(found["source_row"]) == rows, options
        assert list(found.index) == list(range(len(rows)))
        assert found.attrs["cut"] is cut, options


@pytest.mark.parametrize("where", [{}, {"column": "Country"}, {"first_row": 4, "last_row": 6}])
def test_pages_have_each_error_once(job: Job, where: dict[str, Any]) -> None:
    wanted = errors_frame(ledger.stored_errors(job.stack, JOB, ErrorFilter(**where)))
    for lines in (1, 2, 3, 50):
        pages = [error_page(job, where=ErrorFilter(**where), lines=lines)]
        while pages[-1].next:
            after = pages[-1].next
            pages.append(error_page(job, where=ErrorFilter(**where), lines=lines, after=after))
            assert len(pages) < 20
        found = pd.concat([page.errors for page in pages], ignore_index=True)
        pd.testing.assert_frame_equal(found, wanted)
        assert max(len(page.errors) for page in pages) <= lines


def test_causes_and_rejected_rows_are_those_of_the_table(job: Job) -> None:
    entry = job.ledger_entry()
    assert count_errors(job, entry) == count_items(ledger.stored_errors(job.stack, JOB))
    causes = {cause.what: cause.count for cause in job.why().causes if cause.kind == "rejection"}
    assert causes["validate: Country breaks enum"] == 4
    assert causes["read: the row breaks quoting"] == 1
    values = {cause.what: (cause.source_row, cause.value) for cause in job.why().causes}
    assert values["validate: Country breaks enum"] == (2, "x")
    assert values["validate: 2024 breaks type"] == (4, "1.50")


@pytest.mark.parametrize("deep", [False, True])
def test_balance_says_what_it_counted(job: Job, stored: Stored, deep: bool) -> None:
    stored.set_status(workflow.SUCCEEDED)
    found = job.balance(deep=deep)
    assert found.holds
    assert {(count.rows, count.errors) for count in found.counted} == {(4, 7)}
    places = [count.where for count in found.counted]
    if job.ledger_entry().ledger_format == 1:
        assert places == ["tables"]
    else:
        assert places == (["ledger", "files", "tables"] if deep else ["ledger"])


def test_more_causes_than_the_ledger_has_room_for_are_counted_in_the_file(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_files, "MAX_CAUSES_BYTES", 60)
    stored.merge()
    entry = stored.job.ledger_entry()
    assert json.loads(entry.item["errorsFile"]["causes"])["others"] > 0
    wanted = count_items(ledger.stored_errors(stored.job.stack, JOB))
    assert count_errors(stored.job, entry) == wanted
    assert stored.job.balance(deep=True).counted[0].errors == len(ROWS)


def test_rejected_rows_of_a_chunk_are_in_its_piece(stored: Stored) -> None:
    pieces = error_pieces(stored.job.ledger_entry(), stored.job.chunk_entries())
    assert pieces is not None
    found = {number: rejected_rows(stored.job, BUCKET, each) for number, each in pieces.items()}
    assert found == {1: {2, 4}, 2: set(), 3: {6, 7}}


@pytest.mark.parametrize("merged", [True, False])
def test_late_call_that_writes_over_the_file_changes_nothing(stored: Stored, merged: bool) -> None:
    if merged:
        stored.merge()
    for key in (keys.errors(JOB, KEY), keys.error_piece(JOB, 1)):
        stored.account.put(key, b"late")
    pd.testing.assert_frame_equal(stored.job.errors(), stored.from_table())


def test_chunk_that_runs_again_keeps_its_errors_until_it_has_new_ones(stored: Stored) -> None:
    stored.merge()
    stored.account.put_entry(JOB, items.JOB_ENTRY, attempt=2)
    chunk = (items.chunk_entry(3), 2)
    ledger.mark_pending(stored.job.stack, JOB, 2, [chunk])
    assert list(stored.job.errors()["source_row"]) == ROWS
    ledger.mark_pending(stored.job.stack, JOB, 2, [chunk], resplit=True)
    assert list(stored.job.errors()["source_row"]) == ROWS[:4]


@pytest.mark.parametrize("merged", [True, False])
def test_errors_that_have_expired_are_said_to_be_gone(stored: Stored, merged: bool) -> None:
    if merged:
        stored.merge()
        stored.set_status(workflow.SUCCEEDED)
    found = stored.account.s3.list_object_versions(Bucket=BUCKET, Prefix=f"jobs/{JOB}/error")
    for version in found["Versions"]:
        stored.account.s3.delete_object(
            Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"]
        )
    with pytest.raises(JobError, match="is gone, as the errors of a job are after ErrorExpiryDays"):
        stored.job.errors()
    why = stored.job.why()
    assert why.by_rule_only
    assert 4 in [cause.count for cause in why.causes if cause.kind == "rejection"]
    if merged:
        balance = stored.job.balance()
        assert not balance.holds
        assert "the file of errors is gone, as it is after ErrorExpiryDays" in str(balance)


def test_page_after_errors_that_have_changed_is_refused(stored: Stored) -> None:
    after = error_page(stored.job, lines=1).next
    stored.merge()
    with pytest.raises(InputError, match="the errors have changed since the page before"):
        error_page(stored.job, after=after)


# ------------------------------------------------------------------------------- parsing

TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
PART = st.sampled_from(['"', "\n", "\r", ",", "\0", "1", "x"])
ODD = st.lists(PART, max_size=6).map("".join) | TEXT


@given(st.lists(st.lists(ODD, min_size=2, max_size=2), min_size=1, max_size=5), st.data())
def test_block_ends_where_an_error_ends(lines: list[list[str]], data: st.DataObject) -> None:
    texts = []
    for line in lines:
        text = io.StringIO()
        csv.writer(text).writerow(["2", *line])
        texts.append(text.getvalue().encode())
    whole = b"".join(texts)
    at = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, texts[:n])) for n in range(len(texts) + 1)]
    assert end_of_errors(whole[:at]) == max(end for end in ends if end <= at)


@given(st.lists(st.lists(ODD, min_size=8, max_size=8), min_size=1, max_size=5))
def test_texts_come_back_as_they_were(lines: list[list[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    for row, (column, value, limit, uuid, raw, *_) in enumerate(lines, 2):
        fixed = {"rule": "enum", "message": "is wrong", "stage": "read", "time": START_TIME}
        own = {"column": column, "value": value, "limit": limit, "uuid": uuid, "raw": raw}
        numbers = {"source_row": row, "chunk": 1, "attempt": 1}
        line = {**fixed, **own, **numbers}
        writer.writerow([line[name] for name in COLUMNS])
    block = text.getvalue().encode()
    found = parse_errors(block)
    for place, name in enumerate(("column", "value", "limit", "uuid", "raw")):
        assert list(found[name]) == [line[place] for line in lines]
    # Where pyarrow is not installed, pandas parses alone.
    alone = parse_with_pandas(block)
    assert alone.equals(parse_with_arrow(block).astype(alone.dtypes.to_dict()))


def test_rows_with_many_errors_get_their_text_over_the_ends_of_blocks() -> None:
    def line(row: int, raw: str) -> bytes:
        values = dict.fromkeys(COLUMNS, "1") | {"time": START_TIME, "source_row": row, "raw": raw}
        text = io.StringIO()
        csv.writer(text).writerow(values.values())
        return text.getvalue().encode()

    first = parse_errors(line(2, "a\n") + line(2, "") + line(3, "b\n"))
    assert list(first["raw"]) == ["a\n", "a\n", "b\n"]
    second = parse_errors(line(3, "") + line(3, "") + line(4, "c\n"), before=(3, "b\n"))
    assert list(second["raw"]) == ["b\n", "b\n", "c\n"]
    whole = parse_errors(line(4, "") + line(4, ""), before=(4, "c\n"))
    assert list(whole["raw"]) == ["c\n", "c\n"]
    assert first["raw"].dtype == second["raw"].dtype == whole["raw"].dtype == "str"


@pytest.mark.parametrize("raw", ["1\n", "true", "007\n", "1.50"])
def test_file_of_a_single_column_of_numbers_is_text(raw: str) -> None:
    line = dict.fromkeys(COLUMNS, "1") | {"time": START_TIME, "raw": raw, "column": "1"}
    text = io.StringIO()
    csv.writer(text).writerow(line.values())
    found = parse_errors(text.getvalue().encode())
    assert found["raw"][0] == raw
    assert found["rule"][0] == found["column"][0] == "1"
    assert dict(found.dtypes) == dict(errors_frame([]).dtypes)
