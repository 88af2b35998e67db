"""Who makes a job's next attempt: conditional updates of the ledger, so that only one does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from batchcore import aws, items, workflow
from batchcore.errors import StaleAttemptError

from batchops.errors import JobRunningError, translated

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.ledger import Entry

# The status of a chunk that an attempt is to run and has not begun.
PENDING = "PENDING"
# The status of a job or a chunk that was stopped.
ABORTED = "ABORTED"

_WORKERS = 8
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
    "failedStep",
    "error",
    "cause",
)


def claim(
    job: Job,
    found: Entry,
    *,
    attempt: int,
    token: str,
    settings: Mapping[str, str | int] | None = None,
    code: Mapping[str, str] | None = None,
) -> None:
    """Make the JOB entry that of an attempt under way, if it is still as it was `found`.

    Parameters
    ----------
    token
        What this process knows its own claim by.
    settings, code
        Other parameters of the job, and the functions' fingerprints; as they were, if not given.

    Raises
    ------
    JobRunningError
        If it is not.
    """
    values: dict[str, Any] = items.attributes(
        {
            "attempt": attempt,
            "status": workflow.RUNNING,
            "attemptTime": items.utc_now(),
            "attemptToken": token,
            **(settings or {}),
        }
    )
    if code is not None:
        values["code"] = {"M": {name: {"S": text} for name, text in code.items()}}
    remove = ("error", "cause", "endTime")
    condition = {"attempt": found["attempt"], "status": found["status"]}
    if not _update(job, items.JOB_ENTRY, values, remove=remove, condition=condition):
        # boto3 repeats a call whose answer was lost: then the entry is ours already.
        if job.entry().get("attemptToken") == token:
            return
        raise JobRunningError(
            f"job {job.id} was taken up elsewhere while this was planned: see status(), and plan "
            "again when it has ended",
            job_id=job.id,
        )


def _update(
    job: Job,
    entry: str,
    values: Mapping[str, Any],
    *,
    remove: Sequence[str] = (),
    condition: Mapping[str, str | int],
) -> bool:
    """Set and remove attributes of an entry if others are as expected; tell whether they are."""
    names = {f"#{name}": name for name in (*values, *remove, *condition)}
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    if remove:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
    expected = {f":was_{k}": v for k, v in items.attributes(condition).items()}
    dynamodb = job.stack.client("dynamodb")
    with translated(f"updating {entry} of job {job.id!r}"):
        try:
            dynamodb.update_item(
                TableName=job.stack.outputs["JobTableName"],
                Key={"jobId": {"S": job.id}, "entry": {"S": entry}},
                UpdateExpression=expression,
                ConditionExpression=" AND ".join(f"#{k} = :was_{k}" for k in condition),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={f":{k}": v for k, v in values.items()} | expected,
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
    return True


def abort(job: Job, entry: str, *, attempt: int, was: str, cause: str) -> bool:
    """Enter that a job, or a chunk, was stopped; False if it is no more as it was."""
    values = {"status": ABORTED, "endTime": items.utc_now(), "error": "Stopped", "cause": cause}
    condition: dict[str, str | int] = {"attempt": attempt, "status": was}
    return _update(job, entry, items.attributes(values), condition=condition)


def release(job: Job, attempt: int, token: str, error: BaseException) -> None:
    """Enter that a claimed attempt was not started, so that the next need not wait."""
    cause = f"{type(error).__name__}: {error}"
    values = {"status": workflow.FAILED, "endTime": items.utc_now(), "error": "NotStarted"}
    condition: dict[str, str | int] = {"attempt": attempt, "attemptToken": token}
    found = items.attributes({**values, "cause": cause})
    _update(job, items.JOB_ENTRY, found, condition=condition)


def mark_pending(job: Job, attempt: int, chunks: Iterable[Mapping[str, Any]]) -> None:
    """Enter that the chunks have no result that counts, until this attempt gives them one.

    Raises
    ------
    JobRunningError
        If a later attempt has taken one of them over.
    """
    dynamodb, table = job.stack.client("dynamodb"), job.stack.outputs["JobTableName"]

    def mark(chunk: Mapping[str, Any]) -> None:
        values = {"status": PENDING, "rows": chunk["rows"]}
        aws.update_entry(
            dynamodb, table, job.id, chunk["entry"], values, attempt=attempt, remove=_RESULTS
        )

    with translated(f"marking chunks of job {job.id!r}"), ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for _ in pool.map(mark, chunks):
                pass
        except StaleAttemptError as error:
            raise JobRunningError(
                f"job {job.id} was taken up elsewhere while its chunks were marked: see status(), "
                "and plan again when it has ended",
                job_id=job.id,
            ) from error
