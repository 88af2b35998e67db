"""Whatever comes from data is shown as text, never as markup, wherever it stands."""

from __future__ import annotations

import io
import pkgutil
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib import import_module
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

import batchops
from batchops.deployment.change_sets import Change
from batchops.deployment.events import StackEvents
from batchops.deployment.preview import Preview
from batchops.deployment.resources import Holdings, Outputs, StackStatus
from batchops.deployment.stack_state import StackEvent
from batchops.deployment.stack_values import Deployment, Destruction
from batchops.inspection import frames
from batchops.inspection.balance import Balance
from batchops.inspection.checks import Check, Diagnosis
from batchops.inspection.chunk_grid import ChunkGrid
from batchops.inspection.compare import compare
from batchops.inspection.email import Email
from batchops.inspection.error_pages import ErrorPage
from batchops.inspection.progress import Progress
from batchops.inspection.result_files import ResultFile
from batchops.inspection.status import JobStatus
from batchops.inspection.why import Cause, Why
from batchops.planning.cost_values import Cost, CostComparison, CostLine
from batchops.planning.durations import Duration, Part
from batchops.planning.findings import Refusal, RuleCount
from batchops.planning.limit_values import Limit
from batchops.planning.plan import Plan
from batchops.planning.upload_check import UploadCheck
from batchops.planning.what_if_values import WhatIf
from batchops.recovery.chunk_choice import PlannedChunk, ReusedChunk
from batchops.recovery.redelivery import Redelivery, WaitingUpload
from batchops.recovery.repair_plan import FAILING, RepairPlan, RowOutcome
from batchops.recovery.rerun_plan import RerunPlan
from batchops.recovery.stopping import Stopped
from batchops.show.graph import Flow, Node, StateRun, WorkflowGraph
from batchops.show.markup import table
from batchops.show.pictures import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = '<img src=x onerror="alert(1)">\'"&'
NOW = datetime(2026, 11, 23, tzinfo=UTC)
COST = Cost((CostLine(EVIL, EVIL, 1.0, 1.0),), 1.0, 2.0, 1.0, EVIL)
EVENT = StackEvent(EVIL, NOW, EVIL, EVIL, f"{EVIL}_FAILED", EVIL, EVIL)
HOLDINGS = Holdings({EVIL: 1}, {EVIL: 1}, 1, (EVIL,))
ERRORS = pd.DataFrame(
    {"source_row": [2], "uuid": [EVIL], "column": [EVIL], "rule": [EVIL], "chunk": [1]}
)
RERUN = RerunPlan(
    EVIL, 2, EVIL, False, (PlannedChunk(1, 1, EVIL),), (ReusedChunk(2, 1, 1),), (EVIL,), EVIL
)


def shown_events() -> StackEvents:
    from rich.console import Console

    events = StackEvents(Console(file=io.StringIO()))
    events(EVENT)
    return events


def plan() -> Plan:
    part = (Part(EVIL, 1, 2),)
    return Plan(
        name=EVIL,
        size_bytes=1,
        rows=1,
        blank_lines=0,
        columns=(EVIL,),
        missing=(EVIL,),
        extra=(EVIL,),
        chunks=1,
        chunk_rows=1,
        max_concurrency=1,
        rejected=1,
        errors=1,
        rules=(RuleCount(EVIL, EVIL, EVIL, 1, 2, EVIL),),
        keys_checked=True,
        refusal=Refusal(EVIL, EVIL),
        limits=(Limit(EVIL, 9.0, 10.0, EVIL, EVIL),),
        options=(),
        suggested_chunk_rows=1,
        cost=COST,
        duration=Duration(1, 2, part, part, EVIL),
    )


