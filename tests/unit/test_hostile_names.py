"""What somebody else named or wrote is text: it marks up no page, steers no terminal, and leads
nowhere outside its folder.
"""

from __future__ import annotations

import io
import json
import pkgutil
import sys
from dataclasses import is_dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd
import pytest
from batchcore import items, keys, workflow
from batchcore.errors import SchemaError
from batchcore.runtime import logger
from batchcore.schema import RecordSchema
from batchcore.texts import visible
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support import SCHEMA, Server, always, stack_ref

import batchops
from batchops.cli import base
from batchops.cli.jobs import _jobs_table
from batchops.core.errors import InputError, PackagingError, explain_failure
from batchops.core.job_ref import JobRef
from batchops.core.ledger import JobEntry
from batchops.deployment import packaging
from batchops.deployment.change_sets import Change
from batchops.deployment.deletion import Destruction
from batchops.deployment.deploy import Deployment
from batchops.deployment.deployer import Policy
from batchops.deployment.drift import Difference, Drift, DriftedResource
from batchops.deployment.holdings import Holdings
from batchops.deployment.preview import Preview
from batchops.deployment.stack_events import StackEvent, StackEvents
from batchops.deployment.stack_status import StackStatus
from batchops.inspection import frames
from batchops.inspection.balance import Balance, ErrorCount
from batchops.inspection.checks import Check, Diagnosis
from batchops.inspection.chunk_detail import ChunkDetail
from batchops.inspection.chunk_grid import ChunkGrid
from batchops.inspection.compare import compare
from batchops.inspection.duplicates import Duplicates, KeyRow
from batchops.inspection.email import Email
from batchops.inspection.error_pages import ErrorPage
from batchops.inspection.links import Link
from batchops.inspection.log_lines import LogLine
from batchops.inspection.logs import logs_frame
from batchops.inspection.progress import Progress
from batchops.inspection.rejects_workbook import LeftOut, RejectsWorkbook
from batchops.inspection.report import JobReport
from batchops.inspection.result_files import ResultFile, download
from batchops.inspection.status import JobStatus
from batchops.inspection.why import Cause, Why
from batchops.job import Job
from batchops.planning.actual_cost import CostComparison
from batchops.planning.cost import Cost, CostLine
from batchops.planning.durations import Duration, Estimate
from batchops.planning.limits import Limit
from batchops.planning.plan import Plan
from batchops.planning.plan_outcome import PlanOutcome
from batchops.planning.scan import Refusal, RuleCount
from batchops.planning.schema_draft import Note, SchemaDraft
from batchops.planning.schema_explain import ColumnExplanation, SchemaExplanation
from batchops.planning.schema_report import HeldAgainst, Mistake, SchemaReport
from batchops.planning.upload_check import UploadCheck
from batchops.planning.what_if import WhatIf
from batchops.recovery.chunk_choice import PlannedChunk, ReusedChunk
from batchops.recovery.purge import Purge
from batchops.recovery.reconcile import Finding, Reconciliation
from batchops.recovery.redelivery import Redelivery, WaitingUpload
from batchops.recovery.repair_changes import FieldChange
from batchops.recovery.repair_plan import FAILING, RepairPlan, RowOutcome
from batchops.recovery.rerun_plan import RerunPlan
from batchops.recovery.stopping import Stopped
from batchops.show.chunk_bars import COLD, Bar, Span
from batchops.show.pictures import Picture
from batchops.show.shown import Shown
from batchops.show.timeline import Timeline
from batchops.stack import ShownOutputs
from batchops.widgets.actions import propose_download
from batchops.widgets.root_folder import RootFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# ------------------------------------------------------------------------------- pages

EVIL = '<img src=x onerror="alert(1)">\'"&'
NOW = datetime(2026, 11, 23, tzinfo=UTC)
LIMIT = Limit(EVIL, 9.0, 10.0, EVIL, EVIL)
COST = Cost((CostLine(EVIL, EVIL, 1.0, 1.0),), 1.0, 2.0, 1.0, EVIL)
EVENT = StackEvent(EVIL, NOW, EVIL, EVIL, f"{EVIL}_FAILED", EVIL, EVIL)
HOLDINGS = Holdings({EVIL: 1}, {EVIL: 1}, 1, (EVIL,))
ERRORS = pd.DataFrame(
    {"source_row": [2], "uuid": [EVIL], "column": [EVIL], "rule": [EVIL], "chunk": [1]}
)
RERUN = RerunPlan(
    EVIL, 2, EVIL, False, (PlannedChunk(1, 1, EVIL),), (ReusedChunk(2, 1, 1),), (EVIL,), EVIL
)
HELD_AGAINST = HeldAgainst(
    EVIL, 2, 1, "", (EVIL,), (RuleCount(EVIL, EVIL, EVIL, 1, 2, EVIL, EVIL),)
)


