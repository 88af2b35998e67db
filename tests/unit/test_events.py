"""The sample events: each runs through its function, and says what the step before it gave."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from batchcore import aws, jobs, keys, workflow
from batchcore.reference import read_reference, table_item
from support import (
    BUCKET,
    FINANCIAL_TABLE,
    ROOT,
    SCHEMA,
    SENDER,
    SESSION,
    SOURCE,
    Server,
    always,
    context,
    financials,
    made_once,
    resource,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import Account, LoadApp

EVENTS = ROOT / "events"
SAMPLE = (EVENTS / "orders.csv").read_bytes()
REFERENCE = dict(read_reference(SOURCE / "reference" / "reference.csv", SCHEMA))
# What differs from run to run.
_VARYING = {"ms", "at", "cold", "versionId"}
JOB = "q1-orders-emea-8e5422ba9dc1"
KEY = "input/2026/Q1 orders (EMEA).csv"

# The order of a job; each presupposes what those before it did.
STEPS = [
    "s3-lambda-notification",
    "split-ip-file",
    "read-file",
    "validate-data",
    "enrich-data",
    "write-output-chunk",
    "merge-s3-files",
    "send-email",
]


def load(folder: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{folder}.json").read_text(encoding="utf-8"))
    return event


class Run:
    """Runs events through their functions, after those that they presuppose."""

    def __init__(self, account: Account, load_app: LoadApp) -> None:
        self.account = account
        self._load_app = load_app
        self._version = made_once(f"{__name__} account", self._prepare)

    def _prepare(self) -> str:
        puts = [{"PutRequest": {"Item": table_item(*row)}} for row in REFERENCE.items()]
        aws.batch_write(self.account.dynamodb, FINANCIAL_TABLE, puts)
        SESSION.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        return self.account.put(KEY, SAMPLE)

    def up_to(self, folder: str) -> dict[str, Any]:
        """Run a job's steps up to one; return its result without the time that it took."""
        result = made_once(f"{__name__} {folder}", lambda: self._next(STEPS.index(folder)))
        return {name: found for name, found in result.items() if name not in _VARYING}

    def _next(self, place: int) -> dict[str, Any]:
        if place:
            self.up_to(STEPS[place - 1])
        return self.one(STEPS[place], load(STEPS[place]))

    def one(self, folder: str, event: dict[str, Any]) -> dict[str, Any]:
        """Run one event. Only the versions are others: the mock gives its own."""
        if "versionId" in event:
            event = {**event, "versionId": self._version}
        event = self.account.stored(event)
        result: dict[str, Any] = self._load_app(folder).lambda_handler(event, context())
        return result