VALUES: list[Any] = [
    Balance(1, 1, 0, 0, 1, (), "SUCCEEDED"),
    COST,
    CostComparison(COST, COST),
    Deployment((), {EVIL: EVIL}, 0, 0, 1.0),
    Destruction(EVIL, False, HOLDINGS),
    Diagnosis(EVIL, (Check(EVIL, False, EVIL, EVIL),)),
    ChunkGrid(EVIL, (), ()),
    Email(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL),
    ErrorPage(ERRORS.assign(value=EVIL, message=EVIL, stage=EVIL), 1, f"2#{EVIL}", 1),
    JobStatus(EVIL, reason=EVIL, mail=EVIL),
    Outputs({EVIL: EVIL}),
    Preview(EVIL, False, (Change(EVIL, EVIL, EVIL, EVIL, (EVIL,)),), False),
    Picture(EVIL, b""),
    Progress(JobStatus(EVIL, reason=EVIL), job_id=EVIL),
    RERUN,
    Redelivery(EVIL, True, (WaitingUpload(EVIL, EVIL, EVIL, EVIL),)),
    RepairPlan(EVIL, (RowOutcome(2, 1, FAILING, EVIL, EVIL),), EVIL, RERUN, {}),
    ResultFile(EVIL, EVIL, 1, NOW),
    StackStatus(EVIL, EVIL, EVIL, NOW, NOW, {EVIL: EVIL}, EVIL),
    Stopped(EVIL, 1, EVIL, (1,), False),
    UploadCheck(EVIL, 1, (EVIL,), (EVIL,), None),
    WhatIf(EVIL, 1, 1, 0, 0, ((EVIL, EVIL, 1, 0),), ERRORS, ERRORS),
    Why(EVIL, EVIL, (Cause("rejection", EVIL, 1, 2, EVIL, EVIL),)),
    compare(ERRORS, ERRORS),
    plan(),
    shown_events(),
]


class Tags(HTMLParser):
    """Notes the tags of a document, and what they do."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.actions: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.actions |= {name for name, _ in attrs if name.startswith("on")}


def tags(document: str) -> Tags:
    parser = Tags()
    parser.feed(document)
    return parser


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_shown_as_text(value: Any) -> None:
    document = value._repr_html_()
    found = tags(document)
    assert "img" not in found.found or isinstance(value, Picture)
    assert not found.actions
    # Values that hold no text of others' have nothing to escape.
    assert "&lt;img" in document or isinstance(value, Balance)


def with_html() -> Iterator[type]:
    """Yield every class of the package that shows itself as HTML."""
    for module in pkgutil.walk_packages(batchops.__path__, "batchops."):
        if not module.name.endswith("__main__"):
            for value in vars(import_module(module.name)).values():
                if isinstance(value, type) and "_repr_html_" in vars(value):
                    yield value


def test_every_value_that_shows_itself_as_html_is_tried() -> None:
    assert set(with_html()) == {type(value) for value in VALUES}


def graph() -> WorkflowGraph:
    node = Node("m0", EVIL, StateRun("FAILED", 1.0, EVIL), 0, 0)
    flow = Flow(EVIL, (node,), ())
    return WorkflowGraph(flow, flow, "")


def test_graph_draws_names_as_text() -> None:
    picture = ET.fromstring(graph().to_svg())
    assert {element.tag.rpartition("}")[2] for element in picture.iter()}.isdisjoint({"img"})
    assert EVIL in "".join(picture.itertext())


def test_graph_leaves_mermaid_no_sign_to_take_for_its_own() -> None:
    text = graph().to_mermaid()
    assert "<img" not in text
    assert "onerror=" not in text
    assert "#60;img" in text


def test_data_frames_show_values_and_column_names_as_text() -> None:
    file = f'{EVIL.replace(",", "")},b\n"{EVIL.replace(chr(34), chr(34) * 2)}",2\n'.encode()
    for frame in (
        frames.csv_frame(io.BytesIO(file), delimiter=","),
        frames.rejects_frame(io.BytesIO(file), delimiter=","),
    ):
        document = frame.to_html()
        assert "img" not in tags(document).found
        assert document.count("&lt;img") == 2


def test_tables_put_amounts_to_the_right_and_text_to_the_left() -> None:
    document = table(("what", "rows", "share"), [("a", "1,200", "<0.1 %"), ("b", "", "12 %")])
    sides = [part.partition(">")[0] for part in document.split("text-align:")[1:]]
    assert [side.strip('"') for side in sides] == ["left", "right", "right"] * 3
