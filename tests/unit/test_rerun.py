"""Which chunks a rerun takes, what it says, and when Step Functions may redrive instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from batchcore import keys
from botocore.stub import Stubber
from support import manifest_entry

from batchops.core.errors import AwsError, InputError
from batchops.core.ledger import ChunkEntry, JobEntry
from batchops.core.manifest import ManifestChunk
from batchops.deployment.deployed import FunctionCode, changed_code
from batchops.recovery.attempts import Ended
from batchops.recovery.chunk_choice import PlannedChunk, choose_chunks
from batchops.recovery.redrive import REDRIVABLE_FOR, redrive_execution, refusal
from batchops.recovery.rerun_plan import RerunPlan
from batchops.show.numbers import number_ranges

JOB = "orders-0123456789ab"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ARN = f"arn:aws:states:eu-west-1:123456789012:execution:orders-main-orchestrator:{JOB}"

MANIFEST = [
    ManifestChunk.of({**manifest_entry(JOB, n, n, n, 10), "versionId": f"c{n}"}) for n in (1, 2, 3)
]


def _entry(number: int, **changes: Any) -> ChunkEntry:
    done = {
        "entry": f"CHUNK#{number:06d}",
        "status": "SUCCEEDED",
        "attempt": 1,
        "rows": 10,
        "valid": 8,
        "rejected": 2,
        "sizeBytes": {"output": 100, "rejects": 20},
        "versions": {"output": "v1", "rejects": "v2"},
    }
    return ChunkEntry({**done, **changes})


def _sizes(*numbers: int) -> dict[tuple[str, str], int]:
    # Over each, something else was written since.
    sizes = {(keys.output(JOB, n), "v1"): 100 for n in numbers}
    sizes |= {(keys.output(JOB, n), "v3"): 70 for n in numbers}
    return sizes | {(keys.rejected_piece(JOB, n), "v2"): 20 for n in numbers}


def _choose(*entries: ChunkEntry, **options: Any) -> tuple[dict[int, str], list[int]]:
    given: dict[str, Any] = {"sizes": _sizes(1, 2, 3), "named": {}, **options}
    planned, reused = choose_chunks(JOB, MANIFEST, entries, **given)
    return {chunk.number: chunk.reason for chunk in planned}, [chunk.number for chunk in reused]


# --------------------------------------------------------------------- choice of chunks


def test_chunks_with_results_are_reused() -> None:
    assert _choose(_entry(1), _entry(2), _entry(3)) == ({}, [1, 2, 3])


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            _entry(
                2,
                status="FAILED",
                failedStep="Get Financial Data",
                error="LookupRefusedError",
                cause='{"errorType": "LookupRefusedError", "errorMessage": "answered 403"}',
            ),
            "failed at Get Financial Data (enrich-data): LookupRefusedError: answered 403",
        ),
        (_entry(2, status="RUNNING"), "was under way when attempt 1 ended"),
        (_entry(2, status="ABORTED"), "was under way when attempt 1 ended"),
        (_entry(2, status="PENDING", attempt=3), "was to run in attempt 3, and did not"),
        (_entry(2, valid=7), "its rows do not balance"),
        (
            _entry(2, sizeBytes={"output": 99, "rejects": 20}),
            "its result is not in the bucket as it was written (output)",
        ),
        (
            _entry(2, versions={"output": "v1", "rejects": "v4"}),
            "its result is not in the bucket as it was written (rejects)",
        ),
    ],
)
def test_chunk_without_a_result_that_counts_runs(entry: ChunkEntry, reason: str) -> None:
    assert _choose(_entry(1), entry, _entry(3)) == ({2: reason}, [1, 3])


def test_chunk_that_never_started_runs() -> None:
    assert _choose(_entry(1), _entry(3)) == ({2: "never started"}, [1, 3])


def test_chunk_whose_rejects_are_gone_runs() -> None:
    sizes = _sizes(1, 2, 3)
    del sizes[keys.rejected_piece(JOB, 3), "v2"]
    planned, _ = _choose(_entry(1), _entry(2), _entry(3), sizes=sizes)
    assert list(planned) == [3]


def test_piece_that_holds_nothing_need_not_be_there() -> None:
    empty = _entry(3, rejected=0, valid=10, sizeBytes={"output": 100, "rejects": 0})
    sizes = _sizes(1, 2, 3)
    del sizes[keys.rejected_piece(JOB, 3), "v2"]
    assert _choose(_entry(1), _entry(2), empty, sizes=sizes) == ({}, [1, 2, 3])


@pytest.mark.parametrize(("size", "chosen"), [(None, [3]), (4, [3]), (5, [])])
def test_chunk_whose_errors_are_gone_runs(size: int | None, chosen: list[int]) -> None:
    piece = {"versionId": "e", "sizeBytes": 5, "rows": 1, "causes": "{}"}
    none = {"sizeBytes": 0, "rows": 0, "causes": "{}"}
    entries = (
        _entry(1),
        _entry(2, jobId=JOB, errorPiece=none),
        _entry(3, jobId=JOB, errorPiece=piece),
    )
    sizes = _sizes(1, 2, 3)
    if size is not None:
        sizes[keys.error_piece(JOB, 3), "e"] = size
    planned, _ = _choose(*entries, sizes=sizes)
    assert list(planned) == chosen


def test_named_chunks_run_besides_those_that_must() -> None:
    found, _ = _choose(_entry(1), _entry(2), named={1: "named", 3: "named"})
    assert found == {1: "named", 3: "never started"}


def test_unknown_chunk_is_refused() -> None:
    with pytest.raises(InputError, match="no chunk 4, 7: it has 1 to 3"):
        _choose(named={1: "named", 4: "named", 7: "named"})


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([3, 1, 2, 7, 9, 10], "1-3, 7, 9-10")],
)
def test_numbers_are_told_as_ranges(numbers: list[int], text: str) -> None:
    assert number_ranges(numbers) == text


def test_many_ranges_are_cut_and_the_rest_is_counted() -> None:
    assert number_ranges(range(0, 100, 2)).endswith("38 and 30 more")


# -------------------------------------------------------------------------------- plan


def _plan(**changes: Any) -> RerunPlan:
    values: dict[str, Any] = {
        "job_id": JOB,
        "attempt": 2,
        "ended": "ended FAILED (no reason)",
        "from_start": False,
        "chunks": (PlannedChunk(1, 10, "never started"), PlannedChunk(2, 10, "never started")),
        "reused": (),
        "code_changed": (),
        "merge": "joins the results",
    }
    return RerunPlan(**(values | changes))


def test_plan_says_chunks_of_one_reason_in_one_line() -> None:
    assert "\n  chunks 1-2: never started\n" in str(_plan())
    assert "dry_run=False" in str(_plan())


def test_plan_with_nothing_to_run_says_so_and_no_more() -> None:
    plan = _plan(chunks=())
    assert not plan.needed
    assert str(plan).endswith("nothing to rerun")


# ------------------------------------------------------------------------ deployed code


def _code(sha256: str = "AAA=", schema: int = 1, **changes: Any) -> FunctionCode:
    layers = ("orders-common:4", f"orders-schema:{schema}")
    return FunctionCode(sha256, layers, changes.get("modified", NOW))


RECORDED = {"read-file": _code().fingerprint, "validate-data": _code().fingerprint}


def test_unchanged_code_is_not_mentioned() -> None:
    now = {"read-file": _code(), "validate-data": _code()}
    assert changed_code(now, RECORDED, since=NOW) == ()


def test_changed_code_and_layers_are_told_with_their_functions() -> None:
    now = {"read-file": _code(schema=2), "validate-data": _code("BBB=", schema=2)}
    assert changed_code(now, RECORDED, since=NOW) == (
        "layer orders-schema:2: read-file, validate-data",
        "code: validate-data",
    )


def test_without_a_record_the_time_of_the_last_update_counts() -> None:
    now = {
        "read-file": _code(modified=NOW - timedelta(hours=1)),
        "validate-data": _code(modified=NOW + timedelta(hours=1)),
    }
    assert changed_code(now, {}, since=NOW) == ("updated 2026-11-23 13:00:00 UTC: validate-data",)


# ----------------------------------------------------------------------------- redrive


def _refusal(status: str, *, ledger: str = "RUNNING", **changes: Any) -> str:
    error = changes.get("error", "States.Runtime")
    entry = JobEntry(
        {"attempt": 1, "status": ledger, "startTime": "2026-11-23T06:00:00Z", "error": error}
    )
    execution = {
        "status": status,
        "stopDate": changes.get("stopped", NOW - timedelta(days=1)),
        "redriveStatus": changes.get("redrive", "REDRIVABLE"),
        "redriveStatusReason": "because",
    }
    chunks = [PlannedChunk(1, 10, changes.get("reason", "never started"))]
    return refusal(Ended(entry, status, ""), execution, chunks, now=NOW)


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_execution_that_ended_between_its_chunks_can_be_redriven(status: str) -> None:
    assert _refusal(status) == ""


def test_failed_chunks_cannot_be_redriven_because_the_map_tolerated_them() -> None:
    reason = _refusal("FAILED", ledger="FAILED", error="ChunksFailedError")
    assert "the map tolerates failures" in reason


def test_failure_that_the_workflow_handled_cannot_be_redriven() -> None:
    assert "at its very end" in _refusal("FAILED", ledger="FAILED", error="BalanceError")


def test_chunk_that_had_begun_cannot_be_redriven_because_of_its_name() -> None:
    reason = _refusal("ABORTED", reason="was under way when attempt 1 ended")
    assert "one name twice" in reason


def test_redrive_is_refused_after_14_days() -> None:
    assert _refusal("ABORTED", stopped=NOW - REDRIVABLE_FOR) == ""
    late = NOW - REDRIVABLE_FOR - timedelta(seconds=1)
    assert "14 days" in _refusal("ABORTED", stopped=late)


def test_what_step_functions_says_is_the_last_word() -> None:
    assert _refusal("ABORTED", redrive="NOT_REDRIVABLE") == "because"


def test_unknown_execution_cannot_be_redriven() -> None:
    last = Ended(JobEntry({"attempt": 1, "status": "RUNNING"}), "UNSTARTED", "")
    assert "no such execution" in refusal(last, None, [], now=NOW)


def _states() -> Any:
    return boto3.client(
        "stepfunctions",
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def test_redrive_calls_step_functions_once_with_a_token() -> None:
    states = _states()
    with Stubber(states) as stubber:
        stubber.add_response(
            "redrive_execution", {"redriveDate": NOW}, {"executionArn": ARN, "clientToken": "t"}
        )
        assert redrive_execution(states, ARN, token="t") == NOW
        stubber.assert_no_pending_responses()


def test_redrive_that_step_functions_refuses_says_why() -> None:
    states = _states()
    with Stubber(states) as stubber:
        stubber.add_client_error(
            "redrive_execution", "ExecutionNotRedrivable", "it was deleted", 400
        )
        with pytest.raises(AwsError, match="it was deleted"):
            redrive_execution(states, ARN, token="t")
