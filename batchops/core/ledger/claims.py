"""Conditional updates of the ledger, by which only one process makes a job's next attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from batchcore import aws, items, workflow
from batchcore.errors import StaleAttemptError

from batchops.core.errors import AccessDeniedError, JobRunningError, explain_failure, translated
from batchops.core.ledger.job_items import JobEntry, started_by, stopped_by
from batchops.core.ledger.job_table import chunk_entries, job_entry

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

_WORKERS = 8
# The error of a mail that was never tried to the end.
UNSENT = "NotSent"
# What the next attempt of a chunk makes again. Its errors are known until then: errorPiece stays.
_RESULTS = (
    "startTime",
    "endTime",
    "executionArn",
    "valid",
    "rejected",
    "errors",
    "sizeBytes",
    "versions",
    "stepMs",
    "stepStarts",
    "coldSteps",
    "failedStep",
    "error",
    "cause",
)


def claim(
    stack: StackRef,
    found: JobEntry,
    *,
    attempt: int,
    token: str,
    settings: Mapping[str, str | int] | None = None,
    code: Mapping[str, str] | None = None,
) -> None:
    """Enter that an attempt is under way, if the JOB entry is still as it was `found`.

    Parameters
    ----------
    token
        Identifies the claim of this process.
    settings, code
        Parameters of the job that change, and the functions' fingerprints; both are kept as they
        are if not given.

    Raises
    ------
    JobRunningError
        If the entry has changed since.
    """
    values: dict[str, Any] = items.attributes(
        {
            "attempt": attempt,
            "status": workflow.RUNNING,
            "attemptTime": items.utc_now(),
            "attemptToken": token,
            **(settings or {}),
            started_by(attempt): stack.target.caller,
        }
    )
    if code is not None:
        values["code"] = {"M": {name: {"S": text} for name, text in code.items()}}
    # The mail of the attempt before is none of this one. Counts stay: metrics tell their changes.
    remove = ("error", "cause", "endTime", "mailStatus", "mailTime", "mailError", "mailCause")
    condition: dict[str, str | int] = {"attempt": found.attempt, "status": found.status}
    job_id = found.job_id
    if not _update(stack, job_id, items.JOB_ENTRY, values, remove=remove, condition=condition):
        # boto3 repeats a call whose answer was lost: then the entry is ours already.
        now = job_entry(stack, job_id)
        if now is not None and now.attempt_token == token:
            return
        raise JobRunningError(
            f"job {job_id} was started elsewhere while this was planned: look at its "
            "status, and plan again when it has ended",
            job_id=job_id,
        )


def _update(
    stack: StackRef,
    job_id: str,
    entry: str,
    values: Mapping[str, Any],
    *,
    remove: Sequence[str] = (),
    condition: Mapping[str, str | int],
) -> bool:
    """Set and remove attributes of an entry if others are as expected; return whether they are."""
    names = {f"#{name}": name for name in (*values, *remove, *condition)}
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    if remove:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
    expected = {f":was_{k}": v for k, v in items.attributes(condition).items()}
    dynamodb = stack.client("dynamodb")
    with translated(f"updating {entry} of job {job_id!r}"):
        try:
            dynamodb.update_item(
                TableName=stack.outputs["JobTableName"],
                Key={"jobId": {"S": job_id}, "entry": {"S": entry}},
                UpdateExpression=expression,
                ConditionExpression=" AND ".join(f"#{k} = :was_{k}" for k in condition),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={f":{k}": v for k, v in values.items()} | expected,
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
    return True


def abort(stack: StackRef, job_id: str, entry: str, *, attempt: int, was: str, cause: str) -> bool:
    """Enter that a job or a chunk was stopped, and by whom; False if it has changed since."""
    values = {
        "status": workflow.ABORTED,
        "endTime": items.utc_now(),
        "error": "Stopped",
        "cause": cause,
    }
    if entry == items.JOB_ENTRY:
        values[stopped_by(attempt)] = stack.target.caller
    condition: dict[str, str | int] = {"attempt": attempt, "status": was}
    return _update(stack, job_id, entry, items.attributes(values), condition=condition)


def enter_end(stack: StackRef, found: JobEntry, execution: Mapping[str, Any]) -> JobEntry:
    """Enter the end of an execution that could not do so itself, and return the entry with it.

    It was stopped from outside, ran out of time, or its engine ended. If the entry has changed
    since it was `found`, the ledger stays as it is, and the entry is returned as it is now. It
    stays as it is, too, if these credentials may not write to it.

    Parameters
    ----------
    execution
        What Step Functions says of it.
    """
    values = {"status": execution["status"], "endTime": items.timestamp(execution["stopDate"])}
    values |= {name: execution[name] for name in ("error", "cause") if execution.get(name)}
    condition: dict[str, str | int] = {"attempt": found.attempt, "status": found.status}
    job_id = found.job_id
    with suppress(AccessDeniedError):
        written = items.attributes(values)
        if not _update(stack, job_id, items.JOB_ENTRY, written, condition=condition):
            return job_entry(stack, job_id) or found
        for chunk in chunk_entries(stack, job_id):
            if (chunk.status, chunk.attempt) == (workflow.RUNNING, found.attempt):
                expected: Any = {"attempt": chunk.attempt, "status": chunk.status}
                ended = {**values, "status": workflow.ABORTED}
                _update(stack, job_id, chunk.name, items.attributes(ended), condition=expected)
    return JobEntry({**found.item, **values})


def enter_unsent(stack: StackRef, found: JobEntry, execution: Mapping[str, Any]) -> JobEntry:
    """Enter that a job's mail was not sent, because its execution ended before.

    As in `enter_end`, an entry that has changed since it was `found` stays as it is, and so does
    one that these credentials may not write to.

    Parameters
    ----------
    execution
        What Step Functions says of it; empty if it knows it no more.
    """
    error = execution.get("error")
    why = f" ({explain_failure(error, execution.get('cause', ''))})" if error else ""
    values = {
        "mailStatus": workflow.MAIL_FAILED,
        "mailError": UNSENT,
        "mailCause": f"the workflow ended before the mail was sent{why}",
    }
    condition: dict[str, str | int] = {
        "attempt": found.attempt,
        "status": found.status,
        "mailStatus": workflow.MAIL_PENDING,
    }
    with suppress(AccessDeniedError):
        written = items.attributes(values)
        if not _update(stack, found.job_id, items.JOB_ENTRY, written, condition=condition):
            return job_entry(stack, found.job_id) or found
    return JobEntry({**found.item, **values})


def release(stack: StackRef, job_id: str, attempt: int, token: str, error: BaseException) -> None:
    """Enter that a claimed attempt was not started, so that the next need not wait."""
    interrupted = isinstance(error, KeyboardInterrupt)
    cause = "it was interrupted" if interrupted else f"{type(error).__name__}: {error}"
    values = {"status": workflow.FAILED, "endTime": items.utc_now(), "error": "NotStarted"}
    condition: dict[str, str | int] = {"attempt": attempt, "attemptToken": token}
    found = items.attributes({**values, "cause": cause})
    _update(stack, job_id, items.JOB_ENTRY, found, condition=condition)


def queue_up(stack: StackRef, job_id: str, attempt: int, token: str) -> None:
    """Enter that a claimed attempt waits for a slot.

    Raises
    ------
    JobRunningError
        If the job was stopped, or a later attempt has taken it over.
    """
    values = items.attributes({"status": workflow.QUEUED})
    condition: dict[str, str | int] = {
        "attempt": attempt,
        "attemptToken": token,
        "status": workflow.RUNNING,
    }
    if not _update(stack, job_id, items.JOB_ENTRY, values, condition=condition):
        # boto3 repeats a call whose answer was lost: then the entry is QUEUED by us.
        now = job_entry(stack, job_id)
        if now is not None and (now.attempt_token, now.status) == (token, workflow.QUEUED):
            return
        raise JobRunningError(
            f"job {job_id} was stopped or started elsewhere before attempt {attempt} started: "
            "look at its status",
            job_id=job_id,
        )


def mark_pending(
    stack: StackRef,
    job_id: str,
    attempt: int,
    chunks: Iterable[tuple[str, int]],
    *,
    resplit: bool = False,
) -> None:
    """Enter that chunks have no valid result until this attempt gives them one.

    Parameters
    ----------
    chunks
        Each chunk's entry in the ledger, and its rows.
    resplit
        Whether the file is split again, so that a chunk may get other rows than it had.

    Raises
    ------
    JobRunningError
        If a later attempt has taken one of them over.
    """
    dynamodb, table = stack.client("dynamodb"), stack.outputs["JobTableName"]
    remove = (*_RESULTS, "errorPiece") if resplit else _RESULTS

    def mark(chunk: tuple[str, int]) -> None:
        entry, rows = chunk
        values: dict[str, items.Value] = {"status": workflow.PENDING, "rows": rows}
        aws.update_entry(dynamodb, table, job_id, entry, values, attempt=attempt, remove=remove)

    with (
        translated(f"marking chunks of job {job_id!r}"),
        _not_overtaken(job_id, "marked"),
        ThreadPoolExecutor(_WORKERS) as pool,
    ):
        for _ in pool.map(mark, chunks):
            pass


def delete_entries(stack: StackRef, job: JobEntry) -> int:
    """Delete the entries of a job that has ended, its own last; return how many there were.

    Raises
    ------
    JobRunningError
        If somebody has begun another attempt.
    """
    dynamodb, table = stack.client("dynamodb"), stack.outputs["JobTableName"]
    with translated(f"deleting the entries of job {job.job_id!r}"):
        chunks = aws.query_entries(dynamodb, table, job.job_id, items.CHUNK_PREFIX)
        found = [{"jobId": job.job_id, "entry": str(chunk["entry"])} for chunk in chunks]
        gone = [{"DeleteRequest": {"Key": items.attributes(key)}} for key in found]
        aws.batch_write(dynamodb, table, gone)
        try:
            dynamodb.delete_item(
                TableName=table,
                Key=items.attributes({"jobId": job.job_id, "entry": items.JOB_ENTRY}),
                ConditionExpression="attempt = :attempt",
                ExpressionAttributeValues=items.attributes({":attempt": job.attempt}),
            )
        except dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise JobRunningError(
                f"another attempt of job {job.job_id} was begun while it was deleted: stop it, and "
                "repeat this",
                job_id=job.job_id,
            ) from error
    return len(found) + 1


def name_manifest(stack: StackRef, job_id: str, key: str, *, attempt: int) -> None:
    """Enter the key of the list of chunks that counts from now on.

    Raises
    ------
    JobRunningError
        If a later attempt has taken the job over.
    """
    dynamodb, table = stack.client("dynamodb"), stack.outputs["JobTableName"]
    values = {"manifestKey": key}
    with translated(f"updating the entry of job {job_id!r}"), _not_overtaken(job_id, "patched"):
        aws.update_entry(dynamodb, table, job_id, items.JOB_ENTRY, values, attempt=attempt)


@contextmanager
def _not_overtaken(job_id: str, doing: str) -> Iterator[None]:
    """Turn an update that a later attempt has prevented into an error that says what to do."""
    try:
        yield
    except StaleAttemptError as error:
        raise JobRunningError(
            f"job {job_id} was started elsewhere while its chunks were {doing}: look at its "
            "status, and plan again when it has ended",
            job_id=job_id,
        ) from error
