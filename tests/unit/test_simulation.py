"""The laws that the simulation keeps, and that it names what bounds a job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchops.planning.durations import estimate_duration
from batchops.planning.function_times import BEST, WORST
from batchops.planning.job_model import (
    API,
    ENVIRONMENTS,
    ERRORS,
    EXECUTIONS,
    FUNCTIONS,
    GETS,
    LEDGER,
    PUTS,
    SERVICE,
    SLOTS,
    STARTS,
    JobModel,
    Limits,
    Rate,
    Step,
    Times,
    chunk_steps,
    job_times,
    model_job,
)
from tools.benchmarks.jobs import Run
from tools.benchmarks.simulation import local
from tools.benchmarks.simulation.job import simulate
from tools.benchmarks.simulation.outcome import Outcome
from tools.benchmarks.workloads import sample_workload

NO_TIMES = Times()
STEPS = (Step("read", 1.0), Step("write", 2.0, requests={"writes": 5.0}))

limits = st.builds(
    Limits,
    slots=st.integers(1, 8),
    functions=st.none() | st.integers(1, 8),
    starts=st.just({}) | st.builds(lambda r: {"starts": Rate(r)}, st.floats(0.5, 100)),
    environments=st.none() | st.builds(Rate, st.floats(0.5, 100), st.floats(1, 10)),
    requests=st.just({}) | st.builds(lambda r: {"writes": Rate(r)}, st.floats(1, 100)),
)


def play(
    chunks: int, steps: tuple[Step, ...] = STEPS, times: Times = NO_TIMES, **given: Any
) -> Outcome:
    """Simulate a job with what limits are given."""
    return simulate(JobModel(chunks, steps, times, Limits(**given)))


def at_once(outcome: Outcome) -> int:
    """Return the most chunks that were between start and end at a time."""
    events = [(t, 1) for t in outcome.starts.values()] + [(t, -1) for t in outcome.ends.values()]
    running = most = 0
    for _, change in sorted(events):  # of what happens at once, ends come first
        running += change
        most = max(most, running)
    return most


@given(st.integers(1, 40), limits)
@settings(max_examples=60, deadline=None)
def test_every_chunk_starts_and_ends_once_within_its_slots(chunks: int, given: Limits) -> None:
    outcome = simulate(JobModel(chunks, STEPS, Times(split=1.0, merge=2.0), given))
    assert list(outcome.starts) == list(range(1, chunks + 1))
    assert set(outcome.ends) == set(outcome.starts)
    # A chunk takes its steps' time at least, and waits for nothing before the split is done.
    assert all(outcome.ends[n] - outcome.starts[n] >= 3.0 - 1e-9 for n in outcome.starts)
    assert min(outcome.starts.values()) >= 1.0
    assert at_once(outcome) <= given.slots
    assert outcome.waits[SERVICE] == pytest.approx(3.0 * chunks)
    assert outcome.seconds == pytest.approx(sum(outcome.parts.values()))
    assert outcome.seconds >= max(outcome.ends.values()) + 2.0 - 1e-9


def test_time_is_rounds_of_slots_where_nothing_else_bounds() -> None:
    for chunks, rounds in ((1, 1), (4, 1), (5, 2), (12, 3)):
        outcome = play(chunks, slots=4)
        assert outcome.seconds == pytest.approx(3.0 * rounds)


def test_rate_lets_its_burst_through_and_then_so_many_a_second() -> None:
    step = (Step("write", 0.0, requests={"writes": 1.0}),)
    outcome = play(30, step, slots=100, requests={"writes": Rate(2.0, burst=10.0)})
    assert sorted(outcome.ends.values())[9] == pytest.approx(0.0)
    assert outcome.seconds == pytest.approx(20 / 2.0)


def test_rate_that_is_used_up_doubles() -> None:
    rate = Rate(2.0, burst=10.0, doubles_s=5.0, most_per_s=6.0)
    # Five seconds at two a second, five at four, and then no more than six.
    assert [rate.wait_s(10.0 + n) for n in (0, 6, 10, 30, 60)] == pytest.approx([0, 3, 5, 10, 15])
    assert Rate(2.0, burst=10.0).wait_s(70.0) == pytest.approx(30.0)
    step = (Step("write", 0.0, requests={"writes": 1.0}),)
    outcome = play(70, step, slots=100, requests={"writes": rate})
    assert outcome.seconds == pytest.approx(15.0, rel=0.1)


def test_new_environments_start_cold_and_are_used_again() -> None:
    step = (Step("read", 1.0, cold_s=0.5),)
    assert play(3, step, slots=1).seconds == pytest.approx(0.5 + 3 * 1.0)
    assert play(3, step, slots=3).seconds == pytest.approx(0.5 + 1.0)


def test_functions_behind_a_step_count_too() -> None:
    step = (Step("enrich", 1.0, functions=2),)
    assert play(4, step, slots=4, functions=4).seconds == pytest.approx(2.0)
    with pytest.raises(ValueError, match="needs 2 functions, and 1 may run"):
        play(4, step, slots=4, functions=1)


@given(st.integers(1, 40), limits)
@settings(max_examples=40, deadline=None)
def test_more_chunks_or_longer_steps_never_take_less_time(chunks: int, given: Limits) -> None:
    longer = (replace(STEPS[0], seconds=1.5), STEPS[1])
    before, more, slower = (
        simulate(JobModel(n, steps, Times(), given)).seconds
        for n, steps in ((chunks, STEPS), (chunks + 1, STEPS), (chunks, longer))
    )
    assert more >= before - 1e-9
    # Who waits for one resource after another may be done sooner if an earlier step is slower,
    # since others are then served first (Graham, Bounds on multiprocessing timing anomalies, 1969).
    if given.functions is None or not given.requests:
        assert slower >= before - 1e-9


# None of these bounds 200 chunks.
WIDE = Limits(
    slots=1_000,
    functions=10_000,
    starts={STARTS: Rate(1e6), EXECUTIONS: Rate(1e6)},
    environments=Rate(1e6),
    requests={name: Rate(1e9) for name in (API, ERRORS, LEDGER, PUTS, GETS)},
)


@pytest.fixture(scope="module")
def wide() -> JobModel:
    """Give the model of a job that takes no turns."""
    work = sample_workload(1_000_000, 5_000)
    times = replace(job_times(work, BEST), split=0.0, merge=0.0)
    return JobModel(work.chunks, chunk_steps(work, BEST), times, WIDE)


@pytest.mark.parametrize(
    ("turned_down", "bottleneck"),
    [
        ({}, SERVICE),
        ({"slots": 4}, SLOTS),
        ({"functions": 8}, FUNCTIONS),
        ({"starts": {**WIDE.starts, STARTS: Rate(1.0)}}, STARTS),
        ({"starts": {**WIDE.starts, EXECUTIONS: Rate(1.0)}}, EXECUTIONS),
        ({"environments": Rate(0.5)}, ENVIRONMENTS),
        *(
            ({"requests": {**WIDE.requests, name: Rate(rate)}}, name)
            for name, rate in ((API, 20.0), (ERRORS, 100.0), (LEDGER, 2.0), (PUTS, 5.0), (GETS, 4))
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limit_that_is_turned_down_is_the_bottleneck(
    wide: JobModel, turned_down: dict[str, Any], bottleneck: str
) -> None:
    model = replace(wide, limits=replace(WIDE, **turned_down))
    outcome = simulate(model)
    assert outcome.bottleneck == bottleneck
    if turned_down:
        bounds = model.bounds()
        assert max(bounds, key=lambda name: bounds[name]) == bottleneck
        assert outcome.seconds > simulate(wide).seconds


def test_longest_part_of_the_job_is_the_bottleneck_where_chunks_are_not() -> None:
    outcome = play(2, STEPS, Times(split=100.0), slots=2)
    assert outcome.bottleneck == "the split"


# From one chunk to 500, and from one at a time to all at once.
GRID = [
    (rows, chunk_rows, at_once)
    for rows, chunk_rows in (
        (100, 600),
        (10_000, 600),
        (100_000, 20_000),
        (300_000, 5_000),
        (300_000, 600),
        (1_000_000, 20_000),
    )
    for at_once in (1, 8, 100, 1_000)
]


@pytest.mark.parametrize("side", [BEST, WORST])
@pytest.mark.parametrize(("rows", "chunk_rows", "at_once"), GRID)
def test_plan_says_what_the_simulation_says(
    rows: int, chunk_rows: int, at_once: int, side: int
) -> None:
    work = sample_workload(rows, chunk_rows, max_concurrency=at_once)
    plan = estimate_duration(work)
    planned = (plan.low_s, plan.high_s)[side]
    model = model_job(work, side)
    played = simulate(model).seconds
    assert 0.95 * played <= planned <= 1.002 * played
    # In a small account functions take turns, of which the model has only the average.
    for functions in (10, 100):
        small = replace(model, limits=replace(model.limits, functions=functions))
        planned_small = planned - model.chunks_s + small.chunks_s
        assert 0.7 <= planned_small / simulate(small).seconds <= 1.15


def test_map_never_has_more_children_than_aws_allows() -> None:
    work = sample_workload(1_000_000, 600, max_concurrency=50_000)
    assert model_job(work, BEST).limits.slots == 10_000


def test_pairs_in_the_same_order_are_counted() -> None:
    assert local.same_order([1, 2, 3], [10, 20, 30]) == 1.0
    assert local.same_order([1, 2, 3], [30, 20, 10]) == 0.0
    assert local.same_order([1, 1, 3], [20, 10, 30]) == 1.0
    assert local.same_order([1, 2, 3], [10, 30, 20]) == pytest.approx(2 / 3)
    assert local.same_order([1], [1]) == 1.0


def test_engine_is_predicted_exactly_from_a_job_without_noise() -> None:
    # Two slots; a chunk takes 0.2 s around its steps and 0.8 s in them, and the next one follows
    # 0.1 s later.
    starts = (0.0, 0.0, 1.1, 1.1)
    run = Run(
        rows=400,
        chunk_rows=100,
        chunks=4,
        wall_s=3.0,
        states_s={local.SPLIT: 0.2, local.MAP: 2.2, local.MERGE: 0.1, "Email the file": 0.1},
        functions_s=3.2,
        starts=starts,
        ends=tuple(start + 1.0 for start in starts),
        step_ms={"read": 300.0, "write": 500.0},
    )
    steps, times = local.engine_times(run, slots=2)
    outcome = play(4, steps, times, slots=2)
    assert outcome.seconds == pytest.approx(3.0)
    first = min(outcome.starts.values())
    assert [t - first for t in outcome.starts.values()] == pytest.approx(list(starts))
    larger = play(6, steps, times, slots=2)
    assert larger.seconds == pytest.approx(3.0 + 1.1)
