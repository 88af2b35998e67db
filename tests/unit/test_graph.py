"""The workflow's graph, from the shipped definitions and from made-up histories."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import Any

import support
from batchcore import items, workflow

from batchops.core.histories import StateVisit
from batchops.core.ledger import ChunkEntry
from batchops.inspection import frames
from batchops.inspection.definitions import parse_definition
from batchops.inspection.job_graph import chunk_runs, state_runs, workflow_graph
from batchops.show.graph import NOT_REACHED, Flow, StateRun, WorkflowGraph

STATES = support.SOURCE / "statemachine"
MAIN = parse_definition((STATES / "main-orchestrator.asl.json").read_text())
CHUNK = parse_definition((STATES / "process-chunk.asl.json").read_text())
BEGIN = datetime(2026, 11, 23, 6, tzinfo=UTC)

GOOD_WAY = [
    "Split Input File into chunks",
    "Call Step function for each chunk",
    "Merge all Files",
    "Record success",
    "Email the file",
    "Job succeeded",
]

# Between the first two, where the file is too large for one call.
RANGES = ["Survey each range", "Number the ranges", "Cut each range", "Collect the manifest"]


def entry(number: int, status: str, **changed: Any) -> ChunkEntry:
    found = {"entry": items.chunk_entry(number), "status": status, "attempt": 1}
    if status == workflow.SUCCEEDED:
        found["stepMs"] = {"read": number, "validate": 20, "enrich": 300, "write": 40}
    return ChunkEntry(found | changed)


def graph(
    runs: dict[str, StateRun] | None = None, *entries: ChunkEntry, title: str = "Job x"
) -> WorkflowGraph:
    return workflow_graph(
        MAIN,
        CHUNK,
        runs=runs or {},
        chunks=frames.chunks_frame(entries),
        total=len(entries),
        title=title,
    )


def test_states_that_the_workflow_no_longer_has_are_not_drawn() -> None:
    shown = graph({"A state of before": StateRun(workflow.SUCCEEDED, 5)})
    assert "A state of before" not in str(shown)


def run_of(flow: Flow, name: str) -> StateRun:
    (node,) = [node for node in flow.nodes if node.name == name]
    return node.run


def ways(flow: Flow) -> set[tuple[str, str, bool]]:
    names = {node.key: node.name for node in flow.nodes}
    return {(names[a], names[b], trouble) for a, b, trouble in flow.edges}


# ------------------------------------------------------------------------------ shape


def test_placeholders_for_numbers_do_not_keep_a_definition_from_being_read() -> None:
    text = '{"States": {"A": {"MaxConcurrency": ${MaxConcurrency}, "Resource": "${Function}"}}}'
    state = parse_definition(text)["States"]["A"]
    assert state == {"MaxConcurrency": None, "Resource": "${Function}"}


def test_good_way_is_one_line_of_states_in_their_order() -> None:
    flow = graph().main
    line = sorted((node.column, node.name) for node in flow.nodes if node.lane == 0)
    assert line == list(enumerate(GOOD_WAY))


def test_split_that_a_rerun_does_not_need_stays_before_the_chunks() -> None:
    flow = graph({name: StateRun(workflow.SUCCEEDED) for name in GOOD_WAY[1:]}).main
    line = sorted((node.column, node.name) for node in flow.nodes if node.lane == 0)
    assert line == list(enumerate(GOOD_WAY))


LARGE_MERGE = ["Upload the groups of a large merge", "Complete a large merge"]


def test_what_only_a_large_job_goes_through_is_drawn_if_this_one_did() -> None:
    flow = graph(
        {name: StateRun(workflow.SUCCEEDED) for name in [*GOOD_WAY[:3], *LARGE_MERGE]}
    ).main
    line = [node.name for node in sorted(flow.nodes, key=lambda n: n.column) if node.lane == 0]
    assert sorted(line) == sorted([*GOOD_WAY, *LARGE_MERGE])
    assert line.index(LARGE_MERGE[0]) < line.index(LARGE_MERGE[1])
    assert (GOOD_WAY[2], LARGE_MERGE[0], False) in ways(flow)
    assert (LARGE_MERGE[1], GOOD_WAY[3], False) in ways(flow)
    drawn = {name for a, b, _ in ways(graph().main) for name in (a, b)}
    assert not drawn.intersection(LARGE_MERGE)


def test_what_happens_after_a_failure_has_a_lane_of_its_own() -> None:
    names = {node.name for node in graph().main.nodes if node.lane == 1}
    assert names == {
        "Record failure",
        "Notify failure",
        "Job failed",
        "Record unsent mail",
    }
    names = {node.name for node in graph().chunk.nodes if node.lane == 1}
    assert names == {"Record chunk failure", "Chunk failed"}


def test_no_two_states_stand_in_one_place() -> None:
    for flow in (graph().main, graph().chunk):
        places = [(node.lane, node.column) for node in flow.nodes]
        assert len(set(places)) == len(places)


def test_ways_lead_through_choices_and_notes_which_are_not_drawn() -> None:
    found = ways(graph().main)
    assert ("Split Input File into chunks", "Call Step function for each chunk", False) in found
    # By its verdict, which is a choice, as by an error, which is caught.
    assert ("Split Input File into chunks", "Record failure", True) in found
    assert ("Email the file", "Record unsent mail", True) in found
    assert ("Record unsent mail", "Job succeeded", False) in found
    reached = {name: StateRun(workflow.SUCCEEDED) for name in RANGES}
    drawn = {node.name for node in graph(reached).main.nodes}
    for name, state in MAIN["States"].items():
        if name in (*LARGE_MERGE, "Record rejection"):
            continue
        leads = state["Type"] in ("Choice", "Pass") or name.startswith("Announce ")
        assert (name in drawn) != leads, name


def test_end_that_a_job_was_recorded_with_is_the_one_that_is_drawn() -> None:
    rejected = [*GOOD_WAY[:3], "Record rejection", GOOD_WAY[4], "Notify failure", "Job failed"]
    found = graph({name: StateRun(workflow.SUCCEEDED) for name in rejected}).main
    assert {"Record success", "Record rejection"} <= {node.name for node in found.nodes}
    assert "Record rejection" not in {node.name for node in graph().main.nodes}


def test_split_in_ranges_is_drawn_where_the_file_was_large() -> None:
    assert not {node.name for node in graph().main.nodes}.intersection(RANGES)
    found = graph({name: StateRun(workflow.SUCCEEDED) for name in (GOOD_WAY[0], *RANGES)})
    line = sorted((node.column, node.name) for node in found.main.nodes if node.lane == 0)
    assert [name for _, name in line] == [GOOD_WAY[0], *RANGES, *GOOD_WAY[1:]]
    (fan_out,) = [node.name for node in found.main.nodes if node.key == found.fan_out]
    assert fan_out == GOOD_WAY[1]


def test_a_loop_in_a_workflow_is_drawn_once() -> None:
    loop = {
        "StartAt": "Work",
        "States": {
            "Work": {"Type": "Task", "Next": "Again?"},
            "Again?": {
                "Type": "Choice",
                "Choices": [{"Next": "Work"}, {"Next": "Again?"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
        },
    }
    found = workflow_graph(
        loop, CHUNK, runs={}, chunks=frames.chunks_frame([]), total=0, title="loop"
    )
    assert ways(found.main) == {("Work", "Work", False), ("Work", "Done", False)}
    assert found.fan_out == ""
    ET.fromstring(found.to_svg())


# ------------------------------------------------------------------------------- runs


def test_what_came_of_a_state_is_what_its_last_visit_says() -> None:
    first = StateVisit("A", "Task", BEGIN, BEGIN + timedelta(seconds=2), workflow.FAILED)
    again = StateVisit("A", "Task", BEGIN, BEGIN + timedelta(milliseconds=500), workflow.SUCCEEDED)
    other = StateVisit("B", "Map", BEGIN)
    assert state_runs([first, other, again]) == {
        "A": StateRun(workflow.SUCCEEDED, 500),
        "B": StateRun(workflow.RUNNING),
    }


def test_a_state_left_for_a_failure_has_failed_whatever_its_function_returned() -> None:
    done = StateRun(workflow.SUCCEEDED, 5)
    found = graph(
        {
            "Split Input File into chunks": done,
            "Is the file accepted?": done,
            "Take the split's verdict": done,
            "Record failure": done,
            "Notify failure": done,
            "Job failed": StateRun(workflow.FAILED, 0),
        }
    )
    assert run_of(found.main, "Split Input File into chunks") == StateRun(workflow.FAILED, 5)
    assert run_of(found.main, "Record failure") == done
    assert run_of(found.main, "Job failed") == StateRun(workflow.FAILED)
    assert run_of(found.main, "Merge all Files").status == NOT_REACHED


def test_chunks_are_counted_at_the_step_that_they_came_to() -> None:
    runs = chunk_runs(
        CHUNK,
        frames.chunks_frame(
            [
                entry(1, workflow.SUCCEEDED),
                entry(3, workflow.SUCCEEDED),
                entry(4, workflow.FAILED, failedStep="Get Financial Data"),
                entry(5, workflow.FAILED, failedStep="Read File"),
                entry(6, workflow.RUNNING),
            ]
        ),
    )
    said = {step.state: str(runs[step.state]) for step in workflow.CHUNK_STEPS}
    assert said == {
        "Read File": "\N{MULTIPLICATION X} 1 failed, 3 ok, median 2 ms",
        "Validate Data": "\N{CHECK MARK} 3 ok, median 20 ms",
        "Get Financial Data": "\N{MULTIPLICATION X} 1 failed, 2 ok, median 300 ms",
        "Write output file": "\N{CHECK MARK} 2 ok, median 40 ms",
    }
    assert str(runs["Chunk succeeded"]) == "\N{CHECK MARK} 2 chunks"
    assert str(runs["Chunk failed"]) == "\N{MULTIPLICATION X} 2 chunks"


def test_steps_have_no_time_as_long_as_no_chunk_is_through() -> None:
    runs = chunk_runs(
        CHUNK, frames.chunks_frame([entry(1, workflow.FAILED, failedStep="Validate Data")])
    )
    assert str(runs["Read File"]) == "\N{CHECK MARK} 1 ok"
    assert str(runs["Validate Data"]) == "\N{MULTIPLICATION X} 1 failed, 0 ok"
    assert "Write output file" not in runs


def test_the_state_that_starts_the_chunks_tells_of_failed_ones() -> None:
    runs = {"Call Step function for each chunk": StateRun(workflow.SUCCEEDED, 65_000)}
    found = graph(
        runs, entry(1, workflow.SUCCEEDED), entry(2, workflow.FAILED, failedStep="Validate Data")
    )
    said = str(run_of(found.main, "Call Step function for each chunk"))
    assert said == "\N{MULTIPLICATION X} 1 of 2 failed, 1 min 05 s"
    assert found.chunk.title == "Each chunk: 2 chunks, 1 failed, 1 succeeded"


# ------------------------------------------------------------------------------ forms

ODD = 'Job "x" <script>alert(1)</script> [a](b) {c} #1; `d` -->'


def test_text_lists_the_states_in_order_and_those_after_a_failure_only_if_reached() -> None:
    lines = str(
        graph({"Split Input File into chunks": StateRun(workflow.SUCCEEDED, 469)})
    ).splitlines()
    assert lines[0] == "Job x"
    assert lines[1].split("  ")[1] == "Split Input File into chunks"
    assert lines[1].endswith("\N{CHECK MARK} succeeded, 469 ms")
    assert lines[3].startswith("    Read File")
    assert "Record failure" not in str(graph())
    assert "Record failure" in str(graph({"Record failure": StateRun(workflow.RUNNING)}))


def test_mermaid_names_every_state_with_its_status_in_words() -> None:
    code = graph({"Merge all Files": StateRun(workflow.RUNNING)}).to_mermaid()
    for name in GOOD_WAY:
        assert f'["{name}<br/>' in code, name
    assert re.search(r'"Merge all Files<br/>#9654; running"', code)
    assert code.splitlines()[1] == "flowchart LR"
    assert code.count("subgraph") == code.splitlines().count("end") == 2


def test_mermaid_draws_the_way_into_a_failure_from_the_state_that_failed_only() -> None:
    done = StateRun(workflow.SUCCEEDED, 5)
    found = graph(
        {
            "Split Input File into chunks": done,
            "Call Step function for each chunk": done,
            "Merge all Files": done,
            "Record failure": done,
        }
    )
    keys = {node.name: node.key for node in found.main.nodes}
    dotted = re.findall(r"^(\w+) -\.-> (\w+)$", found.to_mermaid(), flags=re.MULTILINE)
    assert dotted == [(keys["Merge all Files"], keys["Record failure"])]


def test_mermaid_writes_what_could_mean_something_to_it_by_number() -> None:
    (line,) = [
        line
        for line in graph(title=ODD).to_mermaid().splitlines()
        if line.startswith("subgraph main")
    ]
    text = line.removeprefix('subgraph main["').removesuffix('"]')
    assert set(re.sub(r"#\d+;", "", text)) <= set("abcdefghijklmnopqrstuvwxyzJ 1")
    assert re.sub(r"#(\d+);", lambda match: chr(int(match[1])), text) == ODD


def test_svg_holds_every_state_and_stands_alone() -> None:
    svg = graph({"Merge all Files": StateRun(workflow.FAILED, 3)}, title=ODD).to_svg()
    root = ET.fromstring(svg)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == ODD
    assert "Merge all Files: \N{MULTIPLICATION X} failed, 3 ms" in titles
    assert len(titles) == 1 + len(graph().main.nodes) + len(graph().chunk.nodes)
    assert "<script" not in svg
    assert not re.search(r"(href|src|@import|url\((?!#))", svg)


def test_svg_keeps_every_state_inside_the_picture() -> None:
    root = ET.fromstring(graph().to_svg())
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert width <= 920  # a notebook's width
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height


def test_notebooks_get_a_graph_a_picture_and_a_text() -> None:
    bundle = graph()._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/vnd.mermaid", "image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == str(graph())


def test_without_look_up_that_step_is_not_drawn() -> None:
    steps = {"read": 1, "validate": 20, "write": 40}
    flow = graph(None, entry(1, workflow.SUCCEEDED, stepMs=steps)).chunk
    names = [node.name for node in flow.nodes]
    assert workflow.ENRICH.state not in names
    assert ("Validate Data", "Write output file", False) in ways(flow)
    assert run_of(flow, "Write output file").status == workflow.SUCCEEDED


def test_look_up_is_drawn_as_long_as_no_chunk_says_that_there_is_none() -> None:
    flow = graph().chunk
    assert run_of(flow, workflow.ENRICH.state).status == NOT_REACHED
    assert ("Validate Data", "Write output file", False) not in ways(flow)
