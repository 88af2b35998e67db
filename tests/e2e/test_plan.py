"""What a plan says of a file, against what the stack then does with it."""

from __future__ import annotations

from collections import Counter

import pytest
from e2e.jobs import finished

from batchops.job import Job
from batchops.planning import workload
from batchops.planning.actual_cost import compare_cost
from batchops.planning.plan import Plan
from batchops.planning.planner import plan_for
from batchops.samples.sample import Sample, make_sample
from batchops.stack import Stack

ROWS = 900


@pytest.fixture(scope="module")
def planned() -> Sample:
    # Its keys are the first of the stack's reference data.
    return make_sample(ROWS, bad_share=0.1)


@pytest.fixture(scope="module")
def plan(stack: Stack, planned: Sample) -> Plan:
    return plan_for(stack, planned.csv, name="planned.csv", check_keys=True)


@pytest.fixture(scope="module")
def job(stack: Stack, planned: Sample) -> Job:
    return finished(stack, planned.csv, "planned.csv")


def test_plan_takes_schema_and_parameters_from_the_stack(stack: Stack, plan: Plan) -> None:
    assert plan.chunk_rows == int(stack.outputs["FileChunkSize"])
    assert plan.max_concurrency >= 1
    assert (plan.missing, plan.extra) == ((), ())
    assert plan.can_succeed


def test_job_comes_to_what_was_planned(plan: Plan, job: Job, planned: Sample) -> None:
    balance = job.balance(deep=True)
    assert (plan.rows, plan.rejected) == (balance.rows_in, balance.rows_rejected)
    assert plan.rejected == len(planned.bad_rows)
    assert plan.chunks == balance.chunks
    errors = job.errors()
    found = Counter(errors[["stage", "column", "rule"]].itertuples(index=False, name=None))
    assert {(rule.stage, rule.column, rule.rule): rule.rows for rule in plan.rules} == found
    assert plan.errors == len(errors)


def test_messages_are_those_that_the_stack_writes(plan: Plan, job: Job) -> None:
    errors = job.errors().set_index(["source_row", "column", "rule"])["message"]
    for rule in plan.rules:
        assert errors[rule.source_row, rule.column, rule.rule] == rule.message


def test_objects_of_the_job_are_those_that_are_priced(plan: Plan, job: Job, stack: Stack) -> None:
    s3, bucket = stack.client("s3"), stack.outputs["SourceBucketName"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job.id}/")["Contents"]
    merged = 3
    errors = sum("/error-pieces/" in item["Key"] for item in found)
    assert errors == sum(bool(chunk.rejected) or chunk.number == 1 for chunk in job.chunk_entries())
    assert len(found) == workload.CHUNK_PUTS * plan.chunks + errors + workload.JOB_PUTS + merged


def test_cost_of_the_job_has_the_planned_counts(plan: Plan, job: Job) -> None:
    comparison = compare_cost(job, plan=plan)
    services = {name: (planned, actual) for name, planned, actual in comparison.rows}
    for name in ("Step Functions", "S3", "API Gateway", "SES"):
        planned, actual = services[name]
        assert actual == pytest.approx(planned)
    # The plan knows which keys are the same, and which rows fail for their key alone.
    planned, actual = services["DynamoDB"]
    assert actual == pytest.approx(planned, rel=0.05)
