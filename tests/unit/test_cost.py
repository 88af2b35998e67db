"""What a job costs: checked against sums made by hand, and against the facts that they rest on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchops.core.ledger import ChunkEntry, JobEntry
from batchops.deployment.settings import shipped_settings
from batchops.planning import aws_facts
from batchops.planning.actual_cost import CostComparison, job_cost, job_workload
from batchops.planning.cost import Cost, estimate_cost
from batchops.planning.workload import Workload
from batchops.show.numbers import usd_text

GIB = 1024**3

# 1,000 rows of 71 bytes, all good, in two chunks of 500.
WORK = Workload(
    size_bytes=71_000,
    rows=1_000,
    chunks=2,
    chunk_rows=500,
    keys=1_000,
    api_calls=2,
    output_bytes=120_000,
)


def job_entry(**changed: Any) -> JobEntry:
    """Return the ledger's entry of the job that succeeded at once."""
    entry = {"status": "SUCCEEDED", "attempt": 1, "sizeBytes": 71_000, "chunkRows": 500}
    return JobEntry({**entry, **changed})


def chunk(number: int, **changed: Any) -> ChunkEntry:
    """Return the ledger's entry of a chunk of 500 good rows."""
    entry = {
        "entry": f"CHUNK#{number:06d}",
        "status": "SUCCEEDED",
        "attempt": 1,
        "rows": 500,
        "valid": 500,
        "rejected": 0,
        "errors": 0,
        "sizeBytes": {"output": 60_000, "rejects": 0},
        "stepMs": {"read": 100, "validate": 100, "enrich": 100, "write": 100},
    }
    return ChunkEntry({**entry, **changed})


def actual(*chunks: ChunkEntry, **changed: Any) -> Cost:
    """Return what the job cost with these chunks."""
    return job_cost(job_entry(**changed), chunks, shipped_settings())


def quantities(cost: Cost) -> dict[tuple[str, str], float]:
    return {(line.service, line.what): line.quantity for line in cost.lines}


# -------------------------------------------------------------------------------- facts


def test_every_fact_names_value_unit_source_grade_and_date() -> None:
    document = json.loads(Path(aws_facts.__file__).with_suffix(".json").read_text(encoding="utf-8"))
    facts = {**document["prices"], **document["quotas"]}
    assert len(facts) > 20
    for name, fact in facts.items():
        assert fact["value"] > 0, name
        assert fact["unit"], name
        assert fact["source"], name
        assert fact["grade"] in {"A", "B"}, name
        assert re.fullmatch(r"20\d\d-\d\d", fact["date"]), name


# ----------------------------------------------------------------------------- estimate


def test_counts_of_a_job_are_those_made_by_hand() -> None:
    assert {
        name: count
        for name, count in quantities(estimate_cost(WORK)).items()
        if name != ("Lambda", "GB-seconds")
    } == {
        ("Step Functions", "state transitions"): 12 + 2 * 8,
        # Upload, split, two chunks in four steps, two calls of the API, merge, mail, both events of
        # the job's end.
        ("Lambda", "requests"): 1 + 1 + 2 * 4 + 2 + 1 + 1 + 2,
        ("API Gateway", "requests"): 2,
        # The job's entry six times, in its index too; its ticket twice, the slots twice, in 2 KB;
        # a chunk's entry twice.
        ("DynamoDB", "write units"): 6 * 2 + 2 + 2 * 2 + 2 * 2,
        # Half a unit a key; 1,100 bytes of chunk entries, the job's entry five times; the tickets
        # and the slots at the job's start and for both events of its end.
        ("DynamoDB", "read units"): 500 + 1 + 5 + 6,
        # The first chunk's header of errors, and three merged files.
        ("S3", "PUT requests"): 2 * 6 + 1 + 4 + 3 + 2,
        ("S3", "GET requests"): 2 * 5 + 1 + 9,
        ("CloudWatch Logs", "GB"): pytest.approx((16 * 1_000 + 2 * 400) / 1e9),
        ("SES", "mails"): 1,
    }


