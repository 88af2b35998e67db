"""What runs in threads: its results, its errors, its end."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets
import pytest
import support
from batchcore import items, workflow

from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.inspection.chunk_grid import ChunkGrid
from batchops.inspection.progress import Progress
from batchops.widgets.background import THREAD_PREFIX, Background
from batchops.widgets.confirmation import Confirmation, Proposal
from batchops.widgets.follower import MAX_FAILURES, Follower
from batchops.widgets.messages import Messages

JOB = "orders-0123456789ab"
TIMEOUT_S = 30.0


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(THREAD_PREFIX)]


def assert_no_thread_is_left() -> None:
    for thread in threads():
        thread.join(TIMEOUT_S)
    assert threads() == []


class Held:
    """A call that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.let_go.wait(TIMEOUT_S)
        return "held"


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def background(messages: Messages) -> Any:
    background = Background(on_begin=messages.begin, on_end=messages.end)
    yield background
    background.close()
    assert_no_thread_is_left()


# --------------------------------------------------------------------------- background


def test_widgets_are_disabled_while_a_call_lasts_and_the_caller_does_not_wait(
    background: Background, messages: Messages
) -> None:
    button, held, got = ipywidgets.Button(), Held(), []
    background.run(held, got.append, doing="holding", busy=[button])
    assert held.begun.wait(TIMEOUT_S)
    assert button.disabled
    assert "holding ..." in messages.root.value
    assert not background.wait(0.01)
    assert got == []
    held.let_go.set()
    assert background.wait(TIMEOUT_S)
    assert got == ["held"]
    assert not button.disabled
    assert "holding" not in messages.root.value


def test_a_widget_stays_disabled_until_the_last_of_its_calls_has_ended() -> None:
    one_ended = threading.Event()
    background = Background(on_begin=lambda _: None, on_end=lambda *_: one_ended.set())
    button, first, second = ipywidgets.Button(), Held(), Held()
    for held in (first, second):
        background.run(held, lambda _: None, doing="holding", busy=[button])
        assert held.begun.wait(TIMEOUT_S)
    first.let_go.set()
    assert one_ended.wait(TIMEOUT_S)
    assert button.disabled
    second.let_go.set()
    assert background.wait(TIMEOUT_S)
    assert not button.disabled
    background.close()
    assert_no_thread_is_left()


def test_of_calls_with_one_key_only_the_last_one_hands_on(background: Background) -> None:
    held, got = Held(), []
    background.run(held, got.append, doing="a", key="page")
    assert held.begun.wait(TIMEOUT_S)
    background.run(lambda: "new", got.append, doing="b", key="page")
    background.run(lambda: "other", got.append, doing="c", key="other")
    held.let_go.set()
    assert background.wait(TIMEOUT_S)
    assert sorted(got) == ["new", "other"]


def test_what_is_forgotten_is_not_handed_on_not_even_its_error(
    background: Background, messages: Messages
) -> None:
    held, got = Held(), []

    def fail() -> str:
        raise InputError(held())

    background.run(fail, got.append, doing="a", key="page")
    assert held.begun.wait(TIMEOUT_S)
    background.forget("page")
    held.let_go.set()
    assert background.wait(TIMEOUT_S)
    assert got == []
    assert messages.text == ""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("give <b>another</b>"), "give <b>another</b>"),
        (ZeroDivisionError("by nought"), "unexpected ZeroDivisionError while x: by nought"),
    ],
)
def test_an_error_is_said_escaped_and_stands_until_the_same_goes_well(
    background: Background, messages: Messages, error: Exception, text: str
) -> None:
    def fail() -> None:
        raise error

    failed: list[str] = []
    background.run(fail, lambda _: None, doing="x", on_error=lambda: failed.append("x"))
    assert background.wait(TIMEOUT_S)
    assert messages.text == text
    assert failed == ["x"]
    assert "<b>" not in messages.root.value
    background.run(lambda: None, lambda _: None, doing="y")
    assert background.wait(TIMEOUT_S)
    assert messages.text == text
    background.run(lambda: None, lambda _: None, doing="x")
    assert background.wait(TIMEOUT_S)
    assert messages.text == ""


def test_an_error_in_handing_on_is_said_too(background: Background, messages: Messages) -> None:
    def fail(_: object) -> None:
        raise KeyError("column")

    background.run(lambda: 1, fail, doing="showing")
    assert background.wait(TIMEOUT_S)
    assert messages.text == "unexpected KeyError while showing: 'column'"


def test_after_closing_nothing_begins_and_nothing_is_handed_on(messages: Messages) -> None:
    background, held, got = Background(on_begin=messages.begin, on_end=messages.end), Held(), []
    background.run(held, got.append, doing="a")
    assert held.begun.wait(TIMEOUT_S)
    background.close()
    background.run(lambda: "late", got.append, doing="b")
    held.let_go.set()
    assert_no_thread_is_left()
    assert got == []


