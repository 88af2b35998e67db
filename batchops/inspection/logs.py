"""The functions' logs as DataFrames."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from batchops.core import ledger
from batchops.core.errors import InputError, JobNotFoundError, translated
from batchops.deployment.resources import check_deployed, unknown_function
from batchops.inspection.log_lines import LogLine, of_job, parse_events

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_logs import CloudWatchLogsClient

    from batchops.core.stack_ref import StackRef

_SPAN = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# The ledger can get an execution a little after its first function started.
_MARGIN = timedelta(seconds=60)
# The most events in a page of FilterLogEvents (Amazon CloudWatch Logs API reference).
_PAGE_EVENTS = 10_000
_MAX_EVENTS = 300_000


def function_logs(
    stack: StackRef,
    function: str,
    *,
    since: str | datetime | None = None,
    until: datetime | None = None,
    job: str | None = None,
    limit: int = 1000,
) -> pd.DataFrame:
    """Return the lines that a function logged, oldest first.

    Parameters
    ----------
    stack
        The stack.
    function
        The function's name as in ``source``, such as ``"validate-data"``.
    since
        How far to go back (``"30s"``, ``"10m"``, ``"2h"``, ``"1d"``), or a time, in UTC if it has
        no zone. By default 10 minutes; with `job`, from the start of that job.
    until
        A time; later lines are not read. By default now.
    job
        Only lines of calls for this job, tracebacks included.
    limit
        The most lines to return; these are the latest.

    Returns
    -------
    DataFrame
        One row per line: ``time`` (datetime64[ms, UTC]), ``level`` (str: INFO, ERROR and so on,
        empty for lines of the platform), ``message`` (str; of a structured line its message),
        ``job`` (str, empty if unknown), ``chunk`` (Int64), ``request_id`` (str, of the call),
        ``raw`` (str, the line as it was written).

    Raises
    ------
    InputError
        `since` or `limit` is not usable, the stack has no such function, or there are more than
        300,000 lines to read.
    JobNotFoundError, StackNotFoundError, AwsError
    """
    start = _start(stack, since, job, limit)
    return logs_frame(deque(_lines(stack, function, start, until, job), maxlen=limit))


def follow_logs(
    stack: StackRef,
    function: str,
    *,
    since: str | datetime | None = None,
    job: str | None = None,
    limit: int = 1000,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[pd.DataFrame]:
    """Yield what `function_logs` returns, and then without end what comes, whenever there is some.

    Lines come to CloudWatch some seconds late, and not in order: one that is older than the last
    by up to a minute is found, too.
    """
    start = _start(stack, since, job, limit)
    yielded: Counter[tuple[int, str]] = Counter()
    most: int | None = limit
    while True:
        lines = list(_lines(stack, function, start, None, job))
        known, fresh = yielded.copy(), []
        for line in lines:
            if known[line.time_ms, line.raw]:
                known[line.time_ms, line.raw] -= 1
            else:
                fresh.append(line)
        if fresh or most is not None:
            yield logs_frame(deque(fresh, maxlen=most))
            most = None
        if lines:
            newest = datetime.fromtimestamp(max(line.time_ms for line in lines) / 1000, UTC)
            start = max(start, newest - _MARGIN)
        from_ms = int(start.timestamp() * 1000)  # as it is asked for, in whole milliseconds
        yielded = Counter((line.time_ms, line.raw) for line in lines if line.time_ms >= from_ms)
        sleep(stack.target.poll_s)


def _start(stack: StackRef, since: str | datetime | None, job: str | None, limit: int) -> datetime:
    if limit < 1:
        raise InputError(f"limit is {limit}: give the number of lines wanted, at least 1")
    return _job_start(stack, job) if since is None and job else parse_since(since or "10m")


def _lines(
    stack: StackRef, function: str, start: datetime, until: datetime | None, job: str | None
) -> Iterator[LogLine]:
    lines = parse_events(_events(stack, function, start, until))
    return lines if job is None else iter(of_job(lines, job))


def parse_since(since: str | datetime, *, now: datetime | None = None) -> datetime:
    """Return the time that ``"10m"``, ``"2h"``, ``"1d"`` or a datetime means, in UTC.

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
        raise InputError(f"since is {since!r}: that is too far back") from error


def _job_start(stack: StackRef, job: str) -> datetime:
    entry = ledger.job_entry(stack, job)
    if entry is None:
        raise JobNotFoundError(
            f"stack {stack.name!r} has no job {job!r}: look in the list of jobs", job_id=job
        )
    return (entry.started or entry.attempt_started) - _MARGIN


def _events(
    stack: StackRef, function: str, start: datetime, until: datetime | None
) -> Iterator[Any]:
    """Yield the events of a function's log group since a time, oldest first."""
    check_deployed(stack)
    logs = stack.client("logs")
    count = 0
    with translated(f"reading the log of {function!r}"):
        try:
            for page in _pages(logs, f"/aws/lambda/{stack.name}-{function}", start, until):
                count += len(page)
                if count > _MAX_EVENTS:
                    raise InputError(
                        f"{function} wrote more than {_MAX_EVENTS:,} lines since "
                        f"{start:%Y-%m-%d %H:%M} UTC: pass a later since=..."
                    )
                yield from page
        except logs.exceptions.ResourceNotFoundException as error:
            raise unknown_function(stack, function) from error


def _pages(
    logs: CloudWatchLogsClient, group: str, start: datetime, until: datetime | None
) -> Iterator[list[Any]]:
    request: Any = {
        "logGroupName": group,
        "startTime": max(0, int(start.timestamp() * 1000)),
        "limit": _PAGE_EVENTS,
    }
    if until is not None:
        request["endTime"] = int(until.timestamp() * 1000)
    while True:
        answer = logs.filter_log_events(**request)
        page: list[Any] = answer["events"]
        if "nextToken" in answer:
            request["nextToken"] = answer["nextToken"]
        elif len(page) < _PAGE_EVENTS or page[-1]["timestamp"] == request["startTime"]:
            yield page
            return
        else:
            # The local engine gives no token: continue at the last millisecond, which may have
            # more events.
            last = page[-1]["timestamp"]
            page = [event for event in page if event["timestamp"] < last]
            request = {**request, "startTime": last}
        yield page


def logs_frame(lines: Iterable[LogLine]) -> pd.DataFrame:
    """Return log lines as a DataFrame, see `function_logs`; without lines the columns alone."""
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