def shown_events() -> StackEvents:
    from rich.console import Console

    events = StackEvents(Console(file=io.StringIO()))
    events(EVENT)
    return events


def plan() -> Plan:
    part = (Estimate(EVIL, 1, 2),)
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
        limits=(LIMIT,),
        options=(),
        suggested_chunk_rows=1,
        cost=COST,
        duration=Duration(1, 2, part, part, EVIL),
    )


VALUES: list[Any] = [
    Balance(1, 1, 0, 0, 1, (), "SUCCEEDED", (ErrorCount("ledger", 0, 0),), EVIL),
    COST,
    CostComparison(COST, COST),
    Deployment((), {EVIL: EVIL}, 0, 0, 1.0),
    Destruction(EVIL, False, HOLDINGS),
    Diagnosis(EVIL, (Check(EVIL, False, EVIL, EVIL),)),
    ChunkGrid(EVIL, (), ()),
    ChunkDetail(
        *(EVIL, 1, EVIL, 1, 2, 3, 1, 1, 0, 1.0, EVIL, EVIL, EVIL, EVIL, EVIL, (EVIL,)),
        errors=ErrorPage(ERRORS.assign(value=EVIL, message=EVIL, stage=EVIL), 1, "", 1),
        log=logs_frame([LogLine(0, EVIL, EVIL, EVIL, 1, EVIL, EVIL)]).assign(function=EVIL),
        input=EVIL.encode(),
        output=EVIL.encode(),
    ),
    Email(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL),
    ErrorPage(ERRORS.assign(value=EVIL, message=EVIL, stage=EVIL), 1, f"2#{EVIL}", 1),
    JobStatus(EVIL, reason=EVIL, mail=EVIL),
    LIMIT,
    HELD_AGAINST,
    Link.of(f"https://x.example/{EVIL}", here_only=True),
    ShownOutputs({EVIL: EVIL}, EVIL),
    Preview(EVIL, False, (Change(EVIL, EVIL, EVIL, EVIL, (EVIL,)),), False),
    Picture(EVIL, "<svg></svg>"),
    PlanOutcome(EVIL, ((EVIL, EVIL, EVIL),), EVIL),
    JobReport(EVIL, Path(EVIL), 1, (EVIL,)),
    Timeline((Bar(1, EVIL, 0, 1, (Span(COLD, 0, 1),)),), 1, EVIL),
    Progress(JobStatus(EVIL, reason=EVIL), job_id=EVIL),
    RERUN,
    Purge(EVIL, True, 1, (EVIL,), 1, 1, EVIL),
    Redelivery(EVIL, True, (WaitingUpload(EVIL, EVIL, EVIL, EVIL),)),
    RepairPlan(
        EVIL,
        (RowOutcome(2, 1, FAILING, EVIL, EVIL),),
        EVIL,
        (FieldChange(2, EVIL, EVIL, f"{EVIL} ", EVIL, ("whitespace",)),),
        (),
        RERUN,
        {},
    ),
    RejectsWorkbook(Path(EVIL), 1, (LeftOut(2, EVIL),)),
    ResultFile(EVIL, EVIL, 1, NOW),
    SchemaDraft(EVIL, ",", 1, 0, EVIL, (Note(EVIL, EVIL),), {"properties": {EVIL: {EVIL: EVIL}}}),
    SchemaExplanation(EVIL, (ColumnExplanation(EVIL, EVIL, EVIL, EVIL, EVIL),), EVIL),
    SchemaReport(EVIL, (), (Mistake(EVIL, EVIL),)),
    StackStatus(EVIL, EVIL, EVIL, NOW, NOW, {EVIL: EVIL}, EVIL),
    Stopped(EVIL, 1, EVIL, (1,), False),
    UploadCheck(EVIL, 1, (EVIL,), (EVIL,), None),
    WhatIf(EVIL, 1, 1, 0, 0, ((EVIL, EVIL, 1, 0),), ERRORS, ERRORS),
    Why(EVIL, EVIL, (Cause("rejection", EVIL, 1, 2, EVIL, EVIL),)),
    Duplicates(EVIL, 2, 4, tuple(KeyRow(EVIL + str(n // 2), n) for n in range(4))),
    compare(ERRORS, ERRORS),
    plan(),
    shown_events(),
    Policy({"Statement": [{"Sid": EVIL}]}),
    Drift(
        EVIL,
        (DriftedResource(EVIL, EVIL, EVIL, EVIL, (Difference(EVIL, EVIL, EVIL, EVIL),)),),
        uploads_start_jobs=False,
        notes=(EVIL,),
    ),
    Reconciliation(
        EVIL,
        dry_run=True,
        since=NOW,
        findings=(Finding(EVIL, EVIL, EVIL, EVIL, safe=False, outcome=EVIL),),
    ),
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
    assert "&lt;img" in document
    if isinstance(value, Shown) and is_dataclass(value):
        assert json.loads(json.dumps(value.to_dict()))


def with_html() -> Iterator[type]:
    """Yield every class of the package that shows itself as HTML."""
    for module in pkgutil.walk_packages(batchops.__path__, "batchops."):
        if not module.name.endswith("__main__"):
            for value in vars(import_module(module.name)).values():
                if isinstance(value, type) and hasattr(value, "_repr_html_"):
                    yield value


def test_every_value_that_shows_itself_as_html_is_tried() -> None:
    assert set(with_html()) - {Shown} == {type(value) for value in VALUES}


def test_data_frames_show_values_and_column_names_as_text() -> None:
    names = f"{EVIL.replace(',', '')},source_row,rules,messages"
    file = f'{names}\n"{EVIL.replace(chr(34), chr(34) * 2)}",2,,\n'.encode()
    for frame in (
        frames.completed_frame(io.BytesIO(file), delimiter=","),
        frames.rejects_frame(io.BytesIO(file), delimiter=","),
    ):
        document = frame.to_html()
        assert "img" not in tags(document).found
        assert document.count("&lt;img") == 2


# ---------------------------------------------------------------------------- terminals

CLEAR = "\x1b[2J\x1b]0;owned\x07"


@given(st.text())
def test_what_is_visible_holds_no_control_character_but_lines_and_tabs(text: str) -> None:
    controls = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u202e", "\u2066"}
    assert not set(visible(text)) & (controls - {"\n", "\t"})


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_letters_of_any_script_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(value: Any, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a verb writes to standard output for a value."""
    monkeypatch.setattr(sys, "stdout", stream)
    with click.Context(base.main, obj=base.Options("s", "local", None, None, None)):
        base.show(value)
    return stream.getvalue()


@pytest.mark.parametrize("value", [f"a{CLEAR}b", pd.DataFrame({"file": [f"a{CLEAR}b"]})])
def test_terminal_is_not_steered_by_what_is_shown(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(value, Terminal(), monkeypatch)
    assert "a\\x1b[2J\\x1b]0;owned\\x07b" in text
    assert "\x1b" not in text


def test_pipe_gets_the_bytes_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"file": [f"a{CLEAR}b"]})
    assert shown(frame, io.StringIO(), monkeypatch) == f"file\na{CLEAR}b\n"
    assert shown(f"a{CLEAR}b", io.StringIO(), monkeypatch) == f"a{CLEAR}b\n"


def test_table_of_jobs_shows_what_a_files_name_would_do() -> None:
    job = {"jobId": "job-0", "status": "SUCCEEDED", "key": f"input/[bold]{CLEAR}.csv"}
    entry = JobEntry({**job, "attempt": 1, "startTime": "2026-11-23T06:00:00Z"})
    table = _jobs_table(frames.jobs_frame([entry]))
    console = Console(file=Terminal(), width=200, color_system=None)
    console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[bold]\\x1b[2J\\x1b]0;owned\\x07.csv" in text
    assert "\x1b[2J" not in text


def test_reason_of_a_failure_cannot_steer_a_terminal() -> None:
    cause = json.dumps({"errorType": "InputGoneError", "errorMessage": f"input/{CLEAR}.csv"})
    assert explain_failure("x", cause) == "InputGoneError: input/\\x1b[2J\\x1b]0;owned\\x07.csv"


def test_line_break_in_a_name_does_not_forge_a_log_line(
    log: Callable[[], list[dict[str, Any]]],
) -> None:
    forged = 'x\n{"level": "INFO", "message": "all is well"}'
    logger.info("already started", extra={"job": forged})
    (line,) = log()
    assert line["job"] == forged


# ------------------------------------------------------------------------ local files


class Bucket:
    """The calls that a download makes."""

    def head_object(self, **_: Any) -> Any:
        return {"ContentLength": 4, "LastModified": datetime(2026, 11, 23, tzinfo=UTC)}

    def download_fileobj(self, _bucket: str, _key: str, file: Any, **_: Any) -> None:
        file.write(b"rows")


def job_with(name: str) -> JobRef:
    """Return a job whose completed file is called so."""
    key = keys.completed("job-0", f"input/{name}")
    entry = {"jobId": "job-0", "entry": "JOB", "status": workflow.SUCCEEDED}
    entry |= {"completedKey": key, "rejectedKey": keys.rejected("job-0", f"input/{name}")}

    class Table:
        def get_item(self, **_: Any) -> Any:
            return {"Item": items.attributes(entry)}

    outputs = {"SourceBucketName": "b", "JobTableName": "t"}
    return JobRef(stack_ref(outputs=outputs, s3=Bucket(), dynamodb=Table()), "job-0")


def store(name: str, path: Path, *, rejected: bool = False) -> Path:
    return download(job_with(name), path, rejected=rejected)


@pytest.mark.parametrize("name", ["..", ".bashrc", "a/..", "a\\..\\b", f"{CLEAR}.csv", "a\nb"])
def test_name_that_would_harm_is_not_given_to_a_file_in_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the path of a file"):
        store(name, tmp_path)
    with pytest.raises(InputError, match="give the path of a file"):
        propose_download(Job(job_with(name).stack, "job-0"), RootFolder(tmp_path), ".")
    assert not list(tmp_path.iterdir())
    assert store(name, tmp_path / "out.csv").read_bytes() == b"rows"


@pytest.mark.parametrize("name", ["orders.csv", "2026/Q1 orders (EMEA).csv", "données.v2.csv"])
def test_usual_name_is_kept_in_a_folder(name: str, tmp_path: Path) -> None:
    stored = store(name, tmp_path)
    assert stored == tmp_path / name.rsplit("/", maxsplit=1)[-1]
    assert stored.read_bytes() == b"rows"


def test_rejects_go_beside_the_completed_file_and_not_over_it(tmp_path: Path) -> None:
    stored = [store("orders.v2.csv", tmp_path, rejected=each).name for each in (False, True)]
    assert stored == ["orders.v2.csv", "orders.v2-rejected.csv"]


def test_download_follows_no_link_that_lies_in_its_way(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (tmp_path / "out.csv.part").symlink_to(precious)
    (tmp_path / "out.csv").symlink_to(precious)
    stored = store("x.csv", tmp_path / "out.csv")
    assert stored.read_bytes() == b"rows"
    assert not stored.is_symlink()
    assert precious.read_text() == "keep"


def test_link_out_of_a_folder_is_not_packaged(tmp_path: Path) -> None:
    secret, folder = tmp_path / "credentials", tmp_path / "function"
    secret.write_text("secret")
    folder.mkdir()
    (folder / "app.py").write_text("")
    (folder / "data").symlink_to(secret)
    with pytest.raises(PackagingError, match="link out of its folder"):
        packaging.collect_files(folder)
    (folder / "data").unlink()
    (folder / "data").symlink_to(folder / "app.py")
    assert list(packaging.collect_files(folder)) == ["app.py", "data"]


# ------------------------------------------------------------------------------ schemas


def test_schema_reads_no_other_file_and_asks_no_server(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"type": "string"}')
    with Server(always(200)) as server:
        for place in (other.as_uri(), f"{server.url}/other.json"):
            document = json.loads(json.dumps(SCHEMA.document))
            column = document["required"][0]
            document["properties"][column] = {"$ref": place}
            with pytest.raises(SchemaError, match=r"move what it refers to into its own \$defs"):
                RecordSchema(document)
        assert server.received == []
