"""What every handler shares: one log line, outcomes, and errors by their right name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from batchcore import errors
from batchcore.errors import BalanceError, JobEndingError, SchemaError, TransientError
from batchcore.runtime import chunk_step, entry_point, is_transient, job_step, step
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from support import chunk_event, context

Log = Callable[[], list[dict[str, Any]]]
WRAPPERS = [entry_point, step, job_step]
JOB_ERRORS = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, JobEndingError)
]


def client_error(code: str, status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Call")


def failing(error: Exception) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise error

    return handler


def good(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do nothing much."""
    return {"rows": event["chunk"]["rows"]}


def idle(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {}


TRANSIENT = [
    client_error("ThrottlingException"),
    client_error("Throttling"),
    client_error("ProvisionedThroughputExceededException"),
    client_error("RequestLimitExceeded"),
    client_error("TooManyRequestsException", 429),
    client_error("SlowDown", 503),
    client_error("InternalError", 500),
    client_error("503", 503),
    EndpointConnectionError(endpoint_url="https://example.com"),
    ConnectionClosedError(endpoint_url="https://example.com"),
    ReadTimeoutError(endpoint_url="https://example.com"),
    ResponseStreamingError(error="cut"),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    CredentialRetrievalError(provider="role", error_msg="x"),
]
LASTING = [
    client_error("AccessDenied", 403),
    client_error("NoSuchKey", 404),
    client_error("ValidationException"),
    client_error("404", 404),
    NoCredentialsError(),
    ParamValidationError(report="x"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_passing_trouble_of_aws_asks_for_a_retry(wrap: Any, error: Exception) -> None:
    with pytest.raises(TransientError, match=re.escape(str(error))) as caught:
        wrap(failing(error))({}, context())
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", LASTING, ids=repr)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_other_errors_of_aws_stay_what_they_are(wrap: Any, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        wrap(failing(error))({}, context())
    assert caught.value is error
    assert not is_transient(error)


@pytest.mark.parametrize("error", [KeyError("x"), SchemaError("x"), MemoryError()], ids=repr)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_faults_of_our_own_pass(wrap: Any, error: Exception) -> None:
    with pytest.raises(type(error)):
        wrap(failing(error))({}, context())


@pytest.mark.parametrize("kind", JOB_ERRORS)
def test_error_of_the_job_is_an_outcome_of_a_job_step(kind: type[JobEndingError]) -> None:
    result = job_step(failing(kind("row 3")))({}, context())
    assert result.pop("ms") >= 0
    assert result == {"failure": {"Error": kind.__name__, "Cause": "row 3"}}


def test_error_of_the_job_is_an_error_of_a_chunk_step() -> None:
    with pytest.raises(BalanceError):
        step(failing(BalanceError("x")))({}, context())


@pytest.mark.parametrize("wrap", [step, job_step])
def test_step_says_how_long_it_took(wrap: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 10.0, 10.25, 10.25, 11.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    assert wrap(good)({"chunk": {"rows": 3}}, context()) == {"rows": 3, "ms": 250}


def test_step_of_a_chunk_says_when_it_began_and_whether_its_process_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("batchcore.items.utc_now", lambda: "2026-11-23T06:00:00.000Z")
    seen: list[Any] = []

    def handler(event: Any, _: Any) -> Any:
        seen.append((event["at"], event["cold"]))
        return {"rows": 3}

    wrapped = chunk_step(handler)
    results = [wrapped({}, context()) for _ in range(3)]
    assert [each["cold"] for each in results] == [True, False, False]
    assert {each["at"] for each in results} == {"2026-11-23T06:00:00.000Z"}
    assert seen == [(each["at"], each["cold"]) for each in results]


def test_entry_point_leaves_the_result_as_it_is() -> None:
    assert entry_point(good)({"chunk": {"rows": 3}}, context()) == {"rows": 3}


def test_wrapped_handler_keeps_its_name_and_docstring() -> None:
    for wrap in WRAPPERS:
        assert (wrap(good).__name__, wrap(good).__doc__) == ("good", "Do nothing much.")


# --------------------------------------------------------------------------------- log


def test_one_line_says_which_job_and_chunk_is_done(log: Log) -> None:
    step(good)(chunk_event("orders-000000000001", number=7), context())
    (line,) = log()
    assert line["message"] == "done"
    assert (line["job"], line["chunk"]) == ("orders-000000000001", 7)
    assert line["correlation_id"] == context().aws_request_id
    assert line["ms"] >= 0


def test_one_line_says_that_it_failed(log: Log) -> None:
    with pytest.raises(KeyError):
        step(good)({"jobId": "j"}, context())
    (line,) = log()
    assert (line["message"], line["job"], line.get("chunk")) == ("failed", "j", None)


def test_next_event_does_not_inherit_job_or_chunk(log: Log) -> None:
    step(good)(chunk_event("first"), context())
    entry_point(idle)({}, context())
    assert (log()[1].get("job"), log()[1].get("chunk")) == (None, None)


def test_log_holds_no_content_of_rows(log: Log) -> None:
    cause = "row 3: secret@example.com"
    event = {**chunk_event("j"), "raw": cause}
    job_step(failing(BalanceError(cause)))(event, context())
    with pytest.raises(TransientError):
        step(failing(client_error("SlowDown")))(event, context())
    assert [line["message"] for line in log()] == ["the job cannot continue", "done", "failed"]
    assert log()[0]["error"] == "BalanceError"
    assert "secret" not in json.dumps(log())


def test_event_of_another_shape_is_logged_too(log: Log) -> None:
    entry_point(idle)({"Records": []}, None)
    assert log()[0]["message"] == "done"
