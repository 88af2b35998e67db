"""What the functions wrote: their log groups as DataFrames."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from batchops.core import ledger
from batchops.core.errors import InputError, JobNotFoundError, translated
from batchops.deployment.resources import check_deployed, unknown_function

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_logs import CloudWatchLogsClient

    from batchops.core.stack_ref import StackRef

_SPAN = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_REQUEST = re.compile(r"^(START|END|REPORT) RequestId: ([0-9a-f-]{36})")
# What Lambda's Python runtime writes for print-like logging and for what a handler raised.
_LEVEL = re.compile(r"^\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\]")
_TRACEBACK = "Traceback (most recent call last):"
# An execution can be entered in the ledger a little after its first function began.
_MARGIN = timedelta(seconds=60)
# What a page of FilterLogEvents has at most (Amazon CloudWatch Logs API reference).
_PAGE_EVENTS = 10_000
_MAX_EVENTS = 300_000


@dataclass(frozen=True)
class LogLine:
    """One line of a function's log."""

    time_ms: int
    level: str
    message: str
    job: str
    chunk: int | None
    request_id: str
    raw: str


def function_logs(
    stack: StackRef,
    function: str,
    *,
    since: str | datetime | None = None,
    job: str | None = None,
    limit: int = 1000,
) -> pd.DataFrame:
    """Return what a function wrote, oldest first.

    Parameters
    ----------
    stack
        The stack.
    function
        Its name as in ``source``: ``"validate-data"``.
    since
        How far to go back (``"30s"``, ``"10m"``, ``"2h"``, ``"1d"``), or a time; one without a
        zone is in UTC. By default 10 minutes; with `job`, since that job started.
    job
        Only what was written in calls for this job: all lines of those calls, tracebacks included.
    limit
        At most that many lines, the latest ones.

    Returns
    -------
    DataFrame
        One row a line: ``time`` (datetime64[ms, UTC]), ``level`` (str: INFO, ERROR and so on, empty
        for what the platform writes), ``message`` (str, of a structured line its message), ``job``
        (str, empty where unknown), ``chunk`` (Int64), ``request_id`` (str, of the call), ``raw``
        (str, the line as it was written).

    Raises
    ------
    InputError
        `since` or `limit` is not usable, the stack has no such function, or there are more than
        300,000 lines to go through.
    JobNotFoundError, StackNotFoundError, AwsError
    """
    if limit < 1:
        raise InputError(f"limit is {limit}: give the number of lines wanted, at least 1")
    start = _job_start(stack, job) if since is None and job else parse_since(since or "10m")
    lines = parse_events(_events(stack, function, start))
    wanted = lines if job is None else of_job(lines, job)
    return logs_frame(deque(wanted, maxlen=limit))


def parse_since(since: str | datetime, *, now: datetime | None = None) -> datetime:
    """Return the moment that ``"10m"``, ``"2h"``, ``"1d"`` or a datetime means, in UTC.

    Raises
    ------
    InputError
    """
    if isinstance(since, datetime):
        return since.astimezone(UTC) if since.tzinfo else since.replace(tzinfo=UTC)
    match = _SPAN.fullmatch(since.strip())
    if match is None:
        raise InputError(f"since is {since!r}: give '30s', '10m', '2h', '1d', or a datetime")
    try:
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError as error:
        raise InputError(f"since is {since!r}: that is before all time; give less") from error


def _job_start(stack: StackRef, job: str) -> datetime:
    entry = ledger.job_entry(stack, job)
    if entry is None:
        raise JobNotFoundError(
            f"stack {stack.name!r} has no job {job!r}: stack.jobs() lists them", job_id=job
        )
    return (entry.started or entry.attempt_started) - _MARGIN


def _events(stack: StackRef, function: str, start: datetime) -> Iterator[Any]:
    """Yield the events of a function's log group since a moment, oldest first."""
    check_deployed(stack)
    logs = stack.client("logs")
    count = 0
    with translated(f"reading the log of {function!r}"):
        try:
            for page in _pages(logs, f"/aws/lambda/{stack.name}-{function}", start):
                count += len(page)
                if count > _MAX_EVENTS:
                    raise InputError(
                        f"{function} wrote more than {_MAX_EVENTS:,} lines since "
                        f"{start:%Y-%m-%d %H:%M} UTC: pass a later since="
                    )
                yield from page
        except logs.exceptions.ResourceNotFoundException as error:
            raise unknown_function(stack, function) from error


