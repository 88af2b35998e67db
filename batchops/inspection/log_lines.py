"""Lines of the functions' logs, each with the call and the job that it belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_REQUEST = re.compile(r"^(START|END|REPORT) RequestId: ([0-9a-f-]{36})")
# The Lambda runtime for Python writes these for print-like logging and for uncaught exceptions.
_LEVEL = re.compile(r"^\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\]")
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True)
class LogLine:
    """One line of a function's log; `raw` is the line as it was written."""

    time_ms: int
    level: str
    message: str
    job: str
    chunk: int | None
    request_id: str
    raw: str


@dataclass
class _Stream:
    """What is known about the current call of a log stream; a stream has one call at a time."""

    request_id: str = ""
    job: str = ""
    chunk: int | None = None
    level: str = ""


def parse_events(events: Iterable[Any]) -> Iterator[LogLine]:
    """Yield log lines of CloudWatch events, each with the call that it belongs to.

    Only structured lines name job and chunk; other lines get those of an earlier structured line of
    the same call.
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
            # On the local engine each line of a traceback is an event; on AWS all are one.
            stream.level = "ERROR"
        marked = _LEVEL.match(raw)
        yield LogLine(
            time_ms=event["timestamp"],
            level=str(structured.get("level") or (marked[1] if marked else stream.level)),
            # Lambda puts tabs between the fields of its lines, which tables would show as escapes.
            message=str(structured.get("message", raw.replace("\t", " "))),
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
    # A function may print its own JSON; a line of the logger has these two keys.
    return found if isinstance(found, dict) and {"level", "message"} <= found.keys() else {}


def _number(value: Any, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) else otherwise


@dataclass
class _Call:
    """The lines of a call whose job is not known yet."""

    lines: list[LogLine] = field(default_factory=list)
    wanted: bool = False


def of_job(lines: Iterable[LogLine], job: str) -> Iterator[LogLine]:
    """Yield all lines of the calls that were made for a job.

    The first line of a call does not name the job, so lines are kept until one does.
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
