"""Failures of the published sample that no other test holds; the whole list has
``tests/unit/test_original_failures.py``.
"""

from __future__ import annotations

from e2e.permissions import denied
from e2e.rows import order, to_csv

from batchops.stack import Stack


def test_bad_rows_with_one_key_or_none_are_each_kept(stack: Stack) -> None:
    """Also a row that is the same to the byte as another."""
    bad = [order(0, uuid=""), order(1, uuid=""), order(2, Country=""), order(2, Country="")]
    job = stack.submit(to_csv([*bad, order(2, Order_Priority="X"), order(3)]), name="keyless.csv")
    job.wait(timeout_s=120)
    found = job.errors()[["source_row", "column", "uuid"]]
    key = order(2)[0]
    assert list(found.itertuples(index=False, name=None)) == [
        (2, "uuid", ""),
        (3, "uuid", ""),
        (4, "Country", key),
        (5, "Country", key),
        (6, "Order Priority", key),
    ]
    assert list(job.rejects()["source_row"]) == ["2", "3", "4", "5", "6"]
    assert job.balance().holds


def test_chunk_that_cannot_be_stored_fails_the_job_and_the_input_stays(
    stack: Stack, bucket: str
) -> None:
    data = to_csv([order(place % 50) for place in range(601)])
    chunk = f"arn:aws:s3:::{bucket}/jobs/*/chunks/000002.csv"
    with denied(stack, "SplitIpFileRole", "s3:PutObject", chunk):
        job = stack.submit(data, name="half stored.csv")
        status = job.wait(timeout_s=120, check=False)
    assert status.status == "FAILED"
    assert "PutObject" in status.reason
    s3 = stack.client("s3")
    assert s3.get_object(Bucket=bucket, Key="input/half stored.csv")["Body"].read() == data
    assert job.chunks().empty

    assert job.rerun(dry_run=False).from_start
    job.wait(timeout_s=120)
    assert len(job.output()) == 601
