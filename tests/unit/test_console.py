"""The console: what it shows, what its buttons do, and that it stays small and leaves nothing."""

from __future__ import annotations

import gc
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
import support
from batchcore import items, keys, workflow

import batchops as bo
from batchops.core.version import __version__
from batchops.inspection.status import JobStatus
from batchops.widgets.actions import REJECTED, ActionResult
from batchops.widgets.background import THREAD_PREFIX
from batchops.widgets.confirmation import Proposal
from batchops.widgets.console import Console
from batchops.widgets.errors_panel import parse_range
from batchops.widgets.file_picker import FilePicker, PickedFile
from batchops.widgets.grid import Grid
from batchops.widgets.job_list import PAGE_JOBS
from batchops.widgets.possible import reasons_against

TIMEOUT_S = 60.0
OUTPUTS = {
    "Version": __version__,
    "JobTableName": support.JOB_TABLE,
    **support.ERROR_TABLES,
    "SourceBucketName": support.BUCKET,
    "MainOrchestratorArn": support.MACHINE_ARN,
    "ProcessChunkArn": f"{support.MACHINE_ARN}-chunk",
}
FOCUSABLE = (
    ipywidgets.Button,
    ipywidgets.Checkbox,
    ipywidgets.Combobox,
    ipywidgets.Dropdown,
    ipywidgets.FileUpload,
    FilePicker,
    ipywidgets.Select,
    ipywidgets.Text,
    ipywidgets.ToggleButtons,
)


def deploy(name: str = "orders") -> None:
    """Make a stack that has our outputs, and one that has not."""
    cfn = support.SESSION.client("cloudformation")
    outputs = {key: {"Value": value} for key, value in OUTPUTS.items()}
    for stack, found in ((name, outputs), ("somebody-elses", {"Url": {"Value": "x"}})):
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{stack}-unused"}}
        template = {"Resources": {"Unused": bucket}, "Outputs": found}
        cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template))


def put_jobs(account: support.Account, count: int, **changed: Any) -> list[str]:
    """Enter jobs, each a minute after the one before, and return their ids."""
    ids = [f"orders-{n:012x}" for n in range(count)]
    requests = []
    for n, job_id in enumerate(ids):
        start = f"2026-11-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00.000Z"
        entry = {
            "jobId": job_id,
            "entry": items.JOB_ENTRY,
            "listed": items.LISTED,
            "status": workflow.SUCCEEDED,
            "startTime": start,
            "endTime": start,
            "key": f"{keys.INPUT_PREFIX}orders-{n}.csv",
            "attempt": 1,
            "rowsIn": 10,
            "rowsOut": 9,
            "rowsRejected": 1,
            "chunks": 2,
            "errors": 1,
            "completedKey": keys.completed(job_id, f"orders-{n}.csv"),
        } | changed
        requests.append({"PutRequest": {"Item": items.attributes(entry)}})
    for at in range(0, count, 25):
        request = {support.JOB_TABLE: requests[at : at + 25]}
        account.dynamodb.batch_write_item(RequestItems=request)
    return ids


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(THREAD_PREFIX)]


@pytest.fixture
def opened(account: support.Account) -> Iterator[Callable[..., Console]]:
    """Give a function that opens a console on the mocked account; all are closed in the end."""
    consoles: list[Console] = []

    def open_console(name: str = "orders", **options: Any) -> Console:
        consoles.append(bo.console(name, target="aws", region=support.REGION, **options))
        settle(consoles[-1])
        return consoles[-1]

    yield open_console
    for console in consoles:
        console.close()
    for thread in threads():
        thread.join(TIMEOUT_S)
    assert threads() == []


def settle(console: Console) -> None:
    """Wait until the console has done what it was told to."""
    assert console.settle(TIMEOUT_S)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    tick = threading.Event()
    for _ in range(int(TIMEOUT_S / 0.01)):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("it did not come")


