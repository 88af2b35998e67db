"""Words of others reach people and programs in many places; one list of them tries every place.

`SINKS` has an entry for each place. Places are found in the code, by what they are made with, so
that one which is new fails `test_no_place_is_forgotten` until it has an entry here.
"""

from __future__ import annotations

import ast
import copy
import csv
import inspect
import io
import json
import re
import sys
import tempfile
import unicodedata
import xml.etree.ElementTree as ET
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import is_dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from itertools import chain, zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import click
import matplotlib as mpl
import pandas as pd
import pytest
from asl import MACHINES, states
from batchcore import items, jobs, keys, workflow
from batchcore.error_files import format_piece
from batchcore.errors import MissingColumnsError
from batchcore.records import RowWriter
from batchcore.runtime import entry_point, failure, logger
from batchcore.schema import RecordSchema
from matplotlib.figure import Figure
from rich.console import Console
from support import REGION, ROOT, SESSION, SOURCE, TEMPLATE, resources, stack_ref
from unit.test_hostile_names import EVIL, VALUES, store, tags

from batchops.cli import base, results
from batchops.cli.jobs import _jobs_table
from batchops.cli.options import Options
from batchops.cli.stack import print_event
from batchops.core.errors import InputError, explain_failure
from batchops.core.ledger import JobEntry
from batchops.deployment.stack_events import StackEvent, StackEvents
from batchops.inspection.error_parsing import parse_errors
from batchops.inspection.error_summary import ErrorSummary, summary_html
from batchops.inspection.frames import jobs_frame
from batchops.inspection.front_ends import LineView, NotebookView, TerminalView
from batchops.inspection.links import Link, embedded, make_link
from batchops.inspection.parquet import write_parquet
from batchops.inspection.progress import Progress
from batchops.inspection.rejects_workbook import write_workbook
from batchops.inspection.result_files import ResultFile
from batchops.inspection.spreadsheet_csv import unquote, write_frame_quoted
from batchops.inspection.status import JobStatus
from batchops.job import Job
from batchops.planning.archives import unzip
from batchops.planning.csv_text import write_csv
from batchops.planning.workbooks import read_sheet
from batchops.plots import axes, chunk_plots, data_plots, error_plots
from batchops.recovery.repair_rows import join_fields
from batchops.show import markup
from batchops.show import page as html_page
from batchops.show.graph import Flow, Node, StateRun, WorkflowGraph
from batchops.show.shown import Shown
from batchops.show.timeline import Timeline
from batchops.widgets.actions import propose_link
from batchops.widgets.chunk_list import chunks_grid
from batchops.widgets.confirmation import Confirmation, Proposal
from batchops.widgets.grid import Grid
from batchops.widgets.job_list import jobs_grid
from batchops.widgets.logs_panel import logs_html
from batchops.widgets.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import LoadApp

FORGED = "FORGED: all is well"
HOSTILE = {
    "markup": EVIL,
    "markup that closes": "</td></p></pre></text></svg><script>alert(1)</script>]]>",
    "lines": f"a\r\n\r\n{FORGED}\n",
    "lines of Unicode": f"a\u2028{FORGED}\u2029{FORGED}\x85{FORGED}\x0b{FORGED}\x0c{FORGED}",
    "escape sequences": "\x1b[2J\x1b]0;owned\x07\x1b]8;;https://x.example\x07",
    "C1 controls": "\x9b31m\x9d0;owned\x9c",
    "direction": "\u202egnp.exe\u2066x\u2069\u200f",
    "nul": "a\x00b\x08\x7f",
    "markup of rich": "[bold red]x[/] [link=https://x.example]y[/link] [/]",
    "path": "../../../etc/cron.d/x",
    "path of Windows": "..\\..\\x",
    "hidden file": ".bashrc",
    "formula": '=HYPERLINK("https://x.example","y")',
    "json": '"}, {"level": "INFO", "message": "' + FORGED,
    "log line": 'a\n{"level": "INFO", "message": "' + FORGED + '"}',
    "placeholders": "{} {0} {x!r} %s %(x)s ${x} $.x \\{\\}",
    "a formula's dollars": r"$\frac{a}{$ $x$ _$",
    "leading underscore": "_hidden",
    "very long": "x" * 3_000,
}
NOW = datetime(2026, 11, 23, tzinfo=UTC)

Rig = SimpleNamespace
SINKS: dict[str, Callable[[str, Rig], None]] = {}


def sink(function: Callable[[str, Rig], None]) -> Callable[[str, Rig], None]:
    """Enter a place under the function's name."""
    SINKS[function.__name__] = function
    return function


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load_app: LoadApp) -> Rig:
    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)
    return Rig(tmp_path=tmp_path, monkeypatch=monkeypatch, load_app=load_app, log=log)


# ----------------------------------------------------------------------- what may not be


