"""A job's report: one HTML file to hand on, which needs no server and no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import workflow
from batchcore.texts import number_of, printable

from batchops.core.errors import BatchOpsError, InputError
from batchops.core.executions import settled
from batchops.core.version import __version__
from batchops.inspection.balance import job_balance
from batchops.inspection.error_summary import summarize_errors, summary_html
from batchops.inspection.frames import chunks_frame
from batchops.inspection.job_graph import job_graph
from batchops.inspection.result_files import whole_file
from batchops.inspection.status import job_status
from batchops.inspection.timings import step_times
from batchops.inspection.why import Why, why
from batchops.show import markup
from batchops.show.numbers import format_duration
from batchops.show.page import page
from batchops.show.shown import Block, Shown
from batchops.show.timeline import Timeline

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

# Of more chunks, only those that failed are listed.
_MOST_CHUNKS = 200
_CHUNK_COLUMNS = (
    *("chunk", "status", "rows", "valid", "rejected", "errors", "attempt", "start", "end"),
    *("failed_step", "error"),
)
_SUFFIXES = (".html", ".htm")

# The title of a section, and what reads its content: a value that shows itself, or a DataFrame.
Parts = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class JobReport(Shown):
    """A stored report.

    Attributes
    ----------
    job_id : str
        The job.
    path : Path
        The file.
    size_bytes : int
        Its size.
    missing : tuple of str
        The parts that could not be read, each with the reason; the report says so, too.
    """

    job_id: str
    path: Path
    size_bytes: int
    missing: tuple[str, ...] = ()

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(
            f"the report of job {self.job_id} is stored as {self.path}: "
            f"{number_of(self.size_bytes, 'byte')}, which open in any browser"
        )
        yield from (Block.line(f"without {each}") for each in self.missing)


def store_report(job: JobRef, path: str | Path, *, parts: Parts, replace: bool = True) -> JobReport:
    """Store a job's report as one HTML file.

    Parameters
    ----------
    job
        The job; it need not have ended.
    path
        Ends in ``.html``.
    parts
        More sections, which the floors above read.
    replace
        Replace a file that is there, rather than raise.

    Raises
    ------
    InputError
        If the path is none for a page, or a file is there that is not to be replaced.
    JobNotFoundError, AwsError
    """
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{target} does not end in .html, which a report is called")
    with whole_file(target, replace=replace) as part:
        document, missing = report_page(job, parts)
        part.write_text(document, encoding="utf-8")
        size = part.stat().st_size
    return JobReport(job.id, target, size, missing)


def report_page(job: JobRef, parts: Parts) -> tuple[str, tuple[str, ...]]:
    """Return the report as a page, and the parts that could not be read.

    Raises
    ------
    JobNotFoundError, AwsError
    """
    entry = settled(job.stack, job.ledger_entry())
    chunks = chunks_frame(job.chunk_entries(), job_start=entry.began)
    reading: dict[str, Callable[[], str]] = {
        "Balance": lambda: job_balance(job)._repr_html_(),
        "What went wrong": lambda: _causes(why(job)),
        "Rejected rows": lambda: summary_html(summarize_errors(job), rows=entry.rows_in),
        "Workflow": lambda: job_graph(job).to_page(),
        "Timeline": lambda: Timeline.of(chunks, job_id=job.id)._repr_html_() + _times(chunks),
        **{title: partial(_read, read) for title, read in parts.items()},
        "Chunks": lambda: _chunks(chunks),
    }
    sections, missing = [], []
    for title, read in reading.items():
        try:
            content = read()
        except BatchOpsError as error:
            missing.append(f"{title}: {error}")
            content = markup.paragraph(f"This part could not be read: {error}")
        sections.append((title, content))
    head = "".join(map(markup.paragraph, _facts(job, entry)))
    return page(f"Job {job.id}", head, sections), tuple(missing)


def _causes(found: Why) -> str:
    """Return the causes but for the rules that rows break, which have a part of their own."""
    causes = [cause for cause in found.causes if cause.kind != "rejection"]
    if not causes:
        return markup.paragraph("Nothing failed.")
    rows = [(f"{cause.count:,}", cause.kind, cause.what, cause.example) for cause in causes]
    return markup.table(("count", "kind", "what", "example"), rows)


def _facts(job: JobRef, entry: JobEntry) -> Iterator[str]:
    status = job_status(job)
    yield (
        f"{entry.file}, {number_of(entry.size_bytes, 'byte')}, in stack {job.stack.name}: {status}"
    )
    began, ended = entry.attempt_started, entry.ended
    if ended is not None and entry.status in workflow.ENDED:
        took = format_duration(entry.attempt_s)
        yield f"attempt {entry.attempt} from {_moment(began)} to {_moment(ended)}, {took}"
    else:
        yield f"attempt {entry.attempt}, entered at {_moment(began)}"
    yield f"made at {_moment(datetime.now(UTC))} by batchops {__version__}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _read(read: Callable[[], Shown | pd.DataFrame]) -> str:
    found = read()
    return found._repr_html_() if isinstance(found, Shown) else _frame_html(found)


def _times(chunks: pd.DataFrame) -> str:
    found = step_times(chunks)
    if found["total_s"].isna().all() or not found["chunks"].any():
        return ""
    return "<h3>By step</h3>" + _frame_html(found)


def _chunks(chunks: pd.DataFrame) -> str:
    found = chunks[[*_CHUNK_COLUMNS]]
    if len(found) <= _MOST_CHUNKS:
        return _frame_html(found) or markup.paragraph("No chunk has started.")
    failed = found[found["status"] == workflow.FAILED]
    counts = found["status"].value_counts()
    said = ", ".join(f"{count:,} {str(status).lower()}" for status, count in counts.items())
    return markup.paragraph(f"{number_of(len(found), 'chunk')}: {said}") + _frame_html(
        failed.head(_MOST_CHUNKS)
    )


def _frame_html(frame: pd.DataFrame) -> str:
    rows = ([_cell(value) for value in row] for row in frame.itertuples(index=False, name=None))
    return markup.table([printable(str(name)) for name in frame.columns], rows)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
