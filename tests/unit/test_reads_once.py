"""What a rerun and a repair read and write: everything once, and the JOB entry for the claim."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, keys, workflow
from failed_job import JOB, KEYS, FailedJob, put_failed_job
from support import HEADER, SOURCE, row, values_of

from batchops.core.errors import InputError, JobRunningError
from batchops.recovery.redrive import execute_redrive
from batchops.recovery.repair import execute_repair, patch_chunks
from batchops.recovery.repair_plan import plan_repair
from batchops.recovery.rerun import claim_planned, execute_rerun, rerun
from batchops.recovery.rerun_plan import RerunPlan, plan_rerun

if TYPE_CHECKING:
    from support import Account

FUNCTIONS = 8
SCHEMA = SOURCE / "schema" / "record.schema.json"
FIXED = HEADER.rstrip() + b",source_row\n" + row(KEYS[1]).rstrip() + b",2\n"


@pytest.fixture
def failed(account: Account) -> FailedJob:
    return put_failed_job(account)


def _started(failed: FailedJob) -> dict[str, Any]:
    """Return the input of the only execution."""
    (execution,) = failed.account.executions()
    described = failed.account.states.describe_execution(executionArn=execution["executionArn"])
    document: dict[str, Any] = json.loads(described["input"])
    return document


# ---------------------------------------------------------------------------------- rerun


def test_rerun_reads_everything_once_and_the_job_s_entry_again_for_the_claim(
    failed: FailedJob,
) -> None:
    plan = rerun(failed.job, dry_run=False)
    assert plan.started
    assert failed.calls == Counter(
        {
            "dynamodb.GetItem": 2,
            "dynamodb.Query": 1,
            "s3.GetObject": 1,
            "s3.ListObjectVersions": 4,
            "lambda.GetFunctionConfiguration": FUNCTIONS,
            "dynamodb.UpdateItem": 2,
            "s3.PutObject": 1,
            "stepfunctions.StartExecution": 1,
        }
    )


def test_plan_that_was_looked_at_is_executed_without_reading_it_again(failed: FailedJob) -> None:
    plan = plan_rerun(failed.job)
    failed.calls.clear()
    assert execute_rerun(failed.job, plan).started
    reads = {name for name in failed.calls if "Get" in name or "List" in name or "Query" in name}
    assert reads == {"dynamodb.GetItem"}
    assert failed.calls["dynamodb.GetItem"] == 1


def test_what_a_plan_has_read_is_neither_shown_nor_compared_nor_in_its_json(
    failed: FailedJob,
) -> None:
    plan = plan_rerun(failed.job)
    assert len(plan.manifest) == len(KEYS)
    assert len(plan.code) == FUNCTIONS
    bare = RerunPlan(
        **{name: getattr(plan, name) for name in plan.__match_args__ if name not in _READ}
    )
    assert bare == plan
    assert repr(bare) == repr(plan)
    assert bare.to_dict() == plan.to_dict()
    assert not _READ & set(plan.to_dict())


_READ = {"manifest", "code"}


def test_rerun_marks_and_lists_its_chunks_and_starts_with_the_job_s_parameters(
    failed: FailedJob,
) -> None:
    rerun(failed.job, dry_run=False)
    entry = failed.entry()
    assert (entry["status"], entry["attempt"], len(entry["code"])) == ("RUNNING", 2, FUNCTIONS)
    assert failed.entry(items.chunk_entry(2))["status"] == "PENDING"
    assert failed.entry(items.chunk_entry(1))["status"] == workflow.SUCCEEDED
    listed = json.loads(failed.account.get(keys.resume_manifest(JOB, 2)))
    whole = json.loads(failed.account.get(keys.manifest(JOB, 1)))
    assert listed == [whole[1]]
    assert _started(failed) == {
        "jobId": JOB,
        "attempt": 2,
        "bucket": entry["bucket"],
        "key": entry["key"],
        "versionId": entry["versionId"],
        "sizeBytes": 1,
        "parameters": {"chunkRows": 600, "delimiter": ",", "archiveFolder": "input_archive"},
        "resume": {"manifestKey": keys.resume_manifest(JOB, 2), "by": "rerun"},
    }


def test_plan_that_was_overtaken_is_not_carried_out(failed: FailedJob) -> None:
    plan = plan_rerun(failed.job)
    failed.account.put_entry(JOB, items.JOB_ENTRY, attempt=2)
    before = failed.entry()
    with pytest.raises(JobRunningError, match="has had attempt 2 since this was planned"):
        execute_rerun(failed.job, plan)
    assert failed.entry() == before
    assert failed.account.executions() == []


def test_redrive_that_was_overtaken_does_not_set_the_job_back(failed: FailedJob) -> None:
    plan = plan_rerun(failed.job)
    failed.account.put_entry(JOB, items.JOB_ENTRY, attempt=plan.attempt + 1)
    with pytest.raises(JobRunningError, match="since this was planned"):
        execute_redrive(failed.job, plan)


def test_attempt_whose_preparation_fails_is_released(failed: FailedJob) -> None:
    plan = plan_rerun(failed.job)
    with pytest.raises(KeyboardInterrupt), claim_planned(failed.job, plan):
        raise KeyboardInterrupt
    entry = failed.entry()
    assert (entry["status"], entry["error"], entry["attempt"]) == ("FAILED", "NotStarted", 2)
    (again,) = plan_rerun(failed.job).chunks
    assert again.reason == "was to run in attempt 2, and did not"


def test_start_whose_answer_was_lost_is_no_failure(failed: FailedJob) -> None:
    with claim_planned(failed.job, plan_rerun(failed.job)) as attempt:
        pass
    attempt.start(by="rerun")
    attempt.start(by="rerun")
    assert failed.entry()["status"] == "RUNNING"


def test_file_that_was_never_split_is_split_with_the_parameters_of_now(account: Account) -> None:
    failed = put_failed_job(account)
    account.dynamodb.update_item(
        TableName=failed.job.stack.outputs["JobTableName"],
        Key={"jobId": {"S": JOB}, "entry": {"S": items.JOB_ENTRY}},
        UpdateExpression="SET chunkRows = :rows REMOVE manifestKey, chunks, rowsIn, headers",
        ExpressionAttributeValues={":rows": {"N": "7"}},
    )
    with pytest.raises(InputError, match="never split"):
        plan_rerun(failed.job, chunks=[1])
    plan = rerun(failed.job, dry_run=False)
    assert plan.from_start
    assert plan.settings == {"chunkRows": 600, "delimiter": ",", "archiveFolder": "input_archive"}
    started = _started(failed)
    assert started["parameters"]["chunkRows"] == 600
    assert "resume" not in started
    assert failed.entry()["chunkRows"] == 600


# --------------------------------------------------------------------------------- repair


def test_repair_reads_everything_once_but_the_job_s_entry_and_the_chunks_it_patches(
    failed: FailedJob,
) -> None:
    failed.account.put_reference({KEYS[1]: values_of(KEYS[1])})
    plan = plan_repair(failed.job, FIXED, schema=SCHEMA)
    assert plan.fixed == (2,)
    reasons = {chunk.number: chunk.reason for chunk in plan.rerun.chunks}
    assert reasons == {1: "fixed rows: 1", 2: "failed at an unknown step: E: c"}
    # The manifest, the header of the rejects and the chunk.
    assert failed.calls["s3.GetObject"] == 3
    failed.calls.clear()
    assert execute_repair(failed.job, plan).started
    assert failed.calls == Counter(
        {
            "dynamodb.GetItem": 1,
            "s3.GetObject": 1,
            # The claim, both chunks, and the manifest's name.
            "dynamodb.UpdateItem": 4,
            # The chunk, the manifest, and the list of what runs.
            "s3.PutObject": 3,
            "stepfunctions.StartExecution": 1,
        }
    )
    assert failed.entry()["manifestKey"] == keys.manifest(JOB, 2)
    whole = json.loads(failed.account.get(keys.manifest(JOB, 2)))
    listed = json.loads(failed.account.get(keys.resume_manifest(JOB, 2)))
    assert listed == whole[:2]
    assert failed.account.get(keys.chunk(JOB, 1)) == HEADER + row(KEYS[1])
    assert _started(failed)["resume"]["by"] == "repair"


@pytest.mark.parametrize("deployed", ['"order_id"', '""'])
def test_repair_with_a_schema_that_looks_up_other_keys_is_refused(
    failed: FailedJob, monkeypatch: pytest.MonkeyPatch, deployed: str
) -> None:
    monkeypatch.setitem(failed.job.stack.outputs, "KeyColumn", deployed)
    with pytest.raises(InputError, match=r"record\.schema\.json looks up other keys than the depl"):
        plan_repair(failed.job, FIXED, schema=SCHEMA)


def test_repair_whose_job_was_taken_over_names_no_manifest(failed: FailedJob) -> None:
    failed.account.put_reference({KEYS[1]: values_of(KEYS[1])})
    plan = plan_repair(failed.job, FIXED, schema=SCHEMA)
    with claim_planned(failed.job, plan.rerun) as attempt:
        failed.account.put_entry(JOB, items.JOB_ENTRY, attempt=3)
        with pytest.raises(JobRunningError, match="while its chunks were patched"):
            patch_chunks(attempt, plan.rerun.manifest, plan.patches)
    assert failed.entry()["manifestKey"] == keys.manifest(JOB, 1)
