"""Odd values and a mailbox that is refused, on the deployed stack; names are in test_uploads.py.

The whole corpus of files is in the unit tests.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.inbox import Inbox
from e2e.jobs import TIMEOUT_S, completed, finished, put, rejected
from e2e.rows import HEADER, order, to_csv
from pipeline import assert_conserved, rows_of

from batchops.core.project import checkout_root
from batchops.inspection.doctor_aws import check_recipient
from batchops.inspection.email import wait_for_mail
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.samples.sample_orders import ENRICHMENT, enrichment, key_at
from batchops.stack import Stack

RECIPIENT = "somebody@example.org"
REFERENCE = {
    key_at(n): dict(zip(ENRICHMENT, enrichment(key_at(n)), strict=True)) for n in range(50)
}
REGIONS = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\x1b[2J\x1b[31mred",
    "ok\nERROR a forged line of a log",
    "NaN",
    "\u202eright to left\u200b",
    "a\0b",
    "e\u0301 \u00e9 🐘",
    '"',
    "a,b\r\nc\rd\n\n",
)
BAD_DATES = ("2/30/15", "13/1/15", "0/0/00", "\u0661/9/10", "1/9/10\n", "")
# What the shipped schema stops before the look-up; here the key may be anything.
BAD_KEYS = ("", " ", "k" * 2_048, "k" * 2_049, "ß" * 1_025, "\u0661" * 9, "'; --", "x" * 100_000)
BYTES = (
    b"\xff\xfe,1\n",
    b"\0" * 50 + b"\n",
    b",,,,,,,\n",
    b"\n\r\n",
    b"   \n",
    b'"never","too","many' + b'","x' * 40 + b'"\r',
    b"\xef\xbb\xbf\n",
)


@pytest.fixture(scope="module")
def lax(
    engine: LocalEngine, few_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack whose schema takes any text for a key."""
    folder = tmp_path_factory.mktemp("hostile")
    shipped = checkout_root() / "source" / "schema" / "record.schema.json"
    schema = json.loads(shipped.read_text(encoding="utf-8"))
    schema["properties"]["uuid"] = {"type": "string"}
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    stack = Stack("hostile", engine=engine)
    stack.deploy(
        schema=folder / "schema.json",
        reference_data=few_keys,
        FileChunkSize=20,
        SESRecipient=RECIPIENT,
        NotifySuccess="true",
    )
    yield stack
    stack.destroy(dry_run=False)


def _quoted(row: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def odd_file() -> bytes:
    rows = [order(n, Region=text) for n, text in enumerate(REGIONS)]
    rows += [order(n, Order_Date=text) for n, text in enumerate(BAD_DATES)]
    rows += [order(n, uuid=text) for n, text in enumerate(BAD_KEYS)]
    rows += [order(0, Region="r" * 1_000_000), order(49)]
    header = b"\xef\xbb\xbf" + b",".join(b'"%s"' % name.encode() for name in HEADER.split(","))
    return b"".join([header, b"\r\n", *map(_quoted, rows), *BYTES, _quoted(order(48))])


@pytest.fixture(scope="module")
def odd(lax: Stack, odd_file: bytes) -> Job:
    return finished(lax, odd_file, "odd rows.csv")


def test_odd_rows_end_once_with_their_own_bytes(odd: Job, odd_file: bytes) -> None:
    bad = assert_conserved(odd_file, completed(odd), rejected(odd), REFERENCE)
    rows = [number for number, row in enumerate(rows_of(odd_file[3:], ","), 1) if row][1:]
    last = len(REGIONS) + len(BAD_DATES) + len(BAD_KEYS) + 1
    assert [n for n in rows if n not in bad] == [*rows[: len(REGIONS)], rows[last], rows[-1]]
    assert odd.balance(deep=True).holds
    assert odd.balance(deep=True).rows_in == len(rows)


def test_key_that_no_table_holds_rejects_its_row_alone(odd: Job) -> None:
    found = odd.errors(rule="reference")
    assert len(found) == len(BAD_KEYS)
    assert set(found["message"]) == {"uuid is not in the reference data"}
    assert [len(text) for text in found["value"]][:3] == [0, 1, 2_048]


def test_odd_rows_are_read_back_as_they_are(odd: Job) -> None:
    assert list(odd.output()["Region"])[: len(REGIONS)] == list(REGIONS)
    rejects = odd.rejects()
    assert set(map(int, rejects["source_row"])) == set(odd.errors()["source_row"])
    assert rejects["messages"].str.len().min() > 0
    assert "<script>" not in odd.why()._repr_html_()
    # Nothing was fixed, so nothing is to be done.
    assert not odd.repair(rejects).needed


def test_success_is_told_once_with_the_files_name_in_quotes(lax: Stack) -> None:
    inbox = Inbox(lax)
    job = put(lax, 'a" and Job b has FAILED.csv', to_csv([order(0)]))
    job.wait(timeout_s=TIMEOUT_S)
    (notice,) = inbox.about(job.id)
    # The summary is JSON in JSON, as EventBridge hands a field on.
    said = json.loads(notice)
    assert said.startswith(f'Job {job.id} of "input/a\\" and Job b has FAILED.csv" in ')
    assert ": SUCCEEDED. Rows in: 1. Rows out: 1. Rows rejected: 0." in said


def test_recipient_that_the_sandbox_of_ses_refuses_costs_the_mail_and_not_the_job(
    lax: Stack,
) -> None:
    ses = lax.client("sesv2")
    sandbox = {"MailType": "TRANSACTIONAL", "WebsiteURL": "https://example.org"}
    ses.put_account_details(**sandbox, ProductionAccessEnabled=False)
    try:
        job = lax.submit(to_csv([order(0)]), name="unmailed.csv")
        status = job.wait(timeout_s=TIMEOUT_S)
        mail = wait_for_mail(job, timeout_s=TIMEOUT_S).mail_status
        check = check_recipient(ses, lax.status().parameters)
    finally:
        ses.put_account_details(**sandbox, ProductionAccessEnabled=True)
    assert (status.status, mail) == ("SUCCEEDED", "FAILED")
    (cause,) = job.why().causes
    assert (cause.kind, cause.next_call) == ("mail", "stack.doctor()")
    assert "not verified. The following identities failed the check" in cause.value
    assert RECIPIENT in cause.value
    assert check.ok is False
    assert f"{RECIPIENT} is not verified, and the account is in the sandbox" in str(check)
    # The mail that was not sent can be read all the same, and the file fetched.
    assert job.email().status == "FAILED"
    assert len(job.output()) == 1
