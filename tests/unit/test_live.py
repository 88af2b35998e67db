"""The pictures of a running job: what they show, and what they read for it."""

from __future__ import annotations

import io
from typing import Any
from unittest.mock import Mock

import pytest
import support
from batchcore import items, workflow
from botocore.exceptions import ClientError
from rich.console import Console

from batchops.core.errors import EngineError
from batchops.core.job_ref import JobRef
from batchops.inspection.front_ends import NotebookView, TerminalView
from batchops.inspection.job_graph import GraphReader
from batchops.inspection.live import LivePicture, LivePictures
from batchops.inspection.progress import Progress
from batchops.inspection.status import JobStatus, StatusReader
from batchops.inspection.watch import watch
from batchops.show.chunk_bars import MAX_BARS, RUNNING, Bar, Span
from batchops.show.graph import Flow, Node, StateRun, WorkflowGraph
from batchops.show.timeline import Timeline

JOB = "orders-0123456789ab"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def job(account: support.Account) -> JobRef:
    outputs = {
        "JobTableName": support.JOB_TABLE,
        "SourceBucketName": support.BUCKET,
        "MainOrchestratorArn": support.MACHINE_ARN,
        "ProcessChunkArn": support.MACHINE_ARN,
    }
    clients = {"dynamodb": account.dynamodb, "s3": account.s3, "stepfunctions": account.states}
    return JobRef(support.stack_ref(outputs=outputs, **clients), JOB)


def put_job(account: support.Account, chunks: int, status: str = workflow.RUNNING) -> None:
    known: dict[str, Any] = {"status": status, "attempt": 1, "rowsIn": 1000, "chunks": chunks}
    known |= {"startTime": items.utc_now(), "rowsRejected": 0, "sizeBytes": 1, "chunkRows": 5}
    account.put_entry(JOB, items.JOB_ENTRY, **known)


def put_chunk(account: support.Account, number: int, second: int, end: int | None = None) -> None:
    told: dict[str, Any] = {"status": workflow.RUNNING, "attempt": 1, "rows": 100}
    told["startTime"] = f"2026-11-23T06:00:{second:02}.000Z"
    if end is not None:
        told |= {"status": workflow.SUCCEEDED, "rejected": 0, "stepMs": {"read": 500}}
        told["endTime"] = f"2026-11-23T06:00:{end:02}.000Z"
    account.put_entry(JOB, items.chunk_entry(number), **told)


def read(job: JobRef, clock: Clock, pictures: LivePictures) -> Timeline | None:
    reader = StatusReader(job, clock=clock)
    return pictures.read(reader.read(), reader.tally).timeline


def ends(timeline: Timeline | None) -> list[tuple[int, float]]:
    assert timeline is not None
    return [(bar.chunk, bar.end_s) for bar in timeline.bars]


def test_timeline_grows_while_a_chunk_runs_whatever_the_clocks_of_others_say(
    account: support.Account, job: JobRef
) -> None:
    clock = Clock()
    pictures = LivePictures(job, clock=clock)
    put_job(account, 2)
    put_chunk(account, 1, 0)
    assert ends(read(job, clock, pictures)) == [(1, 0)]
    clock.now = 3
    assert ends(read(job, clock, pictures)) == [(1, 3)]
    put_chunk(account, 1, 0, end=4)
    put_chunk(account, 2, 4)
    assert ends(read(job, clock, pictures)) == [(1, 4), (2, 4)]
    clock.now = 5
    grown = read(job, clock, pictures)
    assert ends(grown) == [(1, 4), (2, 6)]
    assert grown is not None
    assert grown.bars[1].spans[-1].kind == RUNNING


def test_workflow_is_read_now_and_then_and_at_the_end(
    account: support.Account, job: JobRef
) -> None:
    calls: list[str] = []
    account.states.meta.events.register("after-call", lambda model, **_: calls.append(model.name))
    clock = Clock()
    pictures = LivePictures(job, clock=clock)
    put_job(account, 1)
    put_chunk(account, 1, 0)
    for _ in range(9):  # 8 seconds
        reader = StatusReader(job, clock=clock)
        picture = pictures.read(reader.read(), reader.tally)
        clock.now += 1
    assert picture.graph is not None
    assert calls.count("GetExecutionHistory") == 3
    assert calls.count("DescribeStateMachine") == 2
    put_job(account, 1, workflow.SUCCEEDED)
    put_chunk(account, 1, 0, end=9)
    reader = StatusReader(job, clock=clock)
    picture = pictures.read(reader.read(), reader.tally)
    assert "SUCCEEDED" in str(picture.graph)
    assert ends(picture.timeline) == [(1, 9)]


