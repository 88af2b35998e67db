"""The report of a job: one page that loads nothing, with all parts, whatever is in the data."""

from __future__ import annotations

import errno
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from batchcore import items, workflow
from failed_job import JOB, put_failed_job
from support import BUCKET, SESSION, START_TIME, stack_ref

from batchops.core.errors import InputError, JobNotFoundError
from batchops.core.job_ref import JobRef
from batchops.inspection.error_summary import ErrorSummary, summary_html
from batchops.inspection.report import report_page, store_report
from batchops.inspection.result_files import whole_file
from batchops.job import Job
from batchops.show.page import page
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from failed_job import FailedJob
    from support import Account

EVIL = '</style></title><script>alert(1)</script><img src=x onerror="alert(1)">'


@pytest.fixture
def failed(account: Account) -> FailedJob:
    found = put_failed_job(account, sizeBytes=7)
    told = {"stage": "validate", "column": EVIL, "rule": "enum", "value": EVIL, "message": EVIL}
    rest = {"uuid": "k", "raw": EVIL, "limit": "", "attempt": 1, "time": START_TIME, "chunk": 1}
    account.put_error(JOB, "0000000002#Order Priority#enum", sourceRow=2, **told, **rest)
    return found


class Part(Shown):
    def _blocks(self) -> Any:
        yield Block.line("a part from above")


def gone() -> Shown:
    raise InputError(f"it is gone: {EVIL}")


@pytest.mark.parametrize("status", [workflow.QUEUED, workflow.SUBMITTED, workflow.RUNNING])
def test_job_that_is_not_split_yet_has_a_report_that_says_so(
    account: Account, failed: FailedJob, status: str, tmp_path: Path
) -> None:
    known = {"status": status, "attempt": 1, "startTime": items.utc_now(), "chunkRows": 0}
    known |= {"bucket": BUCKET, "key": f"input/{EVIL}.csv", "versionId": "v", "sizeBytes": 7}
    known |= {"delimiter": ",", "archiveFolder": "archive", "ledgerFormat": 2}
    account.put_entry("other-000000000001", items.JOB_ENTRY, **known)
    names = ("s3", "dynamodb", "stepfunctions", "lambda")
    clients: dict[str, Any] = {name: failed.job.stack.client(name) for name in names}
    # It has no such stack, so that its settings cannot be read, as where that is not allowed.
    clients["cloudformation"] = SESSION.client("cloudformation")
    job = Job(stack_ref(outputs=failed.job.stack.outputs, **clients), "other-000000000001")
    stored = job.report(tmp_path / "r.html")
    document = stored.path.read_text(encoding="utf-8")
    assert "No chunk has started." in document
    assert "Nothing failed." in document
    # Nor has the account the workflow of chunks.
    missing = [each.partition(":")[0] for each in stored.missing]
    assert missing == ["Workflow", "Plan against job", "Cost"]
    assert not Page(document).tags & {"script", "img"}