def test_sum_of_a_job_is_that_made_by_hand() -> None:
    cost = estimate_cost(WORK)
    compute = quantities(cost)["Lambda", "GB-seconds"] * 0.0000133334
    by_hand = (
        28 * 25e-6
        + 16 * 0.2e-6
        + 2 * 3.5e-6
        + 22 * 0.625e-6
        + 512 * 0.125e-6
        + 22 * 5e-6
        + 20 * 0.4e-6
        + 16_800e-9 * 0.5
        + 1e-4
    )
    assert cost.total_usd == pytest.approx(by_hand + compute)
    assert sum(cost.by_service.values()) == pytest.approx(cost.total_usd)
    assert cost.low_usd < cost.total_usd < cost.high_usd
    assert cost.monthly_usd == 1


def extra_counts(work: Workload, other: Workload) -> dict[tuple[str, str], float]:
    """Return what the other job takes more of, seconds and the log left out."""
    one, two = quantities(estimate_cost(work)), quantities(estimate_cost(other))
    timed = {("Lambda", "GB-seconds"), ("CloudWatch Logs", "GB")}
    return {key: two[key] - one[key] for key in one if two[key] != one[key] and key not in timed}


def test_each_error_costs_its_write_units_and_each_piece_of_rejects_a_read() -> None:
    good = Workload(71_000, 1_000, 2, 500)
    bad = replace(good, rejected=3, errors=4, error_writes=9, reject_pieces=2)
    more = extra_counts(good, bad)
    assert more["DynamoDB", "write units"] == 9
    # Of each piece of rejects a read; of each piece of errors, and the first is always there.
    assert more["S3", "GET requests"] == 2 + 1
    assert more["S3", "PUT requests"] == 1


def test_file_that_is_split_in_ranges_costs_what_the_ranges_take() -> None:
    one_call = Workload(1 * GIB, rows=1_000, chunks=2, chunk_rows=500)
    two_ranges = replace(one_call, size_bytes=1 * GIB + 1)
    assert extra_counts(one_call, two_ranges) == {
        # Six states, and for each range a child of two Maps with one state.
        ("Step Functions", "state transitions"): 6 + 2 * 2 * 2,
        # Each range is surveyed and cut; one call numbers them, one collects their manifests.
        ("Lambda", "requests"): 2 * 2 + 2,
        # The ranges' surveys and manifests, the list of cuts; a part of the upload and the archive.
        ("S3", "PUT requests"): 2 * 2 + 1 + 2,
        # Each range is read twice; its survey, its manifest, the cuts and the header once.
        ("S3", "GET requests"): 2 * 6 + 1,
    }


def test_merge_that_several_calls_share_costs_what_its_groups_take() -> None:
    sizes = {"output_bytes": 4 * GIB - 2, "rejects_bytes": 1, "errors_bytes": 1}
    one_call = Workload(1, 1_000, 2, 500, **sizes)
    three_groups = replace(one_call, output_bytes=4 * GIB)
    assert extra_counts(one_call, three_groups) == {
        # Three states, and for each of three groups a child with one state.
        ("Step Functions", "state transitions"): 3 + 2 * 3,
        # One call plans, one uploads each group, one completes the files.
        ("Lambda", "requests"): 4,
        # The groups, their parts' tags, the plan; all files' uploads are listed, each small file
        # is sent in a part of its own, and the large one in a part more.
        ("S3", "PUT requests"): 2 * 3 + 1 + 3 + 2 * 2 + 1,
        # The plan for the Map and for the last call, the groups and their parts' tags.
        ("S3", "GET requests"): 2 + 2 * 3,
    }


def test_file_without_a_key_that_is_looked_up_calls_no_api() -> None:
    cost = estimate_cost(Workload(71, 1, 1, 600, rejected=1, errors=1, error_writes=1))
    assert quantities(cost)["API Gateway", "requests"] == 0
    assert cost.by_service["API Gateway"] == 0


# ------------------------------------------------------------------------------- actual


def test_job_that_went_as_planned_has_the_counts_of_the_plan() -> None:
    found = quantities(actual(chunk(1), chunk(2)))
    planned = quantities(estimate_cost(WORK))
    compute = ("Lambda", "GB-seconds")
    assert {**found, compute: 0} == {**planned, compute: 0}


def test_milliseconds_of_the_ledger_are_what_is_charged() -> None:
    slow = {"read": 350, "validate": 350, "enrich": 350, "write": 350}
    key = ("Lambda", "GB-seconds")
    before = quantities(actual(chunk(1), chunk(2)))[key]
    after = quantities(actual(chunk(1), chunk(2, stepMs=slow)))[key]
    # One second more in functions of 1,024 MB.
    assert after - before == pytest.approx(1.0)


