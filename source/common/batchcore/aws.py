"""AWS calls that more than one function makes. Each is safe to repeat."""

import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError

from batchcore import items
from batchcore.errors import StaleAttemptError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import ChecksumAlgorithmType

T = TypeVar("T")

# Amazon DynamoDB API reference: BatchWriteItem 25 requests, BatchGetItem 100 keys.
WRITE_BATCH = 25
GET_BATCH = 100

# Four batches in flight keep a table busy without a burst that it would throttle.
WORKERS = 4

# The most uploads in flight, and the most bytes that they hold together. A single upload may be
# larger than that.
UPLOADS_IN_FLIGHT = 32
UPLOAD_BYTES_IN_FLIGHT = 16 * 1024 * 1024

# S3 copies an input to the archive in parts of this size, and this many parts at a time, because
# one stream would be slow.
COPY_PART_BYTES = 256 * 1024 * 1024
COPIES_IN_FLIGHT = 64

# An upload in parts names its checksum when it begins, for each part and when it is completed: the
# SDK's default, left unnamed, differs between its versions, and S3 refuses parts of another one.
CHECKSUM: "ChecksumAlgorithmType" = "CRC32"
CHECKSUM_NAME = "ChecksumCRC32"

# How long a link to a result file works. The function signs it with its role's credentials, and the
# link works no longer than these. They are sure to last longer than an hour.
LINK_EXPIRES_S = 3600

# A batch is repeated as long as it gets smaller. This many tries may pass without progress.
_BACKOFF_TRIES = 8
_BACKOFF_BASE_S = 0.05
_BACKOFF_CAP_S = 5.0

# A change of a bucket is repeated for half a minute at most.
_CONFLICT_TRIES = 8
_CONFLICT_BASE_S = 0.5

# The SDK retries first, with short time-outs for connecting. What still fails, the workflow
# retries.
CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 5},
    max_pool_connections=16,
    # Validation takes half of the processor time of a BatchWriteItem, and the service validates
    # its requests anyway.
    parameter_validation=False,
)

_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed"})

# The bucket's lifecycle rule removes objects with this tag: only a rerun may still need them.
INTERMEDIATE = "kind=intermediate"

# Errors in files have this tag, and live as long as the items of ErrorRangesTable: ErrorExpiryDays.
ERRORS = "kind=errors"

# These expire where the stack's parameters say so.
COMPLETED = "kind=completed"
REJECTED = "kind=rejected"


def change_bucket(call: Callable[[], T]) -> T:
    """Change a bucket's settings; try again while S3 is busy with another change to it.

    Of two changes at once S3 refuses one with 409 OperationAborted, which the SDK does not retry.
    """
    for tried in range(_CONFLICT_TRIES):
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "OperationAborted":
                raise
        time.sleep(random.uniform(0.5, 1) * min(_BACKOFF_CAP_S, _CONFLICT_BASE_S * 2**tried))  # noqa: S311
    return call()


def is_gone(error: ClientError) -> bool:
    """Return whether S3 says that an object, or this version of it, is not in the bucket.

    The answer to a HEAD request has no code but the HTTP status. A version that is a delete marker
    is refused with 405.
    """
    return error.response["Error"]["Code"] in _GONE


def put_intermediate(s3: "S3Client", bucket: str, key: str, body: bytes) -> None:
    """Store an object that the lifecycle rule removes after IntermediateExpiryDays."""
    s3.put_object(Bucket=bucket, Key=key, Body=body, Tagging=INTERMEDIATE)


def put_version(
    s3: "S3Client", bucket: str, key: str, body: bytes, *, tag: str = INTERMEDIATE
) -> dict[str, str]:
    """Store an object of a job and return its ``key`` and ``versionId``, for `read_version`.

    The next step reads exactly that version. So a call of an abandoned attempt that is still
    running cannot put anything in its place.
    """
    answer = s3.put_object(Bucket=bucket, Key=key, Body=body, Tagging=tag)
    return {"key": key, "versionId": answer["VersionId"]}


def put_many(s3: "S3Client", bucket: str, objects: Iterable[tuple[str, bytes]]) -> list[str]:
    """Store intermediate objects in parallel and return their versions, in order.

    Many small objects are uploaded at a time, because each request takes a while whatever its
    size. Few large ones are, because they are held in memory.

    Parameters
    ----------
    objects
        Keys and contents. They are consumed as they are uploaded.
    """
    pending: deque[tuple[Future[dict[str, str]], int]] = deque()
    versions = []
    held = 0
    with ThreadPoolExecutor(UPLOADS_IN_FLIGHT) as pool:
        for key, body in objects:
            while pending and (
                len(pending) == UPLOADS_IN_FLIGHT or held + len(body) > UPLOAD_BYTES_IN_FLIGHT
            ):
                oldest, size = pending.popleft()
                versions.append(oldest.result()["versionId"])
                held -= size
            held += len(body)
            pending.append((pool.submit(put_version, s3, bucket, key, body), len(body)))
        versions += [upload.result()["versionId"] for upload, _ in pending]
    return versions


