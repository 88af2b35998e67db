"""No row ever leaves the bucket and the tables by way of a log, a workflow's state or a notice.

Rows that hold a mark are sent down every path that a row can take: good, rejected at each stage,
refused with its file, and into functions that crash over it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from batchcore import items, keys
from e2e.inbox import Inbox
from e2e.jobs import TIMEOUT_S, finish_all, finished
from e2e.permissions import denied
from e2e.rows import HEADER, order, to_csv

from batchops.core.errors import BatchOpsError
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

MARK = "zqx7mark"
# A key that no other test uses and the reference data lacks: keys are nine digits.
KEY_MARK = "918273645"
COLUMN = "zqx7 column"


def _marked_rows() -> bytes:
    """Return a file with a mark in each kind of row; an extra column passes through."""
    rows = [
        order(0, Country=MARK),
        order(1, Order_Priority=MARK),
        order(2, Country=MARK, uuid=KEY_MARK),
        order(3, uuid=MARK),
        order(4, Order_Date=MARK, Ship_Date=f'"{MARK},\n{MARK}"'),
    ]
    text = to_csv([[*row, MARK] for row in rows], header=f"{HEADER},{COLUMN}")
    # Too many fields, too few, and bytes that are not UTF-8.
    return (
        text + f"{MARK},{MARK}\n".encode() + MARK.encode() + b",\xff\n" + b"," * 20 + b"zqx7mark\n"
    )


REFUSED = {
    "no-header.csv": to_csv([order(0, Country=MARK)]).split(b"\n", 1)[1],
    "lacks-columns.csv": f"uuid,Country\n{KEY_MARK},{MARK}\n".encode(),
    "other-delimiter.csv": to_csv([order(0, Country=MARK)], delimiter=":").replace(b",", b":"),
    "open-quote.csv": to_csv([order(0)]) + f'"{MARK},{MARK}\n{MARK}\n'.encode(),
    "twice.csv": f"{HEADER},Country\n".encode() + MARK.encode(),
}


@pytest.fixture(scope="module")
def jobs(stack: Stack, inbox: Inbox) -> dict[str, Job]:
    """Jobs that have ended, with the marks in their files; the inbox was there before them."""
    role, bucket = "WriteOutputChunkRole", stack.outputs["SourceBucketName"]
    found = finish_all(stack, {"rows.csv": _marked_rows(), **REFUSED}, check=False)
    # And one whose last step dies with the rows in its hands.
    with denied(stack, role, "s3:PutObject", f"arn:aws:s3:::{bucket}/jobs/*/rejects/*"):
        found["dies.csv"] = finished(stack, _marked_rows(), "dies.csv", check=False)
    return found


@pytest.fixture(scope="module")
def crashes(stack: Stack, jobs: dict[str, Job]) -> list[str]:
    """What each step of the chunk workflow says of records that it cannot read."""
    job, bucket = jobs["rows.csv"], stack.outputs["SourceBucketName"]
    s3, found = stack.client("s3"), []
    rows = {"firstRow": 2, "lastRow": 9, "rows": 1}
    chunk: dict[str, Any] = {"number": 999, "key": keys.chunk(job.id, 999), **rows}
    broken = f'{{"row": 2, "raw": "{MARK}", "fields": {{"uuid": "{MARK}"'.encode()
    odd = f'{{"row": "{MARK}", "fields": {{"Country": "{MARK}"}}}}\n'.encode()
    for key in (keys.records, keys.valid, keys.enriched, keys.chunk):
        event: dict[str, Any] = {
            "jobId": job.id,
            "attempt": 1,
            "bucket": bucket,
            "parameters": {"delimiter": ","},
            "chunk": chunk,
            "executionArn": "x",
            "startTime": "2026-11-23T06:00:03.250Z",
            "read": {"key": keys.records(job.id, 999), "ms": 1},
            "validate": {"key": keys.valid(job.id, 999), "ms": 1},
            "enrich": {"key": keys.enriched(job.id, 999), "ms": 1},
        }
        step = {
            keys.records: "validate-data",
            keys.valid: "enrich-data",
            keys.enriched: "write-output-chunk",
            keys.chunk: "read-file",
        }[key]
        name = {keys.records: "read", keys.valid: "validate", keys.enriched: "enrich"}.get(key)
        for body in (broken, odd):
            stored = s3.put_object(Bucket=bucket, Key=key(job.id, 999), Body=body)
            event[name or "chunk"]["versionId"] = stored["VersionId"]
            try:
                found.append(json.dumps(stack.invoke(step, event)))
            except BatchOpsError as error:
                found.append(f"{error} {vars(error)}")
            assert "'versionId'" not in found[-1]  # it got as far as the rows
    entry = {"jobId": {"S": job.id}, "entry": {"S": items.chunk_entry(999)}}
    stack.client("dynamodb").delete_item(TableName=stack.outputs["JobTableName"], Key=entry)
    return found


def _assert_clean(where: str, text: str, *, columns: bool = False) -> None:
    for mark in (MARK, KEY_MARK) if columns else (MARK, KEY_MARK, COLUMN):
        place = text.find(mark)
        assert place < 0, f"{where}: {text[max(0, place - 300) : place + 100]}"


def test_marks_did_go_through_the_stack(jobs: dict[str, Job]) -> None:
    """Otherwise that they are found nowhere would say nothing."""
    done = jobs["rows.csv"]
    assert done.output()["Country"].to_list() == [MARK]
    stages = done.errors().groupby("stage")["raw"].apply(lambda raw: raw.str.contains(MARK).any())
    assert stages.to_dict() == {"read": True, "validate": True, "enrich": True}
    assert {job.status().status for name, job in jobs.items() if name != "rows.csv"} == {"FAILED"}


def test_crashing_functions_do_not_say_what_they_held(crashes: list[str]) -> None:
    assert any("Error" in text for text in crashes)
    for text in crashes:
        _assert_clean("a crash", text)


@pytest.mark.usefixtures("jobs", "crashes")
def test_no_log_holds_anything_of_a_row(stack: Stack) -> None:
    logs = stack.client("logs")
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    ]
    read = 0
    for group in groups:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            read += len(page["events"])
            _assert_clean(group, "\n".join(event["message"] for event in page["events"]))
    assert read > 50


@pytest.mark.usefixtures("jobs", "crashes")
def test_log_of_the_local_engine_holds_nothing_of_a_row(engine: LocalEngine) -> None:
    text = engine.log_file.read_text(encoding="utf-8", errors="replace")
    assert text
    _assert_clean("engine.log", text)


def _histories(stack: Stack, job: Job) -> Iterator[str]:
    states = stack.client("stepfunctions")
    for machine in ("MainOrchestratorArn", "ProcessChunkArn"):
        pages = states.get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=stack.outputs[machine]):
            for execution in page["executions"]:
                if execution["name"].startswith(job.id):
                    arn = execution["executionArn"]
                    yield json.dumps(states.describe_execution(executionArn=arn), default=str)
                    history = states.get_paginator("get_execution_history")
                    for part in history.paginate(executionArn=arn):
                        yield from (json.dumps(event, default=str) for event in part["events"])


def test_states_and_histories_hold_keys_counts_and_names_of_columns_only(
    stack: Stack, jobs: dict[str, Job]
) -> None:
    for name, job in jobs.items():
        texts = list(_histories(stack, job))
        assert len(texts) > 10
        for text in texts:
            _assert_clean(name, text, columns=True)


def test_ledger_and_notices_say_what_is_wrong_without_quoting_rows(
    jobs: dict[str, Job], inbox: Inbox
) -> None:
    for name, job in jobs.items():
        for entry in (job.entry(), *(chunk.item for chunk in job.chunk_entries())):
            _assert_clean(name, json.dumps(entry), columns=True)
        notices = inbox.about(job.id, timeout_s=0 if name == "rows.csv" else TIMEOUT_S)
        assert len(notices) == (name != "rows.csv")
        _assert_clean(name, "".join(notices), columns=True)


def test_package_logs_nothing_of_a_row(
    jobs: dict[str, Job], caplog: pytest.LogCaptureFixture, stack: Stack
) -> None:
    with caplog.at_level(logging.INFO):
        job = jobs["rows.csv"]
        job.errors(), job.output(), job.rejects(), job.why(), stack.plan(_marked_rows())
    _assert_clean("the package's log", caplog.text)
