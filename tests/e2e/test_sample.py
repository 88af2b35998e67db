"""The whole sample through the whole stack, checked row for row."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.jobs import TIMEOUT_S, completed, finished

from batchops.core.loopback import open_local
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.local.mailbox import read_mailbox
from batchops.samples.demo import check
from batchops.samples.sample import Sample
from batchops.stack import Stack

# The tag of objects by their folder; those elsewhere are intermediates.
KINDS = {
    **{"completed": "completed", "rejected": "rejected"},
    **{"error-pieces": "errors", "errors": "errors"},
}


@pytest.fixture(scope="module")
def job(stack: Stack, sample: Sample) -> Job:
    return finished(stack, sample.csv, "whole sample.csv")


def test_every_row_and_every_violation_is_where_the_sample_says(
    job: Job, sample: Sample, tmp_path: Path
) -> None:
    (tmp_path / "reference.csv").write_bytes(sample.reference)
    job.download(tmp_path / "completed.csv")
    job.download(tmp_path / "rejected.csv", rejected=True)
    assert check(job, sample.rows, tmp_path) == []


def test_balance_counts_the_rows_at_each_place(job: Job, sample: Sample) -> None:
    balance = job.balance(deep=True)
    assert balance.holds
    assert balance.rows_in == sample.rows
    assert balance.rows_rejected == balance.rows_with_errors == len(sample.bad_rows)


def test_chunks_tell_rows_and_milliseconds_of_every_step(job: Job, sample: Sample) -> None:
    chunks = job.chunks()
    assert list(chunks["rows"]) == [600] * 8 + [200]
    assert set(chunks["status"]) == {"SUCCEEDED"}
    assert (chunks[["read_ms", "validate_ms", "enrich_ms", "write_ms"]] > 0).all().all()
    assert (chunks["end"] >= chunks["start"]).all()
    assert chunks["rejected"].sum() == len(sample.bad_rows)


def test_mail_tells_the_counts_and_links_to_the_output(
    job: Job, engine: LocalEngine, sample: Sample
) -> None:
    mails = [mail for mail in read_mailbox(engine) if job.id in mail.text]
    assert len(mails) == 1
    assert f"Rows rejected: {len(sample.bad_rows)}" in mails[0].text
    link = next(word for word in mails[0].text.split() if word.startswith("http"))
    with open_local(link, timeout_s=TIMEOUT_S) as answer:
        assert answer.read() == completed(job)


def test_link_opens_the_output_without_credentials(job: Job) -> None:
    with open_local(job.link(expires_s=60), timeout_s=TIMEOUT_S) as answer:
        assert answer.read() == completed(job)


def test_input_is_archived_once_the_job_has_succeeded(job: Job, stack: Stack, bucket: str) -> None:
    s3 = stack.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert "input_archive/whole sample.csv" in keys
    assert "input/whole sample.csv" not in keys


def test_objects_carry_the_tags_that_the_lifecycle_knows(
    job: Job, stack: Stack, bucket: str
) -> None:
    s3 = stack.client("s3")
    prefix = f"jobs/{job.id}/"
    for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        key = item["Key"]
        tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        folder = key.removeprefix(prefix).partition("/")[0]
        kind = KINDS.get(folder, "intermediate")
        assert tags == [{"Key": "kind", "Value": kind}], key