def test_errors_that_say_the_same_are_said_once(messages: Messages) -> None:
    for doing in ("a", "b", "a"):
        messages.end(doing, "the local engine does not run", doing)
    assert messages.root.value.count("the local engine") == 1


# ----------------------------------------------------------------------------- follower


class Readings:
    """What a follower hands on."""

    def __init__(self) -> None:
        self.seen: list[tuple[Progress, ChunkGrid]] = []
        self.told: list[str] = []
        self.ended = 0
        self.one = threading.Event()

    def take(self, progress: Progress, grid: ChunkGrid) -> None:
        self.seen.append((progress, grid))
        self.one.set()

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def readings() -> Readings:
    return Readings()


def follow(job: JobRef, readings: Readings, *, timeout_s: float = TIMEOUT_S) -> Follower:
    follower = Follower(
        job,
        on_read=readings.take,
        on_end=readings.end,
        on_trouble=readings.told.append,
        refresh_s=0.001,
        timeout_s=timeout_s,
    )
    follower.start()
    return follower


@pytest.fixture
def job(account: support.Account) -> JobRef:
    """A job that runs, by its ledger."""
    clients = {"dynamodb": account.dynamodb, "stepfunctions": account.states}
    outputs = {"JobTableName": support.JOB_TABLE, "MainOrchestratorArn": support.MACHINE_ARN}
    account.put_entry(
        JOB,
        items.JOB_ENTRY,
        status=workflow.RUNNING,
        startTime=items.utc_now(),
        attempt=1,
    )
    return JobRef(support.stack_ref(outputs=outputs, **clients), JOB)


def test_follower_ends_with_the_job(
    job: JobRef, readings: Readings, account: support.Account
) -> None:
    follower = follow(job, readings)
    assert readings.one.wait(TIMEOUT_S)
    counts = {"rowsIn": 3, "rowsRejected": 1, "chunks": 2}
    end = {"endTime": items.utc_now(), "status": workflow.SUCCEEDED}
    account.put_entry(JOB, items.JOB_ENTRY, **counts, **end)
    assert follower.join(TIMEOUT_S)
    progress, grid = readings.seen[-1]
    assert (progress.status.status, grid.chunks_by_state["done"]) == (workflow.SUCCEEDED, 2)
    assert (readings.ended, readings.told) == (1, [])
    assert_no_thread_is_left()


def test_follower_tells_the_time_since_the_attempt_began_not_since_it_looked(
    job: JobRef, readings: Readings, account: support.Account
) -> None:
    times = {"startTime": "2026-11-23T06:00:00.000Z", "endTime": "2026-11-23T06:01:30.000Z"}
    account.put_entry(JOB, items.JOB_ENTRY, **times, status=workflow.FAILED, error="E", cause="c")
    assert follow(job, readings).join(TIMEOUT_S)
    assert readings.seen[-1][0].elapsed_s == 90


def test_follower_that_is_stopped_says_nothing_more(job: JobRef, readings: Readings) -> None:
    follower = follow(job, readings)
    assert readings.one.wait(TIMEOUT_S)
    follower.stop()
    assert follower.join(TIMEOUT_S)
    assert (readings.ended, readings.told) == (0, [])


def test_follower_gives_up_after_some_failures_and_says_what_to_do(
    job: JobRef, readings: Readings
) -> None:
    clientless = support.stack_ref(outputs=job.stack.outputs)  # a KeyError is no error of ours
    assert follow(JobRef(clientless, job.id), readings).join(TIMEOUT_S)
    assert len(readings.told) == MAX_FAILURES + 1
    assert "unexpected KeyError while following" in readings.told[0]
    assert "press Refresh" in readings.told[-1]
    assert readings.ended == 0


def test_follower_stops_when_its_time_is_up(job: JobRef, readings: Readings) -> None:
    assert follow(job, readings, timeout_s=0).join(TIMEOUT_S)
    (told,) = readings.told
    assert "followed no longer, after 0 s: it goes on" in told


# ------------------------------------------------------------------------- confirmation


class Opener:
    """A button that notes when it gets the focus."""

    def __init__(self) -> None:
        self.focused = 0

    def focus(self) -> None:
        self.focused += 1


@pytest.mark.parametrize(
    ("press", "result"), [("confirm", ["made"]), ("confirm", []), ("cancel", [])]
)
def test_the_button_that_opened_a_proposal_gets_the_focus_back(
    background: Background, press: str, result: list[object]
) -> None:
    def make() -> object:
        if not result:
            raise InputError("it is gone")
        return result[0]

    done: list[object] = []
    opener = Opener()
    confirmation = Confirmation(background, key="action", on_done=done.append)
    confirmation.propose(Proposal("Link", "", "Make it", make, "making"), opener=opener)
    getattr(confirmation, press).click()
    assert background.wait(TIMEOUT_S)
    assert opener.focused == 1
    assert done == result
    assert confirmation.root.layout.display == "none"
