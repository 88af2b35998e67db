"""Read the reference data, a CSV file with one row per key, and convert it for its table."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchcore.errors import ReferenceDataError
from batchcore.items import Item
from batchcore.schema import RecordSchema, Violation

FILE_NAME = "reference.csv"

# Amazon DynamoDB quotas (November 2026): a partition key has 1 to 2,048 bytes of UTF-8.
MAX_KEY_BYTES = 2_048

# The most keys that one call of the API may name, and how many calls enrich-data makes at a time.
KEYS_PER_CALL = 500
CALLS_IN_FLIGHT = 4

Row = tuple[str, dict[str, str]]


def is_storable(key: str) -> bool:
    """Tell whether the table could have such a key. Asking DynamoDB for any other is an error."""
    return 0 < len(key.encode()) <= MAX_KEY_BYTES


def read_reference(path: Path, schema: RecordSchema) -> Iterator[Row]:
    """Yield the key and the enrichment's values of each row in a reference file, as text.

    Raises
    ------
    ReferenceDataError
        If the file is not UTF-8, lacks a column, or has a malformed key or a short row. Duplicate
        keys are not detected, because that would need all keys in memory.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {schema.key, *schema.enrichment} - set(reader.fieldnames or ())
            if missing:
                raise ReferenceDataError(f"{path.name} lacks the columns {sorted(missing)}")
            for number, row in enumerate(reader, 2):
                key = row[schema.key]
                if not key or not is_storable(key) or not schema.is_key(key):
                    raise ReferenceDataError(f"{path.name}, row {number}: malformed {schema.key}")
                values = {column: row[column] for column in schema.enrichment}
                if None in values.values():
                    raise ReferenceDataError(f"{path.name}, row {number}: too few fields")
                yield key, values
    except (OSError, UnicodeDecodeError) as error:
        raise ReferenceDataError(f"cannot read {path.name}: {error}") from error


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
