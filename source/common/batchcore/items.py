"""Build and read the items of the tables of errors and jobs: attribute names, shapes and sort keys.

ErrorRangesTable: partition ``jobRange`` (``<job id>#<source_row, the first 6 of 10 digits>``), sort
``errorId`` (``<source_row, 10 digits>#<column>#<rule>``), see `batchcore.error_ranges`. ErrorTable,
which earlier stacks wrote: partition ``jobId``, the same sort key.
JobTable, the ledger: partition ``jobId``, sort ``entry`` (``JOB`` or ``CHUNK#000001``); the index
``JobsByStart`` (``listed``, ``startTime``) has the JOB entries only.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from batchcore.texts import number_of

# The number of the format of the tables and of a job's objects in S3. The stack's output
# LedgerFormat says the same number; a stack without that output has format 1.
# 1: errors are in ErrorTable only. 2: they are in files, too, see `batchcore.error_files`.
# 3: those in a table are in ErrorRangesTable.
LEDGER_FORMAT = 3

JOB_ENTRY = "JOB"
CHUNK_PREFIX = "CHUNK#"
LISTED = "JOB"
JOBS_BY_START = "JobsByStart"

# An item may have 400 KB (Amazon DynamoDB quotas), so long values are cut. The rejects file has the
# whole row.
MAX_RAW_CHARACTERS = 32_000
MAX_VALUE_CHARACTERS = 4_000

# A sort key has ten digits for the row. The first six name its range of 10,000 rows. Chunks have up
# to 20,000 rows, so each of those that run side by side has ranges of its own.
_ROW_DIGITS = 10
_RANGE_DIGITS = 6
LAST_ROW = 10**_ROW_DIGITS - 1
RANGE_ROWS = 10 ** (_ROW_DIGITS - _RANGE_DIGITS)

# Conditions of an update. #0 and :0 are its first attribute, the attempt.
_NOT_LATER = "attribute_not_exists(#0) OR #0 <= :0"
_UNENDED = "attribute_not_exists(#0) OR #0 < :0 OR (#0 = :0 AND attribute_not_exists(endTime))"

Item = dict[str, dict[str, str]]

# The value of an attribute in a ledger entry.
Value = str | int | Mapping[str, str | int]


def utc_now() -> str:
    """Return the current time as Step Functions writes it: ISO 8601, UTC, milliseconds, ``Z``."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """Return a time with a zone in the form of `utc_now`, whose texts sort by time."""
    utc = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return utc.replace("+00:00", "Z")


def chunk_entry(number: int) -> str:
    """Return the ledger's sort key of a chunk."""
    return f"{CHUNK_PREFIX}{number:06d}"


def row_prefix(source_row: int) -> str:
    """Return the prefix of the sort keys of a row's errors."""
    return f"{source_row:010d}#"


def error_id(source_row: int, column: str, rule: str) -> str:
    """Return the sort key of the first error of a row with this column and rule."""
    return f"{row_prefix(source_row)}{column}#{rule}"


def row_of_error(sort_key: str) -> int:
    """Return the row that an error is of."""
    return int(sort_key[:_ROW_DIGITS])


def range_of_error(sort_key: str) -> str:
    """Return the range of 10,000 rows that an error is in: the first digits of its row."""
    return sort_key[:_RANGE_DIGITS]


def range_of_row(source_row: int) -> str:
    """Return the range of 10,000 rows that a row's errors are in."""
    return range_of_error(row_prefix(source_row))


def error_partition(job: str, listed: str) -> str:
    """Return the partition of ErrorRangesTable that holds a job's errors of a range."""
    return f"{job}#{listed}"


def row_range(first_row: int, last_row: int) -> tuple[str, str]:
    """Return the lowest and highest possible sort key of the errors in a range of rows."""
    return row_prefix(first_row), f"{last_row:010d}$"  # "$" follows "#" in ASCII


def found_errors(
    record: Mapping[str, Any], *, chunk: int, attempt: int, time: str
) -> Iterator[dict[str, Any]]:
    """Yield one error per rule that a rejected record breaks.

    Each has all attributes that ErrorRangesTable and the file of errors show, as text or int.

    Parameters
    ----------
    record
        A rejected record, see `batchcore.records`.
    time
        When the chunk's execution started (ISO 8601), so that a repeated step finds the same.
    """
    shared = {
        "uuid": _cut(record["key"], MAX_VALUE_CHARACTERS),
        "raw": _cut(record["raw"], MAX_RAW_CHARACTERS),
        "time": time,
        "chunk": chunk,
        "sourceRow": record["row"],
        "attempt": attempt,
    }
    prefix = row_prefix(record["row"])
    seen: dict[str, int] = {}
    for error in record["errors"]:
        rule = f"{error['column']}#{error['rule']}"
        number = seen[rule] = seen.get(rule, 0) + 1
        # A schema may have several rules of one kind for a column, for example in allOf.
        again = f"#{number}" if number > 1 else ""
        yield {
            **error,
            "errorId": f"{prefix}{rule}{again}",
            "value": _cut(error["value"], MAX_VALUE_CHARACTERS),
            **shared,
        }


def error_values(
    record: Mapping[str, Any], *, job: str, chunk: int, attempt: int, time: str, ttl: int
) -> Iterator[dict[str, Any]]:
    """Yield the values of a rejected record's items of ErrorRangesTable, see `found_errors`.

    Parameters
    ----------
    ttl
        Seconds since the epoch after which DynamoDB may delete the item.
    """
    partition = error_partition(job, range_of_row(record["row"]))
    for error in found_errors(record, chunk=chunk, attempt=attempt, time=time):
        yield {**error, "jobRange": partition, "ttl": ttl}


def error_items(record: Mapping[str, Any], **of_chunk: Any) -> Iterator[Item]:
    """Yield the items of ErrorRangesTable for a rejected record; arguments as `error_values`."""
    return map(attributes, error_values(record, **of_chunk))


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    return f"{text[:length]} ... ({number_of(len(text), 'character')} in all)"


def attributes(values: Mapping[str, str | int]) -> dict[str, Any]:
    """Return plain values as a DynamoDB item."""
    return {name: _attribute(value) for name, value in values.items()}


def assignments(
    values: Mapping[str, Value],
    *,
    attempt: int,
    remove: Sequence[str] = (),
    begins: bool = False,
) -> dict[str, Any]:
    """Return the arguments of an UpdateItem that sets and removes attributes of an entry.

    The update records the attempt that makes it, and fails if a later attempt has written the
    entry. With `begins`, it also fails if the entry's work has ended in the same attempt, because
    then it comes from a late call.
    """
    given = {"attempt": attempt, **values}
    names = {f"#{n}": name for n, name in enumerate([*given, *remove])}
    placeholders = list(names)
    expression = "SET " + ", ".join(f"#{n} = :{n}" for n in range(len(given)))
    if remove:
        expression += " REMOVE " + ", ".join(placeholders[len(given) :])
    return {
        "UpdateExpression": expression,
        "ConditionExpression": _UNENDED if begins else _NOT_LATER,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {
            f":{n}": _attribute(value) for n, value in enumerate(given.values())
        },
    }


def _attribute(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int):
        return {"N": str(value)}
    return {"M": attributes(value)}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a DynamoDB item as Python values: str, int or dict."""
    return {name: _value(attribute) for name, attribute in item.items()}


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value)
    if kind == "M":
        return plain(value)
    return value