class Page(HTMLParser):
    """What a page would load, and what it would run."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.actions: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [str(v) for name, v in attrs if name in ("href", "src", "xlink:href")]
        self.actions += [name for name, _ in attrs if name.startswith("on")]


def test_report_is_one_page_that_loads_and_runs_nothing(failed: FailedJob) -> None:
    document, _ = report_page(failed.job, {"Evil": gone, EVIL: Part})
    found = Page(document)
    assert found.tags.isdisjoint({"script", "img", "link", "iframe", "object", "base", "form"})
    assert not found.actions
    assert all(re.fullmatch(r"#part-\d+", address) for address in found.addresses)
    assert "url(" not in document.replace("url(#batchops-tip)", "")
    assert "default-src 'none'" in document
    assert document.count("<title>Job ") == 1


def test_report_has_every_part_in_order(failed: FailedJob) -> None:
    document, _ = report_page(failed.job, {"Cost": Part})
    titles = re.findall(r"<h2>(.*?)</h2>", document)
    assert titles == [
        "Balance",
        "What went wrong",
        "Rejected rows",
        "Workflow",
        "Timeline",
        "Cost",
        "Chunks",
    ]
    assert document.count("a part from above") == 1
    assert ">FAILED<" in document  # its second chunk


def test_part_that_cannot_be_read_is_said_in_the_report_and_by_the_verb(
    failed: FailedJob, tmp_path: Path
) -> None:
    stored = store_report(failed.job, tmp_path / "r.html", parts={"Cost": gone})
    assert any(each.startswith("Cost: it is gone") for each in stored.missing)
    assert "This part could not be read: it is gone" in stored.path.read_text(encoding="utf-8")
    assert "without Cost: it is gone" in str(stored)


def test_file_that_is_there_is_left_alone_unless_it_may_be_replaced(
    failed: FailedJob, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text("precious")
    with pytest.raises(InputError, match="is there already"):
        store_report(failed.job, path, parts={}, replace=False)
    assert path.read_text() == "precious"
    stored = store_report(failed.job, path, parts={})
    assert stored.size_bytes == path.stat().st_size > 5_000
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["report", "report.csv", "report.html.exe"])
def test_report_is_called_what_a_browser_opens(
    failed: FailedJob, name: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"does not end in \.html"):
        store_report(failed.job, tmp_path / name, parts={})
    assert not list(tmp_path.iterdir())


def test_unknown_job_leaves_no_file(failed: FailedJob, tmp_path: Path) -> None:
    with pytest.raises(JobNotFoundError):
        store_report(JobRef(failed.job.stack, f"{JOB}x"), tmp_path / "r.html", parts={})
    assert not list(tmp_path.iterdir())


def errors(*found: tuple[int, str, str, str]) -> pd.DataFrame:
    """Return errors of (row, column, rule, value)."""
    frame = pd.DataFrame(found, columns=["source_row", "column", "rule", "value"])
    return frame.assign(stage="validate", message="no good")


def test_errors_are_counted_over_all_parts_with_the_first_three_as_examples() -> None:
    summary = ErrorSummary()
    summary.take(errors((2, "A", "enum", "x"), (2, "B", "format", "y")))
    summary.take(errors(*((row, "A", "enum", f"v{row}") for row in range(3, 9))))
    assert summary.rules == {("A", "enum", "validate"): 7, ("B", "format", "validate"): 1}
    assert summary.columns == {"A": 7, "B": 1}
    assert [each.source_row for each in summary.examples["A", "enum", "validate"]] == [2, 3, 4]
    document = summary_html(summary, rows=10)
    assert "8 errors in 7 of 10 rows" in document
    assert document.index("By place") < document.index("By rule") < document.index("By column")


def test_file_without_errors_says_so() -> None:
    assert "No row was rejected" in summary_html(ErrorSummary(), rows=9)


def test_page_is_light_dark_and_printed() -> None:
    document = page("t", "", [("a", "<p>b</p>")])
    assert "color-scheme: light dark" in document
    assert "@media print" in document
    printed = document.split("@media print")[1]
    assert "color-scheme: light" in printed
    assert "nav { display: none; }" in printed
    # Numbers are not broken, and a wide table scrolls by itself in a narrow window.
    assert 'td[style*="right"] { white-space: nowrap; }' in document
    assert "@media screen { section { overflow-x: auto; } }" in document


@pytest.mark.parametrize("there", [False, True], ids=["new", "there already"])
def test_file_that_cannot_be_written_is_named_and_what_was_there_stays(
    tmp_path: Path, there: bool
) -> None:
    path = tmp_path / "report.html"
    if there:
        path.write_text("before")
    with pytest.raises(OSError, match="No space left on device") as told, whole_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write says it
    assert told.value.filename == str(path)
    assert [each.read_text() for each in tmp_path.iterdir()] == (["before"] if there else [])


def test_other_failures_while_a_file_is_written_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"^late$"), whole_file(tmp_path / "a"):
        raise TimeoutError("late")
    missing = str(tmp_path / "missing")
    with pytest.raises(FileNotFoundError) as told, whole_file(tmp_path / "a"):
        Path(missing).read_text()
    assert told.value.filename == missing