def walk(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


# ------------------------------------------------------------------------------ opening


def test_without_a_stack_the_console_says_what_to_do(opened: Callable[..., Console]) -> None:
    console = opened("nothing")
    assert "no stack 'nothing' in us-east-1: deploy it first" in str(console)
    assert "no stack &#x27;nothing&#x27;" in console.messages.root.value
    assert str(console) == console._repr_mimebundle_()["text/plain"]


def test_without_jobs_the_console_says_so_and_offers_an_upload(
    opened: Callable[..., Console],
) -> None:
    deploy()
    console = opened()
    assert console.messages.text == ""
    assert console.jobs.note.value == "no jobs"
    assert console.job is None
    assert all(button.disabled for button in console.actions.buttons)
    assert not console.upload.file.disabled
    assert console.stacks.name.options == ("orders",)


def test_the_job_under_way_is_picked_before_later_ones(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    ids = put_jobs(account, 3)
    account.put_entry(ids[1], items.JOB_ENTRY, status=workflow.RUNNING)
    console = opened()
    assert console.job is not None
    assert console.job.id == ids[1]
    assert console.jobs.jobs.picked == (ids[1],)
    # Again, as after a restart of the kernel: the same job.
    assert opened().job.id == ids[1]
    assert console.closed


def test_a_job_can_be_named(opened: Callable[..., Console], account: support.Account) -> None:
    deploy()
    ids = put_jobs(account, 3)
    console = opened(job=ids[0])
    assert console.job is not None
    assert console.job.id == ids[0]
    wait_for(lambda: console.progress.last is not None)
    assert "succeeded" in console.progress.root.value
    assert "2 chunks: 2 done" in console.grid.root.value


def test_picking_another_stack_drops_what_was_shown(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    put_jobs(account, 1)
    console = opened()
    console.stacks.name.value = "gone"
    settle(console)
    assert console.job is None
    assert console.jobs.jobs.keys == ()
    assert "no stack 'gone'" in console.messages.text
    console.stacks.name.value = "not a name"
    settle(console)
    assert "'not a name' cannot be a stack's name" in console.messages.text
    assert console.upload.file.disabled
    console.stacks.name.value = "orders"
    settle(console)
    assert console.job is not None
    assert console.messages.text == ""


# --------------------------------------------------------------------------------- jobs


def test_many_jobs_come_a_page_at_a_time(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    ids = put_jobs(account, 250)[::-1]
    console = opened()
    read: Counter[str] = Counter()

    def count(parsed: Any, **_: Any) -> None:
        read["calls"] += 1
        read["items"] += parsed["ScannedCount"]

    # The end of the job that it followed has it list the jobs again.
    wait_for(lambda: not any("follower" in thread.name for thread in threads()))
    settle(console)
    assert console.stack is not None
    events = console.stack.client("dynamodb").meta.events
    events.register("after-call.dynamodb.Query", count)
    console.jobs.load(current=ids[0])
    settle(console)
    assert list(console.jobs.jobs.keys) == ids[:PAGE_JOBS]
    assert read == {"calls": 1, "items": PAGE_JOBS + 1}
    assert console.jobs.newer.disabled
    console.jobs.older.click()
    settle(console)
    assert list(console.jobs.jobs.keys) == ids[PAGE_JOBS : 2 * PAGE_JOBS]
    assert console.jobs.note.value == "jobs 101 to 200"
    assert console.jobs.jobs.picked == ()  # turning the page picks nothing
    assert console.job is not None
    assert console.job.id == ids[0]

    console.jobs.name.value = "orders-24"
    settle(console)
    assert len(console.jobs.jobs.keys) == 11
    console.jobs.status.value = workflow.FAILED
    settle(console)
    assert console.jobs.note.value == "no jobs"


def test_picking_a_job_shows_it_and_drops_what_was_proposed(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    ids = put_jobs(account, 2)
    account.put(keys.completed(ids[1], "orders-1.csv"), b"a\n")
    console = opened()
    console.actions.link.click()
    settle(console)
    assert console.actions.confirmation.open
    console.jobs.jobs.pick(ids[0])
    settle(console)
    assert not console.actions.confirmation.open
    assert console.job is not None
    assert console.job.id == ids[0]


def test_names_that_look_like_html_are_shown_as_text(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    name = "<img src=x onerror=alert(1)>.csv"
    failed = {"status": workflow.FAILED, "error": "<script>", "cause": "<script>alert(1)</script>"}
    put_jobs(account, 1, key=f"input/{name}", **failed)
    account.put_error(
        "orders-000000000000",
        "0000000002#<b>#enum",
        sourceRow=2,
        column="<b>",
        rule="enum",
        value="<script>",
        message="<i>no</i>",
        limit="",
        stage="validate",
        uuid="",
        raw="",
        chunk=1,
        attempt=1,
        time=support.START_TIME,
    )
    console = opened()
    console.jobs.name.value = name  # stays as it is typed
    settle(console)
    wait_for(lambda: console.progress.last is not None)
    texts = [w.value for w in walk(console.root) if isinstance(w, ipywidgets.HTML)]
    assert "&lt;script&gt;" in "".join(texts)
    assert console.errors.grid.table.df["Message"].tolist() == ["<i>no</i>"]
    for tag in ("<script", "<img", "<i>"):
        assert tag not in "".join(texts)


def test_a_chunk_that_is_picked_shows_what_belongs_to_it(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1, status=workflow.FAILED)
    done = {"status": workflow.SUCCEEDED, "rows": 5, "valid": 4, "rejected": 1, "attempt": 1}
    broken = {"error": "SchemaError", "cause": "<i>broken</i>", "failedStep": "Validate Data"}
    account.put_entry(job_id, items.chunk_entry(1), startTime=support.START_TIME, **done)
    account.put_entry(
        *(job_id, items.chunk_entry(2)),
        **{"startTime": support.START_TIME, "status": workflow.FAILED, "attempt": 1, **broken},
    )
    console = opened()
    console.view.value = "Chunks"
    settle(console)
    chunks = console.chunks
    assert chunks.grid.keys == ("1", "2")
    assert chunks.note.value == "2 chunks"
    assert "Pick a chunk" in chunks.detail.value
    chunks.grid.pick("1")
    settle(console)
    assert "5 rows = 4 out + 1 rejected" in chunks.detail.value
    chunks.grid.pick("2")
    settle(console)
    assert "failed in Validate Data: SchemaError" in chunks.detail.value
    assert "<i>" not in chunks.detail.value
    # What is picked stays, as long as it is among those that are shown.
    chunks.numbers.value = "2-"
    settle(console)
    assert chunks.grid.keys == ("2",)
    assert "chunk 2 of job" in chunks.detail.value
    chunks.numbers.value = "1"
    settle(console)
    assert "Pick a chunk" in chunks.detail.value
    chunks.numbers.value = "two"
    settle(console)
    assert "chunks are 'two'" in console.messages.text
    assert (chunks.grid.keys, chunks.detail.value) == ((), "")
    # What was wrong with a view that is left is wrong no more.
    console.view.value = "Upload"
    settle(console)
    assert console.messages.text == ""


def test_each_grid_keeps_order_and_searches_under_a_name_of_its_own() -> None:
    names = ("jobs", "chunks", "errors")
    for place in ("stateSaveCallback", "stateLoadCallback"):
        for name in names:
            kept = Grid(name, height="9em", on_pick=print).table._dt_args[place]
            assert f"'batchops-{name}'" in kept


# ------------------------------------------------------------------------------ actions


def test_a_link_is_made_only_after_it_was_agreed_to(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    account.put(keys.completed(job_id, "orders-0.csv"), b"a,b\n1,2\n")
    console = opened()
    console.actions.link.click()
    settle(console)
    assert "orders-0.csv: 8 bytes" in console.actions.confirmation.text.value
    assert console.messages.text == ""
    console.actions.confirmation.cancel.click()
    settle(console)
    assert not console.actions.confirmation.open
    assert console.messages.text == ""

    console.actions.link.click()
    settle(console)
    console.actions.confirmation.confirm.click()
    console.actions.confirmation.confirm.click()  # once more does nothing
    settle(console)
    assert console.messages.text == "a link to orders-0.csv is made:"
    assert f"https://{support.BUCKET}.s3" in console.messages.root.value
    assert "X-Amz-Signature" in console.messages.root.value


def test_a_download_says_first_where_the_file_goes_and_what_it_replaces(
    opened: Callable[..., Console], account: support.Account, tmp_path: Path
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    account.put(keys.completed(job_id, "orders-0.csv"), b"a,b\n1,2\n")
    console = opened(root=tmp_path)
    console.actions.folder.value = str(tmp_path / "none")
    console.actions.download.click()
    settle(console)
    assert "none: make it first" in console.messages.text

    console.actions.folder.value = str(tmp_path)
    console.actions.download.click()
    settle(console)
    assert "a new file" in console.actions.confirmation.text.value
    assert list(tmp_path.iterdir()) == []
    console.actions.confirmation.confirm.click()
    settle(console)
    assert (tmp_path / "orders-0.csv").read_bytes() == b"a,b\n1,2\n"
    assert console.messages.text == f"stored as {tmp_path / 'orders-0.csv'}: 8 bytes"

    console.actions.download.click()
    settle(console)
    assert "replaces the file that is there" in console.actions.confirmation.text.value

    account.put(keys.rejected(job_id, "orders-0.csv"), b"bad\n")
    rejected_key = keys.rejected(job_id, "orders-0.csv")
    account.put_entry(job_id, items.JOB_ENTRY, rejectedKey=rejected_key)
    console.actions.file.value = REJECTED
    console.actions.download.click()
    settle(console)
    console.actions.confirmation.confirm.click()
    settle(console)
    assert (tmp_path / "orders-0-rejected.csv").read_bytes() == b"bad\n"


def test_each_form_of_a_result_says_what_a_spreadsheet_makes_of_it(
    opened: Callable[..., Console], account: support.Account, tmp_path: Path
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    account.put(keys.completed(job_id, "orders-0.csv"), b"a,b\n=1+1,007\n")
    account.put_entry(job_id, items.JOB_ENTRY, delimiter=",")
    console = opened(root=tmp_path)
    for name, note in {
        "completed file": "runs those that begin with = + - @ as formulas",
        "completed file, for spreadsheets": "an apostrophe stands in front of each value",
    }.items():
        console.actions.file.label = name
        console.actions.download.click()
        settle(console)
        assert note in console.actions.confirmation.text.value
        console.actions.confirmation.confirm.click()
        settle(console)
    stored = (tmp_path / "orders-0.csv").read_bytes()
    assert stored == b"\xef\xbb\xbfa,b\r\n'=1+1,'007\r\n"
    console.actions.link.click()
    settle(console)
    assert "as they came" in console.actions.confirmation.text.value
    assert "rejected rows, workbook" in console.actions.file._options_labels


def test_what_has_to_be_accepted_is_proposed_anew_with_each_tick(
    opened: Callable[..., Console],
) -> None:
    deploy()
    console = opened()
    part = console.actions.confirmation
    done: list[frozenset[str]] = []

    def propose(accepted: frozenset[str] = frozenset()) -> Proposal:
        kinds = ("dates", "leading-zeros")
        return Proposal(
            "Repair",
            f"<p>accepted: {', '.join(sorted(accepted))}</p>",
            "Put 2 rows in" if len(accepted) == len(kinds) else "",
            lambda: done.append(accepted) or ActionResult("done"),
            "starting",
            choices={kind: (f"Accept {kind}", kind in accepted) for kind in kinds},
            again=propose,
        )

    part.propose(propose())
    assert [box.description for box in part.choices.children] == [
        "Accept dates",
        "Accept leading-zeros",
    ]
    assert part.confirm.layout.display == "none"
    part.choices.children[0].value = True
    assert not part.open  # until it is planned again, nothing can be confirmed
    part.confirm.click()
    settle(console)
    assert done == []
    assert "accepted: dates<" in part.text.value
    assert part.confirm.layout.display == "none"
    part.choices.children[1].value = True
    settle(console)
    assert [box.value for box in part.choices.children] == [True, True]
    part.confirm.click()
    settle(console)
    assert done == [frozenset(("dates", "leading-zeros"))]
    assert console.messages.text == "done"


def test_a_report_is_stored_in_the_folder_and_replaces_only_an_earlier_one(
    opened: Callable[..., Console], account: support.Account, tmp_path: Path
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    account.put_entry(job_id, items.JOB_ENTRY, sizeBytes=7, chunkRows=5, delimiter=",")
    path = tmp_path / f"{job_id}-report.html"
    console = opened(root=tmp_path)
    for said in ("a new file", "replaces the report that is there"):
        console.actions.folder.value = "."
        console.actions.report.click()
        settle(console)
        assert said in console.actions.confirmation.text.value
        console.actions.confirmation.confirm.click()
        settle(console)
        assert path.exists(), console.messages.text
        assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    path.write_text("somebody else's")
    console.actions.report.click()
    settle(console)
    assert "the console did not store it" in console.messages.text
    assert path.read_text() == "somebody else's"


def test_a_download_goes_nowhere_but_into_the_consoles_folder(
    opened: Callable[..., Console], account: support.Account, tmp_path: Path
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    account.put(keys.completed(job_id, "orders-0.csv"), b"a,b\n1,2\n")
    root = tmp_path / "root"
    root.mkdir()
    console = opened(root=root)
    for folder in (str(tmp_path), ".."):
        console.actions.folder.value = folder
        console.actions.download.click()
        settle(console)
        assert "leads out of" in console.messages.text
        assert not console.actions.confirmation.open
    # An uploader chose the name, and what Python would run.
    code = keys.completed(job_id, "sitecustomize.py")
    account.put(code, b"import os\n")
    account.put_entry(job_id, items.JOB_ENTRY, completedKey=code)
    console.actions.folder.value = "."
    console.actions.download.click()
    settle(console)
    assert "end in .csv, .tsv or .txt" in console.messages.text
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_download_replaces_no_file_of_somebody_else(
    opened: Callable[..., Console], account: support.Account, tmp_path: Path
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    account.put(keys.completed(job_id, "orders-0.csv"), b"a,b\n1,2\n")
    theirs = tmp_path / "orders-0.csv"
    console = opened(root=tmp_path)
    console.actions.download.click()
    settle(console)
    # It comes after the download was proposed, and before it is agreed to.
    theirs.write_bytes(b"precious\n")
    console.actions.confirmation.confirm.click()
    settle(console)
    assert "is there already" in console.messages.text
    console.actions.download.click()
    settle(console)
    assert "is there already" in console.messages.text
    assert not console.actions.confirmation.open
    assert theirs.read_bytes() == b"precious\n"
    assert [path.name for path in tmp_path.iterdir()] == ["orders-0.csv"]


def test_a_failed_download_leaves_nothing(
    opened: Callable[..., Console], account: support.Account, tmp_path: Path
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    account.put(keys.completed(job_id, "orders-0.csv"), b"a,b\n1,2\n")
    console = opened(root=tmp_path)
    console.actions.download.click()
    settle(console)
    account.s3.delete_object(Bucket=support.BUCKET, Key=keys.completed(job_id, "orders-0.csv"))
    console.actions.confirmation.confirm.click()
    settle(console)
    assert "fetching" in console.messages.text
    assert list(tmp_path.iterdir()) == []


def test_actions_that_make_no_sense_are_off_and_say_why(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    put_jobs(account, 1)
    console = opened()
    wait_for(lambda: console.progress.last is not None)
    settle(console)
    assert [button.disabled for button in console.actions.buttons] == [
        *(True, False, True),
        *(False, False, False),
    ]
    assert console.actions.note.value == (
        "Not now: Rerun: nothing failed; Stop: the job has ended."
    )
    console.actions.stop.click()  # as after the job has ended meanwhile
    settle(console)
    assert "has ended SUCCEEDED: there is nothing to stop" in console.messages.text
    assert not console.actions.confirmation.open
    # What works next takes the error away.
    console.actions.link.click()
    settle(console)
    assert "nothing to stop" not in console.messages.text


def test_several_jobs_are_stopped_at_once_and_the_others_left_out(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    ids = put_jobs(account, 3)
    for job_id in ids[:2]:
        account.put_entry(job_id, items.JOB_ENTRY, status=workflow.RUNNING, attempt=1)
    console = opened()
    wait_for(lambda: console.progress.last is not None)
    console.jobs.jobs.pick(*ids)
    settle(console)
    assert console.job is not None
    assert console.job.id == ids[2]  # the newest of them is shown
    assert not console.actions.stop.disabled
    assert console.actions.link.disabled
    assert "Repair, Link and Download, Report: for one job at a time" in console.actions.note.value
    console.actions.stop.click()
    settle(console)
    shown = console.actions.confirmation
    assert shown.confirm.description == "Stop 2 jobs"
    assert f"{ids[2]} is left out: job {ids[2]} has ended" in shown.text.value
    console.jobs.jobs.pick(ids[2])
    settle(console)
    assert not shown.open
    assert console.job.id == ids[2]


@pytest.mark.parametrize(
    ("statuses", "rejected", "against"),
    [
        ([], None, {"Rerun", "Repair", "Stop", "Link and Download", "Report"}),
        (["WAITING"], 0, {"Rerun", "Repair", "Link and Download", "Report"}),
        (["RUNNING"], 3, {"Rerun", "Repair", "Link and Download", "Report"}),
        (["SUCCEEDED"], 0, {"Rerun", "Repair", "Stop"}),
        (["SUCCEEDED"], 3, {"Rerun", "Stop"}),
        (["FAILED"], 0, {"Stop", "Link and Download"}),
        (["ABORTED"], None, {"Stop", "Link and Download"}),
        (["TIMED_OUT"], None, {"Stop", "Link and Download"}),
        (["FAILED", "RUNNING"], None, {"Repair", "Link and Download", "Report"}),
        (["SUCCEEDED", "RUNNING"], None, {"Rerun", "Repair", "Link and Download", "Report"}),
        (["QUEUED", "RUNNING"], None, {"Rerun", "Repair", "Link and Download", "Report"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_an_action_is_offered_where_it_makes_sense(
    statuses: list[str], rejected: int | None, against: set[str]
) -> None:
    has_result = statuses == ["SUCCEEDED"]
    found = reasons_against(statuses, rejected=rejected, has_result=has_result)
    assert set(found) == against
    assert all(found.values())


def test_result_of_a_job_that_failed_for_its_rejects_is_offered() -> None:
    assert JobStatus("FAILED", mail="SENT").has_result
    assert not JobStatus("FAILED").has_result
    assert not JobStatus("RUNNING", mail="PENDING").has_result
    assert set(reasons_against(["FAILED"], rejected=3, has_result=True)) == {"Stop"}


def test_stopping_says_first_which_chunks_are_at_work(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1, status=workflow.RUNNING)
    for number, status in enumerate((workflow.SUCCEEDED, workflow.RUNNING, workflow.RUNNING), 1):
        entry = items.chunk_entry(number)
        counts = {"rows": 5, "rejected": 0, "attempt": 1}
        account.put_entry(job_id, entry, status=status, **counts)
    console = opened()
    console.actions.stop.click()
    settle(console)
    shown = console.actions.confirmation.text.value
    assert "attempt 1 of job orders-000000000000 is RUNNING" in shown
    assert "chunks at work, that would be stopped: 2-3" in shown
    assert account.entry(job_id)["status"] == workflow.RUNNING


# -------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", (None, None)),
        ("7", (7, 7)),
        ("2-600", (2, 600)),
        (" 2 - 600 ", (2, 600)),
        ("600-", (600, None)),
        ("-600", (None, 600)),
    ],
)
def test_rows_are_read_as_people_write_them(text: str, rows: tuple[int | None, int | None]) -> None:
    assert parse_range(text, "rows") == rows


@pytest.mark.slow
def test_errors_are_filtered_and_paged(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    for row in range(2, 302):
        column = "Region" if row % 2 else "Country"
        fields = {"sourceRow": row, "column": column, "rule": "enum", "value": "x", "limit": ""}
        fields |= {"message": "no", "stage": "validate", "uuid": "1", "raw": "", "chunk": 1}
        error_id = f"{row:010}#{column}#enum"
        account.put_error(job_id, error_id, attempt=1, time=support.START_TIME, **fields)
    console = opened()
    assert len(console.errors.grid.keys) == 200
    assert console.errors.previous.disabled
    console.errors.next.click()
    settle(console)
    assert len(console.errors.grid.keys) == 100
    assert console.errors.next.disabled
    console.errors.previous.click()
    settle(console)
    assert len(console.errors.grid.keys) == 200
    assert console.errors.column.options == ("Country", "Region")
    console.errors.column.value = "Region"
    settle(console)
    assert len(console.errors.grid.keys) == 150
    console.errors.rows.value = "3-7"
    settle(console)
    assert len(console.errors.grid.keys) == 3
    console.errors.rows.value = "three"
    settle(console)
    assert "rows are 'three'" in console.messages.text
    assert console.errors.grid.root.layout.display == "none"
    console.errors.rows.value = ""
    settle(console)
    console.errors.rule.value = "enumm"  # of which neither an error nor the schema can be found
    settle(console)
    assert console.errors.grid.root.layout.display == "none"
    assert console.messages.text
    console.errors.causes.click()
    settle(console)
    assert "Region" in console.errors.table.value


# ------------------------------------------------------------------------------- uploads


def test_a_file_too_large_is_refused_in_the_browser(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    console = opened()
    console.view.value = "Upload"
    picker = console.upload.file
    assert picker.max_bytes == 1024**3
    picker._take(picker, {"kind": "refused", "name": "big<b>.csv", "size": 2 * 1024**3}, [])
    shown = console.upload.confirmation
    assert "big&lt;b&gt;.csv has 2,147,483,648 bytes" in shown.text.value
    assert shown.confirm.layout.display == "none"
    assert account.keys() == []


def picker_of(got: list[PickedFile], told: list[str], *, max_bytes: int = 100) -> FilePicker:
    """Return a picker that notes what comes."""
    texts = {"description": "Choose", "tooltip": "Choose", "accept": ""}
    return FilePicker(**texts, max_bytes=max_bytes, on_file=got.append, on_refused=told.append)


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_file_comes_in_pieces_and_goes_when_nobody_needs_it(pieces: int) -> None:
    got: list[PickedFile] = []
    told: list[str] = []
    support.hand_over(picker_of(got, told), "a.csv", b"a,b\n1,2\n", pieces=pieces)
    assert told == []
    path = got[0].path
    assert (got[0].name, path.read_bytes()) == ("a.csv", b"a,b\n1,2\n")
    assert path.stat().st_mode & 0o077 == 0
    got.clear()
    gc.collect()
    assert not path.exists()


@pytest.mark.parametrize(
    ("size", "content", "last"),
    [(3, b"abcd", True), (9, b"abcd", True), (101, b"a" * 101, True), (3, b"abcd", False)],
    ids=["longer", "shorter", "too-large", "longer-not-last"],
)
def test_a_file_that_is_not_as_announced_is_not_taken(
    size: int, content: bytes, last: bool
) -> None:
    got: list[PickedFile] = []
    told: list[str] = []
    picker = picker_of(got, told)
    picker._take(picker, {"kind": "begin", "turn": "1", "name": "a.csv", "size": size}, [])
    picker._take(picker, {"kind": "piece", "turn": "1", "last": last}, [content])
    assert got == []
    assert "pick it again" in told[0]


def test_pieces_of_a_file_that_was_given_up_go_into_no_other() -> None:
    got: list[PickedFile] = []
    told: list[str] = []
    picker = picker_of(got, told)
    picker._take(picker, {"kind": "begin", "turn": "1", "name": "a.csv", "size": 8}, [])
    picker._take(picker, {"kind": "piece", "turn": "1", "last": False}, [b"aaaa"])
    picker._take(picker, {"kind": "begin", "turn": "2", "name": "b.csv", "size": 4}, [])
    picker._take(picker, {"kind": "piece", "turn": "1", "last": True}, [b"aaaa"])
    picker._take(picker, {"kind": "piece", "turn": "2", "last": True}, [b"bbbb"])
    assert [(file.name, file.path.read_bytes()) for file in got] == [("b.csv", b"bbbb")]


@pytest.mark.parametrize("path", ["../secret.csv", "link.csv", "/etc/hostname", "key.pem"])
def test_a_path_opens_no_other_file_of_the_user(
    opened: Callable[..., Console], account: support.Account, tmp_path: Path, path: str
) -> None:
    deploy()
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.csv").write_bytes(b"secret\n")
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    (root / "key.pem").write_bytes(b"secret\n")
    console = opened(root=root)
    console.view.value = "Upload"
    console.upload.path.value = path
    console.upload.check.click()
    settle(console)
    said = console.messages.text
    assert "leads out of" in said or "is no data file" in said
    assert not console.upload.confirmation.open
    assert "secret\n" not in said


# --------------------------------------------------------------------- keyboard and end


def test_every_control_has_a_label_and_says_what_it_does(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    put_jobs(account, 1)
    console = opened()
    seen = []
    for view in console.view.options:
        console.view.value = view
        settle(console)
        for widget in walk(console.root):
            if isinstance(widget, FOCUSABLE) and widget is not console.view:
                assert widget.description, widget
                assert widget.tooltip, widget
                assert widget.tabbable is not False
                seen.append(widget)
    assert len(set(seen)) > 25
    assert len(console.view.tooltips) == len(console.view.options)


def test_closing_stops_everything(opened: Callable[..., Console], account: support.Account) -> None:
    deploy()
    put_jobs(account, 1, status=workflow.RUNNING)
    console = opened()
    wait_for(lambda: console.progress.last is not None)
    assert threads()
    console.close_button.click()
    for thread in threads():
        thread.join(TIMEOUT_S)
    assert threads() == []
    (left,) = console.root.children
    assert "The console is closed" in left.value
    console.close()
    console.refresh()
    assert threads() == []


# ------------------------------------------------------------------------------ editing


def test_values_that_are_typed_are_noted_for_the_errors_that_are_picked(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    (job_id,) = put_jobs(account, 1)
    for row, column, rule in ((2, "Region", "enum"), (3, "Region", "enum"), (4, "", "fieldCount")):
        fields = {"sourceRow": row, "column": column, "rule": rule, "value": "x", "limit": ""}
        fields |= {"message": "no", "stage": "validate", "uuid": "1", "raw": "", "chunk": 1}
        error_id = f"{row:010}#{column}#{rule}"
        account.put_error(job_id, error_id, attempt=1, time=support.START_TIME, **fields)
    console = opened()
    panel = console.errors
    assert panel.set.disabled
    assert panel.repair.disabled
    panel.grid.pick("0", "2")
    assert panel.set.disabled  # the last is an error of a whole row
    panel.grid.pick("0", "1")
    assert not panel.set.disabled
    panel.load()  # as at the job's end
    settle(console)
    assert panel.grid.picked == ("0", "1")
    assert not panel.set.disabled
    panel.value.value = "Europe"
    panel.set.click()
    assert panel.edits == {(2, "Region"): "Europe", (3, "Region"): "Europe"}
    console.refresh()  # keeps what was typed
    settle(console)
    assert "Europe" in panel.noted.value
    assert not panel.repair.disabled
    panel.repair.click()
    settle(console)
    assert not console.actions.confirmation.open  # the job has no rejects file
    assert console.messages.text
    panel.unset.click()
    assert panel.edits == {}
    assert panel.repair.disabled
    # Another job's errors do not get the value that was typed for this one's.
    panel.value.value = "Asia"
    console.pick_job(job_id)
    assert panel.value.value == ""


# ------------------------------------------------------------------------------ summary


def test_the_summary_shows_what_a_job_has_and_says_what_it_has_not(
    opened: Callable[..., Console], account: support.Account
) -> None:
    deploy()
    put_jobs(account, 1)
    console = opened()
    console.view.value = "Summary"
    settle(console)
    shown = console.summary.parts.value
    for title in ("Balance", "Workflow", "Mail", "Cost on AWS"):
        assert f"<b>{title}</b>" in shown
    assert console.messages.text == ""