def steering(text: str) -> set[str]:
    """Return the characters that steer a terminal, or break or turn a line."""
    kinds = {c: (unicodedata.category(c), unicodedata.bidirectional(c)) for c in set(text)}
    turns = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    found = {c for c, (kind, way) in kinds.items() if kind in {"Cc", "Zl", "Zp"} or way in turns}
    return (found | ({"\u200e", "\u200f", "\u061c"} & kinds.keys())) - {"\n"}


def assert_steers_nothing(text: str, *, forges: bool = False) -> None:
    assert not steering(text.replace("\t", " "))
    if not forges:
        assert not [line for line in text.splitlines() if line.lstrip().startswith(FORGED)]


def assert_one_line(text: str) -> None:
    assert_steers_nothing(text)
    assert len(text.splitlines()) == 1


def assert_page(document: str) -> None:
    found = tags(document)
    assert found.found.isdisjoint({"script", "iframe", "object", "embed", "link", "base", "form"})
    assert not found.actions
    assert not re.search(r"<img(?! alt=)", document)
    # A file that is handed over is stored, not opened.
    addresses = re.sub(r'<a download="[^"]+" href="data:text/csv;base64,[\w+/=]*">', "", document)
    assert not re.search(r'(href|src)="(?!https://|data:image/png;base64,)', addresses)
    assert not steering(document)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# -------------------------------------------------------------- values that show themselves


def with_words(value: Any, text: str) -> Any:
    """Return a value of the table with other words in all places of its hostile ones."""
    if isinstance(value, str | Path):
        return type(value)(str(value).replace(EVIL, text))
    if isinstance(value, pd.DataFrame):
        changed = value.map(lambda each: with_words(each, text)).astype(value.dtypes)
        return changed.rename(columns=lambda name: with_words(name, text))
    if isinstance(value, dict):
        changed = copy.copy(value)
        changed.clear()
        changed.update({with_words(k, text): with_words(v, text) for k, v in value.items()})
        return changed
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(with_words(each, text) for each in value)
    if hasattr(value, "__dict__") and type(value).__module__.startswith("batchops."):
        changed = copy.copy(value)
        for name, each in vars(value).items():
            object.__setattr__(changed, name, with_words(each, text))
        return changed
    return value


# A link is an address, in which S3's client quotes names: see `links`.
for _value in (each for each in VALUES if not isinstance(each, Link)):

    def _shows(text: str, _rig: Rig, value: Any = _value) -> None:
        changed = with_words(value, text)
        assert_page(changed._repr_html_())
        # A mail has lines of its own; the mail function keeps others from making some.
        assert_steers_nothing(str(changed), forges=type(value).__name__ == "Email")
        if isinstance(changed, Shown) and is_dataclass(changed):
            assert json.loads(json.dumps(changed.to_dict()))

    SINKS[f"value {type(_value).__name__}"] = _shows


# -------------------------------------------------------------------------- mail, notices


@sink
def mail(text: str, rig: Rig) -> None:
    rig.monkeypatch.setenv("STACK_NAME", "orders")
    job = {
        "jobId": "orders-000000000001",
        "bucket": "b",
        "key": f"input/{text}",
        "rowsIn": 1,
        "rowsOut": 1,
        "rowsRejected": 0,
        "completedKey": f"jobs/x/completed/{text}",
        "rejectedKey": f"jobs/x/rejected/{text}",
        "warnings": {"header": text},
    }
    compose = rig.load_app("send-email").compose
    content = compose(job, "https://x.example/?a=1&b=2")
    assert_one_line(content["Subject"]["Data"])
    body = content["Body"]["Text"]["Data"]
    assert_steers_nothing(body)
    usual = compose({**job, "key": "input/a", "warnings": {"h": "w"}}, "https://x.example/")
    assert body.count("\n") == usual["Body"]["Text"]["Data"].count("\n")
    assert_page(content["Body"]["Html"]["Data"])


# What a notice may have as it is: what we make, and causes, which `failure` and services write.
_OURS = {"$.jobId", "$.bucket", "$.attempt", "$.chunk.number", "$.chunk.rows"}
_OURS |= {"$.recorded.Attributes.status.S"}
_OURS |= {"$.merge.rowsIn", "$.merge.rowsOut", "$.merge.rowsRejected"}
_CAUSES = {"$.failure.Error", "$.failure.Cause"}
_FORMAT = re.compile(r"States\.Format\('(?P<form>[^']*)', (?P<given>.*)\)")
_AS_JSON = re.compile(r"States\.JsonToString\((\$[\w.]+)\)")


def formats() -> Iterator[tuple[str, list[str]]]:
    """Yield each text that the workflows make, and what they put into it."""
    for machine in MACHINES:
        for state in states(machine).values():
            for found in re.finditer(r'"(States\.[^"]*)"', json.dumps(state.get("Parameters", {}))):
                parsed = _FORMAT.fullmatch(found[1])
                assert parsed, f"a text that this test cannot read: {found[1]}"
                yield parsed["form"], parsed["given"].split(", ")


