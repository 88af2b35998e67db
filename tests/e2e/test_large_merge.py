"""A merge that is too large for one call, with the bound turned down: the bytes are the same."""

from __future__ import annotations

from batchcore import keys
from e2e.jobs import TIMEOUT_S, completed, rejected
from e2e.permissions import with_variables
from e2e.rows import order, to_csv

from batchops.inspection.steps import steps
from batchops.stack import Stack

GROUPS = "Upload the groups of a large merge"
LAST = "Complete a large merge"

# In two chunks, every row of some 16 KB: two parts, the first of at least 8 MiB, and the rejects.
ROWS = 700


def large_csv() -> bytes:
    """Return rows of the schema with a long column more; each tenth is bad."""
    rows = [order(n % 50, **({"Order_Priority": "X"} if n % 10 == 0 else {})) for n in range(ROWS)]
    header, *lines = to_csv(rows).splitlines()
    note = b"0123456789abcdef" * 1_000
    return b"\n".join([header + b",Note", *(line + b"," + note for line in lines), b""])


def test_large_merge_gives_the_files_that_a_small_one_gives(stack: Stack) -> None:
    with with_variables(stack, "merge-s3-files", MERGE_GROUP_BYTES="1024"):
        job = stack.submit(large_csv(), name="large-merge.csv")
        job.wait(timeout_s=TIMEOUT_S)
    found = steps(job).set_index("state")["status"]
    assert (found[GROUPS], found[LAST]) == ("SUCCEEDED", "SUCCEEDED")
    assert job.balance(deep=True).holds
    bucket = job.entry()["bucket"]
    listed = stack.client("s3").list_objects_v2(
        Bucket=bucket, Prefix=f"{keys.JOBS_PREFIX}{job.id}/merge/"
    )
    groups = [item for item in listed["Contents"] if "/group-" in item["Key"]]
    assert len(groups) == 4  # two of the output, one each of the rejects and the errors
    assert stack.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    shared = completed(job), rejected(job)

    # The same chunks' results again, joined by one call.
    job.rerun(chunks=[1], dry_run=False)
    job.wait(timeout_s=TIMEOUT_S)
    assert GROUPS not in set(steps(job)["state"])
    assert (completed(job), rejected(job)) == shared
