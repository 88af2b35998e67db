"""Wrappers for handlers: one log line per call, outcomes, and names for transient errors."""

import sys
import time
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from batchcore import items
from batchcore.errors import JobEndingError, TransientError
from batchcore.texts import printable

Event = dict[str, Any]
Result = dict[str, Any]
Handler = Callable[[Event, Any], Result]

# Log to stderr, because the local engine waits 50 ms for a line there after each call. On Lambda,
# both streams go to the same log.
logger = Logger(stream=sys.stderr, utc=True)

_THROTTLES = {
    "InternalError",
    "InternalServerError",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}

_PASSING = (
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)


def is_transient(error: BaseException) -> bool:
    """Return whether an error of the SDK may be gone on a later try."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response.get("Error", {}).get("Code") in _THROTTLES or status >= 500
    return isinstance(error, _PASSING)


def entry_point(handler: Handler) -> Handler:
    """Wrap a handler: log one line when it ends, and raise transient errors as `TransientError`."""

    @wraps(handler)
    def wrapper(event: Event, context: Any) -> Result:
        logger.set_correlation_id(getattr(context, "aws_request_id", None))
        logger.append_keys(job=event.get("jobId"), chunk=event.get("chunk", {}).get("number"))
        started = time.monotonic()
        outcome = "failed"
        try:
            result = handler(event, context)
            outcome = "done"
        except (ClientError, BotoCoreError) as error:
            if is_transient(error):
                raise TransientError(str(error)) from error
            raise
        finally:
            logger.info(outcome, extra={"ms": _since(started)})
        return result

    return wrapper


def step(handler: Handler) -> Handler:
    """Wrap the handler of a workflow step: an entry point that adds its duration to the result."""

    @wraps(handler)
    def timed(event: Event, context: Any) -> Result:
        started = time.monotonic()
        return {**handler(event, context), "ms": _since(started)}

    return entry_point(timed)


def chunk_step(handler: Handler) -> Handler:
    """Wrap the handler of a chunk's step: a step that also says when its function began.

    Event and result get ``at``, the time, and ``cold``, whether the call is the first of its
    process, so that people see what a cold start took.
    """
    calls = count()

    @wraps(handler)
    def clocked(event: Event, context: Any) -> Result:
        began = {"at": items.utc_now(), "cold": next(calls) == 0}
        return {**handler({**event, **began}, context), **began}

    return step(clocked)


def failure(error: JobEndingError) -> Result:
    """Return an error as an outcome, in the shape that a state's Catch would produce.

    The cause goes into notices and the ledger, and may name files and columns. It is one line, so
    that whoever chose those names can write no paragraph of a notice.
    """
    return {"failure": {"Error": type(error).__name__, "Cause": printable(str(error))}}


def job_step(handler: Handler) -> Handler:
    """Wrap the handler of a step that can end the job.

    A `batchcore.errors.JobEndingError` becomes a `failure`, with which the workflow ends the job.
    """

    @wraps(handler)
    def deciding(event: Event, context: Any) -> Result:
        try:
            return handler(event, context)
        except JobEndingError as error:
            logger.warning("the job cannot continue", extra={"error": type(error).__name__})
            return failure(error)

    return step(deciding)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