@pytest.fixture
def run(account: Account, load_app: LoadApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    made = Run(account, load_app)
    with Server(financials(REFERENCE)) as api:
        # For the API alone: the clients of AWS are to stay with the mock.
        monkeypatch.setenv("AWS_ENDPOINT_URL", api.url)
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        yield made


def without_version(stored: dict[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in stored.items() if name != "versionId"}


def outcome(folder: str, name: str) -> dict[str, Any]:
    """Return what an event says that an earlier step gave."""
    result = load(folder)[name]
    return {name: found for name, found in result.items() if name not in _VARYING}


# --------------------------------------------------------------------------------- all


def test_every_function_has_an_event() -> None:
    folders = {path.parent.name for path in SOURCE.glob("*/app.py")}
    assert {path.stem for path in EVENTS.glob("*.json")} == folders
    text = (EVENTS / "README.md").read_text(encoding="utf-8")
    assert not [folder for folder in folders if f"**{folder}.json**" not in text]


def test_events_are_of_one_job() -> None:
    version = load("split-ip-file")["versionId"]
    assert jobs.job_id(BUCKET, KEY, version) == JOB
    for folder in STEPS[1:]:
        event = load(folder)
        assert (event["jobId"], event["bucket"], event["attempt"]) == (JOB, BUCKET, 1)
        assert event["parameters"] == load("split-ip-file")["parameters"]
        assert event.get("chunk", load("read-file")["chunk"]) == load("read-file")["chunk"]


def test_sample_has_five_rows_of_which_two_are_bad() -> None:
    rows = list(csv.DictReader(io.StringIO(SAMPLE.decode())))
    bad = [r for r in rows if not SCHEMA.is_valid(r) or r[SCHEMA.key] not in REFERENCE]
    assert (len(rows), len(bad)) == (5, 2)
    assert load("split-ip-file")["sizeBytes"] == len(SAMPLE)


# --------------------------------------------------------------------------------- each


def test_s3_lambda_notification_starts_the_job_of_the_other_events(run: Run) -> None:
    assert run.up_to("s3-lambda-notification") == {"jobs": 1, "started": 1}
    (execution,) = run.account.executions()
    assert execution["name"] == JOB
    described = run.account.states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == load("split-ip-file")
    assert run.account.entry(JOB)["status"] == workflow.SUBMITTED


def test_split_ip_file_makes_the_chunk_of_the_next_events(run: Run) -> None:
    assert run.up_to("split-ip-file") == outcome("merge-s3-files", "split")
    ((chunk,),) = run.account.lines(keys.manifest(JOB, 1))
    assert chunk.keys() == load("read-file")["chunk"].keys()
    assert without_version(chunk) == without_version(load("read-file")["chunk"])
    assert run.account.get(keys.chunk(JOB, 1)) == SAMPLE


def test_read_file_reads_all_rows(run: Run) -> None:
    assert run.up_to("read-file") == outcome("validate-data", "read")
    assert [r["row"] for r in run.account.rows(keys.records(JOB, 1))] == [2, 3, 4, 5, 6]


def test_validate_data_finds_the_row_that_breaks_rules(run: Run) -> None:
    assert run.up_to("validate-data") == outcome("enrich-data", "validate")
    bad = [r for r in run.account.rows(keys.valid(JOB, 1)) if "errors" in r]
    assert [(r["row"], [e["rule"] for e in r["errors"]]) for r in bad] == [(3, ["enum", "format"])]


def test_enrich_data_finds_the_key_that_is_unknown(run: Run) -> None:
    assert run.up_to("enrich-data") == outcome("write-output-chunk", "enrich")
    bad = [r for r in run.account.rows(keys.enriched(JOB, 1)) if "errors" in r]
    assert [(r["row"], r["errors"][0]["rule"]) for r in bad] == [(3, "enum"), (5, "reference")]


def test_get_data_answers_the_call_of_enrich_data(run: Run) -> None:
    event = load("get-data")
    answer = run.one("get-data", event)
    assert answer["statusCode"] == 200
    body = json.loads(answer["body"])
    wanted = json.loads(event["body"])["uuids"]
    assert {item["uuid"]: item["values"] for item in body["items"]} == {
        key: REFERENCE[key] for key in wanted if key in REFERENCE
    }
    assert body["missing"] == ["999999999"]


def test_write_output_chunk_stores_three_rows_and_three_errors(run: Run) -> None:
    assert run.up_to("write-output-chunk") == {"valid": 3, "rejected": 2, "errors": 3}
    assert sorted(run.account.errors()) == [
        f"{JOB}/0000000003#Order Date#format",
        f"{JOB}/0000000003#Sales Channel#enum",
        f"{JOB}/0000000005#uuid#reference",
    ]
    assert run.account.entry(JOB, "CHUNK#000001")["status"] == workflow.SUCCEEDED


def test_merge_s3_files_completes_the_file(run: Run) -> None:
    assert run.up_to("merge-s3-files") == outcome("send-email", "merge")
    completed = csv.DictReader(io.StringIO(run.account.get(keys.completed(JOB, KEY)).decode()))
    rows = list(completed)
    lines = SAMPLE.decode().splitlines()
    assert [row[SCHEMA.key] for row in rows] == [lines[n].split(",")[0] for n in (1, 3, 5)]
    assert all(row[c] == REFERENCE[row["uuid"]][c] for row in rows for c in SCHEMA.enrichment)
    rejected = csv.DictReader(io.StringIO(run.account.get(keys.rejected(JOB, KEY)).decode()))
    assert [row["source_row"] for row in rejected] == ["3", "5"]
    assert run.account.keys("input") == ["input_archive/2026/Q1 orders (EMEA).csv"]


def test_send_email_mails_the_link(run: Run) -> None:
    message = run.up_to("send-email")["messageId"]
    entry = run.account.entry(JOB)
    assert (entry["mailStatus"], entry["mailMessageId"]) == (workflow.MAIL_SENT, message)
    assert (entry["rowsIn"], entry["rowsOut"], entry["rowsRejected"]) == (5, 3, 2)


def test_custom_resource_loads_the_reference_data_and_answers(
    account: Account, load_app: LoadApp
) -> None:
    event = load("custom-resource")
    properties = resource("FinancialTable")["Properties"]
    account.dynamodb.create_table(
        TableName=event["ResourceProperties"]["TableName"],
        **{name: properties[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")},
    )
    with Server(always(200)) as server:
        path = urlsplit(event["ResponseURL"]).path
        event["ResponseURL"] = server.url + path
        assert load_app("custom-resource").lambda_handler(event, context()) == {"status": "SUCCESS"}
        (answer,) = server.received
    assert answer.path == path
    assert json.loads(answer.body)["Data"] == {
        "ReferenceRows": str(len(REFERENCE)),
        "KeyColumn": '"uuid"',
    }
    table = event["ResourceProperties"]["TableName"]
    counted = account.dynamodb.scan(TableName=table, Select="COUNT")
    assert counted["Count"] == len(REFERENCE)
    assert "LambdaFunctionConfigurations" in account.s3.get_bucket_notification_configuration(
        Bucket=BUCKET
    )
