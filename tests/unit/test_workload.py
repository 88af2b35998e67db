"""What plans assume of the stack is what the template, the workflows and the functions say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from batchcore import sizing
from support import SOURCE, TEMPLATE

from batchops.deployment.settings import shipped_settings
from batchops.planning import function_times, workload
from batchops.planning.workload import Workload

Machine = dict[str, Any]

# Events that a state on the way of success leaves in the history, entering and leaving included.
EVENTS = {"Choice": 2, "Pass": 2, "Succeed": 2, "Map": 4, "Task": 5}
# A child that is waited for is submitted, too.
EVENTS_OF_A_CHILD = 6


def machine(name: str) -> Machine:
    text = (SOURCE / "statemachine" / f"{name}.asl.json").read_text(encoding="utf-8")
    found: Machine = json.loads(re.sub(r"(?<!\")\$\{\w+\}(?!\")", "8", text))
    return found


MAIN, CHUNK = machine("main-orchestrator"), machine("process-chunk")


def way(of: Machine, *taken: str) -> list[Machine]:
    """Return the states of an execution that succeeds, in order.

    Parameters
    ----------
    taken
        Variables whose choice is taken, each the first time that it is offered.
    """
    left, found, name = set(taken), [], of["StartAt"]
    while True:
        state = of["States"][name]
        found.append(state)
        if state.get("End") or state["Type"] == "Succeed":
            return found
        if state["Type"] == "Choice":
            ways = {choice["Variable"]: choice["Next"] for choice in state["Choices"]}
            chosen = next(iter(left & ways.keys()), None)
            left.discard(chosen)
            name = state["Default"] if chosen is None else ways[chosen]
        else:
            name = state["Next"]


def events(of: Machine, *taken: str) -> int:
    """Return the events of an execution that succeeds, its start and end included."""
    counts = [
        EVENTS_OF_A_CHILD
        if str(state.get("Resource")).endswith("sync:2")
        else EVENTS[state["Type"]]
        for state in way(of, *taken)
    ]
    return sum(counts) + 2


RESUMED, IN_RANGES, IN_GROUPS = "$.resume", "$.split.ranges", "$.merge.plan"


def child_transitions(name: str) -> int:
    """Return the transitions of a child of a Distributed Map, its start included."""
    processor = MAIN["States"][name]["ItemProcessor"]
    assert processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    return 1 + len(way(processor))


def test_transitions_are_the_states_that_the_workflows_enter() -> None:
    assert len(way(MAIN)) == workload.JOB_TRANSITIONS
    assert len(way(MAIN, RESUMED)) == workload.RESUME_TRANSITIONS
    chunk = child_transitions("Call Step function for each chunk") + len(way(CHUNK))
    assert chunk == workload.CHUNK_TRANSITIONS
    assert len(way(MAIN, IN_RANGES)) - len(way(MAIN)) == workload.RANGES_TRANSITIONS
    each_range = child_transitions("Survey each range") + child_transitions("Cut each range")
    assert each_range == workload.RANGE_TRANSITIONS
    assert len(way(MAIN, IN_GROUPS)) - len(way(MAIN)) == workload.GROUPS_TRANSITIONS
    group = child_transitions("Upload the groups of a large merge")
    assert group == workload.GROUP_TRANSITIONS


def test_history_events_are_those_of_the_states_on_the_way() -> None:
    assert events(MAIN) == workload.JOB_EVENTS
    assert events(MAIN, IN_RANGES) - events(MAIN) == workload.RANGES_EVENTS
    assert events(MAIN, IN_GROUPS) - events(MAIN) == workload.GROUPS_EVENTS
    assert events(CHUNK) == workload.CHUNK_EVENTS


def test_time_out_of_the_main_workflow_is_its_own() -> None:
    assert MAIN["TimeoutSeconds"] == workload.JOB_TIMEOUT_S


def test_every_function_that_works_on_a_job_is_priced() -> None:
    folders = {path.parent.name for path in SOURCE.glob("*/app.py")}
    assert folders - {"custom-resource"} == set(shipped_settings().functions)


def test_largest_chunk_is_the_templates() -> None:
    assert TEMPLATE["Parameters"]["FileChunkSize"]["MaxValue"] == sizing.MAX_CHUNK_ROWS


def test_file_is_split_in_ranges_from_the_templates_default_on() -> None:
    size_bytes = TEMPLATE["Parameters"]["SplitRangeBytes"]["Default"]
    assert [Workload(size_bytes + n, 1, 1, 1).ranges for n in (0, 1)] == [0, 2]
    small = replace(shipped_settings(), range_bytes=1_000)
    assert Workload(2_500, 1, 1, 1, settings=small).ranges == 3


def test_functions_are_arm64_as_priced() -> None:
    assert TEMPLATE["Globals"]["Function"]["Architectures"] == ["arm64"]


# ----------------------------------------------------------------------------- counting

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("size_bytes", "requests"),
    [(0, 1), (8 * MIB - 1, 1), (8 * MIB, 3), (8 * MIB + 1, 4), (80 * MIB, 12)],
)
def test_large_objects_are_sent_in_parts(size_bytes: int, requests: int) -> None:
    assert workload.put_requests(size_bytes) == requests


@pytest.mark.parametrize(
    ("size_bytes", "parts"),
    [(0, 0), (1, 1), (8 * MIB + 1, 1), (16 * MIB, 2), (5 * 1024**2 * MIB, 9_998)],
)
def test_merged_file_takes_no_more_parts_than_there_may_be(size_bytes: int, parts: int) -> None:
    assert workload.count_merge_parts(size_bytes) == parts


GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("output_bytes", "rejects_bytes", "calls"),
    [(4 * GIB, 0, 1), (4 * GIB, 1, 4), (9 * GIB, 1, 6), (1, 5 * GIB, 5), (0, 0, 1)],
)
def test_large_merge_is_shared_by_calls_between_one_that_plans_and_a_last(
    output_bytes: int, rejects_bytes: int, calls: int
) -> None:
    work = Workload(1, 1, 1, 1, output_bytes=output_bytes, rejects_bytes=rejects_bytes)
    assert workload.merge_calls(work) == calls


def test_time_of_a_large_merge_is_that_of_a_group_or_of_the_archive() -> None:
    def merge_s(gib: int, size_bytes: int = 0) -> float:
        work = Workload(size_bytes, rows=1, chunks=1, chunk_rows=1, output_bytes=gib * GIB)
        return function_times.function_seconds(work, function_times.WORST)["merge-s3-files"]

    assert merge_s(1) < merge_s(4) < 900
    assert merge_s(400) == pytest.approx(merge_s(4), rel=0.05)
    assert merge_s(400, 5 * 1024 * GIB) > 900  # copied by one call, however many parts at a time


def test_other_chunk_size_changes_what_depends_on_it_and_no_more() -> None:
    work = Workload(
        700_000, rows=10_000, chunks=17, chunk_rows=600, rejected=5, keys=9_000, api_calls=34
    )
    other = work.rechunked(1_000)
    assert (other.chunks, other.chunk_rows) == (10, 1_000)
    assert other.api_calls == 20  # 900 keys a chunk take two calls
    assert other.reject_pieces == 5
    assert other.largest_chunk_bytes == 70_000
    assert (other.size_bytes, other.rows, other.keys) == (700_000, 10_000, 9_000)


def test_chunks_of_long_rows_end_by_their_bytes() -> None:
    work = Workload(160 * MIB, rows=1_000, chunks=10, chunk_rows=1_000)
    assert work.rechunked(1_000).chunks == 10
