"""Reading log groups: what a line says, which call and which job it belongs to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from support import stack_ref

from batchops.core.errors import InputError
from batchops.core.stack_ref import StackRef
from batchops.inspection.log_lines import of_job, parse_events
from batchops.inspection.logs import follow_logs, function_logs, logs_frame, parse_since

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REQUESTS = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(10)]


def _event(message: str, *, time: int = 1_000, stream: str = "a") -> dict[str, Any]:
    return {"logStreamName": stream, "timestamp": time, "message": message}


def _structured(
    request: str, job: str | None, chunk: int | None = None, level: str = "INFO"
) -> str:
    line = {"level": level, "message": "done", "correlation_id": request, "service": "batchops"}
    return json.dumps(line | ({"job": job} if job else {}) | ({"chunk": chunk} if chunk else {}))


def _call(request: str, *lines: str, stream: str = "a", time: int = 1_000) -> list[dict[str, Any]]:
    messages = [
        f"START RequestId: {request} Version: $LATEST\n",
        *lines,
        f"END RequestId: {request}\n",
        f"REPORT RequestId: {request}\tDuration: 3 ms\n",
    ]
    return [_event(message, stream=stream, time=time) for message in messages]


# ----------------------------------------------------------------------------------- since


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2 h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_since_goes_back_from_now(text: str, back: timedelta) -> None:
    assert parse_since(text, now=NOW) == NOW - back


def test_since_takes_datetimes_and_means_utc_where_no_zone_is_given() -> None:
    assert parse_since(datetime(2026, 11, 23, 12)) == NOW
    ahead = datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2)))
    assert parse_since(ahead) == NOW


@pytest.mark.parametrize("text", ["", "10", "m", "ten minutes", "-5m", "1w", "9999999999d"])
def test_since_that_cannot_be_read_is_answered_with_examples(text: str) -> None:
    with pytest.raises(InputError, match="since is"):
        parse_since(text, now=NOW)


# ----------------------------------------------------------------------------------- lines


def test_structured_line_gives_level_message_job_and_chunk() -> None:
    lines = list(parse_events(_call(REQUESTS[0], _structured(REQUESTS[0], "orders-1", 7))))
    line = lines[1]
    assert (line.level, line.message, line.job, line.chunk) == ("INFO", "done", "orders-1", 7)
    assert {found.request_id for found in lines} == {REQUESTS[0]}
    assert lines[0].level == ""
    assert lines[3].raw == f"REPORT RequestId: {REQUESTS[0]}\tDuration: 3 ms"
    assert lines[3].message == f"REPORT RequestId: {REQUESTS[0]} Duration: 3 ms"


def test_traceback_in_many_events_is_an_error_until_the_call_ends() -> None:
    events = _call(
        REQUESTS[0],
        _structured(REQUESTS[0], "orders-1", 2),
        "Traceback (most recent call last):",
        '  File "app.py", line 1',
        "KeyError: 'key'",
    )
    levels = [line.level for line in parse_events(events)]
    assert levels == ["", "INFO", "ERROR", "ERROR", "ERROR", "", ""]
    assert {line.job for line in parse_events(events)} == {"", "orders-1"}


def test_level_of_the_runtime_s_own_lines_is_known() -> None:
    (line,) = parse_events([_event("[ERROR] KeyError: 'key'\rTraceback (most recent call last):")])
    assert line.level == "ERROR"


@pytest.mark.parametrize("raw", ["{not json", "[1, 2]", '{"rows": 3}', "", "plain text"])
def test_line_that_is_not_the_logger_s_is_kept_as_it_is(raw: str) -> None:
    (line,) = parse_events([_event(raw)])
    assert (line.message, line.raw, line.level, line.job) == (raw, raw, "", "")


def test_calls_of_two_streams_are_told_apart() -> None:
    first = _call(REQUESTS[0], _structured(REQUESTS[0], "orders-1", 1), stream="a")
    second = _call(REQUESTS[1], _structured(REQUESTS[1], "sales-2", 5), stream="b")
    mixed = [event for pair in zip(first, second, strict=True) for event in pair]
    found = {(line.request_id, line.chunk) for line in parse_events(mixed) if line.job}
    assert found == {(REQUESTS[0], 1), (REQUESTS[1], 5)}


def test_second_call_in_a_stream_does_not_inherit_the_first_one_s_job() -> None:
    events = _call(REQUESTS[0], _structured(REQUESTS[0], "orders-1", 1))
    events += _call(REQUESTS[1], "print() of some function")
    assert [line.job for line in parse_events(events)][4:] == ["", "", "", ""]


def test_lines_of_a_job_are_whole_calls() -> None:
    events = _call(REQUESTS[0], "before", _structured(REQUESTS[0], "orders-1", 1), "after")
    events += _call(REQUESTS[1], _structured(REQUESTS[1], "sales-2", 1))
    events += [_event("INIT_START Runtime Version: python:3.13", stream="c")]
    found = list(of_job(parse_events(events), "orders-1"))
    assert [line.raw for line in found] == [event["message"].rstrip("\n") for event in events[:6]]


def test_frame_has_its_columns_also_without_lines() -> None:
    frame = logs_frame([])
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "time": "datetime64[ms, UTC]",
        "level": "str",
        "message": "str",
        "job": "str",
        "chunk": "Int64",
        "request_id": "str",
        "raw": "str",
    }
    one = logs_frame(parse_events([_event("x", time=1_795_416_212_785)]))
    assert one.dtypes.equals(frame.dtypes)
    assert one["time"][0].isoformat() == "2026-11-23T06:43:32.785000+00:00"


# ------------------------------------------------------------------------------------ reading


def _stack(**clients: Any) -> StackRef:
    return stack_ref("demo", outputs={"JobTableName": "jobs"}, **clients)


def _client(service: str) -> Any:
    session = boto3.Session(
        aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1"
    )
    return session.client(service)


def _request(**more: Any) -> dict[str, Any]:
    return {
        "logGroupName": "/aws/lambda/demo-validate-data",
        "startTime": ANY,
        "limit": 10_000,
        **more,
    }


def test_pages_are_followed_and_the_latest_lines_kept() -> None:
    logs = _client("logs")
    stack = _stack(logs=logs)
    pages = [[_event(f"line {n}", time=n) for n in range(start, start + 3)] for start in (0, 3)]
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", {"events": pages[0], "nextToken": "t"}, _request())
        stub.add_response("filter_log_events", {"events": pages[1]}, _request(nextToken="t"))
        frame = function_logs(stack, "validate-data", since="1h", limit=4)
    assert list(frame["raw"]) == ["line 2", "line 3", "line 4", "line 5"]


def test_engine_that_gives_no_token_is_asked_again_from_the_last_moment() -> None:
    logs = _client("logs")
    stack = _stack(logs=logs)
    full = [_event(f"line {n}", time=n // 2) for n in range(10_000)]
    rest = [_event(f"line {n}", time=n // 2) for n in range(9_998, 10_003)]
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", {"events": full}, _request())
        stub.add_response("filter_log_events", {"events": rest}, _request(startTime=4_999))
        frame = function_logs(stack, "validate-data", since="1h", limit=20_000)
    assert list(frame["raw"]) == [f"line {n}" for n in range(10_003)]


def test_unknown_function_is_answered_with_the_known_ones() -> None:
    logs, cfn = _client("logs"), _client("cloudformation")
    stack = _stack(logs=logs, cloudformation=cfn)
    summary = {
        "LogicalResourceId": "ReadFileFunction",
        "PhysicalResourceId": "demo-read-file",
        "ResourceType": "AWS::Lambda::Function",
        "LastUpdatedTimestamp": NOW,
        "ResourceStatus": "CREATE_COMPLETE",
    }
    with Stubber(logs) as stub, Stubber(cfn) as cfn_stub:
        stub.add_client_error("filter_log_events", "ResourceNotFoundException")
        cfn_stub.add_response("list_stack_resources", {"StackResourceSummaries": [summary]})
        with pytest.raises(InputError, match="no function 'readfile': it has read-file"):
            function_logs(stack, "readfile")


def test_limit_must_be_a_number_of_lines() -> None:
    stack = _stack()
    with pytest.raises(InputError, match="limit is 0"):
        function_logs(stack, "validate-data", limit=0)


# ----------------------------------------------------------------------------- as they come


class Group:
    """A log group whose events come bit by bit, some of them late."""

    class exceptions:  # noqa: N801  (as boto3 calls it)
        ResourceNotFoundException = type("ResourceNotFoundException", (Exception,), {})

    def __init__(self, *parts: list[dict[str, Any]]) -> None:
        self._parts = iter(parts)
        self._events: list[dict[str, Any]] = []
        self.asked_from: list[int] = []

    def filter_log_events(self, *, startTime: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.asked_from.append(startTime)
        self._events += next(self._parts, [])
        events = [each for each in self._events if each["timestamp"] >= startTime]
        return {"events": sorted(events, key=lambda each: each["timestamp"])}

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}


def test_lines_are_followed_late_ones_too_and_none_is_told_twice() -> None:
    second = 1_000
    group = Group(
        [_event("a", time=100 * second), _event("a", time=100 * second)],
        [],
        [_event("late", time=90 * second), _event("b", time=300 * second)],
        [_event("b", time=300 * second)],
    )
    stack = stack_ref(outputs={}, logs=group, cloudformation=group)
    since = datetime.fromtimestamp(0, UTC)
    parts = follow_logs(stack, "read-file", since=since, sleep=lambda _: None)
    assert [list(next(parts)["raw"]) for _ in range(3)] == [["a", "a"], ["late", "b"], ["b"]]
    # What was shown long ago is not read again.
    assert group.asked_from == [0, 40 * second, 40 * second, 240 * second]


def test_line_of_the_first_millisecond_is_told_once() -> None:
    group = Group([_event("a", time=1_000)], [], [_event("b", time=1_001)])
    stack = stack_ref(outputs={}, logs=group, cloudformation=group)
    since = datetime.fromtimestamp(1.0004, UTC)
    parts = follow_logs(stack, "read-file", since=since, sleep=lambda _: None)
    assert [list(next(parts)["raw"]) for _ in range(2)] == [["a"], ["b"]]


def test_an_empty_log_has_columns_before_it_is_followed() -> None:
    group = Group()
    stack = stack_ref(outputs={}, logs=group, cloudformation=group)
    first = next(follow_logs(stack, "read-file", since="1m", sleep=lambda _: None))
    assert first.empty
    assert "raw" in first.columns
