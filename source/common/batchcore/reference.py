"""Read the reference data, a CSV file with one row per key, and convert it for its table."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from batchcore import csvtext, header_errors, headers, intake, quoting
from batchcore.errors import FileError, ReferenceDataError
from batchcore.items import Item
from batchcore.schema import RecordSchema, Violation
from batchcore.texts import number_of

FILE_NAME = "reference.csv"
DELIMITER = ","

# AWS Lambda quotas (November 2026): a function and all of its layers have at most 250 MB unzipped.
# The function that loads the file has two more layers, which need less than 50 MB.
MAX_BYTES = 200 * 1024 * 1024

_BLOCK_BYTES = 1024 * 1024
_ROWS_AT_A_TIME = 5_000
_SHOWN_CHARACTERS = 60

# Amazon DynamoDB quotas (November 2026): a partition key has 1 to 2,048 bytes of UTF-8.
MAX_KEY_BYTES = 2_048

# The most keys that one call of the API may name.
KEYS_PER_CALL = 500

# The most calls that enrich-data makes at a time. Fewer for few calls: each one more at a time may
# have another get-data started for it, which takes longer than three calls that are waited for.
CALLS_IN_FLIGHT = 4
_CALLS_IN_TURN = 3

Row = tuple[str, dict[str, str]]


def calls_in_flight(calls: float) -> int:
    """Return how many of its `calls` to the API enrich-data makes at a time."""
    return min(CALLS_IN_FLIGHT, math.ceil(calls / _CALLS_IN_TURN)) or 1


def is_storable(key: str) -> bool:
    """Return whether the table can have this key. DynamoDB refuses to look up any other."""
    return 0 < len(key.encode()) <= MAX_KEY_BYTES


def read_reference(path: Path, schema: RecordSchema) -> Iterator[Row]:
    """Yield the key and the enrichment's values of each row in a reference file, as text.

    The file is read as a stream, and as strictly as an upload. Only the keys stay in memory.

    Raises
    ------
    ReferenceDataError
        The file cannot be read, is too large for a layer, is not UTF-8, or has no rows; its header
        lacks a column or names one twice; or a row has too few or too many fields, a quote in the
        wrong place, or a key that is blank, malformed or in an earlier row as well. The message
        names the row, the header being row 1, and what to do.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise ReferenceDataError(
                f"{path.name} has {number_of(size_bytes, 'byte')}, but may have {MAX_BYTES:,}, "
                "because a function's layers hold at most 250 MB unzipped: leave out the rows and "
                "columns that no upload needs"
            )
        with path.open("rb") as file:
            yield from _read_rows(file, path.name, schema)
    except OSError as error:
        raise ReferenceDataError(f"cannot read {path.name}: {error}") from error
    except FileError as error:
        raise ReferenceDataError(f"{path.name}: {error}") from error


def _read_rows(file: IO[bytes], name: str, schema: RecordSchema) -> Iterator[Row]:
    blocks = intake.check_text(iter(lambda: file.read(_BLOCK_BYTES), b""))
    splitter = csvtext.Splitter(blocks, delimiter=DELIMITER, chunk_rows=_ROWS_AT_A_TIME)
    header = _decode(splitter.header().removeprefix(csvtext.BOM), f"{name}, the header")
    columns = _check_header(header, name, schema)
    enrichment = [(column, columns.index(column)) for column in schema.enrichment]
    rows_of_keys: dict[str, int] = {}
    for chunk in splitter.chunks():
        records = csvtext.iter_records(chunk.data, delimiter=DELIMITER)
        for row, raw in enumerate(records, chunk.first_row):
            if csvtext.is_blank(raw):
                continue
            place = f"{name}, row {row}"
            fields = _parse(raw, place)
            key = _check_row(fields, columns, place, schema)
            first = rows_of_keys.setdefault(key, row)
            if first != row:
                raise ReferenceDataError(
                    f"{place}: the key {_short(key)} is in row {first} as well: keep one row per "
                    f"{schema.key}"
                )
            yield key, {column: fields[at] for column, at in enrichment}
    if not rows_of_keys:
        raise ReferenceDataError(
            f"{name} has a header and no rows, so every row of every upload would be rejected: add "
            "the rows, or leave x-key and x-enrichment out of the schema"
        )


