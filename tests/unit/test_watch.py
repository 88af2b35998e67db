"""Watching: numbers as pure functions, what a poll reads, and what each front end shows."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.session
import nbclient
import nbformat
import pytest
import support
from batchcore import aws, items, keys, workflow
from botocore.credentials import RefreshableCredentials
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from batchops.core.errors import InputError, JobNotFoundError
from batchops.core.job_ref import JobRef
from batchops.core.ledger import ChunkEntry
from batchops.inspection.front_ends import JobProgress, LineView, TerminalView, pick_view
from batchops.inspection.progress import WINDOW_S, Meter, Progress, remaining_s, row_rate
from batchops.inspection.status import EXECUTION_EVERY_S, WAITING, JobStatus, StatusReader
from batchops.inspection.tally import ChunkTally
from batchops.inspection.watch import watch
from batchops.job import Job

JOB = "orders-0123456789ab"
HALF = JobStatus(
    workflow.RUNNING, rows=1000, rows_done=500, rows_rejected=12, chunks=10, chunks_done=5
)


class Clock:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# ------------------------------------------------------------------------------ numbers


def test_rate_is_what_came_between_the_first_and_the_last_sample() -> None:
    assert row_rate([(0, 100), (1, 100), (4, 300)]) == 50


def test_rate_is_not_known_before_anything_has_moved() -> None:
    assert row_rate([]) is None
    assert row_rate([(0, 0)]) is None
    assert row_rate([(0, 5), (0, 9)]) is None
    assert row_rate([(0, 5), (WINDOW_S - 1, 5)]) is None


def test_rate_is_nought_when_nothing_has_moved_for_a_whole_window() -> None:
    assert row_rate([(0, 5), (WINDOW_S, 5)]) == 0


def test_time_left_is_the_rows_left_at_the_rate() -> None:
    assert remaining_s(HALF, 100) == 5


def test_time_left_does_not_count_the_rows_of_failed_chunks() -> None:
    assert remaining_s(replace(HALF, chunks_failed=1), 100) == pytest.approx(4)


@pytest.mark.parametrize("rate", [None, 0.0])
def test_time_left_is_not_known_without_a_rate(rate: float | None) -> None:
    assert remaining_s(HALF, rate) is None


def test_no_time_is_left_to_tell_once_every_chunk_has_ended() -> None:
    assert remaining_s(replace(HALF, chunks_done=9, chunks_failed=1), 100) is None


def test_meter_forgets_what_lies_before_the_window() -> None:
    clock = Clock()
    meter = Meter(clock=clock)
    rates = []
    for step in range(20):
        clock.now = 100 + 10 * step
        rates.append(meter.take(replace(HALF, rows_done=min(10 * step, 100))).rows_per_s)
    assert rates[:3] == [None, None, 1]
    assert rates[13] == pytest.approx(0.5)  # 30 rows in the last 60 s
    assert rates[-1] == 0


def test_meter_leaves_the_time_of_the_split_out_of_the_rate() -> None:
    clock = Clock()
    meter = Meter(clock=clock)
    meter.take(JobStatus(workflow.SUBMITTED))
    clock.now += 1000
    meter.take(replace(HALF, rows_done=0))
    clock.now += 10
    meter.take(replace(HALF, rows_done=100))
    clock.now += 10
    assert meter.take(HALF).rows_per_s == 40


def test_cold_start_makes_no_estimate() -> None:
    """Two chunks end after 20 s of starting functions, and then one each second."""
    clock = Clock()
    meter = Meter(clock=clock)
    meter.take(replace(HALF, rows_done=0, chunks_done=0))
    clock.now += 20
    first = meter.take(replace(HALF, rows_done=200, chunks_done=2))
    assert (first.rows_per_s, first.eta_s) == (None, None)
    clock.now += 1
    after = meter.take(replace(HALF, rows_done=300, chunks_done=3))
    assert (after.rows_per_s, after.eta_s) == (100, 7)


def test_meter_gives_the_rate_over_all_once_the_job_has_ended() -> None:
    clock = Clock()
    meter = Meter(JOB, clock=clock)
    for _ in range(100):
        meter.take(replace(HALF, rows_done=0))
        clock.now += 10
    progress = meter.take(replace(HALF, status=workflow.SUCCEEDED, rows_done=1000))
    assert (progress.rows_per_s, progress.eta_s, progress.elapsed_s) == (1, None, 1000)
    assert progress.job_id == JOB


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        (JobStatus(WAITING), "waiting"),
        (JobStatus(workflow.SUBMITTED), "splitting"),
        (HALF, "running"),
        (replace(HALF, chunks_done=9, chunks_failed=1), "merging"),
        (replace(HALF, status=workflow.FAILED), "failed"),
        (replace(HALF, status="TIMED_OUT"), "timed_out"),
    ],
)
def test_phase_says_what_the_job_does(status: JobStatus, phase: str) -> None:
    assert Progress(status).phase == phase


def test_tenths_count_failed_chunks_too() -> None:
    done = [Progress(replace(HALF, chunks=30, chunks_done=n, chunks_failed=1)) for n in range(30)]
    assert [progress.tenth for progress in done] == [(n + 1) // 3 for n in range(30)]
    assert Progress(JobStatus(WAITING)).tenth == 0


def test_chunks_by_state_add_up() -> None:
    progress = Progress(replace(HALF, chunks_failed=1), chunks_running=3)
    assert progress.chunks_by_state == {"done": 5, "failed": 1, "running": 3, "waiting": 1}
    # Two readings that do not quite agree must not make more chunks than there are.
    progress = replace(progress, chunks_running=9)
    assert progress.chunks_by_state == {"done": 5, "failed": 1, "running": 4, "waiting": 0}
    assert Progress(HALF).chunks_by_state == {"done": 5, "failed": 0, "waiting": 5}


@pytest.mark.parametrize(
    ("status", "said"),
    [(workflow.FAILED, "1 failed"), (workflow.ABORTED, "1 failed or stopped")],
)
def test_chunks_that_were_stopped_are_not_said_to_have_failed(status: str, said: str) -> None:
    ended = replace(HALF, status=status, chunks_failed=1)
    assert f"{said}, 4 not done" in str(Progress(ended))
    assert f"({said})" in str(ended)


def test_bar_says_to_screen_readers_how_many_chunks_have_ended() -> None:
    assert 'aria-valuenow="5"' in Progress(HALF)._repr_html_()


# -------------------------------------------------------------------------------- tally


def chunk_attributes(number: int, status: str, **changed: Any) -> dict[str, Any]:
    entry = {"entry": items.chunk_entry(number), "status": status, "attempt": 1, "rows": 100}
    return entry | ({"rejected": 3} if status == workflow.SUCCEEDED else {}) | changed


def chunk(number: int, status: str, **changed: Any) -> ChunkEntry:
    return ChunkEntry(chunk_attributes(number, status, **changed))


def test_tally_counts_each_chunk_once_however_often_it_is_read() -> None:
    tally = ChunkTally(1)
    for _ in range(3):
        tally.take(
            [
                chunk(1, workflow.SUCCEEDED),
                chunk(2, workflow.FAILED),
                chunk(4, workflow.RUNNING),
            ]
        )
    assert (tally.done, tally.failed, tally.rows_done, tally.rows_rejected) == (1, 1, 100, 3)
    assert (tally.open, tally.running, tally.highest) == ({3, 4}, {4}, 4)


@given(st.lists(st.sampled_from("wrsf"), min_size=1, max_size=30), st.randoms())
def test_tally_ends_the_same_in_whatever_order_chunks_end(states: list[str], random: Any) -> None:
    names = {"r": workflow.RUNNING, "s": workflow.SUCCEEDED, "f": workflow.FAILED}
    tally = ChunkTally(1)
    order = [(n, state) for n, state in enumerate(states, 1) if state != "w"]
    random.shuffle(order)
    for number, state in order:
        tally.take([chunk(number, workflow.RUNNING)])
        tally.take([chunk(number, names[state])])
    assert (tally.done, tally.failed) == (states.count("s"), states.count("f"))
    assert len(tally.running) == states.count("r")
    ended = {n for n, state in order if state in "sf"}
    assert tally.open == set(range(1, tally.highest + 1)) - ended


def test_tally_of_a_rerun_counts_reused_chunks_and_waits_for_the_others() -> None:
    tally = ChunkTally(2, frozenset({2, 3}))
    first = [
        chunk(1, workflow.SUCCEEDED),
        chunk(2, workflow.FAILED),
        chunk(3, workflow.SUCCEEDED),
        chunk(4, workflow.SUCCEEDED),
    ]
    tally.take(first)
    assert (tally.done, tally.failed, tally.open, tally.running) == (2, 0, {2, 3}, set())
    tally.take([chunk(2, workflow.RUNNING, attempt=2), chunk(3, workflow.SUCCEEDED, attempt=2)])
    assert (tally.done, tally.failed, tally.open, tally.running) == (3, 0, {2}, {2})


def test_chunk_that_a_rerun_has_yet_to_begin_has_not_failed() -> None:
    tally = ChunkTally(2, frozenset({2, 3}))
    tally.take([chunk(1, workflow.SUCCEEDED), *(chunk(n, "PENDING", attempt=2) for n in (2, 3))])
    assert (tally.done, tally.failed, tally.open, tally.running) == (1, 0, {2, 3}, set())
    tally.take([chunk(2, workflow.SUCCEEDED, attempt=2), chunk(3, workflow.FAILED, attempt=2)])
    assert (tally.done, tally.failed, tally.failures, tally.open) == (2, 1, {3}, set())


# ------------------------------------------------------------------------------- reader


@pytest.fixture
def job(account: support.Account) -> JobRef:
    """Return the job in a stack on the mocked account."""
    outputs = {
        "JobTableName": support.JOB_TABLE,
        "SourceBucketName": support.BUCKET,
        "MainOrchestratorArn": support.MACHINE_ARN,
    }
    clients = {"dynamodb": account.dynamodb, "s3": account.s3, "stepfunctions": account.states}
    return JobRef(support.stack_ref(outputs=outputs, **clients), JOB)


@pytest.fixture
def requests(account: support.Account) -> Counter[str]:
    """Count the requests made from now on, and the items that they brought, by operation."""
    found: Counter[str] = Counter()

    def count(model: Any, parsed: Any, **_: Any) -> None:
        found[model.name] += 1
        found[f"{model.name} items"] += len(parsed.get("Items", []))
        for read in parsed.get("Responses", {}).values():
            found[f"{model.name} items"] += len(read)

    for client in (account.dynamodb, account.states, account.s3):
        client.meta.events.register("after-call", count)
    return found


def put_job(account: support.Account, **values: Any) -> None:
    known: dict[str, Any] = {"status": workflow.RUNNING, "attempt": 1, "rowsIn": 1000, "chunks": 10}
    known["startTime"] = items.utc_now()
    account.put_entry(JOB, items.JOB_ENTRY, **known | values)


def put_chunk(account: support.Account, number: int, status: str, **values: Any) -> None:
    found = chunk_attributes(number, status, **values)
    account.put_entry(JOB, found.pop("entry"), **found)


def put_chunks(account: support.Account, numbers: Iterable[int], status: str) -> None:
    found = (items.attributes({"jobId": JOB, **chunk_attributes(n, status)}) for n in numbers)
    requests = [{"PutRequest": {"Item": item}} for item in found]
    aws.batch_write(account.dynamodb, support.JOB_TABLE, requests)


def put_list_of_chunks(account: support.Account, number: int) -> None:
    """Store the list of the one chunk that attempt 2 runs."""
    chunk = support.manifest_entry(JOB, number, number + 1, number + 1, 1)
    listed = [{**chunk, "versionId": "v1"}]
    account.put(keys.resume_manifest(JOB, 2), json.dumps(listed).encode())


def test_job_that_the_ledger_does_not_know_yet_is_waiting(job: JobRef, requests: Any) -> None:
    assert StatusReader(job).read() == JobStatus(WAITING)
    assert requests["GetItem"] == sum(n for name, n in requests.items() if " " not in name) == 1


def test_attempt_whose_execution_never_started_has_failed(
    account: support.Account, job: JobRef, requests: Counter[str]
) -> None:
    put_job(account, status=workflow.SUBMITTED, startTime="2026-01-01T00:00:00.000Z")
    status = StatusReader(job).read()
    assert status.status == workflow.FAILED
    assert "never started" in status.reason


def test_no_chunk_is_read_before_the_split(
    account: support.Account, job: JobRef, requests: Counter[str]
) -> None:
    account.put_entry(
        JOB, items.JOB_ENTRY, status=workflow.SUBMITTED, attempt=1, startTime=items.utc_now()
    )
    assert StatusReader(job).read() == JobStatus(workflow.SUBMITTED)
    assert requests["Query"] == requests["BatchGetItem"] == 0


def test_running_job_is_counted_from_its_chunks(account: support.Account, job: JobRef) -> None:
    put_job(account)
    put_chunk(account, 1, workflow.SUCCEEDED)
    put_chunk(account, 2, workflow.FAILED)
    put_chunk(account, 3, workflow.RUNNING)
    reader = StatusReader(job)
    assert reader.read() == JobStatus(
        workflow.RUNNING,
        rows=1000,
        rows_done=100,
        rows_rejected=3,
        chunks=10,
        chunks_done=1,
        chunks_failed=1,
    )
    assert reader.running == 1


def test_job_that_succeeded_is_told_by_its_entry_alone(
    account: support.Account, job: JobRef, requests: Counter[str]
) -> None:
    put_job(account, status=workflow.SUCCEEDED, rowsRejected=30, mailStatus="SENT")
    requests.clear()
    assert StatusReader(job).read() == JobStatus(
        workflow.SUCCEEDED,
        rows=1000,
        rows_done=1000,
        rows_rejected=30,
        chunks=10,
        chunks_done=10,
        mail="SENT",
    )
    assert requests["GetItem"] == sum(n for name, n in requests.items() if " " not in name)


def test_job_that_failed_says_why(account: support.Account, job: JobRef) -> None:
    cause = json.dumps({"errorType": "NoHeaderError", "errorMessage": "no header"})
    account.put_entry(
        JOB, items.JOB_ENTRY, status=workflow.FAILED, attempt=1, error="E", cause=cause
    )
    status = StatusReader(job).read()
    assert (status.status, status.reason) == (workflow.FAILED, "NoHeaderError: no header")


def test_chunk_that_has_ended_is_read_no_more(
    account: support.Account, job: JobRef, requests: Counter[str]
) -> None:
    put_job(account, chunks=300)
    put_chunks(account, (1, 2), workflow.RUNNING)
    put_chunks(account, range(3, 201), workflow.SUCCEEDED)
    reader = StatusReader(job)
    assert reader.read().chunks_done == 198
    requests.clear()
    put_chunk(account, 1, workflow.SUCCEEDED)
    put_chunk(account, 201, workflow.RUNNING)
    assert reader.read().chunks_done == 199
    assert requests["Query items"] == 1
    assert requests["BatchGetItem items"] == 2
    assert (requests["Query"], requests["BatchGetItem"], requests["GetItem"]) == (1, 1, 1)


def test_more_chunks_in_progress_than_a_batch_holds_are_read_by_one_query(
    account: support.Account, job: JobRef, requests: Counter[str]
) -> None:
    put_job(account, chunks=300)
    put_chunks(account, range(1, 21), workflow.SUCCEEDED)
    put_chunks(account, range(21, 151), workflow.RUNNING)
    reader = StatusReader(job)
    reader.read()
    assert reader.running == 130
    requests.clear()
    put_chunks(account, range(1, 151), workflow.SUCCEEDED)
    requests.clear()
    assert reader.read().chunks_done == 150
    assert reader.running == 0
    assert (requests["Query"], requests["Query items"], requests["BatchGetItem"]) == (1, 130, 0)


def test_step_functions_is_asked_now_and_then_only(
    account: support.Account, job: JobRef, requests: Counter[str]
) -> None:
    put_job(account)
    clock = Clock()
    reader = StatusReader(job, clock=clock)
    for _ in range(100):
        reader.read()
        clock.now += EXECUTION_EVERY_S / 10
    assert requests["DescribeExecution"] == 10


def test_execution_that_was_stopped_is_told_though_the_ledger_says_running(
    account: support.Account, job: JobRef
) -> None:
    put_job(account)
    arn = account.states.start_execution(stateMachineArn=support.MACHINE_ARN, name=JOB)
    account.states.stop_execution(executionArn=arn["executionArn"])
    assert StatusReader(job).read().status == "ABORTED"


def test_rerun_waits_for_the_chunks_of_its_manifest(account: support.Account, job: JobRef) -> None:
    put_job(account, attempt=2, chunks=3)
    put_list_of_chunks(account, 2)
    put_chunk(account, 1, workflow.SUCCEEDED)
    put_chunk(account, 2, workflow.FAILED)
    put_chunk(account, 3, workflow.SUCCEEDED)
    reader = StatusReader(job)
    status = reader.read()
    assert (status.chunks_done, status.chunks_failed) == (2, 0)
    put_chunk(account, 2, workflow.SUCCEEDED, attempt=2)
    assert reader.read().chunks_done == 3


def test_rerun_that_is_being_prepared_has_no_failed_chunks(
    account: support.Account, job: JobRef
) -> None:
    """Its list of chunks comes when they are marked; what is seen before then is not kept."""
    put_job(account, status="RUNNING", rowsIn=4, chunks=2, attempt=2)
    put_chunk(account, 1, "SUCCEEDED", rows=2, rejected=0)
    put_chunk(account, 2, "FAILED")  # not marked yet
    reader = StatusReader(job, clock=lambda: 0)
    assert reader.read().chunks_failed == 0
    account.put_entry(JOB, items.chunk_entry(2), status="PENDING", rows=2, attempt=2)
    put_list_of_chunks(account, 2)
    status = reader.read()
    assert (status.chunks_done, status.chunks_failed) == (1, 0)
    put_chunk(account, 2, "SUCCEEDED", rows=2, rejected=1, attempt=2)
    status = reader.read()
    assert (status.chunks_done, status.rows_done, status.rows_rejected) == (2, 4, 1)


def test_rerun_whose_list_of_chunks_has_expired_is_told_from_their_entries(
    account: support.Account, job: JobRef
) -> None:
    put_job(account, status="FAILED", rowsIn=4, chunks=2, attempt=2)
    put_chunk(account, 1, "SUCCEEDED", rows=2, rejected=0)
    put_chunk(account, 2, "FAILED", attempt=2)
    status = StatusReader(job).read()
    assert (status.chunks_done, status.chunks_failed) == (1, 1)


def test_reader_notices_that_a_job_was_rerun(account: support.Account, job: JobRef) -> None:
    put_job(account, chunks=1, status=workflow.FAILED, error="E", cause="c")
    put_chunk(account, 1, workflow.FAILED)
    reader = StatusReader(job)
    assert reader.read().chunks_failed == 1
    put_job(account, attempt=2, chunks=1)
    put_list_of_chunks(account, 1)
    assert reader.read().chunks_failed == 0


# -------------------------------------------------------------------------------- watch


def lines_of(show: Callable[[Console], object], **options: Any) -> list[str]:
    file = io.StringIO()
    show(Console(file=file, width=100, **options))
    return [line.strip() for line in file.getvalue().splitlines()]


def test_without_a_terminal_there_is_a_line_per_phase_and_per_tenth() -> None:
    def show(console: Console) -> None:
        view = LineView(console)
        view.show(Progress(JobStatus(WAITING)))
        for done in range(101):
            view.show(Progress(replace(HALF, chunks=100, chunks_done=done)))
        view.close()

    lines = lines_of(show)
    starts = [line.split(" chunks")[0].split() for line in lines]
    assert starts[0] == ["waiting", "0/0"]
    assert starts[1:] == [
        *(["running", f"{done}/100"] for done in range(0, 100, 10)),
        ["merging", "100/100"],
    ]


def test_line_holds_every_number() -> None:
    progress = Progress(
        replace(HALF, chunks_failed=1), 80, chunks_running=2, rows_per_s=1234.4, eta_s=7500
    )
    assert str(progress) == (
        "running   6/10 chunks, 500/1,000 rows, 12 rejected, 1,234 rows/s, 2 h 05 min left, "
        "after 1 min 20 s; chunks: 5 done, 1 failed, 2 running, 2 waiting"
    )


def test_terminal_shows_the_last_state_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    def show(console: Console) -> None:
        view = TerminalView(console)
        view.show(Progress(replace(HALF, chunks_done=4), job_id="[red]job"))
        view.show(Progress(replace(HALF, status=workflow.FAILED, reason="it [b]broke[/b]")))
        view.close("seen")

    shown = "\n".join(lines_of(show, force_terminal=True, color_system=None))
    assert "[red]job" in shown
    assert "it [b]broke[/b]" in shown
    assert shown.endswith("seen")


def test_view_is_lines_or_a_live_display_as_the_console_is() -> None:
    assert isinstance(pick_view(Console(file=io.StringIO())), LineView)
    assert isinstance(pick_view(Console(file=io.StringIO(), force_terminal=True)), TerminalView)


def test_statuses_of_a_wait_can_be_shown_too() -> None:
    def show(console: Console) -> None:
        with JobProgress(console) as progress:
            progress(HALF)

    assert lines_of(show)[0].startswith("running   5/10 chunks, 500/1,000 rows, 12 rejected")


def test_watch_shows_the_job_until_it_has_ended(account: support.Account, job: JobRef) -> None:
    def go_on(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            put_chunk(account, 1, workflow.SUCCEEDED)
        if len(naps) == 4:
            put_job(account, status=workflow.SUCCEEDED, chunks=1, rowsRejected=3)

    naps: list[float] = []
    put_job(account, chunks=1)
    shown = []
    lines = lines_of(lambda console: shown.append(watch(job, console=console, sleep=go_on)))
    assert shown[0].status == workflow.SUCCEEDED
    assert naps == [2.0] * 4
    assert [line.split()[0] for line in lines] == ["running", "merging", "succeeded"]


def test_interrupt_stops_the_watching_and_leaves_the_job_alone(
    account: support.Account, job: JobRef, requests: Counter[str]
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    put_job(account)
    requests.clear()
    shown = []
    lines = lines_of(lambda console: shown.append(watch(job, console=console, sleep=interrupt)))
    assert shown[0].status == workflow.RUNNING
    assert lines[-1] == "no longer watched; the job goes on: watch() shows it again"
    made = {name for name in requests if " " not in name}
    assert made == {"GetItem", "Query", "DescribeExecution"}


class Hours:
    """A clock that stands still but for the naps, and a job that ends by it."""

    def __init__(self, account: support.Account, *, ends_after_s: float) -> None:
        self.now = 0.0
        self._account, self._ends_after_s = account, ends_after_s
        put_job(account, chunks=1)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self._ends_after_s:
            put_chunk(self._account, 1, workflow.SUCCEEDED)
            put_job(self._account, status=workflow.SUCCEEDED, chunks=1, rowsRejected=3)


def test_job_of_hours_is_watched_for_the_time_given_and_then_again(
    account: support.Account, job: JobRef
) -> None:
    hours = Hours(account, ends_after_s=2.5 * 3600)
    found = []

    def watch_once(console: Console) -> None:
        options: Any = {"clock": hours.clock, "sleep": hours.sleep, "refresh_s": 300}
        found.append((watch(job, timeout_s=3600, console=console, **options).status, hours.now))

    notes = [lines_of(watch_once)[-1] for _ in range(3)]
    assert found == [("RUNNING", 3600), ("RUNNING", 7200), ("SUCCEEDED", 9000)]
    assert notes[:2] == ["no longer watched after 3600 s; the job goes on"] * 2
    assert notes[2].startswith("succeeded")


def test_job_that_the_ledger_does_not_know_is_watched_until_its_event_should_have_come(
    job: JobRef,
) -> None:
    naps: list[float] = []
    options: Any = {"clock": lambda: sum(naps), "sleep": naps.append}
    shown = Console(file=io.StringIO())
    with pytest.raises(JobNotFoundError, match="submitted just now"):
        watch(job, refresh_s=100, console=shown, **options)
    assert naps == [100, 100, 100]


def test_watch_without_time_reads_once(account: support.Account, job: JobRef) -> None:
    hours = Hours(account, ends_after_s=1)
    options: Any = {"clock": hours.clock, "sleep": hours.sleep}
    lines = lines_of(lambda console: watch(job, timeout_s=0, console=console, **options))
    assert lines[-1] == "no longer watched after 0 s; the job goes on"
    assert hours.now == 0


def test_link_is_signed_anew_with_the_credentials_of_now(account: support.Account) -> None:
    """Whoever watches for hours asks for the link with credentials that were renewed since."""
    issued: list[str] = []

    def renew() -> dict[str, str]:
        issued.append(f"AKIA{len(issued)}")
        age_s = -60 if len(issued) == 1 else 3600  # the first have run out when they are used
        expiry = (datetime.now(UTC) + timedelta(seconds=age_s)).isoformat()
        return {
            "access_key": issued[-1],
            "secret_key": "secret",
            "token": "token",
            "expiry_time": expiry,
        }

    session = botocore.session.Session()
    session._credentials = RefreshableCredentials.create_from_metadata(
        renew(), refresh_using=renew, method="assume-role"
    )
    s3 = boto3.Session(botocore_session=session, region_name=support.REGION).client("s3")
    account.put("jobs/j/completed/a.csv", b"a")
    put_job(account, status=workflow.SUCCEEDED, completedKey="jobs/j/completed/a.csv")
    outputs = {"SourceBucketName": support.BUCKET, "JobTableName": support.JOB_TABLE}
    stack = support.stack_ref(outputs=outputs, s3=s3, dynamodb=account.dynamodb)
    link = Job(stack, JOB).link()
    assert issued == ["AKIA0", "AKIA1"]
    assert "AKIA1" in link
    assert "AKIA0" not in link


def test_watch_refuses_to_ask_without_a_pause(job: JobRef) -> None:
    with pytest.raises(InputError, match="refresh_s=0: give seconds above 0"):
        watch(job, refresh_s=0)


def test_notebook_has_one_output_that_is_updated_in_place() -> None:
    code = """
from batchops.inspection.status import JobStatus
from batchops.inspection.progress import Progress
from batchops.inspection.front_ends import NotebookView, pick_view
view = pick_view()
assert isinstance(view, NotebookView)
for done in range(4):
    view.show(Progress(JobStatus("RUNNING", rows=9, chunks=3, chunks_done=done), job_id="job"))
view.close("no <more>")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = [output for output in notebook.cells[0].outputs if output.output_type != "stream"]
    (output,) = outputs
    assert output.data["text/plain"].startswith("merging   3/3 chunks")
    assert "no &lt;more&gt;" in output.data["text/html"]