@sink
def notice_of_a_failed_job(text: str, _rig: Rig) -> None:
    for form, given in formats():
        values = []
        for each in given:
            quoted = _AS_JSON.fullmatch(each)
            assert quoted or each in _OURS | _CAUSES, f"{each} is not ours: States.JsonToString"
            # AWS may leave characters outside of ASCII as they are, as the JSON grammar allows.
            values.append(json.dumps(text, ensure_ascii=False) if quoted else "x")
        assert form.count("{}") == len(values)
        said = "".join(chain(*zip_longest(form.split("{}"), values, fillvalue="")))
        assert not {"\n", "\r", "\x1b", "\x00"} & set(said)


@sink
def cause_of_a_failed_job(text: str, _rig: Rig) -> None:
    outcome = failure(MissingColumnsError(f"the file has no column {text}"))["failure"]
    assert_one_line(outcome["Cause"])
    assert_steers_nothing(explain_failure(outcome["Error"], outcome["Cause"]))
    crash = json.dumps({"errorType": "KeyError", "errorMessage": text})
    assert_steers_nothing(explain_failure("Lambda.Unknown", crash), forges=True)


@sink
def log_lines(text: str, rig: Rig) -> None:
    @entry_point
    def handler(event: Any, context: Any) -> Any:
        logger.info(text, extra={"job": text})
        raise ValueError(text)

    with pytest.raises(ValueError, match=re.escape(text)):
        handler({"jobId": text, "chunk": {"number": text}}, None)
    written = rig.log.getvalue()
    first, last = (json.loads(line) for line in written.split("\n")[-3:-1])
    assert (first["message"], first["job"]) == (text, text)
    assert (last["message"], last["job"], last["chunk"]) == ("failed", text, text)


# ------------------------------------------------------------------------------ pictures


@sink
def graph_of_a_job(text: str, _rig: Rig) -> None:
    runs = [StateRun(workflow.FAILED, 12, text), StateRun(text, 12, "", text)]
    nodes = tuple(Node(f"m{n}", text, run, n, 0) for n, run in enumerate(runs))
    flow = Flow(text, nodes, ())
    shown = WorkflowGraph(flow, flow, "m0")
    svg = shown.to_svg()
    assert {part.tag.rsplit("}", 1)[-1] for part in ET.fromstring(svg).iter()} <= {
        *("svg", "title", "defs", "marker", "path", "text", "g", "rect")
    }
    assert not steering(svg)
    assert_steers_nothing(str(shown), forges=True)
    lines = shown.to_mermaid().splitlines()
    labels = [line.split('["', 1)[1] for line in lines if '["' in line]
    assert len(labels) == 6
    assert all(re.fullmatch(r'([\w ,.]|#\d+;|<br/>)*"\]', label) for label in labels)


def _plot_errors(text: str) -> pd.DataFrame:
    row = {"source_row": 2, "column": text, "rule": text, "value": text, "stage": text}
    return pd.DataFrame([row, {**row, "source_row": 3, "stage": "read"}])


def _plot_data(text: str) -> pd.DataFrame:
    return pd.DataFrame({text: [1.0, 2.0], "by": [text, "b"], "split": [text, "c"]})


def _plot_chunks(text: str) -> pd.DataFrame:
    frame = pd.DataFrame({"chunk": [1, 2], "status": [workflow.SUCCEEDED, text], "attempt": 1})
    frame["start"] = frame["end"] = pd.to_datetime([NOW, NOW])
    for step in workflow.CHUNK_STEPS:
        frame[f"{step.name}_ms"] = 5.0
    return frame


# Each plot that takes a frame, with all words in it hostile.
PLOTS: dict[str, Callable[[str, Any], Any]] = {
    "chunk_timeline": lambda t, ax: chunk_plots.chunk_timeline(_plot_chunks(t), ax=ax),
    "concurrency": lambda t, ax: chunk_plots.concurrency(_plot_chunks(t), ax=ax),
    "step_durations": lambda t, ax: chunk_plots.step_durations(_plot_chunks(t), ax=ax),
    "errors_by_rule": lambda t, ax: error_plots.errors_by_rule(_plot_errors(t), ax=ax),
    "errors_by_column": lambda t, ax: error_plots.errors_by_column(_plot_errors(t), ax=ax),
    "errors_by_value": lambda t, ax: error_plots.errors_by_value(_plot_errors(t), ax=ax),
    "errors_by_position": lambda t, ax: error_plots.errors_by_position(
        _plot_errors(t), rows=2, ax=ax
    ),
    "plot_totals": lambda t, ax: data_plots.plot_totals(
        _plot_data(t), by="by", value=t, split="split", unit=t, ax=ax
    ),
    "say_why_empty": lambda t, ax: axes.say_why_empty(ax, axes.fit_label(t), "no rows"),
}

# What Matplotlib or SVG could take for more than words; the others need not be drawn.
_DRAWN = re.compile(r"[$<_&]")