def _check_header(text: str, name: str, schema: RecordSchema) -> list[str]:
    """Return the names in the header, after checking that they are what the schema needs."""
    wanted = [schema.key, *schema.enrichment]
    columns = headers.names_of(text, delimiter=DELIMITER)
    missing = [column for column in wanted if column not in columns]
    if missing:
        header_errors.refuse_markup(text)
        other = headers.other_delimiter(text, wanted, delimiter=DELIMITER)
        if other is not None:
            raise ReferenceDataError(
                f"{name}: the header is delimited by {other!r}, but reference data must be "
                "delimited by commas: save it as CSV with commas"
            )
        near = headers.near_misses(missing, columns)
        hint = f"{headers.spelt(near)}; " if near else ""
        raise ReferenceDataError(
            f"{name} lacks the columns {headers.listed(missing)}: {hint}columns are matched by "
            f"their exact names, and the header has {headers.listed(columns)}"
        )
    twice = [column for column in wanted if columns.count(column) > 1]
    if twice:
        raise ReferenceDataError(
            f"{name}: the header names {headers.listed(twice)} more than once: keep one column of "
            "each name"
        )
    if quoting.is_stray(text, delimiter=DELIMITER):
        raise ReferenceDataError(
            f"{name}: the header has text after a closing quote: {quoting.HINT}"
        )
    return columns


def _parse(raw: bytes, place: str) -> Sequence[str]:
    text = _decode(raw, place)
    fields = next(quoting.parse_rows([text], delimiter=DELIMITER))
    if fields is quoting.STRAY_TEXT:
        number, _ = quoting.stray_field(text, delimiter=DELIMITER)
        raise ReferenceDataError(
            f"{place}: field {number} has text after its closing quote: {quoting.HINT}; or a quote "
            "that opens there or above is never closed"
        )
    return fields


def _check_row(
    fields: Sequence[str], columns: Sequence[str], place: str, schema: RecordSchema
) -> str:
    """Return the key of a row, after checking the row's fields and the key."""
    at = columns.index(schema.key)
    key = fields[at] if at < len(fields) else ""
    if len(fields) != len(columns):
        many = len(fields) > len(columns)
        what = "too many fields" if many else "too few fields"
        advice = "put quotes around a value with a comma" if many else "add what is missing"
        raise ReferenceDataError(
            f"{place}: {what}: {len(fields)} with the key {_short(key)}, but the header has "
            f"{len(columns)}: {advice}"
        )
    if not key.strip():
        raise ReferenceDataError(
            f"{place}: the key {schema.key} is blank: fill it in, or delete the row"
        )
    if not is_storable(key):
        raise ReferenceDataError(
            f"{place}: malformed {schema.key}: {_short(key)} and so on has more than "
            f"{MAX_KEY_BYTES:,} bytes, the most that a table takes"
        )
    if not schema.is_key(key):
        raise ReferenceDataError(
            f"{place}: malformed {schema.key}: {_short(key)} breaks the schema's rules for it, so "
            "no upload could refer to it: correct it, or delete the row"
        )
    return key


def _decode(raw: bytes, place: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ReferenceDataError(
            f"{place}: byte {error.start + 1} is 0x{raw[error.start]:02X}, which is not UTF-8: "
            "save the file as UTF-8 (in Excel: CSV UTF-8)"
        ) from error


def _short(key: str) -> str:
    return repr(key[:_SHOWN_CHARACTERS])


def unknown_key(key: str, schema: RecordSchema) -> Violation:
    """Return the violation of a row whose key the reference data does not have."""
    return Violation(schema.key, "reference", key, "", "is not in the reference data")


def table_key(key: str) -> Item:
    """Return the primary key of an item of FinancialTable."""
    return {"uuid": {"S": key}}


def table_item(key: str, values: dict[str, str]) -> dict[str, Any]:
    """Return a row as an item of FinancialTable. Numbers stay text, so that no byte changes."""
    return {**table_key(key), "values": {"M": {name: {"S": v} for name, v in values.items()}}}


def api_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of FinancialTable as the API returns it: ``uuid`` and ``values``."""
    values = {name: value["S"] for name, value in item["values"]["M"].items()}
    return {"uuid": item["uuid"]["S"], "values": values}