def read_object(s3: "S3Client", bucket: str, key: str) -> bytes:
    """Return the latest version of an object, whole; for lists, whose size is bounded."""
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def read_version(s3: "S3Client", bucket: str, stored: Mapping[str, Any]) -> bytes:
    """Return the object version that a step's result or the manifest names: see `put_version`."""
    return s3.get_object(Bucket=bucket, Key=stored["key"], VersionId=stored["versionId"])[
        "Body"
    ].read()


def batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield consecutive slices of at most `size` values."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _until_done(call: Callable[[Sized], Sized], pending: Sized, *, what: str) -> None:
    """Repeat a batch call on what it left unprocessed, with full-jitter backoff."""
    fruitless = 0
    while fruitless < _BACKOFF_TRIES:
        before = len(pending)
        pending = call(pending)
        if not pending:
            return
        fruitless = fruitless + 1 if len(pending) == before else 0
        ceiling = min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2**fruitless)
        time.sleep(random.uniform(0, ceiling))  # noqa: S311  (jitter, not a secret)
    raise TransientError(f"{what} made no progress in {_BACKOFF_TRIES} tries")


def batch_write(
    dynamodb: "DynamoDBClient", table: str, requests: Iterable[Mapping[str, Any]]
) -> None:
    """Put or delete any number of items, a few batches at a time.

    Parameters
    ----------
    requests
        WriteRequests (``{"PutRequest": {"Item": ...}}``), no two for the same key. They are
        consumed as they are written, so a generator is never held in memory.

    Raises
    ------
    TransientError
        If the table still throttles after all tries.
    """

    def write(batch: list[Mapping[str, Any]]) -> None:
        def call(pending: Any) -> Any:
            answer = dynamodb.batch_write_item(RequestItems={table: pending})
            return answer.get("UnprocessedItems", {}).get(table, [])

        _until_done(call, batch, what=f"BatchWriteItem on {table}")

    stream = iter(requests)
    with ThreadPoolExecutor(WORKERS) as pool:
        while round_ := list(islice(stream, WRITE_BATCH * WORKERS)):
            for _ in pool.map(write, batches(round_, WRITE_BATCH)):
                pass


def batch_get(
    dynamodb: "DynamoDBClient",
    table: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    options: Mapping[str, Any] | None = None,
) -> list[items.Item]:
    """Return the items that exist for any number of distinct keys, in any order.

    Parameters
    ----------
    options
        What is asked of the table besides the keys, such as a projection.

    Raises
    ------
    TransientError
        If the table still throttles after all tries.
    """
    found: list[Any] = []

    def call(pending: Any) -> Any:
        request: Any = {"Keys": pending, **(options or {})}
        answer: Any = dynamodb.batch_get_item(RequestItems={table: request})
        found.extend(answer["Responses"].get(table, []))
        return answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])

    for batch in batches(keys, GET_BATCH):
        _until_done(call, batch, what=f"BatchGetItem on {table}")
    return found


def expiry() -> dict[str, int]:
    """Return the attribute by which DynamoDB deletes a ledger's entry; none if entries are kept."""
    days = int(os.environ.get("LEDGER_EXPIRY_DAYS", "0"))
    return {"ttl": int(time.time()) + days * 86_400} if days else {}


def update_entry(
    dynamodb: "DynamoDBClient",
    table: str,
    job: str,
    entry: str,
    values: Mapping[str, items.Value],
    *,
    attempt: int,
    remove: Sequence[str] = (),
    begins: bool = False,
) -> dict[str, Any]:
    """Update attributes of one ledger entry and record the attempt that does it.

    Returns
    -------
    dict
        The entry before the update; empty if there was none.

    Raises
    ------
    StaleAttemptError
        If the entry belongs to a later attempt, or, with `begins`, has ended in this one.
    """
    try:
        answer = dynamodb.update_item(
            TableName=table,
            Key={"jobId": {"S": job}, "entry": {"S": entry}},
            ReturnValues="ALL_OLD",
            **items.assignments(
                {**values, **expiry()}, attempt=attempt, remove=remove, begins=begins
            ),
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        raise StaleAttemptError(
            f"{entry} of {job} belongs to a later attempt than {attempt}, or has ended already"
        ) from error
    return items.plain(answer.get("Attributes", {}))


def require_attempt(
    dynamodb: "DynamoDBClient", table: str, job: str, entry: str, *, attempt: int
) -> None:
    """Check that no later attempt has taken over a ledger entry, before writing elsewhere.

    Raises
    ------
    StaleAttemptError
        If one has.
    """
    found = dynamodb.get_item(
        TableName=table,
        Key={"jobId": {"S": job}, "entry": {"S": entry}},
        ProjectionExpression="attempt",
        ConsistentRead=True,
    )
    if items.plain(found.get("Item", {})).get("attempt", 0) > attempt:
        raise StaleAttemptError(f"{entry} of {job} belongs to a later attempt than {attempt}")


def query_entries(
    dynamodb: "DynamoDBClient", table: str, job: str, prefix: str
) -> Iterator[dict[str, Any]]:
    """Yield a job's ledger entries whose sort key starts with `prefix`, in order."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="jobId = :job AND begins_with(entry, :prefix)",
        ExpressionAttributeValues={":job": {"S": job}, ":prefix": {"S": prefix}},
        ConsistentRead=True,
    )
    for page in pages:
        yield from map(items.plain, page["Items"])
