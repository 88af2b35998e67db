"""What the notebooks build on: a sample job to look at, and a fault that leaves no trace."""

from __future__ import annotations

from typing import Any

import pytest
from e2e.jobs import TIMEOUT_S

from batchops.samples.sample import make_sample
from batchops.samples.workshop import sample_fault, sample_job
from batchops.stack import Stack

ROWS = 300


def policies(stack: Stack) -> list[str]:
    """Return the names of the policies of the role that the fault is made at."""
    described: Any = stack.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId="ReadFileRole"
    )
    role = described["StackResourceDetail"]["PhysicalResourceId"]
    names: list[str] = stack.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    return names


def test_sample_job_is_found_again_as_long_as_nobody_has_run_it_again(
    stack: Stack,
) -> None:
    stack.submit(make_sample(ROWS - 1).csv, name="orders.csv").wait(timeout_s=TIMEOUT_S)
    job = sample_job(stack, rows=ROWS)
    balance = job.balance(deep=True)
    assert (balance.rows_in, balance.rows_rejected) == (ROWS, ROWS * 3 // 100)
    assert sample_job(stack, rows=ROWS).id == job.id
    job.rerun(everything=True, dry_run=False)
    job.wait(timeout_s=TIMEOUT_S)
    assert sample_job(stack, rows=ROWS).id != job.id


def test_fault_strikes_the_named_file_alone_and_is_gone_whatever_happens(stack: Stack) -> None:
    before, two_chunks, one_chunk = policies(stack), make_sample(700), make_sample(50)
    with pytest.raises(KeyboardInterrupt), sample_fault(stack, file="a (b).csv", chunks=(1,)):  # noqa: PT012
        struck = stack.submit(two_chunks.csv, name="a (b).csv")
        spared = stack.submit(one_chunk.csv, name="ab.csv")
        assert spared.wait(timeout_s=TIMEOUT_S).chunks_done == 1
        status = struck.wait(check=False, timeout_s=TIMEOUT_S)
        assert (status.chunks_failed, status.chunks_done) == (1, 1)
        raise KeyboardInterrupt
    assert policies(stack) == before
    struck.rerun(dry_run=False)
    assert struck.wait(timeout_s=TIMEOUT_S).chunks_done == 2