for _name, _plot in PLOTS.items():

    def _draws(text: str, _rig: Rig, plot: Callable[[str, Any], Any] = _plot) -> None:
        figure = Figure()
        ax = plot(text, figure.add_subplot())
        legend = ax.get_legend()
        named = [each.get_text() for each in legend.get_texts()] if legend else []
        ticks = [each.get_text() for each in ax.get_yticklabels()]
        for label in [ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel(), *named, *ticks]:
            assert not steering(label)
            assert "\n" not in label
        if plot is PLOTS["plot_totals"]:
            assert len(named) == 2  # each part has its name, whatever it begins with
        if _DRAWN.search(text):
            file = io.StringIO()
            with mpl.rc_context({"svg.fonttype": "none"}):
                figure.savefig(file, format="svg")
            tree = ET.fromstring(file.getvalue())
            assert "script" not in {part.tag.rsplit("}", 1)[-1] for part in tree.iter()}

    SINKS[f"plot {_name}"] = _draws


@sink
def report_of_a_job(text: str, rig: Rig) -> None:
    summary = ErrorSummary()
    summary.take(_plot_errors(text).assign(message=text))
    parts = [
        (text, summary_html(summary, rows=2)),
        ("b", Timeline.of(_plot_chunks(text))._repr_html_()),
    ]
    document = html_page.page(text, markup.paragraph(text), parts)
    # Its own style is the one that has tags, and its list leads to its own parts.
    body = document.split("</style></head>")[1]
    assert_page(re.sub(r'href="#part-\d+"', "", body))
    assert document.count("<style>") == document.count("</style>") == 1


# ------------------------------------------------------------------------------- console


@sink
def messages_of_the_console(text: str, _rig: Rig) -> None:
    messages = Messages()
    messages.begin(text)
    messages.end("reading", text, "reading")
    messages.complain("upload", text)
    messages.tell(text)
    assert_page(messages.root.value)


@cache
def real_s3() -> Any:
    return SESSION.client("s3", region_name=REGION)


class Stored:
    """S3 as far as a result file is read; links are made by the real client."""

    def __init__(self, content: bytes = b"a,b\n1,2\n") -> None:
        self._content = content
        self.generate_presigned_url = real_s3().generate_presigned_url

    def head_object(self, **_: Any) -> Any:
        return {"ContentLength": len(self._content), "LastModified": NOW}

    def download_fileobj(self, _bucket: str, _key: str, file: Any, **_: Any) -> None:
        file.write(self._content)


def job_of(text: str, *, local: bool, content: bytes = b"a,b\n1,2\n") -> Job:
    """Return a job that has succeeded, whose files are called so."""
    entry = {"jobId": "job-0", "entry": "JOB", "status": workflow.SUCCEEDED, "delimiter": ","}
    entry |= {kind: f"jobs/job-0/{kind}/{text}" for kind in ("completedKey", "rejectedKey")}
    table = SimpleNamespace(get_item=lambda **_: {"Item": items.attributes(entry)})
    outputs = {"SourceBucketName": "b", "JobTableName": "t"}
    stack = stack_ref(local=local, outputs=outputs, s3=Stored(content), dynamodb=table)
    return Job(stack, "job-0")


@sink
def links(text: str, _rig: Rig) -> None:
    for local in (False, True):
        link = make_link(job_of(text, local=local), expires_s=60, rejected=False)
        assert re.fullmatch(r"https://[\w.%/?&=~:-]+", link)
        assert_page(link._repr_html_())
        assert_page(Link.of(f"https://x.example/{text}", here_only=local)._repr_html_())
        file = ResultFile("b", f"jobs/job-0/completed/{text}", 8, NOW)
        assert_page(embedded(job_of(text, local=local), file, text))


@sink
def proposals_of_the_console(text: str, _rig: Rig) -> None:
    background: Any = SimpleNamespace(forget=lambda _: None)
    box = Confirmation(background, key="x", on_done=print)
    own = Proposal(text, markup.paragraph(text), text, lambda: None, text, {text: (text, False)})
    box.propose(own)
    assert_page(box.text.value)
    for local in (False, True):
        proposal = propose_link(job_of(text, local=local))
        box.propose(proposal)
        assert_page(box.text.value)
        done = proposal.execute()
        assert "open it" in done.markup
        assert_page(done.markup)


@sink
def job_list_of_the_console(text: str, _rig: Rig) -> None:
    entry = {"status": text, "startTime": NOW.isoformat(), "key": text, "attempt": 2, "jobId": "x"}
    cells = jobs_grid(jobs_frame([JobEntry({**entry, "mailStatus": text})]))
    # A cell of the grid is text, not markup.
    for column in ("Status", "File", "Mail"):
        assert_one_line(cells[column][0])
    grid = Grid("jobs", height="9em", on_pick=print)
    assert not grid.table._dt_args.get("allow_html", False)


@sink
def logs_of_the_console(text: str, _rig: Rig) -> None:
    line = {"time": NOW, "level": text, "chunk": 1, "message": text}
    assert_page(logs_html(pd.DataFrame([line])))


@sink
def chunks_of_the_console(text: str, _rig: Rig) -> None:
    numbers = dict.fromkeys(("chunk", "rows", "valid", "rejected", "errors", "attempt"), 1)
    times = {"start": NOW, "end": NOW}
    row = {**numbers, **times, "status": text, "failed_step": text, "reason": text}
    cells = chunks_grid(pd.DataFrame([row]))
    for column in ("Status", "Failed step", "Reason"):
        assert_one_line(cells[column][0])


