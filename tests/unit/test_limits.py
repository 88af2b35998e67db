"""Limits, durations and chunk sizes of a plan, checked against numbers made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from batchcore.sizing import MAX_CHUNKS
from hypothesis import given
from hypothesis import strategies as st

from batchops.deployment.settings import shipped_settings
from batchops.planning.durations import Duration, Estimate, estimate_duration
from batchops.planning.function_times import BEST, WORST, function_seconds
from batchops.planning.job_model import API, ERRORS, aws_limits, model_job
from batchops.planning.limits import Limit, find_limits
from batchops.planning.size_advice import chunk_options, largest_chunk_rows, suggest_chunk_rows
from batchops.planning.workload import Workload
from batchops.show.numbers import number_text, rough_duration, share_text
from tools.benchmarks.workloads import sample_workload

MIB = 1024 * 1024


def work_of(rows: int, *, chunk_rows: int = 600, row_bytes: int = 70, at_once: int = 8) -> Workload:
    """Return a file of good rows with different keys, for a stack of so many chunks at a time."""
    whole = Workload(
        rows * row_bytes,
        rows,
        1,
        chunk_rows,
        keys=rows,
        output_bytes=rows * (row_bytes + 48),
        settings=replace(shipped_settings(), max_concurrency=at_once),
    )
    return whole.rechunked(chunk_rows)


def limits_of(work: Workload, *, name: str = "a.csv") -> dict[str, Limit]:
    return {each.name: each for each in find_limits(work, estimate_duration(work), name=name)}


def bound(duration: Duration, word: str) -> Estimate:
    (found,) = [each for each in duration.bounds if word in each.name]
    return found


# ------------------------------------------------------------------------------- limits


def test_shares_are_what_is_taken_of_what_there_is() -> None:
    found = limits_of(work_of(6_000_000, chunk_rows=300))
    assert found["chunks"].value == 20_000
    assert found["chunks"].share == 20_000 / 80_000
    assert found["output of the Map"].share == pytest.approx(20_000 * 3 / 262_144)
    assert found["rows a chunk"].share == 300 / 20_000
    assert found["history of the main workflow"].share == 43 / 25_000
    assert found["chunks at a time"].share == 8 / 10_000
    assert found["chunk size"].share == pytest.approx(300 * 70 / (16 * MIB))
    assert found["time of merge-s3-files"].limit == 900


def test_limits_stand_the_nearest_first() -> None:
    shares = [each.share for each in limits_of(work_of(100_000)).values()]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) > 15


def test_output_of_the_map_fits_as_long_as_the_chunks_do() -> None:
    found = limits_of(work_of(80_000, chunk_rows=1))
    assert found["chunks"].share == 1
    assert found["output of the Map"].share <= 1
    assert not found["chunks"].fatal


def test_one_chunk_too_many_is_fatal() -> None:
    assert limits_of(work_of(80_001, chunk_rows=1))["chunks"].fatal


def test_state_of_the_workflow_takes_the_longest_name() -> None:
    found = limits_of(work_of(10), name="ü" * 400)["workflow state"]
    assert found.value > 5 * 800
    assert found.share < 0.1


def test_merge_that_cannot_end_in_time_is_fatal() -> None:
    # Pieces are uploaded by as many calls as it takes; the archive's copy is one call's.
    found = limits_of(work_of(20_000_000, row_bytes=1_000_000))
    assert found["time of merge-s3-files"].fatal


def test_estimate_that_is_too_long_only_at_worst_is_a_warning() -> None:
    found = limits_of(work_of(3_000_000, row_bytes=1_000_000))["time of merge-s3-files"]
    assert found.share > 1
    assert not found.fatal


def test_no_file_is_too_large_for_the_split() -> None:
    for rows in (15, 1_000, 20_000, 1_000_000):
        found = limits_of(work_of(rows, row_bytes=1_000_000))["time of split-ip-file"]
        assert found.share < 0.5


def test_split_in_ranges_is_faster_the_more_of_them_run_at_a_time() -> None:
    works = [work_of(100_000, row_bytes=1_000_000, at_once=n) for n in (1, 94)]
    assert works[0].ranges == 94
    one, many = (estimate_duration(work).parts[1] for work in works)
    assert (one.name, many.name) == ("split", "split")
    assert one.low_s > 50 * many.low_s
    assert one.high_s > 20 * many.high_s


def test_memory_is_estimated_and_never_a_verdict() -> None:
    work = Workload(400 * MIB, 100_000, 25, 20_000, largest_chunk_bytes=400 * MIB)
    found = limits_of(work)["memory for a chunk"]
    assert found.share > 1
    assert not found.fatal


@pytest.mark.parametrize(
    ("chunk_rows", "at_once", "rates"),
    [
        (1_000, 1, (1_000, 1_000)),
        (1_000, 8, (1_000, 1_000)),  # all in one range of 10,000 rows
        (1_000, 25, (2_500, 2_500)),
        (1_000, 1_000, (4_000, 40_000)),  # what a new table takes, and what any does
        (20_000, 1, (1_000, 1_000)),  # a chunk writes to one range after the other
        (20_000, 8, (4_000, 8_000)),
        (20_000, 250, (4_000, 40_000)),
    ],
)
def test_errors_of_each_range_of_rows_have_a_partition(
    chunk_rows: int, at_once: int, rates: tuple[int, int]
) -> None:
    work = work_of(1_000_000, chunk_rows=chunk_rows, at_once=at_once)
    found = aws_limits(WORST, work).requests[ERRORS]
    assert (found.per_s, found.most_per_s) == rates
    best = aws_limits(BEST, work).requests[ERRORS]
    assert (best.per_s, best.most_per_s) == (4_000, 40_000)


def test_billion_rows_with_bad_ones_take_under_two_hours_and_pass_no_limit() -> None:
    work = sample_workload(1_000_000_000, 20_000, bad_share=0.03, max_concurrency=250)
    duration = estimate_duration(work)
    # With all errors of a job in one partition it was 2.5 to 10 hours.
    assert duration.low_s < duration.high_s < 2 * 3_600
    assert not [limit.name for limit in limits_of(work).values() if limit.hard and limit.share > 1]


def test_errors_of_a_job_are_held_against_the_partitions_at_work() -> None:
    work = Workload(
        7_000_000,
        100_000,
        100,
        1_000,
        rejected=100_000,
        errors=9,
        error_writes=500_000,
        settings=replace(shipped_settings(), max_concurrency=20),
    )
    found = limits_of(work)["writes of errors"]
    duration = estimate_duration(work)
    chunks_s = next(part.low_s for part in duration.parts if part.name == "chunks")
    assert found.value == pytest.approx(500_000 / chunks_s)
    assert found.limit == 2_000
    assert found.share > 1
    assert not found.fatal


def test_looked_up_chunks_take_the_functions_behind_the_api_too() -> None:
    # 2,000 keys a chunk are four calls, two at a time.
    found = limits_of(work_of(100_000, chunk_rows=2_000, at_once=20))["concurrent functions"]
    assert found.value == 20 * (1 + 2)
    assert found.share == 60 / 1_000


# ---------------------------------------------------------------------------- durations


def test_time_of_a_function_is_computing_plus_calls() -> None:
    work = work_of(600)
    read = function_seconds(work, BEST)["read-file"]
    share = 1_024 / 1_769
    assert read == pytest.approx(600 * 1.8e-6 / share + 2 * 0.02 + 0.005)
    slow = function_seconds(work, WORST)["read-file"]
    assert slow == pytest.approx(600 * 1.8e-6 * 3 / share + 2 * 0.1 + 0.03)


def test_function_with_more_than_a_vcpu_is_no_faster_than_one() -> None:
    work = Workload(0, 1_000_000, 1, 1)
    assert work.settings.functions["split-ip-file"].memory_mb >= 1_769
    seconds = function_seconds(work, BEST)["split-ip-file"]
    assert seconds == pytest.approx(0.3 + 0.02 / 32 + 4 * 0.02 + 0.005)


def test_bounds_of_the_chunks_are_those_made_by_hand() -> None:
    work = work_of(60_000)  # 100 chunks
    duration = estimate_duration(work)
    for side, name in ((BEST, "low_s"), (WORST, "high_s")):
        one = model_job(work, side).chunk_s
        assert getattr(bound(duration, "one chunk"), name) == one
        assert getattr(bound(duration, "MaxConcurrency"), name) == pytest.approx(13 * one)
        assert getattr(bound(duration, "started"), name) == pytest.approx(one + 99 / 100)
        assert getattr(bound(duration, "scale out"), name) == one


def test_rate_of_starting_chunks_bounds_a_stack_that_runs_many() -> None:
    duration = estimate_duration(work_of(12_000_000, at_once=10_000))
    largest = max(duration.bounds, key=lambda bound: bound.low_s)
    assert "chunks are started" in largest.name
    assert largest.low_s > 19_999 / 100


def test_many_small_chunks_take_their_uploads_in_the_split() -> None:
    duration = estimate_duration(work_of(1_000_000, chunk_rows=20, at_once=10_000))
    (split,) = [part for part in duration.parts if part.name == "split"]
    assert split.low_s > 50_000 * 0.02 / 32


def test_functions_scale_out_a_thousand_in_ten_seconds() -> None:
    work = work_of(1_800_000, at_once=3_000)  # as many chunks
    duration = estimate_duration(work)
    one = model_job(work, BEST).chunk_s
    assert bound(duration, "scale out").low_s == pytest.approx(one + 20)


def test_small_account_makes_the_job_slower_and_is_what_bounds_it() -> None:
    model = model_job(work_of(500_000, at_once=100), WORST)
    small = replace(model, limits=replace(model.limits, functions=10))
    assert small.chunks_s > model.chunks_s
    bounds = small.bounds()
    assert max(bounds, key=lambda name: bounds[name]) == "the account's concurrent functions"


def test_small_file_is_bound_by_its_one_chunk() -> None:
    duration = estimate_duration(work_of(100))
    assert duration.bottleneck == "mostly the time that one chunk takes"


@given(
    rows=st.integers(1, 10_000_000),
    chunk_rows=st.integers(1, 20_000),
    at_once=st.integers(1, 10_000),
)
def test_best_is_never_slower_than_worst_and_more_at_a_time_never_slower(
    rows: int, chunk_rows: int, at_once: int
) -> None:
    one, two = (work_of(rows, chunk_rows=chunk_rows, at_once=n * at_once) for n in (1, 2))
    duration, more = map(estimate_duration, (one, two))
    assert all(part.low_s <= part.high_s for part in (*duration.parts, *duration.bounds))
    assert 0 < duration.low_s <= duration.high_s
    longer = bound(duration, "MaxConcurrency")
    assert bound(more, "MaxConcurrency").high_s <= longer.high_s


# ------------------------------------------------------------------------------- sizing


def test_large_file_is_given_large_chunks_and_a_tiny_one_is_left_alone() -> None:
    large = chunk_options(work_of(1_000_000))
    assert suggest_chunk_rows(large, current=600) == 20_000
    tiny = chunk_options(work_of(50))
    assert suggest_chunk_rows(tiny, current=600) == 600


def test_suggested_size_is_cheap_and_about_as_fast_as_any() -> None:
    options = chunk_options(work_of(200_000, at_once=100))
    chosen = suggest_chunk_rows(options, current=600)
    (best,) = [option for option in options if option.chunk_rows == chosen]
    fastest = min(option.high_s for option in options)
    assert best.high_s <= 1.25 * fastest
    assert all(o.usd >= best.usd - 1e-6 for o in options if o.high_s <= 1.25 * fastest)


def test_chunks_of_long_rows_stay_within_their_bytes() -> None:
    work = work_of(10_000, row_bytes=100_000)
    largest = largest_chunk_rows(work)
    assert 100 < largest * 100_000 / 1e5 < 16 * MIB / 1e5
    assert max(o.chunk_rows for o in chunk_options(work)) == largest


def test_sizes_that_make_too_many_chunks_are_not_offered() -> None:
    options = chunk_options(work_of(30_000_000))
    assert all(option.chunks <= 0.8 * 80_000 for option in options)
    assert min(option.chunk_rows for option in options) > 100


def test_file_that_no_size_suits_keeps_its_own() -> None:
    assert chunk_options(work_of(200_000, row_bytes=1_000_000)) == ()
    assert suggest_chunk_rows((), current=600) == 600


# --------------------------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.01, "<0.1 s"), (1.25, "1.2 s"), (52.4, "52 s"), (300, "5 min"), (9_000, "2.5 h")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert rough_duration(seconds) == text


def test_shares_and_numbers_are_short() -> None:
    assert [share_text(s) for s in (0, 0.0001, 0.024, 0.34, 1.5)] == [
        "0.0 %",
        "<0.1 %",
        "2.4 %",
        "34 %",
        "150 %",
    ]
    assert [number_text(n) for n in (3.0, 0.254, 123.4, 16_777_216)] == [
        "3",
        "0.25",
        "123",
        "16,777,216",
    ]


def test_limit_says_itself_in_a_line() -> None:
    limit = Limit("chunks", 20_000, 80_000, "chunks", "take larger ones")
    assert str(limit) == "chunks: 20,000 of 80,000 chunks (25 %); take larger ones"
    assert limit.to_dict()["share"] == 0.25


@pytest.mark.parametrize(
    ("own", "accepted"), [(None, 10_000.0), (4_000, 4_000.0), (2, 2.0), (20_000, 10_000.0)]
)
def test_plan_knows_how_many_calls_the_api_accepts(own: int | None, accepted: float) -> None:
    work = work_of(100_000)
    work = replace(work, settings=replace(work.settings, api_calls_per_second=own))
    assert limits_of(work)["calls of the API"].limit == accepted
    api = aws_limits(BEST, work).requests[API]
    assert (api.per_s, api.burst) == (accepted, accepted)
    if own == 2:
        # 200 calls, of which the first two come at once.
        assert estimate_duration(work).low_s > 198 / 2


def test_no_job_is_held_up_by_what_the_stacks_api_accepts() -> None:
    for rows in (10_000, 1_000_000, 100_000_000):
        for chunk_rows in (600, 5_000, 20_000):
            work = work_of(rows, chunk_rows=chunk_rows, at_once=1_000)
            if work.chunks > MAX_CHUNKS:
                continue
            unlimited = replace(work.settings, api_calls_per_second=None)
            free = estimate_duration(replace(work, settings=unlimited))
            held = estimate_duration(work)
            assert (held.low_s, held.high_s) == (free.low_s, free.high_s)