def test_later_attempt_adds_its_chunks_its_merge_and_its_mail() -> None:
    first = quantities(actual(chunk(1), chunk(2)))
    again = quantities(actual(chunk(1), chunk(2, attempt=2), attempt=2))
    more = {name: again[name] - first[name] for name in first}
    assert more["Step Functions", "state transitions"] == 11 + 8
    assert more["Lambda", "requests"] == 4 + 1 + 1 + 1 + 2
    assert more["S3", "PUT requests"] == 6
    assert more["DynamoDB", "write units"] == 18 + 2
    assert more["SES", "mails"] == 1


def test_chunks_that_are_not_done_are_not_counted() -> None:
    failed = chunk(2, status="FAILED")
    entries = [chunk(1), failed]
    assert job_workload(job_entry(), entries, shipped_settings()).chunks == 1
    assert quantities(actual(*entries))["Step Functions", "state transitions"] == 12 + 8


def test_job_whose_file_was_refused_has_a_cost() -> None:
    cost = actual(status="FAILED")
    assert quantities(cost)["API Gateway", "requests"] == 0
    assert 0 < cost.total_usd < estimate_cost(WORK).total_usd


# -------------------------------------------------------------------------------- views


def test_comparison_holds_each_service_and_the_total_side_by_side() -> None:
    planned, found = estimate_cost(WORK), actual(chunk(1), chunk(2))
    comparison = CostComparison(planned, found)
    assert [name for name, *_ in comparison.rows] == [*planned.by_service, "total"]
    assert comparison.rows[-1] == ("total", planned.total_usd, found.total_usd)
    line = ["Step", "Functions", "$0.00070", "$0.00070", "$0.00"]  # planned, actual, difference
    assert str(comparison).splitlines()[1].split() == line
    assert "difference" in comparison._repr_html_()
    assert json.loads(json.dumps(comparison.to_dict()))["actual"]["total_usd"] == found.total_usd


def test_cost_says_what_it_is_and_what_it_leaves_out() -> None:
    cost = estimate_cost(WORK)
    assert "estimate, us-east-1 prices of 2026-05" in str(cost)
    assert "ledger" in str(actual(chunk(1), chunk(2)))
    page = cost._repr_html_()
    assert "not counted: storage" in page
    assert "a month" in page
    assert json.loads(json.dumps(cost.to_dict()))["lines"][0] == {
        "service": "Step Functions",
        "what": "state transitions",
        "quantity": 28,
        "usd": pytest.approx(0.00070),
    }


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0, "$0.00"),
        (1234.5, "$1,234.50"),
        (1, "$1.00"),
        (0.25, "$0.25"),
        (0.0123, "$0.012"),
        (0.000575, "$0.00057"),
        (-0.0021, "-$0.0021"),
        (1e-9, "<$0.000001"),
    ],
)
def test_amounts_have_the_decimals_that_they_need(usd: float, text: str) -> None:
    assert usd_text(usd) == text


def test_without_look_up_nothing_is_enriched_and_nothing_asked_of_the_api() -> None:
    work = replace(WORK, looks_up=False, keys=0, api_calls=0)
    counted = quantities(estimate_cost(work))
    full = quantities(estimate_cost(WORK))
    assert counted["Step Functions", "state transitions"] == 12 + 2 * 8
    assert counted["Lambda", "requests"] == 1 + 1 + 2 * 3 + 1 + 1 + 2
    assert counted["API Gateway", "requests"] == 0
    assert counted["DynamoDB", "read units"] == 1 + 5 + 6
    assert counted["S3", "PUT requests"] == full["S3", "PUT requests"] - 2
    assert counted["S3", "GET requests"] == full["S3", "GET requests"] - 2
    assert estimate_cost(work).high_usd < estimate_cost(WORK).low_usd


def test_job_without_look_up_has_the_counts_of_its_plan() -> None:
    steps = {"read": 100, "validate": 100, "write": 100}
    found = quantities(actual(chunk(1, stepMs=steps), chunk(2, stepMs=steps)))
    planned = quantities(estimate_cost(replace(WORK, looks_up=False, keys=0, api_calls=0)))
    compute = ("Lambda", "GB-seconds")
    assert {**found, compute: 0} == {**planned, compute: 0}