# ----------------------------------------------------------------- terminals, pipes, files

_FIXED = {"stage": "validate", "rule": "enum"}


def shown(
    value: Any,
    stream: io.StringIO,
    rig: Rig,
    *,
    as_json: bool = False,
    form: str | None = None,
) -> str:
    rig.monkeypatch.setattr(sys, "stdout", stream)
    options = Options("s", "local", None, None, None, as_json=as_json, form=form)
    with click.Context(base.main, obj=options):
        base.show(value)
    return stream.getvalue()


@sink
def verbs_in_a_terminal(text: str, rig: Rig) -> None:
    frame = pd.DataFrame({text: [text]})
    # In CSV and in a text, a line break is one: what they steer is what matters.
    for value in (text, frame):
        assert_steers_nothing(shown(value, Terminal(), rig), forges=True)
        assert_steers_nothing(shown(value, Terminal(), rig, as_json=True))


@sink
def verbs_in_a_pipe(text: str, rig: Rig) -> None:
    frame = pd.DataFrame({text: [text], "b": ["c"]})
    read = list(csv.reader(io.StringIO(shown(frame, io.StringIO(newline=""), rig), newline="")))
    if "\r" not in text and "\x00" not in text:
        assert read == [[text, "b"], [text, "c"]]
    if "\x00" not in text:  # pandas cuts a name there; the split refuses such a file
        found = json.loads(shown(frame, io.StringIO(), rig, as_json=True))
        assert found == [{text: text, "b": "c"}]
    assert json.loads(shown(text, io.StringIO(), rig, as_json=True)) == text


@sink
def errors_of_verbs(text: str, rig: Rig) -> None:
    @click.command()
    def fail() -> None:
        raise InputError(f"{text!r} is no file: {text}")

    group = base._Group("x", commands={"fail": fail})
    stream = Terminal()
    rig.monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(SystemExit):
        group.main(["fail"], obj=Options("s", "local", None, None, None), standalone_mode=False)
    assert stream.getvalue().startswith("error: ")
    assert_steers_nothing(stream.getvalue(), forges=True)


@sink
def wide_tables(text: str, rig: Rig) -> None:
    rig.monkeypatch.setenv("TERM", "dumb")  # or the header is bold
    frame = pd.DataFrame({text: [text], "b": ["c"]})
    assert_steers_nothing(shown(frame, Terminal(), rig, form="wide"), forges=True)


@sink
def lines_of_json(text: str, rig: Rig) -> None:
    frame = pd.DataFrame({"a": [text, text]})
    assert_steers_nothing(shown(frame, Terminal(), rig, form="ndjson"), forges=True)
    lines = shown(frame, io.StringIO(), rig, form="ndjson").split("\n")
    assert [json.loads(line) for line in lines if line] == [{"a": text}] * 2


@sink
def table_of_jobs(text: str, _rig: Rig) -> None:
    row = {"job": "x", "status": "RUNNING", "start": NOW, "file": text}
    table = _jobs_table(pd.DataFrame([{**row, "rows_in": 1, "rows_rejected": 0}]))
    console = Console(file=Terminal(), width=4_000, color_system=None)
    console.print(table)
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert_steers_nothing(written, forges=True)


@sink
def progress_of_a_job(text: str, rig: Rig) -> None:
    progress = Progress(JobStatus(text, reason=text, mail=text), job_id=text)
    for view in (LineView, TerminalView):
        stream = io.StringIO()
        made = view(Console(file=stream, width=4_000, color_system=None))
        made.show(progress)
        made.close(text)
        assert_steers_nothing(stream.getvalue(), forges=True)
    pages: list[str] = []
    notebook = NotebookView()
    notebook._output = SimpleNamespace(show=lambda html, _: pages.append(html))  # type: ignore[assignment]
    notebook.show(progress)
    notebook.close(text)
    for page in pages:
        assert_page(page)


@sink
def events_of_a_stack(text: str, rig: Rig) -> None:
    event = StackEvent("1", NOW, text, text, f"{text}_FAILED", text, text)
    stream = io.StringIO()
    StackEvents(Console(file=stream, width=4_000, color_system=None))(event)
    rig.monkeypatch.setattr(sys, "stdout", stdout := Terminal())
    print_event(event)
    for written in (stream.getvalue(), stdout.getvalue()):
        assert_steers_nothing(written)