@pytest.mark.parametrize("reads", [0, 1, 3])
def test_workflow_that_ends_after_its_job_is_shown_to_its_end(
    job: JobRef, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    states = iter([*reads * [workflow.RUNNING], workflow.SUCCEEDED])

    def read_graph(*_: object) -> WorkflowGraph:
        node = Node("m0", "Email the file", StateRun(next(states)), 0, 0)
        return WorkflowGraph(Flow("main", (node,), ()), Flow("chunk", (), ()), "")

    monkeypatch.setattr(GraphReader, "read", read_graph)
    clock, ended = Clock(), JobStatus(workflow.SUCCEEDED, mail="SENT")
    pictures = LivePictures(job, clock=clock)
    shown = [pictures.read(ended, None), *pictures.last_reads(ended, None, clock.sleep)]
    assert len(shown) == reads + 1
    graph = shown[-1].graph
    assert graph is not None
    assert graph.main.nodes[0].run.status == workflow.SUCCEEDED


def test_workflow_that_never_ends_is_not_waited_for_without_end(
    job: JobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node("m0", "Email the file", StateRun(workflow.RUNNING), 0, 0)
    graph = WorkflowGraph(Flow("main", (node,), ()), Flow("chunk", (), ()), "")
    monkeypatch.setattr(GraphReader, "read", lambda *_: graph)
    clock, ended = Clock(), JobStatus(workflow.SUCCEEDED, mail="SENT")
    pictures = LivePictures(job, clock=clock)
    pictures.read(ended, None)
    assert list(pictures.last_reads(ended, None, clock.sleep))
    assert clock.now < 10


def test_workflow_that_cannot_be_read_for_a_moment_is_not_shown_as_it_was(
    account: support.Account, job: JobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    pictures = LivePictures(job, clock=clock)
    put_job(account, 1)

    def graph() -> WorkflowGraph | None:
        clock.now += 10
        reader = StatusReader(job, clock=clock)
        return pictures.read(reader.read(), reader.tally).graph

    assert graph() is not None
    with monkeypatch.context() as throttled:
        throttled.setattr(GraphReader, "read", Mock(side_effect=EngineError("Rate exceeded")))
        assert graph() is None
    assert graph() is not None


def test_job_of_many_chunks_shows_the_state_of_each(account: support.Account, job: JobRef) -> None:
    put_job(account, MAX_BARS + 1)
    put_chunk(account, 1, 0, end=1)
    put_chunk(account, 2, 0)
    reader = StatusReader(job)
    picture = LivePictures(job).read(reader.read(), reader.tally)
    assert (picture.graph, picture.timeline) == (None, None)
    assert picture.grid is not None
    assert picture.grid.chunks_by_state == {"done": 1, "failed": 0, "running": 1, "waiting": 79}


def test_who_may_not_read_the_history_still_sees_the_chunks(
    account: support.Account, job: JobRef
) -> None:
    class Forbidden:
        def describe_state_machine(self, **_: Any) -> Any:
            denied: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
            raise ClientError(denied, "DescribeStateMachine")

    put_job(account, 1)
    put_chunk(account, 1, 0)
    reader = StatusReader(job)
    status, tally = reader.read(), reader.tally
    outputs = dict(job.stack.outputs)
    clients: dict[str, Any] = {"dynamodb": account.dynamodb, "stepfunctions": Forbidden()}
    other = JobRef(support.stack_ref(outputs=outputs, **clients), JOB)
    picture = LivePictures(other, clock=Clock()).read(status, tally)
    assert picture.graph is None
    assert ends(picture.timeline) == [(1, 0)]


def test_terminal_shows_workflow_and_chunks_step_by_step(
    account: support.Account, job: JobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    put_job(account, 2, workflow.SUCCEEDED)
    put_chunk(account, 1, 0, end=1)
    put_chunk(account, 2, 1, end=2)
    file = io.StringIO()
    clock = Clock()
    console = Console(file=file, width=100, force_terminal=True, color_system=None)
    watch(job, console=console, clock=clock, sleep=clock.sleep)
    text = file.getvalue()
    assert "Job orders-0123456789ab, attempt 1: SUCCEEDED" in text
    assert "r read" in text
    assert any(line.startswith("     2 ") and "r" in line for line in text.splitlines())


@pytest.mark.parametrize("width", [100, 8, 1])
def test_terminal_that_is_low_shows_the_latest_chunks(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=io.StringIO(), width=width, height=14, force_terminal=True)
    bars = tuple(Bar(n, "SUCCEEDED", 0, n, (Span("read", 0, n),)) for n in range(1, 31))
    lines = list(TerminalView(console)._pictures(LivePicture(timeline=Timeline(bars, 30))))
    assert [line.plain.split()[0] for line in lines[:-1]] == ["26", "27", "28", "29", "30"]
    assert all("r" in line.plain for line in lines)


def test_notebook_shows_one_output_with_the_pictures(
    account: support.Account, job: JobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_job(account, 1)
    put_chunk(account, 1, 0)
    reader = StatusReader(job)
    status = reader.read()
    picture = LivePictures(job).read(status, reader.tally)
    shown: list[str] = []
    view = NotebookView()
    monkeypatch.setattr(view._output, "show", lambda html, _: shown.append(html))
    view.show(Progress(status, picture=picture))
    assert shown[0].count("<svg") == 2
    assert "currentColor" in shown[0]
    assert Progress(JobStatus("WAITING"))._repr_html_().count("<svg") == 0