def _pages(logs: CloudWatchLogsClient, group: str, start: datetime) -> Iterator[list[Any]]:
    request: Any = {
        "logGroupName": group,
        "startTime": max(0, int(start.timestamp() * 1000)),
        "limit": _PAGE_EVENTS,
    }
    while True:
        answer = logs.filter_log_events(**request)
        page: list[Any] = answer["events"]
        if "nextToken" in answer:
            request["nextToken"] = answer["nextToken"]
        elif len(page) < _PAGE_EVENTS or page[-1]["timestamp"] == request["startTime"]:
            yield page
            return
        else:
            # The local engine gives no token: go on from the last moment, which may go on itself.
            last = page[-1]["timestamp"]
            page = [event for event in page if event["timestamp"] < last]
            request = {**request, "startTime": last}
        yield page


@dataclass
class _Stream:
    """What is known of the call that a log stream is in; a stream has one call at a time."""

    request_id: str = ""
    job: str = ""
    chunk: int | None = None
    level: str = ""


def parse_events(events: Iterable[Any]) -> Iterator[LogLine]:
    """Yield log lines of CloudWatch events, each with the call that it belongs to.

    Job and chunk stand in structured lines only; other lines get those of a structured line before
    them in the same call.
    """
    streams: dict[str, _Stream] = {}
    for event in events:
        name, raw = event.get("logStreamName", ""), event["message"].rstrip("\r\n")
        stream = streams.setdefault(name, _Stream())
        platform = _REQUEST.match(raw)
        if platform:
            if platform[1] == "START" or stream.request_id != platform[2]:
                stream = streams[name] = _Stream(platform[2])
            stream.level = ""
        structured = {} if platform else _structured(raw)
        if structured:
            stream.request_id = str(structured.get("correlation_id") or stream.request_id)
            stream.job = str(structured.get("job") or stream.job)
            stream.chunk = _number(structured.get("chunk"), stream.chunk)
            stream.level = ""
        elif raw.startswith(_TRACEBACK):
            # The local engine gives each line of a traceback as an event; AWS gives one for all.
            stream.level = "ERROR"
        marked = _LEVEL.match(raw)
        yield LogLine(
            time_ms=event["timestamp"],
            level=str(structured.get("level") or (marked[1] if marked else stream.level)),
            message=str(structured.get("message", raw)),
            job=stream.job,
            chunk=stream.chunk,
            request_id=stream.request_id,
            raw=raw,
        )


def _structured(raw: str) -> dict[str, Any]:
    if not raw.startswith("{"):
        return {}
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    # A function may print JSON of its own; a line of the logger has these two.
    return found if isinstance(found, dict) and {"level", "message"} <= found.keys() else {}


def _number(value: Any, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) else otherwise


@dataclass
class _Call:
    """The lines of a call of which it is not known yet whose it is."""

    lines: list[LogLine] = field(default_factory=list)
    wanted: bool = False


def of_job(lines: Iterable[LogLine], job: str) -> Iterator[LogLine]:
    """Yield all lines of the calls that were made for a job.

    A call's first line says nothing of the job, so lines are kept back until one does.
    """
    calls: dict[str, _Call] = {}
    for line in lines:
        if not line.request_id:
            continue
        call = calls.setdefault(line.request_id, _Call())
        call.lines.append(line)
        call.wanted = call.wanted or line.job == job
        if call.wanted:
            yield from call.lines
            call.lines = []
        if line.raw.startswith("REPORT"):
            del calls[line.request_id]


def logs_frame(lines: Iterable[LogLine]) -> pd.DataFrame:
    """Return log lines as a DataFrame, see `function_logs`; no lines give the same columns."""
    import pandas as pd

    rows = sorted(lines, key=lambda line: line.time_ms)
    times = pd.Series([row.time_ms for row in rows], dtype="int64")
    columns: dict[str, Any] = {
        "time": pd.to_datetime(times, unit="ms", utc=True).astype("datetime64[ms, UTC]")
    }
    for name in ("level", "message", "job"):
        columns[name] = pd.Series([getattr(row, name) for row in rows], dtype="str")
    columns["chunk"] = pd.Series([row.chunk for row in rows], dtype="Int64")
    for name in ("request_id", "raw"):
        columns[name] = pd.Series([getattr(row, name) for row in rows], dtype="str")
    return pd.DataFrame(columns)