def verb(*words: str) -> int:
    """Run a verb, and return its exit code."""
    try:
        base.main.main(words, standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@sink
def drafts_of_schemas(text: str, rig: Rig) -> None:
    file, stored = rig.tmp_path / "x.csv", rig.tmp_path / "schema.json"
    names = ["id", text]
    with file.open("w", newline="") as rows:
        csv.writer(rows).writerows([names, ["1", text], ["2", ""]])
    stored.unlink(missing_ok=True)
    for streams in (Terminal, io.StringIO):
        out, err = streams(), streams()
        with redirect_stdout(out), redirect_stderr(err):
            drafted = verb("schema", "infer", str(file)) == 0
            if drafted:
                verb("schema", "infer", str(file), "--force", "-o", str(stored))
                assert verb("schema", "check", str(stored), "--against", str(file)) == 0
                assert verb("schema", "explain", str(stored)) == 0
        assert_steers_nothing(err.getvalue())
        if streams is Terminal:
            assert_steers_nothing(out.getvalue())
    # A header with control characters may be refused as no text.
    assert drafted or re.search("[\x00-\x1f]", text)
    if drafted:
        assert list(json.loads(stored.read_text())["properties"]) == ["id", text.strip()]


@sink
def rejects_in_a_terminal(text: str, rig: Rig) -> None:
    frame = pd.DataFrame({text: [text], "source_row": [2]})
    job = job_of("x", local=False)
    stream = Terminal()
    rig.monkeypatch.setattr(sys, "stdout", stream)
    with click.Context(base.main, obj=base.Options("s", "local", None, None, None)):
        for quoted in (False, True):
            results._write_rows(job, frame, stream, quoted=quoted)
    assert_steers_nothing(stream.getvalue().replace("\ufeff", ""), forges=True)


@sink
def rejects_in_a_file(text: str, _rig: Rig) -> None:
    frame = pd.DataFrame({text: [text], "source_row": ["2"]})
    file = io.StringIO(newline="")
    results._write_rows(job_of("x", local=False), frame, file, quoted=False)
    read = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert read == [[text, "source_row"], [text, "2"]]


@sink
def csv_for_spreadsheets(text: str, _rig: Rig) -> None:
    file = io.StringIO(newline="")
    write_frame_quoted(pd.DataFrame({text: [text], "b": ["c"]}), file, delimiter=",")
    read = list(csv.reader(io.StringIO(file.getvalue().removeprefix("\ufeff"), newline="")))
    assert [[unquote(cell) for cell in row] for row in read] == [[text, "b"], [text, "c"]]
    assert not [cell for row in read for cell in row if cell.startswith(tuple("=+-@\t\r"))]


@sink
def workbook_of_rejects(text: str, _rig: Rig) -> None:
    columns = [text, f"{text} ", "source_row", "rules", "messages"]
    rejects = pd.DataFrame([[text, "b", "2", text, text]], columns=columns)
    errors = pd.DataFrame({"source_row": [2], "column": [text], "message": [text]})
    schema = RecordSchema({"properties": {text: {"enum": [text, "b"]}}})
    file = io.BytesIO()
    assert write_workbook(file, rejects, errors, schema) == []
    with ZipFile(file) as book:
        for name in book.namelist():
            tree = ET.fromstring(book.read(name))
            tags = {part.tag.rsplit("}", 1)[-1] for part in tree.iter()}
            assert tags.isdisjoint({"f", "hyperlink", "hyperlinks", "script"}), name
    sheet = read_sheet(file.getvalue(), sheet="rejects")
    assert sheet.rows == [columns, [text, "b", "2", text, text]]


@sink
def names_in_archives(text: str, _rig: Rig) -> None:
    for name in (text, f"a/{text}", f"{text}/..", f"{text}.zip"):
        file = io.BytesIO()
        with ZipFile(file, "w") as archive:
            archive.writestr(name, "a,b\n1,2\n")
        file.seek(0)
        try:
            unpacked, inner = unzip(file, "x.zip")
        except InputError as error:
            assert_steers_nothing(str(error))
            continue
        unpacked.close()
        assert_one_line(inner)
        assert inner not in {"", ".", ".."}
        assert not {"/", "\\"} & set(inner)


@sink
def rows_of_result_files(text: str, _rig: Rig) -> None:
    writer = RowWriter(delimiter=",")
    error = {"column": text, "rule": "enum", "message": text}
    lines = [
        writer.header(b"a\n", [text]),
        writer.completed(["b\n"], [[text]]),
        writer.rejected({"raw": "c\n", "row": 2, "errors": [error]}),
    ]
    read = list(csv.reader(io.StringIO(b"".join(lines).decode(), newline="")))
    assert read == [["a", text], ["b", text], ["c", "2", f"{text}: enum", text]]


@sink
def rows_of_repairs(text: str, _rig: Rig) -> None:
    record = join_fields([text, "b"], like=b"x\r\n", delimiter=",")
    assert record.endswith(b"\r\n")
    assert list(csv.reader(io.StringIO(record.decode(), newline=""))) == [[text, "b"]]


@sink
def file_of_errors(text: str, _rig: Rig) -> None:
    error = dict.fromkeys(("column", "value", "limit", "message"), text)
    record = {"row": 2, "raw": text, "key": text, "errors": [error | _FIXED]}
    piece = format_piece([record], chunk=2, attempt=1, time="2026-11-23T06:00:00.000Z")
    (found,) = parse_errors(piece.body).to_dict("records")
    assert {found[name] for name in ("column", "value", "limit", "message", "raw")} == {text}


@sink
def uploads_made_of_a_frame(text: str, _rig: Rig) -> None:
    written = b"".join(write_csv([text, "b"], [[text, "c"]], delimiter=",")).decode()
    assert list(csv.reader(io.StringIO(written, newline=""))) == [[text, "b"], [text, "c"]]


@sink
def parquet_file(text: str, rig: Rig) -> None:
    path = rig.tmp_path / "x.parquet"
    frame = pd.DataFrame({text: [text], "b": ["c"]})
    pd.testing.assert_frame_equal(pd.read_parquet(write_parquet([frame], path)), frame)


@sink
def names_of_downloaded_files(text: str, rig: Rig) -> None:
    root = Path(tempfile.mkdtemp(dir=rig.tmp_path))
    folder = root / "a" / "b"
    folder.mkdir(parents=True)
    try:
        stored = store(text, folder)
    except (InputError, OSError):
        stored = None
    made = [path for path in root.rglob("*") if path.is_file()]
    assert made == ([stored] if stored else [])
    assert all(path.parent == folder and path.name.isprintable() for path in made)
    assert not [path for path in made if path.name.startswith(".")]


@sink
def keys_of_a_job(text: str, _rig: Rig) -> None:
    job = jobs.job_id("b", f"input/{text}", "v")
    assert jobs.JOB_ID.fullmatch(job)
    for key in (keys.completed(job, f"input/{text}"), keys.rejected(job, f"input/{text}")):
        assert key.startswith(f"jobs/{job}/")
        assert len(key.split("/")) == 4


@pytest.mark.parametrize("name", SINKS)
def test_words_of_others_are_words(name: str, rig: Rig) -> None:
    for words, text in HOSTILE.items():
        try:
            SINKS[name](text, rig)
        except Exception as error:
            error.add_note(f"with the words {words!r}")
            raise


# -------------------------------------------------------------------- no place is forgotten

# What writes, by the call that does it, in which files, and which entries above try it. A place
# with words of ours only says so.
OURS = "our own words"
PLACES: dict[str, dict[str, str]] = {
    # Lines in a terminal or a log.
    r"click\.(s?echo|style)\(|\.print\(|(?<!\w)print\(|(stdout|stderr)\.write\(": {
        "batchops/__main__.py": OURS,
        "batchops/cli/base.py": "verbs_in_a_terminal, verbs_in_a_pipe, errors_of_verbs, "
        "wide_tables, lines_of_json",
        "batchops/cli/bulk.py": "errors_of_verbs; an id",
        "batchops/cli/engine.py": OURS,
        "batchops/cli/jobs.py": "table_of_jobs; an id",
        "batchops/cli/local.py": OURS,
        "batchops/cli/results.py": "rejects_in_a_terminal, value RejectsWorkbook",
        "batchops/cli/schema.py": "drafts_of_schemas",
        "batchops/cli/stack.py": "events_of_a_stack",
        "batchops/deployment/stack_events.py": "events_of_a_stack",
        "batchops/inspection/front_ends.py": "progress_of_a_job",
        "batchops/samples/demo.py": OURS,  # the sample's own rows
    },
    r"logger\.\w+\(": {
        "batchops/local/keeper.py": OURS,  # why the engine's state was not saved
        "source/common/batchcore/runtime.py": "log_lines",
        "source/custom-resource/app.py": "log_lines",
        "source/s3-lambda-notification/app.py": "log_lines",
        "source/send-email/app.py": "log_lines",
    },
    # Mails and notices. The workflow's are found by `formats`.
    r"(?<!artifact_bucket)\.(send_email|publish|send_raw_email|send_message)\(": {
        "source/send-email/app.py": "mail"
    },
    # Markup.
    r"widgets\.HTML\(": {
        "batchops/widgets/actions.py": OURS,  # which actions are off, and why
        "batchops/widgets/chunk_panels.py": "value ChunkGrid",
        "batchops/widgets/chunk_list.py": "chunks_of_the_console, value ChunkDetail",
        "batchops/widgets/confirmation.py": "proposals_of_the_console",
        "batchops/widgets/console.py": OURS,
        "batchops/widgets/errors_panel.py": "value ErrorPage, value Why",
        "batchops/widgets/job_list.py": OURS,
        "batchops/widgets/logs_panel.py": "logs_of_the_console",
        "batchops/widgets/messages.py": "messages_of_the_console",
        "batchops/widgets/progress_panel.py": "value Progress",
        "batchops/widgets/summary_panel.py": (
            "value Balance, value Email, value CostComparison, graph_of_a_job"
        ),
        "batchops/widgets/upload.py": OURS,
    },
    r"(?<!re\.)\bescape\(": {
        "batchops/cli/base.py": "wide_tables",
        "batchops/cli/jobs.py": "table_of_jobs",
        "batchops/inspection/email.py": "value Email",
        "batchops/inspection/front_ends.py": "progress_of_a_job",
        "batchops/local/gate.py": OURS,  # refusals; see test_gate.py
        "batchops/samples/demo.py": OURS,
        "batchops/show/markup.py": "value Plan",
        "batchops/widgets/messages.py": "messages_of_the_console",
        "source/send-email/app.py": "mail",
    },
    r"description_allow_html|tooltip_allow_html|Javascript\(|widgets\.Output\(": {},
    r"<(a|input) ": {
        "batchops/inspection/links.py": "links",
        "batchops/show/page.py": "report_of_a_job",
        "batchops/widgets/actions.py": "proposals_of_the_console",
        "source/send-email/app.py": "mail",
    },
    r"_repr_mimebundle_": {
        "batchops/show/graph.py": "graph_of_a_job",
        "batchops/widgets/console.py": OURS,  # the widgets, one by one above
    },
    r"\bsvg\b.*xmlns": {
        "batchops/show/graph.py": "graph_of_a_job",
        "batchops/show/stretches.py": "report_of_a_job",
        "batchops/show/timeline.py": "value Timeline",
        "batchops/widgets/theme.py": OURS,
    },
    # CSV and JSON for other programs.
    r"\.to_csv\(": {
        "batchops/cli/base.py": "verbs_in_a_pipe",
        "batchops/cli/results.py": "rejects_in_a_file",
    },
    r"csv\.(writer|DictWriter)\(": {
        "batchops/inspection/spreadsheet_csv.py": "csv_for_spreadsheets",
        "batchops/planning/csv_text.py": "uploads_made_of_a_frame",
        "batchops/recovery/repair_rows.py": "rows_of_repairs",
        "batchops/samples/sample.py": OURS,
        "source/common/batchcore/error_files.py": "file_of_errors",
        "source/common/batchcore/records.py": "rows_of_result_files",
    },
    r"xlsxwriter\.Workbook\(|ParquetWriter\(": {
        "batchops/inspection/parquet.py": "parquet_file",
        "batchops/inspection/rejects_workbook.py": "workbook_of_rejects",
    },
    # Archives: made of the checkout; read by the names of ours that are looked for, but for the
    # one file in an archive that somebody submits.
    r"ZipFile\(|\.extract(all)?\(|tarfile": {
        "batchops/deployment/delivery.py": OURS,
        "batchops/deployment/deployed.py": OURS,
        "batchops/deployment/packaging.py": OURS,
        "batchops/inspection/invoke_here.py": OURS,
        "batchops/planning/archives.py": "names_in_archives",
        "batchops/planning/workbooks.py": "workbook_of_rejects",
    },
    # Files that others name.
    r"\blocal_name\(": {
        "batchops/inspection/result_files.py": "names_of_downloaded_files",
        "batchops/widgets/actions.py": "names_of_downloaded_files",
    },
}


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code(path: Path) -> str:
    """Return a module without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def modules() -> list[Path]:
    return sorted([*(ROOT / "batchops").rglob("*.py"), *SOURCE.rglob("*.py")])


@pytest.fixture(scope="module")
def codes() -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): code(path) for path in modules()}


@pytest.mark.parametrize("pattern", PLACES)
def test_no_place_is_forgotten(pattern: str, codes: dict[str, str]) -> None:
    found = {path for path, text in codes.items() if re.search(pattern, text)}
    assert found == PLACES[pattern].keys()
    for entries in PLACES[pattern].values():
        if entries != OURS:
            for name in re.split(r"[,;] ", entries):
                assert name in SINKS or name.startswith("an "), name


def test_no_plot_is_forgotten() -> None:
    found = set()
    for path in (ROOT / "batchops" / "plots").glob("*.py"):
        module = import_module(f"batchops.plots.{path.stem}") if path.stem != "__init__" else None
        for name, value in vars(module).items() if module else ():
            own = inspect.isfunction(value) and value.__module__ == module.__name__
            if own and not name.startswith("_") and "ax" in inspect.signature(value).parameters:
                found.add(name)
    # What all plots are made with; and what draws numbers only.
    assert found - {"finish", "make_axes", "planned_sizes", "measured_sizes"} == PLOTS.keys()


def test_no_notice_is_forgotten() -> None:
    publishing = [
        name
        for machine in MACHINES
        for name, state in states(machine).items()
        if re.search(r":(sns|ses|sesv2|sqs|events|http):", str(state.get("Resource")))
    ]
    # The events have the key in a field of its own; their summary, which SNS is handed, as JSON.
    assert publishing == ["Announce the merged job", "Announce the failed job", "Notify failure"]
    assert any("failed" in form for form, _ in formats())
    # Rules and alarms hand on what AWS writes, as JSON.
    for rule in resources("AWS::Events::Rule").values():
        for target in rule["Properties"]["Targets"]:
            assert target.keys() <= {"Id", "Arn", "InputPath"}
            assert target.get("InputPath", "$.detail.summary") == "$.detail.summary"
    for name, resource in TEMPLATE["Resources"].items():
        if resource["Type"] in {"AWS::SNS::Subscription", "AWS::Pipes::Pipe"}:
            assert name == "SNSTopicSubscription"
