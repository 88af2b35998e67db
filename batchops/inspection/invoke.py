"""Call a deployed function with one event."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from batchops.core.errors import FunctionFailedError, InputError, translated
from batchops.deployment.resources import check_deployed, unknown_function

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

# A function may run for 900 s (AWS Lambda quotas). A call that is retried would run it twice.
_PATIENT = Config(read_timeout=910, retries={"total_max_attempts": 1}, tcp_keepalive=True)


def invoke_target(
    stack: StackRef, function: str, event: Mapping[str, Any] | str | Path
) -> dict[str, Any] | list[Any] | str | int | float | bool | None:
    """Call a deployed function, and return its result.

    A call that fails is not repeated.

    Raises
    ------
    FunctionFailedError
        The function raised an error, ran out of time or memory, or could not start.
    InputError
        The stack has no such function, or the event is not JSON.
    StackNotFoundError, AwsError
    """
    check_deployed(stack)
    client = stack.target.new_client("lambda", _PATIENT)
    with translated(f"invoking {function!r}"):
        try:
            answer = client.invoke(
                FunctionName=f"{stack.name}-{function}",
                Payload=json.dumps(read_event(event)).encode(),
                LogType="Tail",
            )
            payload: Any = json.loads(answer["Payload"].read() or b"null")
        except client.exceptions.ResourceNotFoundException as error:
            raise unknown_function(stack, function) from error
    if "FunctionError" not in answer:
        result: dict[str, Any] = payload
        return result
    details = payload if isinstance(payload, dict) else {}
    error_type = str(details.get("errorType") or answer["FunctionError"])
    message = str(details.get("errorMessage", payload)).rstrip(". ")
    log = base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace").strip()
    raise FunctionFailedError(
        f"{function} failed with {error_type}: {message}; to "
        f"debug it, invoke it in this process with the same event. Its last lines:",
        function=function,
        error_type=error_type,
        log=log,
    )


def read_event(event: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """Return the event as Lambda passes it on: a copy, of JSON values only.

    Raises
    ------
    InputError
        The event is not a JSON object, or its file cannot be read.
    """
    try:
        if isinstance(event, Mapping):
            found = json.loads(json.dumps(dict(event)))
        else:
            found = json.loads(Path(event).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the event {event} cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"the event is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"the event is a JSON {type(found).__name__}: an object is wanted")
    return found
