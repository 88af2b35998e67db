"""What a drill plans, and how it tells a row that is lost or doubled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from batchcore.workflow import CHUNK_FUNCTIONS
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from batchops.core.errors import InputError
from tools.drill.__main__ import insert, main
from tools.drill.calls import Call
from tools.drill.case import FirstEnd, broken_at_first, expected_end
from tools.drill.fault_plan import LASTING, plan_faults
from tools.drill.faults import KINDS, PLACES, STEPS, Fault
from tools.drill.injector import aims_at
from tools.drill.outcomes import JobOutcome, RowEnds, count_row_ends, differences
from tools.drill.report import CaseReport, DrillReport

CHUNKS = (1, 2, 3)
# What the functions call, by service and operation, each about as it does.
_CALLS: dict[str, str] = {
    "s3-lambda-notification": "dynamodb.PutItem dynamodb.PutItem dynamodb.Query dynamodb.GetItem "
    "dynamodb.PutItem dynamodb.UpdateItem states.StartExecution dynamodb.DeleteItem",
    "split-ip-file": "s3.GetObject " + "s3.PutObject " * 6 + "dynamodb.UpdateItem",
    "read-file": "dynamodb.UpdateItem s3.GetObject s3.PutObject",
    "validate-data": "s3.GetObject s3.PutObject",
    "enrich-data": "s3.GetObject execute-api.POST s3.PutObject",
    "get-data": "dynamodb.BatchGetItem",
    "write-output-chunk": "s3.GetObject s3.PutObject s3.PutObject dynamodb.BatchWriteItem "
    "dynamodb.UpdateItem",
    "merge-s3-files": "s3.GetObject dynamodb.Query s3.PutObject s3.CopyObject s3.DeleteObject",
    "send-email": "dynamodb.GetItem s3.PutObject ses.SendEmail dynamodb.UpdateItem",
}
CALLS = [
    Call(step, *call.split("."), chunk)
    for step, calls in _CALLS.items()
    for chunk in (CHUNKS if step in CHUNK_FUNCTIONS else (None,))
    for call in calls.split()
]


# ----------------------------------------------------------------------------- planning


def test_every_step_meets_every_fault_that_it_can() -> None:
    plan = plan_faults(CALLS, seed=1)
    met = {(fault.step, fault.kind) for fault in plan}
    everywhere = {"exception", "timeout", "kill", "slow", "throttle"}
    assert {(step, kind) for step in STEPS for kind in everywhere} <= met
    assert {fault.step for fault in plan} == set(PLACES)
    assert {fault.kind for fault in plan} == set(KINDS)
    assert ("get-data", "partial-write") not in met
    assert ("validate-data", "dynamodb-error") not in met
    for step, kinds in LASTING.items():
        assert {f.kind for f in plan if f.step == step and f.lasting} == set(kinds)


@given(st.integers(0, 1_000_000))
def test_every_planned_fault_has_a_call_to_strike(seed: int) -> None:
    for fault in plan_faults(CALLS, seed=seed):
        kind = KINDS[fault.kind]
        if kind.action in ("throttle", "stop", "restart", "queue"):
            continue
        struck = [call for call in CALLS if aims_at(fault, call)]
        assert len(struck) >= max(1, fault.after_writes)


@given(st.integers(0, 1_000_000), st.sampled_from(STEPS))
def test_what_strikes_a_step_does_not_depend_on_what_else_is_planned(seed: int, step: str) -> None:
    whole = [fault for fault in plan_faults(CALLS, seed=seed) if fault.step == step]
    assert plan_faults(CALLS, seed=seed, steps=[step]) == whole


def test_process_is_killed_after_each_single_write_of_a_step() -> None:
    plan = plan_faults(CALLS, seed=3, steps=["write-output-chunk"], kinds=["partial-write"])
    assert [fault.after_writes for fault in plan if not fault.lasting] == [1, 2, 3, 4]
    many = plan_faults(CALLS, seed=3, steps=["split-ip-file"], kinds=["partial-write"])
    assert len(many) == 5
    assert {1, 7} <= {fault.after_writes for fault in many}


def test_cases_have_different_names() -> None:
    plan = plan_faults(CALLS, seed=1)
    assert len({(fault.name, fault.at) for fault in plan}) == len(plan)


@pytest.mark.parametrize(
    ("steps", "kinds", "message"),
    [
        (["reed-file"], None, "no step 'reed-file'"),
        (None, ["explosion"], "no fault 'explosion'"),
        (["validate-data"], ["mail-refused"], "no fault of"),
    ],
)
def test_what_cannot_be_planned_is_refused(steps: Any, kinds: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_faults(CALLS, seed=1, steps=steps, kinds=kinds)


# --------------------------------------------------------------------------- accounting

LINES = (b"key,note\n", b"1,a\n", b'2,"b\nc"\n', b"3,\xa0\n", b"4\n")
COMPLETED = b'key,note,price\n1,a,9\n2,"b\nc",8\n'
REJECTS = b"key,note,source_row,rules,messages\n3,\xa0,4,encoding,\n4,,5,fieldCount,\n"


def test_rows_that_end_once_are_accounted_for() -> None:
    ends = count_row_ends(LINES, COMPLETED, REJECTS)
    assert ends == RowEnds(rows_in=4, rows_out=2, rows_rejected=2, lost=0, doubled=0)
    assert ends.faults() == []


@pytest.mark.parametrize(
    ("completed", "rejects", "said"),
    [
        (b"key,note,price\n1,a,9\n", REJECTS, ["1 rows lost"]),
        (COMPLETED, b"key,note,source_row\n4,,5\n", ["1 rows lost"]),
        (COMPLETED + b"1,a,9\n", REJECTS, ["1 rows doubled"]),
        (COMPLETED, REJECTS + b"1,a,2,late,\n", ["1 rows doubled"]),
        (COMPLETED.replace(b"1,a", b"1,z"), REJECTS, ["1 rows lost", "1 rows unlike the input's"]),
        (b"", b"", ["4 rows lost"]),
    ],
)
def test_rows_lost_doubled_or_changed_are_told(
    completed: bytes, rejects: bytes, said: list[str]
) -> None:
    assert count_row_ends(LINES, completed, rejects).faults() == said


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_counts_add_up_however_often_each_row_ends(times: list[int]) -> None:
    lines = [b"key\n", *(b"%d\n" % n for n in range(len(times)))]
    body = b"".join(line * often for line, often in zip(lines[1:], times, strict=True))
    ends = count_row_ends(lines, b"key,price\n" + body.replace(b"\n", b",1\n"), b"")
    assert ends.lost == times.count(0)
    assert ends.doubled == sum(max(0, often - 1) for often in times)
    assert ends.rows_in - ends.lost + ends.doubled == ends.rows_out


OUTCOME = JobOutcome(
    completed=COMPLETED,
    rejects=REJECTS,
    errors=({"source_row": 4, "rule": "encoding"},),
    counts={"JOB": {"rows_in": 4}, "CHUNK#000001": {"rows": 4}},
    balanced=True,
    archived=True,
    errors_agree=True,
)


def test_equal_outcomes_do_not_differ() -> None:
    assert differences(OUTCOME, replace(OUTCOME)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"completed": COMPLETED[:-1]}, "the completed file differs"),
        ({"rejects": REJECTS + b" "}, "the rejects file differs"),
        ({"errors": ()}, "the recorded errors differ: 0, not 1"),
        ({"counts": {"JOB": {"rows_in": 4}}}, "CHUNK#000001 differs"),
        ({"balanced": False}, "the balance"),
        ({"archived": False}, "the input"),
        ({"errors_agree": False}, "the file of errors"),
    ],
)
def test_each_difference_is_told(changed: dict[str, Any], said: str) -> None:
    (line,) = differences(OUTCOME, replace(OUTCOME, **changed))
    assert said in line


# ---------------------------------------------------------------- what a case must come to


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("read-file", "kill", 1), "SUCCEEDED"),
        (Fault("read-file", "kill", 1, times=None), "FAILED"),
        (Fault("send-email", "mail-refused", times=None), "SUCCEEDED"),
        (Fault("s3-lambda-notification", "throttle", times=None), "UNSTARTED"),
        (Fault("workflow", "stop", 1, at="read-file"), "ABORTED"),
        (Fault("engine", "restart", 1, at="read-file"), "FAILED"),
    ],
)
def test_first_attempt_must_end_as_the_design_says(fault: Fault, status: str) -> None:
    assert expected_end(fault) == status


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (FirstEnd("FAILED", "Broken", retries=2, fired=3, noticed=True), []),
        (
            FirstEnd("FAILED", "Broken", retries=2, fired=0, noticed=True),
            ["the fault never struck"],
        ),
        (FirstEnd("FAILED", "", retries=2, fired=3, noticed=True), ["no error is named"]),
        (
            FirstEnd("FAILED", "Broken", retries=2, fired=3, noticed=False),
            ["the topic was not told"],
        ),
        (FirstEnd("FAILED", "Broken", retries=0, fired=1, noticed=True), ["nothing was retried"]),
        (
            FirstEnd("SUCCEEDED", "Broken", retries=2, fired=3, noticed=False),
            ["the first attempt ended SUCCEEDED, not FAILED"],
        ),
    ],
)
def test_first_attempt_that_went_otherwise_is_told(end: FirstEnd, said: list[str]) -> None:
    assert list(broken_at_first(Fault("read-file", "kill", 1, times=None), end)) == said


# ------------------------------------------------------------------------------ reports

CASE = CaseReport(
    fault=Fault("read-file", "kill", 2),
    job_id="orders-0",
    fired=1,
    ended="SUCCEEDED",
    error="",
    retries=1,
    attempts=1,
    recovery="",
    row_ends=RowEnds(4, 2, 2, 0, 0),
    same=True,
    broken=(),
    seconds=1.5,
)
BROKEN = replace(CASE, row_ends=RowEnds(4, 1, 2, 1, 0), same=False, broken=("1 rows <lost|>",))


def report(*cases: CaseReport) -> DrillReport:
    return DrillReport(
        seed=7,
        rows=4,
        chunks=2,
        started=datetime(2026, 11, 23, tzinfo=UTC),
        versions={"batchops": "0.1.0"},
        cases=cases,
    )


def test_drill_is_kept_only_if_each_case_is_and_there_is_one() -> None:
    assert report(CASE).kept
    assert not report(CASE, BROKEN).kept
    assert not report().kept


def test_report_adds_up() -> None:
    unfinished = replace(BROKEN, row_ends=None)
    assert report(CASE, BROKEN, unfinished).totals == {
        "cases": 3,
        "faults_injected": 3,
        "jobs_completed": 2,
        "reruns": 0,
        "rows_lost": 1,
        "rows_doubled": 0,
        "cases_broken": 2,
    }


def test_report_has_text_and_a_markdown_table() -> None:
    found = report(CASE, BROKEN)
    assert str(CASE) == "read-file, chunk 2: kill once: SUCCEEDED, 1 retries: kept (1.5 s)"
    assert "1 rows lost" in found.summary
    header, _, *cases = [row for row in found.to_markdown().splitlines() if row.startswith("|")]
    assert [row.replace(r"\|", "").count("|") for row in cases] == [header.count("|")] * 2
    assert cases[1].endswith(r"| 4 = 1 + 2 | 1 | 0 | NO | BROKEN: 1 rows <lost\|> |")


# -------------------------------------------------------------------------- command line


def test_file_without_a_place_for_the_report_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    file = tmp_path / "page.md"
    file.write_text("# Reliability\n")
    result = CliRunner().invoke(main, ["--into", str(file)])
    assert result.exit_code == 1
    assert "no place for the report" in result.output


def test_report_replaces_the_one_before_it() -> None:
    page = "# A\n\n<!-- drill: begin -->\nold\n<!-- drill: end -->\n\nB\n"
    once = insert(page, r"new \| table")
    assert "old" not in once
    assert r"new \| table" in once
    assert once.endswith("\n\nB\n")
    assert insert(once, r"new \| table") == once


def test_steps_and_faults_are_checked_before_anything_starts() -> None:
    result = CliRunner().invoke(main, ["--steps", "read-file,x"])
    assert (result.exit_code, result.output.splitlines()[0][:22]) == (1, "Error: no step 'x': it")
