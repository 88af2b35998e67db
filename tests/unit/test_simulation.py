"""The laws that the simulation keeps, and that it names what bounds a job."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchops.planning.function_times import BEST, WORST
from tools.benchmarks.jobs import Run
from tools.benchmarks.simulation import aws, local
from tools.benchmarks.simulation.aws import aws_limits, chunk_steps, job_times, simulate_aws
from tools.benchmarks.simulation.job import simulate
from tools.benchmarks.simulation.model import (
    DISPATCH,
    ENVIRONMENTS,
    EXECUTIONS,
    FUNCTIONS,
    SERVICE,
    SLOTS,
    Limits,
    Outcome,
    Rate,
    Step,
    Times,
)
from tools.benchmarks.workloads import sample_workload

STEPS = (Step("read", 1.0), Step("write", 2.0, requests={"writes": 5.0}))

limits = st.builds(
    Limits,
    slots=st.integers(1, 8),
    functions=st.none() | st.integers(1, 8),
    dispatch=st.none() | st.builds(Rate, st.floats(0.5, 100)),
    environments=st.none() | st.builds(Rate, st.floats(0.5, 100), st.floats(1, 10)),
    requests=st.just({}) | st.builds(lambda r: {"writes": Rate(r)}, st.floats(1, 100)),
)


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
    outcome = simulate(chunks, STEPS, Times(split=1.0, merge=2.0), given)
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
        outcome = simulate(chunks, STEPS, Times(), Limits(slots=4))
        assert outcome.seconds == pytest.approx(3.0 * rounds)


def test_rate_lets_its_burst_through_and_then_so_many_a_second() -> None:
    step = (Step("write", 0.0, requests={"writes": 1.0}),)
    given = Limits(slots=100, requests={"writes": Rate(2.0, burst=10.0)})
    outcome = simulate(30, step, Times(), given)
    assert sorted(outcome.ends.values())[9] == pytest.approx(0.0)
    assert outcome.seconds == pytest.approx(20 / 2.0)


def test_new_environments_start_cold_and_are_used_again() -> None:
    step = (Step("read", 1.0),)
    times = Times(cold=0.5)
    assert simulate(3, step, times, Limits(slots=1)).seconds == pytest.approx(0.5 + 3 * 1.0)
    assert simulate(3, step, times, Limits(slots=3)).seconds == pytest.approx(0.5 + 1.0)


def test_functions_behind_a_step_count_too() -> None:
    step = (Step("enrich", 1.0, functions=2),)
    assert simulate(4, step, Times(), Limits(slots=4, functions=4)).seconds == pytest.approx(2.0)
    with pytest.raises(ValueError, match="needs 2 functions, and 1 may run"):
        simulate(4, step, Times(), Limits(slots=4, functions=1))


@given(st.integers(1, 40), limits)
@settings(max_examples=40, deadline=None)
def test_more_chunks_never_take_less_time(chunks: int, given: Limits) -> None:
    fewer, more = (simulate(n, STEPS, Times(), given).seconds for n in (chunks, chunks + 1))
    assert more >= fewer - 1e-9


@given(st.integers(1, 40), limits)
@settings(max_examples=40, deadline=None)
def test_longer_steps_never_take_less_time(chunks: int, given: Limits) -> None:
    longer = (replace(STEPS[0], seconds=1.5), STEPS[1])
    outcomes = [simulate(chunks, steps, Times(), given).seconds for steps in (STEPS, longer)]
    assert outcomes[1] >= outcomes[0] - 1e-9


WORK = sample_workload(1_000_000, 5_000)
# None of these bounds 200 chunks.
WIDE = Limits(
    slots=1_000,
    functions=10_000,
    dispatch=Rate(1e6),
    executions=Rate(1e6),
    environments=Rate(1e6),
    requests={name: Rate(1e9) for name in (aws.API, aws.ERRORS, aws.LEDGER, aws.PUTS, aws.GETS)},
)


@pytest.mark.parametrize(
    ("turned_down", "bottleneck"),
    [
        ({}, SERVICE),
        ({"slots": 4}, SLOTS),
        ({"functions": 8}, FUNCTIONS),
        ({"dispatch": Rate(1.0)}, DISPATCH),
        ({"executions": Rate(1.0)}, EXECUTIONS),
        ({"environments": Rate(0.5)}, ENVIRONMENTS),
        *(
            ({"requests": {**WIDE.requests, name: Rate(rate)}}, name)
            for name, rate in (
                (aws.API, 20.0),
                (aws.ERRORS, 100.0),
                (aws.LEDGER, 2.0),
                (aws.PUTS, 5.0),
                (aws.GETS, 4.0),
            )
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limit_that_is_turned_down_is_the_bottleneck(
    turned_down: dict[str, object], bottleneck: str
) -> None:
    given = replace(WIDE, **turned_down)  # type: ignore[arg-type]
    steps = chunk_steps(WORK, BEST)
    times = replace(job_times(WORK, BEST, max_concurrency=8), split=0.0, merge=0.0)
    outcome = simulate(WORK.chunks, steps, times, given)
    assert outcome.bottleneck == bottleneck
    if turned_down:
        assert outcome.seconds > simulate(WORK.chunks, steps, times, WIDE).seconds


def test_longest_part_of_the_job_is_the_bottleneck_where_chunks_are_not() -> None:
    outcome = simulate(2, STEPS, Times(split=100.0), Limits(slots=2))
    assert outcome.bottleneck == "the split"


def test_aws_at_worst_is_never_faster_than_at_best() -> None:
    for rows, chunk_rows in ((100_000, 600), (1_000_000, 20_000)):
        work = sample_workload(rows, chunk_rows)
        best, worst = (simulate_aws(work, max_concurrency=8, side=s) for s in (BEST, WORST))
        assert best.seconds < worst.seconds


def test_map_never_has_more_children_than_aws_allows() -> None:
    assert aws_limits(50_000, BEST).slots == 10_000


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
    outcome = simulate(4, steps, times, Limits(slots=2))
    assert outcome.seconds == pytest.approx(3.0)
    first = min(outcome.starts.values())
    assert [t - first for t in outcome.starts.values()] == pytest.approx(list(starts))
    larger = simulate(6, steps, times, Limits(slots=2))
    assert larger.seconds == pytest.approx(3.0 + 1.1)
